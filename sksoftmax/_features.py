"""From tables with categories to floats: a category becomes its code, a missing value NaN.

Numerical columns, and categorical ones that hold numbers already, keep their values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

_CATEGORICAL_DTYPES = ("category", "Categorical", "Enum")  # pandas, polars, polars
_FLOATS = (np.float64, np.float32)
_LARGEST_CATEGORY = 2.0**53


class FeatureEncoder:
    """What `fit` learns of the columns of X.

    Attributes
    ----------
    is_categorical : bool ndarray of shape (n_features,)
    categories : list of length n_features
        For a column that is encoded its categories: the code of one is its position. None for the
        others, whose values are numbers.
    has_category_dtype : bool ndarray of shape (n_features,)
        Columns of a categorical dtype of a data frame.
    """

    def __init__(
        self,
        is_categorical: np.ndarray,
        categories: list[list[Any] | None],
        has_category_dtype: np.ndarray,
    ) -> None:
        self.is_categorical = is_categorical
        self.categories = categories
        self.has_category_dtype = has_category_dtype
        self._codes = [None if known is None else _positions(known) for known in categories]

    @classmethod
    def learn(cls, X: Any, categorical_features: Any) -> FeatureEncoder:
        """Learn which columns of a table or array are categorical, and their categories."""
        _refuse_what_is_no_table(X)
        if not _has_columns(X):  # check_array's error tells what is wrong with the shape
            X = check_array(X, dtype=None, ensure_all_finite=False)
        has_dtype = np.array([_is_category_dtype(dtype) for dtype in _dtypes(X)])
        is_categorical = _categorical_mask(X, categorical_features, has_dtype)
        categories = [
            _categories_of(_column(X, j)) if is_categorical[j] or has_dtype[j] else None
            for j in range(X.shape[1])
        ]
        for j in np.flatnonzero(is_categorical).tolist():
            if categories[j] is None:
                _check_whole_numbers(_column(X, j), _label_of(X, j))
        return cls(is_categorical, categories, has_dtype)

    def transform(self, estimator: Any, X: Any, *, reset: bool) -> np.ndarray:
        """Return X as float32 or float64, not copied if it is that already.

        `reset` learns the number and names of the features, otherwise they must be those of `fit`.
        """
        _refuse_what_is_no_table(X)
        encoded = [j for j, known in enumerate(self.categories) if known is not None]
        if not encoded:
            return _as_floats(estimator, X, reset=reset)
        if not _has_columns(X):
            X = check_array(X, dtype=None, ensure_all_finite=False, estimator=estimator)
        validate_data(estimator, X, reset=reset, skip_check_array=True)
        values = np.empty(X.shape, dtype=np.float64)
        rest = [j for j in range(X.shape[1]) if self.categories[j] is None]
        if rest:
            values[:, rest] = _numbers(X, rest, estimator)
        for j in encoded:
            values[:, j] = self._encode(j, _column(X, j), estimator)
        return values

    def _encode(self, feature: int, column: Any, estimator: Any) -> np.ndarray:
        codes = self._codes[feature]
        assert codes is not None
        labels, index = _factorize(column)
        if codes and labels and not any(label in codes for label in labels):
            _check_kind_of_labels(labels, codes, _name_of(estimator, feature))
        positions = np.array([codes.get(label, np.nan) for label in labels] + [np.nan])
        return positions[index]

    def pandas_categorical(self) -> list[list[Any]] | None:
        """Return the categories of each column of categorical dtype, as LightGBM keeps them."""
        known = [
            list(categories or ())
            for categories, wanted in zip(self.categories, self.has_category_dtype, strict=True)
            if wanted
        ]
        return known or None


def _as_floats(estimator: Any, X: Any, *, reset: bool) -> np.ndarray:
    try:
        return validate_data(
            estimator, X, reset=reset, dtype=list(_FLOATS), ensure_all_finite=False
        )
    except (TypeError, ValueError) as error:
        _refuse_columns_of_no_numbers(X)
        if "could not convert string" not in str(error):
            raise
        raise ValueError(
            f"X: {error}. Columns of text must be categorical: give them a categorical dtype, or "
            "name them in categorical_features."
        ) from None


def _refuse_columns_of_no_numbers(X: Any) -> None:
    """Name the columns of a frame that hold dates, lists or anything else that is no number."""
    if not hasattr(X, "columns"):
        return
    wrong = []
    for j, dtype in enumerate(_dtypes(X)):
        try:
            as_array = np.asarray(_column(X, j), dtype=None)
            if as_array.dtype.kind in "mM":
                raise TypeError(as_array.dtype)
            as_array.astype(np.float64)
        except (TypeError, ValueError):
            wrong.append(f"{_label_of(X, j)} ({dtype})")
    if wrong:
        raise ValueError(
            f"X: columns that are not numbers: {', '.join(wrong[:10])}. Columns of text must be "
            "categorical: give them a categorical dtype, or name them in categorical_features. "
            "Turn dates into numbers."
        )


def _numbers(X: Any, columns: Sequence[int], estimator: Any) -> np.ndarray:
    part = X.iloc[:, columns] if hasattr(X, "iloc") else X[:, columns]
    try:
        return check_array(
            part, dtype=list(_FLOATS), ensure_all_finite=False, ensure_min_features=0
        )
    except (TypeError, ValueError) as error:
        names = ", ".join(_name_of(estimator, j) for j in columns[:10])
        raise type(error)(
            f"X: {error} (in the columns that are not categorical: {names})"
        ) from None


# Tables


def _refuse_what_is_no_table(X: Any) -> None:
    if sparse.issparse(X):
        raise TypeError(
            "Sparse data was passed for X, but dense data is required: bins of a sparse X would "
            "take more room than the matrix. Use X.toarray() if it fits in memory."
        )
    if np.ma.isMaskedArray(X):
        raise ValueError("X is a masked array, whose mask would be lost; fill it with NaN.")


def _has_columns(X: Any) -> bool:
    """Tell whether X is a data frame (pandas, polars) or an array of two dimensions."""
    return len(getattr(X, "shape", ())) == 2 and (hasattr(X, "dtypes") or hasattr(X, "dtype"))


def _dtypes(X: Any) -> list[Any]:
    if hasattr(X, "dtypes"):
        return list(X.dtypes)
    return [X.dtype] * X.shape[1]


def _is_category_dtype(dtype: Any) -> bool:
    return str(dtype).startswith(_CATEGORICAL_DTYPES)


def _column(X: Any, j: int) -> Any:
    if hasattr(X, "iloc"):
        return X.iloc[:, j]
    if hasattr(X, "to_series"):
        return X.to_series(j)
    return X[:, j]


def _label_of(X: Any, j: int) -> str:
    return repr(str(X.columns[j])) if hasattr(X, "columns") else f"x{j}"


def _name_of(estimator: Any, feature: int) -> str:
    names = getattr(estimator, "feature_names_in_", None)
    return f"x{feature}" if names is None else repr(str(names[feature]))


# Categories


def _positions(categories: Iterable[Any]) -> dict[Any, int]:
    return {category: position for position, category in enumerate(categories)}


def _categories_of(column: Any) -> list[Any] | None:
    """Return the categories in their order, or None for numbers, which stay what they are.

    A categorical dtype of pandas has its own order; other labels are sorted.
    """
    if hasattr(column, "cat") and hasattr(column.cat, "categories"):
        return column.cat.categories.tolist()
    if not _is_category_dtype(column.dtype) and getattr(column.dtype, "kind", "O") in "biuf":
        return None
    labels, _ = _factorize(column)
    if not _is_category_dtype(column.dtype) and all(_is_number(label) for label in labels):
        return None
    try:
        return sorted(labels)
    except TypeError:
        return sorted(labels, key=lambda label: (type(label).__name__, str(label)))


def _factorize(column: Any) -> tuple[list[Any], np.ndarray]:
    """Return the distinct labels and the position of each row's, -1 where it is missing."""
    if hasattr(column, "cat") and hasattr(column.cat, "codes"):
        return column.cat.categories.tolist(), column.cat.codes.to_numpy()
    labels: dict[Any, int] = {}
    values = column.to_list() if hasattr(column, "to_list") else column.tolist()
    index = [
        -1 if _is_missing(value) else labels.setdefault(value, len(labels)) for value in values
    ]
    return list(labels), np.array(index, dtype=np.int64)


def _check_whole_numbers(column: Any, name: str) -> None:
    """Raise if a categorical column of numbers holds fractions, infinity or huge numbers."""
    values = np.array(column, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        wrong = (values >= 0) & ((values != np.floor(values)) | (values >= _LARGEST_CATEGORY))
    if wrong.any():
        raise ValueError(
            f"X: the categorical feature {name} holds {values[np.argmax(wrong)]}; categories that "
            "are numbers must be integers below 2**53, which float64 tells apart (negative ones "
            "and NaN are missing)."
        )


def _is_number(label: Any) -> bool:
    return isinstance(label, (int, float, np.number, np.bool_))


def _is_missing(value: Any) -> bool:
    """None, NaN, NaT and pandas.NA: a missing value is not equal to itself, or cannot tell."""
    if value is None:
        return True
    try:
        return bool(value != value)
    except TypeError:  # pandas.NA
        return True


def _check_kind_of_labels(labels: list[Any], codes: dict[Any, int], name: str) -> None:
    """Raise if the values are of another kind than the categories: all would count as missing."""
    if _is_number(next(iter(codes))) != _is_number(labels[0]):
        raise ValueError(
            f"X: the categorical feature {name} was fitted with categories such as "
            f"{next(iter(codes))!r}, but holds values such as {labels[0]!r}."
        )


# Which columns


def _categorical_mask(X: Any, categorical_features: Any, has_dtype: np.ndarray) -> np.ndarray:
    """Return the mask that `categorical_features` says: "from_dtype", mask, indices or names."""
    n_features = X.shape[1]
    if isinstance(categorical_features, str):
        if categorical_features != "from_dtype":
            raise ValueError(
                "categorical_features must be 'from_dtype', None, or an array of a mask, indices "
                f"or names; got {categorical_features!r}."
            )
        return has_dtype
    mask = np.zeros(n_features, dtype=bool)
    if categorical_features is None:
        return mask
    given = np.asarray(categorical_features)
    if given.ndim == 1 and given.size == 0:
        return mask
    if given.ndim != 1 or given.dtype.kind not in "biuUSO":
        raise ValueError(
            "categorical_features must be a mask, indices or names in one dimension; "
            f"got {categorical_features!r}."
        )
    if given.dtype.kind == "b":
        if given.shape != (n_features,):
            raise ValueError(
                f"categorical_features has a mask of {len(given)} entries, but X has "
                f"{n_features} features."
            )
        return given
    mask[_feature_positions(X, given, n_features)] = True
    return mask


def _feature_positions(X: Any, given: np.ndarray, n_features: int) -> list[int]:
    if given.dtype.kind in "iu":
        if given.min() < 0 or given.max() >= n_features:
            raise ValueError(
                f"categorical_features must hold indices from 0 to {n_features - 1}; "
                f"got {given.tolist()}."
            )
        return given.tolist()
    if not hasattr(X, "columns"):
        raise ValueError(
            "categorical_features holds names, but X has none: pass a data frame, or indices."
        )
    position = {str(name): j for j, name in enumerate(X.columns)}
    unknown = [name for name in given.tolist() if str(name) not in position]
    if unknown:
        raise ValueError(f"categorical_features: X has no columns {unknown}.")
    return [position[str(name)] for name in given.tolist()]
