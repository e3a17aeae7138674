"""Which rows to ask about: the best ones, or good ones that differ from each other."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.metrics import euclidean_distances

from sksoftmax.active._columns import nearest_distances, points_of
from sksoftmax.active._rows import take

DIVERSITIES = ("kcenter", "density")
# Among how many of the best rows a batch is chosen: a multiple of its size, and at least so many.
_MULTIPLE, _LEAST = 10, 200
_SAMPLE = 1000  # rows that stand for the pool
_START = 10_000  # rows among which a k-center start is chosen


def best_rows(scores: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return the n rows with the largest scores, best first; chance decides between equal ones.

    Rows of -inf are never taken.
    """
    rows = _shortlist(scores, n)
    worth = scores[rows]
    n = min(n, int((worth > -np.inf).sum()))
    if n == 0:
        return np.empty(0, dtype=np.intp)
    least = np.partition(worth, len(worth) - n)[len(worth) - n]
    better, equal = np.flatnonzero(worth > least), np.flatnonzero(worth == least)
    found = rows[np.concatenate([better, rng.choice(equal, n - len(better), replace=False)])]
    return found[np.lexsort((rng.permutation(n), -scores[found]))]


def _shortlist(scores: np.ndarray, n: int) -> np.ndarray:
    """Return rows among which the n best are (with all their equals), in one pass over many rows.

    Every 64th score tells a value that about 2 n rows, and 64 more, are above.
    """
    if len(scores) > 64 * _SAMPLE and n < len(scores) // 16:
        sample = scores[::64]
        place = len(sample) - 2 - 2 * n // 64
        rows = np.flatnonzero(scores >= np.partition(sample, place)[place])
        if len(rows) >= n:
            return rows
    return np.arange(len(scores))


def diverse_rows(
    diversity: str,
    scores: np.ndarray,
    n: int,
    X: Any,
    labeled: Any,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return n rows, chosen one by one among the best candidates.

    "kcenter" takes the best one, then the one farthest from those taken and from `labeled` [1];
    "density" takes the largest score * mean similarity to the pool [2] * (1 - similarity to the
    nearest one taken), where similarity is exp(-d^2 / 2 h^2), h the median distance to the pool.

    [1] Sener, Savarese (2018), Active learning for convolutional neural networks: a core-set
        approach. [2] Settles, Craven (2008), An analysis of active learning strategies for
        sequence labeling tasks.
    """
    candidates = best_rows(scores, max(_MULTIPLE * n, _LEAST), rng)
    n = min(n, len(candidates))
    if n == 0:
        return candidates
    sample = _sample(X, np.flatnonzero(scores > -np.inf), _SAMPLE, rng)
    points = points_of(take(X, candidates), sample)
    if diversity == "kcenter":
        far = np.full(len(candidates), np.inf)
        if labeled is not None:
            far = nearest_distances(points, points_of(labeled, sample))
        return candidates[greedy_centers(points, n, far, first=0)]
    return candidates[_dense_rows(points, points_of(sample, sample), scores[candidates], n)]


def first_rows(
    diversity: str | None, is_open: np.ndarray, n: int, X: Any, rng: np.random.Generator
) -> np.ndarray:
    """Return rows to start with, when nothing has a label: random, or centers of the pool."""
    rows = np.flatnonzero(is_open)
    if diversity != "kcenter":
        return rng.choice(rows, min(n, len(rows)), replace=False)
    if len(rows) > _START:
        rows = np.sort(rng.choice(rows, _START, replace=False))
    part = take(X, rows)
    points = points_of(part, part)
    start = int(rng.integers(len(rows)))
    return rows[greedy_centers(points, min(n, len(rows)), np.full(len(rows), np.inf), first=start)]


def greedy_centers(points: Any, n: int, far: np.ndarray, *, first: int) -> np.ndarray:
    """Return n different points, each the farthest from those before it.

    `far` is how far each is from what was there already.
    """
    chosen, left, far = [first], np.ones(len(far), dtype=bool), far.copy()
    left[first] = False
    while len(chosen) < n:
        distance = euclidean_distances(points, points[[chosen[-1]]])[:, 0]
        np.minimum(far, distance, out=far)
        chosen.append(int(np.argmax(np.where(left, far, -1.0))))
        left[chosen[-1]] = False
    return np.array(chosen)


def _dense_rows(points: Any, pool: Any, scores: np.ndarray, n: int) -> np.ndarray:
    distances = euclidean_distances(points, pool)
    width = float(np.median(distances)) or 1.0
    worth = scores * np.exp(-0.5 * (distances / width) ** 2).mean(axis=1)
    novelty, left, chosen = np.ones(len(scores)), np.ones(len(scores), dtype=bool), []
    for _ in range(n):
        chosen.append(int(np.argmax(np.where(left, worth * novelty, -1.0))))
        left[chosen[-1]] = False
        distance = euclidean_distances(points, points[[chosen[-1]]])[:, 0]
        np.minimum(novelty, 1.0 - np.exp(-0.5 * (distance / width) ** 2), out=novelty)
    return np.array(chosen)


def _sample(X: Any, rows: np.ndarray, n: int, rng: np.random.Generator) -> Any:
    if len(rows) > n:
        rows = np.sort(rng.choice(rows, n, replace=False))
    part = take(X, rows)
    return part.tocsr() if sparse.issparse(part) else part
