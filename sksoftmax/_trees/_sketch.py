"""The few columns of the gradient that splits are scored on, and their fixed point.

A split is scored on G'P, where G is the (n_samples, n_classes) gradient and P a projection with
few columns [1]_. For the indicator v of the rows of a node, |v'G P|^2 estimates |v'G|^2:

    exact     P is an orthonormal basis of the vectors of sum zero. Rows of G sum to zero, so
              |v'G P|^2 = |v'G|^2, with n_classes - 1 columns
    Gaussian  P has s columns of independent N(0, 1 / s): E |v'G P|^2 = |v'G|^2. Drawn afresh for
              every tree, so that what one tree misses another sees.

.. [1] L. Iosipoi, A. Vakhrushev (2022). SketchBoost: fast gradient boosted decision tree for
   multioutput problems. NeurIPS 35, section 3.3.
"""

import math
from dataclasses import dataclass

import numpy as np

from sksoftmax._trees._draws import Purpose, generator

AUTO_COLUMNS = 6
"""Most columns of sketch="auto": with curvature and weight they fill eight lanes, one vector. It is
exact for as many classes as that allows."""

_NARROW_BITS = 13
"""Fewest bits of the largest gradient that 32-bit sums must leave room for."""

_NARROW_ROWS = 1 << 20
"""Most rows of 32-bit sums, whatever their weights."""

_WIDE_BITS = 24
"""Bits of the largest gradient under 64-bit sums: what float32 holds."""

_LARGE_WEIGHT = 64.0
"""Row weights up to here leave wide records all their bits (64 * 2^24 = 2^30 fits in int32), and
mean weights up to here need no other unit."""

_SMALL_WEIGHT = 2.0**-32
"""Mean weights down to here need no other unit: scales of 2^30 / weight are far from overflow."""


def sketch_columns(sketch, n_classes):
    """Columns of the projection: n_classes - 1 (exact) for None or what is no smaller."""
    exact = n_classes - 1
    if sketch is None:
        return exact
    if sketch == "auto":
        return min(exact, AUTO_COLUMNS)
    return min(int(sketch), exact)


def lanes_for(n_columns):
    """int32 lanes of a record: 4, 8 or a multiple of 16, for columns, curvature and weight."""
    needed = n_columns + 2
    return next((lanes for lanes in (4, 8) if needed <= lanes), -(-needed // 16) * 16)


def sum_zero_basis(n_classes):
    """Helmert's orthonormal basis of the vectors of sum zero, (n_classes, n_classes - 1) float32.

    Column j - 1 is (1, ..., 1, -j, 0, ..., 0) / sqrt(j (j + 1)), with j ones.
    """
    j = np.arange(1, n_classes, dtype=np.float64)
    basis = np.triu(np.ones((n_classes, n_classes - 1)))
    basis[np.arange(1, n_classes), np.arange(n_classes - 1)] = -j
    return (basis / np.sqrt(j * (j + 1))).astype(np.float32)


def projection(n_classes, n_columns, seed, iteration):
    """The projection of a tree, (n_classes, n_columns) float32."""
    if n_columns == n_classes - 1:
        return sum_zero_basis(n_classes)
    draw = generator(seed, iteration, Purpose.PROJECTION)
    columns = draw.standard_normal((n_classes, n_columns), dtype=np.float32)
    return columns * np.float32(1 / math.sqrt(n_columns))


@dataclass(frozen=True)
class Scales:
    """Powers of two that make integers of the columns, the curvature and the weight of a row.

    ``rint(w * rint(g * scale))`` is what a row adds. Sums of integers are exact, so a histogram
    depends neither on the order of the rows nor on the number of threads.
    """

    wide: bool
    gradient: float
    curvature: float
    weight: float

    def keywords(self, weight_unit=1.0):
        """What native verbs take, for sums in multiples of `weight_unit`."""
        return {
            "gradient_scale": self.gradient / weight_unit,
            "curvature_scale": self.curvature / weight_unit,
            "weight_scale": self.weight / weight_unit,
        }


def weight_unit_for(total_weight, n_rows):
    """The power of two in which weights are counted: 1 unless they are very large or small.

    The inner rounding of a record must stay finer than the outer one.
    """
    mean = total_weight / n_rows
    return 1.0 if _SMALL_WEIGHT <= mean <= _LARGE_WEIGHT else _power_of_two(mean)


def scales_for(total_weight, n_rows, largest_weight, largest_gradient):
    """Scales such that every sum of a fit stays inside its integers; weights in their unit.

    1. narrow (32-bit sums): total_weight * largest * scale <= 2^30, and rounding adds at most
       (total_weight + n_rows) / 2 <= 2^29 to that
    2. wide (64-bit sums, 32-bit records): weight * largest * scale <= 2^30 for every row

    They depend on the weights through their total (and beyond 64 through the largest), so that a
    weight of 2 is the row twice. Few rows leave many bits; narrow sums are for those.
    """
    room = 1 << 30
    narrow = n_rows <= _NARROW_ROWS and total_weight * (1 << _NARROW_BITS) <= room
    if narrow:  # 1
        unit = room / total_weight
    else:  # 2
        unit = (1 << _WIDE_BITS) / max(1.0, _power_of_two_above(largest_weight / _LARGE_WEIGHT))
    return Scales(
        wide=not narrow,
        gradient=_power_of_two(unit / max(largest_gradient, _TINY)),
        curvature=_power_of_two(unit),  # of a row it is at most 1
        weight=_power_of_two(unit),
    )


_TINY = 2.0**-40
"""Gradients below it need no more bits: they are rounding noise of float32 logits."""


def _power_of_two(value):
    """The largest power of two that is not above `value`."""
    return math.ldexp(1.0, math.frexp(value)[1] - 1)


def _power_of_two_above(value):
    return 2 * _power_of_two(value) if value > _power_of_two(value) else value
