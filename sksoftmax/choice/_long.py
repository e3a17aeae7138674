"""Long data: one row per case and alternative, in any order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sksoftmax.choice._columns import column_at, column_names, find_columns, float_column, is_frame

_SHOWN = 5  # ids that a message lists


@dataclass(frozen=True)
class Cases:
    """Which rows of a frame are which case.

    Attributes
    ----------
    ids : ndarray of shape (n_cases,)
        In order of first appearance.
    order : int64 ndarray of shape (n_rows,), or None
        The rows case by case, in their order within each; None: they are in that order already.
    row_ptr : int64 ndarray of shape (n_cases + 1,)
        Where each case begins in that order.
    """

    ids: np.ndarray
    order: np.ndarray | None
    row_ptr: np.ndarray

    def arrange(self, column: np.ndarray) -> np.ndarray:
        """A column of the frame, case by case."""
        return column if self.order is None else column[self.order]

    def put_back(self, column: np.ndarray) -> np.ndarray:
        """The inverse of `arrange`."""
        if self.order is None:
            return column
        back = np.empty_like(column)
        back[self.order] = column
        return back

    @property
    def case_of_row(self) -> np.ndarray:
        """The number of the case of each row, case by case."""
        return np.repeat(np.arange(len(self.ids)), np.diff(self.row_ptr))

    def named(self, cases: np.ndarray) -> str:
        """Ids of some cases, for a message."""
        shown = ", ".join(str(each) for each in self.ids[cases[:_SHOWN]].tolist())
        rest = len(cases) - _SHOWN
        return shown + (f" and {rest} more" if rest > 0 else "")


def check_frame(frame: Any, name: str = "frame") -> Any:
    """A data frame with at least one row, or an error."""
    if not is_frame(frame):
        raise TypeError(
            f"{name} must be a data frame (pandas or polars) with named columns; got "
            f"{type(frame).__name__}."
        )
    if frame.shape[0] == 0:
        raise ValueError(f"{name} has no rows.")
    return frame


def id_column(frame: Any, name: Any, argument: str) -> np.ndarray:
    """A column of ids of any type, none missing."""
    if not isinstance(name, str):
        raise TypeError(f"{argument} must be the name of a column; got {name!r}.")
    (j,) = find_columns(frame, [name], argument)
    column = column_at(frame, j)
    values = np.asarray(column.to_numpy() if hasattr(column, "to_numpy") else column)
    if values.dtype.kind in "iub":
        return values
    missing = column.isna().to_numpy() if hasattr(column, "isna") else column.is_null().to_numpy()
    if values.dtype.kind == "f":
        missing = missing | np.isnan(values)
    if missing.any():
        row = int(np.argmax(missing))
        raise ValueError(f"{argument}: column {name!r} is missing in row {row}.")
    return values


def find_cases(frame: Any, case: str) -> Cases:
    """Which rows are which case. Rows that are in order already are left where they are."""
    ids = id_column(frame, case, "case")
    begins = np.concatenate([[True], np.asarray(ids[1:] != ids[:-1], dtype=bool)])
    first = np.flatnonzero(begins)
    labels, number = factorize(ids[first])
    if len(labels) == len(first):
        return Cases(ids[first], None, np.append(first, len(ids)).astype(np.int64))
    number = np.repeat(number, np.diff(np.append(first, len(ids))))
    order = np.argsort(number, kind="stable")
    row_ptr = np.concatenate([[0], np.cumsum(np.bincount(number))]).astype(np.int64)
    return Cases(ids[order[row_ptr[:-1]]], order, row_ptr)


def factorize(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct values in order of first appearance, and the number of each value."""
    try:
        labels, first, number = np.unique(values, return_index=True, return_inverse=True)
    except TypeError:
        position: dict[Any, int] = {}
        number = np.array([position.setdefault(v, len(position)) for v in values.tolist()])
        labels = np.empty(len(position), dtype=object)
        labels[:] = list(position)
        return labels, number
    order = np.argsort(first, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return labels[order], rank[number.reshape(-1)]


def chosen_positions(frame: Any, cases: Cases, chosen: str) -> np.ndarray:
    """The position of the chosen row within each case; exactly one is needed."""
    (j,) = find_columns(frame, [_name(chosen, "chosen")], "chosen")
    flags = cases.arrange(float_column(frame, j, "chosen"))
    if not ((flags == 0) | (flags == 1)).all():
        case = cases.case_of_row[np.flatnonzero((flags != 0) & (flags != 1))[:1]]
        raise ValueError(
            f"chosen: column {chosen!r} must hold 1 (or True) in the row of the chosen alternative "
            f"and 0 elsewhere; it does not in case {cases.named(case)}."
        )
    count = np.add.reduceat(flags, cases.row_ptr[:-1])
    for wrong, what in ((count == 0, "no choice"), (count > 1, "several choices")):
        if wrong.any():
            raise ValueError(f"chosen: {what} in cases {cases.named(np.flatnonzero(wrong))}.")
    return np.flatnonzero(flags == 1) - cases.row_ptr[:-1]


def alternatives_of_rows(frame: Any, cases: Cases, alternative: str) -> tuple[Any, Any]:
    """The sorted labels and the number of the alternative in each row, case by case."""
    column = id_column(frame, _name(alternative, "alternative"), "alternative")
    try:
        labels, number = np.unique(column, return_inverse=True)
    except TypeError:
        raise ValueError(
            f"alternative: column {alternative!r} mixes labels that cannot be sorted; make them "
            "all strings or all numbers."
        ) from None
    number = cases.arrange(number.reshape(-1))
    if labels.dtype == object:
        labels = np.array(labels.tolist())
    cell = cases.case_of_row * len(labels) + number
    ordered = np.sort(cell)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    if len(twice):
        case = np.unique(twice // len(labels))
        raise ValueError(f"alternative: it occurs twice in cases {cases.named(case)}.")
    return labels, number


def feature_values(frame: Any, cases: Cases, features: Sequence[str]) -> np.ndarray:
    """Float columns, case by case, (n_rows, n_features); a missing value is an error."""
    positions = find_columns(frame, features, "features")
    values = np.empty((len(features), frame.shape[0]))
    for k, j in enumerate(positions):
        values[k] = cases.arrange(float_column(frame, j, "features"))
        wrong = ~np.isfinite(values[k])
        if wrong.any():
            affected = np.unique(cases.case_of_row[wrong])
            raise ValueError(
                f"features: column {features[k]!r} is NaN or infinite in cases "
                f"{cases.named(affected)}."
            )
    return values.T


def check_features_list(features: Any) -> tuple[str, ...]:
    """Names of columns, each once."""
    if isinstance(features, str) or not all(isinstance(name, str) for name in features):
        raise ValueError(f"features must be a list of names of columns; got {features!r}.")
    names = tuple(features)
    if not names or len(set(names)) < len(names):
        raise ValueError(f"features must name at least one column, each once; got {list(names)}.")
    return names


def constant_within(values: np.ndarray, cases: Cases, argument: str, name: str) -> np.ndarray:
    """What a column holds for each case; it must not vary within one."""
    values = cases.arrange(values)
    first = values[cases.row_ptr[:-1]]
    varies = np.asarray(values != np.repeat(first, np.diff(cases.row_ptr)), dtype=bool)
    if varies.any():
        affected = np.unique(cases.case_of_row[varies])
        raise ValueError(
            f"{argument}: column {name!r} varies within cases {cases.named(affected)}."
        )
    return first


def _name(value: Any, argument: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{argument} must be the name of a column; got {value!r}.")
    return value


def take_rows(frame: Any, rows: np.ndarray) -> Any:
    """Some rows of a frame, by position."""
    return frame.iloc[rows] if hasattr(frame, "iloc") else frame[rows]


def long_to_wide(
    frame: Any,
    *,
    case: str,
    alternative: str,
    chosen: str,
    attributes: Sequence[str] | None = None,
) -> tuple[Any, np.ndarray, dict[Any, str]]:
    """Turn one row per case and alternative into one row per case.

    Parameters
    ----------
    frame : data frame (pandas or polars)
        Long data; rows in any order, choice sets of any size.
    case, alternative, chosen : str
        Columns: whose case it is (any type), which alternative (strings or numbers), and 1 (or
        True) in the row that was chosen.
    attributes : sequence of str or None, default=None
        Columns to keep; None: all others.

    Returns
    -------
    X : data frame of the same library
        One row per case, in order of first appearance, with the column `case`. An attribute that
        does not vary within any case keeps its name; another becomes one column per alternative,
        ``alternative_attribute``, missing where the alternative was unavailable. For an alternative
        that is not in every case there is ``alternative_available``, 1 or 0.
    y : ndarray of shape (n_cases,)
        The chosen alternatives.
    availability : dict
        Alternative -> its column of availability: the argument of `ConditionalLogit`.

    Raises
    ------
    ValueError
        A case has no choice, several, or an alternative twice: its id is named. Or two columns
        would have the same name.

    Examples
    --------
    >>> import pandas as pd
    >>> from sksoftmax.choice import long_to_wide
    >>> trips = pd.DataFrame({
    ...     "id": [1, 1, 2, 2, 2], "mode": ["car", "bus", "bus", "car", "train"],
    ...     "chosen": [1, 0, 0, 0, 1], "time": [20, 30, 45, 25, 15], "income": [3, 3, 5, 5, 5]})
    >>> X, y, availability = long_to_wide(trips, case="id", alternative="mode", chosen="chosen")
    >>> X[["id", "car_time", "train_time", "income", "train_available"]]
       id  car_time  train_time  income  train_available
    0   1      20.0         NaN       3                0
    1   2      25.0        15.0       5                1
    >>> y, availability
    (array(['car', 'train'], dtype='<U5'), {'train': 'train_available'})
    """
    check_frame(frame)
    cases = find_cases(frame, case)
    labels, number = alternatives_of_rows(frame, cases, alternative)
    position = chosen_positions(frame, cases, chosen)
    y = labels[number[cases.row_ptr[:-1] + position]]
    if attributes is None:
        attributes = [n for n in column_names(frame) if n not in (case, alternative, chosen)]
    columns: dict[str, Any] = {case: cases.ids}
    for name, j in zip(attributes, find_columns(frame, attributes, "attributes"), strict=True):
        column = column_at(frame, j)
        values = cases.arrange(np.asarray(column.to_numpy()))
        _add(columns, _spread(name, values, cases, number, labels))
    availability = _add_availability(columns, cases, number, labels)
    return type(frame)(columns), y, availability


def _spread(name, values, cases: Cases, number, labels) -> dict[str, np.ndarray]:
    """One column if the attribute is the case's, else one for each alternative."""
    first = values[cases.row_ptr[:-1]]
    again = np.repeat(first, np.diff(cases.row_ptr))
    same = np.asarray((values == again) | ((values != values) & (again != again)), dtype=bool)
    if same.all():
        return {name: first}
    numeric = values.dtype.kind in "biuf"
    case_of_row, spread = cases.case_of_row, {}
    for j, label in enumerate(labels.tolist()):
        rows = number == j
        column = np.full(len(cases.ids), np.nan if numeric else None, float if numeric else object)
        column[case_of_row[rows]] = values[rows]
        spread[f"{label}_{name}"] = column
    return spread


def _add_availability(columns, cases: Cases, number, labels) -> dict[Any, str]:
    availability = {}
    for j, label in enumerate(labels.tolist()):
        available = np.zeros(len(cases.ids), dtype=np.int64)
        available[cases.case_of_row[number == j]] = 1
        if not available.all():
            availability[label] = f"{label}_available"
            _add(columns, {f"{label}_available": available})
    return availability


def _add(columns: dict[str, Any], more: dict[str, Any]) -> None:
    twice = [name for name in more if name in columns]
    if twice:
        raise ValueError(f"Two columns would be named {twice}; rename the attributes first.")
    columns.update(more)
