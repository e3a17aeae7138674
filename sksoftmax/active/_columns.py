"""What the columns of a table are: numbers, whole numbers, categories; and distances of rows.

Searches work on floats: a number is itself, a category is its position among those seen. Distances
are root mean squares over columns: of differences in standard deviations for numbers, and of 1 for
categories that differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.metrics import euclidean_distances

_BLOCK_ENTRIES = 1 << 21


@dataclass(frozen=True)
class Columns:
    """What rows taught about their columns.

    Attributes
    ----------
    like : the rows themselves (some of them), for their container and types
    categories : list of one list per column, None for numbers
    is_whole : bool ndarray; numbers without a fraction in any row
    low, high, center, scale : float ndarrays; of categories their positions, the rest unused
    """

    like: Any
    categories: list[list[Any] | None]
    is_whole: np.ndarray
    low: np.ndarray
    high: np.ndarray
    center: np.ndarray
    scale: np.ndarray

    @classmethod
    def learn(cls, X: Any, *, categorical: np.ndarray | None = None) -> Columns:
        """Learn from rows; `categorical` marks numbers that are codes of categories."""
        columns = [_column(X, j) for j in range(X.shape[1])]
        coded = np.zeros(len(columns), dtype=bool) if categorical is None else categorical
        categories = [_categories(c, bool(coded[j])) for j, c in enumerate(columns)]
        values = np.column_stack(
            [_codes(c, known) for c, known in zip(columns, categories, strict=True)]
        )
        number = np.isfinite(values)
        count = np.maximum(number.sum(axis=0), 1)
        center = np.where(number, values, 0.0).sum(axis=0) / count
        spread = np.sqrt(np.where(number, (values - center) ** 2, 0.0).sum(axis=0) / count)
        numeric = np.array([known is None for known in categories])
        whole = numeric & (~number | (values == np.round(values))).all(axis=0) & number.any(axis=0)
        low = np.where(number, values, np.inf).min(axis=0)
        high = np.where(number, values, -np.inf).max(axis=0)
        empty = low > high
        low, high = np.where(empty, 0.0, low), np.where(empty, 0.0, high)
        scale = np.where(spread > 0, spread, 1.0)
        return cls(X, categories, whole, low, high, center, scale)

    @property
    def is_category(self) -> np.ndarray:
        """Which columns hold categories, bool (n_features,)."""
        return np.array([known is not None for known in self.categories])

    def to_floats(self, X: Any) -> np.ndarray:
        """Return rows as floats; NaN is missing, or a category that was not seen."""
        return np.column_stack(
            [_codes(_column(X, j), known) for j, known in enumerate(self.categories)]
        )

    def to_rows(self, values: np.ndarray) -> Any:
        """Return floats in the container of the rows, valid: whole numbers rounded."""
        return self.in_container(self.valid(values))

    def in_container(self, values: np.ndarray) -> Any:
        """Return floats in the container of the rows; fractions need a column that takes them."""
        if not hasattr(self.like, "columns"):
            cells = values.astype(self.like.dtype)
            for j in np.flatnonzero(self.is_category).tolist():
                cells[:, j] = self._labels(values[:, j], j)
            return cells
        parts = {name: self._labels(values[:, j], j) for j, name in enumerate(self.like.columns)}
        if hasattr(self.like, "iloc"):
            frame = type(self.like)(parts, columns=self.like.columns)
            return frame.astype(self.like.dtypes.to_dict())
        return type(self.like)(parts, schema=self.like.schema, strict=False)

    def valid(self, values: np.ndarray) -> np.ndarray:
        """Return values with whole numbers rounded and categories among those seen."""
        values = np.array(values, dtype=np.float64)
        rounded = self.is_whole | self.is_category
        values[:, rounded] = np.round(values[:, rounded])
        return values

    @property
    def takes_fractions(self) -> bool:
        """Whether every column of whole numbers has a type that could hold others."""
        if not hasattr(self.like, "columns"):
            return self.like.dtype.kind == "f" or not self.is_whole.any()
        types = [str(dtype).lower() for dtype in self.like.dtypes]
        return all(types[j].startswith("float") for j in np.flatnonzero(self.is_whole))

    def _labels(self, values: np.ndarray, j: int) -> Any:
        known = self.categories[j]
        if known is None:
            return values
        return [None if np.isnan(code) else known[int(code)] for code in values]

    def embed(self, values: np.ndarray) -> np.ndarray:
        """Return points whose Euclidean distances are the distances of the rows."""
        parts = [((values - self.center) / self.scale)[:, ~self.is_category]]
        for j in np.flatnonzero(self.is_category).tolist():
            known = np.arange(len(self.categories[j] or ()))
            parts.append((values[:, j, None] == known) * np.sqrt(0.5))
        return np.nan_to_num(np.hstack(parts)) / np.sqrt(values.shape[1])


def _column(X: Any, j: int) -> Any:
    if hasattr(X, "iloc"):
        return X.iloc[:, j]
    return X.to_series(j) if hasattr(X, "to_series") else X[:, j]


def _values(column: Any) -> list[Any]:
    return column.to_list() if hasattr(column, "to_list") else column.tolist()


def _categories(column: Any, is_coded: bool) -> list[Any] | None:
    """Return the categories of a column that has some, in the order of their dtype, or sorted."""
    if hasattr(column, "cat") and hasattr(column.cat, "categories"):  # pandas
        return column.cat.categories.tolist()
    name = str(column.dtype)
    is_number = getattr(column.dtype, "kind", None) in tuple("iuf")
    is_number |= name.startswith(("Int", "UInt", "Float"))  # pandas with NA, polars
    if is_number and not is_coded:
        return None
    labels = {value for value in _values(column) if value is not None and value == value}
    if not is_coded and name == "object" and all(_is_number(label) for label in labels):
        return None
    try:
        return sorted(labels)
    except TypeError:
        return sorted(labels, key=lambda label: (type(label).__name__, str(label)))


def _is_number(label: Any) -> bool:
    return isinstance(label, (int, float, np.number)) and not isinstance(label, bool)


def _codes(column: Any, known: list[Any] | None) -> np.ndarray:
    if known is None:
        if isinstance(column, np.ndarray) and column.dtype.kind in "iuf":
            return column.astype(np.float64)
        values = _values(column)
        return np.array([np.nan if _is_na(v) else float(v) for v in values], dtype=np.float64)
    position = {label: code for code, label in enumerate(known)}
    return np.array(
        [np.nan if _is_na(v) else position.get(v, np.nan) for v in _values(column)], dtype=float
    )


def _is_na(value: Any) -> bool:
    if value is None:
        return True
    try:
        return bool(value != value)
    except TypeError:  # pandas.NA
        return True


def points_of(X: Any, sample: Any) -> Any:
    """Return rows as points for distances: scaled by what a sample of the pool says.

    A sparse X stays sparse; its columns are divided by their root mean squares.
    """
    if len(X.shape) != 2:
        raise ValueError(
            "diversity needs rows of a table, with one column per feature; for texts put the "
            "vectorizer outside of the learner, or use diversity=None."
        )
    if sparse.issparse(sample):
        square = np.sqrt(np.asarray(sample.multiply(sample).mean(axis=0)).ravel())
        return (X @ sparse.diags(1.0 / np.where(square > 0, square, 1.0))).tocsr()
    columns = Columns.learn(sample)
    return columns.embed(columns.to_floats(X))


def nearest_distances(points: Any, others: Any) -> np.ndarray:
    """Return the distance of each point to the nearest of the others, in bounded memory."""
    nearest = np.full(points.shape[0], np.inf)
    step = max(1, _BLOCK_ENTRIES // max(1, points.shape[0]))
    for start in range(0, others.shape[0], step):
        part = euclidean_distances(points, others[start : start + step])
        np.minimum(nearest, part.min(axis=1), out=nearest)
    return nearest
