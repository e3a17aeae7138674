"""y_proba: rows of probabilities as targets."""

import numpy as np
import pytest
from sklearn.model_selection import cross_val_predict

from sksoftmax import MultinomialLogit

PRECISE = {"tol": 1e-10, "max_iter": 1000}


@pytest.fixture
def soft(three_classes):
    """X, y, and probabilities of a teacher (n, 3)."""
    X, y = three_classes
    return X, y, cross_val_predict(MultinomialLogit(C=0.1), X, y, method="predict_proba")


@pytest.mark.parametrize("data", ["two_classes", "three_classes"])
def test_one_hot_rows_are_the_same_as_labels(data, request, assert_same_model):
    X, y = request.getfixturevalue(data)
    hard = MultinomialLogit(**PRECISE).fit(X, y)
    soft = MultinomialLogit(**PRECISE).fit(X, y_proba=np.eye(y.max() + 1)[y])
    assert_same_model(soft, hard)


def test_soft_targets_equal_rows_repeated_with_the_probabilities_as_weights(
    soft, assert_same_model
):
    X, _, proba = soft
    model = MultinomialLogit(**PRECISE).fit(X, y_proba=proba)
    repeated = MultinomialLogit(**PRECISE).fit(
        np.repeat(X, 3, axis=0), np.tile([0, 1, 2], len(X)), sample_weight=proba.ravel()
    )
    assert_same_model(model, repeated)
    np.testing.assert_allclose(model.objective_, repeated.objective_, rtol=1e-10)


def test_the_gradient_vanishes_at_the_fit_of_soft_targets(soft, objective):
    X, _, proba = soft
    weight = np.linspace(0.1, 2, len(X))
    model = MultinomialLogit(label_smoothing=0.05, **PRECISE).fit(X, None, weight, y_proba=proba)
    value, coef_gradient, intercept_gradient = objective(model, X, proba, weight)
    np.testing.assert_allclose(value, model.objective_, rtol=1e-10)
    np.testing.assert_allclose(coef_gradient, 0, atol=1e-7)
    np.testing.assert_allclose(intercept_gradient, 0, atol=1e-7)


def test_a_linear_teacher_is_recovered_from_its_probabilities(overlapping):
    X, y = overlapping
    teacher = MultinomialLogit(C=1.0).fit(X, y)
    student = MultinomialLogit(C=np.inf, **PRECISE).fit(X, y_proba=teacher.predict_proba(X))
    np.testing.assert_allclose(student.coef_, teacher.coef_, atol=1e-5)


def test_y_proba_is_fitted_and_y_only_names_the_classes_when_both_are_given(
    soft, assert_same_model
):
    X, y, proba = soft
    names = np.array(["a", "b", "c"])
    both = MultinomialLogit().fit(X, names[y], y_proba=proba)
    alone = MultinomialLogit().fit(X, y_proba=proba)
    assert list(both.classes_) == ["a", "b", "c"]
    np.testing.assert_array_equal(both.coef_, alone.coef_)


def test_without_names_classes_are_counted_from_zero(soft):
    X, _, proba = soft
    assert list(MultinomialLogit().fit(X, y_proba=proba).classes_) == [0, 1, 2]
    listed = MultinomialLogit().fit(X.tolist(), y_proba=proba.tolist())
    assert list(listed.classes_) == [0, 1, 2]


def test_classes_names_the_columns(soft):
    X, _, proba = soft
    model = MultinomialLogit().fit(X, y_proba=proba, classes=["a", "b", "c"])
    assert list(model.classes_) == ["a", "b", "c"]
    assert model.predict(X[:1]) == ["a"]


def test_classes_names_the_columns_when_a_fold_of_y_lacks_a_class(soft):
    X, y, proba = soft
    fold = y < 2
    with pytest.raises(ValueError, match=r"y_proba has 3 columns, but there are 2 .*classes="):
        MultinomialLogit().fit(X[fold], y[fold], y_proba=proba[fold])
    model = MultinomialLogit().fit(X[fold], y[fold], y_proba=proba[fold], classes=[0, 1, 2])
    assert model.coef_.shape == (3, 4)


def test_unsorted_classes_are_refused_for_an_array_of_probabilities(soft):
    X, _, proba = soft
    with pytest.raises(ValueError, match=r"classes must be sorted .*np\.unique"):
        MultinomialLogit().fit(X, y_proba=proba, classes=["c", "a", "b"])


def test_class_weights_of_soft_targets_are_taken_before_smoothing(soft, assert_same_model):
    X, _, proba = soft
    class_weight = {0: 0.5, 1: 3.0}
    weighted = MultinomialLogit(class_weight=class_weight, label_smoothing=0.2, **PRECISE)
    by_hand = MultinomialLogit(label_smoothing=0.2, **PRECISE)
    weighted.fit(X, y_proba=proba)
    by_hand.fit(X, None, proba @ [0.5, 3.0, 1.0], y_proba=proba)
    assert_same_model(weighted, by_hand)


def test_balanced_class_weights_count_probabilities(soft, assert_same_model):
    X, _, proba = soft
    weight = np.linspace(0.5, 1.5, len(X))
    balanced = MultinomialLogit(class_weight="balanced", **PRECISE)
    balanced.fit(X, None, weight, y_proba=proba)
    count = weight @ proba
    by_hand = weight * (proba @ (count.sum() / (3 * count)))
    assert_same_model(balanced, MultinomialLogit(**PRECISE).fit(X, None, by_hand, y_proba=proba))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([0.5, 0.6, 0.0], r"y_proba: row 7 sums to 1\.1"),
        ([1.2, -0.2, 0.0], "y_proba: row 7 holds a negative probability"),
        ([0.5, np.nan, 0.5], "y_proba contains NaN"),
        ([np.inf, 0, 0], "y_proba contains infinity"),
        ([0, 0, 0], "y_proba: row 7 sums to 0"),
    ],
)
def test_rows_that_are_no_probabilities_are_named(row, message, soft):
    X, _, proba = soft
    proba = proba.copy()
    proba[7] = row
    with pytest.raises(ValueError, match=message):
        MultinomialLogit().fit(X, y_proba=proba)


def test_sums_may_be_off_by_1e_6_in_float64_and_1e_4_in_float32(soft, assert_same_model):
    X, _, proba = soft
    exact = MultinomialLogit(**PRECISE).fit(X, y_proba=proba)
    off = MultinomialLogit(**PRECISE).fit(X, y_proba=proba * (1 + 9e-7))
    assert_same_model(off, exact)
    single = (proba * (1 + 9e-5)).astype(np.float32)
    assert_same_model(MultinomialLogit(**PRECISE).fit(X, y_proba=single), exact)
    with pytest.raises(ValueError, match="row 0 sums to"):
        MultinomialLogit().fit(X, y_proba=proba * (1 + 2e-6))
    with pytest.raises(ValueError, match="row 0 sums to"):
        MultinomialLogit().fit(X, y_proba=(proba * (1 + 2e-4)).astype(np.float32))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda proba: proba[:-1], "y_proba has 149 rows, but X has 150"),
        (lambda proba: proba[:, 0], r"y_proba must have shape \(n_samples, n_classes\)"),
        (lambda proba: np.ones((150, 1)), "two classes"),
        (lambda proba: np.ma.masked_array(proba), "masked array"),
    ],
)
def test_wrong_shapes_are_described(change, message, soft):
    X, _, proba = soft
    with pytest.raises(ValueError, match=message):
        MultinomialLogit().fit(X, y_proba=change(proba))


def test_y_proba_is_not_changed(soft):
    X, _, proba = soft
    proba = proba * (1 + 5e-7)
    before = proba.copy()
    MultinomialLogit().fit(X, y_proba=proba)
    np.testing.assert_array_equal(proba, before)


def test_float16_probabilities_may_be_off_by_1e_2(soft):
    X, _, proba = soft
    MultinomialLogit().fit(X, y_proba=(proba * (1 + 5e-3)).astype(np.float16))
    with pytest.raises(ValueError, match=r"row 0 sums to .*within 0\.01.*sample_weight"):
        MultinomialLogit().fit(X, y_proba=(proba * (1 + 3e-2)).astype(np.float16))


def test_probabilities_without_columns_are_described(soft):
    X, _, _ = soft
    with pytest.raises(ValueError, match="y_proba must have shape"):
        MultinomialLogit().fit(X, y_proba=np.ones((len(X), 0)))
