"""Does the maximum exist, and is it unique? What goes wrong in maximum likelihood, and its names.

Separation: along some direction every row's loss decreases for ever. Rank deficiency: along some
direction nothing changes at all.
"""

import math

import numpy as np
from scipy.linalg import lapack, qr

# A Newton step that would still change a logit by this much where the gradient has vanished:
# the curvature has vanished too, as it does along a direction of recession only.
_RECESSION = 0.1
# The share of that change by which a row's own class may fall behind: what is left of the
# directions in which the optimum is finite.
_LOSING = 0.05


def is_unbounded_problem(objective) -> bool:
    """Can the objective lack a minimum? Only without any penalty, and with targets of 0 and 1."""
    rows = objective.rows
    free = objective.penalty.alpha == 0 and rows.logit_l2 == 0 and rows.label_smoothing == 0
    return free and objective.has_hard_targets()


def separation_bound(objective):
    """A mean loss below this proves separation: every row's loss is then below log 2, so every
    row gives its own class more than half, and scaling the coefficients up lowers every loss.
    With offsets, which do not scale, it proves nothing; nor where no row has a choice. (One bound
    for each function that the objective consists of.)"""
    smallest = objective.smallest_weight()
    if not is_unbounded_problem(objective) or objective.rows.offset is not None:
        return np.full(np.shape(smallest), -math.inf)
    return math.log(2) * smallest / objective.weight_sum


def constant_classes(objective) -> np.ndarray:
    """For each class of one-vs-rest: does its problem know one answer only (or none), and its
    intercept, which has no penalty, run to infinity?"""
    rows = objective.rows
    bounded = rows.logit_l2 > 0 or rows.label_smoothing > 0
    if bounded or not (objective.fit_intercept or objective.penalty.alpha == 0):
        return np.zeros(objective.n_outputs, dtype=bool)
    return ~objective.knows_both_sides()


def recedes(objective, newton_direction, point) -> np.ndarray:
    """Is the point on its way to infinity, though its gradient is small? (An array of answers, if
    the objective consists of several functions.)

    1. Where no row's own class loses by a step along the parameters themselves, every loss
       decreases along them for ever (offsets, which do not scale, left aside).
    2. Newton's direction would still change a logit much. An offset may make the curvature vanish
       all the same: with one, no row's own class may lose by that step either.
    """
    largest, smallest_gain = objective.logit_changes(point.theta)
    forever = np.logical_and(largest > 0, smallest_gain >= 0)
    if forever.all():
        return forever
    largest, smallest_gain = objective.logit_changes(newton_direction(point))
    certain = objective.rows.offset is None or smallest_gain > -_LOSING * largest
    return forever | np.logical_and(largest > _RECESSION, certain)


def absent_classes(objective) -> np.ndarray:
    """Classes without weight: their intercept, which has no penalty, runs to minus infinity (and
    without any penalty all their coefficients do)."""
    rows = objective.rows
    bounded = rows.logit_l2 > 0 or rows.label_smoothing > 0
    if bounded or not (objective.fit_intercept or objective.penalty.alpha == 0):
        return np.empty(0, dtype=np.intp)
    return np.flatnonzero(objective.class_shares() == 0)


def dependent_columns(objective, gram) -> np.ndarray:
    """Columns that are linear combinations of others (or constant), where no penalty chooses
    between their coefficients: pivoted Cholesky of the correlations; what it leaves below the
    rounding of a Gram matrix is dependent."""
    if objective.penalty.alpha > 0 or gram is None:
        return np.empty(0, dtype=np.intp)
    d = objective.n_features
    covariance = gram[:d, :d]
    variance = np.diag(covariance)  # 0 for constant columns
    scale = 1.0 / np.sqrt(np.where(variance > 0, variance, 1.0))
    rounding = np.finfo(float).eps * (d + math.sqrt(objective.n_samples))
    # Entries are rounded in their own type, relative to their size and not to their spread.
    eps = np.finfo(objective.dtype).eps
    size = np.sqrt(variance + objective.means**2)
    tolerance = np.maximum(20 * rounding, (10 * eps * size * scale) ** 2)
    return dependent(covariance * scale[:, None] * scale, tolerance, rounding)


def dependent(correlation, tolerance, rounding) -> np.ndarray:
    """Positions of which pivoted Cholesky leaves no more than the tolerance."""
    if len(correlation) == 0:
        return np.empty(0, dtype=np.intp)
    factor, pivots, rank, _ = lapack.dpstrf(correlation, lower=1, tol=rounding)
    left = np.zeros(len(correlation))
    left[pivots[:rank] - 1] = np.diag(factor)[:rank] ** 2
    return np.flatnonzero(left <= tolerance)


def embed_smallest_norm(objective, gram, dependent, theta_kept) -> np.ndarray:
    """From parameters of the independent columns to all: same logits, smallest |W|.

    X_dependent = X_kept B, with B from the Gram matrix, so the rows of N' = (-B', I) (in the
    order of the columns) span the null space of X: any W may be projected off it.
    """
    d = objective.n_features
    kept = np.setdiff1d(np.arange(d), dependent)
    theta = objective.zeros()
    theta[:, kept] = theta_kept[:, : len(kept)]
    theta[:, d:] = theta_kept[:, max(1, len(kept)) :]  # no column kept: one of zeros stood in
    scale = 1.0 / np.sqrt(np.where(np.diag(gram)[:d] > 0, np.diag(gram)[:d], 1.0))
    correlation = gram[:d, :d] * scale[:, None] * scale
    np.fill_diagonal(correlation, 1.0)  # also of constant columns
    null = np.zeros((d, len(dependent)))
    null[dependent, np.arange(len(dependent))] = scale[dependent]
    null[kept] = -scale[kept, None] * np.linalg.solve(
        correlation[np.ix_(kept, kept)], correlation[np.ix_(kept, dependent)]
    )
    basis, _ = qr(null, mode="economic")
    theta[:, :d] -= (theta[:, :d] @ basis) @ basis.T
    return theta
