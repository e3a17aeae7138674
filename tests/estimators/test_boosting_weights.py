"""Weights and soft targets of SoftmaxBoostingClassifier, on data where trees really split."""

import numpy as np
import pytest
from sklearn.datasets import load_iris, make_classification

from sksoftmax import SoftmaxBoostingClassifier

EXACT = {"subsample": 1.0, "early_stopping": False, "random_state": 0, "max_iter": 15}


@pytest.fixture(scope="module")
def seven_classes():
    """X (700, 6), y in {0, ..., 6}."""
    return make_classification(
        700, 6, n_informative=5, n_redundant=0, n_classes=7, random_state=1, class_sep=0.7
    )


def assert_same(one, other, X):
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    np.testing.assert_array_equal(one.baseline_logits_, other.baseline_logits_)
    assert one.apply(X).max() > 5


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"sketch": None},
        {"min_samples_leaf": 3, "max_bins": 16},
        {"label_smoothing": 0.1, "logit_l2": 0.01},
        {"class_weight": {0: 2.0, 3: 0.5}},
        {"max_features": 0.5},
        {"categorical_features": [0]},
    ],
    ids=str,
)
def test_integer_weights_are_repeated_rows_bit_for_bit(parameters, seven_classes, rng):
    X, y = seven_classes
    X = X.copy()
    X[:, 0] = np.round(X[:, 0] * 3) + 20
    X[::7, 1] = np.nan
    weight = rng.integers(0, 4, size=len(y))
    model = SoftmaxBoostingClassifier(**EXACT, **parameters).fit(X, y, weight)
    rows = rng.permutation(np.repeat(np.arange(len(y)), weight))
    repeated = SoftmaxBoostingClassifier(**EXACT, **parameters).fit(X[rows], y[rows])
    assert_same(model, repeated, X)


def test_balanced_classes_are_repeated_rows_up_to_rounding(seven_classes, rng):
    X, y = seven_classes
    weight = rng.integers(1, 4, size=len(y))
    rows = np.repeat(np.arange(len(y)), weight)
    balanced = SoftmaxBoostingClassifier(**EXACT, class_weight="balanced")
    expected = balanced.fit(X[rows], y[rows]).train_score_
    np.testing.assert_allclose(balanced.fit(X, y, weight).train_score_, expected, rtol=1e-3)


def test_weights_of_soft_targets_are_repeated_rows_bit_for_bit(seven_classes, rng):
    X, _ = seven_classes
    shares = rng.dirichlet(np.ones(7), size=len(X))
    weight = rng.integers(0, 3, size=len(X))
    rows = np.repeat(np.arange(len(X)), weight)
    model = SoftmaxBoostingClassifier(**EXACT).fit(X, sample_weight=weight, y_proba=shares)
    repeated = SoftmaxBoostingClassifier(**EXACT).fit(X[rows], y_proba=shares[rows])
    assert_same(model, repeated, X)


def test_the_order_of_rows_does_not_matter(seven_classes, rng):
    X, y = seven_classes
    weight = rng.random(len(y))
    rows = rng.permutation(len(y))
    model = SoftmaxBoostingClassifier(**EXACT).fit(X, y, weight)
    shuffled = SoftmaxBoostingClassifier(**EXACT).fit(X[rows], y[rows], weight[rows])
    np.testing.assert_array_equal(model.predict_proba(X), shuffled.predict_proba(X))


def test_rows_of_weight_zero_are_not_there_even_for_bins(seven_classes):
    X, y = seven_classes
    weight = np.ones(len(y))
    weight[:50] = 0
    wild = X.copy()
    wild[:50] *= 1e6
    model = SoftmaxBoostingClassifier(random_state=0, max_iter=5).fit(wild, y, weight)
    without = SoftmaxBoostingClassifier(random_state=0, max_iter=5).fit(X[50:], y[50:])
    assert_same(model, without, X)


def test_one_hot_targets_are_labels(seven_classes):
    X, y = seven_classes
    model = SoftmaxBoostingClassifier(**EXACT).fit(X, y)
    soft = SoftmaxBoostingClassifier(**EXACT).fit(X, y_proba=np.eye(7)[y])
    np.testing.assert_allclose(soft.predict_proba(X), model.predict_proba(X), rtol=1e-4)


def test_class_weights_multiply_sample_weights(seven_classes, rng):
    X, y = seven_classes
    weight = rng.integers(1, 4, size=len(y)).astype(float)
    model = SoftmaxBoostingClassifier(**EXACT, class_weight={2: 3.0}).fit(X, y, weight)
    by_hand = SoftmaxBoostingClassifier(**EXACT).fit(X, y, weight * np.where(y == 2, 3.0, 1.0))
    assert_same(model, by_hand, X)


def test_class_weights_of_soft_targets_are_averaged(seven_classes, rng):
    X, _ = seven_classes
    shares = rng.dirichlet(np.ones(7), size=len(X))
    weights = np.array([1, 2, 1, 1, 4, 1, 1.0])
    model = SoftmaxBoostingClassifier(**EXACT, class_weight={1: 2.0, 4: 4.0})
    by_hand = SoftmaxBoostingClassifier(**EXACT).fit(
        X, y_proba=shares, sample_weight=shares @ weights
    )
    assert_same(model.fit(X, y_proba=shares), by_hand, X)


def test_soft_targets_are_fitted(rng):
    X = np.repeat([[0.0], [1.0]], 200, axis=0)
    shares = np.repeat([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]], 200, axis=0)
    model = SoftmaxBoostingClassifier(random_state=0).fit(X, y_proba=shares)
    np.testing.assert_allclose(model.predict_proba(X), shares, atol=0.01)


def test_weights_count_for_the_least_size_of_a_leaf(seven_classes):
    X, y = seven_classes
    light = SoftmaxBoostingClassifier(**EXACT, min_samples_leaf=20)
    with pytest.warns(UserWarning, match="the weights of 700 rows sum to 35"):
        assert light.fit(X, y, np.full(len(y), 0.05)).apply(X).max() == 0
    assert light.fit(X, y, np.full(len(y), 0.1)).apply(X).max() in (1, 2)  # 70 in all


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (-1.0, "sample_weight: row 3 is negative"),
        (np.nan, "sample_weight contains NaN"),
        (np.inf, "sample_weight contains infinity"),
    ],
)
def test_weights_that_make_no_sense_are_refused(weight, message, seven_classes):
    X, y = seven_classes
    weights = np.ones(len(y))
    weights[3] = weight
    with pytest.raises(ValueError, match=message):
        SoftmaxBoostingClassifier().fit(X, y, weights)


def test_weights_of_any_size_are_taken(seven_classes):
    X, y = seven_classes
    reference = SoftmaxBoostingClassifier(**EXACT, l2_regularization=0).fit(X, y)
    for scale in (2.0**-3, 2.0**7, 2.0**30, 2.0**200):
        least = {"min_samples_leaf": max(1, round(20 * scale))}
        model = SoftmaxBoostingClassifier(**EXACT, l2_regularization=0, **least)
        model.fit(X, y, np.full(len(y), scale))
        loss, expected = model.train_score_[-1], reference.train_score_[-1]
        assert loss == pytest.approx(expected, rel=0.25 if scale < 1 else 1e-3)


def test_tiny_weights_split_nothing_but_count(seven_classes):
    X, y = seven_classes
    with pytest.warns(UserWarning, match="no tree can split"):
        model = SoftmaxBoostingClassifier(**EXACT).fit(X, y, np.where(y < 3, 1e-40, 2e-40))
    assert model.apply(X).max() == 0
    shares = np.bincount(y, np.where(y < 3, 1, 2)) / np.where(y < 3, 1, 2).sum()
    np.testing.assert_allclose(model.predict_proba(X[:1])[0], shares, rtol=1e-5)


@pytest.mark.parametrize("scale", [1e300, 1e-300])
def test_absurd_sums_of_weights_are_refused(scale, seven_classes):
    X, y = seven_classes
    with pytest.raises(ValueError, match="sample_weight: the sum of the weights"):
        SoftmaxBoostingClassifier().fit(X, y, np.full(len(y), scale))


def test_any_penalty_on_logits_is_taken(seven_classes):
    X, y = seven_classes
    for logit_l2 in (10.0, 1e6):
        model = SoftmaxBoostingClassifier(max_iter=50, logit_l2=logit_l2).fit(X, y)
        assert np.abs(model.decision_function(X)).max() < 0.1


def test_rows_that_weigh_too_little_to_split_are_warned_of():
    X, y = load_iris(return_X_y=True)
    model = SoftmaxBoostingClassifier(max_iter=2, random_state=0)
    with pytest.warns(UserWarning, match="the weights of 150 rows sum to 1.5"):
        model.fit(X, y, sample_weight=np.full(150, 0.01))
