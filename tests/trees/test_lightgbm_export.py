"""A forest of vector leaves and the LightGBM model made of it: the same predictions."""

import lightgbm
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from sksoftmax._lightgbm_export import booster_from_trees, lightgbm_names
from sksoftmax._trees._binning import BinMapper
from sksoftmax._trees._forest import Forest
from sksoftmax._trees._nodes import NODE

from .valued_trees import (
    leaf_of,
    logits_of,
    n_bins_of,
    random_cuts,
    random_rows,
    random_valued_tree,
)


def random_forest(rng, *, n_features=6, n_classes=3, n_trees=5, n_leaves=12, weights="integer"):
    cuts, is_categorical = random_cuts(rng, n_features)
    trees = [
        random_valued_tree(
            rng, cuts, is_categorical, n_leaves=n_leaves, n_classes=n_classes, weights=weights
        )
        for _ in range(n_trees)
    ]
    about = {
        "cuts": cuts,
        "is_categorical": is_categorical,
        "baseline_logits": rng.normal(size=n_classes),
    }
    return trees, about


@pytest.mark.parametrize("n_classes", [2, 3, 20])
@pytest.mark.parametrize("n_leaves", [1, 2, 12, 60])
def test_the_booster_predicts_what_the_trees_predict(rng, n_classes, n_leaves):
    for _ in range(5):
        trees, about = random_forest(rng, n_classes=n_classes, n_leaves=n_leaves)
        X = random_rows(rng, about["cuts"], about["is_categorical"], 100)
        booster = booster_from_trees(trees, **about)
        logits = logits_of(X, trees, about["cuts"], about["baseline_logits"])
        np.testing.assert_allclose(booster.predict(X, raw_score=True), logits, atol=1e-12)
        np.testing.assert_allclose(booster.predict(X), softmax(logits, axis=1), atol=1e-12)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_the_booster_predicts_what_the_native_forest_predicts(seed):
    rng = np.random.default_rng(seed)
    trees, about = random_forest(rng, n_trees=8, n_leaves=rng.integers(1, 30))
    mapper = BinMapper()
    mapper.cuts_ = np.concatenate(about["cuts"])
    mapper.cut_ptr_ = np.cumsum([0, *map(len, about["cuts"])])
    mapper.is_categorical_ = about["is_categorical"].view(np.uint8)
    mapper.n_bins_ = n_bins_of(about["cuts"], about["is_categorical"])
    forest = Forest(3, mapper.n_bins_)
    for tree in trees:
        forest.append(*tree)
    X = random_rows(rng, about["cuts"], about["is_categorical"], 60)
    logits = forest.logits(mapper.transform(X), about["baseline_logits"])
    raw = booster_from_trees(forest, **about).predict(X, raw_score=True)
    np.testing.assert_allclose(raw, logits, atol=1e-5)


def test_leaves_keep_their_numbers(rng):
    trees, about = random_forest(rng)
    X = random_rows(rng, about["cuts"], about["is_categorical"], 50)
    leaves = booster_from_trees(trees, **about).predict(X, pred_leaf=True).reshape(50, 5, 3)
    expected = [[leaf_of(row, *tree[:2], about["cuts"]) for tree in trees] for row in X]
    np.testing.assert_array_equal(leaves, np.repeat(np.array(expected)[:, :, None], 3, axis=2))


def test_a_model_saved_as_text_predicts_the_same(rng, tmp_path):
    trees, about = random_forest(rng)
    X = random_rows(rng, about["cuts"], about["is_categorical"], 50)
    booster = booster_from_trees(trees, **about)
    booster.save_model(tmp_path / "model.txt")
    loaded = lightgbm.Booster(model_file=tmp_path / "model.txt")
    np.testing.assert_array_equal(loaded.predict(X), booster.predict(X))


def test_iterations_can_be_left_out(rng):
    trees, about = random_forest(rng)
    X = random_rows(rng, about["cuts"], about["is_categorical"], 50)
    some = booster_from_trees(trees, **about).predict(X, raw_score=True, num_iteration=2)
    np.testing.assert_allclose(
        some, logits_of(X, trees[:2], about["cuts"], about["baseline_logits"]), atol=1e-12
    )


def test_no_trees_are_the_baseline(rng):
    _, about = random_forest(rng)
    X = random_rows(rng, about["cuts"], about["is_categorical"], 5)
    raw = booster_from_trees([], **about).predict(X, raw_score=True)
    np.testing.assert_allclose(raw, np.tile(about["baseline_logits"], (5, 1)))


def test_float32_rows_are_compared_in_float64(rng):
    trees, about = random_forest(rng)
    X = random_rows(rng, about["cuts"], about["is_categorical"], 100)
    with np.errstate(over="ignore"):
        X = X.astype(np.float32)
    logits = logits_of(X.astype(np.float64), trees, about["cuts"], about["baseline_logits"])
    raw = booster_from_trees(trees, **about).predict(X, raw_score=True)
    np.testing.assert_allclose(raw, logits, atol=1e-12)


@pytest.mark.parametrize("weights", ["integer", "fractional"])
def test_contributions_sum_to_the_raw_score(rng, weights):
    trees, about = random_forest(rng, weights=weights)
    X = random_rows(rng, about["cuts"], about["is_categorical"], 50)
    booster = booster_from_trees(trees, **about)
    contributions = booster.predict(X, pred_contrib=True).reshape(50, 3, -1)
    raw = booster.predict(X, raw_score=True)
    np.testing.assert_allclose(contributions.sum(axis=2), raw, atol=1e-9)


def test_expected_values_weigh_leaves_by_their_rows(rng):
    trees, about = random_forest(rng, weights="fractional")
    X = random_rows(rng, about["cuts"], about["is_categorical"], 1)
    contributions = booster_from_trees(trees, **about).predict(X, pred_contrib=True)
    expected = about["baseline_logits"].copy()
    for nodes, _, values in trees:
        leaves = nodes[nodes["left"] == 0]
        expected += np.average(values[leaves["index"]], axis=0, weights=leaves["weight"])
    np.testing.assert_allclose(contributions.reshape(3, -1)[:, -1], expected, rtol=1e-6)


def test_integer_weights_are_the_counts(rng):
    trees, about = random_forest(rng, n_trees=1)
    root = booster_from_trees(trees, **about).dump_model()["tree_info"][0]["tree_structure"]
    assert root["internal_count"] == trees[0][0]["weight"][0]


def test_gains_sum_to_those_of_the_trees_for_every_class(rng):
    trees, about = random_forest(rng)
    gain = np.zeros(6)
    for nodes, _, _ in trees:
        splits = nodes[nodes["left"] > 0]
        np.add.at(gain, splits["feature"], splits["gain"])
    importances = booster_from_trees(trees, **about).feature_importance("gain")
    np.testing.assert_allclose(importances / 3, gain, rtol=1e-4)


def test_shap_explains_the_booster(rng):
    shap = pytest.importorskip("shap")  # with numba and LLVM too heavy for the extra `test`
    trees, about = random_forest(rng)
    X = random_rows(rng, about["cuts"], about["is_categorical"], 20)
    booster = booster_from_trees(trees, **about)
    explainer = shap.TreeExplainer(booster)
    values = explainer.shap_values(X)  # (n_samples, n_features, n_classes)
    assert values.shape == (20, 6, 3)
    raw = booster.predict(X, raw_score=True)
    np.testing.assert_allclose(values.sum(axis=1) + explainer.expected_value, raw, atol=1e-9)


def test_a_frame_with_categoricals_predicts_as_its_codes(rng):
    cuts = [np.array([0.0]), np.arange(3.0)]
    is_categorical = np.array([False, True])
    trees = [
        random_valued_tree(rng, cuts, is_categorical, n_leaves=6, n_classes=3, weights="integer")
        for _ in range(4)
    ]
    booster = booster_from_trees(
        trees,
        cuts=cuts,
        is_categorical=is_categorical,
        baseline_logits=np.zeros(3),
        feature_names=["size of it", "colour"],
        pandas_categorical=[["blue", "green", "red"]],
    )
    colours = ["red", "blue", None, "green", "pink"]  # pink was not there in fit
    frame = pd.DataFrame({"size of it": [1.0, -1.0, 0.0, np.nan, 2.0], "colour": colours})
    codes = np.column_stack([frame["size of it"], [2, 0, np.nan, 1, np.nan]])
    frame["colour"] = frame["colour"].astype("category")
    assert booster.feature_name() == ["size_of_it", "colour"]
    np.testing.assert_array_equal(booster.predict(frame), booster.predict(codes))


def test_categories_of_numbers_are_exported(rng):
    trees, about = random_forest(rng)
    categories = [list(pd.Categorical([10, 20]).categories), [np.float64(0.5), True, "é"]]
    booster = booster_from_trees(trees, **about, pandas_categorical=categories)
    assert booster.pandas_categorical == [[10, 20], [0.5, True, "é"]]


@pytest.mark.parametrize("category", [pd.Timestamp(0), pd.Interval(0, 1), (1, 2)])
def test_frames_are_refused_if_json_cannot_hold_their_categories(rng, category):
    trees, about = random_forest(rng, n_features=1)
    booster = booster_from_trees(trees, **about, pandas_categorical=[[category]])
    frame = pd.DataFrame({"when": pd.Categorical([category], categories=[category])})
    with pytest.raises(ValueError, match="do not match"):
        booster.predict(frame)


def test_names_become_what_lightgbm_can_hold(rng):
    names = ["a b", "a_b", 'q"uote', "x[0]", "grün 特征", ""]
    clean = lightgbm_names(names, 6)
    assert clean == ["a_b", "a_b_1", "q_uote", "x_0_", "grün_特征", "Column_5"]
    trees, about = random_forest(rng)
    booster = booster_from_trees(trees, **about, feature_names=names)
    assert booster.feature_name() == clean
    assert booster.dump_model()["feature_names"] == clean


def split_on_category(value, *, missing_left):
    """One split: the first category alone on the left."""
    nodes = np.zeros(3, dtype=NODE)
    nodes["left"][0], nodes["is_categorical"][0] = 1, 1
    nodes["index"], nodes["weight"] = [0, 0, 1], [2, 1, 1]
    nodes["feature"][1:] = -1
    bitsets = np.zeros((1, 8), np.uint32)
    bitsets[0, 0] = 0b01 | (missing_left << 2)
    values = np.array([[1.0, -1.0], [-1.0, 1.0]], np.float32)
    about = {"cuts": [np.array([0.0, value])], "is_categorical": np.array([True])}
    return [(nodes, bitsets, values)], {**about, "baseline_logits": np.zeros(2)}


@pytest.mark.parametrize("missing_left", [0, 1])
def test_large_category_values_are_kept_apart(missing_left):
    trees, about = split_on_category(2.0**24 - 1, missing_left=missing_left)
    booster = booster_from_trees(trees, **about)
    raw = booster.predict(np.array([[0.0], [2.0**24 - 1], [5], [np.nan]]), raw_score=True)
    missing = 1 if missing_left else -1
    np.testing.assert_array_equal(raw[:, 0], [1, -1, missing, missing])


@pytest.mark.parametrize("value", [2.0**24, 0.5, -1.0])
def test_categories_that_lightgbm_cannot_hold_are_refused(value):
    trees, about = split_on_category(value, missing_left=0)
    with pytest.raises(ValueError, match="feature colour has the category"):
        booster_from_trees(trees, **about, feature_names=["colour"])


def test_a_value_that_is_not_finite_is_refused(rng):
    trees, about = random_forest(rng)
    trees[3][2][0, 0] = np.inf
    with pytest.raises(ValueError, match="iteration 3"):
        booster_from_trees(trees, **about)


def test_what_lightgbm_reads_in_its_own_way():
    trees, about = split_on_category(1.0, missing_left=1)
    booster = booster_from_trees(trees, **about)
    raw = booster.predict(np.array([[1.0], [1.5], [0.5], [0.0]]), raw_score=True)
    np.testing.assert_array_equal(raw[:, 0], [-1, -1, 1, 1])  # fractions are cut off
    nodes, _, values = trees[0]
    nodes["is_categorical"], nodes["threshold"] = 0, 0.0
    numerical = {**about, "cuts": [np.array([0.0])], "is_categorical": np.array([False])}
    booster = booster_from_trees([(nodes, np.empty((0, 8), np.uint32), values)], **numerical)
    raw = booster.predict(np.array([[0.0], [1e-36], [1e-34]]), raw_score=True)
    np.testing.assert_array_equal(raw[:, 0], [1, 1, -1])  # up to 1e-35 is zero
