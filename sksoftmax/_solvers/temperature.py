"""The one temperature that makes logits fit labels best: a convex problem in one dimension.

With logits z, labels y, weights w and an inverse temperature b = 1 / T, rows shifted to
u = z - max z <= 0, and t = u at the label::

    f(b)   = sum_i w_i (log sum_k exp(b u_ik) - b t_i)
    f'(b)  = sum_i w_i (E_p u - t)         f''(b) = sum_i w_i Var_p u >= 0

The kernel (native/temperature.h) takes the three sums in one pass, and b = 0 in a survey.

1. f'(0) >= 0: the logits say nothing about the labels, or the opposite; b = 0, T = inf.
2. t = 0 in every row: the label's logit is the largest everywhere and f falls for ever; the labels
   are smoothed, by 1 / (sum w + n_classes) spread over the available classes, and then it does not.
3. Otherwise f' = M(0) - M(b) has one root, where M(b) = -sum w E_p u falls to tau = -sum w t.
   M falls like a power of b near 0 and exponentially far from it, so Newton's method on
   log M(b) = log tau converges from anywhere (5 passes, seldom 7), with the bracket of the signs
   of f' as its safeguard. The scale of the logits enters through the start alone: one over the
   median gap between the two largest logits of a row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from sksoftmax._kernel import RowError, effective_n_threads
from sksoftmax._solvers import _core

Status = Literal["converged", "uninformative", "separable"]

_NORMAL_975 = 1.959963984540054  # 97.5 % of a standard normal distribution
# The error of b after a step is about the square of the step, relative to b.
_LAST_STEP = 1e-7
_MOST_PASSES = 100
# From twice as many rows on, a part of about so many gives the start: a pass costs that much less.
_ROWS_OF_PART = 4096
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
        self.factor, self.weight, self.label_smoothing = 1.0, None, 0.0
        self.weight_sum = self.scaled_weight_sum = float(len(target))
        if sample_weight is not None:
            self.weight_sum = float(sample_weight.sum())
            self.weight = sample_weight / 2.0 ** np.frexp(sample_weight.max())[1]
            self.scaled_weight_sum = float(self.weight.sum())
        self.row_maximum, self.row_target = np.empty((2, len(target)))
        self.n_passes = 0
        self._survey_in_a_safe_scale()

    # --- passes ---

    def survey(self) -> _Sums:
        """The sums at b = 0; maximum and target of each row."""
        return self._run(
            _core.temperature_survey,
            target=self.target,
            label_smoothing=self.label_smoothing,
        )

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

    def solve(self, start: float | None = None) -> TemperatureFit:
        """The steps of the module docstring."""
        at_zero = self.at_zero
        tau = self._tau()
        if at_zero.slope >= -8 * np.finfo(float).eps * tau:  # 1
            return self._report(0.0, at_zero, "uninformative")
        if tau == 0:  # 2
            return self._solve_smoothed()
        b, sums = self._newton(self._start() if start is None else start, tau)  # 3
        return self._report(b, sums, "converged")

    def _solve_smoothed(self) -> TemperatureFit:
        n_classes = self.logits.shape[1]
        self.label_smoothing = max(1.0 / (self.weight_sum + n_classes), np.finfo(float).eps)
        self.survey()
        b, _ = self._newton(self._start(), self._tau())
        self.label_smoothing = 0.0
        self.survey()
        return self._report(b, self.sums(b), "separable")

    def _newton(self, b: float, tau: float) -> tuple[float, _Sums]:
        """The root of log M(b) - log tau; and the sums there, to second order in the last step."""
        low, high = 0.0, math.inf
        for _ in range(_MOST_PASSES):
            sums = self.sums(b)
            if sums.slope < 0:
                low = b
            else:
                high = b
            M = tau - sums.slope
            step = math.nan
            if M > 0 and sums.curvature > 0:
                step = math.log(M / tau) * M / sums.curvature
            if abs(step) <= _LAST_STEP * b:
                break
            b = b + step if low < b + step < high else _between(low, high)
        loss = sums.loss + step * (sums.slope + step * sums.curvature / 2)
        return b + step, sums._replace(loss=loss, slope=sums.slope + step * sums.curvature)

    def _start(self) -> float:
        """One over the median gap between the two largest logits; with many rows, the solution of
        a part of them."""
        n_samples = len(self.target)
        every = n_samples // _ROWS_OF_PART
        if every >= 2:
            part = slice(None, None, every)
            weight = None if self.weight is None else self.weight[part]
            if weight is None or weight.any():
                problem = TemperatureProblem(
                    self.logits[part], self.target[part], weight, self.n_threads
                )
                fit = problem.solve()
                if fit.status == "converged":
                    return 1.0 / (fit.temperature * self.factor)
        rows = self.logits[:: max(1, n_samples // 512)].astype(np.float64, copy=False)
        with np.errstate(invalid="ignore"):  # -inf - -inf: one class available
            largest = np.partition(rows, -2, axis=1)[:, -2:] * self.factor
            gaps = largest[:, 1] - largest[:, 0]
        gaps = gaps[np.isfinite(gaps) & (gaps > 0)]
        if len(gaps):
            return float(1.0 / np.median(gaps))
        return self.scaled_weight_sum / (self._tau() - self.at_zero.slope)

    def _tau(self) -> float:
        """-sum w t."""
        if self.weight is None:
            return -float(self.row_target.sum())
        counted = self.weight > 0  # 0 * inf is no number
        return -float(self.weight[counted] @ self.row_target[counted])

    def _report(self, b: float, sums: _Sums, status: Status) -> TemperatureFit:
        interval = (math.nan, math.nan)
        temperature = math.inf if b == 0 else 1.0 / (b * self.factor)
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
        self.at_zero = self.survey()
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
        self.logits, self.factor = logits, float(2.0 ** -np.frexp(typical)[1])
        self.at_zero = self.survey()
        self._refuse_bad_rows()

    def _spread(self) -> float:
        """Root mean square gap between logits; inf where it overflows."""
        if not math.isfinite(self.at_zero.curvature):
            return math.inf
        spread = math.sqrt(self.at_zero.curvature / self.scaled_weight_sum)
        # 0: logits that are all tied, or squares that vanish
        return spread or float(np.finfo(float).tiny * (self._tau() > self.at_zero.slope))

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


def _between(low: float, high: float) -> float:
    """A point inside the bracket, on the scale of logarithms."""
    if low == 0:
        return high / 8
    return low * 8 if math.isinf(high) else math.sqrt(low) * math.sqrt(high)


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
