"""The likelihood of a multinomial logit and its derivatives, in parameters against a base class.

Rows v_k = (B_k, b_k), one for each class that has parameters, mean the utilities
V_ik = x_i' B_k + b_k + offset_ik. The solver's parameters are theta_k = (B_k, b_k + B_k' m), with m
the means of the columns: there sums over the rows are taken, because large means cost no accuracy
there, and carried over by the chain rule, d theta_k / d v_k = [[I, 0], [m', 1]].
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.base import clone

from sksoftmax import _kernel
from sksoftmax._estimator import check_features_and_labels, iteration_progress
from sksoftmax._objective import LinearObjective
from sksoftmax._solvers import Problem, solve_linear
from sksoftmax._targets import Targets, encode_targets
from sksoftmax.inference._clusters import number_groups
from sksoftmax.inference._constants import constants_loglik
from sksoftmax.inference._covariance import generalized_inverse
from sksoftmax.inference._estimate import Estimate, WeightType, data_key

if TYPE_CHECKING:
    from sksoftmax.linear._inference import LinearModel

# A Newton step from a converged fit that still moves a utility by this much, one standard deviation
# from the mean, belongs to a parameter without a finite estimate.
_RECEDING = 1e-3
# Scores of so many entries are formed at once: 16 MB.
_ENTRIES = 1 << 21


class Maximum(NamedTuple):
    """Where a fit ended: rows v_k, (n_parametrized, n_columns)."""

    values: np.ndarray
    n_iter: int
    converged: bool
    problems: Sequence[Problem]


class _Sums(NamedTuple):
    """Over the rows, in the coordinates theta."""

    loglik: float
    score: np.ndarray  # sum w g
    products: np.ndarray  # sum w g g'
    weighted_products: np.ndarray  # sum w^2 g g'
    cluster_products: np.ndarray | None  # sum s s', s = sum w g in a cluster


@dataclass(frozen=True)
class Likelihood:
    """Checked data, in float64, of an estimator's model.

    `worker` is a copy of the estimator that learned the names of the features and the classes.
    """

    worker: Any
    X: Any
    targets: Targets
    weight_type: WeightType
    clusters: np.ndarray | None  # int (n_samples,)

    @classmethod
    def of(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        sample_weight: Any,
        weight_type: WeightType,
        *,
        groups: Any = None,
        offset: Any = None,
        mask: Any = None,
        classes: Any = None,
    ) -> Likelihood:
        """Check the data as `fit` does."""
        worker = clone(estimator)
        X, y = check_features_and_labels(worker, X, y)
        X = X.astype(np.float64, copy=False)
        targets = encode_targets(
            X,
            y,
            sample_weight=sample_weight,
            class_weight=worker.class_weight,
            offset=offset,
            mask=mask,
            classes=classes,
        )
        worker.classes_ = targets.classes
        clusters = None if groups is None else number_groups(groups, X.shape[0], "groups")
        return cls(worker, X, targets, weight_type, clusters)

    def of_classes(self, kept: list[int]) -> Likelihood:
        """That of the rows whose target is one of these classes, without the others."""
        t = self.targets
        rows = np.flatnonzero(np.isin(t.target, kept))
        worker = copy.copy(self.worker)
        worker.classes_ = t.classes[kept]
        targets = Targets(
            worker.classes_,
            np.searchsorted(kept, t.target[rows]),
            None if t.sample_weight is None else t.sample_weight[rows],
            offset=None,
            mask=None,
            weight_exponent=t.weight_exponent,
        )
        return replace(self, worker=worker, X=self.X[rows], targets=targets)

    @property
    def objective(self) -> LinearObjective:
        t = self.targets
        return LinearObjective(
            self.X,
            t.target,
            n_classes=len(t.classes),
            sample_weight=t.sample_weight,
            alpha=t.ridge(float(self.worker.C)),
            offset=t.offset,
            mask=t.mask,
            fit_intercept=bool(self.worker.fit_intercept),
            n_threads=self.worker.n_jobs,
        )

    def maximize(self, parametrized: Sequence[int]) -> Maximum:
        """Newton's method to rounding; where every class has parameters, they sum to zero."""
        worker, n_classes = self.worker, len(self.targets.classes)
        name = type(worker).__name__
        with iteration_progress(worker.verbose, name, int(worker.max_iter)) as progress:
            solution = solve_linear(
                self.objective,
                solver="newton-cholesky",
                tol=min(float(worker.tol), 1e-10),
                max_iter=int(worker.max_iter),
                progress=progress,
            )
        values = solution.coef
        if worker.fit_intercept:
            values = np.column_stack([values, solution.intercept])
        if n_classes == 2:  # a score s means (-s / 2, s / 2)
            values = np.concatenate([-values / 2, values / 2])
        base = [k for k in range(n_classes) if k not in parametrized]
        values = values - (values[base[0]] if base else 0.0)
        return Maximum(
            values[[*parametrized]], solution.n_iter, solution.converged, solution.problems
        )

    def estimate(self, maximum: Maximum, model: LinearModel) -> Estimate:
        """All that inference wants to know there."""
        t, parametrized = self.targets, [*model.parametrized]
        at = _Place(self.objective, maximum.values, parametrized)
        sums = self._sums(at)
        scale = 2.0**t.weight_exponent  # the objective's weights are divided by it
        information = at.chained(_class_information(at) * scale)
        score = at.chain.T @ sums.score
        weight, n_classes = self._weight, len(t.classes)
        loglik_constants, n_constants = constants_loglik(
            t.target, t.mask, weight, n_alternatives=n_classes
        )
        clusters = None if self.clusters is None else np.unique(self.clusters[weight > 0])
        return Estimate(
            names=model.names,
            params=maximum.values.ravel(),
            is_free=np.ones(len(score), dtype=bool),
            is_estimable=_is_estimable(maximum, at, information, score, float(weight.sum())),
            null_values=np.zeros(len(score)),
            score=score,
            information=information,
            penalty=self._penalty(at),
            score_products=at.chained(sums.products),
            weighted_score_products=at.chained(sums.weighted_products),
            cluster_products=(
                None if sums.cluster_products is None else at.chained(sums.cluster_products)
            ),
            n_clusters=None if clusters is None else len(clusters),
            weight_type=self.weight_type,
            loglik=sums.loglik,
            loglik_constants=loglik_constants,
            n_constants=n_constants,
            n_iter=maximum.n_iter,
            gradient_norm=_gradient_norm(at),
            converged=maximum.converged,
            data_key=data_key(t.target, t.mask, weight, n_alternatives=n_classes),
            n_alternatives=n_classes,
            model=model,
            **self._counts(),
        )

    @property
    def _weight(self) -> np.ndarray:
        """As they were given."""
        weight, n_samples = self.targets.sample_weight, self.X.shape[0]
        weight = np.ones(n_samples) if weight is None else weight
        with np.errstate(over="ignore", under="ignore"):
            weight = np.ldexp(weight, self.targets.weight_exponent)
            squares = float(weight @ weight)
        if not 0 < squares < np.inf:
            raise ValueError(
                "sample_weight: sums of squared weights leave the range of float64; divide them."
            )
        return weight

    def _counts(self) -> dict[str, float]:
        """Cases, those with one available class among them, and what equal probabilities give."""
        weight, n_classes, mask = self._weight, len(self.targets.classes), self.targets.mask
        sizes = np.full(len(weight), n_classes) if mask is None else mask.sum(axis=1)
        counted = weight if self.weight_type == "frequency" else (weight > 0).astype(np.float64)
        return {
            "n_cases": float(counted.sum()),
            "n_forced": float(counted[sizes == 1].sum()),
            "loglik_null": -float(weight @ np.log(sizes)),
        }

    def _sums(self, at: _Place) -> _Sums:
        """Log-likelihood, and sums of the scores g_ik = (target_ik - p_ik) x~_i."""
        t, weight, size = self.targets, self._weight, len(at.chain)
        n_clusters = 0 if self.clusters is None else int(self.clusters.max()) + 1
        loglik, score = 0.0, np.zeros(size)
        products, weighted = np.zeros((size, size)), np.zeros((size, size))
        of_cluster = np.zeros((n_clusters, size))
        step = max(1, _ENTRIES // max(size, len(at.theta)))
        for start in range(0, self.X.shape[0], step):
            rows = slice(start, start + step)
            x, w, target = at.columns(self.X[rows]), weight[rows], t.target[rows]
            logits = x @ at.theta.T
            logits += 0.0 if t.offset is None else t.offset[rows]
            mask = None if t.mask is None else np.ascontiguousarray(t.mask[rows])
            log_proba = _kernel.log_softmax(logits, mask=mask, n_threads=1)
            own = np.arange(len(x)), target
            loglik += float(w @ log_proba[own])
            residual = -np.exp(log_proba)
            residual[own] = -np.expm1(log_proba[own])  # 1 - p without cancellation
            residual = residual[:, at.parametrized]
            g = (residual[:, :, None] * x[:, None, :]).reshape(len(x), size)
            score += w @ g
            products += (g * w[:, None]).T @ g
            if t.sample_weight is not None:
                weighted += (g * (w * w)[:, None]).T @ g
            if self.clusters is not None:
                entries = (w, (self.clusters[rows], own[0]))
                of_cluster += sparse.coo_array(entries, shape=(n_clusters, len(x))) @ g
        clustered = None if self.clusters is None else of_cluster.T @ of_cluster
        weighted = products if t.sample_weight is None else weighted
        return _Sums(loglik, score, products, weighted, clustered)

    def _penalty(self, at: _Place) -> np.ndarray:
        """Hessian of |W|^2 / (2 C), W the coefficients of the solver: of three classes or more they
        sum to zero, W_k = B_k - mean of B; of two there is one row, B_1 - B_0."""
        n_classes, n_columns = at.theta.shape
        across = np.eye(n_classes) - 1.0 / n_classes
        across *= 2.0 if n_classes == 2 else 1.0
        features = np.arange(n_columns) < at.objective.n_features
        across = across[np.ix_(at.parametrized, at.parametrized)]
        return np.kron(across, np.diag(features.astype(np.float64))) / float(self.worker.C)


class _Place:
    """Parameters, in the coordinates of the classes and in those of the solver."""

    def __init__(
        self, objective: LinearObjective, values: np.ndarray, parametrized: list[int]
    ) -> None:
        self.objective, self.parametrized = objective, parametrized
        every = np.zeros((objective.n_classes, objective.n_columns))
        every[parametrized] = values
        centring = np.eye(objective.n_columns)
        if objective.fit_intercept:
            centring[-1, :-1] = objective.means
        self.theta = every @ centring.T  # (n_classes, n_columns)
        self.chain = np.kron(np.eye(len(parametrized)), centring)  # d theta / d v

    def chained(self, matrix: np.ndarray) -> np.ndarray:
        """A matrix of second derivatives, or of products of first ones, in v."""
        return self.chain.T @ matrix @ self.chain

    def columns(self, X: Any) -> np.ndarray:
        """x~ = (x - m, 1) of some rows."""
        X = X.toarray() if sparse.issparse(X) else X
        if not self.objective.fit_intercept:
            return X
        return np.column_stack([X - self.objective.means, np.ones(len(X))])

    @property
    def solver_theta(self) -> np.ndarray:
        """(n_outputs, n_columns): of two classes one row, the difference; of more, they sum to
        zero."""
        if len(self.theta) == 2:
            return self.theta[1:] - self.theta[:1]
        return self.objective.without_shift(self.theta)


def _class_information(at: _Place) -> np.ndarray:
    """The Hessian of the summed loss in theta, over the classes that have parameters."""
    n_classes, n_columns = at.theta.shape
    hessian = at.objective.rows.hessian(at.solver_theta)
    if n_classes == 2:
        hessian = np.kron([[1.0, -1.0], [-1.0, 1.0]], hessian)
    blocks = hessian.reshape(n_classes, n_columns, n_classes, n_columns)
    blocks = blocks[at.parametrized][:, :, at.parametrized]
    return blocks.reshape(at.chain.shape)


def _is_estimable(
    maximum: Maximum, at: _Place, information: np.ndarray, score: np.ndarray, n_cases: float
) -> np.ndarray:
    """False for parameters on their way to infinity: Newton's next step would move them again.

    What the data do not determine because columns are dependent, the information tells.
    """
    if not any(problem.kind == "separation" for problem in maximum.problems):
        return np.ones(len(score), dtype=bool)
    inverse, _ = generalized_inverse(information, np.ones(len(score), dtype=bool), n_cases)
    spread = np.sqrt(at.objective.variances())
    return np.abs(inverse @ score) * np.tile(spread, len(at.parametrized)) <= _RECEDING


def _gradient_norm(at: _Place) -> float:
    """Largest entry of the gradient of the mean objective, one standard deviation being 1."""
    _, gradient = at.objective.loss_gradient(at.solver_theta)
    spread = np.sqrt(at.objective.variances())
    return float(np.abs(gradient / np.where(spread > 0, spread, 1.0)).max())


def parameter_names(worker: Any, labels: Iterable[Any]) -> tuple[str, ...]:
    """Names such as "label:feature" and "label:intercept", class by class."""
    columns = getattr(worker, "feature_names_in_", None)
    if columns is None:
        columns = [f"x{j}" for j in range(worker.n_features_in_)]
    columns = [*columns, *(["intercept"] if worker.fit_intercept else [])]
    return tuple(f"{label}:{column}" for label in np.asarray(labels).tolist() for column in columns)
