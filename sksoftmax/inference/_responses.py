r"""How probabilities respond to a column of X, row by row, with derivatives for standard errors.

For row n, design :math:`Z_{nj} = \partial V_{nj} / \partial\theta`, utilities
:math:`V = Z\theta` and probabilities p = softmax(V) over the available alternatives::

    A_nj = dZ_nj / dx        D = A theta = dV / dx        mean_p(F)_n = sum_k p_nk F_nk

    dp/dtheta       p (Z - mean_p(Z))
    marginal effect p (D - mean_p(D)),    of a 0/1 column p(x = 1) - p(x = 0)
    elasticity      x (D - mean_p(D))

Utilities are linear in a column of X, so A is Z(x = 1) - Z(x = 0), exactly. Where other columns are
derived from it (`transform`), A is a central difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from sksoftmax import _kernel
from sksoftmax.inference._columns import as_rows, column_values, rows_of, with_column
from sksoftmax.inference._estimate import Design, LogitModel

Transform = Callable[[Any], Any]
# Entries of a design that are formed at once: 16 MB.
_ENTRIES = 1 << 21
# Relative step of a central difference: its error is about the square, rounding eps / step.
_STEP = float(np.finfo(float).eps) ** (1 / 3)
# Below this share of a typical size steps are no longer relative: a zero needs one too.
_SMALL = 1e-3


class Block(NamedTuple):
    """Some rows: what is wanted of them, its derivatives, and probabilities with theirs."""

    rows: slice
    values: np.ndarray  # (b, J); NaN where unavailable
    jacobian: np.ndarray  # (b, J, P)
    proba: np.ndarray  # (b, J)
    proba_jacobian: np.ndarray  # (b, J, P)


class Probabilities(NamedTuple):
    """p, and how it moves with the parameters."""

    design: Design
    proba: np.ndarray  # (b, J)
    jacobian: np.ndarray  # (b, J, P)

    @classmethod
    def of(cls, design: Design, params: np.ndarray) -> Probabilities:
        """p = softmax(Z params + offset) over available alternatives, dp/dparams = p (Z - mean)."""
        proba = _kernel.softmax(utilities(design, params), mask=design.available)
        mean = np.einsum("nj,njp->np", proba, design.values)
        return cls(design, proba, proba[:, :, None] * (design.values - mean[:, None]))


def utilities(design: Design, params: np.ndarray) -> np.ndarray:
    """Z params + offset, C-ordered float64 (n, J)."""
    return np.ascontiguousarray(design.values @ params + design.offset, dtype=np.float64)


def n_rows_per_block(model: LogitModel) -> int:
    return max(1, _ENTRIES // max(1, len(model.classes) * len(model.names)))


def blocks(n_rows: int, model: LogitModel) -> Iterator[slice]:
    """Slices of rows whose design fits in memory."""
    step = n_rows_per_block(model)
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


def design_of(model: LogitModel, X: Any) -> Design:
    """The design of rows that are cases; raise where several rows make one, as in long data."""
    design = model.design(X)
    if len(design.values) != X.shape[0]:
        raise ValueError(
            f"X has {X.shape[0]} rows, but they are {len(design.values)} cases: effects and "
            "surpluses need one row per case. Fit wide data: long_to_wide makes them, and "
            "utilities say which columns an alternative uses."
        )
    return design


class Shifts(NamedTuple):
    """X with other values in a column, as the model takes it."""

    x: np.ndarray  # (n,), NaN where missing
    here: Any
    low: Any
    high: Any
    distance: np.ndarray  # (n,), of `high` from `low` in the column


def continuous_shifts(X: Any, column: Any, transform: Transform | None) -> Shifts:
    """The two sides of a difference quotient, exact (0 and 1) where no column is derived."""
    X = as_rows(X)
    x = column_values(X, column)
    if transform is None:
        low, high = np.zeros(len(x)), np.ones(len(x))
    else:
        step = _STEP * np.maximum(np.abs(x), _SMALL * _typical_size(x))
        low, high = x - step, x + step
    return _shifts(X, column, x, low, high, transform)


def discrete_shifts(X: Any, column: Any, transform: Transform | None) -> Shifts:
    """0 and 1 in place of a column of zeros and ones."""
    X = as_rows(X)
    x = column_values(X, column)
    return _shifts(X, column, x, np.zeros(len(x)), np.ones(len(x)), transform)


def is_binary(X: Any, column: Any) -> bool:
    """Does a column hold nothing but 0 and 1, missing values aside?"""
    x = column_values(as_rows(X), column)
    x = x[~np.isnan(x)]
    return len(x) > 0 and bool(((x == 0) | (x == 1)).all())


def _shifts(X, column, x, low, high, transform) -> Shifts:
    transform = getattr(transform, "transform", transform)  # of a fitted pipeline
    if not (transform is None or callable(transform)):
        raise TypeError(
            "transform must be callable, have a method transform, or be None; "
            f"got {type(transform).__name__}."
        )

    def apply(table: Any) -> Any:
        if transform is None:
            return table
        derived = as_rows(transform(table))
        if derived.shape[0] != len(x):
            raise ValueError(
                f"transform must keep the rows of X; it makes {derived.shape[0]} of {len(x)}."
            )
        return derived

    return Shifts(
        x,
        apply(X),
        apply(with_column(X, column, low)),
        apply(with_column(X, column, high)),
        np.where(np.isnan(x), 1.0, high - low),  # a missing x that is not used moves nothing
    )


def _typical_size(x: np.ndarray) -> float:
    size = np.abs(x[np.isfinite(x)])
    size = size[size > 0]
    return float(np.median(size)) if len(size) else 1.0


def marginal_effects(model: LogitModel, params: np.ndarray, shifts: Shifts) -> Iterator[Block]:
    """dp/dx; 0 where unavailable, so that effects sum to zero over the alternatives."""
    for rows, design, slope in _slopes(model, shifts):
        here = Probabilities.of(design, params)
        gap, gap_jacobian = _gaps(here, slope, params)
        values = here.proba * gap
        jacobian = here.jacobian * gap[:, :, None] + here.proba[:, :, None] * gap_jacobian
        yield Block(rows, values, jacobian, here.proba, here.jacobian)


def discrete_effects(model: LogitModel, params: np.ndarray, shifts: Shifts) -> Iterator[Block]:
    """p(x = 1) - p(x = 0)."""
    for rows in blocks(len(shifts.x), model):
        low = Probabilities.of(design_of(model, rows_of(shifts.low, rows)), params)
        high = Probabilities.of(design_of(model, rows_of(shifts.high, rows)), params)
        yield Block(
            rows, high.proba - low.proba, high.jacobian - low.jacobian, high.proba, high.jacobian
        )


def elasticities(model: LogitModel, params: np.ndarray, shifts: Shifts) -> Iterator[Block]:
    """d log p / d log x; NaN where unavailable."""
    for rows, design, slope in _slopes(model, shifts):
        here = Probabilities.of(design, params)
        gap, gap_jacobian = _gaps(here, slope, params)
        x = shifts.x[rows, None]
        reaches = np.abs(slope).max(axis=(1, 2))[:, None] > 0
        x = np.where(reaches, x, 0.0)  # a missing x that no available alternative uses
        values = np.where(design.available, x * gap, np.nan)
        yield Block(rows, values, x[:, :, None] * gap_jacobian, here.proba, here.jacobian)


def _slopes(model: LogitModel, shifts: Shifts) -> Iterator[tuple[slice, Design, np.ndarray]]:
    """Blocks of rows: their design here, and A = dZ/dx, (b, J, P)."""
    for rows in blocks(len(shifts.x), model):
        here = design_of(model, rows_of(shifts.here, rows))
        low = design_of(model, rows_of(shifts.low, rows))
        high = design_of(model, rows_of(shifts.high, rows))
        if not (low.available == high.available).all():
            raise ValueError(
                "column: it decides which alternatives are available, so there is no derivative; "
                "compare predict_proba of the two cases."
            )
        slope = (high.values - low.values) / shifts.distance[rows, None, None]
        yield rows, here, np.where(here.available[:, :, None], slope, 0.0)


def _gaps(
    here: Probabilities, slope: np.ndarray, params: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """D - mean_p(D), (b, J), and its derivative A - mean_p(A) - sum_k dp_k/dtheta D_k."""
    D = slope @ params
    gap = D - (here.proba * D).sum(axis=1, keepdims=True)
    moved = np.einsum("nj,njp->np", here.proba, slope) + np.einsum("njp,nj->np", here.jacobian, D)
    return gap, slope - moved[:, None]
