"""The verbs over rows of probabilities: one read of them, and nothing is an error."""

from typing import NamedTuple

import numpy as np

from sksoftmax._kernel import _core
from sksoftmax._kernel._threads import effective_n_threads


class _Look(NamedTuple):
    argmax: np.ndarray  # int64, and in float64:
    largest: np.ndarray
    total: np.ndarray
    smallest: float


class _Spread(NamedTuple):
    entropy: np.ndarray  # in nats
    square: np.ndarray


def look_at_proba(proba, *, n_threads=None) -> _Look:
    """Argmax (the first of equal ones), maximum and sum of each row, and the smallest entry.

    One read of `proba`, C-contiguous float32 or float64 of shape (n_rows, n_classes). Nothing is an
    error: a row with NaN has the sum NaN and any argmax, and NaN is never the smallest entry.
    """
    n_rows, n_classes = _check_proba(proba)
    argmax, largest, total = np.empty(n_rows, np.int64), np.empty(n_rows), np.empty(n_rows)
    threads = effective_n_threads(n_threads)
    smallest = _core.look_at_proba(proba.reshape(-1), n_classes, argmax, largest, total, threads)
    return _Look(argmax, largest, total, smallest)


def spread_of_proba(proba, *, n_threads=None) -> _Spread:
    """-sum p log p (0 log 0 = 0) and sum p^2 of each row, in float64.

    One read of `proba`, as in `look_at_proba`.
    """
    n_rows, n_classes = _check_proba(proba)
    entropy, square = np.empty(n_rows), np.empty(n_rows)
    threads = effective_n_threads(n_threads)
    _core.spread_of_proba(proba.reshape(-1), n_classes, entropy, square, threads)
    return _Spread(entropy, square)


def bin_proba(proba, hit, edges, *, weight=None, n_threads=None) -> np.ndarray:
    """Sums over the bins of each class, of shape (n_classes, n_bins, 4): w, w^2, w p, w [hit].

    Bin b of a class holds the rows with ``edges[b] <= p < edges[b + 1]``; the first also those
    below, the last those above.

    Parameters
    ----------
    proba : C-contiguous float32 or float64 array of shape (n_rows, n_classes)
    hit : int64 array of shape (n_rows,)
        The class that each row is a hit of, or -1.
    edges : float64 array of shape (n_bins + 1,), or (n_classes, n_bins + 1), ascending
    weight : float64 array of shape (n_rows,), optional
    n_threads : int, optional
        The result does not depend on it.
    """
    n_rows, n_classes = _check_proba(proba)
    for name, array, dtype in (("hit", hit, np.int64), ("weight", weight, np.float64)):
        _check_entries(name, array, dtype, n_rows)
    n_bins = edges.shape[-1] - 1
    edges = np.array(edges, np.float64, order="C")
    edges[..., 0], edges[..., -1] = -np.inf, np.inf
    sums = np.empty((n_classes, n_bins, 4))
    _core.bin_proba(
        proba.reshape(-1),
        n_classes,
        hit,
        weight,
        edges.reshape(-1),
        n_bins,
        sums.reshape(-1),
        effective_n_threads(n_threads),
    )
    return sums


def _check_proba(proba) -> tuple[int, int]:
    if not isinstance(proba, np.ndarray) or proba.dtype not in (np.float32, np.float64):
        raise TypeError("proba: expected a float32 or float64 array")
    if proba.ndim != 2 or proba.size == 0:
        raise ValueError(f"proba: expected shape (n_rows, n_classes), got {proba.shape}")
    if not proba.flags.c_contiguous:
        raise ValueError("proba: must be C-contiguous")
    n_rows, n_classes = proba.shape
    return n_rows, n_classes


def _check_entries(name, array, dtype, n_rows) -> None:
    if array is None and name == "weight":
        return
    if not isinstance(array, np.ndarray) or array.dtype != dtype:
        raise TypeError(f"{name}: expected an array of {np.dtype(dtype)}")
    if array.shape != (n_rows,) or not array.flags.c_contiguous:
        raise ValueError(f"{name}: expected {n_rows} entries in C order, got shape {array.shape}")
