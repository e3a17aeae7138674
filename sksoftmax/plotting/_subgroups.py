"""The subgroup report as a picture: a row for each group, a panel for each metric."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np

from sksoftmax._estimator import check_choice
from sksoftmax.metrics import Estimate, SubgroupReport, subgroup_report
from sksoftmax.metrics._subgroup_tests import METRICS
from sksoftmax.plotting._style import GREY, INK, PALE, import_pyplot, plain_text, predict

# head of the panel, factor
PANELS = {
    "accuracy": ("accuracy (%)", 100),
    "confidence": ("mean confidence (%)", 100),
    "overconfidence": ("confidence - accuracy (%)", 100),
    "nll": ("log-loss (nats)", 1),
    "entropy": ("entropy (nats)", 1),
    "ece": ("ECE, debiased (%)", 100),
    "temperature": ("temperature", 1),
}
BLUE = "#2166ac"
_LEGEND = "sksoftmax: what the symbols mean"
FAR = 20  # temperatures beyond are said, not drawn: they would push all others together


class SubgroupDisplay:
    """Dot and whisker for each group: the picture of a `sksoftmax.metrics.SubgroupReport`.

    A panel for each metric, a line for each group; the band is the interval of all rows together. A
    full dot differs from the rest of the rows (adjusted p-value), an open one does not, as the
    legend below says. Groups with too few rows are named and have no dot.

    Parameters
    ----------
    report : SubgroupReport
        What `sksoftmax.metrics.subgroup_report` found.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (n_metrics,)
        The panels, once drawn.
    ax_ : matplotlib Axes
        The first of them.
    figure_ : matplotlib Figure
        The figure that holds them.

    See Also
    --------
    sksoftmax.metrics.subgroup_report : The numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from sksoftmax.plotting import SubgroupDisplay
    >>> rng = np.random.default_rng(0)
    >>> p, site = rng.uniform(size=3000), rng.choice(["north", "south"], 3000)
    >>> chance = np.where(site == "south", 0.25 + p / 2, p)
    >>> y = rng.uniform(size=3000) < chance
    >>> display = SubgroupDisplay.from_predictions(y, p, {"site": site}, metrics=["nll", "ece"])
    >>> len(display.axes_)
    2
    """

    axes_: np.ndarray
    ax_: Any
    figure_: Any

    def __init__(self, report: SubgroupReport) -> None:
        self.report = report

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        y_proba: Any,
        groups: Any,
        *,
        metrics: Sequence[str] = ("accuracy", "confidence", "nll", "ece", "temperature"),
        ax: Any = None,
        **options: Any,
    ) -> SubgroupDisplay:
        """Measure the groups and draw them.

        Parameters
        ----------
        y_true, y_proba, groups
            See `sksoftmax.metrics.subgroup_report`.
        metrics : sequence of str, default=("accuracy", "confidence", "nll", "ece", "temperature")
            The panels: also "overconfidence" and "entropy".
        ax : matplotlib Axes, default=None
            Where to draw; it is divided if there are several metrics. By default a new figure.
        **options
            Those of `sksoftmax.metrics.subgroup_report`.

        Returns
        -------
        display : SubgroupDisplay
            Drawn, with ``axes_`` and ``figure_``.
        """
        import_pyplot(f"{cls.__name__}.from_predictions")
        report = subgroup_report(y_true, y_proba, groups, **options)
        return cls(report).plot(ax=ax, metrics=metrics)

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any, groups: Any, **options: Any
    ) -> SubgroupDisplay:
        """Measure a fitted classifier by groups and draw them.

        Parameters
        ----------
        estimator : fitted classifier
            It needs ``classes_`` and ``predict_proba``.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.
        y : array-like of shape (n_samples,)
            Their labels.
        groups : array-like of shape (n_samples,), or mapping or data frame of such columns
            Group labels.
        **options
            Those of `from_predictions`.

        Returns
        -------
        display : SubgroupDisplay
            Drawn, with ``axes_`` and ``figure_``.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        y_proba, classes = predict(estimator, X)
        return cls.from_predictions(y, y_proba, groups, labels=classes, **options)

    def plot(
        self,
        *,
        metrics: Sequence[str] = ("accuracy", "confidence", "nll", "ece", "temperature"),
        ax: Any = None,
        color: Any = BLUE,
    ) -> SubgroupDisplay:
        """Draw the panels.

        Parameters
        ----------
        metrics : sequence of str, default=("accuracy", "confidence", "nll", "ece", "temperature")
            The panels: also "overconfidence" and "entropy".
        ax : matplotlib Axes, default=None
            Where to draw; it is divided if there are several metrics. By default a new figure.
        color : matplotlib color, default="#2166ac"
            Of dots and whiskers.

        Returns
        -------
        display : SubgroupDisplay
            Itself.
        """
        plt = import_pyplot(f"{type(self).__name__}.plot")
        metrics = [metrics] if isinstance(metrics, str) else list(metrics)
        for metric in metrics:
            check_choice(metric, "metrics", METRICS)
        if not metrics:
            raise ValueError(f"metrics is empty; name some of {', '.join(METRICS)}.")
        lines = self._lines()
        self.axes_ = _panels(plt, ax, len(metrics), len(lines))
        self.ax_, self.figure_ = self.axes_[0], self.axes_[0].figure
        _name_lines(self.axes_[0], lines)
        for panel, metric in zip(self.axes_, metrics, strict=True):
            self._draw(panel, metric, lines, color)
        _explain(self.figure_, color, self.report.confidence_level)
        for line, (_, group) in enumerate(lines):
            if group is not None and not group.estimates:
                self.ax_.annotate(
                    "too few",
                    (0, line),
                    (4, 0),
                    self.ax_.get_yaxis_transform(),
                    "offset points",
                    va="center",
                    color=GREY,
                    fontsize="small",
                    fontstyle="italic",
                )
        return self

    def _lines(self) -> list[tuple[str, Any]]:
        """What stands on each line: a text, and a group unless it is a heading."""
        lines: list[tuple[str, Any]] = [("all", self.report.overall)]
        for by, members in groupby(self.report.groups, lambda group: group.by):
            lines.append((plain_text(" & ".join(by)), None))
            lines += [(plain_text(group.name), group) for group in members]
        return lines

    def _draw(self, panel: Any, metric: str, lines: list[tuple[str, Any]], color: Any) -> None:
        """The dots and whiskers of one metric."""
        head, factor = PANELS[metric]
        alpha = 1 - self.report.confidence_level
        overall = _scaled(self.report.overall, metric, factor)
        if np.isfinite(overall[1:]).all():
            panel.axvspan(overall.low, overall.high, color=PALE, lw=0, zorder=0)
        if metric == "temperature":
            panel.set_xscale("log")
        open_ended: list[tuple[int, float, Any]] = []
        for line, (_, group) in enumerate(lines):
            if group is None or not group.estimates:
                continue
            value, low, high = _scaled(group, metric, factor)
            ink = INK if group is self.report.overall else color
            if not np.isfinite(value) or (metric == "temperature" and value > FAR):
                _say(
                    panel,
                    line,
                    "none" if np.isnan(value) else "∞" if value > 1e3 else f"{value:.0f}",
                )
                if np.isfinite(low):
                    open_ended.append((line, low, ink))
                continue
            if np.isfinite([low, high]).all():
                panel.hlines(line, low, high, color=ink, lw=1.6, zorder=2)
            elif np.isfinite(low):
                open_ended.append((line, low, ink))
            differs = group is self.report.overall or group.adjusted.get(metric, 1) < alpha
            face = ink if differs else panel.get_facecolor()
            panel.plot(value, line, "o", color=ink, mfc=face, ms=5.5, mew=1.4, zorder=3)
        _draw_open_ended(panel, open_ended)
        panel.set_xlabel(head, color=INK)
        if not panel.lines:  # nothing finite: there is no scale
            panel.set_xticks([])
            panel.minorticks_off()
        elif metric == "temperature":
            _plain_log_ticks(panel)
        else:
            panel.locator_params(axis="x", nbins=4)
        panel.tick_params(axis="x", color=GREY, labelcolor=INK, labelsize="small")


def _scaled(group: Any, metric: str, factor: float) -> Estimate:
    return Estimate(*(factor * part for part in group.estimates[metric]))


def _explain(figure: Any, color: Any, level: float) -> None:
    """Say below all panels, once for each figure, what the symbols mean."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    if any(legend.get_gid() == _LEGEND for legend in figure.legends):
        return
    dot = {"color": color, "marker": "o", "ms": 5.5, "mew": 1.4, "lw": 1.6}
    handles = [
        Line2D([], [], **dot, label=f"differs from the rest (adjusted p < {1 - level:.2g})"),
        Line2D([], [], **dot, mfc="white", label="does not"),
        Patch(color=PALE, lw=0, label=f"{100 * level:g} % interval of all rows"),
    ]
    outside = "outside " if figure.get_layout_engine() is not None else ""
    legend = figure.legend(
        handles=handles, loc=f"{outside}lower left", ncols=3, frameon=False, fontsize="small",
        labelcolor=INK, handlelength=1.6, columnspacing=1.4,
    )  # fmt: skip
    legend.set_gid(_LEGEND)


def _draw_open_ended(panel: Any, whiskers: list[tuple[int, float, Any]]) -> None:
    """Whiskers without an end, as arrows to the right edge."""
    if not whiskers:
        return
    left, right = panel.get_xlim()
    panel.set_xlim(left, right)
    for line, low, ink in whiskers:
        if low >= right:  # all of it is out of the panel
            continue
        panel.annotate(
            "", (right, line), (low, line),
            arrowprops={"arrowstyle": "->", "color": ink, "lw": 1.6, "shrinkA": 0, "shrinkB": 0},
        )  # fmt: skip


def _say(panel: Any, line: int, text: str) -> None:
    """A word at the right end of a line."""
    panel.annotate(
        text, (1, line), (-3, 0), panel.get_yaxis_transform(), "offset points",
        ha="right", va="center", color=GREY,
    )  # fmt: skip


def _panels(plt: Any, ax: Any, n_panels: int, n_lines: int) -> np.ndarray:
    """Panels side by side that share their lines: in a new figure, or in place of `ax`."""
    if ax is None:
        size = (max(5.6, 1.9 + 1.75 * n_panels), 1.2 + 0.27 * n_lines)
        figure = plt.figure(figsize=size, layout="constrained")
        panels = figure.subplots(1, n_panels, sharey=True, squeeze=False)[0]
    elif n_panels == 1:
        panels = np.array([ax], dtype=object)
    else:
        ax.set_axis_off()
        grid = ax.get_subplotspec().subgridspec(1, n_panels)
        panels = grid.subplots(sharey=True, squeeze=False)[0]
    for panel in panels:
        panel.spines[["top", "right", "left"]].set_visible(False)
        panel.spines["bottom"].set_color(GREY)
        panel.tick_params(axis="y", length=0)
        panel.grid(axis="x", color=PALE, lw=0.8, zorder=0)
        panel.set_axisbelow(True)
    panels[0].set_ylim(n_lines - 0.4, -0.6)
    return panels


def _name_lines(panel: Any, lines: list[tuple[str, Any]]) -> None:
    """Names of the groups with their rows; headings and "all" in bold."""
    texts = [text if group is None else f"{text}  ({group.n_samples:,})" for text, group in lines]
    panel.set_yticks(range(len(lines)), texts)
    for label, (_, group) in zip(panel.get_yticklabels(), lines, strict=True):
        bold = group is None or not group.by
        label.set(color=INK, fontweight="bold" if bold else "normal", fontsize="small")


def _plain_log_ticks(panel: Any) -> None:
    """A few ticks with plain numbers on a logarithmic axis, whatever it spans."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

    low, high = panel.get_xlim()
    decades = np.log10(high / low)
    steps: Any = (1, 2, 5) if decades > 0.7 else (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)
    candidates = [s * 10.0**e for e in range(-6, 7) for s in steps if low <= s * 10.0**e <= high]
    if decades > 3:
        panel.xaxis.set_major_locator(LogLocator(numticks=4))
    elif len(candidates) < 2:
        ticks = MaxNLocator(3, steps=[1, 2, 5, 10]).tick_values(low, high)
        panel.set_xticks([tick for tick in ticks if low <= tick <= high])
    else:
        every = -(-len(candidates) // 4)
        at_one = candidates.index(1) % every if 1 in candidates else 0
        panel.set_xticks(candidates[at_one::every])
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_minor_formatter(NullFormatter())
