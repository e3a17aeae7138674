"""The audit of subgroups: is the model as good, and as sure, for everybody?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sksoftmax._estimator import check_integer
from sksoftmax._tables import import_pandas, plural
from sksoftmax.metrics._bins import Binning
from sksoftmax.metrics._estimates import (
    Estimate,
    benjamini_hochberg,
    check_confidence_level,
    difference,
)
from sksoftmax.metrics._groups import Grouping, check_groups, group_text
from sksoftmax.metrics._predictions import check_predictions
from sksoftmax.metrics._subgroup_tables import differences_table, estimates_table
from sksoftmax.metrics._subgroup_tests import METRICS, Measurer, TemperatureTest


@dataclass(frozen=True)
class Subgroup:
    """One group: what was measured of it, and how it differs from the rest.

    Parameters
    ----------
    by : tuple of str
        Names of the group columns; empty for all rows together.
    labels : tuple
        Its label in each of them, None where that is missing.
    n_samples : int
        Rows that count.
    estimates : dict of str to Estimate
        Metrics by name. Empty if the group has too few rows.
    differences : dict of str to Estimate
        Its metrics minus those of the rest. Empty if the group or the rest has too few rows.
    p_values, adjusted : dict of str to float
        Of the hypothesis of no difference; adjusted for all tests of the report.

    Examples
    --------
    >>> from sksoftmax.metrics import subgroup_report
    >>> y, y_proba, groups = [0, 1] * 100, [0.3, 0.6] * 100, ["a", "a", "b", "b"] * 50
    >>> group = subgroup_report(y, y_proba, groups).groups[1]
    >>> group.name, group.n_samples, group.p_values["nll"]
    ('b', 100, 1.0)
    """

    by: tuple[str, ...]
    labels: tuple[Any, ...]
    n_samples: int
    estimates: dict[str, Estimate] = field(default_factory=dict)
    differences: dict[str, Estimate] = field(default_factory=dict)
    p_values: dict[str, float] = field(default_factory=dict)
    adjusted: dict[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its labels as text."""
        return group_text(self.labels)


class SubgroupReport:
    """What `subgroup_report` found; ``print`` shows tables, notebooks show them in HTML.

    Parameters
    ----------
    overall : Subgroup
        All rows together.
    groups : list of Subgroup
        Each with ``by``, ``labels``, ``n_samples``, ``estimates``, ``differences``, ``p_values``
        and ``adjusted``.
    temperature_tests : list of TemperatureTest
        For each division of the rows: is one temperature enough for all its groups?
    n_classes, min_group_size : int
        Columns of the probabilities, rows that a group needs.
    confidence_level : float
        Level of the intervals.

    Examples
    --------
    >>> from sksoftmax.metrics import subgroup_report
    >>> y, y_proba, groups = [0, 1] * 100, [0.3, 0.6] * 100, ["a", "a", "b", "b"] * 50
    >>> report = subgroup_report(y, y_proba, groups)
    >>> [(group.name, group.n_samples) for group in report.groups]
    [('a', 100), ('b', 100)]
    >>> report.groups[0].estimates["accuracy"].value
    1.0
    """

    def __init__(
        self,
        overall: Subgroup,
        groups: list[Subgroup],
        temperature_tests: list[TemperatureTest],
        n_classes: int,
        min_group_size: int,
        confidence_level: float,
    ) -> None:
        self.overall = overall
        self.groups = groups
        self.temperature_tests = temperature_tests
        self.n_classes = n_classes
        self.min_group_size = min_group_size
        self.confidence_level = confidence_level

    def to_frame(self) -> Any:
        """Return a pandas DataFrame with a row for each group and metric.

        Its columns: ``by`` (names of the group columns, joined by " & "), ``group``, ``metric``,
        ``n_samples``, ``value``, ``low``, ``high``, ``difference``, ``difference_low``,
        ``difference_high``, ``p_value`` and ``p_adjusted``; NaN where a group has too few rows.
        All rows together come first, with ``by`` empty. Shares are shares, not per cent. Needs
        pandas (``pip install "sksoftmax[pandas]"``).

        Returns
        -------
        frame : pandas.DataFrame of shape (n_metrics * (1 + n_groups), 12)

        Examples
        --------
        >>> from sksoftmax.metrics import subgroup_report
        >>> y, y_proba, groups = [0, 1] * 100, [0.3, 0.6] * 100, ["a", "a", "b", "b"] * 50
        >>> frame = subgroup_report(y, y_proba, groups).to_frame()
        >>> wide = frame.pivot(index="group", columns="metric", values="value")
        >>> wide["entropy"].round(3).to_dict()
        {'a': 0.642, 'all': 0.642, 'b': 0.642}
        """
        pandas = import_pandas("SubgroupReport.to_frame")
        return pandas.DataFrame(
            [_record(group, metric) for group in (self.overall, *self.groups) for metric in METRICS]
        )

    def __repr__(self) -> str:
        size = plural(self.overall.n_samples, "row")
        significant = sum(
            p < 1 - self.confidence_level for g in self.groups for p in g.adjusted.values()
        )
        return (
            f"<SubgroupReport: {size}, {plural(len(self.groups), 'group')}, "
            f"{plural(significant, 'significant difference')}>"
        )

    def __str__(self) -> str:
        tables = estimates_table(self), differences_table(self)
        return "\n\n\n".join(table.text() for table in tables if table.rows)

    def _repr_html_(self) -> str:
        tables = estimates_table(self), differences_table(self)
        return "<br>".join(table.html() for table in tables if table.rows)


def _record(group: Subgroup, metric: str) -> dict[str, Any]:
    """A row of the frame."""
    missing = Estimate(np.nan)
    value, low, high = group.estimates.get(metric, missing)
    distance, distance_low, distance_high = group.differences.get(metric, missing)
    return {
        "by": " & ".join(group.by),
        "group": group.name,
        "metric": metric,
        "n_samples": group.n_samples,
        "value": value,
        "low": low,
        "high": high,
        "difference": distance,
        "difference_low": distance_low,
        "difference_high": distance_high,
        "p_value": group.p_values.get(metric, np.nan),
        "p_adjusted": group.adjusted.get(metric, np.nan),
    }


def subgroup_report(
    y_true: Any,
    y_proba: Any,
    groups: Any,
    *,
    intersections: int = 2,
    min_group_size: int = 50,
    n_bins: int = 15,
    confidence_level: float = 0.95,
    sample_weight: Any = None,
    labels: Any = None,
) -> SubgroupReport:
    r"""Audit probabilities by subgroup: is the model as good, and as sure, for everybody?

    For every group: accuracy, mean confidence, their difference (``overconfidence``), log-loss,
    predictive entropy, expected calibration error (debiased, since chance adds more of it to small
    groups) and the temperature that would fit the group best (above 1: overconfident), each with an
    interval; the differences to all other rows, with p-values; and a test of whether one
    temperature is enough for all groups.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels of any type.
    y_proba : array-like of shape (n_samples, n_classes) or (n_samples,)
        Probabilities, one column per class; of shape (n_samples,) those of the second of two.
    groups : array-like of shape (n_samples,), or mapping or data frame of such columns
        Group labels of any type. Missing ones (None, NaN, NaT, NA) are a group of their own,
        "(missing)". Of pandas categoricals, empty categories are listed too.
    intersections : int, default=2
        Up to how many columns are crossed with each other: 2 adds the groups of every pair of
        columns, 1 nothing. Combinations that do not occur are left out.
    min_group_size : int, default=50
        A group with fewer rows is listed as "too few" and not measured or tested; neither is a
        difference if the rest is smaller than that.
    n_bins : int, default=15
        Bins of equal width of the calibration error, see `expected_calibration_error`.
    confidence_level : float, default=0.95
        Level of the intervals; a difference whose adjusted p-value is below one minus the level is
        marked by a star.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights, of which only the ratios matter; rows of weight zero are left out.
    labels : array-like of shape (n_classes,), default=None
        The class of each column, by default the sorted labels of `y_true`.

    Returns
    -------
    report : SubgroupReport
        It prints as tables, and ``to_frame()`` gives a row for each group and metric.

    See Also
    --------
    calibration_report : One set of rows in more detail.
    sksoftmax.plotting.SubgroupDisplay : The report as a picture.

    Notes
    -----
    *Intervals* of single metrics are those of `calibration_report`. Of the temperature it is the
    sandwich interval, symmetric on its logarithm, or on 1 / T where the former spans more than a
    factor of e to each side; its end is then infinite. Those of differences combine both intervals
    (MOVER [1]_; Newcombe's for accuracies, Welch's for means).

    *p-values*: the pooled score test of two shares for the accuracy; Welch's test with a normal
    reference for means; a Wald test of equal 1 / T for the temperature. For the calibration
    error, whose bias differs between a small group and a large rest, the hypothesis is that the
    group has the same gaps in all bins as the rest, and mean and variance of the difference of the
    errors are computed under it. Adjusted p-values control the false discovery rate over all tests
    of the report (Benjamini and Hochberg [2]_).

    *One temperature for all groups*: with the smallest mean log-losses :math:`\ell_g` of the G
    groups at temperatures of their own, and :math:`\ell` at a common one,
    :math:`2 \sum_g n_g (\ell - \ell_g)` is chi-squared with G - 1 degrees of freedom. Groups with
    too few rows stay out.

    All of it takes rows as independent. Where several rows belong to one person, intervals are too
    short and p-values too small.

    References
    ----------
    .. [1] Zou and Donner, "Construction of confidence limits about effect measures", Statistics in
       Medicine 2008.
    .. [2] Benjamini and Hochberg, "Controlling the false discovery rate", JRSS B 1995.

    Examples
    --------
    >>> import numpy as np
    >>> from sksoftmax.metrics import subgroup_report
    >>> rng = np.random.default_rng(0)
    >>> p, site = rng.uniform(size=3000), rng.choice(["north", "south"], 3000)
    >>> chance = np.where(site == "south", 0.25 + p / 2, p)  # overconfident in the south
    >>> print(subgroup_report(rng.uniform(size=3000) < chance, p, {"site": site}))
    Subgroups: 3,000 rows, 2 classes
    <BLANKLINE>
                 n    accuracy %  confidence %        NLL nats    entropy nats         ECE %   temperature
    ------------------------------------------------------------------------------------------------------
      all    3,000         68.2          75.0           0.635           0.499           7.1          1.78
                    [66.5, 69.8]  [74.5, 75.6]  [0.609, 0.661]  [0.492, 0.506]    [5.6, 8.8]  [1.60, 1.99]
    site
      north  1,505         75.7*         75.0           0.486*          0.500           0.1*         0.93*
                    [73.5, 77.8]  [74.3, 75.8]  [0.462, 0.510]  [0.491, 0.510]    [0.0, 1.7]  [0.84, 1.04]
      south  1,495         60.7*         75.0           0.785*          0.498          14.8*         3.51*
                    [58.2, 63.1]  [74.3, 75.8]  [0.740, 0.830]  [0.488, 0.507]  [12.4, 17.3]  [2.77, 4.45]
    <BLANKLINE>
    [ ] 95 % interval   * differs from the rest (adjusted p < 0.05)   ECE: debiased
    one temperature (1.78) for all groups of site: chi2(1) = 166.0, p < .001
    <BLANKLINE>
    <BLANKLINE>
    Differences to the rest
    <BLANKLINE>
                 n  accuracy %  confidence %  NLL nats  entropy nats    ECE %  temperature
    --------------------------------------------------------------------------------------
    site
      north  1,505      +15.0*          0.0    -0.299*       +0.003    -14.7*       -2.58*
                       (<.001)        (.980)   (<.001)        (.828)  (<.001)      (<.001)
      south  1,495      -15.0*          0.0    +0.299*       -0.003    +14.7*       +2.58*
                       (<.001)        (.980)   (<.001)        (.828)  (<.001)      (<.001)
    <BLANKLINE>
    (p) p-value, adjusted for all tests of the table (Benjamini-Hochberg)
    """  # noqa: E501  (the table in the example is as wide as it is)
    min_group_size = check_integer(
        min_group_size, "min_group_size", "an integer of at least 2", at_least=2
    )
    binning, z = Binning.of(n_bins, "uniform"), check_confidence_level(confidence_level)
    predictions = check_predictions(y_true, y_proba, sample_weight=sample_weight, labels=labels)
    n_given = predictions.n_samples if predictions.kept is None else len(np.asarray(y_true))
    groupings = [
        Grouping(each.by, each.labels, predictions.of_caller(each.codes))
        for each in check_groups(groups, n_given, intersections)
    ]
    measurer = Measurer(predictions, binning, z)
    found, tests = [], []
    for grouping in groupings:
        members = [np.flatnonzero(grouping.codes == g) for g in range(len(grouping.labels))]
        found += [
            _measure(measurer, grouping.by, labels_of, rows, min_group_size)
            for labels_of, rows in zip(grouping.labels, members, strict=True)
        ]
        large = [rows for rows in members if len(rows) >= min_group_size]
        tests.append(measurer.temperature_test(grouping, large))
    everybody = np.arange(predictions.n_samples)
    overall = Subgroup((), ("all",), len(everybody), measurer.measure(everybody).estimates)
    _adjust(found)
    return SubgroupReport(
        overall, found, tests, predictions.n_classes, min_group_size, float(confidence_level)
    )


def _measure(
    measurer: Measurer, by: tuple[str, ...], labels: tuple[Any, ...], rows: np.ndarray, least: int
) -> Subgroup:
    """Measure a group, and what distinguishes it from the rest, where both are large enough."""
    if len(rows) < least:
        return Subgroup(by, labels, len(rows))
    own = measurer.measure(rows)
    others = np.ones(measurer.predictions.n_samples, dtype=bool)
    others[rows] = False
    rest = np.flatnonzero(others)
    if len(rest) < least:
        return Subgroup(by, labels, len(rows), own.estimates)
    of_rest = measurer.measure(rest)
    differences = {
        name: difference(own.estimates[name], of_rest.estimates[name]) for name in METRICS
    }
    p_values = measurer.p_values(own, of_rest)
    return Subgroup(by, labels, len(rows), own.estimates, differences, p_values)


def _adjust(groups: list[Subgroup]) -> None:
    """Fill in the p-values adjusted for all tests of all groups."""
    tests = [(group, name) for group in groups for name in group.p_values]
    adjusted = benjamini_hochberg(np.array([group.p_values[name] for group, name in tests]))
    for (group, name), p_value in zip(tests, adjusted.tolist(), strict=True):
        group.adjusted[name] = p_value
