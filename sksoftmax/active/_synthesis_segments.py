"""Rows of large entropy of any classifier: on segments between unlike neighbors.

Between two rows that are predicted to be of different classes lies a boundary, and there the
classifier is uncertain. Each seed is joined to the nearest such row, and the segment is searched by
a grid, then by a finer grid around the best point.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_GRID, _ROUNDS = 17, 3
_LEAST = 0.05  # share of the way that is gone at least: a seed is no new row


def best_on_segments(landscape: Any, seeds: np.ndarray) -> np.ndarray:
    """Return the best row of each seed's segment; the seed where all rows are of one class."""
    seeds = landscape.valid(seeds)
    data = landscape.valid(
        np.where(np.isnan(landscape.data), landscape.columns.center, landscape.data)
    )
    ends = _unlike_neighbors(landscape, seeds, data)
    low, high = np.full(len(seeds), _LEAST), np.ones(len(seeds))
    for _ in range(_ROUNDS):
        share = low[:, None] + (high - low)[:, None] * np.linspace(0, 1, _GRID)
        rows = landscape.valid(_between(landscape.columns, seeds, ends, share))
        worth = landscape.objective(rows).reshape(share.shape)
        at = worth.argmax(axis=1)
        found = rows.reshape(*share.shape, -1)[np.arange(len(seeds)), at]
        step = (high - low) / (_GRID - 1)
        best = share[np.arange(len(seeds)), at]
        low, high = np.maximum(best - step, _LEAST), np.minimum(best + step, 1)
    return found


def _unlike_neighbors(landscape: Any, seeds: np.ndarray, data: np.ndarray) -> np.ndarray:
    """Return, for each seed, the nearest row that is predicted to be of another class."""
    of_data, of_seeds = (landscape.logits(rows).argmax(axis=1) for rows in (data, seeds))
    points, starts = landscape.columns.embed(data), landscape.columns.embed(seeds)
    ends = seeds.copy()
    for i, start in enumerate(starts):
        distance = np.where(of_data == of_seeds[i], np.inf, ((points - start) ** 2).sum(axis=1))
        if np.isfinite(distance).any():
            ends[i] = data[np.argmin(distance)]
    return ends


def _between(columns: Any, starts: np.ndarray, ends: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return rows on segments, (n_segments * n_shares, n_features); categories change halfway."""
    t = share[:, :, None]
    rows = (1 - t) * starts[:, None] + t * ends[:, None]
    nearer = np.where(t < 0.5, starts[:, None], ends[:, None])
    return np.where(columns.is_category, nearer, rows).reshape(-1, starts.shape[1])
