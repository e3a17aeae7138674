"""`compare_strategies` and the numbers it yields."""

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.tree import DecisionTreeClassifier

from sksoftmax import EntropyActiveLearner, MultinomialLogit
from sksoftmax.active import StrategyComparison, compare_strategies

OPTIONS = {"budget": 40, "n_repeats": 2, "batch_size": 10, "random_state": 0}


@pytest.fixture
def known():
    """Curves whose numbers are known."""
    scores = {
        "good": np.array([[0.2, 0.8, 1.0], [0.4, 0.6, 0.8]]),
        "random": np.array([[0.2, 0.2, 0.2], [0.9, 0.9, 0.9]]),
    }
    return StrategyComparison(np.array([10, 20, 40]), scores, np.array([1.0, 0.8]))


def test_labels_to_reach_a_share_of_the_full_score(known):
    labels = known.labels_to_reach(0.7)
    assert labels["good"].tolist() == [20, 20]
    assert labels["random"].tolist() == [np.inf, 10]
    with pytest.raises(ValueError, match="share must be a positive number"):
        known.labels_to_reach(0)


def test_the_area_is_the_mean_height_of_the_curve(known):
    area = known.area()
    np.testing.assert_allclose(area["good"], [(10 * 0.5 + 20 * 0.9) / 30, (5 + 14) / 30])
    np.testing.assert_allclose(area["random"], [0.2, 0.9])
    one = StrategyComparison(np.array([5]), {"random": np.array([[0.3]])}, np.array([1.0]))
    assert one.area()["random"].tolist() == [0.3]


def test_the_table_names_every_strategy(known):
    lines = str(known).splitlines()
    assert lines[0] == "full score 0.900 over 2 repetitions; 10 to 40 labels"
    assert [line.split()[0] for line in lines[2:]] == ["good", "random"]


def test_random_labels_are_always_there_and_all_start_alike(blobs):
    found = compare_strategies(None, *blobs, ["entropy", "margin"], **OPTIONS)

    assert list(found.scores) == ["entropy", "margin", "random"]
    assert found.n_labels.tolist() == [10, 20, 30, 40]
    assert all(curves.shape == (2, 4) for curves in found.scores.values())
    for curves in found.scores.values():
        np.testing.assert_array_equal(curves[:, 0], found.scores["random"][:, 0])
    assert not np.array_equal(found.scores["entropy"], found.scores["random"])
    assert not np.array_equal(found.full_score[0], found.full_score[1])


def test_the_full_score_is_that_of_all_training_labels(blobs):
    found = compare_strategies(None, *blobs, **OPTIONS | {"budget": 300, "batch_size": 145})
    for curves in found.scores.values():
        np.testing.assert_allclose(curves[:, -1], found.full_score, atol=0.011)


def test_equal_seeds_give_equal_curves_and_n_jobs_changes_none(blobs):
    first = compare_strategies(None, *blobs, **OPTIONS)
    with parallel_config("threading"):  # processes take seconds to start
        second = compare_strategies(None, *blobs, n_jobs=2, **OPTIONS)
    for name in first.scores:
        np.testing.assert_array_equal(first.scores[name], second.scores[name])


def test_strategies_are_names_parameters_or_learners(blobs):
    tree = DecisionTreeClassifier(max_depth=4, random_state=0)
    found = compare_strategies(
        tree,
        *blobs,
        {
            "kcenter": {"diversity": "kcenter"},
            "mine": EntropyActiveLearner(criterion="margin", stopping="stability"),
            "margin": "margin",
        },
        **OPTIONS,
    )
    assert list(found.scores) == ["kcenter", "mine", "margin", "random"]
    np.testing.assert_array_equal(found.scores["mine"], found.scores["margin"])


def test_a_learner_keeps_its_estimator_where_none_is_given(blobs):
    strategies = {"mine": EntropyActiveLearner(MultinomialLogit(C=1e-9))}
    found = compare_strategies(None, *blobs, strategies, **OPTIONS)
    assert found.scores["mine"].mean() < found.scores["random"].mean()


def test_all_labels_are_needed(blobs):
    X, answers = blobs
    with pytest.raises(ValueError, match="all labels are needed; row 0 has none"):
        compare_strategies(None, X, [None, *answers[1:]], **OPTIONS)


@pytest.mark.parametrize(
    ("strategies", "error"), [("guess", ValueError), (3, TypeError), ([3], TypeError)]
)
def test_wrong_strategies_are_named(blobs, strategies, error):
    with pytest.raises(error, match=r"criterion must be one of|strategies must be names"):
        compare_strategies(None, *blobs, strategies, **OPTIONS)
