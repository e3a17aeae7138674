"""min_samples_leaf="auto": a hundredth of the weights, from 20 to 40."""

import numpy as np
import pytest

from sksoftmax import SoftmaxBoostingClassifier

FEW_TREES = {"max_iter": 3, "subsample": 1.0, "early_stopping": False, "random_state": 0}


def rows(n_samples, rng):
    """Labels that are noise: splits are looked for down to the smallest leaves."""
    return rng.normal(size=(n_samples, 3)), rng.integers(3, size=n_samples)


def proba(X, y, sample_weight=None, **parameters):
    return (
        SoftmaxBoostingClassifier(**FEW_TREES, **parameters)
        .fit(X, y, sample_weight)
        .predict_proba(X)
    )


@pytest.mark.parametrize("multi_strategy", ["multi_output_tree", "one_output_per_tree"])
@pytest.mark.parametrize(("n_samples", "least"), [(300, 20), (3099, 30), (3100, 31), (6000, 40)])
def test_a_hundredth_of_the_rows_within_its_limits(n_samples, least, multi_strategy, rng):
    X, y = rows(n_samples, rng)
    auto = proba(X, y, multi_strategy=multi_strategy)
    same = proba(X, y, multi_strategy=multi_strategy, min_samples_leaf=least)
    other = proba(X, y, multi_strategy=multi_strategy, min_samples_leaf=least + 1)
    np.testing.assert_array_equal(auto, same)
    assert not np.array_equal(auto, other)


def test_rows_that_weigh_two_count_twice(rng):
    X, y = rows(1600, rng)
    twice = proba(np.repeat(X, 2, axis=0), np.repeat(y, 2))[::2]
    np.testing.assert_array_equal(proba(X, y, np.full(1600, 2.0)), twice)
    np.testing.assert_array_equal(proba(X, y, np.full(1600, 2.0), min_samples_leaf=32), twice)
