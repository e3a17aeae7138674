"""What is measured of a group of rows, how it differs from the rest, and the tests of that."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import chdtrc

from sksoftmax._solvers.temperature import TemperatureFit, fit_temperature
from sksoftmax.metrics._bins import Binning, Cells, top_label_cells, top_label_sums
from sksoftmax.metrics._calibration_error import (
    calibration_error,
    error_interval,
    error_moments,
)
from sksoftmax.metrics._estimates import (
    NONE,
    Estimate,
    clipped,
    effective_size,
    mean_estimate,
    mean_p_value,
    share_estimate,
    share_p_value,
    two_sided,
)
from sksoftmax.metrics._groups import Grouping
from sksoftmax.metrics._predictions import Predictions

METRICS = ("accuracy", "confidence", "overconfidence", "nll", "entropy", "ece", "temperature")
Z95 = 1.959963984540054  # of the intervals that the temperature solver gives


class TemperatureTest(NamedTuple):
    """Likelihood-ratio test of one temperature for all groups of a division of the rows.

    Parameters
    ----------
    by : tuple of str
        Names of the group columns.
    temperature : float
        The common temperature.
    statistic : float
        Twice the log-likelihood that the groups gain from temperatures of their own.
    df : int
        Degrees of freedom: the number of groups that are large enough, less one.
    p_value : float
        Upper tail of the chi-squared distribution; NaN with fewer than two groups.

    Examples
    --------
    >>> from sksoftmax.metrics import subgroup_report
    >>> y, y_proba, groups = [0, 1] * 100, [0.3, 0.6] * 100, ["a", "a", "b", "b"] * 50
    >>> subgroup_report(y, y_proba, groups).temperature_tests[0].df
    1
    """

    by: tuple[str, ...]
    temperature: float
    statistic: float
    df: int
    p_value: float


class Measured(NamedTuple):
    """What was measured of some rows."""

    rows: np.ndarray
    size: float  # effective number of rows
    estimates: dict[str, Estimate]
    inverse: float  # 1 / T, and its standard error: NaN where there is none
    inverse_error: float


class Measurer:
    """Measures sets of rows of one set of predictions; what belongs to a row is computed once."""

    def __init__(self, predictions: Predictions, binning: Binning, z: float) -> None:
        self.predictions = predictions
        self.binning = binning
        self.z = z
        with np.errstate(divide="ignore"):  # log 0 = -inf: a class that is not available
            self.logits = np.log(predictions.proba)

    def weight(self, rows: np.ndarray) -> np.ndarray | None:
        """Weights of the rows, or None."""
        weight = self.predictions.weight
        return None if weight is None else weight[rows]

    def effective_size(self, rows: np.ndarray) -> float:
        """Number of rows, of which weights leave fewer."""
        return effective_size(self.weight(rows), len(rows))

    def measure(self, rows: np.ndarray) -> Measured:
        """Every metric of the rows (an array of indices) with its interval."""
        data, weight, z = self.predictions, self.weight(rows), self.z
        confidence, correct = data.confidence[rows], data.correct[rows]
        cells = top_label_cells(confidence, correct, weight, self.binning)
        debiased = calibration_error(cells, debias=True)
        temperature, *inverse = self._temperature(rows)
        infinity = float("inf")
        estimates = {
            "accuracy": share_estimate(correct, weight, z),
            "confidence": clipped(mean_estimate(confidence, weight, z), 0, 1),
            "overconfidence": clipped(mean_estimate(confidence - correct, weight, z), -1, 1),
            "nll": clipped(mean_estimate(data.log_loss[rows], weight, z), 0, infinity),
            "entropy": clipped(mean_estimate(data.entropy[rows], weight, z), 0, infinity),
            "ece": Estimate(debiased, *error_interval(cells, z)),
            "temperature": temperature,
        }
        return Measured(rows, effective_size(weight, len(rows)), estimates, *inverse)

    def fit(self, rows: np.ndarray) -> TemperatureFit | None:
        """The temperature of the rows; None if a label is impossible at any temperature."""
        data = self.predictions
        if not np.isfinite(data.log_loss[rows]).all():
            return None
        return fit_temperature(
            self.logits[rows], data.target[rows], sample_weight=self.weight(rows)
        )

    def _temperature(self, rows: np.ndarray) -> tuple[Estimate, float, float]:
        """The temperature with its interval, and 1 / T with its standard error.

        The interval is symmetric on log T. Where that is no approximation any more, since it would
        span a factor of e to each side, it is symmetric on 1 / T, and T may be infinite.
        """
        fit = self.fit(rows)
        if fit is None:
            return NONE, np.nan, np.nan
        T = fit.temperature
        if fit.status != "converged" or not np.isfinite(fit.interval).all():
            return Estimate(T), 1 / T, np.nan
        error = np.log(fit.interval[1] / fit.interval[0]) / (2 * Z95)  # of log T
        half = self.z * error
        if half <= 1:
            estimate = Estimate(T, T * np.exp(-half), T * np.exp(half))
        else:
            estimate = Estimate(T, T / (1 + half), np.inf)  # 1 / T may be 0
        return estimate, 1 / T, error / T

    def p_values(self, group: Measured, rest: Measured) -> dict[str, float]:
        """Tests that a metric is the same in the group and in the rest."""
        one, other = group.estimates, rest.estimates
        means = ("confidence", "overconfidence", "nll", "entropy")
        error = float(np.hypot(group.inverse_error, rest.inverse_error))
        return {
            "accuracy": share_p_value(
                one["accuracy"].value, group.size, other["accuracy"].value, rest.size
            ),
            **{name: mean_p_value(one[name], other[name], self.z) for name in means},
            "ece": self.same_gaps_p_value(group.rows, rest.rows),
            "temperature": two_sided((group.inverse - rest.inverse) / error),
        }

    def same_gaps_p_value(self, group: np.ndarray, rest: np.ndarray) -> float:
        """Test that the group has the gaps of the rest, and so no calibration error of its own.

        1. under the hypothesis every bin has one gap, estimated from all rows
        2. with it, mean and variance of both plug-in errors are known: also how much larger chance
           makes that of the smaller one
        3. z = (difference of the errors - its mean) / its standard deviation
        """
        sums = [self._sums(group), self._sums(rest)]
        total, _, of_confidence, of_hits = (sums[0] + sums[1])[0].T
        gap = (of_hits - of_confidence) / np.where(total > 0, total, 1)  # 1
        error, mean, sd = np.empty(2), np.empty(2), np.empty(2)
        for i in (0, 1):  # 2
            cells = Cells.of_sums(sums[i])
            accuracy = np.clip(cells.confidence + gap[sums[i][0, :, 0] > 0], 0, 1)
            error[i] = calibration_error(cells)
            mean[i], sd[i] = error_moments(cells, accuracy)
        spread = float(np.hypot(*sd))
        return two_sided(((error - mean) @ [1, -1]) / spread) if spread > 0 else np.nan  # 3

    def _sums(self, rows: np.ndarray) -> np.ndarray:
        data = self.predictions
        confidence, correct = data.confidence[rows], data.correct[rows]
        return top_label_sums(confidence, correct, self.weight(rows), self.binning)

    def temperature_test(self, grouping: Grouping, large: list[np.ndarray]) -> TemperatureTest:
        """Twice the gain in log-likelihood of a temperature for each group over one for all.

        With weights the losses are weighted means and count for the effective number of rows.
        """
        none = TemperatureTest(grouping.by, np.nan, np.nan, max(0, len(large) - 1), np.nan)
        if len(large) < 2:
            return none
        rows = np.concatenate(large)
        common, own = self.fit(rows), [self.fit(each) for each in large]
        if common is None:
            return none
        shares = [len(r) if (w := self.weight(r)) is None else w.sum() for r in large]
        apart = np.average([_best_loss(fit) for fit in own], weights=shares)
        gain = max(0.0, _best_loss(common) - float(apart))
        statistic = 2 * self.effective_size(rows) * gain
        p_value = float(chdtrc(none.df, statistic))
        return none._replace(temperature=common.temperature, statistic=statistic, p_value=p_value)


def _is_usual(fit: TemperatureFit) -> bool:
    return fit.status == "converged" and bool(np.isfinite(fit.interval).all())


def _best_loss(fit: TemperatureFit | None) -> float:
    """The smallest mean loss that a temperature reaches; 0 in the limit of separable rows."""
    assert fit is not None  # an impossible label of a group is one of all rows
    return 0.0 if fit.status == "separable" else float(fit.loss)
