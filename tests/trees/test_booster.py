"""The loop of one fit: what an interruption leaves, and how much memory it takes."""

import tracemalloc
import types

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sksoftmax._trees import BinMapper, Booster, Growth, TrainingRows, VectorForest, _booster
from sksoftmax._trees._booster import attainable_leaves, training_bytes

NATIVE_CALLS = ["advance", "records", "grow", "leaf_values", "walk"]
GROWTH = {
    "learning_rate": 0.3,
    "max_leaf_nodes": 8,
    "max_depth": 0,
    "min_samples_leaf": 5.0,
    "l2_regularization": 1.0,
    "subsample": 0.7,
    "max_features": 1.0,
    "sketch": "auto",
}


def start(n_samples=300, n_features=4, n_classes=9, **growth):
    """A fit of random rows, the last third for validation, and its model."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, n_features))
    target = np.digitize(X[:, 0], np.linspace(-1.5, 1.5, n_classes - 1))
    mapper = BinMapper(255).fit(X)
    model = VectorForest(mapper, n_classes)
    codes, n_train = mapper.transform(X), 2 * n_samples // 3
    booster = Booster(
        TrainingRows(codes[:n_train], target[:n_train], None),
        Growth(**{**GROWTH, **growth}),
        model.trees,
        baseline_logits=np.zeros(n_classes),
        is_categorical=mapper.is_categorical_,
        thresholds=mapper.thresholds,
        seed=1,
        n_threads=1,
        validation_codes=codes[n_train:],
    )
    return booster, model, X, n_train


def test_the_logits_of_a_fit_are_those_of_its_forest():
    booster, model, X, n_train = start()
    for _ in range(5):
        assert booster.step()
    logits = model.logits_from(np.zeros(9), X, n_threads=1)
    assert_array_equal(booster.logits, logits[:n_train])
    assert_array_equal(booster.validation_logits, logits[n_train:])
    assert booster.n_iter == len(booster.forest()) == 5


@pytest.mark.parametrize("name", NATIVE_CALLS)
@pytest.mark.parametrize("call", [1, 2, 3, 4])
def test_an_interrupted_tree_does_not_count(name, call, monkeypatch):
    booster, *_ = start()
    whole, *_ = start()
    for _ in range(5):
        whole.step()
    native, left = _booster._core, [call]

    def interrupted(**arguments):
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return getattr(native, name)(**arguments)

    verbs = {verb: getattr(native, verb) for verb in NATIVE_CALLS}
    monkeypatch.setattr(_booster, "_core", types.SimpleNamespace(**{**verbs, name: interrupted}))
    with pytest.raises(KeyboardInterrupt):
        [booster.step() for _ in range(5)]
    forest = booster.forest()
    assert len(forest) == booster.n_iter < 5
    for tree, expected in zip(forest, whole.forest(), strict=False):
        for part, other in zip(tree, expected, strict=True):
            assert_array_equal(part, other)


@pytest.mark.parametrize(
    ("growth", "leaves"),
    [
        ({"max_leaf_nodes": 17}, 17),
        ({"max_leaf_nodes": 31, "max_depth": 3}, 8),
        ({"max_leaf_nodes": 10**9, "min_samples_leaf": 20.0}, 5),
        ({"max_leaf_nodes": 10**9, "min_samples_leaf": 0.1}, 100),
        ({"min_samples_leaf": 1e9}, 1),
        ({"max_depth": 100, "min_samples_leaf": 50.0}, 2),
    ],
)
def test_room_is_made_for_the_leaves_that_can_be(growth, leaves):
    assert attainable_leaves(Growth(**{**GROWTH, **growth}), 100, 100.0) == leaves


@pytest.mark.parametrize("sketch", ["auto", None])
def test_the_estimate_of_memory_is_what_a_fit_takes(sketch):
    shape = {"n_samples": 30_000, "n_features": 10, "n_classes": 40}
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        booster, model, X, n_train = start(**shape, sketch=sketch)
        for _ in range(3):
            booster.step()
        taken = tracemalloc.get_traced_memory()[1] - before - X.nbytes
    finally:
        tracemalloc.stop()
    estimate = training_bytes(
        n_train,
        10,
        40,
        n_validation=len(X) - n_train,
        growth=Growth(**{**GROWTH, "sketch": sketch}),
        max_bins=255,
        max_iter=3,
        n_threads=1,
    )
    assert taken == pytest.approx(estimate, rel=0.4)
    assert len(model.trees) == 3
