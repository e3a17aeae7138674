"""The two tables of a subgroup report: what was measured, and differences to the rest."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from sksoftmax._tables import Row, Table, count, number, p_text, plural
from sksoftmax.metrics._estimates import Estimate
from sksoftmax.metrics._tables import interval, percent

if TYPE_CHECKING:
    from sksoftmax.metrics._subgroup_report import Subgroup, SubgroupReport
    from sksoftmax.metrics._subgroup_tests import TemperatureTest

# metric, head of its column, whether it is a share, decimals
COLUMNS = [
    ("accuracy", "accuracy %", True, 1),
    ("confidence", "confidence %", True, 1),
    ("nll", "NLL nats", False, 3),
    ("entropy", "entropy nats", False, 3),
    ("ece", "ECE %", True, 1),
    ("temperature", "temperature", False, 2),
]
HEADS = [head for _, head, _, _ in COLUMNS]


def estimates_table(report: SubgroupReport) -> Table:
    """A row for each group: metrics, and below them their intervals."""
    alpha = 1 - report.confidence_level
    rows = [_estimates_row(report.overall, alpha)]
    for by, groups in _sections(report.groups):
        rows.append(Row([by], heading=True))
        rows += [_estimates_row(group, alpha) for group in groups]
    size = f"{plural(report.overall.n_samples, 'row')}, {plural(report.n_classes, 'class')}"
    notes = [
        f"[ ] {100 * report.confidence_level:g} % interval   * differs from the rest "
        f"(adjusted p < {alpha:.2g})   ECE: debiased"
    ]
    if any(not group.estimates for group in report.groups):
        notes.append(f"too few: below min_group_size = {report.min_group_size}")
    notes += [_test_text(test) for test in report.temperature_tests]
    return Table(f"Subgroups: {size}", ["", "n", *HEADS], rows, notes)


def differences_table(report: SubgroupReport) -> Table:
    """A row for each group that was tested: differences to the rest and adjusted p-values."""
    alpha = 1 - report.confidence_level
    rows = []
    for by, groups in _sections([group for group in report.groups if group.differences]):
        rows.append(Row([by], heading=True))
        rows += [_differences_row(group, alpha) for group in groups]
    notes = ["(p) p-value, adjusted for all tests of the table (Benjamini-Hochberg)"]
    return Table("Differences to the rest", ["", "n", *HEADS], rows, notes)


def _sections(groups: list[Subgroup]) -> list[tuple[str, list[Subgroup]]]:
    """Runs of groups that divide by the same columns."""
    return [(" & ".join(by), list(members)) for by, members in groupby(groups, lambda g: g.by)]


def _estimates_row(group: Subgroup, alpha: float) -> Row:
    head = [group.name, count(group.n_samples)]
    if not group.estimates:
        return Row([*head, "too few", *[""] * (len(COLUMNS) - 1)])
    return Row([*head, *(_estimate_cell(group, alpha, *column) for column in COLUMNS)])


def _estimate_cell(
    group: Subgroup, alpha: float, metric: str, head: str, share: bool, decimals: int
) -> str:
    estimate = _scaled(group.estimates[metric], share)
    below = interval(estimate, decimals)
    return _marked(number(estimate.value, decimals), group, metric, alpha) + f"\n{below}" * bool(
        below
    )


def _differences_row(group: Subgroup, alpha: float) -> Row:
    cells = [_difference_cell(group, alpha, *column) for column in COLUMNS]
    return Row([group.name, count(group.n_samples), *cells])


def _difference_cell(
    group: Subgroup, alpha: float, metric: str, head: str, share: bool, decimals: int
) -> str:
    distance = _scaled(group.differences[metric], share).value
    text = number(distance, decimals)
    if distance > 0 and text.strip("0.") and np.isfinite(distance):
        text = f"+{text}"
    p_value = group.adjusted[metric]
    below = "" if np.isnan(p_value) else f"\n({p_text(p_value)})"
    return _marked(text, group, metric, alpha) + below


def _marked(text: str, group: Subgroup, metric: str, alpha: float) -> str:
    """A star, or the space of one, after the number."""
    return text + ("*" if group.adjusted.get(metric, 1.0) < alpha else " ")


def _scaled(estimate: Estimate, share: bool) -> Estimate:
    return percent(estimate) if share else estimate


def _test_text(test: TemperatureTest) -> str:
    name = " & ".join(test.by)
    if np.isnan(test.p_value):
        return f"one temperature for all groups of {name}: not tested"
    p_value = p_text(test.p_value)
    p_value = f"p {p_value[0]} {p_value[1:]}" if p_value[0] == "<" else f"p = {p_value}"
    return (
        f"one temperature ({number(test.temperature, 2)}) for all groups of {name}: "
        f"chi2({test.df}) = {test.statistic:.1f}, {p_value}"
    )
