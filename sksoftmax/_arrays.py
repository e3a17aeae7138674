"""What the public functions do before and after the kernel: array-likes to checked rows, and back.

A *row* is a one-dimensional slice of the logits along the class axis. The kernel wants rows as the
lines of a C-contiguous float32 or float64 matrix; callers have any number of dimensions, any axis,
any numeric dtype, and want to be told the index of the row that is wrong in *their* array.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sksoftmax._kernel import RowError

Floats = NDArray[np.floating[Any]]
Booleans = NDArray[np.bool_]
RowValues = NDArray[np.floating[Any]] | np.floating[Any]  # a scalar when there is a single row


def as_numeric(values: object, name: str) -> NDArray[Any]:
    """An array of booleans, integers or floats; anything else is an error naming the argument."""
    if isinstance(values, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array, whose mask would be lost; pass mask= instead")
    try:
        array = np.asarray(values)
        if array.dtype.kind == "O":
            array = np.asarray(array.tolist())
        if array.dtype.kind == "O":
            array = array.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name} cannot be read as an array of numbers: {error}") from None
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must hold real numbers, not values of dtype {array.dtype}")
    return array


def as_floats(values: object, name: str) -> Floats:
    """float32 stays float32; every other real dtype becomes float64."""
    array = as_numeric(values, name)
    dtype = np.float32 if array.dtype.kind == "f" and array.dtype.itemsize == 4 else np.float64
    with np.errstate(over="ignore"):  # a longdouble beyond float64 becomes inf, which is reported
        return array.astype(dtype, copy=False)


@dataclass(frozen=True)
class RowLayout:
    """How an array and its class axis become rows: shape of the array, axis counted from 0."""

    shape: tuple[int, ...]
    axis: int

    @classmethod
    def of(cls, array: NDArray[Any], axis: object, name: str) -> RowLayout:
        """Check that there is at least one row and one class along the axis."""
        try:
            number = operator.index(axis)  # type: ignore[arg-type]
        except TypeError:
            raise TypeError(f"axis must be an integer, got {axis!r}") from None
        if array.ndim == 0:
            raise ValueError(f"{name} must have at least one dimension, got the scalar {array[()]}")
        if not -array.ndim <= number < array.ndim:
            raise ValueError(f"axis={number} does not exist in {name} of shape {array.shape}")
        if array.size == 0:
            raise ValueError(
                f"{name} is empty: shape {array.shape}; at least one row and one class are needed"
            )
        return cls(array.shape, number % array.ndim)

    @property
    def n_classes(self) -> int:
        """Length of the class axis."""
        return self.shape[self.axis]

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape with the class axis removed."""
        return self.shape[: self.axis] + self.shape[self.axis + 1 :]

    def to_rows(self, array: NDArray[Any]) -> NDArray[Any]:
        """(n_rows, n_classes), contiguous and aligned; a view where the array is that already."""
        rows = np.moveaxis(array, self.axis, -1).reshape(-1, self.n_classes)
        return np.require(rows, requirements=["C_CONTIGUOUS", "ALIGNED"])

    def from_rows(self, rows: Floats) -> Floats:
        """The inverse of `to_rows`, in C order."""
        return np.ascontiguousarray(self._as_given(rows))

    def copy_into(self, out: Floats, rows: Floats) -> None:
        """Write rows into an array of the shape of the logits."""
        out[...] = self._as_given(rows)

    def from_row_values(self, values: Floats) -> RowValues:
        """Row values in the shape without the class axis; a scalar for a single row."""
        return values.reshape(self.row_shape)[()]

    def _as_given(self, rows: Floats) -> Floats:
        return np.moveaxis(rows.reshape((*self.row_shape, self.n_classes)), -1, self.axis)

    # --- arguments that follow the logits ---

    def mask(self, mask: ArrayLike | None) -> Booleans | None:
        """Rows of booleans, True where the class is available."""
        if mask is None:
            return None
        array = as_numeric(mask, "mask")
        if array.dtype != bool:
            if not ((array == 0) | (array == 1)).all():
                raise ValueError("mask must hold booleans (True: the class is available)")
            array = array.astype(bool)
        return self.to_rows(broadcast(array, self.shape, "mask", "the logits"))

    def temperature(self, temperature: ArrayLike, dtype: Any, *, limits: bool) -> float | Floats:
        """A number, or one per row; positive and finite, or with ``limits`` also 0 or inf."""
        given = as_numeric(temperature, "temperature")
        with np.errstate(over="ignore", under="ignore"):  # what rounds to 0 or inf is one of them
            array = as_floats(given, "temperature").astype(dtype) + np.dtype(dtype).type(0)  # no -0
        accepted = "at least 0" if limits else f"positive and finite in {np.dtype(dtype)}"
        broken = ~((array >= 0) if limits else (array > 0) & (array < np.inf))
        if given.dtype.kind == "f":
            broken |= given < 0  # also where the dtype of the logits rounds it to zero
        if array.ndim == 0:
            if broken:
                raise ValueError(f"temperature must be {accepted}, got {given}")
            return float(array)
        if array.ndim == len(self.shape) and array.shape[self.axis] == 1:
            array, broken = array.squeeze(self.axis), broken.squeeze(self.axis)
            given = given.squeeze(self.axis)
        array = broadcast(array, self.row_shape, "temperature", "the rows of the logits")
        array = np.require(array.reshape(-1), requirements=["C_CONTIGUOUS", "ALIGNED"])
        broken = np.broadcast_to(broken, self.row_shape).reshape(-1)
        if broken.any():
            value = np.broadcast_to(given, self.row_shape).reshape(-1)[np.argmax(broken)]
            self.reject_rows(broken, "temperature", f"is {value}; it must be {accepted}")
        return array

    def row_keywords(
        self, temperature: ArrayLike, mask: ArrayLike | None, dtype: Any, *, limits: bool
    ) -> dict[str, Any]:
        """The keywords that every verb of the kernel takes."""
        return {
            "temperature": self.temperature(temperature, dtype, limits=limits),
            "mask": self.mask(mask),
        }

    # --- errors in the words of the caller ---

    def name_row(self, row: int) -> str:
        """The index of a row: 5, (2, 3), or with the class axis elsewhere (:, 5)."""
        where = [str(int(i)) for i in np.unravel_index(row, self.row_shape)]
        if self.axis != len(self.shape) - 1:
            where.insert(self.axis, ":")
        if not where:
            return "0"
        return where[0] if len(where) == 1 else f"({', '.join(where)})"

    def reject_rows(self, broken: Booleans, name: str, reason: str) -> None:
        """Raise a ValueError for the first broken row, if there is one."""
        if broken.any():
            raise ValueError(f"{name}: row {self.name_row(int(np.argmax(broken)))} {reason}")

    @contextmanager
    def row_errors(self) -> Iterator[None]:
        """The kernel numbers rows; say the index in the caller's array instead."""
        try:
            yield
        except RowError as error:
            where = self.name_row(error.row)
            raise ValueError(f"{error.argument}: row {where} {error.reason}") from None


def broadcast(array: NDArray[Any], shape: tuple[int, ...], name: str, to: str) -> NDArray[Any]:
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        raise ValueError(
            f"{name} of shape {array.shape} does not fit {to}: it must broadcast to {shape}"
        ) from None


# --- output arrays ---


def check_out(out: object, shape: tuple[int, ...], dtype: Any) -> None:
    """An output array has exactly the shape and dtype of the result, and can be written."""
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out must be a NumPy array, got {type(out).__name__}")
    if out.shape != shape or out.dtype != dtype:
        raise ValueError(
            f"out must have shape {shape} and dtype {np.dtype(dtype)}, "
            f"got shape {out.shape} and dtype {out.dtype}"
        )
    if not out.flags.writeable:
        raise ValueError("out is read-only")


def can_write_into(out: Floats, layout: RowLayout, rows: Floats, *others: Any) -> bool:
    """Whether the kernel may write straight into ``out``: plain, and over no input but the rows.

    Over the rows themselves it may: one row at a time is read before it is written. Over a shifted
    view of them, or over a mask or temperatures, it would destroy what is still to be read.
    """
    plain = layout.axis == out.ndim - 1 and out.flags.c_contiguous and out.flags.aligned
    in_place = out.ctypes.data == rows.ctypes.data
    inputs = others if in_place else (rows, *others)
    return plain and not any(
        np.may_share_memory(out, each) for each in inputs if isinstance(each, np.ndarray)
    )
