"""Labels of any type, and classes that the data may lack."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sksoftmax import MultinomialLogit

LABELS = {
    "strings": np.array(["ape", "bee", "cat"]),
    "objects": np.array(["ape", "bee", "cat"], dtype=object),
    "from 1": np.array([1, 2, 3]),
    "negative": np.array([-5, 0, 7]),
    "small integers": np.array([1, 2, 3], dtype=np.uint8),
    "floats": np.array([0.0, 1.0, 2.0]),
}
PAIRS = {
    "booleans": np.array([False, True]),
    "signs": np.array([-1, 1]),
    "strings": np.array(["no", "yes"]),
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS.keys())
def test_any_labels_give_the_same_model(labels, three_classes):
    X, y = three_classes
    plain = MultinomialLogit().fit(X, y)
    model = MultinomialLogit().fit(X, labels[y])
    np.testing.assert_array_equal(model.classes_, labels)
    assert model.classes_.dtype == labels.dtype
    np.testing.assert_array_equal(model.coef_, plain.coef_)
    np.testing.assert_array_equal(model.predict(X), labels[plain.predict(X)])
    assert model.score(X, labels[y]) == plain.score(X, y)


@pytest.mark.parametrize("labels", PAIRS.values(), ids=PAIRS.keys())
def test_any_pair_of_labels_gives_the_same_model(labels, two_classes):
    X, y = two_classes
    plain = MultinomialLogit().fit(X, y)
    model = MultinomialLogit().fit(X, labels[y])
    np.testing.assert_array_equal(model.coef_, plain.coef_)
    np.testing.assert_array_equal(model.predict(X), labels[plain.predict(X)])


def test_classes_are_sorted_whatever_the_order_of_the_rows(three_classes):
    X, y = three_classes
    model = MultinomialLogit().fit(X[::-1], np.array(["c", "a", "b"])[y[::-1]])
    assert list(model.classes_) == ["a", "b", "c"]
    assert model.score(X, np.array(["c", "a", "b"])[y]) > 0.95


def test_one_class_is_an_error_that_names_it(three_classes):
    X, _ = three_classes
    with pytest.raises(ValueError, match=r"[Aa]t least two classes.*one class only: 'ape'"):
        MultinomialLogit().fit(X, np.full(len(X), "ape"))


def test_one_class_in_the_data_is_allowed_when_classes_names_more(three_classes):
    X, y = three_classes
    model = MultinomialLogit(label_smoothing=0.01).fit(X, np.zeros(len(y)), classes=[0, 1, 2])
    assert model.predict_proba(X).shape == (len(y), 3)
    assert (model.predict(X) == 0).all()


@pytest.mark.filterwarnings("ignore:No row has weight on class")
def test_classes_fixes_the_columns_when_the_data_lack_a_class(three_classes):
    X, y = three_classes
    names = np.array(["a", "b", "d"])
    model = MultinomialLogit().fit(X, names[y], classes=["a", "b", "c", "d"])
    assert list(model.classes_) == ["a", "b", "c", "d"]
    assert model.coef_.shape == (4, 4)
    proba = model.predict_proba(X)
    assert (proba[:, 2] < 1e-3).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-12)
    without = MultinomialLogit().fit(X, names[y])
    np.testing.assert_allclose(np.delete(proba, 2, axis=1), without.predict_proba(X), atol=1e-3)


def test_a_class_without_data_is_warned_of_and_gets_a_small_probability(two_classes):
    X, y = two_classes
    with pytest.warns(ConvergenceWarning, match="No row has weight on class 2"):
        model = MultinomialLogit().fit(X, y, classes=[0, 1, 2])
    assert (model.predict_proba(X)[:, 2] > 0).all()
    assert (model.predict_proba(X)[:, 2] < 1e-3).all()


def test_unsorted_classes_are_sorted_when_no_columns_depend_on_them(three_classes):
    X, y = three_classes
    model = MultinomialLogit().fit(X, y, classes=[2, 0, 1])
    assert list(model.classes_) == [0, 1, 2]


def test_labels_outside_classes_are_named(three_classes):
    X, y = three_classes
    with pytest.raises(ValueError, match=r"y holds labels \[2\] .*classes \[0, 1, 5\]"):
        MultinomialLogit().fit(X, y, classes=[0, 1, 5])


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ([0, 1, 1, 2], "classes must be unique"),
        ([[0, 1, 2]], "classes must be a list of labels"),
        ([], "classes must be a list of labels"),
        ([0], "two classes"),
    ],
)
def test_classes_must_be_distinct_labels(classes, message, three_classes):
    X, y = three_classes
    with pytest.raises(ValueError, match=message):
        MultinomialLogit().fit(X, np.minimum(y, 0), classes=classes)


def test_y_none_without_y_proba_says_that_y_is_required(three_classes):
    X, _ = three_classes
    with pytest.raises(ValueError, match="requires y to be passed, but the target y is None"):
        MultinomialLogit().fit(X)


def test_a_matrix_as_y_points_to_y_proba(three_classes):
    X, y = three_classes
    with pytest.raises(ValueError, match=r"y should be a 1d array.*y_proba="):
        MultinomialLogit().fit(X, np.eye(3)[y])


def test_continuous_labels_are_refused(three_classes):
    X, _ = three_classes
    with pytest.raises(ValueError, match="Unknown label type"):
        MultinomialLogit().fit(X, X[:, 0])


def test_labels_that_cannot_be_sorted_are_refused(three_classes):
    X, y = three_classes
    with pytest.raises((ValueError, TypeError), match="str"):
        MultinomialLogit().fit(X, np.where(y == 0, "a", y.astype(object)))


@pytest.mark.parametrize(
    "classes", [[None, 0, 1], ["a", 0, 1], [0, 1, np.nan], [0, 1, 2j], 5, [[0], [1]]]
)
def test_classes_that_are_no_labels_are_refused(classes, three_classes):
    with pytest.raises(ValueError, match="classes must be"):
        MultinomialLogit().fit(*three_classes, classes=classes)


@pytest.mark.parametrize("odd", [None, 1])
def test_labels_of_mixed_types_are_an_error_of_y(odd, three_classes):
    X, y = three_classes
    labels = np.array(["a", "b", "c"], dtype=object)[y]
    labels[0] = odd
    with pytest.raises(ValueError, match=r"y: .*str"):
        MultinomialLogit().fit(X, labels)
