"""The one temperature that makes logits fit labels best: a convex problem in one dimension.

With logits z, labels y, weights w and an inverse temperature b = 1 / T, rows shifted to
u = z - max z <= 0, and t = u at the label::

    f(b)   = sum_i w_i (log sum_k exp(b u_ik) - b t_i)
    f'(b)  = sum_i w_i (E_p u - t)         f''(b) = sum_i w_i Var_p u >= 0

The kernel (native/temperature.h) takes the three sums in one pass, and b = 0 in a survey.

1. f'(0) >= 0: the logits say nothing about the labels, or the opposite; b = 0, T = inf.
2. f' = M(0) - M(b) + f'(0) has one root elsewhere: M(b) = -sum w E_p u falls to the goal
   tau = -sum w t. If t = 0 in every row, the label's logit is the largest everywhere and f falls
   for ever; the labels are smoothed by 1 / (sum w + n_classes), spread over the available classes,
   and the goal is that share of M(0).
3. M falls exponentially where classes are well apart, like 1 / b^2 close to separation (where the
   rows decide that have two nearly equal logits), between them where scales are mixed. A Newton
   step for M^-r is exact for M = (1 + c b)^(-1/r), and in the limit r = 0, Newton's method on
   log M, for an exponential. r is the slope of -M / M' in b, of which two passes tell two values
   (the survey at b = 0 is the first pass); the bracket of the signs of f' is the safeguard.
4. The start solves a smaller problem with the same goal: a part of many rows, of few rows the two
   largest logits alone. So the scale of the logits enters nowhere else.

With the survey 3 to 6 passes, near separation too; seldom 8.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from sksoftmax._kernel import RowError, effective_n_threads
from sksoftmax._solvers import _core

Status = Literal["converged", "uninformative", "separable"]

_NORMAL_975 = 1.959963984540054  # 97.5 % of a standard normal distribution
# The error of b after a step is below the square of the step, relative to b.
_LAST_STEP = 3e-7
_MOST_PASSES = 100
# From twice as many rows on, a part of about so many gives the start: a pass costs that much less.
_ROWS_OF_PART = 4096
# Rows of which the two largest logits are looked at.
_ROWS_OF_PAIRS = 1024
# Squares of gaps between logits, and their sums, neither overflow nor vanish.
_SAFE_SCALE = (1e-100, 1e100)


@dataclass(frozen=True)
class TemperatureFit:
    """The temperature of `fit_temperature` and what is known about it.

    Attributes
    ----------
    temperature : float
        The minimiser of the loss, positive; inf if `status` is "uninformative".
    status : {"converged", "uninformative", "separable"}
        "uninformative": the loss has its minimum at T = inf (b = 0), or would have it at a negative
        temperature. "separable": no row's label is behind another class, so the loss falls as
        T -> 0, and the temperature is the one for smoothed labels.
    interval : (float, float)
        95 % for the temperature, by the sandwich variance of log T; NaN unless "converged". A
        weight of 2 counts twice in the loss, yet as one observation here.
    loss : float
        Mean loss at the temperature, in nats, of the labels as they are (not smoothed).
    loss_at_one : float
        Mean loss at T = 1.
    slope, curvature : float
        First and second derivative of the summed loss in 1 / T, at the temperature.
    n_iter : int
        Passes over all logits.
    """

    temperature: float
    status: Status
    interval: tuple[float, float]
    loss: float
    loss_at_one: float
    slope: float
    curvature: float
    n_iter: int


class _Sums(NamedTuple):
    """What a pass adds up over the rows."""

    loss: float
    slope: float
    curvature: float
    slope_square: float


def fit_temperature(
    logits: np.ndarray,
    target: np.ndarray,
    *,
    sample_weight: np.ndarray | None = None,
    n_threads: int | None = None,
) -> TemperatureFit:
    """Return the temperature that minimises the weighted mean log-loss of softmax(logits / T).

    Parameters
    ----------
    logits : float32 or float64 array of shape (n_samples, n_classes), C-contiguous
        -inf where a class is not available. Sums are taken in float64.
    target : int64 array of shape (n_samples,)
        The column of each row's label.
    sample_weight : float64 array of shape (n_samples,), optional
        Non-negative, not all zero.
    n_threads : int, optional
        The result does not depend on it.

    Raises
    ------
    RowError
        A row holds NaN or +inf, has no available class, or its label is not available.
    """
    problem = TemperatureProblem(logits, target, sample_weight, n_threads)
    return replace(problem.solve(), loss_at_one=problem.loss(1.0))


class TemperatureProblem:
    """Logits, labels and weights, surveyed once: what the solver passes over."""

    def __init__(self, logits, target, sample_weight=None, n_threads=None):
        _check(logits, target, sample_weight)
        self.logits, self.target = np.ascontiguousarray(logits), np.ascontiguousarray(target)
        self.n_threads = effective_n_threads(n_threads)
        self.factor, self.weight = 1.0, None
        self.weight_sum = self.scaled_weight_sum = float(len(target))
        if sample_weight is not None:
            exponent = np.frexp(sample_weight.max())[1]
            self.weight = np.ldexp(sample_weight, -exponent)
            self.scaled_weight_sum = float(self.weight.sum())
            with np.errstate(over="ignore"):
                total = np.ldexp(self.scaled_weight_sum, exponent)
            self.weight_sum = min(float(total), sys.float_info.max)
        self.row_maximum, self.row_target = np.empty((2, len(target)))
        self.n_passes = 0
        self._survey_in_a_safe_scale()

    # --- passes ---

    def _survey(self) -> None:
        """The sums at b = 0, maximum and target of each row, and tau = -sum w t."""
        self.at_zero = self._run(_core.temperature_survey, target=self.target)
        counted = slice(None) if self.weight is None else self.weight > 0  # 0 * inf is no number
        weight = 1.0 if self.weight is None else self.weight[counted]
        self.tau = -float(np.sum(weight * self.row_target[counted]))

    def sums(self, b: float) -> _Sums:
        """The sums at an inverse temperature b > 0 (of the logits times `factor`)."""
        return self._run(_core.temperature_pass, inverse_temperature=b)

    def _run(self, run, **arguments) -> _Sums:
        self.n_passes += 1
        return _Sums(
            *run(
                logits=self.logits.reshape(-1),
                n_classes=self.logits.shape[1],
                weight=self.weight,
                factor=self.factor,
                row_maximum=self.row_maximum,
                row_target=self.row_target,
                n_threads=self.n_threads,
                **arguments,
            )
        )

    def loss(self, temperature: float) -> float:
        """Mean loss in nats at a positive, finite temperature."""
        return self.sums(1.0 / (temperature * self.factor)).loss / self.scaled_weight_sum

    # --- the solver ---

    def solve(self) -> TemperatureFit:
        """The steps of the module docstring."""
        if self.at_zero.slope >= -8 * np.finfo(float).eps * self.tau:  # 1
            return self._report(0.0, self.at_zero, "uninformative")
        if self.tau > 0:
            return self._report(*self._descend(self.tau), "converged")
        share = max(1.0 / (self.weight_sum + self.logits.shape[1]), np.finfo(float).eps)  # 2
        return self._report(*self._descend(share * self.falling(self.at_zero)), "separable")

    def falling(self, sums: _Sums) -> float:
        """M(b), from the sums at b."""
        return self.tau - sums.slope

    def _descend(self, goal: float) -> tuple[float, _Sums]:
        """The b where M(b) = goal < M(0), and the sums there, to second order in the last step."""
        b, low, high = self._start(goal), 0.0, math.inf
        before, ratio_before = 0.0, self.falling(self.at_zero) / self.at_zero.curvature
        for _ in range(_MOST_PASSES):
            sums = self.sums(b)
            falling = self.falling(sums)
            if falling > goal:
                low = b
            else:
                high = b
            step = newton = math.nan
            if falling > 0 and sums.curvature > 0:
                ratio = falling / sums.curvature
                newton = math.log(falling / goal) * ratio
                step = _power_step(newton, ratio, (ratio - ratio_before) / (b - before))
                before, ratio_before = b, ratio
            if abs(step) <= _LAST_STEP * b:
                break
            b = _safeguarded(b, step, newton, low, high)
        loss = sums.loss + step * (sums.slope + step * sums.curvature / 2)
        return b + step, sums._replace(loss=loss, slope=sums.slope + step * sums.curvature)

    def _start(self, goal: float) -> float:
        """Solve a smaller problem: a part of many rows, or the two largest logits of few."""
        part = self._part()
        if part is not None:
            unit = part.factor / self.factor
            goal_of_part = goal / self.scaled_weight_sum * part.scaled_weight_sum * unit
            if 0 < goal_of_part < part.falling(part.at_zero):
                return part._descend(goal_of_part)[0] * unit
        b = _root_of_pairs(*self._pairs(), goal / self.scaled_weight_sum)
        if b is None:  # Newton's step on log M from b = 0
            M, curvature = self.falling(self.at_zero), self.at_zero.curvature
            b = math.log(M / goal) * M / curvature
        return b

    def _part(self) -> TemperatureProblem | None:
        """Every k-th row, some thousands of them, if there are many."""
        every = len(self.target) // _ROWS_OF_PART
        rows = slice(None, None, every or None)
        weight = None if self.weight is None else self.weight[rows]
        if every < 2 or (weight is not None and not weight.any()):
            return None
        return TemperatureProblem(self.logits[rows], self.target[rows], weight, self.n_threads)

    def _pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Gaps between the two largest logits of some rows, and their share of the weight."""
        chosen = slice(None, None, max(1, len(self.target) // _ROWS_OF_PAIRS))
        rows = self.logits[chosen].astype(np.float64, copy=False)
        weight = np.ones(len(rows)) if self.weight is None else self.weight[chosen]
        with np.errstate(invalid="ignore"):  # -inf - -inf: one class available
            largest = np.partition(rows, -2, axis=1)[:, -2:] * self.factor
            gaps = largest[:, 1] - largest[:, 0]
        counted = np.isfinite(gaps) & (gaps > 0) & (weight > 0)
        return gaps[counted], weight[counted] / (weight.sum() or 1.0)

    def _report(self, b: float, sums: _Sums, status: Status) -> TemperatureFit:
        interval = (math.nan, math.nan)
        temperature = math.inf if b == 0 else 1.0 / b / self.factor
        rescale = self.weight_sum / self.scaled_weight_sum
        if status == "converged":
            error = math.sqrt(sums.slope_square) / (sums.curvature * b)  # of log T
            factor = math.exp(min(_NORMAL_975 * error, 700.0))
            interval = (temperature / factor, temperature * factor)
        return TemperatureFit(
            temperature=temperature,
            status=status,
            interval=interval,
            loss=sums.loss / self.scaled_weight_sum,
            loss_at_one=math.nan,
            slope=sums.slope / self.factor * rescale,
            curvature=sums.curvature / self.factor / self.factor * rescale,
            n_iter=self.n_passes,
        )

    # --- rows that are wrong, and scales that overflow ---

    def _survey_in_a_safe_scale(self) -> None:
        self._survey()
        self._refuse_bad_rows()
        spread = self._spread()
        if spread == 0 or _SAFE_SCALE[0] < spread < _SAFE_SCALE[1]:
            return
        # Squares overflow or vanish: an exact power of two brings the typical gap to the runner-up
        # near 1, and what is 1e100 times lower has probability 0 at any temperature that matters.
        logits = self.logits.astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            gaps = logits.max(axis=1, keepdims=True) - logits
        smallest = np.min(gaps, axis=1, where=gaps > 0, initial=np.inf)
        typical = np.median(smallest[np.isfinite(smallest)])
        logits[gaps / 1e100 > typical] = -np.inf
        exponent = min(-int(np.frexp(typical)[1]), 1023)  # of subnormal gaps: as near as floats go
        self.logits, self.factor = logits, 2.0**exponent
        self._survey()
        self._refuse_bad_rows()

    def _spread(self) -> float:
        """Root mean square gap between logits; inf where it overflows."""
        if not math.isfinite(self.at_zero.curvature):
            return math.inf
        spread = math.sqrt(self.at_zero.curvature / self.scaled_weight_sum)
        # 0: logits that are all tied, or squares that vanish
        return spread or float(np.finfo(float).tiny * (self.falling(self.at_zero) > 0))

    def _refuse_bad_rows(self) -> None:
        suspects = ~np.isfinite(self.row_maximum + self.row_target)
        for row in np.flatnonzero(suspects):
            logits, label = self.logits[row], self.logits[row, self.target[row]]
            if np.isnan(logits).any():
                raise RowError("logits", int(row), "has NaN")
            if (logits == np.inf).any():
                raise RowError("logits", int(row), "has +inf")
            if not (logits > -np.inf).any():
                raise RowError("logits", int(row), "has no available class: every logit is -inf")
            if label == -np.inf and (self.weight is None or self.weight[row] > 0):
                raise RowError(
                    "target", int(row), "is a class that is not available (its logit is -inf)"
                )


# --- steps ---


def _power_step(newton: float, ratio: float, r: float) -> float:
    """Newton's step for M^-r, 0 <= r <= 1, from that for log M."""
    r = min(max(r, 0.0), 1.0)
    exponent = r * newton / ratio
    if abs(exponent) < 1e-12:
        return newton
    return math.expm1(exponent) / r * ratio if exponent < 50 else math.inf


def _safeguarded(b: float, step: float, newton: float, low: float, high: float) -> float:
    """b + step if that is in the bracket; else Newton's step in log b; else the middle."""
    for following in (b + step, b * math.exp(min(max(newton / b, -10.0), 10.0))):
        if low < following < high:
            return following
    if low == 0:
        return high / 8
    return low * 8 if math.isinf(high) else math.sqrt(low) * math.sqrt(high)


def _root_of_pairs(gaps: np.ndarray, weight: np.ndarray, goal: float) -> float | None:
    """The b where rows of two classes that are `gaps` apart have M(b) = goal, to some per cent."""

    def excess(log_b: float) -> float:
        return float(weight @ (gaps * expit(-math.exp(log_b) * gaps))) / goal - 1

    if not len(gaps) or weight @ gaps <= 2 * goal:
        return None
    low = high = -math.log(np.median(gaps))
    while excess(high) > 0 and high < 700:
        high += 2
    while excess(low) < 0 and low > -700:
        low -= 2
    if excess(low) * excess(high) >= 0:
        return None
    return math.exp(brentq(excess, low, high, xtol=0.01, rtol=1e-8))


# --- the door ---


def _check(logits, target, sample_weight) -> None:
    if not (isinstance(logits, np.ndarray) and logits.dtype in (np.float32, np.float64)):
        raise TypeError("logits: expected a float32 or float64 array")
    if logits.ndim != 2 or logits.size == 0 or logits.shape[1] < 2:
        raise ValueError(f"logits: expected shape (n_samples, n_classes >= 2), got {logits.shape}")
    for name, array, kind in (
        ("target", target, np.int64),
        ("sample_weight", sample_weight, np.float64),
    ):
        if array is None and name == "sample_weight":
            continue
        if not (isinstance(array, np.ndarray) and array.dtype == kind):
            raise TypeError(f"{name}: expected a {np.dtype(kind)} array")
        if array.shape != logits.shape[:1]:
            raise ValueError(f"{name}: expected shape {logits.shape[:1]}, got {array.shape}")
    if sample_weight is not None:
        finite = np.isfinite(sample_weight).all() and sample_weight.min() >= 0
        if not (finite and sample_weight.any()):
            raise ValueError("sample_weight: must be finite, >= 0, and not all zero")
