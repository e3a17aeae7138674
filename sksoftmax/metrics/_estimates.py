"""Means with intervals, differences between groups, and p-values adjusted for their number."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

from sksoftmax._estimator import check_number


class Estimate(NamedTuple):
    """A number and its confidence interval; NaN where there is none.

    Parameters
    ----------
    value : float
        The estimate.
    low, high : float
        Limits of its interval.

    Examples
    --------
    >>> from sksoftmax.metrics import calibration_report
    >>> report = calibration_report([0, 1, 1, 0], [0.2, 0.7, 0.6, 0.4])
    >>> value, low, high = report["nll"]
    >>> print(f"{value:.2f}, between {low:.2f} and {high:.2f}")
    0.40, between 0.26 and 0.54
    """

    value: float
    low: float = np.nan
    high: float = np.nan


NONE = Estimate(np.nan)


def clipped(estimate: Estimate, lowest: float, highest: float) -> Estimate:
    """The estimate with its interval within what is possible."""
    low, high = np.clip([estimate.low, estimate.high], lowest, highest).tolist()
    return Estimate(estimate.value, low, high)


def check_confidence_level(level: Any) -> float:
    """Return the number of standard deviations that the level stands for: 1.96 for 0.95."""
    level = check_number(
        level, "confidence_level", "a number above 0 and below 1", above=0, below=1
    )
    return float(ndtri(0.5 + level / 2))


def effective_size(weight: np.ndarray | None, n: int) -> float:
    """(sum w)^2 / sum w^2, the number of equal weights with the same variance of a mean (Kish)."""
    return float(n) if weight is None else float(weight.sum() ** 2 / (weight @ weight))


def mean_estimate(values: np.ndarray, weight: np.ndarray | None, z: float) -> Estimate:
    r"""The weighted mean and :math:`\pm z` standard errors.

    .. math:: s^2 = \frac{\sum_i w_i^2 (x_i - \bar x)^2}{(\sum_i w_i)^2} \cdot \frac{n}{n - 1}

    with the effective number of rows for n; for equal weights :math:`sd / \sqrt n`.
    """
    mean = float(np.average(values, weights=weight))
    size = effective_size(weight, len(values))
    if not np.isfinite(mean) or size <= 1 + 1e-9:
        return Estimate(mean)
    share = 1 / len(values) if weight is None else weight / weight.sum()
    distance = share * (values - mean)
    error = float(np.sqrt((distance @ distance) * size / (size - 1)))
    return Estimate(mean, mean - z * error, mean + z * error)


def share_estimate(hits: np.ndarray, weight: np.ndarray | None, z: float) -> Estimate:
    """The weighted share of True and its Wilson interval, with the effective number of rows."""
    share = float(np.average(hits, weights=weight))
    return Estimate(share, *wilson(share, effective_size(weight, len(hits)), z))


def wilson(share: Any, n: Any, z: float) -> tuple[Any, Any]:
    """Wilson's score interval (1927) for a share of n rows; of arrays, each."""
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    low = np.where(np.asarray(share) <= 0, 0.0, np.maximum(middle - half, 0.0))
    high = np.where(np.asarray(share) >= 1, 1.0, np.minimum(middle + half, 1.0))
    return (low, high) if np.ndim(share) else (float(low), float(high))


def difference(one: Estimate, other: Estimate) -> Estimate:
    """one - other of independent estimates, with the interval that their intervals imply.

    The distances from the values to their limits are added in quadrature (MOVER, Zou and Donner
    2008). For means it is Welch's interval, for shares with Wilson's it is Newcombe's (1998).
    """
    value = one.value - other.value
    if not np.isfinite(value):
        return NONE
    down = np.hypot(max(0.0, one.value - one.low), max(0.0, other.high - other.value))
    up = np.hypot(max(0.0, one.high - one.value), max(0.0, other.value - other.low))
    return Estimate(value, value - down, value + up)


def two_sided(z_score: Any) -> float:
    """The p-value of a standard normal statistic; NaN stays NaN."""
    return float(2 * ndtr(-abs(z_score)))


def standard_error(estimate: Estimate, z: float) -> float:
    """Half the width of a symmetric interval over z."""
    return (estimate.high - estimate.low) / (2 * z)


def mean_p_value(one: Estimate, other: Estimate, z: float) -> float:
    """Test of equal means (Welch's statistic, normal reference)."""
    error = np.hypot(standard_error(one, z), standard_error(other, z))
    return _p_value(one.value - other.value, float(error))


def share_p_value(one: float, n_one: float, other: float, n_other: float) -> float:
    """Score test of equal shares: the variance is that of the pooled share."""
    pooled = (one * n_one + other * n_other) / (n_one + n_other)
    error = np.sqrt(max(0.0, pooled * (1 - pooled)) * (1 / n_one + 1 / n_other))
    return _p_value(one - other, float(error))


def _p_value(distance: float, error: float) -> float:
    if error > 0:
        return two_sided(distance / error)
    return 1.0 if distance == 0 else np.nan  # nothing varies: no test, unless nothing differs


def benjamini_hochberg(p_values: np.ndarray) -> np.ndarray:
    """Adjusted p-values: those at most q have a false discovery rate of q (1995); NaN is no test.

    1. the k-th smallest of m becomes p m / k; 2. no larger than those of the larger ones.
    """
    adjusted = np.full(len(p_values), np.nan)
    tests = np.flatnonzero(~np.isnan(p_values))
    order = tests[np.argsort(p_values[tests], kind="stable")]
    scaled = p_values[order] * len(order) / np.arange(1, len(order) + 1)  # 1
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1)  # 2
    return adjusted
