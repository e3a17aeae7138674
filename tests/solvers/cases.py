"""Linear problems for the tests of the solvers, with an optimum from an independent source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy import optimize, sparse

from sksoftmax._kernel import _reference
from sksoftmax._objective import LinearObjective
from sksoftmax._solvers import LinearFit, solve_linear

SOLVERS = ["auto", "lbfgs", "newton-cholesky", "newton-cg"]


@dataclass(frozen=True)
class Case:
    X: Any
    target: np.ndarray
    n_classes: int
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def objective(self) -> LinearObjective:
        options = {"n_threads": 1} | self.options
        return LinearObjective(self.X, self.target, n_classes=self.n_classes, **options)

    def with_options(self, **changes: Any) -> Case:
        return replace(self, options=self.options | changes)

    def scaled(self, scale: np.ndarray) -> Case:
        return replace(self, X=np.ascontiguousarray(self.X * scale))

    def solve(self, solver: str = "auto", **keywords: Any) -> LinearFit:
        return solve_linear(self.objective, solver=solver, **keywords)

    def gradient_at(self, fit: LinearFit) -> np.ndarray:
        """Gradient by theta at a fit."""
        objective = self.objective
        return objective.loss_gradient(objective.pack(fit.coef, fit.intercept))[1]


def draw_labels(rng: np.random.Generator, logits: np.ndarray) -> np.ndarray:
    """A class for each row from its softmax."""
    return (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)


def make_case(
    rng: np.random.Generator,
    n_samples: int,
    n_features: int,
    n_classes: int,
    *,
    signal: float = 1.0,
    bias: Any = 0.0,
    **options: Any,
) -> Case:
    """Labels drawn from a linear softmax model; no ridge (alpha = 0) unless given."""
    X = rng.standard_normal((n_samples, n_features))
    coef = signal * rng.standard_normal((n_features, n_classes)) / np.sqrt(n_features)
    return Case(X, draw_labels(rng, X @ coef + bias), n_classes, options)


# --- kinds of problems that have one optimum ---


def _plain(rng, K):
    return make_case(rng, 300, 5, K, alpha=1e-3)


def _badly_scaled(rng, K):
    case = make_case(rng, 300, 8, K)
    return case.scaled(10.0 ** rng.uniform(-3, 3, 8))


def _correlated(rng, K):
    case = make_case(rng, 300, 6, K, alpha=1e-4)
    mix = 0.01 * rng.standard_normal((6, 6)) + 1.0
    return replace(case, X=np.ascontiguousarray(case.X @ mix))


def _imbalanced(rng, K):
    bias = np.zeros(K)
    bias[0] = 4.0
    return make_case(rng, 1000, 4, K, bias=bias, alpha=1e-4)


def _wide(rng, K):
    return make_case(rng, 40, 90, K, alpha=1e-2)


def _sparse(rng, K):
    case = make_case(rng, 300, 30, K, alpha=1e-3)
    X = case.X * (rng.random(case.X.shape) < 0.2)
    return replace(case, X=sparse.csr_matrix(X))


def _float32(rng, K):
    case = make_case(rng, 300, 5, K, alpha=1e-2)
    return replace(case, X=case.X.astype(np.float32))


def _everything(rng, K):
    case = make_case(rng, 300, 5, K)
    shape = (300, K)
    mask = rng.random(shape) < 0.8
    mask[np.arange(300), case.target] = True
    proba = rng.dirichlet(np.ones(K), size=300) * mask + 0.1 * np.eye(K)[case.target]
    return replace(
        case,
        target=proba / proba.sum(axis=1, keepdims=True),
        options={
            "alpha": 1e-3,
            "mask": mask,
            "offset": rng.standard_normal(shape),
            "sample_weight": rng.uniform(0.2, 3, 300),
            "label_smoothing": 0.1,
            "logit_l2": 0.01,
        },
    )


def _one_option(name):
    def build(rng, K):
        every = _everything(rng, K)
        options = {k: v for k, v in every.options.items() if k in (name, "alpha")}
        target = every.target if name in ("soft", "mask") else every.target.argmax(axis=1)
        if name != "mask":
            return Case(every.X, target, K, options)
        hard = np.where(every.options["mask"], every.target, -1).argmax(axis=1)
        return Case(every.X, hard, K, options)

    return build


def _no_intercept(rng, K):
    return make_case(rng, 300, 5, K, alpha=1e-3, fit_intercept=False)


def _unpenalized(rng, K):
    return make_case(rng, 300, 5, K)


def _large_means(rng, K):
    case = make_case(rng, 300, 5, K, alpha=1e-3)
    return replace(case, X=case.X + 10.0 ** rng.uniform(0, 5, 5))


PROBLEMS: dict[str, Callable[[np.random.Generator, int], Case]] = {
    "plain": _plain,
    "badly scaled": _badly_scaled,
    "correlated": _correlated,
    "imbalanced": _imbalanced,
    "wide": _wide,
    "sparse": _sparse,
    "float32": _float32,
    "masked": _one_option("mask"),
    "offset": _one_option("offset"),
    "weighted": _one_option("sample_weight"),
    "soft": _one_option("soft"),
    "smoothed": _one_option("label_smoothing"),
    "logit_l2": _one_option("logit_l2"),
    "everything": _everything,
    "no intercept": _no_intercept,
    "unpenalized": _unpenalized,
    "large means": _large_means,
}


def independent_optimum(case: Case) -> tuple[np.ndarray, np.ndarray, float]:
    """coef, intercept and value by SciPy on a plain NumPy objective in standardized columns."""
    X = (case.X.toarray() if sparse.issparse(case.X) else case.X).astype(float)
    n_samples, n_features = X.shape
    options, K = case.options, case.n_classes
    fit_intercept, alpha = options.get("fit_intercept", True), options.get("alpha", 0.0)
    weight = options.get("sample_weight", np.ones(n_samples))
    scale = X.std(axis=0)
    Z = (X - X.mean(axis=0) * fit_intercept) / scale
    R = 1 if K == 2 else K

    def split(v):
        W = v[: R * n_features].reshape(R, n_features) / scale
        return W, (v[R * n_features :] if fit_intercept else np.zeros(R))

    def value_gradient(v):
        W, b = split(v)
        logits = (Z * scale) @ W.T + b
        logits = np.hstack([-logits / 2, logits / 2]) if K == 2 else logits
        loss, residual = _reference.loss_gradient(
            logits + options.get("offset", 0.0),
            case.target,
            sample_weight=weight,
            mask=options.get("mask"),
            label_smoothing=options.get("label_smoothing", 0.0),
            logit_l2=options.get("logit_l2", 0.0),
        )
        if K == 2:
            residual = (residual[:, 1:] - residual[:, :1]) / 2
        gradient = residual.T @ Z / weight.sum() + alpha * W / scale
        parts = [gradient.ravel()] + [residual.sum(axis=0) / weight.sum()] * fit_intercept
        return loss.sum() / weight.sum() + alpha / 2 * (W**2).sum(), np.concatenate(parts)

    start = np.zeros(R * (n_features + fit_intercept))
    best = optimize.minimize(
        value_gradient,
        start,
        jac=True,
        method="L-BFGS-B",
        options={"gtol": 1e-10, "ftol": 0, "maxiter": 20_000, "maxfun": 40_000, "maxcor": 50},
    )
    W, b = split(best.x)
    if R > 1 and options.get("logit_l2", 0.0) == 0:
        W, b = W - W.mean(axis=0), b - b.mean()
    if fit_intercept:
        b = b - W @ X.mean(axis=0)
    return W, b, best.fun
