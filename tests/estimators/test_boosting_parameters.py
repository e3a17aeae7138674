"""Parameters of SoftmaxBoostingClassifier out of range, and what a failed fit leaves behind."""

import numpy as np
import pytest

from sksoftmax import SoftmaxBoostingClassifier


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        (
            "learning_rate",
            0,
            ValueError,
            "learning_rate must be a positive number below",
        ),
        (
            "learning_rate",
            1e19,
            ValueError,
            r"learning_rate must be a positive number below 1e\+15",
        ),
        ("learning_rate", "1", TypeError, "learning_rate must be a positive number"),
        ("max_iter", 0, ValueError, "max_iter must be an integer >= 1; got 0"),
        ("max_iter", 10.0, TypeError, "max_iter must be an integer >= 1; got 10.0 of type float"),
        ("max_leaf_nodes", 1, ValueError, "max_leaf_nodes must be None or an integer >= 2"),
        ("max_depth", 0, ValueError, "max_depth must be None or an integer >= 1"),
        ("min_samples_leaf", 0, ValueError, "min_samples_leaf must be 'auto' or an integer >= 1"),
        ("l2_regularization", -1.0, ValueError, "l2_regularization must be a number >= 0"),
        ("l2_regularization", 1e300, ValueError, r"must be a number >= 0 and below 1e\+30"),
        ("subsample", 0.0, ValueError, r"subsample must be a number in \(0, 1\]; got 0.0"),
        ("subsample", 1.1, ValueError, r"subsample must be a number in \(0, 1\]; got 1.1"),
        ("max_features", 2, ValueError, r"max_features must be a number in \(0, 1\]"),
        ("max_bins", 1, ValueError, "max_bins must be an integer from 2 to 255; got 1"),
        ("max_bins", 256, ValueError, "max_bins must be an integer from 2 to 255; got 256"),
        ("sketch", 0, ValueError, "sketch must be 'auto', None or an integer >= 1; got 0"),
        ("sketch", "all", ValueError, "sketch must be 'auto', None or an integer; got 'all'"),
        ("sketch", 2.0, TypeError, "sketch must be 'auto', None or an integer >= 1"),
        ("multi_strategy", "both", ValueError, "multi_strategy must be one of 'multi_output_tree'"),
        ("class_weight", "equal", ValueError, "class_weight must be None, 'balanced'"),
        ("label_smoothing", 1.0, ValueError, r"label_smoothing must be a number in \[0, 1\)"),
        ("logit_l2", np.inf, ValueError, "logit_l2 must be a number >= 0 and"),
        ("interaction_cst", "triples", ValueError, "interaction_cst must be None, 'pairwise'"),
        ("interaction_cst", [0, 1], ValueError, "a list of lists of indices"),
        ("interaction_cst", [[0, 9]], ValueError, r"from 0 to 3; got the group \[0, 9\]"),
        ("warm_start", 1, TypeError, "warm_start must be True or False; got 1"),
        ("early_stopping", "yes", TypeError, "early_stopping, unless it is 'auto', must be True"),
        ("scoring", 3, ValueError, "scoring must be 'loss', the name of a scorer"),
        ("validation_fraction", 1.0, ValueError, r"validation_fraction must be a number in \(0, 1"),
        ("validation_fraction", 0, ValueError, "validation_fraction must be a number in"),
        ("n_iter_no_change", 0, ValueError, "n_iter_no_change must be an integer >= 1"),
        ("tol", -1e-3, ValueError, "tol must be a finite number >= 0"),
        ("random_state", "seed", ValueError, "'seed' cannot be used to seed"),
        ("n_jobs", 0, ValueError, "n_jobs=0"),
        ("verbose", -1, ValueError, r"verbose must be 0 \(silent\) or a positive integer"),
    ],
)
def test_parameters_out_of_range_are_explained(name, value, error, message, three_classes):
    with pytest.raises(error, match=message):
        SoftmaxBoostingClassifier(**{name: value}).fit(*three_classes)


def test_an_unknown_scorer_is_explained(three_classes):
    with pytest.raises(ValueError, match="scoring"):
        SoftmaxBoostingClassifier(scoring="beauty", early_stopping=True).fit(*three_classes)


def test_a_scorer_that_answers_nan_is_explained(three_classes):
    model = SoftmaxBoostingClassifier(
        scoring=lambda model, X, y: np.nan, early_stopping=True, max_iter=2
    )
    with pytest.raises(ValueError, match=r"scoring=<function .* is NaN, so that early stopping"):
        model.fit(*three_classes)


def test_other_bins_cannot_go_on_with_a_warm_start(three_classes):
    model = SoftmaxBoostingClassifier(max_iter=2, warm_start=True).fit(*three_classes)
    with pytest.raises(ValueError, match="max_bins=9 cannot go on from a fit with max_bins=255"):
        model.set_params(max_iter=4, max_bins=9).fit(*three_classes)


@pytest.mark.parametrize("strategy", ["multi_output_tree", "one_output_per_tree"])
def test_any_depth_is_accepted(strategy, three_classes):
    depths = {"max_depth": 2**70}, {"max_depth": None}
    deep, free = (
        SoftmaxBoostingClassifier(multi_strategy=strategy, max_iter=2, random_state=0, **depth)
        .fit(*three_classes)
        .predict_proba(three_classes[0])
        for depth in depths
    )
    np.testing.assert_array_equal(deep, free)


@pytest.mark.parametrize(
    "parameters",
    [
        {"learning_rate": np.float32(0.5), "max_iter": np.int32(3), "max_bins": np.int64(9)},
        {"subsample": 1, "max_features": 1, "l2_regularization": 0, "sketch": np.int8(1)},
        {"warm_start": np.bool_(True), "early_stopping": np.bool_(True), "max_iter": 2},
        {"validation_fraction": np.int64(30), "early_stopping": True, "max_iter": 2},
        {"max_leaf_nodes": None, "max_depth": None, "max_iter": 2, "verbose": False},
    ],
    ids=str,
)
def test_numpy_and_python_numbers_are_accepted(parameters, three_classes):
    SoftmaxBoostingClassifier(**parameters).fit(*three_classes)


@pytest.mark.parametrize(
    "fails",
    [
        {"y_proba": np.full((150, 3), 0.5)},
        {"sample_weight": np.full(150, -1.0)},
        {"X_val": np.zeros((2, 4)), "y_val": [0, 9]},
    ],
    ids=lambda fails: next(iter(fails)),
)
def test_a_failed_fit_leaves_the_model_as_it_was(fails, three_classes):
    X, y = three_classes
    model = SoftmaxBoostingClassifier(max_iter=3).fit(X, y)
    before, proba = dict(vars(model)), model.predict_proba(X)
    with pytest.raises(ValueError, match=r"y_proba|sample_weight|y_val"):
        model.fit(X[:, ::-1], y, **fails)
    assert vars(model) == before
    np.testing.assert_array_equal(model.predict_proba(X), proba)


@pytest.mark.parametrize("strategy", ["multi_output_tree", "one_output_per_tree"])
def test_a_fit_that_cannot_fit_in_memory_says_so_before_it_starts(
    strategy, three_classes, monkeypatch
):
    monkeypatch.setattr("sksoftmax._memory.available_bytes", lambda: 10_000)
    model = SoftmaxBoostingClassifier(multi_strategy=strategy)
    with pytest.raises(
        MemoryError, match=r"fit of 150 rows, 4 features and 3 classes .* needs about .* available"
    ):
        model.fit(*three_classes)
    assert not hasattr(model, "classes_")


def test_memory_of_an_exact_sketch_of_many_classes_is_counted(monkeypatch):
    """1000 classes: a record of the exact sketch has 1008 lanes, of the automatic one 4."""
    X, y = np.zeros((2000, 1)), np.arange(2000) % 1000
    monkeypatch.setattr("sksoftmax._memory.available_bytes", lambda: 20 * 2**20)
    SoftmaxBoostingClassifier(max_iter=1, max_leaf_nodes=4).fit(X, y)
    with pytest.raises(MemoryError, match="lower sketch"):
        SoftmaxBoostingClassifier(max_iter=1, max_leaf_nodes=4, sketch=None).fit(X, y)
