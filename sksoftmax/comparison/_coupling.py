"""What couples the classes: linear log-odds between pairs, and what a dropped class changes.

In a softmax log(p_a / p_b) = (w_a - w_b) x + b_a - b_b: linear in the features, and no other class
is in it (independence of irrelevant alternatives). Of one-vs-rest neither holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import clone

from sksoftmax.comparison._pair import Pair, Rows

# Dense copies of X for the regressions have at most this many entries (0.8 GB).
_MOST_ENTRIES = 100_000_000


@dataclass(frozen=True)
class Coupling:
    """How far log(p_a / p_b) is from linear in the features, for each pair of classes.

    Attributes
    ----------
    pairs : int ndarray of shape (n_pairs, 2), positions of the classes
    softmax, one_vs_rest : ndarrays of shape (n_pairs,)
        1 - R2 of the regression of log(p_a / p_b) on the features, with residual and total
        variances divided by their degrees of freedom; NaN where that has none left.
    """

    pairs: np.ndarray
    softmax: np.ndarray
    one_vs_rest: np.ndarray


def residual_shares(rows: Rows, logs: tuple[np.ndarray, np.ndarray]) -> Coupling:
    """1 - R2 for all pairs at once.

    The regression is linear, so the residual of log p_a - log p_b is the difference of the
    residuals of log p_a and log p_b: their products, (n_classes, n_classes), say everything.
    Rows count that have a choice among all classes; offsets are regressors too.
    """
    n_classes = len(rows.classes)
    pairs = np.column_stack(np.triu_indices(n_classes, 1))
    full = np.flatnonzero(np.isfinite(logs[0]).all(axis=1) & np.isfinite(logs[1]).all(axis=1))
    columns = rows.X.shape[1] + (n_classes if "offset" in rows.extra else 0)
    if len(full) <= columns + 1 or len(full) * columns > _MOST_ENTRIES:
        nothing = np.full(len(pairs), np.nan)
        return Coupling(pairs, nothing, nothing)
    basis, root = _basis(rows.take(full))
    shares = [_shares(root[:, None] * log[full], basis, root, pairs) for log in logs]
    return Coupling(pairs, *shares)


def _basis(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal columns that span the weighted (features, offsets, 1), and roots of weights."""
    X = rows.X.toarray() if sparse.issparse(rows.X) else np.asarray(rows.X, dtype=np.float64)
    weight = np.ones(len(X)) if rows.weight is None else np.asarray(rows.weight, dtype=np.float64)
    root = np.sqrt(weight)
    parts = [X, rows.extra["offset"]] if "offset" in rows.extra else [X]
    design = np.column_stack(parts).astype(np.float64)
    design -= np.average(design, axis=0, weights=weight)
    scale = np.sqrt(np.average(design**2, axis=0, weights=weight))
    design = design[:, scale > 0] / scale[scale > 0]
    design = np.column_stack([np.ones(len(X)), design]) * root[:, None]
    left, size, _ = np.linalg.svd(design, full_matrices=False)
    return left[:, size > 1e-10 * size[0]], root


def _shares(logs: np.ndarray, basis: np.ndarray, root: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    freedom = int((root > 0).sum()) - basis.shape[1]
    if freedom < 1:
        return np.full(len(pairs), np.nan)
    mean = root / np.linalg.norm(root)
    residual = _products(logs - basis @ (basis.T @ logs), pairs) / freedom
    total = _products(logs - np.outer(mean, mean @ logs), pairs) / ((root > 0).sum() - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(total > 0, residual / total, np.nan)


def _products(columns: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Squared norms of the differences of columns."""
    products = columns.T @ columns
    square = np.diag(products)
    a, b = pairs.T
    return np.maximum(square[a] + square[b] - 2 * products[a, b], 0.0)


@dataclass(frozen=True)
class Dropped:
    """How log(p_a / p_b) of the other classes changes when a class is left out of the data.

    Attributes
    ----------
    classes : int ndarray of shape (n_dropped,), positions of the classes left out
    softmax, one_vs_rest : ndarrays of shape (n_dropped,)
        Root mean square of the change over rows and pairs of the other classes, in nats.
    """

    classes: np.ndarray
    softmax: np.ndarray
    one_vs_rest: np.ndarray


def drop_classes(pair: Pair, rows: Rows, at_most: int) -> Dropped:
    """Fit both models to these rows, and again without a class and its rows: the largest ones."""
    pair = Pair(clone(pair.softmax), clone(pair.one_vs_rest)).fit(rows)
    counts = np.bincount(rows.target, rows.weight, minlength=len(rows.classes))
    dropped = np.sort(np.argsort(-counts, kind="stable")[:at_most])
    logs = pair.log_proba(rows)
    changes = np.array([_changes(pair, rows, logs, int(k)) for k in dropped]).reshape(-1, 2)
    return Dropped(dropped, changes[:, 0], changes[:, 1])


def _changes(pair: Pair, rows: Rows, logs: Any, dropped: int) -> list[float]:
    part = rows.without_class(dropped)
    if len(np.unique(part.target)) < 2:
        return [np.nan, np.nan]
    again = Pair(clone(pair.softmax), clone(pair.one_vs_rest)).fit(part)
    kept = rows.target != dropped
    weight = None if part.weight is None else np.asarray(part.weight, dtype=np.float64)
    found = []
    for before, after in zip(logs, again.log_proba(part), strict=True):
        full = np.isfinite(before[kept]).all(axis=1) & np.isfinite(after).all(axis=1)
        change = after[full] - np.delete(before[kept], dropped, axis=1)[full]
        # The mean over pairs of (c_a - c_b)^2 is twice the variance with K - 1 in its denominator.
        square = 2 * change.var(axis=1, ddof=1)
        weights = None if weight is None else weight[full]
        found.append(float(np.sqrt(np.average(square, weights=weights))) if full.any() else np.nan)
    return found
