"""From a fit of an objective to all that inference wants to know of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sksoftmax._estimator import check_finite
from sksoftmax._objective import UtilityObjective
from sksoftmax.inference._constants import constants_loglik
from sksoftmax.inference._estimate import Estimate, data_key

# Above this many cases times alternatives constants are not fitted to long data.
_MOST_CELLS = 20_000_000


@dataclass(frozen=True)
class Observed:
    """Who chose what from what.

    Attributes
    ----------
    objective : UtilityObjective
    chosen : int64 ndarray of shape (n_cases,)
        Position of the alternative among all.
    available : bool ndarray of shape (n_cases, n_alternatives), or None: all, or unknown
    groups : int64 ndarray of shape (n_cases,), or None
        The panel or cluster of each case, numbered from 0.
    n_alternatives : int
    """

    objective: UtilityObjective
    chosen: np.ndarray
    available: np.ndarray | None
    groups: np.ndarray | None
    n_alternatives: int
    has_sets: bool = True  # does `available` tell them?

    @property
    def weight(self) -> np.ndarray | None:
        return self.objective.choices.weight


def make_estimate(
    observed: Observed,
    params: np.ndarray,
    derivatives: tuple[float, np.ndarray, np.ndarray] | None,
    *,
    names: tuple[str, ...],
    is_free: np.ndarray,
    is_estimable: np.ndarray,
    inverse_C: np.ndarray,
    weight_type: Any,
    n_iter: int,
    gradient_norm: float,
    converged: bool,
    model: Any,
) -> Estimate:
    """Put together derivatives, sums of products of scores, and what the sample is like."""
    objective = observed.objective
    theta = objective.pack(params)
    loglik, score, information = objective.likelihood(theta, derivatives)
    check_finite(information=information)
    products, weighted, clusters, n_clusters = _score_products(observed, theta)
    sizes = np.diff(objective.choices.row_ptr)
    weight = np.ones(len(sizes)) if observed.weight is None else observed.weight
    counted = weight if weight_type == "frequency" else (weight > 0).astype(np.float64)
    loglik_constants, n_constants = _constants(observed)
    return Estimate(
        names=names,
        params=params,
        is_free=is_free,
        is_estimable=is_estimable,
        null_values=np.zeros(len(params)),
        score=score,
        information=information,
        penalty=np.diag(inverse_C),
        score_products=products,
        weighted_score_products=weighted,
        cluster_products=clusters,
        n_clusters=n_clusters,
        weight_type=weight_type,
        n_cases=float(counted.sum()),
        n_forced=float(counted[sizes == 1].sum()),
        loglik=loglik,
        loglik_null=-float(weight @ np.log(sizes)),
        loglik_constants=loglik_constants,
        n_constants=n_constants,
        n_iter=n_iter,
        gradient_norm=gradient_norm,
        converged=converged,
        data_key=data_key(
            observed.chosen,
            observed.available if observed.has_sets else objective.choices.row_ptr,
            observed.weight,
            n_alternatives=observed.n_alternatives,
        ),
        n_alternatives=observed.n_alternatives,
        model=model,
    )


def _constants(observed: Observed) -> tuple[float | None, int]:
    if not observed.has_sets:
        return None, 0
    return constants_loglik(
        observed.chosen,
        observed.available,
        observed.weight,
        n_alternatives=observed.n_alternatives,
    )


def _score_products(observed: Observed, theta: np.ndarray) -> tuple[Any, Any, Any, int | None]:
    """Sums over units of w g g' and w^2 g g', and over clusters of s s'.

    Where cases belong to panels the panel is the unit: its score is that of its product of
    probabilities, the weighted sum s of the scores of its cases.
    """
    objective, weight = observed.objective, observed.weight
    if observed.groups is not None:
        sums = _cluster_scores(objective, theta, observed.groups)
        products = sums.T @ sums
        return products, products, products, len(sums)
    products = objective.score_products(theta)
    squared = None if weight is None else weight * weight
    weighted = products if weight is None else objective.score_products(theta, squared)
    return products, weighted, None, None


def _cluster_scores(objective: UtilityObjective, theta: np.ndarray, groups: np.ndarray) -> Any:
    """s_c = sum of w_n g_n over the cases of cluster c, for clusters of positive weight."""
    n_groups = int(groups.max()) + 1
    sums = np.zeros((n_groups, objective.n_parameters))
    weight = objective.choices.weight
    for cases, scores in objective.scores(theta):
        if weight is not None:
            scores *= weight[cases, None]
        for k in range(objective.n_parameters):
            sums[:, k] += np.bincount(groups[cases], weights=scores[:, k], minlength=n_groups)
    if weight is None:
        return sums
    return sums[np.bincount(groups, weights=weight, minlength=n_groups) > 0]
