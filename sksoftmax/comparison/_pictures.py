"""The comparison as a picture: sums before division, paired differences, coupling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sksoftmax.plotting._style import GREY, INK, PALE, import_pyplot, tidy

if TYPE_CHECKING:
    from sksoftmax.comparison._report import ComparisonReport

BLUE, ORANGE = "#2166ac", "#d95f02"
# As the picture shows it, and the factor that makes larger mean that one-vs-rest is worse.
_METRICS = {
    "nll": ("log-loss (nats)", 1.0),
    "brier": ("Brier score", 1.0),
    "accuracy": ("share of errors", -1.0),
    "ece": ("ECE (share)", 1.0),
}


def draw(report: ComparisonReport, figure: Any = None) -> Any:
    """Draw the panels side by side into a figure."""
    plt = import_pyplot("ComparisonReport.plot")
    coupled = report.coupling is not None and np.isfinite(report.coupling.one_vs_rest).any()
    n_panels = 3 if coupled else 2
    if figure is None:
        figure = plt.figure(figsize=(4.2 * n_panels, 3.2), layout="constrained")
    axes = figure.subplots(1, n_panels)
    _draw_mass(axes[0], report)
    _draw_differences(axes[1], report)
    if coupled:
        _draw_coupling(axes[2], report)
    for ax in axes:
        tidy(ax)
    return figure


def _draw_mass(ax: Any, report: ComparisonReport) -> None:
    values = report.mass.values
    top = max(2.0, float(np.quantile(values, 0.999)))
    ax.hist(np.minimum(values, top), bins=np.linspace(0, top, 41), color=ORANGE, alpha=0.8)
    ax.axvline(1.0, color=BLUE, lw=1.5)
    ax.annotate(
        "softmax: 1",
        (1.0, 0.97),
        (6, 0),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        color=BLUE,
        va="top",
    )
    ax.set(xlabel="sum of the K probabilities of one-vs-rest", ylabel="rows", xlim=(0, top))
    ax.set_title("Total probability before division", loc="left", color=INK, fontsize="medium")


def _draw_differences(ax: Any, report: ComparisonReport) -> None:
    positions = np.arange(len(_METRICS))[::-1]
    ax.axvline(0.0, color=GREY, lw=1)
    for position, (name, (_, factor)) in zip(positions, _METRICS.items(), strict=True):
        value, *limits = (factor * part for part in report[name].difference)
        sure = min(limits) > 0 or max(limits) < 0
        ax.plot(limits, [position, position], color=INK, lw=1.5)
        ax.plot(value, position, "o", color=INK, mfc=INK if sure else "white", ms=6)
    low, high = ax.get_xlim()
    ax.set_xlim(min(low, -0.002), max(high, 0.002))  # rounding is no difference
    ax.set_yticks(positions, [shown for shown, _ in _METRICS.values()])
    ax.set(ylim=(-0.6, len(_METRICS) - 0.4), xlabel="one-vs-rest minus softmax")
    ax.set_title("Right of 0: one-vs-rest is worse", loc="left", color=INK, fontsize="medium")


def _draw_coupling(ax: Any, report: ComparisonReport) -> None:
    assert report.coupling is not None  # the caller looked
    shares = np.sort(report.coupling.one_vs_rest[np.isfinite(report.coupling.one_vs_rest)])
    ranks = (np.arange(len(shares)) + 0.5) / len(shares)
    ax.fill_between(100 * shares, 0, ranks, color=PALE, step="mid", lw=0)
    ax.plot(100 * shares, ranks, "o", color=ORANGE, ms=4, label="one-vs-rest")
    ax.plot([0, 0], [0, 1], color=BLUE, lw=2, label="softmax", clip_on=False)
    ax.set(
        xlabel="% of the variance of log(p_a / p_b) not linear",
        ylabel="share of the pairs of classes",
        ylim=(0, 1),
    )
    ax.set_xlim(left=0)
    ax.legend(frameon=False, loc="lower right")
    ax.set_title("Log-odds between two classes", loc="left", color=INK, fontsize="medium")
