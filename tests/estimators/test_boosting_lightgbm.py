"""LightGBM's three jobs: an engine, an export target, and a peer whose answers ours are held to."""

import pickle

import lightgbm
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_classification
from sklearn.metrics import log_loss

from sksoftmax import SoftmaxBoostingClassifier

STRATEGIES = ["multi_output_tree", "one_output_per_tree"]


@pytest.fixture(params=STRATEGIES)
def strategy(request):
    return request.param


def boosting(**parameters):
    defaults = {
        "max_iter": 12,
        "max_leaf_nodes": 8,
        "min_samples_leaf": 5,
        "subsample": 1.0,
        "early_stopping": False,
        "random_state": 0,
    }
    return SoftmaxBoostingClassifier(**defaults | parameters)


def numeric_data(n_classes=3, n_samples=400, dtype=np.float64):
    X, y = make_classification(
        n_samples, 8, n_informative=6, n_classes=n_classes, n_clusters_per_class=1, random_state=3
    )
    X[np.random.default_rng(0).random(X.shape) < 0.1] = np.nan
    return X.astype(dtype), y


@pytest.fixture
def frame(rng):
    """Numbers and categoricals, missing ones among them, and what depends on all of them."""
    n_samples = 500
    colours, sizes = ["red", "green", "blue", "black", "white"], [10, 20, 40]
    X = pd.DataFrame(
        {
            "weight in kg": rng.normal(size=n_samples),
            "colour": pd.Categorical(rng.choice(colours, n_samples), categories=colours),
            "price": rng.exponential(size=n_samples).astype(np.float32),
            "size": pd.Categorical(rng.choice(sizes, n_samples), categories=sizes),
        }
    )
    score = X["weight in kg"] + X["colour"].isin(["red", "black"]) - X["size"].eq(20)
    y = np.where(score > 1, "high", np.where(score > 0, "middle", "low"))
    for name in X:
        X.loc[rng.random(n_samples) < 0.08, name] = None
    return X, y


# Export


@pytest.mark.parametrize("n_classes", [2, 3, 12])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_booster_gives_the_same_probabilities(strategy, n_classes, dtype):
    X, y = numeric_data(n_classes, dtype=dtype)
    model = boosting(multi_strategy=strategy).fit(X[:300], y[:300])
    booster = model.to_lightgbm()
    assert isinstance(booster, lightgbm.Booster)
    assert booster.num_model_per_iteration() == n_classes
    assert booster.current_iteration() == model.n_iter_
    np.testing.assert_allclose(booster.predict(X), model.predict_proba(X), atol=1e-6)


def test_the_booster_reads_the_same_frame(strategy, frame):
    X, y = frame
    model = boosting(multi_strategy=strategy).fit(X[:400], y[:400])
    booster = model.to_lightgbm()
    assert booster.feature_name() == ["weight_in_kg", "colour", "price", "size"]
    np.testing.assert_allclose(booster.predict(X), model.predict_proba(X), atol=1e-6)


def test_unseen_categories_are_missing_to_both(strategy, frame):
    X, y = frame
    model = boosting(multi_strategy=strategy).fit(X[:400], y[:400])
    new = X[400:].copy()
    new["colour"] = new["colour"].cat.rename_categories({"red": "pink", "blue": "violet"})
    missing = X[400:].copy()
    missing.loc[missing["colour"].isin(["red", "blue"]), "colour"] = None
    proba = model.predict_proba(new)
    np.testing.assert_array_equal(proba, model.predict_proba(missing))
    np.testing.assert_allclose(model.to_lightgbm().predict(new), proba, atol=1e-6)


def test_categories_in_arrays_are_the_boosters_values(strategy, rng):
    X = np.column_stack([rng.integers(0, 60, 400) // 7 * 7.0, rng.normal(size=400)])
    y = (np.isin(X[:, 0], [0, 21, 49]) + (X[:, 1] > 0.3)).astype(int)
    X[::11, 0] = np.nan
    model = boosting(multi_strategy=strategy, categorical_features=[0]).fit(X, y)
    proba = model.predict_proba(X)
    np.testing.assert_allclose(model.to_lightgbm().predict(X), proba, atol=1e-6)


def test_the_booster_has_the_best_iteration(strategy):
    X, y = numeric_data()
    model = boosting(
        multi_strategy=strategy,
        max_iter=200,
        learning_rate=0.5,
        early_stopping=True,
        n_iter_no_change=3,
    ).fit(X, y)
    assert model.n_iter_ < 200
    booster = model.to_lightgbm()
    assert booster.current_iteration() == model.n_iter_
    np.testing.assert_allclose(booster.predict(X), model.predict_proba(X), atol=1e-6)


def test_many_iterations_agree(strategy):
    X, y = numeric_data(5, n_samples=1000)
    model = boosting(multi_strategy=strategy, max_iter=150, max_leaf_nodes=31).fit(X, y)
    np.testing.assert_allclose(model.to_lightgbm().predict(X), model.predict_proba(X), atol=1e-6)


def test_vector_leaves_are_added_exactly():
    X, y = numeric_data(12)
    model = boosting(max_iter=300).fit(X, y)
    logits = model.decision_function(X)
    assert np.abs(logits).max() < 16  # float32 holds the sums of the leaves up to here
    np.testing.assert_array_equal(model.to_lightgbm().predict(X, raw_score=True), logits)


def test_an_export_that_would_not_fit_in_memory_is_refused(monkeypatch):
    X, y = numeric_data()
    model = boosting().fit(X, y)
    monkeypatch.setattr("sksoftmax._memory.available_bytes", lambda: 10**4)
    with pytest.raises(MemoryError, match="a model of 36 scalar trees needs about"):
        model.to_lightgbm()


def test_class_weights_and_shares_are_exported(strategy):
    X, y = numeric_data()
    shares = 0.8 * np.eye(3)[y] + 0.2 / 3
    model = boosting(multi_strategy=strategy, class_weight="balanced", logit_l2=0.01)
    model.fit(X, y_proba=shares, sample_weight=np.linspace(0.5, 2, len(X)))
    np.testing.assert_allclose(model.to_lightgbm().predict(X), model.predict_proba(X), atol=1e-6)


def test_a_saved_text_model_predicts_the_same(strategy, frame, tmp_path):
    X, y = frame
    model = boosting(multi_strategy=strategy).fit(X, y)
    model.to_lightgbm().save_model(tmp_path / "model.txt")
    loaded = lightgbm.Booster(model_file=tmp_path / "model.txt")
    np.testing.assert_allclose(loaded.predict(X), model.predict_proba(X), atol=1e-6)


def test_shap_values_sum_to_the_logits(strategy, frame):
    shap = pytest.importorskip("shap")  # with numba and LLVM (200 MB) too heavy for `test`
    X, y = frame
    model = boosting(multi_strategy=strategy).fit(X, y)
    explainer = shap.TreeExplainer(model.to_lightgbm())
    values = explainer.shap_values(X[:20])  # (n_samples, n_features, n_classes)
    assert values.shape == (20, 4, 3)
    logits = values.sum(axis=1) + explainer.expected_value
    np.testing.assert_allclose(logits, model.decision_function(X[:20]), atol=1e-5)


def test_contributions_of_the_booster_sum_to_the_logits(strategy, frame):
    X, y = frame
    model = boosting(multi_strategy=strategy).fit(X, y)
    contributions = model.to_lightgbm().predict(X, pred_contrib=True).reshape(len(X), 3, 5)
    np.testing.assert_allclose(contributions.sum(axis=2), model.decision_function(X), atol=1e-5)


def test_expected_values_are_means_over_the_training_rows():
    X, y = numeric_data()
    model = boosting().fit(X, y)
    contributions = model.to_lightgbm().predict(X[:1], pred_contrib=True).reshape(3, -1)
    expected = model.decision_function(X).mean(axis=0)
    np.testing.assert_allclose(contributions[:, -1], expected, atol=1e-5)


def test_importances_are_the_boosters_gains(strategy):
    X, y = numeric_data()
    model = boosting(multi_strategy=strategy).fit(X, y)
    gain = model.to_lightgbm().feature_importance("gain")
    np.testing.assert_allclose(model.feature_importances_, gain / gain.sum(), rtol=1e-4, atol=1e-7)


# Engine


def per_class(**parameters):
    return boosting(multi_strategy="one_output_per_tree", **parameters)


def test_one_tree_per_class_is_lightgbm():
    X, y = numeric_data(4)
    model = per_class(max_iter=20, learning_rate=0.1, l2_regularization=1.0, max_bins=255).fit(X, y)
    peer = lightgbm.LGBMClassifier(
        n_estimators=20,
        num_leaves=8,
        min_child_samples=5,
        reg_lambda=1.0,
        n_jobs=1,
        force_row_wise=True,
        verbosity=-1,
    ).fit(X, y)
    assert model.n_trees_per_iteration_ == 4
    np.testing.assert_allclose(model.predict_proba(X), peer.predict_proba(X), atol=1e-4)


def test_class_weights_are_sample_weights():
    X, y = numeric_data()
    weights = {0: 1.0, 1: 3.0, 2: 0.5}
    by_class = per_class(class_weight=weights).fit(X, y)
    by_sample = per_class().fit(X, y, sample_weight=np.vectorize(weights.get)(y))
    np.testing.assert_array_equal(by_class.predict_proba(X), by_sample.predict_proba(X))


def test_shares_of_certainty_are_labels():
    X, y = numeric_data()
    soft = per_class().fit(X, y_proba=np.eye(3)[y])
    hard = per_class().fit(X, y)
    np.testing.assert_allclose(soft.predict_proba(X), hard.predict_proba(X), atol=1e-5)


def test_label_smoothing_holds_probabilities_back():
    X, y = numeric_data()
    smooth, plain = (
        per_class(max_iter=50, label_smoothing=share).fit(X, y).predict_proba(X)
        for share in (0.3, 0.0)
    )
    assert smooth.max() < 0.9 < plain.max()


@pytest.mark.parametrize("changed", [{}, {"subsample": 0.6, "max_features": 0.5}])
def test_a_warm_start_is_one_long_fit(changed):
    X, y = numeric_data()
    long = per_class(max_iter=10, **changed).fit(X, y)
    model = per_class(max_iter=4, warm_start=True, **changed).fit(X, y)
    model.set_params(max_iter=10).fit(X, y)
    assert model.n_iter_ == 10
    np.testing.assert_array_equal(model.predict_proba(X), long.predict_proba(X))


def test_stages_end_in_the_prediction():
    X, y = numeric_data()
    model = per_class().fit(X, y)
    stages = list(model.staged_predict_proba(X))
    assert len(stages) == model.n_iter_ == 12
    np.testing.assert_allclose(stages[-1], model.predict_proba(X), atol=1e-6)
    losses = [log_loss(y, stage) for stage in stages]
    assert losses == sorted(losses, reverse=True)


def test_leaves_are_given_per_iteration_and_class():
    X, y = numeric_data()
    assert per_class().fit(X, y).apply(X).shape == (400, 12, 3)
    assert boosting().fit(X, y).apply(X).shape == (400, 12)


def test_threads_change_nothing():
    X, y = numeric_data()
    one, two = (
        per_class(n_jobs=n, subsample=0.7, max_features=0.6).fit(X, y).predict_proba(X)
        for n in (1, 2)
    )
    np.testing.assert_array_equal(one, two)


def test_a_validation_set_stops_the_fit():
    X, y = numeric_data(n_samples=800)
    model = per_class(max_iter=300, learning_rate=0.5, early_stopping=True, n_iter_no_change=3)
    model.fit(X[:400], y[:400], X_val=X[400:], y_val=y[400:])
    assert model.n_iter_ < 300
    losses = [log_loss(y[400:], proba) for proba in model.staged_predict_proba(X[400:])]
    assert np.argmin(losses) == model.n_iter_ - 1


def test_a_pickle_predicts_the_same(strategy, frame):
    X, y = frame
    model = boosting(multi_strategy=strategy).fit(X, y)
    proba = model.predict_proba(X)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict_proba(X), proba)
    np.testing.assert_allclose(loaded.to_lightgbm().predict(X), proba, atol=1e-6)


@pytest.mark.parametrize("changed", [{"sketch": 4}, {"max_leaf_nodes": 10**6}])
def test_what_lightgbm_cannot_honour_is_refused_by_name(changed):
    X, y = numeric_data()
    with pytest.raises(ValueError, match=next(iter(changed))):
        per_class(**changed).fit(X, y)


def test_interaction_constraints_hold():
    X, y = numeric_data()
    groups = [{0, 1, 2, 3}, {4, 5, 6, 7}]
    model = per_class(interaction_cst=groups).fit(X, y)

    def paths(node, above=frozenset()):
        if "split_feature" not in node:
            return [above]
        here = above | {node["split_feature"]}
        return paths(node["left_child"], here) + paths(node["right_child"], here)

    for tree in model.to_lightgbm().dump_model()["tree_info"]:
        assert all(any(path <= group for group in groups) for path in paths(tree["tree_structure"]))


def test_constant_features_leave_the_baseline():
    y = np.array(["a", "b", "b", "b", "c"] * 20)
    model = per_class().fit(np.ones((100, 2)), y)
    np.testing.assert_allclose(model.predict_proba([[1.0, 1.0]]), [[0.2, 0.6, 0.2]], atol=1e-6)
    np.testing.assert_allclose(
        model.to_lightgbm().predict([[1.0, 1.0]]), [[0.2, 0.6, 0.2]], atol=1e-6
    )
