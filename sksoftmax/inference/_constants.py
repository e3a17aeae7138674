"""The log-likelihood of constants alone, on the choice sets that there were."""

from __future__ import annotations

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sksoftmax import _kernel

_MAX_ITER = 200
_MOST_COUNTED = 12  # alternatives whose choice sets are few enough to be counted in a table


def constants_loglik(
    chosen: np.ndarray,
    available: np.ndarray | None,
    weight: np.ndarray | None,
    *,
    n_alternatives: int,
) -> tuple[float, int]:
    r"""Maximize sum_i w_i log p_i over one constant per alternative, by Newton's method.

    Where all cases have all alternatives the maximum is :math:`\sum_j n_j \log(n_j / n)`;
    elsewhere that formula, which some programs use all the same, is wrong.

    Parameters
    ----------
    chosen : int ndarray of shape (n_cases,)
        Positions of the chosen alternatives.
    available : bool ndarray of shape (n_cases, n_alternatives), or None for all True
    weight : ndarray of shape (n_cases,), or None for all 1
    n_alternatives : int

    Returns
    -------
    loglik : float
        In nats.
    n_constants : int
        Constants that the data determine: alternatives that somebody chose, less one for each
        group of alternatives that occur in choice sets together. An alternative that nobody chose
        has its constant at minus infinity.
    """
    sets, counts = _tabulate(chosen, available, weight, n_alternatives)
    somebody_chose = counts.sum(axis=0) > 0
    sets, counts = np.ascontiguousarray(sets[:, somebody_chose]), counts[:, somebody_chose]
    n_groups, group = _groups_that_meet(sets)
    _, base = np.unique(group, return_index=True)
    free = np.setdiff1d(np.arange(len(group)), base)
    constants = np.log(counts.sum(axis=0))
    constants -= constants[base][group]
    return _maximize(constants, free, sets, counts), len(group) - n_groups


def _tabulate(chosen, available, weight, n_alternatives) -> tuple[np.ndarray, np.ndarray]:
    """The distinct choice sets, bool (n_sets, J), and the weight of each choice from each."""
    if available is None:
        available = np.ones((1, n_alternatives), dtype=bool)
        sets, of_case = available, np.zeros(len(chosen), dtype=np.intp)
    else:
        of_case, first = _number_sets(available)
        sets = available[first]
    entry = of_case * n_alternatives + chosen
    counts = np.bincount(entry, weights=weight, minlength=sets.size).reshape(sets.shape)
    seen = counts.any(axis=1)
    return sets[seen], counts[seen].astype(np.float64)


def _number_sets(available: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The number of each case's choice set, and a case that has each."""
    n_alternatives = available.shape[1]
    if n_alternatives > _MOST_COUNTED:
        packed = np.packbits(available, axis=1)
        _, first, of_case = np.unique(packed, axis=0, return_index=True, return_inverse=True)
        return of_case.reshape(-1), first
    codes = available @ (1 << np.arange(n_alternatives))  # few enough to count without sorting
    first = np.full(1 << n_alternatives, -1)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    occurs = first >= 0
    return (np.cumsum(occurs) - 1)[codes], first[occurs]


def _groups_that_meet(sets: np.ndarray) -> tuple[int, np.ndarray]:
    """Alternatives whose constants can be compared: the number of groups and the group of each."""
    n_sets, n_alternatives = sets.shape
    if sets.all(axis=1).any():
        return 1, np.zeros(n_alternatives, dtype=np.intp)
    of_set, alternative = (index.astype(np.int32) for index in np.nonzero(sets))  # SciPy < 1.13
    size = n_sets + n_alternatives
    edges = coo_array((np.ones(len(of_set)), (of_set, n_sets + alternative)), shape=(size, size))
    n_groups, group = connected_components(edges, directed=False)
    return n_groups, group[n_sets:]


def _maximize(constants, free, sets, counts) -> float:
    """Newton's method with halved steps; it starts at the maximum if all sets are alike.

    A constant without a finite value (an alternative always chosen where it meets another) runs
    on until its gain is below rounding, which is the limit that is asked for.
    """
    totals = counts.sum(axis=1)
    loglik, proba = _evaluate(constants, sets, counts)
    for _ in range(_MAX_ITER):
        gradient = (counts.sum(axis=0) - totals @ proba)[free]
        step = _newton_step(gradient, proba[:, free], totals)
        gain = float(gradient @ step)
        if gain <= 1e-14 * (1.0 + abs(loglik)):
            break
        size = 1.0
        while size > 1e-10:
            trial = constants.copy()
            trial[free] += size * step
            value, proba_there = _evaluate(trial, sets, counts)
            if value >= loglik + 1e-4 * size * gain:
                break
            size /= 2
        else:
            break  # rounding hides any further gain
        constants, loglik, proba = trial, value, proba_there
    return loglik


def _evaluate(constants, sets, counts) -> tuple[float, np.ndarray]:
    logits = np.ascontiguousarray(np.broadcast_to(constants, sets.shape))
    log_proba = _kernel.log_softmax(logits, mask=sets, n_threads=1)
    chosen = counts > 0
    return float(counts[chosen] @ log_proba[chosen]), np.exp(log_proba)


def _newton_step(gradient, proba, totals) -> np.ndarray:
    if gradient.size == 0:  # no constant is free; SciPy < 1.13 does not solve for nothing
        return gradient
    curvature = np.diag(totals @ proba) - (proba.T * totals) @ proba
    scale = np.maximum(np.diag(curvature), np.finfo(float).tiny)
    for jitter in (0.0, 1e-10, 1e-6, 1e-2):
        try:
            factor = cho_factor(curvature + np.diag(jitter * scale), lower=True)
            return cho_solve(factor, gradient)
        except LinAlgError:
            continue
    return gradient / scale
