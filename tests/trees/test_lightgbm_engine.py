"""One tree per class: LightGBM grows them, the shared kernel says on what."""

import pickle

import lightgbm
import numpy as np
import pytest
from scipy.special import softmax

from sksoftmax import _kernel, _lightgbm_engine
from sksoftmax._lightgbm_engine import LightGBMTraining, engine_parameters

N_CLASSES = 4


@pytest.fixture
def data(rng):
    """Features, the last of them categorical, with missing values; labels that depend on them."""
    X = rng.normal(size=(600, 5))
    X[:, 4] = rng.integers(6, size=600)
    target = 2 * (X[:, 0] > 0) + (X[:, 1] * X[:, 2] + (X[:, 4] == 3) > 0.3)
    X[rng.random(X.shape) < 0.05] = np.nan
    return X, target.astype(np.int64)


BASELINE = np.log([0.4, 0.3, 0.2, 0.1])


def parameters(**changed):
    given = {
        "learning_rate": 0.1,
        "max_leaf_nodes": 8,
        "max_depth": None,
        "min_samples_leaf": 5,
        "l2_regularization": 1.0,
        "subsample": 1.0,
        "max_features": 1.0,
        "max_bins": 63,
        "interaction_cst": None,
        "sketch": "auto",
        "seed": 7,
        "n_threads": 1,
    }
    return engine_parameters(**{**given, **changed})


def training(X, target, sample_weight=None, *, changed=None, **options):
    defaults = {
        "seed": 7,
        "is_categorical": np.arange(X.shape[1]) == 4,
        "baseline_logits": BASELINE,
    }
    return LightGBMTraining(
        X, target, sample_weight, N_CLASSES, parameters(**(changed or {})), **defaults | options
    )


def fitted(*args, n_iter=10, **options):
    run = training(*args, **options)
    for _ in range(n_iter):
        assert run.step()
    return run


def test_the_trees_are_those_of_lightgbms_own_multiclass_objective(data):
    X, target = data
    own = lightgbm.train(
        {
            **parameters(),
            "objective": "multiclass",
            "num_class": N_CLASSES,
            "boost_from_average": False,
        },
        lightgbm.Dataset(X, target, categorical_feature=[4]),
        10,
    )
    forest = fitted(X, target, baseline_logits=np.zeros(N_CLASSES)).forest()
    np.testing.assert_allclose(
        forest.logits(X, n_threads=1), own.predict(X, raw_score=True), atol=1e-5
    )


def test_training_logits_are_the_baseline_plus_the_forest(data):
    X, target = data
    run = fitted(X, target, X_val=X[:50])
    logits = BASELINE + run.forest().logits(X, n_threads=1)
    np.testing.assert_allclose(run.logits, logits, atol=1e-12)
    np.testing.assert_allclose(run.validation_logits, logits[:50], atol=1e-12)
    p = softmax(logits, axis=1)
    loss = -np.log(p[np.arange(len(X)), target])
    assert run.train_loss() == pytest.approx(loss.mean())


def test_terms_of_iterations_sum_to_the_logits(data):
    forest = fitted(*data).forest()
    X = data[0]
    total = sum(forest.terms(X, n_threads=1))
    np.testing.assert_allclose(total, forest.logits(X, n_threads=1), atol=1e-12)
    *_, last = forest.staged_from(BASELINE, X, n_threads=1)
    np.testing.assert_allclose(last, forest.logits_from(BASELINE, X, n_threads=1), atol=1e-12)
    part = forest.logits(X, 0, 4, n_threads=1)
    forest.truncate(4)
    assert forest.n_iter == 4
    np.testing.assert_array_equal(forest.logits(X, n_threads=1), part)


def test_the_booster_predicts_probabilities_with_the_baseline(data):
    X, target = data
    forest = fitted(X, target).forest()
    booster = forest.to_booster(BASELINE, feature_names=["a", "b c", "d", "e", "f"])
    proba = softmax(BASELINE + forest.logits(X, n_threads=1), axis=1)
    np.testing.assert_allclose(booster.predict(X), proba, atol=1e-12)
    assert booster.feature_name() == ["a", "b_c", "d", "e", "f"]


def test_a_forest_without_trees_is_the_baseline(data):
    X, target = data
    forest = training(X, target).forest()
    assert forest.n_iter == 0
    assert forest.apply(X, n_threads=1).shape == (600, 0, N_CLASSES)
    np.testing.assert_array_equal(forest.gain_importances(), np.zeros(5))
    proba = forest.to_booster(BASELINE).predict(X[:2])
    np.testing.assert_allclose(proba, np.tile(softmax(BASELINE), (2, 1)))


def test_nothing_to_split_ends_the_training(data):
    X, target = data
    run = training(np.zeros_like(X), target)
    assert not run.step()
    assert run.n_iter == run.forest().n_iter == 0


@pytest.mark.parametrize(
    "changed", [{}, {"subsample": 0.7}, {"max_features": 0.4}, {"subsample": 0.3}]
)
@pytest.mark.parametrize("n_before", [1, 4])
def test_going_on_is_the_same_as_one_long_training(data, changed, n_before):
    X, target = data
    long = fitted(X, target, n_iter=7, changed=changed)
    half = fitted(X, target, n_iter=n_before, changed=changed).forest()
    rest = fitted(X, target, n_iter=7 - n_before, changed=changed, previous=half)
    assert rest.n_iter == 7
    np.testing.assert_array_equal(rest.logits, long.logits)
    assert rest.forest()._trees == long.forest()._trees


def test_seeds_change_the_draws_and_threads_do_not(data, monkeypatch):
    monkeypatch.setattr(_lightgbm_engine, "_VALUES_PER_THREAD", 1)  # two threads for so few rows
    X, target = data
    changed = {"subsample": 0.7, "max_features": 0.5}
    one = fitted(X, target, n_iter=3, changed=changed)
    two = fitted(X, target, n_iter=3, changed={**changed, "n_threads": 2})
    other = fitted(X, target, n_iter=3, changed=changed, seed=8)
    np.testing.assert_array_equal(one.logits, two.logits)
    assert (one.logits != other.logits).any()


def test_bags_differ_between_iterations_and_hold_the_fraction(data):
    X, target = data
    forest = fitted(X, target, n_iter=6, changed={"subsample": 0.5}).forest()
    counts = [
        tree["tree_structure"]["internal_count"]
        for tree in forest.to_booster(BASELINE).dump_model()["tree_info"][::N_CLASSES]
    ]
    assert len(set(counts)) > 2
    assert np.mean(counts) == pytest.approx(300, abs=30)


def test_a_pickle_predicts_the_same_and_is_compact(data):
    X, target = data
    forest = fitted(X, target).forest()
    logits = forest.logits(X, n_threads=1)  # loads a booster, which must not be pickled
    pickled = pickle.dumps(forest)
    np.testing.assert_array_equal(pickle.loads(pickled).logits(X, n_threads=1), logits)
    assert len(pickled) < 0.5 * sum(map(len, forest._trees))


def test_soft_targets_of_certainty_are_labels(data):
    X, target = data
    hard, soft = fitted(X, target), fitted(X, np.eye(N_CLASSES)[target])
    np.testing.assert_allclose(hard.logits, soft.logits, atol=1e-5)


def test_label_smoothing_and_logit_l2_hold_the_logits_back(data):
    X, target = data
    plain = np.abs(fitted(X, target).logits).max()
    assert np.abs(fitted(X, target, label_smoothing=0.2).logits).max() < plain
    assert np.abs(fitted(X, target, logit_l2=0.1).logits).max() < plain


def test_derivatives_are_those_of_the_loss(data):
    X, target = data
    weight = np.linspace(0.5, 2, len(X))
    run = training(X, target, weight, logit_l2=0.3, label_smoothing=0.1)
    logits = np.tile(BASELINE, (len(X), 1))
    gradient, curvature = run._derivatives(logits)
    p = softmax(logits, axis=1)
    smooth = 0.9 * np.eye(N_CLASSES)[target] + 0.1 / N_CLASSES
    w = weight[:, None]
    np.testing.assert_allclose(gradient, w * (p - smooth + 0.3 * logits), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(curvature, w * (4 / 3 * p * (1 - p) + 0.3), rtol=1e-5)


def features_of_paths(node, above=frozenset()):
    """The features on the way to each leaf of a tree that LightGBM dumped."""
    if "split_feature" not in node:
        return [above]
    here = above | {node["split_feature"]}
    return [
        path
        for child in ("left_child", "right_child")
        for path in features_of_paths(node[child], here)
    ]


@pytest.mark.parametrize("changed", [{}, {"subsample": 0.6}, {"max_features": 0.6}])
def test_interaction_constraints_hold(data, changed):
    X, target = data
    groups = [[0, 3], [1, 2], [4]]
    forest = fitted(X, target, changed={"interaction_cst": groups, **changed}).forest()
    for tree in forest.to_booster(BASELINE).dump_model()["tree_info"]:
        for path in features_of_paths(tree["tree_structure"]):
            assert any(path <= set(group) for group in groups)


def test_leaves_and_gains_have_the_shape_of_the_trees(data):
    X, target = data
    forest = fitted(X, target).forest()
    leaves = forest.apply(X, n_threads=1)
    assert leaves.shape == (600, 10, N_CLASSES)
    assert leaves.max() < 8
    gains = forest.gain_importances()
    assert gains.shape == (5,)
    assert gains[0] == gains.max()


@pytest.mark.parametrize(
    "changed", [{"sketch": 3}, {"max_leaf_nodes": 10**6}, {"min_samples_leaf": 2.5}]
)
def test_what_lightgbm_cannot_honour_is_refused_by_name(changed):
    with pytest.raises(ValueError, match=f"^{next(iter(changed))}="):
        parameters(**changed)


def test_an_interrupted_training_stands_at_its_last_iteration(data, monkeypatch):
    X, target = data
    run = fitted(X, target, n_iter=4, X_val=X[:50])
    loss_gradient = _kernel.loss_gradient

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(_kernel, "loss_gradient", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run.step()
    monkeypatch.setattr(_kernel, "loss_gradient", loss_gradient)
    forest = run.forest()
    assert run.n_iter == forest.n_iter == 4
    logits = BASELINE + forest.logits(X, n_threads=1)
    np.testing.assert_allclose(run.logits, logits, atol=1e-12)
    np.testing.assert_allclose(run.validation_logits, logits[:50], atol=1e-12)
    assert run.step()
    np.testing.assert_array_equal(run.logits, fitted(X, target, n_iter=5).logits)


def test_categories_too_large_for_bits_are_refused(data):
    X, target = data
    X[3, 4] = 2.0**24
    with pytest.raises(ValueError, match="categories must be integers below 16777216"):
        training(X, target)
