"""The estimator with sketch=None, tree after tree, beside a softmax gradient in plain NumPy."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import softmax

from sksoftmax import SoftmaxBoostingClassifier

from .growing import Grown
from .oracle import assert_same_tree

SCALE = 2.0**24  # of the oracle's integers: what float32 holds
OPTIONS = {
    "three classes": {"n_classes": 3},
    "two classes": {"n_classes": 2},
    "six classes": {"n_classes": 6},
    "missing values": {"n_classes": 4, "missing": 0.3},
    "weights": {"n_classes": 3, "weighted": True},
    "soft targets": {"n_classes": 3, "soft": True},
    "float64 and ties": {"n_classes": 3, "rounded": True},
}
LEAVES = {"max_leaf_nodes": 7, "min_samples_leaf": 5}


def make_problem(n_classes, missing=0.0, weighted=False, soft=False, rounded=False):
    rng = np.random.default_rng(n_classes)
    X = rng.normal(size=(180, 4))
    logits = 2 * X @ rng.normal(size=(4, n_classes))
    y = np.argmax(logits + rng.gumbel(size=logits.shape), axis=1)
    y[:n_classes] = np.arange(n_classes)
    X = np.where(rng.random(X.shape) < missing, np.nan, X)
    X = np.round(X, 1) if rounded else X.astype(np.float32)
    weight = rng.integers(1, 5, size=len(X)).astype(float) if weighted else np.ones(len(X))
    target = softmax(logits, axis=1) if soft else np.eye(n_classes)[y]
    return X, y, target, weight


def fitted(X, y, target, weight, soft, **options):
    model = SoftmaxBoostingClassifier(
        sketch=None,
        subsample=1.0,
        early_stopping=False,
        random_state=0,
        n_jobs=1,
        **(LEAVES | options),
    )
    if soft:
        return model.fit(X, sample_weight=weight, y_proba=target)
    return model.fit(X, y, sample_weight=weight)


@pytest.mark.parametrize("options", OPTIONS)
def test_every_tree_and_leaf_is_that_of_plain_numpy(options):
    options = OPTIONS[options]
    X, y, target, weight = make_problem(**options)
    model = fitted(X, y, target, weight, options.get("soft"), max_iter=6, learning_rate=0.3)
    codes, trees = codes_and_trees(model, X)
    logits = np.tile(model.baseline_logits_.astype(float), (len(X), 1))
    leaves = model.apply(X)
    n_followed = 0

    for tree, (nodes, bitsets, values) in enumerate(trees):
        proba = softmax(logits, axis=1)
        residual = weight[:, None] * (proba - target)
        curvatures = weight[:, None] * curvature(proba, target)
        sums = np.column_stack([residual, curvatures.sum(axis=1) / 2, weight])
        n_followed += compare_trees(nodes, bitsets, leaves[:, tree], codes, sums, model)
        for leaf, value in enumerate(values):
            inside = leaves[:, tree] == leaf
            expected = newton_step(residual[inside], curvatures[inside], model)
            assert_allclose(value, expected, rtol=1e-3, atol=1e-5)
            assert value.astype(float).sum() == 0
        logits += values[leaves[:, tree]]

    assert len(trees) == model.n_iter_ == 6
    assert n_followed <= 1
    assert_allclose(model.predict_proba(X), softmax(logits, axis=1), rtol=1e-4, atol=1e-6)


def codes_and_trees(model, X):
    forest = model._forest
    return forest.mapper.transform(np.ascontiguousarray(X)), list(forest.trees)


def curvature(proba, target):
    """|p - y| to be expected of a label drawn from the target."""
    return proba * (1 - target) + target * (1 - proba)


def compare_trees(nodes, bitsets, leaf_of_row, codes, sums, model):
    """The native tree beside the oracle's, on the full gradient: the exact sketch is a rotation."""
    n_classes = sums.shape[1] - 2
    records = np.rint(SCALE * sums).astype(np.int64)
    counts = np.bincount(leaf_of_row)
    grown = Grown(
        nodes=nodes,
        bitsets=bitsets,
        rows=np.argsort(leaf_of_row, kind="stable"),
        leaf_ptr=np.concatenate([[0], np.cumsum(counts)]),
    )
    arguments = {
        "codes": codes.ravel(),
        "n_features": codes.shape[1],
        "n_bins": model._forest.mapper.n_bins_,
        "is_categorical": np.zeros(codes.shape[1], dtype=bool),
        "records": records.ravel(),
        "lanes": n_classes + 2,
        "n_columns": n_classes,
        "has_curvature": True,
        "gradient_scale": SCALE,
        "curvature_scale": SCALE,
        "weight_scale": SCALE,
        "rows": np.arange(len(codes)),
        "max_leaf_nodes": model.max_leaf_nodes,
        "max_depth": 0,
        "min_weight": model.min_samples_leaf,
        "min_gain": 0.0,
        "l2": model.l2_regularization,
        "group_ptr": None,
    }
    return assert_same_tree(grown, arguments, rtol=1e-4, gain_rtol=1e-3)


def newton_step(residual, curvatures, model):
    """v = -learning_rate G / D, D = sum of the curvatures + l2, less its mean."""
    G, D = residual.sum(axis=0), curvatures.sum(axis=0) + model.l2_regularization
    v = -model.learning_rate * G / D
    return v - v.mean()
