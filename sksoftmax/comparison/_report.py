"""What a comparison found: a table for the terminal, HTML for notebooks, a frame, a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from sksoftmax._tables import Row, Table, import_pandas, number, plural
from sksoftmax.comparison._coupling import Coupling, Dropped
from sksoftmax.comparison._efficiency import Efficiency
from sksoftmax.comparison._measures import Compared, Decisions, Mass
from sksoftmax.comparison._pictures import draw
from sksoftmax.metrics import Estimate

# name, as the table shows it, unit ("%": a share, shown in per cent)
ROWS = [
    ("nll", "log-loss", "nats"),
    ("brier", "Brier score", ""),
    ("accuracy", "accuracy", "%"),
    ("ece", "ECE", "%"),
]


class ComparisonReport(Mapping[str, Compared]):
    """What `OneVsRestComparator.report` found: a mapping from metrics to both models' values.

    ``report["nll"]``, ``["brier"]``, ``["accuracy"]`` and ``["ece"]`` hold `softmax`, `one_vs_rest`
    and the paired `difference`, one-vs-rest minus softmax, each with `value`, `low` and `high`.
    ``print`` shows all of the report in a table, notebooks show it in HTML.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        The labels.
    n_samples : int
        Rows that were judged.
    is_cross_validated : bool
        Whether they were judged by models of folds without them.
    confidence_level : float
        Level of the intervals.
    metrics : dict of str to Compared
        Log-loss, Brier score, accuracy and calibration error of both.
    mass : Mass
        The sums of the probabilities of one-vs-rest before they are divided by them: `values` of
        the rows, their `mean`, `quantiles`, and `far`, the share that is off 1 by more than 0.1.
    decisions : Decisions
        `differ`, the share of rows with different decisions, and who finds the label there:
        `softmax_right`, `one_vs_rest_right`.
    coupling : Coupling or None
        `pairs` of classes, and for `softmax` and `one_vs_rest` the share of the variance of
        log(p_a / p_b) that is not linear in the features, 1 - R2. None for two classes.
    dropped : Dropped or None
        `classes` that were left out, and the root mean square change of log(p_a / p_b) of the
        others, in nats, for `softmax` and `one_vs_rest`.
    efficiency : Efficiency or None
        One-vs-rest over softmax where labels are drawn from the fitted softmax, `n_bootstrap`
        times: `coefficient_variance` (relative to their size), `proba_variance`, and
        `proba_error`, the squared error of the probabilities.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sksoftmax import MultinomialLogit, OneVsRestComparator
    >>> X, y = load_digits(return_X_y=True)
    >>> X = X / 16
    >>> comparator = OneVsRestComparator(MultinomialLogit(C=1.0)).fit(X, y)
    >>> print(comparator.report(X, y, cv=3, max_dropped=1, n_bootstrap=10, random_state=0))
    Softmax and one-vs-rest: 1,797 rows, 10 classes, cross-validated
    <BLANKLINE>
                                         softmax   one-vs-rest  difference     95 % interval
    ----------------------------------------------------------------------------------------
      log-loss                    nats    0.2520        0.3090     +0.0570  [0.0493, 0.0648]
      Brier score                         0.1090        0.1274     +0.0184  [0.0146, 0.0223]
      accuracy                    %        92.99         92.82       -0.17     [-0.79, 0.46]
      ECE                         %         6.15         10.24       +4.09      [3.39, 4.78]
    sum of the probabilities
      mean                                     1        0.9764
      90 % of the rows                         1  0.46 to 1.27
      off 1 by more than 0.1      %            0          40.3
    decisions
      differ                      %                                   2.17      [1.59, 2.95]
      right where they differ     %         46.2          38.5
    log-odds between two classes
      not linear, median pair     %         0.00          2.88
      not linear, worst pair      %         0.00          5.55
      change without a class      nats     0.417         0.563
    were the softmax true
      variance of coefficients    ratio        1         0.544
      variance of probabilities   ratio        1         0.669
      squared error of them       ratio        1         1.697
    <BLANKLINE>
    difference: one-vs-rest minus softmax, paired by rows
    sum of the probabilities: of one-vs-rest, before they are divided by it
    not linear: share of the variance of log(p_a / p_b) that no linear function of the ...
    change without a class: of log(p_a / p_b) between the others when a class is left out ...
    were the softmax true: 10 times labels drawn from it, both models fitted to them; of ...
    """

    def __init__(
        self,
        *,
        classes: np.ndarray,
        n_samples: int,
        is_cross_validated: bool,
        confidence_level: float,
        metrics: dict[str, Compared],
        mass: Mass,
        decisions: Decisions,
        coupling: Coupling | None,
        dropped: Dropped | None,
        efficiency: Efficiency | None,
    ) -> None:
        self.classes = classes
        self.n_samples = n_samples
        self.is_cross_validated = is_cross_validated
        self.confidence_level = confidence_level
        self.metrics = metrics
        self.mass = mass
        self.decisions = decisions
        self.coupling = coupling
        self.dropped = dropped
        self.efficiency = efficiency

    def __getitem__(self, name: str) -> Compared:
        return self.metrics[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.metrics)

    def __len__(self) -> int:
        return len(self.metrics)

    def to_frame(self) -> Any:
        """Return a pandas DataFrame with a row for each quantity.

        Shares are shares, not per cent. Needs pandas (``pip install "sksoftmax[pandas]"``).

        Returns
        -------
        frame : pandas.DataFrame
            Columns ``softmax``, ``one_vs_rest``, ``difference``, ``low`` and ``high``: the values
            of both models, and their difference with its interval, where there are some.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sksoftmax import OneVsRestComparator
        >>> X, y = load_iris(return_X_y=True)
        >>> report = OneVsRestComparator().fit(X, y).report(X, y, n_bootstrap=0)
        >>> report.to_frame().loc["accuracy", ["softmax", "one_vs_rest"]].round(3).tolist()
        [0.973, 0.953]
        """
        pandas = import_pandas("ComparisonReport.to_frame")
        columns = ["softmax", "one_vs_rest", "difference", "low", "high"]
        found = {name: _cells(compared) for name, compared in self.metrics.items()}
        frame = pandas.DataFrame.from_dict(
            found | self._other_cells(), orient="index", columns=columns
        )
        return frame.rename_axis("quantity")

    def plot(self, *, figure: Any = None) -> Any:
        """Draw the sums before division, the paired differences, and the coupling.

        Needs matplotlib (``pip install "sksoftmax[plot]"``).

        Parameters
        ----------
        figure : matplotlib Figure or SubFigure, default=None
            Where to draw; None makes one.

        Returns
        -------
        figure : matplotlib Figure or SubFigure
            With three panels, or two where there are two classes.
        """
        return draw(self, figure)

    def __repr__(self) -> str:
        return (
            f"<ComparisonReport: {plural(self.n_samples, 'row')}, "
            f"{plural(len(self.classes), 'class')}, log-loss of one-vs-rest "
            f"{self['nll'].difference.value:+.4f} nats>"
        )

    def __str__(self) -> str:
        return self._table().text()

    def _repr_html_(self) -> str:
        return self._table().html()

    # Cells

    def _other_cells(self) -> dict[str, list[float]]:
        """What is no metric."""
        nan = float("nan")
        mass, decisions = self.mass, self.decisions
        cells = {"mass_mean": [1.0, mass.mean, mass.mean - 1.0, nan, nan]}
        for share, value in mass.quantiles.items():
            cells[f"mass_quantile_{share:g}"] = [1.0, value, value - 1.0, nan, nan]
        cells["mass_far"] = [0.0, mass.far, mass.far, nan, nan]
        cells["decisions_differ"] = [nan, nan, *decisions.differ]
        right = decisions.softmax_right, decisions.one_vs_rest_right
        cells["decisions_right"] = [*right, right[1] - right[0], nan, nan]
        for name, pair in self._pairs_of_values().items():
            cells[name] = [*pair, pair[1] - pair[0], nan, nan]
        return cells

    def _pairs_of_values(self) -> dict[str, tuple[float, float]]:
        found = {}
        if self.coupling is not None:
            c = self.coupling
            for name, summary in (("median", _median), ("largest", _largest)):
                found[f"not_linear_{name}"] = (summary(c.softmax), summary(c.one_vs_rest))
        if self.dropped is not None:
            found["change_without_a_class"] = (
                _mean_square(self.dropped.softmax),
                _mean_square(self.dropped.one_vs_rest),
            )
        if self.efficiency is not None:
            for name in ("coefficient_variance", "proba_variance", "proba_error"):
                found[name] = (1.0, getattr(self.efficiency, name))
        return found

    def _table(self) -> Table:
        size = f"{plural(self.n_samples, 'row')}, {plural(len(self.classes), 'class')}"
        how = "cross-validated" if self.is_cross_validated else "fitted models"
        level = f"{100 * self.confidence_level:g} % interval"
        columns = ["", "", "softmax", "one-vs-rest", "difference", level]
        rows = [self._metric_row(*row) for row in ROWS]
        rows += self._mass_rows() + self._decision_rows() + self._coupling_rows()
        title = f"Softmax and one-vs-rest: {size}, {how}"
        return Table(title, columns, rows, self._notes(), left=(0, 1))

    def _metric_row(self, name: str, shown: str, unit: str) -> Row:
        factor, decimals = (100, 2) if unit == "%" else (1, 4)
        softmax, one_vs_rest, difference = self[name]
        values = [factor * estimate.value for estimate in (softmax, one_vs_rest)]
        cells = [number(value, decimals) for value in values]
        return Row([shown, unit, *cells, *_difference(difference, factor, decimals)])

    def _mass_rows(self) -> list[Row]:
        mass, quantiles = self.mass, self.mass.quantiles
        middle = f"{number(quantiles[0.05], 2)} to {number(quantiles[0.95], 2)}"
        return [
            Row(["sum of the probabilities"], heading=True),
            Row(["mean", "", "1", number(mass.mean, 4), "", ""]),
            Row(["90 % of the rows", "", "1", middle, "", ""]),
            Row(["off 1 by more than 0.1", "%", "0", number(100 * mass.far, 1), "", ""]),
        ]

    def _decision_rows(self) -> list[Row]:
        d = self.decisions
        low, high = (number(100 * limit, 2) for limit in (d.differ.low, d.differ.high))
        shown = number(100 * d.differ.value, 2)
        rows = [
            Row(["decisions"], heading=True),
            Row(["differ", "%", "", "", shown, f"[{low}, {high}]"]),
        ]
        if d.differ.value > 0:
            right = [number(100 * share, 1) for share in (d.softmax_right, d.one_vs_rest_right)]
            rows.append(Row(["right where they differ", "%", *right, "", ""]))
        return rows

    def _coupling_rows(self) -> list[Row]:
        found = self._pairs_of_values()
        shown = {
            "not_linear_median": ("not linear, median pair", "%", 100, 2),
            "not_linear_largest": ("not linear, worst pair", "%", 100, 2),
            "change_without_a_class": ("change without a class", "nats", 1, 3),
        }
        rows = []
        if any(name in found for name in shown):
            rows.append(Row(["log-odds between two classes"], heading=True))
        for name, (text, unit, factor, decimals) in shown.items():
            if name in found:
                cells = [number(factor * value, decimals) for value in found[name]]
                rows.append(Row([text, unit, *cells, "", ""]))
        if self.efficiency is not None:
            rows.append(Row(["were the softmax true"], heading=True))
            for text, name in (
                ("variance of coefficients", "coefficient_variance"),
                ("variance of probabilities", "proba_variance"),
                ("squared error of them", "proba_error"),
            ):
                rows.append(Row([text, "ratio", "1", number(found[name][1], 3), "", ""]))
        return rows

    def _notes(self) -> list[str]:
        if len(self.classes) == 2:
            return ["Two classes: softmax and one-vs-rest are the same binary logit."]
        notes = [
            "difference: one-vs-rest minus softmax, paired by rows",
            "sum of the probabilities: of one-vs-rest, before they are divided by it",
        ]
        if self.coupling is not None and np.isfinite(self.coupling.one_vs_rest).any():
            worst = self.coupling.pairs[np.nanargmax(self.coupling.one_vs_rest)]
            names = " and ".join(repr(label) for label in self.classes[worst].tolist())
            notes.append(
                "not linear: share of the variance of log(p_a / p_b) that no linear function of "
                f"the features explains; worst for {names}"
            )
        if self.dropped is not None:
            notes.append(
                "change without a class: of log(p_a / p_b) between the others when a class is left "
                "out of the data, root mean square"
            )
        if self.efficiency is not None:
            notes.append(
                f"were the softmax true: {self.efficiency.n_bootstrap} times labels drawn from it, "
                "both models fitted to them; of coefficients relative to their size"
            )
        return notes


def _cells(compared: Compared) -> list[float]:
    softmax, one_vs_rest, difference = compared
    return [softmax.value, one_vs_rest.value, *difference]


def _difference(difference: Estimate, factor: float, decimals: int) -> list[str]:
    value, low, high = (factor * part for part in difference)
    if not np.isfinite(value):
        return ["-", ""]
    sign = "+" if round(value, decimals) > 0 else ""
    return [sign + number(value, decimals), f"[{number(low, decimals)}, {number(high, decimals)}]"]


def _median(values: np.ndarray) -> float:
    return float(np.nanmedian(values)) if np.isfinite(values).any() else float("nan")


def _largest(values: np.ndarray) -> float:
    return float(np.nanmax(values)) if np.isfinite(values).any() else float("nan")


def _mean_square(values: np.ndarray) -> float:
    return float(np.sqrt(np.nanmean(values**2))) if np.isfinite(values).any() else float("nan")
