"""Which features may meet on a path from the root to a leaf."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from numbers import Integral
from typing import Any


def interaction_groups(interaction_cst: Any, n_features: int) -> list[list[int]] | None:
    """Return groups of columns that together hold every feature, or None without constraints.

    As in HistGradientBoostingClassifier: features that no group names form one more group.
    """
    if interaction_cst is None:
        return None
    groups = [set(group) for group in _given_groups(interaction_cst, n_features)]
    for group in groups:
        if not all(_is_position(feature, n_features) for feature in group):
            raise ValueError(
                f"interaction_cst must hold indices of features from 0 to {n_features - 1}; "
                f"got the group {sorted(group, key=str)}."
            )
    rest = set(range(n_features)).difference(*groups)
    if rest:
        groups.append(rest)
    return [sorted(int(feature) for feature in group) for group in groups if group]


def _given_groups(interaction_cst: Any, n_features: int) -> Iterable[Any]:
    if isinstance(interaction_cst, str):
        if interaction_cst == "no_interactions":
            return ((feature,) for feature in range(n_features))
        if interaction_cst == "pairwise" and n_features > 1:
            return itertools.combinations(range(n_features), 2)
        if interaction_cst == "pairwise":
            return ((0,),)
    elif isinstance(interaction_cst, (list, tuple)) and all(
        isinstance(group, (list, tuple, set, frozenset)) for group in interaction_cst
    ):
        return interaction_cst
    raise ValueError(
        "interaction_cst must be None, 'pairwise', 'no_interactions' or a list of lists of "
        f"indices of features; got {interaction_cst!r}."
    )


def _is_position(feature: Any, n_features: int) -> bool:
    is_integer = isinstance(feature, Integral) and not isinstance(feature, bool)
    return is_integer and 0 <= int(feature) < n_features
