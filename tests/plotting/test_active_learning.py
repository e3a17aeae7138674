"""The learning curves: random labels are always there, and the lines are the means."""

import matplotlib as mpl
import numpy as np
import pytest

from sksoftmax.active import StrategyComparison
from sksoftmax.plotting import ActiveLearningDisplay

mpl.use("Agg")
import matplotlib.pyplot as plt


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def comparison(rng):
    n_labels = np.arange(10, 110, 10)
    curve = 1 - np.exp(-n_labels / 40)
    scores = {
        name: share * curve + rng.normal(0, 0.02, (5, 10))
        for name, share in {"entropy": 0.95, "random": 0.85}.items()
    }
    return StrategyComparison(n_labels, scores, np.full(5, 0.97))


def test_the_lines_are_means_and_the_baseline_is_dashed_grey(comparison):
    display = ActiveLearningDisplay.from_comparison(comparison)
    assert list(display.lines_) == ["entropy", "random"]
    for name, line in display.lines_.items():
        np.testing.assert_array_equal(line.get_xdata(), comparison.n_labels)
        np.testing.assert_allclose(line.get_ydata(), comparison.scores[name].mean(axis=0))
    assert display.lines_["random"].is_dashed()
    assert not display.lines_["entropy"].is_dashed()
    assert len(display.ax_.collections) == 2


def test_the_legend_says_the_area_that_the_comparison_says(comparison):
    display = ActiveLearningDisplay.from_comparison(comparison)
    area = {name: values.mean() for name, values in comparison.area().items()}
    assert display.area_ == pytest.approx(area)
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert texts == [f"{name}  {area[name]:.3f}" for name in ("entropy", "random")]


@pytest.mark.parametrize("band", ["interval", "deviation", "range"])
def test_bands_are_what_they_are_said_to_be(comparison, band):
    display = ActiveLearningDisplay.from_comparison(comparison, band=band)
    curves = comparison.scores["entropy"]
    vertices = display.ax_.collections[0].get_paths()[0].vertices
    low = np.array([vertices[vertices[:, 0] == x, 1].min() for x in comparison.n_labels])
    half = {
        "interval": 1.96 * curves.std(axis=0, ddof=1) / np.sqrt(5),
        "deviation": curves.std(axis=0, ddof=1),
        "range": curves.mean(axis=0) - curves.min(axis=0),
    }[band]
    np.testing.assert_allclose(low, curves.mean(axis=0) - half)


def test_without_random_labels_there_is_no_picture(comparison):
    with pytest.raises(ValueError, match="no 'random' curve, only \\['entropy'\\]"):
        ActiveLearningDisplay(comparison.n_labels, {"entropy": comparison.scores["entropy"]})


def test_wrong_arguments_are_named(comparison):
    with pytest.raises(ValueError, match=r"scores\['random'\] must have shape"):
        ActiveLearningDisplay([1, 2], {"random": [[1, 2, 3]]})
    with pytest.raises(ValueError, match="band must be one of"):
        ActiveLearningDisplay.from_comparison(comparison, band="iqr")


def test_one_repetition_and_one_round_are_drawn():
    display = ActiveLearningDisplay([10], {"random": [0.5]}).plot()
    assert display.lines_["random"].get_marker() == "o"
    assert len(display.ax_.collections) == 0
    display = ActiveLearningDisplay([10, 20], {"random": [0.5, 0.7], "$x": [1, 1]}).plot()
    display.figure_.canvas.draw()


def test_it_draws_where_it_is_told(comparison):
    _, ax = plt.subplots()
    display = ActiveLearningDisplay.from_comparison(comparison, ax=ax, colors={"entropy": "red"})
    assert display.ax_ is ax
    assert display.lines_["entropy"].get_color() == "red"
