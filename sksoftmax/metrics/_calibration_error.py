"""Expected calibration error: one number for the gap between confidence and accuracy."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr

from sksoftmax._estimator import check_choice, check_flag
from sksoftmax.metrics._bins import KINDS, Binning, Cells, cells_of
from sksoftmax.metrics._predictions import check_predictions

NORMS = ("l1", "l2", "max")


def expected_calibration_error(
    y_true: Any,
    y_proba: Any,
    *,
    n_bins: int = 15,
    strategy: str = "uniform",
    kind: str = "top_label",
    norm: str = "l1",
    debias: bool = False,
    sample_weight: Any = None,
    labels: Any = None,
) -> float:
    r"""Expected calibration error (ECE), a share between 0 and 1: smaller is better.

    Rows are put into bins by their confidence. In bin :math:`b`, with the share :math:`\pi_b` of
    the rows, the mean confidence is :math:`c_b` and the share of correct predictions :math:`a_b`:

    .. math:: \sum_b \pi_b |a_b - c_b| \ (\text{l1}), \qquad
              \sqrt{\sum_b \pi_b (a_b - c_b)^2} \ (\text{l2}), \qquad
              \max_b |a_b - c_b| \ (\text{max}).

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels of any type: numbers, strings, booleans.
    y_proba : array-like of shape (n_samples, n_classes) or (n_samples,)
        Probabilities, rows of sum 1, one column per class; of shape (n_samples,) those of the
        second of two classes. The columns of a data frame are named after the classes.
    n_bins : int, default=15
        Number of bins, at most 10,000.
    strategy : {"uniform", "quantile"}, default="uniform"
        - ``"uniform"``: bins of equal width. The edges are ``np.linspace(0, 1, n_bins + 1)``, and a
          confidence on an edge belongs to the bin above it; confidence 0 to the first, 1 to the
          last.
        - ``"quantile"``: bins of equal weight. A row whose confidence is larger than that of the
          share F of the rows is in bin ``floor(n_bins * F)``, so equal confidences share a bin.
    kind : {"top_label", "classwise"}, default="top_label"
        - ``"top_label"``: confidence is the largest probability of a row (the first of equal ones),
          and the prediction is correct if its class is the label [1]_.
        - ``"classwise"``: each class has bins of its own for its probabilities in all rows, and
          "correct" means that it is the label; every class has the same share of the mass [2]_.
    norm : {"l1", "l2", "max"}, default="l1"
        How the gaps of the bins become one number; ``"max"`` is the maximum calibration error.
    debias : bool, default=False
        Subtract an estimate of the upward bias that chance gives the gaps, in small bins most of
        all, and return 0 where that is negative. With ``norm="l2"`` the square of a gap loses
        :math:`a_b (1 - a_b) / (n_b - 1)` [3]_; with ``"l1"`` a gap :math:`d` loses
        :math:`E|N(d, s^2)| - |d|` with that same :math:`s^2`, which is the limit of the simulation
        in the software of [3]_. A bin with one row has :math:`s^2 = c_b (1 - c_b)`.
        Not defined for ``"max"``.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights, of which only the ratios matter; rows of weight zero are left out. In the debiasing
        :math:`n_b` is the effective number of rows, :math:`(\sum w)^2 / \sum w^2`.
    labels : array-like of shape (n_classes,), default=None
        The class of each column. By default the sorted labels of `y_true`, which must then hold
        every class.

    Returns
    -------
    error : float
        The calibration error, a share (multiply by 100 for per cent).

    Raises
    ------
    ValueError
        If rows of `y_proba` are not probabilities (the message names the first one), if a label is
        missing or unknown, or if an argument is none of those accepted.

    See Also
    --------
    calibration_report : ECE in several forms beside other metrics, with intervals.
    CalibrationErrorScorer : The same for ``scoring=``.
    sksoftmax.plotting.ReliabilityDisplay : The bins as a picture.

    References
    ----------
    .. [1] Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", ICML 2017.
    .. [2] Kull et al., "Beyond temperature scaling", NeurIPS 2019 (classwise ECE).
    .. [3] Kumar, Liang and Ma, "Verified uncertainty calibration", NeurIPS 2019.

    Examples
    --------
    >>> from sksoftmax.metrics import expected_calibration_error
    >>> y_proba = [[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.4, 0.6]]
    >>> round(expected_calibration_error(["a", "a", "b", "b"], y_proba), 4)
    0.275

    Three rows are 90 % sure and two of them right, one is 60 % sure and right:
    ``3/4 * |2/3 - 0.9| + 1/4 * |1 - 0.6|``.
    """
    binning = Binning.of(n_bins, strategy)
    check_choice(kind, "kind", KINDS)
    check_choice(norm, "norm", NORMS)
    if check_flag(debias, "debias") and norm == "max":
        raise ValueError("debias=True is defined for norm='l1' and 'l2'; got norm='max'.")
    predictions = check_predictions(y_true, y_proba, sample_weight=sample_weight, labels=labels)
    return calibration_error(cells_of(predictions, kind, binning), norm, debias=debias)


def calibration_error(cells: Cells, norm: str = "l1", *, debias: bool = False) -> float:
    """The norm of the gaps, less its bias if asked for."""
    gap = np.abs(cells.gap)
    if norm == "max":
        return float(gap.max())
    if norm == "l2":
        square = gap**2 - (_variance(cells) if debias else 0.0)
        return float(np.sqrt(max(0.0, cells.mass @ square)))
    if debias:
        gap = 2 * gap - folded_mean(gap, np.sqrt(_variance(cells)))
    return float(max(0.0, cells.mass @ gap))


def _variance(cells: Cells) -> np.ndarray:
    """a (1 - a) / (n - 1), the unbiased variance of the accuracy of a cell.

    Of one row there is no such estimate: c (1 - c), the variance if it is calibrated.
    """
    several = cells.n > 1 + 1e-9
    estimate = cells.accuracy * (1 - cells.accuracy) / np.where(several, cells.n - 1, 1)
    return np.where(several, estimate, cells.confidence * (1 - cells.confidence))


def folded_mean(mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """E|N(mean, sd^2)|, the mean of the folded normal distribution (Leone et al. 1961)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(sd > 0, mean / sd, np.inf)
    density = np.sqrt(2 / np.pi) * np.exp(-(ratio**2) / 2)
    return np.where(sd > 0, sd * density + mean * (1 - 2 * ndtr(-ratio)), np.abs(mean))


class GapModel:
    r"""The distribution of the l1 error, were the true gaps :math:`\gamma` times the observed ones.

    In cell b, of mass :math:`\pi_b`, the accuracy would be
    :math:`a_b(\gamma) = c_b + \gamma (a_b - c_b)`, cut to [0, 1]. The observed one is then normal
    around it with variance :math:`\tilde a (1 - \tilde a) / n_b` (:math:`\tilde a`: with one row
    more that is as calibrated as stated, so that no variance vanishes), and the error is a sum of
    independent folded normals. At :math:`\gamma = 0` this is a calibrated model.

    The residuals of K classes are correlated: for K = 2 they mirror each other, so the variance of
    their mean is twice that of independent classes, and about K / (K - 1) times it in general.
    """

    def __init__(self, cells: Cells) -> None:
        self.cells = cells
        self.observed = calibration_error(cells)
        n_classes = cells.n_groups
        self.inflation = n_classes / (n_classes - 1) if n_classes > 1 else 1.0
        self.n_rows = cells.n.sum() / n_classes

    def accuracy(self, gamma: float) -> np.ndarray:
        """True accuracy of each cell."""
        return np.clip(self.cells.confidence + gamma * self.cells.gap, 0, 1)

    def error(self, gamma: float) -> float:
        """True error."""
        return float(self.cells.mass @ np.abs(self.accuracy(gamma) - self.cells.confidence))

    def moments(self, gamma: float) -> tuple[float, float]:
        """Mean and standard deviation of the error that is observed."""
        accuracy = self.accuracy(gamma)
        return error_moments(self.cells, accuracy, self.inflation, self.n_rows)

    def surprise(self, gamma: float) -> float:
        """How many standard deviations the observed error is above what is expected."""
        mean, sd = self.moments(gamma)
        return (self.observed - mean) / sd if sd > 0 else np.inf * (self.observed - mean)


def error_moments(
    cells: Cells, accuracy: np.ndarray, inflation: float = 1.0, n_rows: float = np.inf
) -> tuple[float, float]:
    """Mean and standard deviation of the plug-in l1 error, were `accuracy` the truth."""
    mass, n = cells.mass, cells.n
    shrunk = (n * accuracy + cells.confidence) / (n + 1)
    gap = accuracy - cells.confidence
    variance = shrunk * (1 - shrunk) / n
    mean = folded_mean(np.abs(gap), np.sqrt(variance))
    of_folded = np.maximum(gap**2 + variance - mean**2, 0)
    of_masses = max(0.0, mass @ gap**2 - (mass @ np.abs(gap)) ** 2) / n_rows
    return float(mass @ mean), float(np.sqrt(inflation * (mass**2 @ of_folded) + of_masses))


def error_interval(cells: Cells, z: float) -> tuple[float, float]:
    """Interval for the l1 error: all values that the observed one does not contradict.

    A test is inverted along the ray of `GapModel`: the true gaps are gamma times the observed ones,
    and gamma is in the interval if the observed error is within z standard deviations of its mean.
    So the bias of the plug-in error is out of the interval, which then may lie below that error,
    and 0 is in it as often as it should be.
    """
    model = GapModel(cells)
    if model.observed == 0:  # no gap, no ray: Wilson's limit for no failure in n rows
        return 0.0, float(z**2 / (model.n_rows + z**2))
    low = 0.0 if model.surprise(0.0) <= z else brentq(lambda g: model.surprise(g) - z, 0.0, 1.0)
    if model.surprise(0.0) <= -z:
        return 0.0, 0.0
    top = 1.0
    while model.surprise(top) > -z and top < 1e6:
        top *= 2
    high = top if top >= 1e6 else brentq(lambda g: model.surprise(g) + z, 0.0, top)
    return model.error(low), model.error(high)
