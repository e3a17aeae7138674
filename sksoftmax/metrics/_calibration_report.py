"""The metrics of probabilities side by side, each with an interval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sksoftmax._tables import Row, Table, import_pandas, number, plural
from sksoftmax.metrics._bins import Binning, Cells, cells_of
from sksoftmax.metrics._calibration_error import calibration_error, error_interval
from sksoftmax.metrics._estimates import (
    Estimate,
    check_confidence_level,
    clipped,
    mean_estimate,
    share_estimate,
)
from sksoftmax.metrics._predictions import Predictions, check_predictions
from sksoftmax.metrics._tables import interval, percent

# name, as the table shows it, unit ("%": a share, shown in per cent)
ROWS = [
    ("nll", "log-loss (NLL)", "nats"),
    ("brier", "Brier score", ""),
    ("accuracy", "accuracy", "%"),
    ("confidence", "mean confidence", "%"),
    ("overconfidence", "confidence - accuracy", "%"),
    ("entropy", "mean entropy", "nats"),
    ("ece", "ECE, uniform bins", "%"),
    ("ece_debiased", "ECE, uniform bins, debiased", "%"),
    ("ece_quantile", "ECE, quantile bins", "%"),
    ("ece_classwise", "ECE, classwise", "%"),
]


class CalibrationReport(Mapping[str, Estimate]):
    """What `calibration_report` found: a mapping from the name of a metric to its `Estimate`.

    ``print`` shows a table, notebooks show one in HTML.

    Parameters
    ----------
    estimates : dict of str to Estimate
        Metrics by name.
    n_samples, n_classes, n_bins : int
        Rows that count, columns, bins of the calibration errors.
    confidence_level : float
        Level of the intervals.

    Examples
    --------
    >>> from sksoftmax.metrics import calibration_report
    >>> report = calibration_report([0, 1, 1, 0], [0.2, 0.7, 0.6, 0.4])
    >>> list(report)[:4]
    ['nll', 'brier', 'accuracy', 'confidence']
    >>> round(report["brier"].value, 3)
    0.225
    """

    def __init__(
        self,
        estimates: dict[str, Estimate],
        n_samples: int,
        n_classes: int,
        n_bins: int,
        confidence_level: float,
    ) -> None:
        self._estimates = dict(estimates)
        self.n_samples = n_samples
        self.n_classes = n_classes
        self.n_bins = n_bins
        self.confidence_level = confidence_level

    def __getitem__(self, name: str) -> Estimate:
        return self._estimates[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._estimates)

    def __len__(self) -> int:
        return len(self._estimates)

    def to_frame(self) -> Any:
        """Return a pandas DataFrame: metrics as index; value, low and high as columns.

        Shares are shares, not per cent. Needs pandas (``pip install "sksoftmax[pandas]"``).

        Returns
        -------
        frame : pandas.DataFrame of shape (n_metrics, 3)

        Examples
        --------
        >>> from sksoftmax.metrics import calibration_report
        >>> frame = calibration_report([0, 1, 1, 0], [0.2, 0.7, 0.6, 0.4]).to_frame()
        >>> frame.loc["accuracy"].round(2).to_dict()
        {'value': 1.0, 'low': 0.51, 'high': 1.0}
        """
        pandas = import_pandas("CalibrationReport.to_frame")
        frame = pandas.DataFrame(
            list(self._estimates.values()), columns=list(Estimate._fields), index=list(self)
        )
        return frame.rename_axis("metric")

    def __repr__(self) -> str:
        return (
            f"<CalibrationReport: {plural(self.n_samples, 'row')}, "
            f"NLL {number(self['nll'].value, 4)}, ECE {number(100 * self['ece'].value, 2)} %>"
        )

    def __str__(self) -> str:
        return self._table().text()

    def _repr_html_(self) -> str:
        return self._table().html()

    def _table(self) -> Table:
        size = f"{plural(self.n_samples, 'row')}, {plural(self.n_classes, 'class')}"
        level = f"{100 * self.confidence_level:g} % interval"
        return Table(
            f"Calibration: {size}, {plural(self.n_bins, 'bin')}",
            ["", "", "", level],
            [self._row(*row) for row in ROWS],
        )

    def _row(self, name: str, shown: str, unit: str) -> Row:
        estimate, decimals = self[name], 4
        if unit == "%":
            estimate, decimals = percent(estimate), 2
        return Row(
            [shown, number(estimate.value, decimals), unit.ljust(4), interval(estimate, decimals)]
        )


def calibration_report(
    y_true: Any,
    y_proba: Any,
    *,
    n_bins: int = 15,
    confidence_level: float = 0.95,
    sample_weight: Any = None,
    labels: Any = None,
) -> CalibrationReport:
    """Measure how good probabilities are: each metric with a confidence interval.

    ==================  ============================================================================
    ``nll``             log-loss in nats; infinite if a label has probability 0
    ``brier``           Brier score: mean of sum_k (p_k - y_k)^2, from 0 to 2
    ``accuracy``        share of rows whose largest probability is at the label
    ``confidence``      mean of the largest probability
    ``overconfidence``  mean confidence minus accuracy
    ``entropy``         mean of -sum_k p_k log p_k, in nats; equal to the NLL where a temperature
                        fitted to the same rows is 1
    ``ece``             top-label calibration error, bins of equal width
    ``ece_debiased``    the same, less an estimate of what chance adds to it
    ``ece_quantile``    top-label calibration error, bins of equal weight
    ``ece_classwise``   mean over the classes of their calibration errors, bins of equal width
    ==================  ============================================================================

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels of any type.
    y_proba : array-like of shape (n_samples, n_classes) or (n_samples,)
        Probabilities, one column per class; of shape (n_samples,) those of the second of two.
    n_bins : int, default=15
        Number of bins of the calibration errors, see `expected_calibration_error`.
    confidence_level : float, default=0.95
        Level of the intervals.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights, of which only the ratios matter: twice the weight is not twice the evidence.
    labels : array-like of shape (n_classes,), default=None
        The class of each column, by default the sorted labels of `y_true`.

    Returns
    -------
    report : CalibrationReport
        A mapping from these names to `Estimate` (value, low, high). It prints as a table.

    See Also
    --------
    subgroup_report : The same for groups of rows, and whether they differ.
    expected_calibration_error : One of the calibration errors, with all its options.

    Notes
    -----
    The intervals are analytic, so nothing is drawn and a report takes milliseconds. Of means they
    are the normal ones, of the accuracy Wilson's [1]_.

    The plug-in ECE is biased upwards, and its distribution is not normal near zero, so neither an
    interval of plus and minus two standard errors nor a percentile bootstrap covers the truth. Here
    a test is inverted instead: suppose the true gaps of the bins were a multiple of the observed
    ones; then the gap of a bin is folded normal [2]_, with binomial variance, and so mean and
    variance of the error are known. The interval holds the errors that the observed one does not
    contradict. It can lie below the plug-in error, where that is mostly bias (few rows in a cell,
    as in classwise errors of many classes). `ece` and `ece_debiased` estimate the same and share
    their interval.

    References
    ----------
    .. [1] Wilson, "Probable inference, the law of succession, and statistical inference",
       JASA 1927.
    .. [2] Leone, Nelson and Nottingham, "The folded normal distribution", Technometrics 1961.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sksoftmax import MultinomialLogit
    >>> from sksoftmax.metrics import calibration_report
    >>> X, y = load_digits(return_X_y=True)
    >>> model = MultinomialLogit(C=100).fit(X[:900], y[:900])
    >>> print(calibration_report(y[900:], model.predict_proba(X[900:])))
    Calibration: 897 rows, 10 classes, 15 bins
    <BLANKLINE>
                                                  95 % interval
    -----------------------------------------------------------
    log-loss (NLL)               0.5905  nats  [0.4085, 0.7726]
    Brier score                  0.1271        [0.0980, 0.1562]
    accuracy                      92.31  %       [90.38, 93.88]
    mean confidence               97.96  %       [97.45, 98.46]
    confidence - accuracy          5.65  %         [4.10, 7.20]
    mean entropy                 0.0490  nats  [0.0388, 0.0592]
    ECE, uniform bins              5.74  %         [4.22, 7.37]
    ECE, uniform bins, debiased    5.62  %         [4.22, 7.37]
    ECE, quantile bins             5.65  %         [4.22, 7.30]
    ECE, classwise                 1.40  %         [0.94, 1.81]
    """
    binning = Binning.of(n_bins, "uniform")
    z = check_confidence_level(confidence_level)
    predictions = check_predictions(y_true, y_proba, sample_weight=sample_weight, labels=labels)
    return CalibrationReport(
        _mean_metrics(predictions, z) | _calibration_errors(predictions, binning, z),
        predictions.n_samples,
        predictions.n_classes,
        binning.n_bins,
        float(confidence_level),
    )


def _mean_metrics(predictions: Predictions, z: float) -> dict[str, Estimate]:
    """The metrics that are means over rows."""
    weight, correct = predictions.weight, predictions.correct
    excess = predictions.confidence - correct
    return {
        "nll": clipped(mean_estimate(predictions.log_loss, weight, z), 0, float("inf")),
        "brier": clipped(mean_estimate(predictions.brier, weight, z), 0, 2),
        "accuracy": share_estimate(correct, weight, z),
        "confidence": clipped(mean_estimate(predictions.confidence, weight, z), 0, 1),
        "overconfidence": clipped(mean_estimate(excess, weight, z), -1, 1),
        "entropy": clipped(mean_estimate(predictions.entropy, weight, z), 0, float("inf")),
    }


def _calibration_errors(
    predictions: Predictions, binning: Binning, z: float
) -> dict[str, Estimate]:
    """The calibration errors; those of the same bins share an interval."""
    uniform = cells_of(predictions, "top_label", binning)
    quantile = cells_of(predictions, "top_label", Binning(binning.n_bins, "quantile"))
    plugin = error_estimate(uniform, z)
    return {
        "ece": plugin,
        "ece_debiased": plugin._replace(value=calibration_error(uniform, debias=True)),
        "ece_quantile": error_estimate(quantile, z),
        "ece_classwise": error_estimate(cells_of(predictions, "classwise", binning), z),
    }


def error_estimate(cells: Cells, z: float) -> Estimate:
    """The plug-in l1 error and its interval."""
    return Estimate(calibration_error(cells), *error_interval(cells, z))
