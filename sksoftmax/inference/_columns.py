"""Columns of X, whatever holds it: an array, a sparse matrix, a pandas or polars frame."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse


def column_values(X: Any, column: Any) -> np.ndarray:
    """A column as float64, shape (n,); raise where there is none, or no numbers are in it."""
    if hasattr(X, "columns"):
        if list(X.columns).count(column) != 1:
            raise ValueError(f"column={column!r}: X has the columns {_shown(list(X.columns))}.")
        values = X[column]
    else:
        j = _position(X, column)
        values = X[:, [j]].toarray().ravel() if sparse.issparse(X) else np.asarray(X[:, j])
    try:
        if hasattr(X, "iloc"):  # pandas: its nullable numbers too
            return values.to_numpy(dtype=np.float64, na_value=np.nan)
        return np.asarray(values).astype(np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"column={column!r} must hold numbers; it holds {values.dtype}.") from None


def with_column(X: Any, column: Any, values: np.ndarray) -> Any:
    """A copy of X in which a column has other values; integers become floats."""
    if hasattr(X, "with_columns"):  # polars
        return X.with_columns(type(X[column])(column, values))
    if hasattr(X, "columns"):
        X = X.copy(deep=False)  # the assignment replaces a column, it does not write into one
        X[column] = values
        return X
    j = _position(X, column)
    if sparse.issparse(X):
        left, right = X[:, :j], X[:, j + 1 :]
        return sparse.hstack([left, sparse.csr_array(values[:, None]), right], format="csr")
    X = X.astype(np.result_type(X.dtype, np.float64) if X.dtype != object else object)
    X[:, j] = values
    return X


def rows_of(X: Any, rows: slice) -> Any:
    """Some rows, as a view where that is possible."""
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def as_rows(X: Any) -> Any:
    """X as something that has rows and columns: lists become an array."""
    X = X if hasattr(X, "shape") else np.asarray(X)
    if len(X.shape) != 2 or 0 in X.shape:
        raise ValueError(f"X must have rows and columns; got shape {tuple(X.shape)}.")
    return X


def _position(X: Any, column: Any) -> int:
    """Which column of an array "x3" or 3 is."""
    n = X.shape[1]
    if isinstance(column, str) and column[:1] == "x" and column[1:].isdigit():
        column = int(column[1:])
    is_integer = isinstance(column, (int, np.integer)) and not isinstance(column, bool)
    if not is_integer or not 0 <= column < n:
        raise ValueError(f"column={column!r}: X is an array of columns x0 to x{n - 1}.")
    return int(column)


def _shown(names: list[Any], at_most: int = 20) -> str:
    rest = len(names) - at_most
    text = ", ".join(map(str, names[:at_most]))
    return text + (f" and {rest} more" if rest > 0 else "")
