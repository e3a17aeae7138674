"""Learning curves of active learning: a score against the labels spent, beside random labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sksoftmax._estimator import check_choice
from sksoftmax.plotting._style import GREY, INK, PALE, import_pyplot, plain_text, tidy

BASELINE = "random"
BANDS = ("interval", "deviation", "range")


class ActiveLearningDisplay:
    """Score against labels, a line for each strategy, and always one for random labels.

    Lines are means over repetitions. A strategy that does not lie above the grey dashes is no use.

    Make one with `from_comparison`, which draws, or from arrays.

    Parameters
    ----------
    n_labels : array-like of shape (n_points,)
        Labels after each round, increasing.
    scores : dict of str to array-like of shape (n_repeats, n_points)
        Scores of each strategy; "random" must be one of them.
    full_score : array-like of shape (n_repeats,) or float, default=None
        Score with all labels: a line on top, and a dotted one at 95 per cent of it.
    score_name : str, default="accuracy"
        What the vertical axis shows.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes, once drawn.
    figure_ : matplotlib Figure
        The figure that holds them.
    lines_ : dict of str to matplotlib Line2D
        The line of each strategy.
    area_ : dict of str to float
        Mean height of each curve: the area under it over its width.

    See Also
    --------
    sksoftmax.active.compare_strategies : Makes the curves.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax.active import compare_strategies
    >>> from sksoftmax.plotting import ActiveLearningDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> comparison = compare_strategies(None, X, y, budget=40, n_repeats=3, random_state=0)
    >>> display = ActiveLearningDisplay.from_comparison(comparison)
    >>> sorted(display.lines_)
    ['entropy', 'margin', 'random']
    """

    ax_: Any
    figure_: Any
    lines_: dict[str, Any]

    def __init__(
        self,
        n_labels: Any,
        scores: Mapping[str, Any],
        *,
        full_score: Any = None,
        score_name: str = "accuracy",
    ) -> None:
        self.n_labels = np.asarray(n_labels)
        self.scores = {name: np.atleast_2d(curves) for name, curves in scores.items()}
        self.full_score = None if full_score is None else np.atleast_1d(full_score)
        self.score_name = score_name
        if BASELINE not in self.scores:
            raise ValueError(
                f"scores has no {BASELINE!r} curve, only {sorted(self.scores)}: without random "
                "labels beside it a learning curve says nothing about a strategy."
            )
        for name, curves in self.scores.items():
            if curves.ndim != 2 or curves.shape[1] != len(self.n_labels):
                raise ValueError(
                    f"scores[{name!r}] must have shape (n_repeats, {len(self.n_labels)}), one "
                    f"column for each number of labels; got {curves.shape}."
                )
        width = np.ptp(self.n_labels)
        steps = np.diff(self.n_labels) / width if width else np.array([])
        self.area_ = {
            name: float(np.mean((curves[:, 1:] + curves[:, :-1]) / 2 @ steps))
            if width
            else float(curves.mean())
            for name, curves in self.scores.items()
        }

    @classmethod
    def from_comparison(
        cls, comparison: Any, *, score_name: str = "accuracy", ax: Any = None, **plot: Any
    ) -> ActiveLearningDisplay:
        """Draw what `sksoftmax.active.compare_strategies` found.

        Parameters
        ----------
        comparison : StrategyComparison
            The curves.
        score_name : str, default="accuracy"
            What the vertical axis shows.
        ax : matplotlib Axes, default=None
            Where to draw; by default a new figure.
        **plot
            Passed on to `plot`.

        Returns
        -------
        display : ActiveLearningDisplay
            Drawn, with ``ax_`` and ``figure_``.
        """
        import_pyplot(f"{cls.__name__}.from_comparison")
        display = cls(
            comparison.n_labels,
            comparison.scores,
            full_score=comparison.full_score,
            score_name=score_name,
        )
        return display.plot(ax=ax, **plot)

    def plot(
        self, *, ax: Any = None, band: str = "interval", colors: Mapping[str, Any] | None = None
    ) -> ActiveLearningDisplay:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; by default a new figure.
        band : {"interval", "deviation", "range"}, default="interval"
            What is shaded around a mean: 1.96 standard errors of it, one standard deviation of the
            repetitions, or all of them. None of a single repetition.
        colors : dict of str to matplotlib color, default=None
            Of some strategies; by default the next one of the axes, and grey for random labels.

        Returns
        -------
        display : ActiveLearningDisplay
            Itself.
        """
        plt = import_pyplot(f"{type(self).__name__}.plot")
        check_choice(band, "band", BANDS)
        if ax is None:
            _, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        self._draw_full_score(ax)
        others = [name for name in self.scores if name != BASELINE]
        given = {} if colors is None else dict(colors)
        given.setdefault(BASELINE, GREY)
        self.lines_ = {
            name: self._draw(ax, name, band, given.get(name)) for name in [*others, BASELINE]
        }
        ax.set_xlabel("labels", color=INK)
        ax.set_ylabel(f"{self.score_name}, test rows", color=INK)
        ax.set_xlim(0, self.n_labels[-1])
        ax.grid(axis="y", color=PALE, lw=0.8)
        ax.set_axisbelow(True)
        ax.legend(
            title="mean over the curve", alignment="left", loc="lower right",
            frameon=True, framealpha=0.85, edgecolor="none", fontsize="small",
            title_fontsize="small",
        )  # fmt: skip
        tidy(ax)
        return self

    def _draw(self, ax: Any, name: str, band: str, color: Any) -> Any:
        curves = self.scores[name]
        mean = curves.mean(axis=0)
        style: dict[str, Any] = {"lw": 1.8}
        if name == BASELINE:
            style = {"lw": 1.5, "ls": (0, (4, 2))}
        if len(self.n_labels) == 1:
            style["marker"] = "o"
        label = f"{plain_text(name)}  {self.area_[name]:.3f}"
        (line,) = ax.plot(self.n_labels, mean, color=color, label=label, **style)
        if len(curves) > 1:
            low, high = _band(curves, band)
            ax.fill_between(self.n_labels, low, high, color=line.get_color(), alpha=0.18, lw=0)
        return line

    def _draw_full_score(self, ax: Any) -> None:
        """Lines at the score with all labels and at 95 per cent of it, named at the left."""
        if self.full_score is None:
            return
        full = float(self.full_score.mean())
        for height, style, text in (
            (full, "-", f"all labels: {full:.3f}"),
            (0.95 * full, ":", "95 % of it"),
        ):
            ax.axhline(height, color=INK, lw=0.9, ls=style, zorder=1)
            ax.annotate(
                text, (0, height), (4, 3), ax.get_yaxis_transform(), "offset points",
                color=INK, fontsize="small", va="bottom",
            )  # fmt: skip


def _band(curves: np.ndarray, band: str) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper end of what is shaded."""
    if band == "range":
        return curves.min(axis=0), curves.max(axis=0)
    mean, half = curves.mean(axis=0), curves.std(axis=0, ddof=1)
    if band == "interval":
        half = 1.96 * half / np.sqrt(len(curves))
    return mean - half, mean + half
