"""Temperatures that minimise a score other than the log-loss: a bounded search around its optimum.

With p_top the largest probability of a row at temperature T (one pass of the kernel gives its
logarithm), u = z - max z, and t = u at the label::

    p_y           = exp(t / T) p_top(T)
    sum_k p_k^2   = p_top(T)^2 / p_top(T / 2)
    Brier score   = mean (sum_k p_k^2 - 2 p_y + 1)
    ECE           = sum over bins of |sum of w (p_top - hit)| / sum w

The Brier score is smooth in T, the ECE is not: it jumps wherever a row changes its bin.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize_scalar

from sksoftmax import _kernel

N_BINS = 15
_REACH = math.log(4.0)  # the search: between a quarter of the temperature and four times it
_N_POINTS = {"brier": 33, "ece": 129}


def search_temperature(
    objective, temperature, logits, target, sample_weight, n_threads
) -> tuple[float, str]:
    """Return the T in [temperature / 4, 4 temperature] with the smallest objective found.

    A grid in log T, then a bounded search between the neighbours of its best point (of equal ones
    that next to `temperature`). With it comes "converged", or "bounded" if T is at an end.
    """
    value = _objective(objective, logits, target, sample_weight, n_threads)
    center = math.log(temperature)
    grid = center + np.linspace(-_REACH, _REACH, _N_POINTS[objective])
    values = np.array([value(math.exp(log_t)) for log_t in grid])
    best = int(np.lexsort((np.abs(grid - center), values))[0])
    bounds = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    refined = minimize_scalar(
        lambda log_t: value(math.exp(log_t)),
        bounds=bounds,
        method="bounded",
        options={"xatol": 1e-9},
    )
    found = refined.x if refined.fun < values[best] else grid[best]
    at_an_end = abs(found - center) >= _REACH - 1e-6
    return math.exp(found), "bounded" if at_an_end else "converged"


def _objective(objective, logits, target, sample_weight, n_threads) -> Callable[[float], float]:
    logits = np.ascontiguousarray(logits, dtype=np.float64)
    rows = np.arange(len(target))
    top = logits.argmax(axis=1)
    t = logits[rows, target] - logits[rows, top]
    weight = np.ones(len(target))
    if sample_weight is not None:
        weight = sample_weight / sample_weight.max()  # their sum does not overflow
    total = weight.sum()

    def log_top(temperature: float) -> np.ndarray:
        return -_kernel.loss(logits, top, temperature=temperature, n_threads=n_threads)

    def brier(temperature: float) -> float:
        here, half = log_top(temperature), log_top(temperature / 2)
        row = np.exp(2 * here - half) - 2 * np.exp(t / temperature + here) + 1
        return float(weight @ row) / total

    hit = (top == target).astype(np.float64)

    def ece(temperature: float) -> float:
        confidence = np.exp(log_top(temperature))
        bins = np.clip(np.ceil(confidence * N_BINS) - 1, 0, N_BINS - 1).astype(np.intp)
        gaps = np.bincount(bins, weight * (confidence - hit), minlength=N_BINS)
        return float(np.abs(gaps).sum()) / total

    return brier if objective == "brier" else ece
