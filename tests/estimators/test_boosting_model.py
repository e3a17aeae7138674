"""What a fitted SoftmaxBoostingClassifier says, and how its answers belong together."""

import ast
import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits, make_classification
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from sksoftmax import SoftmaxBoostingClassifier, functional

STRATEGIES = ["multi_output_tree", "one_output_per_tree"]


@pytest.fixture(scope="module")
def five_classes():
    """X (600, 8), y in {0, ..., 4}."""
    return make_classification(
        600, 8, n_informative=6, n_redundant=0, n_classes=5, random_state=3, class_sep=0.8
    )


@pytest.fixture(params=STRATEGIES, scope="module")
def fitted(request, five_classes):
    """A model of 12 iterations."""
    model = SoftmaxBoostingClassifier(
        max_iter=12, multi_strategy=request.param, random_state=0, n_jobs=1
    )
    return model.fit(*five_classes)


def test_digits_are_told_apart():
    X_train, X_test, y_train, y_test = train_test_split(
        *load_digits(return_X_y=True), random_state=0
    )
    model = SoftmaxBoostingClassifier(learning_rate=0.3, max_iter=60, random_state=0)
    model.fit(X_train, y_train)
    assert model.score(X_test, y_test) > 0.95
    assert log_loss(y_test, model.predict_proba(X_test)) < 0.2


def test_the_training_loss_falls(fitted, five_classes):
    X, y = five_classes
    loss = -fitted.train_score_
    assert len(loss) == 13
    assert (np.diff(loss) < 0).all()
    assert loss[-1] == pytest.approx(log_loss(y, fitted.predict_proba(X)), rel=1e-5)
    share = np.bincount(y) / len(y)
    assert loss[0] == pytest.approx(-(share * np.log(share)).sum(), rel=1e-5)


def test_probabilities_are_the_softmax_of_the_decision(fitted, five_classes):
    X, _ = five_classes
    logits = fitted.decision_function(X)
    assert logits.shape == (600, 5)
    np.testing.assert_array_equal(fitted.predict_proba(X), functional.softmax(logits))
    np.testing.assert_array_equal(fitted.predict_log_proba(X), functional.log_softmax(logits))
    np.testing.assert_array_equal(fitted.predict(X), fitted.classes_[logits.argmax(axis=1)])


def test_vector_logits_sum_to_zero(five_classes):
    X, y = five_classes
    logits = SoftmaxBoostingClassifier(max_iter=12).fit(X, y).decision_function(X)
    np.testing.assert_allclose(logits.sum(axis=1), 0, atol=1e-5)


def test_two_classes_have_one_score(two_classes):
    X, y = two_classes
    model = SoftmaxBoostingClassifier(max_iter=10).fit(X, y)
    score = model.decision_function(X)
    assert score.shape == (200,)
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], 1 / (1 + np.exp(-score)), rtol=1e-6)
    np.testing.assert_array_equal(model.predict(X), (score > 0).astype(int))
    (last,) = list(model.staged_decision_function(X))[-1:]
    np.testing.assert_array_equal(last, score)


def test_stages_are_the_models_of_fewer_iterations(fitted, five_classes):
    X, y = five_classes
    stages = list(fitted.staged_predict_proba(X))
    assert len(stages) == fitted.n_iter_ == 12
    np.testing.assert_allclose(stages[-1], fitted.predict_proba(X), rtol=1e-12)
    for proba, labels in zip(stages, fitted.staged_predict(X), strict=True):
        np.testing.assert_array_equal(labels, proba.argmax(axis=1))
    short = fitted.__class__(**fitted.get_params()).set_params(max_iter=5).fit(X, y)
    np.testing.assert_allclose(short.predict_proba(X), stages[4], rtol=1e-12)


def test_leaves_tell_rows_of_equal_logits(five_classes):
    X, y = five_classes
    model = SoftmaxBoostingClassifier(max_iter=7, max_leaf_nodes=6).fit(X, y)
    leaves = model.apply(X)
    assert leaves.shape == (600, 7)
    assert leaves.min() == 0
    assert leaves.max() == 5
    logits = model.decision_function(X)
    for row in (0, 5, 77):
        alike = (leaves == leaves[row]).all(axis=1)
        np.testing.assert_array_equal(logits[alike], np.tile(logits[row], (alike.sum(), 1)))


def test_scalar_trees_have_a_leaf_for_each_class(five_classes):
    X, y = five_classes
    model = SoftmaxBoostingClassifier(max_iter=3, multi_strategy="one_output_per_tree").fit(X, y)
    assert model.n_trees_per_iteration_ == 5
    assert model.apply(X).shape == (600, 3, 5)


def test_only_features_that_matter_are_important(rng):
    X = rng.normal(size=(500, 4))
    y = (X[:, 2] > 0).astype(int) + (X[:, 2] > 1)
    model = SoftmaxBoostingClassifier(max_iter=3, max_leaf_nodes=3, subsample=1.0).fit(X, y)
    np.testing.assert_allclose(model.feature_importances_.sum(), 1)
    assert model.feature_importances_.argmax() == 2
    assert model.feature_importances_[2] > 0.95


def test_nothing_is_important_where_nothing_splits():
    y = np.arange(50) % 3
    model = SoftmaxBoostingClassifier(max_iter=3, subsample=1.0).fit(np.zeros((50, 2)), y)
    np.testing.assert_array_equal(model.feature_importances_, [0, 0])
    shares = model.predict_proba(np.zeros((1, 2)))
    np.testing.assert_allclose(shares, [[17 / 50, 17 / 50, 16 / 50]], rtol=1e-6)


def test_a_pickle_predicts_the_same(fitted, five_classes):
    X, _ = five_classes
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    assert again.n_iter_ == 12


def test_a_pickle_is_compact_and_loads_in_another_process(five_classes, tmp_path):
    X, y = five_classes
    model = SoftmaxBoostingClassifier(max_iter=30, max_leaf_nodes=8, subsample=1.0).fit(X, y)
    path = tmp_path / "model.pickle"
    path.write_bytes(pickle.dumps(model))
    assert path.stat().st_size < 30 * (15 * 40 + 8 * 5 * 4) + 8 * 255 * 8 + 8192
    code = (
        "import pickle, sys\n"
        f"model = pickle.load(open({str(path)!r}, 'rb'))\n"
        f"print(model.predict_proba({X[:1].tolist()}).tolist())"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert ast.literal_eval(printed) == model.predict_proba(X[:1]).tolist()


def test_float32_stays_float32(five_classes):
    X, y = five_classes
    X = X.astype(np.float32)
    model = SoftmaxBoostingClassifier(max_iter=5).fit(X, y)
    assert model.predict_proba(X).dtype == np.float32
    assert model.decision_function(X).dtype == np.float32
    wide = SoftmaxBoostingClassifier(max_iter=5).fit(X.astype(np.float64), y)
    assert wide.predict_proba(X.astype(np.float64)).dtype == np.float64


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_order_of_memory_does_not_matter(order, five_classes):
    X, y = five_classes
    model = SoftmaxBoostingClassifier(max_iter=3, random_state=0).fit(np.asarray(X, order=order), y)
    plain = SoftmaxBoostingClassifier(max_iter=3, random_state=0).fit(X, y)
    np.testing.assert_array_equal(
        model.predict_proba(np.asarray(X, order=order)), plain.predict_proba(X)
    )


def test_the_baseline_is_the_share_of_each_class(five_classes):
    X, y = five_classes
    model = SoftmaxBoostingClassifier(max_iter=1).fit(X, y)
    np.testing.assert_allclose(
        functional.softmax(model.baseline_logits_), np.bincount(y) / len(y), rtol=1e-6
    )
    assert abs(model.baseline_logits_.sum()) < 1e-5


def test_a_class_without_rows_starts_at_a_millionth(five_classes):
    X, y = five_classes
    model = SoftmaxBoostingClassifier(max_iter=1).fit(X, y, classes=range(6))
    assert functional.softmax(model.baseline_logits_)[5] == pytest.approx(1e-6, rel=1e-3)
    assert model.predict_proba(X).shape == (600, 6)


@pytest.mark.parametrize("sketch", [None, 1, 2, 3, 4, 100])
def test_every_sketch_learns(sketch, five_classes):
    X, y = five_classes
    model = SoftmaxBoostingClassifier(learning_rate=0.3, max_iter=40, sketch=sketch)
    assert model.fit(X, y).score(X, y) > 0.9


def test_as_many_columns_as_it_takes_are_exact(five_classes):
    X, y = five_classes
    exact = SoftmaxBoostingClassifier(max_iter=5, sketch=None, random_state=0).fit(X, y)
    for sketch in (4, 5, 50):
        model = SoftmaxBoostingClassifier(max_iter=5, sketch=sketch, random_state=0).fit(X, y)
        np.testing.assert_array_equal(model.predict_proba(X), exact.predict_proba(X))


def test_hundreds_of_classes_are_no_more_than_rows(rng):
    y = np.repeat(np.arange(300), 4)
    X = y[:, np.newaxis] + rng.normal(scale=0.1, size=(1200, 2))
    model = SoftmaxBoostingClassifier(
        max_iter=30, min_samples_leaf=2, max_leaf_nodes=255, subsample=1.0, random_state=0
    )
    assert model.fit(X, y).score(X, y) > 0.8


def test_leaves_and_depth_are_bounded(five_classes):
    X, y = five_classes
    model = SoftmaxBoostingClassifier(max_iter=2, max_depth=2, max_leaf_nodes=None).fit(X, y)
    assert model.apply(X).max() == 3
    model = SoftmaxBoostingClassifier(max_iter=2, max_leaf_nodes=None, min_samples_leaf=100)
    leaves = model.set_params(subsample=1.0).fit(X, y).apply(X)
    assert np.bincount(leaves[:, 0]).min() >= 100


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_features_of_different_groups_never_meet(strategy, rng):
    """y is an exclusive or: without interactions no tree can see it."""
    X = rng.normal(size=(800, 2))
    y = (X[:, 0] > 0) ^ (X[:, 1] > 0)
    model = SoftmaxBoostingClassifier(max_iter=20, multi_strategy=strategy, n_jobs=1)
    assert model.fit(X, y).score(X, y) > 0.95
    for alone in ("no_interactions", [[0]], [{0}, (1,)]):
        assert model.set_params(interaction_cst=alone).fit(X, y).score(X, y) < 0.8
    assert model.set_params(interaction_cst="pairwise").fit(X, y).score(X, y) > 0.95


def test_a_strong_penalty_on_logits_keeps_them_small(five_classes):
    X, y = five_classes
    free = SoftmaxBoostingClassifier(max_iter=30).fit(X, y).decision_function(X)
    bound = SoftmaxBoostingClassifier(max_iter=30, logit_l2=0.5).fit(X, y).decision_function(X)
    assert np.abs(bound).max() < 0.5 * np.abs(free).max()


def test_label_smoothing_bounds_confidence(rng):
    X = np.repeat([[0.0], [1.0]], 100, axis=0)
    y = np.repeat([0, 1], 100)
    model = SoftmaxBoostingClassifier(max_iter=200, label_smoothing=0.2, subsample=1.0).fit(X, y)
    np.testing.assert_allclose(model.predict_proba([[0.0]]), [[0.9, 0.1]], atol=0.01)
