"""sample_weight and class_weight."""

import numpy as np
import pytest

from sksoftmax import MultinomialLogit

PRECISE = {"tol": 1e-10, "max_iter": 1000}


@pytest.mark.parametrize("data", ["two_classes", "three_classes"])
@pytest.mark.parametrize("class_weight", [None, "balanced"])
@pytest.mark.parametrize("solver", ["lbfgs", "newton-cholesky", "newton-cg"])
def test_weight_two_equals_a_duplicated_row_and_weight_zero_a_dropped_one(
    data, class_weight, solver, request, rng, assert_same_model
):
    X, y = request.getfixturevalue(data)
    times = rng.integers(0, 4, size=len(y))
    model = MultinomialLogit(class_weight=class_weight, solver=solver, **PRECISE)
    weighted = model.fit(X, y, times)
    repeated = MultinomialLogit(class_weight=class_weight, **PRECISE)
    repeated.fit(np.repeat(X, times, axis=0), np.repeat(y, times))
    assert_same_model(weighted, repeated)
    np.testing.assert_allclose(weighted.objective_, repeated.objective_, rtol=1e-10)


def test_the_sum_of_the_weights_matters_only_beside_the_penalty(three_classes, assert_same_model):
    X, y = three_classes
    weight = np.linspace(0.5, 2, len(y))
    one = MultinomialLogit(C=1.0, **PRECISE).fit(X, y, weight)
    tenfold = MultinomialLogit(C=0.1, **PRECISE).fit(X, y, 10 * weight)
    assert_same_model(one, tenfold)


def test_a_number_weighs_all_rows_alike(three_classes, assert_same_model):
    X, y = three_classes
    one = MultinomialLogit(**PRECISE).fit(X, y, 2.0)
    assert_same_model(one, MultinomialLogit(**PRECISE).fit(X, y, np.full(len(y), 2.0)))


def test_class_weights_multiply_sample_weights(three_classes, assert_same_model):
    X, y = three_classes
    weight = np.linspace(0.5, 2, len(y))
    model = MultinomialLogit(class_weight={0: 2.0, 2: 0.5}, **PRECISE).fit(X, y, weight)
    by_hand = weight * np.array([2.0, 1.0, 0.5])[y]
    assert_same_model(model, MultinomialLogit(**PRECISE).fit(X, y, by_hand))


def test_balanced_weights_are_total_by_number_of_classes_by_weighted_count(
    overlapping, assert_same_model
):
    X, y = overlapping
    weight = np.linspace(0.5, 2, len(y))
    per_class = weight.sum() / (4 * np.bincount(y, weights=weight))
    model = MultinomialLogit(class_weight="balanced", **PRECISE).fit(X, y, weight)
    assert_same_model(model, MultinomialLogit(**PRECISE).fit(X, y, weight * per_class[y]))


@pytest.mark.filterwarnings("ignore:No row has weight on class")
def test_balanced_weights_leave_out_a_class_without_data(overlapping, assert_same_model):
    X, y = overlapping
    X, y = X[y < 3], y[y < 3]
    more = MultinomialLogit(class_weight="balanced").fit(X, y, classes=[0, 1, 2, 3])
    proba = MultinomialLogit(class_weight="balanced").fit(X, y).predict_proba(X)
    np.testing.assert_allclose(more.predict_proba(X)[:, :3], proba, atol=1e-3)


@pytest.mark.parametrize("labels", [np.array(["a", "b", "c"]), np.array([1, 2, 3])])
def test_class_weight_is_looked_up_by_label(labels, three_classes, assert_same_model):
    X, y = three_classes
    model = MultinomialLogit(class_weight={labels[1]: 5.0}, **PRECISE).fit(X, labels[y])
    by_hand = MultinomialLogit(**PRECISE).fit(X, labels[y], np.array([1.0, 5.0, 1.0])[y])
    assert_same_model(model, by_hand)


def test_class_weight_may_name_a_class_that_the_data_lack(three_classes):
    X, y = three_classes
    MultinomialLogit(class_weight={0: 1.0, 1: 2.0, 2: 3.0, 3: 4.0}).fit(X, y)


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ({0: 1.0, 7: 2.0}, r"class_weight names \[7\].*leaves out the classes \[1, 2\]"),
        ({0: -1.0}, "class_weight must hold finite numbers >= 0"),
        ({0: np.nan}, "class_weight must hold finite numbers >= 0"),
        ({0: 0, 1: 0, 2: 0}, "class_weight: .*zero"),
        ("even", "class_weight must be None, 'balanced' or a dictionary"),
        ([1, 2, 3], "class_weight must be None, 'balanced' or a dictionary"),
    ],
)
def test_wrong_class_weights_are_explained(class_weight, message, three_classes):
    with pytest.raises(ValueError, match=message):
        MultinomialLogit(class_weight=class_weight).fit(*three_classes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: -w, "sample_weight: row 0 is negative"),
        (lambda w: 0 * w, "sample_weight: the weights are all zero"),
        (lambda w: w / 0, "sample_weight contains infinity"),
        (lambda w: w[:-1], "sample_weight must have shape"),
        (lambda w: w[:, None], "sample_weight must have shape"),
        (lambda w: w.astype(complex), "Complex data not supported"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
def test_wrong_sample_weights_are_explained(change, message, three_classes):
    X, y = three_classes
    with pytest.raises(ValueError, match=message):
        MultinomialLogit().fit(X, y, change(np.ones(len(y))))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1e-300, 1e-50, 1e37, 1e307])
def test_the_scale_of_the_weights_is_that_of_the_penalty(scale, dtype, three_classes):
    X, y = three_classes
    weight = np.linspace(0.1, 1, len(y))
    model = MultinomialLogit(C=2 / scale, **PRECISE).fit(X.astype(dtype), y, scale * weight)
    expected = MultinomialLogit(C=2, **PRECISE).fit(X.astype(dtype), y, weight)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.objective_, expected.objective_, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [5e-324, 1e308])
def test_without_penalty_the_scale_of_the_weights_does_not_matter(scale, dtype, overlapping):
    X, y = overlapping
    expected = MultinomialLogit(C=np.inf).fit(X.astype(dtype), y)
    model = MultinomialLogit(C=np.inf).fit(X.astype(dtype), y, np.full(len(y), scale))
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-6)


@pytest.mark.parametrize("class_weight", [{0: "a"}, {0: [1, 2]}, {0: 10**400}, {0: None}])
def test_class_weights_are_numbers(class_weight, three_classes):
    with pytest.raises(ValueError, match="class_weight must hold finite numbers"):
        MultinomialLogit(class_weight=class_weight).fit(*three_classes)


@pytest.mark.parametrize("weight", ["a", ["a"] * 150, np.ma.masked_array(np.ones(150))])
def test_weights_that_are_no_numbers_are_named(weight, three_classes):
    with pytest.raises(ValueError, match="sample_weight"):
        MultinomialLogit().fit(*three_classes, weight)
