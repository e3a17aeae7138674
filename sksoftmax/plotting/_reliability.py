"""The reliability diagram: accuracy against confidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sksoftmax._estimator import check_choice, check_integer
from sksoftmax.metrics._bins import KINDS, Binning, Cells, cells_of
from sksoftmax.metrics._calibration_error import calibration_error
from sksoftmax.metrics._estimates import check_confidence_level, wilson
from sksoftmax.metrics._predictions import Predictions, check_predictions
from sksoftmax.plotting._style import GREY, INK, import_pyplot, plain_text, predict, tidy

_FEW = 10  # rows in a bin from which on a line passes through it
_STRIP = "sksoftmax: histogram of confidences"  # the label by which an overlay finds the strip
_OWN = "sksoftmax: a figure of a reliability diagram"  # its height may grow with the legend
# Dots at 0 and 1 are not cut by the axes. (What is empty and not cut would lie at the origin of the
# figure for a layout engine.)
_WHOLE: dict[str, Any] = {"clip_on": False, "in_layout": False}
_HEIGHT, _HEIGHT_OF_LINE = 5.9, 0.2  # inches


@dataclass(frozen=True)
class ReliabilityCurve:
    """The bins of a reliability diagram that hold rows.

    Parameters
    ----------
    label : object
        The class, or None for the top label.
    confidence, accuracy : ndarray of shape (n_points,)
        Means over each bin.
    low, high : ndarray of shape (n_points,)
        Wilson interval of the accuracy.
    n : ndarray of shape (n_points,)
        Rows in each bin; with weights, their effective number.
    mass : ndarray of shape (n_points,)
        Share of the weight of all rows.
    ece : float
        Calibration error of this curve alone, a share.

    Examples
    --------
    >>> from sksoftmax.plotting import ReliabilityDisplay
    >>> display = ReliabilityDisplay.of_predictions([0, 1, 1, 0], [0.2, 0.7, 0.6, 0.4])
    >>> display.curves[0].confidence
    array([0.6, 0.7, 0.8])
    """

    label: Any
    confidence: np.ndarray
    accuracy: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n: np.ndarray
    mass: np.ndarray
    ece: float


def _curve(label: Any, cells: Cells, z: float) -> ReliabilityCurve:
    """From cells of the top label or of one class."""
    low, high = wilson(cells.accuracy, cells.n, z)
    error = calibration_error(cells)
    return ReliabilityCurve(
        label, cells.confidence, cells.accuracy, low, high, cells.n, cells.mass, error
    )


class ReliabilityDisplay:
    """Reliability diagram: in each bin, the share of correct predictions against the confidence.

    Calibrated probabilities lie on the diagonal, overconfident ones below. Dots grow with the rows
    in the bin, and are open and not joined by the line if those are fewer than 10; whiskers are
    Wilson intervals, and the strip on top shows where the confidences are. With
    ``kind="classwise"`` there is a curve for each class; the worst few have colours.

    Make one with `from_predictions` or `from_estimator`, which draw, or with `of_predictions`,
    which does not. Draw a second one over the first, before and after, with
    ``ax=first.ax_``.

    Parameters
    ----------
    curves : list of ReliabilityCurve
        One, or one for each class.
    kind : {"top_label", "classwise"}
        What they show.
    histogram : ndarray of shape (n_bins,)
        Share of the confidences (of all classes, if classwise) in bins of equal width.
    ece : float
        Calibration error, a share.
    nll : float
        Mean log-loss in nats.
    name : str, default=None
        What the legend calls it.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The square diagram, once drawn.
    strip_ : matplotlib Axes or None
        The histogram above it.
    figure_ : matplotlib Figure
        The figure that holds them.
    lines_ : list of matplotlib Line2D
        A line for each curve, through its bins of 10 rows or more.

    See Also
    --------
    sksoftmax.metrics.expected_calibration_error : The number in the legend.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sksoftmax import MultinomialLogit
    >>> from sksoftmax.plotting import ReliabilityDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> sure, less = (MultinomialLogit(C=C).fit(X[:900], y[:900]) for C in (1e4, 1e-2))
    >>> before = ReliabilityDisplay.from_estimator(sure, X[900:], y[900:], name="C = 10,000")
    >>> after = ReliabilityDisplay.from_estimator(
    ...     less, X[900:], y[900:], name="C = 0.01", ax=before.ax_
    ... )
    >>> print(f"{before.ece:.3f} before, {after.ece:.3f} after")
    0.065 before, 0.035 after
    """

    ax_: Any
    strip_: Any
    figure_: Any
    lines_: list[Any]

    def __init__(
        self,
        curves: list[ReliabilityCurve],
        *,
        kind: str,
        histogram: np.ndarray,
        ece: float,
        nll: float,
        name: str | None = None,
    ) -> None:
        self.curves = curves
        self.kind = kind
        self.histogram = histogram
        self.ece = ece
        self.nll = nll
        self.name = name

    @classmethod
    def of_predictions(
        cls,
        y_true: Any,
        y_proba: Any,
        *,
        n_bins: int = 15,
        strategy: str = "uniform",
        kind: str = "top_label",
        confidence_level: float = 0.95,
        sample_weight: Any = None,
        labels: Any = None,
        name: str | None = None,
    ) -> ReliabilityDisplay:
        """Compute the curves without drawing them, so without matplotlib.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Labels of any type.
        y_proba : array-like of shape (n_samples, n_classes) or (n_samples,)
            Probabilities, one column per class.
        n_bins : int, default=15
            Number of bins, see `sksoftmax.metrics.expected_calibration_error`.
        strategy : {"uniform", "quantile"}, default="uniform"
            Bins of equal width or of equal weight.
        kind : {"top_label", "classwise"}, default="top_label"
            One curve for the largest probabilities, or one for each class.
        confidence_level : float, default=0.95
            Level of the whiskers.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, of which only the ratios matter.
        labels : array-like of shape (n_classes,), default=None
            The class of each column, by default the sorted labels of `y_true`.
        name : str, default=None
            What the legend calls it.

        Returns
        -------
        display : ReliabilityDisplay
            With ``curves``, ``histogram``, ``ece`` and ``nll``; ``plot()`` draws it.
        """
        binning, z = Binning.of(n_bins, strategy), check_confidence_level(confidence_level)
        check_choice(kind, "kind", KINDS)
        data = check_predictions(y_true, y_proba, sample_weight=sample_weight, labels=labels)
        cells = cells_of(data, kind, binning)
        names = data.classes if kind == "classwise" else [None]
        return cls(
            [_curve(name, cells.of_group(g), z) for g, name in enumerate(names)],
            kind=kind,
            histogram=_histogram(data, kind, binning.n_bins),
            ece=calibration_error(cells),
            nll=float(np.average(data.log_loss, weights=data.weight)),
            name=name,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        y_proba: Any,
        *,
        n_bins: int = 15,
        strategy: str = "uniform",
        kind: str = "top_label",
        confidence_level: float = 0.95,
        sample_weight: Any = None,
        labels: Any = None,
        name: str | None = None,
        ax: Any = None,
        **plot: Any,
    ) -> ReliabilityDisplay:
        """Draw the diagram of labels and probabilities.

        Parameters
        ----------
        y_true, y_proba, n_bins, strategy, kind, confidence_level, sample_weight, labels, name
            See `of_predictions`.
        ax : matplotlib Axes, default=None
            Where to draw; that of another display to draw over it. By default a new figure.
        **plot
            Passed on to `plot`.

        Returns
        -------
        display : ReliabilityDisplay
            Drawn, with ``ax_`` and ``figure_``.
        """
        import_pyplot(f"{cls.__name__}.from_predictions")
        display = cls.of_predictions(
            y_true,
            y_proba,
            n_bins=n_bins,
            strategy=strategy,
            kind=kind,
            confidence_level=confidence_level,
            sample_weight=sample_weight,
            labels=labels,
            name=name,
        )
        return display.plot(ax=ax, **plot)

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any, *, name: str | None = None, **options: Any
    ) -> ReliabilityDisplay:
        """Draw the diagram of a fitted classifier.

        Parameters
        ----------
        estimator : fitted classifier
            It needs ``classes_`` and ``predict_proba``.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.
        y : array-like of shape (n_samples,)
            Their labels.
        name : str, default=None
            What the legend calls it; by default the name of the class of the estimator.
        **options
            Those of `from_predictions`, `ax` among them.

        Returns
        -------
        display : ReliabilityDisplay
            Drawn, with ``ax_`` and ``figure_``.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        y_proba, classes = predict(estimator, X)
        name = type(estimator).__name__ if name is None else name
        return cls.from_predictions(y, y_proba, labels=classes, name=name, **options)

    def plot(
        self,
        *,
        ax: Any = None,
        name: str | None = None,
        color: Any = None,
        intervals: bool | None = None,
        histogram: bool = True,
        highlight: int = 5,
    ) -> ReliabilityDisplay:
        """Draw the diagram.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; that of another display to draw over it. By default a new figure.
        name : str, default=None
            What the legend calls it; by default the name given before.
        color : matplotlib color, default=None
            Of the top-label curve; by default the next one of the axes.
        intervals : bool, default=None
            Whether whiskers are drawn: by default for the top label, and not for classes.
        histogram : bool, default=True
            Whether the strip on top is drawn.
        highlight : int, default=5
            How many classes, those with the largest calibration errors, have a colour and a line in
            the legend; the others are grey.

        Returns
        -------
        display : ReliabilityDisplay
            Itself.
        """
        plt = import_pyplot(f"{type(self).__name__}.plot")
        check_integer(highlight, "highlight", "an integer of at least 0", at_least=0)
        if ax is None:
            figure, ax = plt.subplots(figsize=(5, _HEIGHT), layout="constrained")
            figure.set_gid(_OWN)
        self.ax_, self.figure_ = ax, ax.figure
        _prepare(ax, self.kind)
        name = self.name if name is None else name
        if self.kind == "top_label":
            self.lines_ = [self._draw_top_label(ax, name, color, intervals is not False)]
        else:
            self.lines_ = self._draw_classes(ax, name, highlight, bool(intervals))
        self.strip_ = self._draw_strip(ax) if histogram else None
        _place_legend(ax)
        return self

    def _measured(self, name: str | None) -> str:
        """Name and numbers of the whole display, a line of the legend."""
        numbers = f"{_percent(self.ece)}, NLL {self.nll:.3f}"
        return numbers if name is None else f"{plain_text(name)}: {numbers}"

    def _draw_top_label(self, ax: Any, name: str | None, color: Any, intervals: bool) -> Any:
        """A line, dots that grow with the rows, whiskers; bins of a few rows are not joined."""
        curve = self.curves[0]
        many = curve.n >= _FEW
        (line,) = ax.plot(
            curve.confidence[many], curve.accuracy[many], "-o",
            color=color, lw=1.3, ms=3.5, label=self._measured(name), **_WHOLE,
        )  # fmt: skip
        ink = line.get_color()
        area = 90 * curve.mass[many] / curve.mass.max()
        dots = {"zorder": 3, **_WHOLE}
        ax.scatter(curve.confidence[many], curve.accuracy[many], area, color=ink, lw=0, **dots)
        ax.plot(
            curve.confidence[~many], curve.accuracy[~many], "o",
            color=ink, mfc="white", ms=3.5, mew=1, **dots,
        )  # fmt: skip
        for shown, alpha in ((many, 0.55), (~many, 0.25)) if intervals else ():
            bars = curve.confidence[shown], curve.low[shown], curve.high[shown]
            ax.vlines(*bars, color=ink, lw=1.2, alpha=alpha)
        return line

    def _draw_classes(
        self, ax: Any, name: str | None, highlight: int, intervals: bool
    ) -> list[Any]:
        """The worst classes in colour, the others in grey below them; bins of a few rows left out.

        A class has few rows between probabilities of 0 and 1, and what chance makes of two or three
        would hide everything else.
        """
        worst = sorted(range(len(self.curves)), key=lambda k: -self.curves[k].ece)
        n_others = max(0, len(worst) - highlight)
        ax.plot([], [], " ", label=self._measured(name))
        lines: dict[int, Any] = {}
        for rank, k in enumerate(worst):
            curve, coloured = self.curves[k], rank < highlight
            kept = curve.n >= _FEW
            label = f"{n_others} other class" + "es" * (n_others > 1) if rank == highlight else None
            style: dict[str, Any] = {"color": GREY, "lw": 0.7, "alpha": 0.5, "zorder": 1}
            if coloured:
                label = f"{plain_text(curve.label, 20)}: {_percent(curve.ece)}"
                style = {"lw": 1.3, "marker": "o", "ms": 3.5, **_WHOLE}
            (line,) = ax.plot(curve.confidence[kept], curve.accuracy[kept], label=label, **style)
            lines[k] = line
            if coloured and intervals:
                bars = curve.confidence[kept], curve.low[kept], curve.high[kept]
                ax.vlines(*bars, color=line.get_color(), lw=1, alpha=0.4)
        return [lines[k] for k in range(len(self.curves))]

    def _draw_strip(self, ax: Any) -> Any:
        """The histogram of the confidences above the diagram; an overlay shares it."""
        strip = next((child for child in ax.child_axes if child.get_label() == _STRIP), None)
        if strip is None:
            strip = ax.inset_axes([0, 1.02, 1, 0.14], label=_STRIP)
            strip.set(xlim=(0, 1), yscale="log" if self.kind == "classwise" else "linear")
            strip.set_axis_off()
            words = "rows\n(log)" if self.kind == "classwise" else "rows"
            strip.annotate(
                words, (0, 0.5), (-5, 0), "axes fraction", "offset points",
                color=INK, fontsize="small", ha="right", va="center",
            )  # fmt: skip
        edges = np.linspace(0, 1, len(self.histogram) + 1)
        color = self.lines_[0].get_color() if self.kind == "top_label" else GREY
        classwise = self.kind == "classwise"  # most probabilities of a class are near 0: logarithms
        floor = self.histogram[self.histogram > 0].min() / 3 if classwise else 0.0
        strip.stairs(self.histogram, edges, baseline=floor, fill=True, color=color, alpha=0.3)
        strip.stairs(self.histogram, edges, baseline=floor, color=color, lw=1)
        if classwise:
            strip.set_ylim(bottom=floor)
        return strip


def _percent(ece: float) -> str:
    return f"ECE {100 * ece:.2f} %"


def _place_legend(ax: Any) -> None:
    """Below the axes, where it covers nothing; a figure of our own grows by its lines."""
    legend = ax.legend(
        loc="upper left", bbox_to_anchor=(-0.02, -0.15), borderaxespad=0, frameon=False,
        fontsize="small", labelcolor=INK,
    )  # fmt: skip
    if ax.figure.get_gid() == _OWN:
        ax.set_anchor("N")  # the square at the top, so that what is left of the height is below
        ax.figure.set_figheight(_HEIGHT + _HEIGHT_OF_LINE * len(legend.get_texts()))


def _prepare(ax: Any, kind: str) -> None:
    """Square axes with the diagonal, once."""
    if any(line.get_gid() == _STRIP for line in ax.lines):
        return
    ax.plot([0, 1], [0, 1], ":", color=GREY, lw=1.2, zorder=0, gid=_STRIP)
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    ticks = np.linspace(0, 1, 6)
    ax.set(xticks=ticks, yticks=ticks)
    words = {
        "top_label": ("confidence (largest probability)", "accuracy"),
        "classwise": ("probability of the class", "share of rows of the class"),
    }
    ax.set(xlabel=words[kind][0], ylabel=words[kind][1])
    tidy(ax)


def _histogram(data: Predictions, kind: str, n_bins: int) -> np.ndarray:
    """Share of the confidences in bins of equal width."""
    proba = data.confidence[:, np.newaxis] if kind == "top_label" else data.proba
    mass = Binning(n_bins).sums(proba, data.target, data.weight)[..., 0].sum(axis=0)
    share: np.ndarray = mass / mass.sum()
    return share
