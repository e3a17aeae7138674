"""Label indicator matrices: rows that may belong to several classes, or to none."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from sksoftmax._loss_arguments import divide_by_power_of_two
from sksoftmax._targets import Targets, check_mask, check_offset, check_sample_weight, label_text


def is_indicator_table(y: Any) -> bool:
    """Tell whether `y` has several columns. One column of labels is a vector for scikit-learn."""
    shape: Any = getattr(y, "shape", None)
    if shape is None:
        try:
            shape = np.asarray(y).shape
        except ValueError:  # rows of different lengths
            raise ValueError(
                "y: its rows differ in length. Lists of labels become an indicator matrix with "
                "sklearn.preprocessing.MultiLabelBinarizer."
            ) from None
    return len(shape) == 2 and shape[1] > 1


def encode_indicators(
    X: Any,
    y: Any,
    *,
    sample_weight: Any = None,
    offset: Any = None,
    mask: Any = None,
    classes: Any = None,
) -> Targets:
    """Check an indicator matrix and what belongs to its rows and columns.

    Classes are `classes` or the names of a frame's columns, in the order of the columns, else
    0, 1, ..., n_classes - 1. The target is a table of 0 and 1 in the dtype of X.
    """
    n_samples, dtype = X.shape[0], X.dtype
    names, table = _as_indicators(y, dtype)
    if len(table) != n_samples:
        raise ValueError(f"y has {len(table)} rows, but X has {n_samples}.")
    found = _find_classes(names, classes, table.shape[1])
    mask = check_mask(mask, found, n_samples)
    offset = check_offset(offset, found, n_samples, dtype, mask)
    if mask is not None and (table > mask).any():
        row, k = np.argwhere(table > mask)[0]
        raise ValueError(
            f"mask: row {row} marks the class {label_text(found[k])}, which it has, as unavailable."
        )
    weight, exponent = check_sample_weight(sample_weight, n_samples)
    if weight is not None:
        weight, more = divide_by_power_of_two(weight)
        weight, exponent = weight.astype(dtype, copy=False), exponent + more
    return Targets(found, table, weight, offset, mask, exponent)


def _as_indicators(y: Any, dtype: np.dtype) -> tuple[list[Any] | None, np.ndarray]:
    """Return the names of the columns, None without any, and 0 and 1 in `dtype`, C-contiguous."""
    if np.ma.isMaskedArray(y):
        raise ValueError(
            "y is a masked array, whose mask would be lost; pass mask=, True where it is known."
        )
    names = list(y.columns) if hasattr(y, "columns") else None
    table = y.toarray() if sparse.issparse(y) else np.asarray(y)
    try:
        values = table.astype(np.float64)
    except (TypeError, ValueError):
        values = np.full(table.shape, np.nan)
    wrong = ~np.isin(values, (0.0, 1.0))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            "y has several columns and must then be an indicator matrix of 0 and 1 (one column per "
            f"label); row {row}, column {column} holds {label_text(table[row, column])}. Rows of "
            "probabilities of classes that exclude each other are y_proba=; labels that are not "
            "known are marked with mask=."
        )
    return names, np.ascontiguousarray(values, dtype=dtype)


def _find_classes(names: list[Any] | None, classes: Any, n_columns: int) -> np.ndarray:
    given = names if classes is None else list(classes)
    if given is None:
        return np.arange(n_columns)
    if names is not None and given != names:
        raise ValueError(f"classes {given} are not the columns of y, {names}, in their order.")
    if len(given) != n_columns or len(set(given)) < n_columns:
        raise ValueError(
            f"classes must name each of the {n_columns} columns of y once; got {given}."
        )
    if len({isinstance(name, str) for name in given}) > 1:
        raise ValueError(f"classes must be all strings or all numbers; got {given}.")
    return np.asarray(given)
