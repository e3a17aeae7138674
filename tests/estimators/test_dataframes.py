"""pandas and polars frames: names of features, and columns found by the names of classes."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from sksoftmax import MultinomialLogit

NAMES = np.array(["bus", "car", "train"])
FRAMES = {"pandas": pd.DataFrame, "polars": pl.DataFrame}


@pytest.fixture(params=FRAMES.values(), ids=FRAMES.keys())
def frame(request):
    """Make a frame of either library from {name: column}."""
    return request.param


def columns(values, names):
    return {name: values[:, j] for j, name in enumerate(names)}


@pytest.fixture
def trips(three_classes):
    """X, y with names, offset, mask and probabilities, one column per class in sorted order."""
    X, y = three_classes
    rng = np.random.default_rng(0)
    mask = rng.random((len(y), 3)) < 0.8
    mask[np.arange(len(y)), y] = True
    proba = np.where(mask, rng.random((len(y), 3)), 0)
    proba /= proba.sum(axis=1, keepdims=True)
    return X, NAMES[y], rng.normal(size=(len(y), 3)), mask, proba


def test_features_are_remembered_and_checked_by_name(frame, trips):
    X, y, *_ = trips
    features = frame(columns(X, ["a", "b", "c", "d"]))
    model = MultinomialLogit().fit(features, y)
    assert list(model.feature_names_in_) == ["a", "b", "c", "d"]
    np.testing.assert_array_equal(model.predict(features), MultinomialLogit().fit(X, y).predict(X))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame(columns(X, ["b", "a", "c", "d"])))


def test_columns_are_found_by_name_in_any_order(frame, trips):
    X, y, offset, mask, proba = trips
    plain = MultinomialLogit().fit(X, y, y_proba=proba, offset=offset, mask=mask)
    shuffled = [2, 0, 1]

    def named(values):
        return frame(columns(values[:, shuffled], NAMES[shuffled]))

    model = MultinomialLogit()
    model.fit(X, y, y_proba=named(proba), offset=named(offset), mask=named(mask))
    np.testing.assert_array_equal(model.classes_, NAMES)
    np.testing.assert_array_equal(model.coef_, plain.coef_)
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        np.testing.assert_array_equal(
            getattr(model, method)(X, offset=named(offset), mask=named(mask)),
            getattr(plain, method)(X, offset=offset, mask=mask),
        )


def test_columns_name_the_classes_without_y(frame, trips):
    X, _, _, _, proba = trips
    model = MultinomialLogit().fit(X, y_proba=frame(columns(proba[:, ::-1], NAMES[::-1])))
    assert list(model.classes_) == ["bus", "car", "train"]
    np.testing.assert_array_equal(model.coef_, MultinomialLogit().fit(X, y_proba=proba).coef_)


def test_columns_name_the_classes_when_y_lacks_one(frame, trips):
    X, y, _, _, proba = trips
    fold = y != "car"
    model = MultinomialLogit().fit(X[fold], y[fold], y_proba=frame(columns(proba[fold], NAMES)))
    assert list(model.classes_) == ["bus", "car", "train"]


def test_classes_may_be_unsorted_when_frames_name_the_columns(frame, trips):
    X, y, offset, _, proba = trips
    model = MultinomialLogit().fit(
        X,
        y,
        y_proba=frame(columns(proba, NAMES)),
        offset=frame(columns(offset, NAMES)),
        classes=["train", "bus", "car"],
    )
    plain = MultinomialLogit().fit(X, y, y_proba=proba, offset=offset)
    np.testing.assert_array_equal(model.coef_, plain.coef_)


@pytest.mark.parametrize("labels", [np.array([1, 2, 3]), np.array([-1, 0, 10])])
def test_labels_that_are_numbers_are_matched_with_names_that_are_text(frame, labels, trips):
    X, _, offset, _, proba = trips
    y = labels[np.arange(len(X)) % 3]
    text = [str(label) for label in labels]
    plain = MultinomialLogit().fit(X, y, y_proba=proba, offset=offset)
    model = MultinomialLogit().fit(
        X,
        y,
        y_proba=frame(columns(proba[:, ::-1], text[::-1])),
        offset=frame(columns(offset, text)),
    )
    np.testing.assert_array_equal(model.classes_, labels)
    np.testing.assert_array_equal(model.coef_, plain.coef_)


def test_pandas_columns_may_be_numbers(trips):
    X, _, _, _, proba = trips
    model = MultinomialLogit().fit(X, y_proba=pd.DataFrame(proba[:, ::-1], columns=[30, 20, 10]))
    assert list(model.classes_) == [10, 20, 30]
    np.testing.assert_array_equal(model.coef_, MultinomialLogit().fit(X, y_proba=proba).coef_)


def test_missing_and_unknown_columns_are_named(frame, trips):
    X, y, offset, *_ = trips
    wrong = frame(columns(offset, ["bus", "car", "tram"]))
    with pytest.raises(
        ValueError, match=r"offset: its columns .*missing: \['train'\], not a class: \['tram'\]"
    ):
        MultinomialLogit().fit(X, y, offset=wrong)


def test_probabilities_must_name_the_labels_of_y(frame, trips):
    X, y, _, _, proba = trips
    with pytest.raises(ValueError, match=r"y_proba: its columns .* do not name the labels of y"):
        MultinomialLogit().fit(X, y, y_proba=frame(columns(proba, ["a", "b", "c"])))


def test_repeated_names_are_refused(trips):
    X, y, offset, *_ = trips
    twice = pd.DataFrame(np.c_[offset, offset[:, 0]], columns=["bus", "car", "train", "bus"])
    with pytest.raises(ValueError, match="each once"):
        MultinomialLogit().fit(X, y, offset=twice)


def test_names_of_mixed_types_are_refused(trips):
    X, _, _, _, proba = trips
    with pytest.raises(ValueError, match="must be of one type"):
        MultinomialLogit().fit(X, y_proba=pd.DataFrame(proba, columns=["bus", 1, "train"]))


@pytest.mark.parametrize("series", [pd.Series, pl.Series], ids=["pandas", "polars"])
def test_labels_and_weights_may_be_series(series, trips):
    X, y, *_ = trips
    weight = np.linspace(0.1, 1, len(y))
    plain = MultinomialLogit().fit(X, y, weight)
    model = MultinomialLogit().fit(X, series(y.tolist()), series(weight))
    np.testing.assert_array_equal(model.coef_, plain.coef_)
    np.testing.assert_array_equal(model.predict(X), plain.predict(X))
    assert model.score(X, series(y.tolist())) == plain.score(X, y)


def test_categories_and_nullable_columns_of_pandas(trips):
    X, y, offset, mask, _ = trips
    plain = MultinomialLogit().fit(X, y, offset=offset, mask=mask)
    model = MultinomialLogit().fit(
        pd.DataFrame(X, columns=list("abcd")).astype("Float64"),
        pd.Series(y, dtype="category"),
        offset=pd.DataFrame(offset, columns=NAMES).astype("Float64"),
        mask=pd.DataFrame(mask, columns=NAMES).astype("boolean"),
    )
    np.testing.assert_array_equal(model.coef_, plain.coef_)


def test_a_missing_offset_in_a_frame_is_an_error(frame, trips):
    X, y, offset, *_ = trips
    offset[5, 1] = np.nan
    with pytest.raises(ValueError, match="offset: row 5"):
        MultinomialLogit().fit(X, y, offset=frame(columns(offset, NAMES)))
