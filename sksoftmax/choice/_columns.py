"""Columns of a table as floats: those that utilities use, and only where they are used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from sksoftmax._objective import Terms
from sksoftmax._targets import label_text
from sksoftmax.choice._specification import Specification

_AT_MOST = 30  # names that a message lists
_MANY_COLUMNS = 20


@dataclass(frozen=True)
class CaseTable:
    """What a specification reads of X, one row per case.

    Attributes
    ----------
    values : float64 ndarray of shape (n_cases, n_columns)
        The columns of the specification, in its order.
    available : bool ndarray of shape (n_cases, n_alternatives), or None: all are
    largest : float64 ndarray of shape (n_parameters,)
        The largest size of what stands beside a parameter.
    """

    values: np.ndarray
    available: np.ndarray | None
    largest: np.ndarray

    @property
    def n_cases(self) -> int:
        return len(self.values)


def as_table(X: Any) -> Any:
    """X as a frame or an array of two dimensions."""
    if np.ma.isMaskedArray(X):
        raise ValueError("X is a masked array, whose mask would be lost; fill or drop the rows.")
    if sparse.issparse(X):
        raise TypeError("Sparse data was passed for X, but dense data is required: X.toarray().")
    if is_frame(X):
        return _with_rows(X)
    array = np.asarray(X)
    if array.ndim != 2:
        raise ValueError(
            f"Expected a 2D array or a data frame for X, got an array of shape {array.shape}. "
            "Reshape your data: one row per case."
        )
    return _with_rows(array)


def _with_rows(X: Any) -> Any:
    if X.shape[0] == 0:
        raise ValueError(f"X has 0 samples (shape={tuple(X.shape)}); at least 1 is required.")
    return X


def is_frame(X: Any) -> bool:
    """Do its columns have names: pandas or polars, neither of which is imported here?

    The class is asked, since pandas makes a Series to answer for an object.
    """
    return hasattr(type(X), "columns") and hasattr(type(X), "dtypes")


def column_names(X: Any) -> list[str]:
    """Names of the columns of a table; x0, x1, ... where it has none."""
    if is_frame(X):
        return [str(name) for name in X.columns]
    return [f"x{j}" for j in range(X.shape[1])]


def find_columns(
    X: Any, wanted: Sequence[str], what: str, names: Sequence[str] | None = None
) -> list[int]:
    """Positions of columns by name; an error lists the names seen.

    `names` are those of the columns of an array, where it stands for a frame known before.
    """
    names = column_names(X) if names is None or is_frame(X) else list(names)
    position = {name: j for j, name in enumerate(names)}
    missing = [name for name in wanted if name not in position]
    if missing:
        raise ValueError(
            f"{what}: X has no column {_listed(missing)}. Its columns are {_listed(names)}."
            + ("" if is_frame(X) else _NO_NAMES)
        )
    if len(position) < len(names):
        twice = sorted({name for name in wanted if names.count(name) > 1})
        if twice:
            raise ValueError(f"{what}: X has more than one column named {_listed(twice)}.")
    return [position[name] for name in wanted]


_NO_NAMES = (
    " X is an array, whose columns have no other names. Pass a data frame; after a transformer "
    "that dropped the names, use set_output(transform='pandas') on it (and "
    "verbose_feature_names_out=False on a ColumnTransformer, which keeps names as they were)."
)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:_AT_MOST])
    rest = len(names) - _AT_MOST
    return shown + (f" and {rest} more" if rest > 0 else "")


def column_at(X: Any, j: int) -> Any:
    """One column, as the table stores it."""
    if hasattr(X, "iloc"):
        return X.iloc[:, j]
    if is_frame(X):
        return X[X.columns[j]]
    return X[:, j]


def float_column(X: Any, j: int, what: str) -> np.ndarray:
    """A column as float64, missing values NaN; text is an error that names it."""
    column = column_at(X, j)
    kind = getattr(column.dtype, "kind", None)
    try:
        if kind is not None and kind in "biuf" and isinstance(column.dtype, np.dtype):
            return np.asarray(column, dtype=np.float64)
        if isinstance(column, np.ndarray) or not hasattr(column, "to_numpy"):
            values = np.asarray(column)
        elif hasattr(column, "iloc"):
            values = _pandas_values(column)
        else:
            values = column.to_numpy()
        if values.dtype.kind not in "biufO" or (values.dtype.kind == "O" and _has_text(values)):
            raise ValueError("it holds text")
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        name = column_names(X)[j]
        raise ValueError(
            f"{what} uses column {name!r} of X, which cannot be read as numbers: {error}."
        ) from None


def _pandas_values(column: Any) -> np.ndarray:
    """Of an extension dtype: NaN where a number is missing."""
    if getattr(column.dtype, "kind", "O") in "biuf":
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.asarray(column, dtype=object)


def _has_text(values: np.ndarray) -> bool:
    return any(isinstance(value, (str, bytes)) for value in values)


def read_cases(
    X: Any,
    specification: Specification,
    availability: Mapping[Any, str] | None,
    names: Sequence[str] | None = None,
) -> CaseTable:
    """Read what the specification uses, and check it where it is used.

    1. columns       as float64; nothing is copied where X is an array of just these
    2. availability  0 or 1, complete
    3. values        finite for the alternatives that are available
    """
    values = _used_values(X, specification, names)  # 1
    available = read_availability(X, specification.classes, availability)  # 2
    size = _largest_of_columns(values, specification, available)  # 3
    terms = specification.terms
    weight = np.where(terms.column < 0, 1.0, np.append(size, 1.0)[terms.column])
    largest = np.zeros(len(specification.parameters))
    np.maximum.at(largest, terms.parameter, np.abs(terms.factor) * weight)
    return CaseTable(values, available, largest)


def _used_values(X: Any, specification: Specification, names: Sequence[str] | None) -> np.ndarray:
    positions = find_columns(X, specification.columns, "utilities", names)
    whole = _as_one_array(X, len(positions))
    if whole is not None:
        if positions == list(range(X.shape[1])):
            return whole
        return whole[:, positions] if whole.flags.c_contiguous else whole.T[positions].T
    values = np.empty((len(positions), X.shape[0]))
    for c, j in enumerate(positions):
        values[c] = float_column(X, j, "utilities")
    return values.T


def _as_one_array(X: Any, n_columns: int) -> np.ndarray | None:
    """A table of nothing but float64 as it lies in memory; of a frame only if it is worth asking
    for its dtypes."""
    if isinstance(X, np.ndarray):
        return X if X.dtype == np.float64 else None
    if n_columns < _MANY_COLUMNS or not hasattr(X, "iloc"):
        return None
    plain = all(isinstance(dtype, np.dtype) and dtype == np.float64 for dtype in X.dtypes)
    return X.to_numpy() if plain else None


def check_availability(availability: Any, classes: np.ndarray) -> dict[Any, str]:
    """The dictionary alternative -> column, its keys among the classes."""
    if availability is None:
        return {}
    labels = classes.tolist()
    if not isinstance(availability, Mapping):
        raise TypeError(
            f"availability must be None or a dictionary {{alternative: column}}; "
            f"got {availability!r}."
        )
    unknown = [label for label in availability if label not in labels]
    if unknown:
        raise ValueError(f"availability: {unknown} are no alternatives; there are {labels}.")
    for label, column in availability.items():
        if not isinstance(column, str):
            raise ValueError(
                f"availability[{label!r}] must be the name of a column; got {column!r}."
            )
    return dict(availability)


def read_availability(
    X: Any, classes: np.ndarray, availability: Mapping[Any, str] | None
) -> np.ndarray | None:
    """A bool array (n_cases, n_alternatives), or None where every alternative is available."""
    if not availability:
        return None
    labels = classes.tolist()
    available = np.ones((X.shape[0], len(labels)), dtype=bool)
    columns = [availability[label] for label in availability]
    positions = find_columns(X, columns, "availability")
    for label, name, j in zip(availability, columns, positions, strict=True):
        values = float_column(X, j, "availability")
        wrong = ~((values == 0) | (values == 1))
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ValueError(
                f"availability: column {name!r} must hold 1 (available) and 0; row {row} holds "
                f"{values[row]:g}."
            )
        available[:, labels.index(label)] = values == 1
    if available.all():
        return None
    empty = ~available.any(axis=1)
    if empty.any():
        raise ValueError(f"availability: row {int(np.argmax(empty))} has no available alternative.")
    return available


def _largest_of_columns(
    values: np.ndarray, specification: Specification, available: np.ndarray | None
) -> np.ndarray:
    """The largest size of each column among the cells that are used; NaN there is an error."""
    if values.size == 0:
        return np.zeros(values.shape[1])
    with np.errstate(invalid="ignore"):
        size = np.maximum(values.max(axis=0), -values.min(axis=0))
    for c in np.flatnonzero(~np.isfinite(size)):
        size[c] = _largest_where_used(values[:, c], int(c), specification, available)
    return size


def _largest_where_used(
    column: np.ndarray, c: int, specification: Specification, available: np.ndarray | None
) -> float:
    terms, wrong = specification.terms, ~np.isfinite(column)
    largest = 0.0
    for j in np.unique(terms.alternative[terms.column == c]):
        harmful = wrong if available is None else wrong & available[:, j]
        if harmful.any():
            row = int(np.argmax(harmful))
            raise ValueError(
                f"X: column {specification.columns[c]!r} is {column[row]:g} in row {row}, where "
                f"alternative {label_text(specification.classes[j])} is available and uses it. "
                "Input X contains NaN or infinity; fill it, drop the row, or make the alternative "
                "unavailable there."
            )
        used = ~wrong if available is None else available[:, j]
        largest = max(largest, float(np.abs(column[used]).max(initial=0.0)))
    return largest


def utilities_of(
    table: CaseTable, terms: Terms, params: np.ndarray, n_alternatives: int
) -> np.ndarray:
    """Utilities, (n_cases, n_alternatives); -inf where unavailable.

    Summed term by term, so that a case's utilities have the same bits in any batch.
    """
    utility = np.zeros((n_alternatives, table.n_cases))
    with np.errstate(over="ignore", invalid="ignore"):
        for j, k, c, factor in zip(
            terms.alternative, terms.parameter, terms.column, terms.factor, strict=True
        ):
            weight = params[k] * factor
            utility[j] += weight if c < 0 else weight * table.values[:, c]
    utility = np.ascontiguousarray(utility.T)
    if table.available is not None:
        utility[~table.available] = -np.inf
    wrong = np.isnan(utility) | (utility == np.inf)
    if table.available is not None:
        wrong |= (utility == -np.inf) & table.available
    elif (utility == -np.inf).any():
        wrong |= utility == -np.inf
    if wrong.any():
        row = int(np.argmax(wrong.any(axis=1)))
        raise ValueError(f"X: a utility of row {row} overflows float64; scale the columns.")
    return utility


def design_of(table: CaseTable, terms: Terms, n_parameters: int) -> np.ndarray:
    """dV / d parameter, (n_cases, n_alternatives, n_parameters); 0 where unavailable."""
    values = np.zeros((table.n_cases, terms.n_alternatives, n_parameters))
    for j, k, c, factor in zip(
        terms.alternative, terms.parameter, terms.column, terms.factor, strict=True
    ):
        values[:, j, k] = factor if c < 0 else factor * table.values[:, c]
    if table.available is not None:
        values[~table.available] = 0.0
    return values
