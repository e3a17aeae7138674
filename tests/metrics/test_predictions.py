"""What all metrics accept and refuse: labels of any type, probabilities, weights."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from sksoftmax.metrics import calibration_report, expected_calibration_error, subgroup_report

P = np.array([[0.7, 0.2, 0.1], [0.2, 0.6, 0.2], [0.1, 0.3, 0.6], [0.5, 0.3, 0.2]])
CODES = np.array([0, 1, 2, 1])
EXPECTED = expected_calibration_error(CODES, P)


@pytest.mark.parametrize(
    "names",
    [
        [1, 2, 3],
        [-1, 0, 1],
        [-128, 0, 127],
        [0.5, 1.5, 2.5],
        ["a", "b", "c"],
        [b"a", b"b", b"c"],
        [10**18, 2 * 10**18, 3 * 10**18],
        [np.datetime64("2020-01-01"), np.datetime64("2021-01-01"), np.datetime64("2022-01-01")],
    ],
)
def test_labels_of_any_type(names):
    names = np.array(names)

    assert expected_calibration_error(names[CODES], P) == EXPECTED
    assert expected_calibration_error(names[CODES], P, labels=names) == EXPECTED
    assert expected_calibration_error(names[CODES].tolist(), P, labels=names.tolist()) == EXPECTED


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.uint64, np.int16])
def test_integers_of_any_width(dtype):
    lowest = np.iinfo(dtype).min
    names = np.array([lowest, lowest + 1, np.iinfo(dtype).max], dtype=dtype)

    assert expected_calibration_error(names[CODES], P) == EXPECTED


def test_labels_of_several_types_need_an_order():
    y = ["a", 1, None, 1]
    with pytest.raises(ValueError, match="y_true: row 2 is None"):
        expected_calibration_error(y, P)
    with pytest.raises(ValueError, match=r"y_true mixes labels .*\(int, str\).* in labels="):
        expected_calibration_error(["a", 1, 2, 1], P)
    assert expected_calibration_error(["a", 1, 2, 1], P, labels=["a", 1, 2]) == EXPECTED


@pytest.mark.parametrize("wrap", [list, pd.Series, pl.Series, pd.Categorical, np.array])
def test_containers_of_labels(wrap):
    y = ["a", "b", "c", "b"]

    assert expected_calibration_error(wrap(y), P) == EXPECTED
    assert expected_calibration_error(np.array(y)[:, np.newaxis], P) == EXPECTED


def test_booleans_and_one_column():
    report = calibration_report([True, False, True], [0.9, 0.2, 0.6])

    assert report["accuracy"].value == 1


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_the_columns_of_a_frame_are_named_after_the_classes(frame):
    y = np.array(["a", "b", "c"])[CODES]
    table = frame({"c": P[:, 2], "a": P[:, 0], "b": P[:, 1]})

    assert expected_calibration_error(y, table) == pytest.approx(EXPECTED)


def test_columns_that_read_like_the_labels():
    assert expected_calibration_error(CODES, pl.DataFrame(P, schema=["0", "1", "2"])) == EXPECTED
    with pytest.raises(ValueError, match=r"columns .* do not name the labels of y_true"):
        expected_calibration_error(CODES, pd.DataFrame(P, columns=["x", "y", "z"]))


def test_a_missing_class_is_named_in_labels():
    with pytest.raises(ValueError, match=r"3 columns, but y_true holds 2 classes.* in labels="):
        expected_calibration_error([0, 1, 1, 1], P)
    for kind in ("top_label", "classwise"):
        error = expected_calibration_error([0, 1, 1, 1], P, labels=[0, 1, 2], kind=kind)
        assert 0 < error < 1


def test_labels_in_the_order_of_the_columns():
    y = np.array(["low", "mid", "high"])[CODES]

    assert expected_calibration_error(y, P, labels=["low", "mid", "high"]) == EXPECTED
    assert expected_calibration_error(y, P) != EXPECTED  # sorted: high, low, mid


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1], "3 columns, but labels names 2 classes"),
        ([0, 1, 1], "must be different labels"),
        ([0, 1, 3], r"y_true: row 2 has the label 2, which is not among the classes \[0, 1, 3\]"),
        ([0, 1, None], "none missing"),
        ([[0, 1, 2]], "list with the label of each column"),
    ],
)
def test_labels_that_are_wrong(labels, message):
    with pytest.raises(ValueError, match=message):
        expected_calibration_error(CODES, P, labels=labels)


def changed(row, values):
    proba = P.copy()
    proba[row] = values
    return proba


@pytest.mark.parametrize(
    ("y_proba", "message"),
    [
        (changed(2, [0.5, 0.5, 0.5]), "y_proba: row 2 sums to 1.5; probabilities must sum to 1"),
        (changed(3, [1.2, -0.1, -0.1]), "y_proba: row 3 holds a negative probability or NaN"),
        (changed(1, np.nan), "y_proba: row 1 holds a negative probability or NaN"),
        (changed(1, [np.inf, 0, 0]), "y_proba: row 1 sums to inf"),
        (P.astype(np.float32) * np.float32(1.001), "y_proba: row 0 sums to 1.001"),
        (P[:, :1], "one column for each of at least two classes"),
        (P[:0], "got shape"),
        (P[np.newaxis], "got shape"),
        (sparse.csr_array(P), "y_proba must be dense"),
        ([["x", "y", "z"]] * 4, "y_proba must hold real numbers"),
        (np.ma.masked_array(P), "masked array"),
    ],
)
def test_probabilities_that_are_wrong(y_proba, message):
    with pytest.raises((ValueError, TypeError), match=message):
        expected_calibration_error(CODES, y_proba)


@pytest.mark.parametrize(
    ("y_proba", "message"),
    [
        ([0.5, 1.5, 0.1, 0.2], "y_proba: row 1 is 1.5, not a probability"),
        ([0.5, 0.5, np.nan, 0.2], "y_proba: row 2 is nan, not a probability"),
        ([0.5, 0.5, 0.1, -0.2], "y_proba: row 3 is -0.2, not a probability"),
    ],
)
def test_one_column_that_is_wrong(y_proba, message):
    with pytest.raises(ValueError, match=message):
        expected_calibration_error([0, 1, 0, 1], y_proba)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0, 1, 2], "y_true has 3 labels, but y_proba has 4 rows"),
        ([0, 1, np.nan, 2], "y_true: row 2 is nan"),
        (["a", "b", None, "c"], "y_true: row 2 is None"),
        (pd.Series(["a", "b", pd.NA, "c"], dtype="string"), "y_true: row 2 is <NA>"),
        (np.eye(4, 3), r"one label per row.*argmax\(axis=1\)"),
        (np.ma.masked_array(CODES), "masked array"),
    ],
)
def test_labels_of_rows_that_are_wrong(y, message):
    with pytest.raises(ValueError, match=message):
        expected_calibration_error(y, P)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([1, 1, -1, 1], "sample_weight: row 2 is negative"),
        ([0, 0, 0, 0], "all zero"),
        ([1, 1, np.nan, 1], "sample_weight"),
        ([1, 1], "sample_weight must have shape"),
    ],
)
def test_weights_that_are_wrong(weight, message):
    for metric in (expected_calibration_error, calibration_report):
        with pytest.raises(ValueError, match=message):
            metric(CODES, P, sample_weight=weight)
    with pytest.raises(ValueError, match=message):
        subgroup_report(CODES, P, ["a"] * 4, sample_weight=weight)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_bins": 0}, ValueError, "n_bins must be an integer from 1 to 10,000"),
        ({"n_bins": 2.5}, TypeError, "n_bins must be an integer from 1 to 10,000"),
        ({"strategy": "equal"}, ValueError, "strategy must be one of 'uniform', 'quantile'"),
        ({"kind": "all"}, ValueError, "kind must be one of 'top_label', 'classwise'"),
        ({"norm": "l3"}, ValueError, "norm must be one of 'l1', 'l2', 'max'"),
        ({"debias": "yes"}, TypeError, "debias must be True or False"),
        ({"debias": True, "norm": "max"}, ValueError, "defined for norm='l1' and 'l2'"),
    ],
)
def test_options_that_are_wrong(options, error, message):
    with pytest.raises(error, match=message):
        expected_calibration_error(CODES, P, **options)


def test_one_row():
    report = calibration_report(["b"], [[0.2, 0.8]], labels=["a", "b"])

    assert report["accuracy"] == pytest.approx((1.0, 0.2065, 1.0), abs=1e-4)
    assert np.isnan(report["nll"].low)
    assert expected_calibration_error(["b"], [[0.2, 0.8]], labels=["a", "b"]) == pytest.approx(0.2)
    assert "1 row," in str(report)


def test_a_row_of_weight_zero_is_checked_and_left_out():
    weight = [1, 1, 1, 0]
    without = calibration_report(CODES[:3], P[:3])
    weighted = calibration_report(CODES, P, sample_weight=weight)

    for name, estimate in without.items():
        assert weighted[name] == pytest.approx(estimate), name
    with pytest.raises(ValueError, match="row 3 sums to"):
        calibration_report(CODES, changed(3, [1.0, 1.0, 0.0]), sample_weight=weight)


@pytest.mark.parametrize("kind", ["top_label", "classwise"])
def test_views_of_labels_are_read_as_they_are(kind, rng):
    y_proba, y = rng.dirichlet(np.ones(3), size=60), np.arange(60) % 3
    expected = expected_calibration_error(y, y_proba, kind=kind)
    for shown in (np.flip(y), y[::-1].astype(">i8"), y.astype(np.uint8)[::-1], np.flip(y) - 7):
        found = expected_calibration_error(shown, y_proba[::-1], kind=kind)
        assert found == pytest.approx(expected, rel=1e-12)
    assert y.tolist() == [0, 1, 2] * 20  # read, not written
