"""Labels of which some are missing: None, NaN, NaT, NA, masked, or a value that the user names."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.exceptions import DataConversionWarning
from sklearn.utils import assert_all_finite, column_or_1d
from sklearn.utils.multiclass import check_classification_targets


def split_labels(y: Any, unlabeled: Any = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels that are there, in one type, and which rows have one."""
    values = _as_column(y)
    known = ~_is_missing(values)
    if np.ma.isMaskedArray(y):
        known &= ~np.ma.getmaskarray(y).reshape(-1)
    if unlabeled is not None:
        known &= ~_equals(values, unlabeled)
    labels = _in_one_type(values[known])
    if len(labels) and labels.dtype.kind not in "iubU":  # those are labels, whatever they hold
        if labels.dtype.kind == "f":
            assert_all_finite(labels, input_name="y")
        with few_labels_are_fine(labels):
            check_classification_targets(labels)
    return labels, known


def refuse_only_nan(y: Any, known: np.ndarray, unlabeled: Any) -> None:
    """Raise where a fit is given numbers of which none is one."""
    values = _as_column(y)
    if len(values) and values.dtype.kind == "f" and unlabeled is None and not known.any():
        raise ValueError(
            "Input y contains NaN only, which may be a mistake. To start without labels pass "
            "y=None (or unlabeled=np.nan)."
        )


@contextmanager
def few_labels_are_fine(labels: np.ndarray) -> Iterator[None]:
    """Let scikit-learn not wonder about few labels of many classes: here they are the rule."""
    if 4 * len(np.unique(labels)) <= len(labels):  # also in the half of them that a fold is
        yield
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of unique classes is greater", UserWarning)
        yield


def joined_labels(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Return old and new labels in one array; raise where they are text and numbers."""
    if not len(old) or not len(new):
        return new if len(new) else old
    if (old.dtype.kind == "U") != (new.dtype.kind == "U"):
        raise ValueError(
            f"y: labels such as {new[0].item()!r} do not go with the earlier ones, such as "
            f"{old[0].item()!r}; make them all strings or all numbers."
        )
    return np.concatenate([old, new])


_COLUMN = "y is a data frame with one column; pass the column."


def _as_column(y: Any) -> np.ndarray:
    if hasattr(y, "columns") and len(y.columns) == 1:
        warnings.warn(_COLUMN, DataConversionWarning, stacklevel=2)
        y = y[y.columns[0]]
    is_array = isinstance(y, np.ndarray) or hasattr(y, "columns")
    to_list = getattr(y, "to_list", getattr(y, "tolist", None))
    if not is_array and to_list is not None:  # a series or pandas array: its NA stays what it is
        values = np.empty(len(y), dtype=object)
        values[:] = to_list()
        return values
    if isinstance(y, (list, tuple)):  # NumPy would make None and NaN text beside strings
        values = np.array(y, dtype=object)
        if values.ndim == 1 and not any(_is_one_missing(label) for label in y):
            values = np.asarray(y) if len({isinstance(v, str) for v in y}) < 2 else values
    else:
        values = np.asarray(y)
    return column_or_1d(values, warn=True)


def _is_missing(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "O":
        return np.fromiter((_is_one_missing(label) for label in values), bool, len(values))
    if values.dtype.kind in "fcmM":
        return np.asarray(values != values)
    return np.zeros(len(values), dtype=bool)


def _is_one_missing(label: Any) -> bool:
    """None, NaN, NaT and pandas.NA: a missing value is not equal to itself, or cannot tell."""
    if label is None:
        return True
    try:
        return bool(label != label)
    except (TypeError, ValueError):  # pandas.NA; an array, which is no label
        return not hasattr(label, "__len__")


def _equals(values: np.ndarray, unlabeled: Any) -> np.ndarray:
    if values.dtype.kind != "O" and isinstance(unlabeled, str) != (values.dtype.kind == "U"):
        return np.zeros(len(values), dtype=bool)
    return np.fromiter((bool(label == unlabeled) for label in values), bool, len(values))


def _in_one_type(labels: np.ndarray) -> np.ndarray:
    if labels.dtype.kind not in ("O", "T"):
        return labels
    if len({isinstance(label, str) for label in labels}) > 1:
        kinds = sorted({type(label).__name__ for label in labels})
        raise ValueError(
            f"y mixes labels that cannot be sorted ({', '.join(kinds)}); "
            "make them all strings or all numbers."
        )
    return np.array(labels.tolist())
