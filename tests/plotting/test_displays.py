"""The displays: scikit-learn's convention, what is drawn, labels that are hostile to pictures."""

import builtins

import matplotlib as mpl
import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.svm import LinearSVC

from sksoftmax import MultinomialLogit
from sksoftmax.metrics import expected_calibration_error, subgroup_report
from sksoftmax.plotting import ReliabilityDisplay, SubgroupDisplay
from sksoftmax.plotting._subgroups import _plain_log_ticks

mpl.use("Agg")
import matplotlib.pyplot as plt

X, Y = load_iris(return_X_y=True)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def two_models():
    """Labels, and probabilities of a model that is sure and of one that is not."""
    return Y, *(MultinomialLogit(C=C).fit(X, Y).predict_proba(X) for C in (100, 0.01))


def texts_of(legend):
    return [text.get_text() for text in legend.get_texts()]


def drawn(figure):
    """Every text of the figure that is inside it after drawing, and those that are not."""
    figure.canvas.draw()
    renderer, frame = figure.canvas.get_renderer(), figure.bbox
    inside, outside = [], []
    for text in figure.findobj(mpl.text.Text):
        box = text.get_window_extent(renderer)
        if text.get_visible() and text.get_text().strip() and box.width:
            fits = frame.x0 <= box.x0 and box.x1 <= frame.x1 + 1 and box.y1 <= frame.y1 + 1
            (inside if fits and frame.y0 <= box.y0 + 1 else outside).append(text.get_text())
    return inside, outside


def test_the_points_are_the_bins(two_models):
    y, y_proba, _ = two_models
    display = ReliabilityDisplay.from_predictions(y, y_proba, n_bins=5)
    (curve,) = display.curves
    index = np.minimum((y_proba.max(axis=1) * 5).astype(int), 4)

    n = np.bincount(index)
    held = n > 0
    np.testing.assert_array_equal(curve.n, n[held])
    hits = np.bincount(index, y_proba.argmax(axis=1) == y)[held]
    np.testing.assert_allclose(curve.accuracy, hits / n[held])
    line = display.lines_[0].get_xydata()[:, 1]
    np.testing.assert_allclose(line, curve.accuracy[curve.n >= 10])  # few rows: not joined
    dots = np.concatenate([each.get_xydata() for each in display.ax_.lines[1:]])
    np.testing.assert_allclose(np.sort(dots[:, 1]), np.sort(curve.accuracy))
    assert display.ece == expected_calibration_error(y, y_proba, n_bins=5)
    assert display.histogram.sum() == pytest.approx(1)
    assert ((curve.low <= curve.accuracy) & (curve.accuracy <= curve.high)).all()


def test_before_and_after_share_axes_strip_and_legend(two_models):
    y, sure, less = two_models
    before = ReliabilityDisplay.from_predictions(y, sure, name="before")
    after = ReliabilityDisplay.from_predictions(y, less, name="after", ax=before.ax_)

    assert after.ax_ is before.ax_
    assert after.strip_ is before.strip_
    assert after.figure_ is before.figure_
    first, second = texts_of(before.ax_.get_legend())
    assert first.startswith("before: ECE ")
    assert second.startswith("after: ECE ")
    assert f"NLL {after.nll:.3f}" in second
    assert before.lines_[0].get_color() != after.lines_[0].get_color()
    assert before.ax_.get_aspect() == 1


@pytest.mark.parametrize("kind", ["top_label", "classwise"])
def test_the_legend_covers_no_data_however_long(two_models, kind):
    y, sure, less = two_models
    display = ReliabilityDisplay.from_predictions(y, sure, kind=kind, name="before")
    for name in ("after", "later", "at last"):
        ReliabilityDisplay.from_predictions(y, less, kind=kind, name=name, ax=display.ax_)
    assert drawn(display.figure_)[1] == []
    box = display.ax_.get_legend().get_window_extent()
    assert box.y1 < display.ax_.get_window_extent().y0


def test_diagrams_in_one_row_leave_room_for_each_other(two_models):
    """Also where all bins hold many rows, so that no open dot is drawn."""
    y, sure, _ = two_models
    figure, panels = plt.subplots(1, 3, figsize=(12, 5.5), layout="constrained")
    for panel in panels:
        ReliabilityDisplay.from_predictions(y, sure, n_bins=1, name="a model", ax=panel)
    assert drawn(figure)[1] == []
    assert all(panel.get_window_extent().width > 0.2 * figure.bbox.width for panel in panels)


def test_nothing_is_cut_off_even_under_a_title(two_models):
    y, sure, _ = two_models
    display = ReliabilityDisplay.from_predictions(y, sure, name="a model")
    display.ax_.set_title("A title above the strip")
    inside, outside = drawn(display.figure_)

    assert outside == []
    assert "A title above the strip" in inside


def test_classwise_draws_a_line_for_each_class(rng):
    y_proba = rng.dirichlet(np.ones(12), size=600)
    y = (y_proba.cumsum(axis=1) < rng.random((600, 1))).sum(axis=1)
    labels = [f"class {k}" for k in range(12)]
    display = ReliabilityDisplay.from_predictions(
        np.array(labels)[y], y_proba, labels=labels, kind="classwise", highlight=3, intervals=True
    )

    assert len(display.lines_) == len(display.curves) == 12
    texts = texts_of(display.ax_.get_legend())
    assert len(texts) == 5
    assert texts[-1] == "9 other classes"
    worst = max(display.curves, key=lambda curve: curve.ece)
    assert texts[1].startswith(f"{worst.label}: ECE")
    assert display.ece == pytest.approx(np.mean([curve.ece for curve in display.curves]))
    assert drawn(display.figure_)[1] == []


def test_from_estimator():
    model = MultinomialLogit().fit(X, np.array(["a", "b", "c"])[Y])
    display = ReliabilityDisplay.from_estimator(model, X, np.array(["a", "b", "c"])[Y])

    assert display.name == "MultinomialLogit"
    with pytest.raises(TypeError, match="LinearSVC has no predict_proba"):
        ReliabilityDisplay.from_estimator(LinearSVC().fit(X, Y), X, Y)


def test_options_of_the_plot(two_models):
    y, sure, _ = two_models
    figure, axes = plt.subplots(1, 2)
    display = ReliabilityDisplay.of_predictions(y, sure)
    assert not hasattr(display, "ax_")

    assert display.plot(ax=axes[0], histogram=False, intervals=False, color="red") is display
    assert display.strip_ is None
    assert display.ax_ is axes[0]
    assert display.figure_ is figure
    assert display.lines_[0].get_color() == "red"
    with pytest.raises(ValueError, match="highlight must be an integer of at least 0"):
        display.plot(ax=axes[1], highlight=-1)


@pytest.mark.parametrize("kind", ["top_label", "classwise"])
@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
def test_certain_probabilities_and_one_row(kind, strategy):
    options = {"kind": kind, "strategy": strategy}
    for y, y_proba in ([0, 1, 2], np.eye(3)), ([1], np.eye(3)[:1]):
        display = ReliabilityDisplay.from_predictions(y, y_proba, labels=[0, 1, 2], **options)
        display.figure_.canvas.draw()


def test_hostile_names_are_drawn_literally(two_models):
    y, sure, _ = two_models
    name = "$\\frac{1$ <b> " + "long " * 30
    display = ReliabilityDisplay.from_predictions(y, sure, name=name)

    assert drawn(display.figure_)[1] == []
    groups = np.where(np.arange(150) % 2, "$x_{$", "a very long name of a group " * 4)
    figure = SubgroupDisplay.from_predictions(y, sure, {"$ite": groups}).figure_
    assert drawn(figure)[1] == []


# --- subgroups ------------------------------------------------------------------------------------


@pytest.fixture
def report(rng):
    """Three groups: calibrated, overconfident, too few."""
    p = rng.uniform(size=2000)
    site = np.where(rng.random(2000) < 0.5, "north", "south")
    site[:20] = "east"
    y = rng.uniform(size=2000) < np.where(site == "south", 0.25 + p / 2, p)
    return subgroup_report(y, p, {"site": site})


def test_a_panel_for_each_metric_and_a_line_for_each_group(report):
    display = SubgroupDisplay(report).plot(metrics=["nll", "ece", "temperature"])
    names = [label.get_text() for label in display.ax_.get_yticklabels()]

    assert [ax.get_xlabel() for ax in display.axes_] == [
        "log-loss (nats)",
        "ECE, debiased (%)",
        "temperature",
    ]
    n = {group.name: group.n_samples for group in report.groups}
    assert names == [
        "all  (2,000)",
        "site",
        "east  (20)",
        f"north  ({n['north']:,})",
        f"south  ({n['south']:,})",
    ]
    inside, outside = drawn(display.figure_)
    assert outside == []
    assert inside.count("too few") == 1


def test_full_dots_differ_and_open_ones_do_not(report):
    display = SubgroupDisplay(report).plot(metrics="confidence")
    dots = [line for line in display.ax_.lines if line.get_marker() == "o"]
    faces = [mpl.colors.to_hex(dot.get_markerfacecolor()) for dot in dots]
    edges = [mpl.colors.to_hex(dot.get_color()) for dot in dots]
    differ = [True] + [g.adjusted["confidence"] < 0.05 for g in report.groups if g.estimates]

    assert [face == edge for face, edge in zip(faces, edges, strict=True)] == differ


def test_the_dots_are_the_values(report):
    display = SubgroupDisplay(report).plot(metrics="accuracy")
    dots = [line.get_xydata()[0] for line in display.ax_.lines if line.get_marker() == "o"]
    values = [100 * g.estimates["accuracy"].value for g in (report.overall, *report.groups[1:])]

    np.testing.assert_allclose([x for x, _ in dots], values)
    assert [y for _, y in dots] == [0, 3, 4]


def test_given_axes_are_divided(report):
    figure, axes = plt.subplots(2, 1, figsize=(8, 8), layout="constrained")
    above = SubgroupDisplay(report).plot(ax=axes[0], metrics=["nll", "ece"])
    below = SubgroupDisplay(report).plot(ax=axes[1], metrics="nll")

    assert len(above.axes_) == 2
    assert below.ax_ is axes[1]
    assert above.figure_ is below.figure_ is figure
    (legend,) = figure.legends  # one for both
    assert texts_of(legend)[0] == "differs from the rest (adjusted p < 0.05)"


def test_infinite_temperatures_and_losses_are_said():
    y_proba = np.tile([[1.0, 0.0], [0.4, 0.6]], (100, 1))
    y = np.tile([1, 1, 0, 0], 50)  # of group a some impossible labels
    groups = np.tile(["a", "b"], 100)
    display = SubgroupDisplay.from_predictions(y, y_proba, groups, metrics=["nll", "temperature"])

    assert "∞" in drawn(display.figure_)[0]


def test_a_panel_of_infinite_values_has_no_scale(rng):
    y_proba = np.tile([[1.0, 0.0]], (200, 1))
    groups, y = np.tile(["a", "b"], 100), np.tile([1, 1, 0, 0], 50)
    display = SubgroupDisplay.from_predictions(y, y_proba, groups, metrics=["nll", "accuracy"])
    assert len(display.axes_[0].get_xticks()) == 0
    assert len(display.axes_[1].get_xticks()) > 1


@pytest.mark.parametrize(("low", "high"), [(1.61, 1.95), (0.4, 9), (0.31, 0.32), (1e-3, 1e3)])
def test_every_range_of_temperatures_has_ticks(low, high):
    _, panel = plt.subplots()
    panel.set_xscale("log")
    panel.set_xlim(low, high)
    _plain_log_ticks(panel)
    panel.figure.canvas.draw()
    shown = [t for t in panel.get_xticks() if low <= t <= high]
    assert 2 <= len(shown) <= 5


def test_subgroups_from_estimator():
    model = MultinomialLogit().fit(X, Y)
    display = SubgroupDisplay.from_estimator(model, X, Y, Y % 2, metrics=["nll"], min_group_size=20)

    assert display.report.min_group_size == 20


def test_metrics_that_are_wrong(report):
    with pytest.raises(ValueError, match="metrics must be one of 'accuracy'"):
        SubgroupDisplay(report).plot(metrics=["auc"])
    with pytest.raises(ValueError, match="metrics is empty"):
        SubgroupDisplay(report).plot(metrics=[])


def test_without_matplotlib_it_says_what_to_install(report, two_models, monkeypatch):
    import_ = builtins.__import__

    def without_matplotlib(name, *args, **kwargs):
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
        return import_(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_matplotlib)
    y, sure, _ = two_models
    for draw in (
        SubgroupDisplay(report).plot,
        lambda: ReliabilityDisplay.from_predictions(y, sure),
        ReliabilityDisplay.of_predictions(y, sure).plot,
    ):
        with pytest.raises(ImportError, match=r'pip install "sksoftmax\[plot\]"'):
            draw()
