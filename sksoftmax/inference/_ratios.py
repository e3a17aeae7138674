"""Ratios of two coefficients, willingness to pay among them, with three kinds of interval."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from math import nan
from typing import Any

import numpy as np
from scipy.special import ndtri
from sklearn.utils import check_random_state

from sksoftmax._estimator import check_choice, check_integer, check_number
from sksoftmax.inference._covariance import Covariance
from sksoftmax.inference._estimate import Estimate
from sksoftmax.inference._warnings import warn, warn_of_penalty

METHODS = ("delta", "krinsky-robb", "fieller")
# Below this many standard errors from zero a denominator makes the ratio's distribution far from
# normal, and its mean does not exist.
_LEAST_Z = 3.0


@dataclass(frozen=True)
class Ratio:
    """A ratio of coefficients and its confidence set.

    Parameters
    ----------
    value : float
        The ratio of the estimates.
    standard_error : float
        By the delta method, whatever the interval; it means little where the denominator is not
        far from zero.
    low, high : float
        Limits of the interval.
    shape : {"interval", "complement", "line"}
        "interval": from `low` to `high`. Fieller's set may also be everything but what is between
        them ("complement"), or all numbers ("line", limits infinite): then the data do not bound
        the ratio at this level.
    method : {"delta", "krinsky-robb", "fieller"}
        How the interval was made.
    confidence_level : float
        Of the interval.
    median : float
        Of the simulated ratios; NaN for other methods.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax import MultinomialLogit
    >>> X, y = load_iris(return_X_y=True)
    >>> results = MultinomialLogit(C=float("inf")).infer(X[50:, :2], y[50:])
    >>> results.ratio("2:x1", "2:x0", method="fieller")
    0.2127 (standard error 0.482; 95 % fieller interval -0.5903 to 1.762)
    """

    value: float
    standard_error: float
    low: float
    high: float
    shape: str
    method: str
    confidence_level: float
    median: float = nan

    def __neg__(self) -> Ratio:
        """The ratio with the other sign; its limits change places."""
        return replace(self, value=-self.value, low=-self.high, high=-self.low, median=-self.median)

    def __repr__(self) -> str:
        level, v = f"{100 * self.confidence_level:.4g} %", self.value
        median = "" if math.isnan(self.median) else f"median {self.median:.4g}, "
        text = f"{v:.4g} ({median}standard error {self.standard_error:.3g}; {level} {self.method}"
        if self.shape == "line":
            return f"{text} set: all numbers)"
        if self.shape == "complement":
            return f"{text} set: up to {self.low:.4g} and from {self.high:.4g})"
        return f"{text} interval {self.low:.4g} to {self.high:.4g})"


def ratio(
    estimate: Estimate,
    covariance: Covariance,
    numerator: str,
    denominator: str,
    *,
    method: str,
    confidence_level: float,
    n_draws: int,
    random_state: Any,
) -> Ratio:
    """numerator / denominator, with the interval of a method."""
    warn_of_penalty(estimate)
    check_choice(method, "method", METHODS)
    accepted = "a number above 0 and below 1"
    level = check_number(confidence_level, "confidence_level", accepted, above=0, below=1)
    pair = [position_of(estimate, numerator), position_of(estimate, denominator)]
    for name, j in zip((numerator, denominator), pair, strict=True):
        if not covariance.is_estimable[j]:
            raise ValueError(f"{name!r}: the data do not determine this parameter.")
    a, b = estimate.params[pair].tolist()
    if b == 0:
        raise ValueError(f"{denominator!r} is 0: there is no ratio.")
    variance = covariance.matrix[np.ix_(pair, pair)]
    _warn_of_small_denominator(denominator, b, variance[1, 1])
    slope = np.array([1 / b, -a / b**2])
    error = math.sqrt(max(float(slope @ variance @ slope), 0.0))
    quantile = float(ndtri(0.5 + level / 2))
    low, high, shape, median = a / b - quantile * error, a / b + quantile * error, "interval", nan
    if method == "fieller":
        low, high, shape = fieller(a, b, variance, quantile)
    elif method == "krinsky-robb":
        n_draws = check_integer(n_draws, "n_draws", "an integer >= 100", at_least=100)
        median, low, high = krinsky_robb(a, b, variance, level, n_draws, random_state)
    return Ratio(a / b, error, low, high, shape, method, level, median)


def position_of(estimate: Estimate, name: Any) -> int:
    """Where a parameter stands."""
    if name not in estimate.names:
        known = ", ".join(estimate.names)
        raise ValueError(f"There is no parameter {name!r}; parameters are {known}.")
    return estimate.names.index(name)


def _warn_of_small_denominator(name: str, value: float, variance: float) -> None:
    if variance > 0 and abs(value) < _LEAST_Z * math.sqrt(variance):
        z = value / math.sqrt(variance)
        warn(
            f"{name!r} is only {abs(z):.2f} standard errors away from 0: the ratio is far from "
            "normally distributed, and delta-method intervals are not to be trusted. "
            "Use method='fieller'."
        )


def krinsky_robb(
    a: float, b: float, variance: np.ndarray, level: float, n_draws: int, random_state: Any
) -> tuple[float, float, float]:
    """Median and quantiles of the ratio of normal draws (Krinsky and Robb, 1986).

    No mean and no variance: those of a ratio of normals do not exist.
    """
    random = check_random_state(random_state)
    values, vectors = np.linalg.eigh(variance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    draws = random.standard_normal((n_draws, 2)) @ root.T + [a, b]
    tails = [0.5, 0.5 - level / 2, 0.5 + level / 2]
    median, low, high = np.quantile(draws[:, 0] / draws[:, 1], tails).tolist()
    return median, low, high


def fieller(a: float, b: float, variance: np.ndarray, quantile: float) -> tuple[float, float, str]:
    """All r that a test of a - r b = 0 does not reject (Fieller, 1954).

    (a - r b)^2 <= c (v_aa - 2 r v_ab + r^2 v_bb), c the squared quantile, is the quadratic
    A r^2 - 2 B r + C <= 0 with A = b^2 - c v_bb, B = a b - c v_ab, C = a^2 - c v_aa: an interval
    if A > 0 (b differs from 0); else, its discriminant being positive, all but an interval, or
    all numbers.
    """
    c = quantile**2
    A, B, C = b * b - c * variance[1, 1], a * b - c * variance[0, 1], a * a - c * variance[0, 0]
    discriminant = B * B - A * C
    if A > 0:
        half = math.sqrt(max(discriminant, 0.0))  # not negative: r = a / b solves the inequality
        return (B - half) / A, (B + half) / A, "interval"
    if A < 0 and discriminant > 0:
        half = math.sqrt(discriminant)
        return (B + half) / A, (B - half) / A, "complement"
    return -math.inf, math.inf, "line"
