"""The verbs of the kernel in plain NumPy: the readable specification and the oracle of the tests.

Notation, for one row of logits ``z`` with the set ``A`` of available classes, the temperature
``T``, the sample weight ``w``, and the row ``q`` of target probabilities after smoothing::

    m         = max over A of z_i
    t_i       = (z_i - m) / T                     shifted logits: <= 0 on A, -inf outside
    s         = sum over A of exp(t_i)            at least 1, at most the number of classes
    p_i       = exp(t_i) / s                      softmax: exactly 0 outside A
    log p_i   = t_i - log s                       log_softmax: -inf outside A
    logsumexp = m / T + log s
    entropy   = log s - sum over A of p_i t_i
    loss      = w * (log s - sum over A of q_i t_i + logit_l2 / 2 * sum over A of z_i^2)
    gradient  = w * ((p_i - q_i) / T + logit_l2 * z_i)          exactly 0 outside A
    H v       = w / T^2 * p_i * (v_i - sum over A of p_j v_j)   exactly 0 outside A

The smoothed target is ``q = (1 - e) target + e / |A|`` on A. One maximal term of ``s`` is exactly
1, so ``log s`` is taken as ``log1p`` of the sum of the others: tiny losses and entropies keep
their relative accuracy. For the same reason the residual of a class index, ``p_y - 1``, is minus
the sum of the other probabilities.

A batch is dense, ``(n_rows, n_classes)``, or ragged: stacked entries of which row ``i`` owns
``row_ptr[i]:row_ptr[i + 1]``. Here both are stacked entries with a row number each, so that there
is one copy of every formula. Sums are taken in float64 or wider, results have the dtype of the
logits, and any real floating dtype is accepted (the tests use ``longdouble``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sksoftmax._kernel._errors import RowError

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class _Rows:
    """A batch whose laws were checked, as stacked entries, with maximum and temperature taken out.

    Attributes
    ----------
    shape : the shape of the batch, (n_rows, n_classes) or (n_entries,)
    starts : (n_rows,) first entry of each row
    row : (n_entries,) row of each entry
    available : (n_entries,) whether the entry belongs to A
    logits : (n_entries,) z on A, 0 outside
    shifted : (n_entries,) t on A, -inf outside
    maximum, temperature : (n_rows,)
    """

    shape: tuple[int, ...]
    starts: Integers
    row: Integers
    available: Booleans
    logits: Floats
    shifted: Floats
    maximum: Floats
    temperature: Floats

    def total(self, entries: Floats | Booleans) -> Floats:
        """Sum of the entries of each row, (n_rows,), in float64 or wider."""
        return np.add.reduceat(entries, self.starts, dtype=np.result_type(self.logits, float))

    def first_maximum(self) -> Booleans:
        """True at one maximal available entry of each row, where exp(t) is exactly 1."""
        candidates = np.flatnonzero(self.shifted == 0)
        first = np.zeros(self.row.shape, dtype=bool)
        first[candidates[np.unique(self.row[candidates], return_index=True)[1]]] = True
        return first

    def log_sum(self) -> Floats:
        """log s = log1p(sum of all terms but one that is maximal), (n_rows,)."""
        return np.log1p(self.total(np.where(self.first_maximum(), 0, np.exp(self.shifted))))

    def proba(self) -> Floats:
        """The softmax p of every entry."""
        terms = np.exp(self.shifted)
        return terms / self.total(terms)[self.row]

    def expected(self, weights: Floats, values: Floats) -> Floats:
        """Sum over A of weights * values; a weight of 0 selects nothing, even beside -inf."""
        return self.total(np.where(weights != 0, weights, 0) * np.where(weights != 0, values, 0))

    def per_row(self, values: Floats) -> Floats:
        """Row values in the dtype of the logits."""
        return values.astype(self.logits.dtype)

    def per_entry(self, values: Floats, out: Floats | None = None) -> Floats:
        """Entry values in the shape and dtype of the logits."""
        result = values.astype(self.logits.dtype).reshape(self.shape)
        if out is None:
            return result
        out[...] = result
        return out


def softmax(
    logits: Floats,
    *,
    temperature: float | Floats = 1.0,
    mask: Booleans | None = None,
    row_ptr: Integers | None = None,
    out: Floats | None = None,
) -> Floats:
    """p_i = exp(t_i) / s. T = 0 is the argmax (ties share equally), T = inf is uniform on A."""
    rows = _read(logits, temperature, mask, row_ptr, limits=True)
    return rows.per_entry(rows.proba(), out)


def log_softmax(
    logits: Floats,
    *,
    temperature: float | Floats = 1.0,
    mask: Booleans | None = None,
    row_ptr: Integers | None = None,
    out: Floats | None = None,
) -> Floats:
    """log p_i = t_i - log s, finite wherever t_i is."""
    rows = _read(logits, temperature, mask, row_ptr, limits=True)
    return rows.per_entry(rows.shifted - rows.log_sum()[rows.row], out)


def logsumexp(
    logits: Floats,
    *,
    temperature: float | Floats = 1.0,
    mask: Booleans | None = None,
    row_ptr: Integers | None = None,
) -> Floats:
    """Log of the partition function, m / T + log s."""
    rows = _read(logits, temperature, mask, row_ptr, limits=False)
    return rows.per_row(rows.maximum / rows.temperature + rows.log_sum())


def entropy(
    logits: Floats,
    *,
    temperature: float | Floats = 1.0,
    mask: Booleans | None = None,
    row_ptr: Integers | None = None,
) -> Floats:
    """Shannon entropy of the softmax in nats: log s - sum of p_i t_i, a sum of terms >= 0."""
    rows = _read(logits, temperature, mask, row_ptr, limits=True)
    return rows.per_row(rows.log_sum() - rows.expected(rows.proba(), rows.shifted))


def loss(
    logits: Floats,
    target: Integers | Floats,
    *,
    sample_weight: Floats | None = None,
    label_smoothing: float = 0.0,
    temperature: float | Floats = 1.0,
    mask: Booleans | None = None,
    logit_l2: float = 0.0,
    row_ptr: Integers | None = None,
) -> Floats:
    """Weighted cross-entropy of each row, w * (log s - sum of q_i t_i + logit_l2 / 2 |z|^2)."""
    rows = _read(logits, temperature, mask, row_ptr, limits=False)
    return rows.per_row(_loss(rows, target, sample_weight, label_smoothing, logit_l2))


def loss_gradient(
    logits: Floats,
    target: Integers | Floats,
    *,
    sample_weight: Floats | None = None,
    label_smoothing: float = 0.0,
    temperature: float | Floats = 1.0,
    mask: Booleans | None = None,
    logit_l2: float = 0.0,
    row_ptr: Integers | None = None,
    gradient_out: Floats | None = None,
) -> tuple[Floats, Floats]:
    """The loss of each row and its gradient, w * ((p_i - q_i) / T + logit_l2 * z_i)."""
    rows = _read(logits, temperature, mask, row_ptr, limits=False)
    value = _loss(rows, target, sample_weight, label_smoothing, logit_l2)
    residual = _residual(rows, target, label_smoothing)
    gradient = residual / rows.temperature[rows.row] + logit_l2 * rows.logits
    gradient = _weight(rows, sample_weight)[rows.row] * np.where(rows.available, gradient, 0)
    return rows.per_row(value), rows.per_entry(gradient, gradient_out)


def hessian_product(
    logits: Floats,
    direction: Floats,
    *,
    sample_weight: Floats | None = None,
    temperature: float | Floats = 1.0,
    mask: Booleans | None = None,
    row_ptr: Integers | None = None,
    out: Floats | None = None,
) -> Floats:
    """w / T^2 (diag(p) - p p') v, the Hessian of the loss (without logit_l2) times a direction."""
    rows = _read(logits, temperature, mask, row_ptr, limits=False)
    proba = rows.proba()
    direction = np.where(rows.available, direction.reshape(-1), 0)
    centred = direction - rows.total(proba * direction)[rows.row]
    scale = _weight(rows, sample_weight) / rows.temperature / rows.temperature
    return rows.per_entry(scale[rows.row] * proba * centred, out)


def look_at_proba(proba: Floats) -> tuple[Integers, Floats, Floats, float]:
    """Argmax, maximum and sum of each row, and the smallest entry of all that is not NaN."""
    return proba.argmax(axis=1), proba.max(axis=1), proba.sum(axis=1), float(np.nanmin(proba))


def spread_of_proba(proba: Floats) -> tuple[Floats, Floats]:
    """-sum p log p, where 0 log 0 = 0, and sum p^2 of each row."""
    p = proba.astype(np.float64)
    log_p = np.log(p, where=p > 0, out=np.zeros_like(p))
    return -(p * log_p).sum(axis=1), (p * p).sum(axis=1)


def bin_proba(proba: Floats, hit: Integers, edges: Floats, weight: Floats | None = None) -> Floats:
    """Sums of w, w^2, w p and w [hit] over the bins [edge_b, edge_b+1) of each class."""
    n_rows, n_classes = proba.shape
    edges = np.broadcast_to(edges, (n_classes, edges.shape[-1]))
    w = np.ones(n_rows) if weight is None else weight
    sums = np.zeros((n_classes, edges.shape[1] - 1, 4))
    for k in range(n_classes):
        p = proba[:, k].astype(np.float64)
        bins = np.searchsorted(edges[k, 1:-1], p, side="right")
        np.add.at(sums[k], bins, np.stack([w, w * w, w * p, w * (hit == k)], axis=1))
    return sums


def _loss(
    rows: _Rows,
    target: Integers | Floats,
    sample_weight: Floats | None,
    label_smoothing: float,
    logit_l2: float,
) -> Floats:
    smoothed = _smoothed(rows, _target_entries(rows, target), label_smoothing)
    cross_entropy = rows.log_sum() - rows.expected(smoothed, rows.shifted)
    penalty = logit_l2 / 2 * rows.total(rows.logits * rows.logits)
    return _weight(rows, sample_weight) * (cross_entropy + penalty)


def _residual(rows: _Rows, target: Integers | Floats, label_smoothing: float) -> Floats:
    """p - q; where a class index says q = 1, p_y - 1 is minus the sum of the others."""
    proba, entries = rows.proba(), _target_entries(rows, target)
    residual = proba - _smoothed(rows, entries, label_smoothing)
    if _is_index(target):
        others = rows.total(np.where(entries == 1, 0, proba))
        spread = label_smoothing * (1 - 1 / rows.total(rows.available))
        residual = np.where(entries == 1, (spread - others)[rows.row], residual)
    return residual


def _smoothed(rows: _Rows, entries: Floats, label_smoothing: float) -> Floats:
    """q = (1 - e) target + e / |A| on A, 0 outside."""
    uniform = rows.available / rows.total(rows.available)[rows.row]
    return (1 - label_smoothing) * entries + label_smoothing * uniform


def _target_entries(rows: _Rows, target: Integers | Floats) -> Floats:
    """The target as a probability of every entry; never positive outside A."""
    entries = np.zeros(rows.row.shape, dtype=rows.logits.dtype)
    if _is_index(target):
        n_classes = np.bincount(rows.row, minlength=len(rows.starts))
        outside = (target < 0) | (target >= n_classes)
        _raise_for_first_row(("target", outside, "is not an index of one of its classes"))
        entries[rows.starts + target] = 1
    else:
        entries[...] = target.reshape(-1)
    unavailable = rows.total((entries > 0) & ~rows.available) > 0
    _raise_for_first_row(("target", unavailable, "puts weight on a class that is not available"))
    return np.where(rows.available, entries, 0)


def _is_index(target: Integers | Floats) -> bool:
    return np.issubdtype(target.dtype, np.integer)


def _weight(rows: _Rows, sample_weight: Floats | None) -> Floats:
    return np.ones_like(rows.maximum) if sample_weight is None else sample_weight


def _read(
    logits: Floats,
    temperature: float | Floats,
    mask: Booleans | None,
    row_ptr: Integers | None,
    *,
    limits: bool,
) -> _Rows:
    """Check the laws of a batch and shift its rows.

    1. an entry is available unless its mask is False or its logit is -inf
    2. available logits are finite, and every row has one
    3. the temperature is positive and finite, or with ``limits`` also 0 or infinite
    4. m = max over A, t = (z - m) / T, where 0 / 0 = 0 (ties share) and T = inf gives 0
    """
    if row_ptr is None:
        n_rows, n_classes = logits.shape
        row_ptr = np.arange(n_rows + 1) * n_classes
    n_rows = len(row_ptr) - 1
    row = np.repeat(np.arange(n_rows), np.diff(row_ptr))
    entries = logits.reshape(-1)

    available = entries != -np.inf  # 1
    if mask is not None:
        available &= mask.reshape(-1).astype(bool)

    improper = available & ~(entries < np.inf)  # 2
    _raise_for_first_row(
        ("logits", _any(row, improper, n_rows), "holds NaN or +inf in an available class"),
        (
            "logits" if mask is None else "mask",
            ~_any(row, available, n_rows),
            "has no available class",
        ),
    )

    temperatures = np.broadcast_to(np.asarray(temperature, dtype=logits.dtype), (n_rows,))  # 3
    if limits:
        _raise_for_first_row(("temperature", ~(temperatures >= 0), "must be >= 0"))
    else:
        proper = (temperatures > 0) & (temperatures < np.inf)
        _raise_for_first_row(("temperature", ~proper, "must be positive and finite"))

    starts = row_ptr[:-1]  # 4
    maximum = np.maximum.reduceat(np.where(available, entries, -np.inf), starts)
    entries = np.where(available, entries, 0)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        difference, scale = entries - maximum[row], temperatures[row]
        shifted = np.where((difference == 0) | (scale == np.inf), 0, difference / scale)
    shifted = np.where(available, shifted, -np.inf).astype(logits.dtype)
    return _Rows(logits.shape, starts, row, available, entries, shifted, maximum, temperatures)


def _any(row: Integers, flags: Booleans, n_rows: int) -> Booleans:
    """Whether a row has a flagged entry; False for a row without entries."""
    return np.bincount(row[flags], minlength=n_rows) > 0


def _raise_for_first_row(*laws: tuple[str, Booleans, str]) -> None:
    """Raise for the first row that breaks a law, given as (argument, broken rows, reason)."""
    broken = [
        (int(np.argmax(rows)), argument, reason) for argument, rows, reason in laws if rows.any()
    ]
    if broken:
        row, argument, reason = min(broken)
        raise RowError(argument, row, reason)
