"""Rows of large entropy of boosted trees: logits are constant between the splits of each feature.

Coordinate ascent: of all rows that differ from the present one in one feature, moved to the middle
of another interval between two splits (or to another category), the best one is next.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_MOST_STEPS = 100
_MOST_VALUES = 4000  # candidates of a step; of more, every second or third interval is tried


def climb_splits(landscape: Any, splits: list[np.ndarray], seeds: np.ndarray) -> np.ndarray:
    """Return, for each seed, a row that no change of one feature improves."""
    candidates = _thinned([_middles(landscape, j, at) for j, at in enumerate(splits)])
    feature = np.repeat(np.arange(len(candidates)), [len(values) for values in candidates])
    value = np.concatenate(candidates)
    found = []
    for seed in landscape.valid(seeds):
        x, best = seed, float(landscape.objective_from(seed, seed[None])[0])
        for _ in range(_MOST_STEPS if len(value) else 0):
            moved = np.repeat(x[None], len(value), axis=0)
            moved[np.arange(len(value)), feature] = value
            worth = landscape.objective_from(seed, moved)
            at = int(np.argmax(worth))
            if worth[at] <= best + 1e-12:
                break
            x, best = moved[at], float(worth[at])
        found.append(x)
    return np.array(found)


def _middles(landscape: Any, j: int, splits: np.ndarray) -> np.ndarray:
    """Return a value in each interval between splits, valid and within bounds; or all codes."""
    known = landscape.columns.categories[j]
    if known is not None:
        return np.arange(len(known), dtype=float)
    low, high = _finite_ends(landscape, j, splits)
    inside = splits[(splits > low) & (splits < high)]
    if not len(inside):
        return np.empty(0)
    edges = np.concatenate([[low], inside, [high]])
    middles = 0.5 * (edges[:-1] + edges[1:])
    if landscape.columns.is_whole[j]:  # a whole number of the interval (edge, next edge]
        middles = np.round(middles)
        middles = middles[(middles > edges[:-1]) & (middles <= edges[1:])]
    return np.unique(middles)


def _finite_ends(landscape: Any, j: int, splits: np.ndarray) -> tuple[float, float]:
    """Return the bounds, or where there are none the ends of data and splits."""
    columns, low, high = landscape.columns, landscape.low[j], landscape.high[j]
    margin = columns.scale[j]
    if not np.isfinite(low):
        low = min([columns.low[j], *(splits[:1] - margin)])
    if not np.isfinite(high):
        high = max([columns.high[j], *(splits[-1:] + margin)])
    return float(low), float(high)


def _thinned(candidates: list[np.ndarray]) -> list[np.ndarray]:
    total = sum(len(values) for values in candidates)
    step = -(-total // _MOST_VALUES)
    return [values[step // 2 :: step] if step > 1 else values for values in candidates]
