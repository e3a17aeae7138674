"""Linear problems for the tests of the objective, and what they are worth in plain NumPy.

A `Case` is data and options; `objective` builds the `LinearObjective`, `plain_*` evaluate the same
function of (W, b) with the kernel's NumPy reference, in float64 and without centring.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy import sparse

from sksoftmax._kernel import _reference
from sksoftmax._objective import LinearObjective

CLASSES = [2, 3, 5, 11]
# Around the vector widths and the tile of three vectors of every body.
ROWS = [1, 2, 7, 23, 24, 25, 47, 48, 49, 117, 1000]
FEATURES = [1, 2, 7, 8, 9, 16, 17, 65]
STORAGES = ["dense", "csr-int32", "csr-int64"]
DTYPES = [np.float32, np.float64]

OPTIONS: dict[str, tuple[str, ...]] = {
    "plain": (),
    "no intercept": ("no intercept",),
    "weighted": ("weighted",),
    "masked": ("masked",),
    "offset": ("offset",),
    "soft": ("soft",),
    "smoothed": ("smoothed",),
    "logit_l2": ("logit_l2",),
    "ridge": ("ridge",),
    "soft masked smoothed": ("soft", "masked", "smoothed"),
    "masked logit_l2 offset": ("masked", "logit_l2", "offset"),
    "everything": ("weighted", "masked", "offset", "soft", "smoothed", "logit_l2", "ridge"),
    "everything, no intercept": (
        "weighted",
        "masked",
        "offset",
        "smoothed",
        "logit_l2",
        "ridge",
        "no intercept",
    ),
}


@dataclass(frozen=True)
class Case:
    X: Any
    target: np.ndarray
    n_classes: int
    coef: np.ndarray
    intercept: np.ndarray
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def objective(self) -> LinearObjective:
        return LinearObjective(self.X, self.target, n_classes=self.n_classes, **self.options)

    @property
    def dense_X(self) -> np.ndarray:
        return self.X.toarray() if sparse.issparse(self.X) else self.X

    def with_options(self, **changes: Any) -> Case:
        return replace(self, options=self.options | changes)

    def rows(self, index: np.ndarray) -> Case:
        """The same problem on other rows."""
        per_row = {name: value[index] for name, value in self.options.items() if np.ndim(value) > 0}
        return replace(
            self, X=self.X[index], target=self.target[index], options=self.options | per_row
        )

    def stored(self, storage: str) -> Case:
        return replace(self, X=stored(self.dense_X, storage))


def stored(X: np.ndarray, storage: str) -> Any:
    """X dense, or CSR with indices of a width."""
    if storage == "dense":
        return np.ascontiguousarray(X)
    matrix = sparse.csr_array(X) if storage == "csr-int64" else sparse.csr_matrix(X)
    index = np.int64 if storage == "csr-int64" else np.int32
    matrix.indices, matrix.indptr = matrix.indices.astype(index), matrix.indptr.astype(index)
    return matrix


def make_case(
    rng: np.random.Generator,
    n_samples: int,
    n_features: int,
    n_classes: int,
    *,
    options: str = "plain",
    dtype: Any = np.float64,
    storage: str = "dense",
) -> Case:
    """Random data with columns off zero; sparse ones keep a third of their entries."""
    chosen = OPTIONS[options]
    shape = (n_samples, n_classes)
    X = rng.standard_normal((n_samples, n_features)) + rng.standard_normal(n_features)
    if storage != "dense":
        X *= rng.random(X.shape) < 0.35
    n_outputs = 1 if n_classes == 2 else n_classes
    target = rng.integers(n_classes, size=n_samples)
    mask = rng.random(shape) < 0.7
    mask[np.arange(n_samples), target] = True
    keywords: dict[str, Any] = {"fit_intercept": "no intercept" not in chosen, "n_threads": 1}
    if "masked" in chosen:
        keywords["mask"] = mask
    if "weighted" in chosen:
        keywords["sample_weight"] = rng.uniform(0.2, 3.0, n_samples).astype(dtype)
    if "offset" in chosen:
        keywords["offset"] = rng.standard_normal(shape).astype(dtype)
    if "smoothed" in chosen:
        keywords["label_smoothing"] = 0.125
    if "logit_l2" in chosen:
        keywords["logit_l2"] = 0.25
    if "ridge" in chosen:
        keywords["alpha"] = 0.0625
    if "soft" in chosen:
        proba = rng.random(shape) * (mask if "masked" in chosen else 1.0)
        target = (proba / proba.sum(axis=1, keepdims=True)).astype(dtype)
    return Case(
        stored(X.astype(dtype), storage),
        target,
        n_classes,
        rng.standard_normal((n_outputs, n_features)) / np.sqrt(n_features),
        rng.standard_normal(n_outputs) if keywords["fit_intercept"] else np.zeros(n_outputs),
        keywords,
    )


# --- the same in plain NumPy ---


def plain_logits(case: Case, coef: np.ndarray, intercept: np.ndarray) -> np.ndarray:
    """Logits (n_samples, n_classes): X W' + b + offset, a score s of two classes as -s/2, s/2."""
    logits = case.dense_X.astype(np.float64) @ coef.T + intercept
    if case.n_classes == 2:
        logits = np.hstack([-logits / 2, logits / 2])
    return logits + case.options.get("offset", 0.0)


def _weights(case: Case) -> np.ndarray:
    weight = case.options.get("sample_weight")
    return np.ones(len(case.target)) if weight is None else weight.astype(np.float64)


def plain_value_gradient(
    case: Case, coef: np.ndarray, intercept: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Value, d / d coef, d / d intercept."""
    hard = case.target.ndim == 1
    loss, residual = _reference.loss_gradient(
        plain_logits(case, coef, intercept),
        case.target if hard else case.target.astype(np.float64),
        sample_weight=_weights(case),
        label_smoothing=case.options.get("label_smoothing", 0.0),
        mask=case.options.get("mask"),
        logit_l2=case.options.get("logit_l2", 0.0),
    )
    if case.n_classes == 2:
        residual = (residual[:, 1:] - residual[:, :1]) / 2
    total, alpha = _weights(case).sum(), case.options.get("alpha", 0.0)
    value = loss.sum() / total + alpha / 2 * (coef**2).sum()
    d_coef = residual.T @ case.dense_X.astype(np.float64) / total + alpha * coef
    return float(value), d_coef, residual.sum(axis=0) / total


def plain_hessian(case: Case, coef: np.ndarray, intercept: np.ndarray) -> np.ndarray:
    """The Hessian in (W, b), class by class, the intercept last: sum over rows of
    (d z / d theta)' (w (diag p - p p') + w logit_l2 A) (d z / d theta), plus the ridge."""
    logits, weight = plain_logits(case, coef, intercept), _weights(case)
    mask = case.options.get("mask")
    proba = _reference.softmax(logits, mask=mask)
    available = np.ones_like(proba) if mask is None else mask.astype(float)
    K = case.n_classes
    inner = proba[:, :, None] * (np.eye(K) - proba[:, None, :])
    inner += case.options.get("logit_l2", 0.0) * available[:, :, None] * np.eye(K)
    if K == 2:
        halves = np.array([[-0.5], [0.5]])
        inner = halves.T @ inner @ halves
    X, fit_intercept = case.dense_X.astype(np.float64), case.options["fit_intercept"]
    if fit_intercept:
        X = np.hstack([X, np.ones((len(X), 1))])
    R, d = inner.shape[1], X.shape[1]
    hessian = np.einsum("nkl,ni,nj->kilj", weight[:, None, None] * inner, X, X, optimize=True)
    hessian = hessian.reshape(R * d, R * d) / weight.sum()
    ridge = np.full(d, case.options.get("alpha", 0.0))
    ridge[case.X.shape[1] :] = 0.0
    hessian[np.diag_indices(R * d)] += np.tile(ridge, R)
    return hessian


def to_theta(objective: LinearObjective) -> np.ndarray:
    """J with theta = J (W, b) for one class: the intercept is taken at the means."""
    J = np.eye(objective.n_columns)
    if objective.fit_intercept:
        J[-1, :-1] = objective.means
    return J


def plain_gradient_in_theta(case: Case, objective: LinearObjective) -> np.ndarray:
    """The gradient by theta: (W, b) = J^-1 theta, so it is J^-T times that by (W, b)."""
    _, d_coef, d_intercept = plain_value_gradient(case, case.coef, case.intercept)
    gradient = np.column_stack([d_coef, d_intercept]) if objective.fit_intercept else d_coef
    return np.linalg.solve(to_theta(objective).T, gradient.T).T


def plain_hessian_in_theta(case: Case, objective: LinearObjective) -> np.ndarray:
    inverse = np.kron(np.eye(objective.n_outputs), np.linalg.inv(to_theta(objective)))
    return inverse.T @ plain_hessian(case, case.coef, case.intercept) @ inverse


def tolerance(dtype: Any) -> dict[str, float]:
    """Sums of some hundred terms of order one: a few hundred roundings."""
    eps = float(np.finfo(dtype).eps)
    return {"rtol": 500 * eps, "atol": 200 * eps}
