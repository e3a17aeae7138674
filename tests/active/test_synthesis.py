"""Synthesized rows: the gradient, the closed form, trees, segments, plausibility, valid columns."""

import itertools

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.datasets import load_iris, make_blobs
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sksoftmax import EntropyActiveLearner, MultinomialLogit, SoftmaxBoostingClassifier
from sksoftmax.active._synthesis_linear import entropy_gradient, nearest_uniform_point
from sksoftmax.functional import entropy

FREE = (-np.inf, np.inf)
ESTIMATORS = {
    "linear": MultinomialLogit(),
    "pipeline": make_pipeline(StandardScaler(), LogisticRegression()),
    "trees": SoftmaxBoostingClassifier(max_iter=10, min_samples_leaf=5, random_state=0),
    "one tree per class": SoftmaxBoostingClassifier(
        max_iter=5, min_samples_leaf=5, multi_strategy="one_output_per_tree", n_jobs=1
    ),
    "neighbors": KNeighborsClassifier(15),
    "forest": RandomForestClassifier(20, min_samples_leaf=5, random_state=0),
}


def fitted(estimator, X, y, **parameters):
    return EntropyActiveLearner(estimator, random_state=0, **parameters).fit(X, y)


def to_each(X, new):
    """Root mean square of the differences in standard deviations, (n_new, n_rows)."""
    moved = (new[:, None] - X) / np.where(X.std(axis=0) > 0, X.std(axis=0), 1)
    return np.sqrt((moved**2).mean(axis=2))


def distance(X, new):
    """Distance to the nearest row, over the median one of a row to its nearest neighbor."""
    among = to_each(X, np.unique(X, axis=0))
    neighbor = np.where(among > 0, among, np.inf).min(axis=1)
    return to_each(X, new).min(axis=1) / np.median(neighbor)


def entropies(learner, X):
    return entropy(np.log(np.maximum(learner.predict_proba(X), 1e-300)))


@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_the_gradient_of_the_entropy_is_that_of_finite_differences(rng, n_classes):
    logits = 2 * rng.normal(size=(20, n_classes))
    value, gradient = entropy_gradient(logits)
    step = 1e-6
    for k in range(n_classes):
        moved = logits.copy()
        moved[:, k] += step
        above = entropy(moved)
        moved[:, k] -= 2 * step
        np.testing.assert_allclose(gradient[:, k], (above - entropy(moved)) / (2 * step), atol=1e-8)
    np.testing.assert_allclose(value, entropy(logits))


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_the_closed_form_is_the_nearest_point_of_equal_logits(rng, n_classes):
    W, b, x0 = rng.normal(size=(n_classes, 6)), rng.normal(size=n_classes), rng.normal(size=6)
    scale = rng.uniform(0.1, 10, 6)
    x = nearest_uniform_point(W, b, x0, scale)

    assert np.ptp(W @ x + b) < 1e-10
    # Any other solution x + N t is farther: the change is orthogonal to the null space of C W S.
    centered = (W - W.mean(axis=0)) * scale
    null = np.linalg.svd(centered)[2][n_classes - 1 :]
    assert np.abs(null @ ((x - x0) / scale)).max() < 1e-10


@pytest.mark.parametrize("estimator", ["linear", "pipeline"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_without_a_penalty_linear_models_reach_the_largest_entropy(estimator, n_classes):
    X, y = load_iris(return_X_y=True)
    rows = y < n_classes
    learner = fitted(ESTIMATORS[estimator], X[rows], y[rows])
    new = learner.synthesize(3, bounds=FREE, plausibility=0.0)

    assert new.shape == (3, 4)
    np.testing.assert_allclose(entropies(learner, new), np.log(n_classes), rtol=1e-12)
    assert len(np.unique(new.round(6), axis=0)) == 3


def test_more_classes_than_features_allow_are_as_uncertain_as_a_fine_grid_finds():
    X, y = make_blobs(300, n_features=2, centers=6, random_state=0)
    learner = fitted(MultinomialLogit(C=0.01), X, y)
    new = learner.synthesize(bounds=FREE, plausibility=0.0)
    axes = [np.linspace(X[:, j].min() - 5, X[:, j].max() + 5, 300) for j in range(2)]
    grid = np.array(list(itertools.product(*axes)))

    assert entropies(learner, new)[0] >= entropies(learner, grid).max() - 1e-9


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("plausibility", [0.1, 1.0])
def test_rows_are_more_uncertain_than_the_data_by_more_than_their_distance_costs(
    blobs, estimator, plausibility
):
    X, y = blobs
    learner = fitted(ESTIMATORS[estimator], X, y)
    new = learner.synthesize(4, plausibility=plausibility)
    worth = entropies(learner, new) - plausibility * distance(X, new) ** 2

    if estimator in ("linear", "pipeline"):
        assert worth.max() >= entropies(learner, X).max() - 1e-9
    else:  # new rows come before better ones of the data
        assert worth.max() > np.quantile(entropies(learner, X), 0.9)
        # The cells of these trees are large: their middles are dear.
        assert "tree" in estimator or to_each(X, new).min() > 0
    assert (np.diff(worth) <= 1e-9).all()
    assert (new >= X.min(axis=0) - 1e-12).all()
    assert (new <= X.max(axis=0) + 1e-12).all()
    assert len(np.unique(new, axis=0)) == 4


@pytest.mark.parametrize("estimator", ["linear", "trees"])
def test_plausibility_keeps_rows_near_the_data(estimator):
    X, y = load_iris(return_X_y=True)
    learner = fitted(ESTIMATORS[estimator], X, y)
    far, near, on = (
        distance(X, learner.synthesize(3, plausibility=p)).mean() for p in (0.0, 1.0, 1e6)
    )
    assert far > near >= on
    assert on < 1e-3


def test_no_single_change_of_a_feature_improves_a_row_of_the_trees(blobs):
    X, y = blobs
    learner = fitted(ESTIMATORS["trees"], X, y)
    (new,) = learner.synthesize(plausibility=0.0)
    best = entropies(learner, new[None])[0]
    for j, values in enumerate(np.linspace(X.min(axis=0), X.max(axis=0), 500).T):
        moved = np.tile(new, (500, 1))
        moved[:, j] = values
        assert entropies(learner, moved).max() <= best + 1e-6


def test_bounds_hold(blobs):
    X, y = blobs
    center = X.mean(axis=0)
    low, high = center - 0.5, center + np.array([0.5, 0.5, 0.0])
    for estimator in ESTIMATORS.values():
        new = fitted(estimator, X, y).synthesize(2, bounds=(low, high))
        assert (new >= low).all()
        assert (new <= high + 1e-12).all()


def test_whole_numbers_stay_whole():
    X, y = load_iris(return_X_y=True)
    X = np.column_stack([np.round(X * 10), X[:, 0]])
    for estimator in ESTIMATORS.values():
        new = fitted(estimator, X, y).synthesize(3)
        np.testing.assert_array_equal(new[:, :4], np.round(new[:, :4]))
        integers = fitted(estimator, X[:, :4].astype(int), y).synthesize(2)
        assert integers.dtype.kind == "i"


@pytest.fixture
def table(rng):
    """A frame of everything: categories, texts, truths, whole numbers and fractions."""
    n = 200
    frame = pd.DataFrame(
        {
            "size": rng.normal(size=n).astype(np.float32),
            "count": rng.integers(0, 9, n),
            "color": pd.Categorical(rng.choice(["red", "green"], n), ["green", "red", "blue"]),
            "old": rng.random(n) < 0.5,
        }
    )
    y = np.where(frame["size"] + (frame["color"] == "red") + 0.1 * frame["count"] > 0.9, "+", "-")
    return frame, y


def test_frames_come_back_as_frames_with_valid_cells(table):
    frame, y = table
    trees = SoftmaxBoostingClassifier(max_iter=10, min_samples_leaf=5)
    learner = fitted(trees, frame, y)
    new = learner.synthesize(4)

    assert isinstance(new, pd.DataFrame)
    pd.testing.assert_series_equal(new.dtypes, frame.dtypes)
    assert set(new["color"]) <= {"green", "red", "blue"}
    assert new["color"].notna().all()
    assert new["count"].between(0, 8).all()
    learner.teach(X=new, y=["+"] * 4)
    assert learner.n_labels_ == 204


def test_polars_frames_come_back_as_polars_frames(rng):
    X, y = load_iris(return_X_y=True)
    frame = pl.DataFrame(X, schema=["a", "b", "c", "d"])
    new = fitted(MultinomialLogit(), frame, y).synthesize(2)
    assert isinstance(new, pl.DataFrame)
    assert new.schema == frame.schema


def test_codes_of_categories_are_codes_that_occur(rng):
    X = np.column_stack([rng.choice([1.0, 4.0, 7.0], 300), rng.normal(size=300)])
    y = (X[:, 0] == 4) ^ (X[:, 1] > 0)
    trees = SoftmaxBoostingClassifier(max_iter=10, min_samples_leaf=5, categorical_features=[0])
    new = fitted(trees, X, y).synthesize(5, plausibility=0.01)
    assert set(new[:, 0]) <= {1.0, 4.0, 7.0}


def test_missing_values_in_the_data_do_not_stop_the_search(rng):
    X, y = load_iris(return_X_y=True)
    X[rng.random(X.shape) < 0.1] = np.nan
    learner = fitted(ESTIMATORS["trees"], X, y)
    assert np.isfinite(learner.synthesize(3)).all()


def test_the_search_is_the_same_every_time_and_changes_nothing(blobs):
    learner = fitted(RandomForestClassifier(5, random_state=0), *blobs)
    before = dict(vars(learner))
    np.testing.assert_array_equal(learner.synthesize(3), learner.synthesize(3))
    assert dict(vars(learner)) == before


def test_another_reference_says_what_is_plausible(blobs):
    X, y = blobs
    learner = fitted(MultinomialLogit(), X, y)
    near = X[:5]
    new = learner.synthesize(2, X_reference=near)
    assert (new >= near.min(axis=0)).all()
    assert (new <= near.max(axis=0)).all()


def test_all_columns_constant_leave_the_only_row_there_is():
    X, y = np.ones((20, 2)), np.arange(20) % 2
    new = fitted(MultinomialLogit(), X, y).synthesize(1)
    np.testing.assert_array_equal(new, [[1.0, 1.0]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_queries": 0}, "n_queries must be an integer >= 1"),
        ({"plausibility": -1}, "plausibility must be a finite number >= 0"),
        ({"bounds": (1, 0)}, "low is above high in column 0"),
        ({"bounds": 3}, "bounds must be a pair"),
        ({"bounds": ([0, 1], [2, 3])}, "bounds must be a pair"),
        ({"X_reference": [[0, 0]]}, "have 3 columns"),
    ],
)
def test_wrong_arguments_are_named(blobs, arguments, message):
    learner = fitted(MultinomialLogit(), *blobs)
    with pytest.raises(ValueError, match=message):
        learner.synthesize(**arguments)


def test_what_cannot_be_synthesized_says_why(blobs):
    X, y = blobs
    with pytest.raises(NotFittedError):
        EntropyActiveLearner().fit(X).synthesize()
    with pytest.raises(ValueError, match="at least two classes"):
        fitted(None, X, np.where(np.arange(400) < 3, "a", None)).synthesize()
    with pytest.raises(ValueError, match="X of fit is sparse"):
        fitted(None, sparse.csr_matrix(X), y).synthesize()
