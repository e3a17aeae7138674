"""Rows of any container: arrays, CSR matrices, pandas and polars frames, lists of texts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from scipy import sparse
from sklearn.utils import _safe_indexing

from sksoftmax._responses import sliced
from sksoftmax.active._labels import joined_labels


def as_rows(X: Any) -> Any:
    """Return X in a form whose rows can be taken: what it was, unless that is a list or COO."""
    if sparse.issparse(X):
        return X if X.format == "csr" else X.tocsr()
    return X if hasattr(X, "shape") else np.asarray(X)


def take(X: Any, rows: Any) -> Any:
    """Return some rows, by a slice (a view where there are views) or by their numbers."""
    if isinstance(rows, slice):
        return X.iloc[rows] if hasattr(X, "iloc") else X[rows]
    return _safe_indexing(X, rows)


def like(X: Any, new: Any) -> Any:
    """Return new rows in the container of X, whose columns they have."""
    new = as_rows(new)
    if hasattr(X, "columns") and not hasattr(new, "columns"):
        if new.ndim != 2 or new.shape[1] != X.shape[1]:
            raise ValueError(
                f"X: the rows that were fitted have {X.shape[1]} columns; got shape {new.shape}."
            )
        if hasattr(X, "iloc"):
            return type(X)(new, columns=X.columns)
        return type(X)(new, schema=X.schema)
    if len(X.shape) == 2 and (len(new.shape) != 2 or new.shape[1] != X.shape[1]):
        raise ValueError(
            f"X: the rows that were fitted have {X.shape[1]} columns; got shape {new.shape}."
        )
    return new


def stacked(first: Any, second: Any) -> Any:
    """Return the rows of both, one after the other."""
    if first is None:
        return second
    if sparse.issparse(first):
        return sparse.vstack([first, second], format="csr")
    if hasattr(first, "iloc"):
        import pandas as pd  # a frame was given, so it is there

        return pd.concat([first, second], ignore_index=True)
    if hasattr(first, "vstack"):
        return first.vstack(second)
    return np.concatenate([first, second])


def same_rows(X: Any, other: Any) -> bool:
    """Tell whether two tables hold the same rows."""
    if X is other:
        return True
    if type(X) is not type(other) or X.shape != other.shape:
        return False
    if hasattr(X, "equals"):
        return bool(X.equals(other))
    if sparse.issparse(X):
        return (other != X).nnz == 0
    return bool(((other == X) | ((X != X) & (other != other))).all())  # NaN where NaN is


@dataclass(frozen=True)
class LabeledRows:
    """The rows with a label, in the order in which they got it. Nothing here is ever changed.

    Attributes
    ----------
    X : their features, in the container of the pool; None without rows
    y : ndarray of shape (n_labeled,)
    index : ndarray of shape (n_labeled,), their numbers in the pool; -1 for rows from outside
    params : dict of what the estimator's `fit` takes, one entry per row
    mask : bool ndarray of shape (n_labeled, n_classes), or None
    """

    X: Any = None
    y: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=object))
    index: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    params: dict[str, Any] = field(default_factory=dict)
    mask: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.y)

    def with_rows(
        self, X: Any, y: np.ndarray, index: np.ndarray, params: dict[str, Any], mask: Any
    ) -> Self:
        """Return these rows followed by others."""
        if not len(y):
            return self
        return replace(
            self,
            X=stacked(self.X, X),
            y=joined_labels(self.y, y),
            index=np.concatenate([self.index, index]),
            params={
                name: _joined_param(self.params.get(name), value, len(self), len(y))
                for name, value in params.items()
            },
            mask=mask if self.mask is None else np.concatenate([self.mask, mask]),
        )


def _joined_param(old: Any, new: Any, n_old: int, n_new: int) -> Any:
    per_row = hasattr(new, "__len__") and not isinstance(new, (str, dict)) and len(new) == n_new
    if old is None or not per_row or len(old) != n_old:
        return new
    return np.concatenate([np.asarray(old), np.asarray(new)])


@dataclass(frozen=True)
class Pool:
    """All rows that `fit` was given, and which of them can still be asked about.

    Attributes
    ----------
    X : their features
    is_open : bool ndarray of shape (n_rows,)
    params : dict of metadata for the estimator's `fit`, one entry per row
    mask : bool ndarray of shape (n_rows, n_classes), or None
    """

    X: Any
    is_open: np.ndarray
    params: dict[str, Any]
    mask: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.is_open)

    def without(self, index: np.ndarray) -> Self:
        """Return the pool after rows have been asked about."""
        is_open = self.is_open.copy()
        is_open[index] = False
        return replace(self, is_open=is_open)

    def labeled(self, labels: np.ndarray, index: np.ndarray, to: LabeledRows) -> LabeledRows:
        """Return `to` with the rows `index` of the pool, whose labels are known now."""
        params = sliced(self.params, index, len(self))
        mask = None if self.mask is None else self.mask[index]
        return to.with_rows(take(self.X, index), labels, index, params, mask)
