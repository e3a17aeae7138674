"""From columns of group labels to groups: codes, names in order, missing labels, intersections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from sksoftmax._estimator import check_integer
from sksoftmax.metrics._predictions import is_missing

MISSING = "(missing)"
MANY = 100  # distinct values of a column of floats from which on they are measurements


@dataclass(frozen=True)
class Grouping:
    """One way to divide the rows.

    Attributes
    ----------
    by : names of the columns
    labels : for each group, its label in each column; None where that is missing
    codes : int64 ndarray of shape (n_samples,), the group of each row
    """

    by: tuple[str, ...]
    labels: list[tuple[Any, ...]]
    codes: np.ndarray


def check_groups(groups: Any, n_samples: int, intersections: Any) -> list[Grouping]:
    """Return a grouping for each column, then one for each intersection of several columns."""
    most = check_integer(intersections, "intersections", "an integer of at least 1", at_least=1)
    columns = [_encode(name, values, n_samples) for name, values in _columns(groups)]
    crossed = [
        _cross(several)
        for size in range(2, min(most, len(columns)) + 1)
        for several in combinations(columns, size)
    ]
    return columns + crossed


def group_text(labels: tuple[Any, ...]) -> str:
    """The name of a group as tables show it: on one line, whatever its labels hold."""
    shown = (MISSING if label is None else str(label) for label in labels)
    return " & ".join(" ".join(text.split()) or repr(text) for text in shown)


def _columns(groups: Any) -> list[tuple[str, Any]]:
    """Name and values of each column of a mapping, a frame, a series, an array or a list."""
    if isinstance(groups, Mapping):
        columns = [(str(name), values) for name, values in groups.items()]
    elif hasattr(groups, "columns"):
        columns = [(str(name), groups[name]) for name in groups.columns]
    elif isinstance(groups, np.ndarray) and groups.ndim == 2:
        columns = [(f"column {j}", groups[:, j]) for j in range(groups.shape[1])]
    else:
        name = getattr(groups, "name", None)
        columns = [("group" if name in (None, "") else str(name), groups)]
    if not columns:
        raise ValueError("groups has no column; pass labels, or a mapping from names to labels.")
    if len({name for name, _ in columns}) < len(columns):
        raise ValueError(
            f"groups: the names of its columns repeat: {[name for name, _ in columns]}."
        )
    return columns


def _encode(name: str, values: Any, n_samples: int) -> Grouping:
    """Labels as codes: categories in their order (empty ones too), other labels sorted."""
    if np.ma.isMaskedArray(values):
        raise ValueError(f"groups: {name!r} is a masked array; use None where a label is missing.")
    categories = getattr(getattr(values, "dtype", None), "categories", None)
    array = _vector(values)
    if array.shape != (n_samples,):
        raise ValueError(
            f"groups: {name!r} must hold one label for each of the {n_samples} rows of y_proba; "
            f"got shape {array.shape}."
        )
    missing = is_missing(array)
    objects = array.astype(object)
    objects[missing] = None
    listed = objects.tolist()
    try:
        present = set(listed) - {None}
    except TypeError:
        raise ValueError(f"groups: {name!r} holds labels that cannot be hashed.") from None
    if array.dtype.kind == "f" and len(present) > MANY:
        raise ValueError(
            f"groups: {name!r} has {len(present)} different numbers, so hardly any two rows share "
            "a group; cut it into intervals first, for example with pandas.cut."
        )
    ordered = [] if categories is None else list(categories)
    ordered += _sorted(present - set(ordered))
    labels: list[Any] = [*ordered, *[None] * bool(missing.any())]
    position = {label: code for code, label in enumerate(labels)}
    codes = np.array([position[label] for label in listed], dtype=np.int64)
    return Grouping((name,), [(label,) for label in labels], codes)


def _vector(values: Any) -> np.ndarray:
    """An array of the labels; those of a list stay what they are, tuples too."""
    if not isinstance(values, (list, tuple)):
        return np.asarray(values)
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _sorted(labels: set[Any]) -> list[Any]:
    try:
        return sorted(labels)
    except TypeError:  # of several types: by type, then as text
        return sorted(labels, key=lambda label: (type(label).__name__, str(label)))


def _cross(columns: tuple[Grouping, ...]) -> Grouping:
    """The combinations of labels that occur, in the order of the columns."""
    code = np.zeros(len(columns[0].codes), dtype=np.int64)
    for column in columns:
        code = code * len(column.labels) + column.codes
        code = np.unique(code, return_inverse=True)[1]  # small again before the next column
    first = np.unique(code, return_index=True)[1]
    labels = [
        tuple(label for column in columns for label in column.labels[column.codes[row]])
        for row in first
    ]
    return Grouping(tuple(name for column in columns for name in column.by), labels, code)
