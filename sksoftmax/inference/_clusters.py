"""Who belongs together: panels and clusters, numbered."""

from __future__ import annotations

from typing import Any

import numpy as np


def number_groups(groups: Any, n_cases: int, name: str) -> np.ndarray:
    """Groups of any type, one per case, numbered from 0."""
    array = np.asarray(groups.to_numpy() if hasattr(groups, "to_numpy") else groups)
    if array.shape != (n_cases,):
        raise ValueError(
            f"{name} must have shape (n_samples,) = ({n_cases},); got shape {array.shape}."
        )
    missing = (
        array != array if array.dtype.kind != "O" else np.array([_is_missing(g) for g in array])
    )
    if np.any(missing):
        raise ValueError(f"{name}: row {int(np.argmax(missing))} is missing.")
    try:
        return np.unique(array, return_inverse=True)[1].astype(np.int64).reshape(-1)
    except TypeError:  # of mixed types, which cannot be sorted
        position: dict[Any, int] = {}
        return np.array([position.setdefault(g, len(position)) for g in array.tolist()], np.int64)


def _is_missing(value: Any) -> bool:
    try:
        return value is None or bool(value != value)
    except TypeError:  # pandas.NA
        return True
