"""The arguments of a loss, checked: targets, weights, smoothing, and how the rows are reduced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sksoftmax._arrays import Floats, RowLayout, RowValues, as_floats, as_numeric, broadcast

Reduction = Literal["mean", "sum", "none"]

# How far a row of probabilities may be from 1 before it is a mistake rather than rounding.
_SUM_TOLERANCE = {2: 1e-2, 4: 1e-4, 8: 1e-6}


class LossProblem(NamedTuple):
    """The checked arguments of the loss verbs, the layout to translate back, and the reduction.

    Only without a reduction does the kernel apply the weights. Else they meet the losses of the
    rows here, in float64: in float32 the product of a small loss and a small weight is zero.
    """

    layout: RowLayout
    arguments: tuple[Floats, NDArray[Any]]
    keywords: dict[str, Any]
    reduction: Reduction
    weights: NDArray[np.float64] | None
    total: float  # what the weighted sum is divided by

    def reduced(self, losses: Floats) -> float | RowValues:
        """The losses of the rows, or their weighted sum or mean."""
        if self.reduction == "none":
            return self.layout.from_row_values(losses)
        each = losses.astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            if self.weights is not None:
                each = np.where(self.weights > 0, each * self.weights, 0)
            total = each.sum()
            return float(total / self.total if total < np.inf else (each / self.total).sum())

    def weighted(self, gradient: Floats) -> Floats:
        """The gradient rows of the reduced loss, in place."""
        if self.reduction == "none" or (self.weights is None and self.total == 1):
            return gradient
        if self.weights is None:
            gradient *= gradient.dtype.type(1 / self.total)
            return gradient
        weights = self.weights / self.total
        smallest = weights.min(initial=np.inf, where=weights > 0)
        if smallest >= np.finfo(gradient.dtype).tiny:  # else the product is taken in float64
            weights = weights.astype(gradient.dtype, copy=False)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            np.multiply(gradient, weights[:, np.newaxis], out=gradient, casting="same_kind")
        gradient[weights == 0] = 0
        return gradient


def loss_problem(
    logits: ArrayLike,
    target: ArrayLike,
    sample_weight: ArrayLike | None,
    class_weight: ArrayLike | Mapping[int, float] | None,
    label_smoothing: float,
    temperature: ArrayLike,
    mask: ArrayLike | None,
    logit_l2: float,
    reduction: Reduction,
) -> LossProblem:
    """Check the arguments of `cross_entropy`.

    1. logits and target as rows
    2. weight of a row = sample_weight * sum_k target_k class_weight_k, before smoothing
    3. for a mean, weights divided by their power of two, and their sum
    4. what the kernel takes as it is
    """
    if not isinstance(reduction, str) or reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}")
    values = as_floats(logits, "logits")  # 1
    layout = RowLayout.of(values, -1, "logits")
    rows = layout.to_rows(values)
    targets = target_rows(target, layout, values.dtype)
    weights = weight_rows(sample_weight, layout)  # 2
    per_class = class_weights(class_weight, layout.n_classes)
    if per_class is not None:
        weights = _times_class_weights(weights, targets, per_class)
    total = 1.0
    if reduction == "mean":  # 3
        weights, total = _scaled(weights, len(rows))
    keywords = layout.row_keywords(temperature, mask, values.dtype, limits=False)  # 4
    cast = weights_in(values.dtype, weights, layout)
    keywords["sample_weight"] = cast if reduction == "none" else None
    keywords["label_smoothing"] = number_below(1, label_smoothing, "label_smoothing")
    keywords["logit_l2"] = number_below(np.finfo(values.dtype).max, logit_l2, "logit_l2")
    return LossProblem(layout, (rows, targets), keywords, reduction, weights, total)


def _times_class_weights(
    weights: NDArray[np.float64] | None, targets: NDArray[Any], per_class: NDArray[np.float64]
) -> NDArray[np.float64]:
    if targets.ndim == 1:
        of_target = per_class[targets]
    else:
        of_target = np.einsum("ik,k->i", targets, per_class)
    with np.errstate(over="ignore"):
        return of_target if weights is None else weights * of_target


def _scaled(
    weights: NDArray[np.float64] | None, n_rows: int
) -> tuple[NDArray[np.float64] | None, float]:
    """Weights divided by a power of two, which a mean does not notice, and their sum."""
    if weights is None:
        return None, float(n_rows)
    with np.errstate(over="ignore"):
        total = weights.sum()
    if total == 0:
        raise ValueError("sample_weight and class_weight leave every row with weight 0: no mean")
    if not total < np.inf:
        raise ValueError("sample_weight: the sum of the weights overflows")
    weights, _ = divide_by_power_of_two(weights)
    return weights, float(weights.sum())


def divide_by_power_of_two(weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """Weights / 2^e with the largest in [1, 2), and e: exact, and the extremes are gone."""
    exponent = int(np.frexp(weights.max())[1]) - 1
    with np.errstate(under="ignore"):
        return np.ldexp(weights, -exponent), exponent


# --- targets ---


def target_rows(target: ArrayLike, layout: RowLayout, dtype: Any) -> NDArray[Any]:
    """Class indices as (n_rows,) int64, or rows of probabilities in ``dtype``, checked."""
    array = as_numeric(target, "target")
    if array.ndim == len(layout.shape) - 1 and array.dtype.kind in "iu":
        return _index_rows(array, layout)
    if array.shape == layout.shape:
        return normalized_rows(probability_rows(array, "target", layout)).astype(dtype, copy=False)
    raise ValueError(
        f"target must hold integer class indices of shape {layout.row_shape} or probabilities of "
        f"shape {layout.shape}, got shape {array.shape} and dtype {array.dtype}"
    )


def _index_rows(array: NDArray[Any], layout: RowLayout) -> NDArray[np.int64]:
    if array.shape != layout.row_shape:
        raise ValueError(
            f"target of class indices must have shape {layout.row_shape}, got {array.shape}"
        )
    outside = ((array < 0) | (array >= layout.n_classes)).reshape(-1)
    if outside.any():
        row = int(np.argmax(outside))
        raise ValueError(
            f"target: row {layout.name_row(row)} is {array.reshape(-1)[row]}, "
            f"not a class index from 0 to {layout.n_classes - 1}"
        )
    return np.require(array.reshape(-1), np.int64, ["C_CONTIGUOUS", "ALIGNED"])


def normalized_rows(proba: Floats) -> Floats:
    """Rows divided by their sum where that is off by more than float64 rounding.

    The derivatives then belong to the loss, and residual rows sum to zero.
    """
    totals = proba.sum(axis=1, dtype=np.float64)
    if np.abs(totals - 1).max() <= proba.shape[1] * np.finfo(np.float64).eps:
        return proba
    normalized: Floats = proba / totals[:, np.newaxis]
    return normalized


def probability_rows(array: NDArray[Any], name: str, layout: RowLayout) -> Floats:
    """Rows of probabilities: non-negative, with sum 1 up to the rounding of their dtype."""
    tolerance = _SUM_TOLERANCE.get(array.dtype.itemsize if array.dtype.kind == "f" else 8, 1e-6)
    rows: Floats = layout.to_rows(as_floats(array, name))
    layout.reject_rows(~np.all(rows >= 0, axis=1), name, "holds a negative probability or NaN")
    with np.errstate(over="ignore"):
        totals = rows.sum(axis=1, dtype=np.float64)
    wrong = ~(np.abs(totals - 1) <= tolerance)
    if wrong.any():
        total = totals[np.argmax(wrong)]
        layout.reject_rows(
            wrong,
            name,
            f"sums to {total:.9g}; probabilities must sum to 1 (within {tolerance:g}). Divide the "
            "rows by their sums; for counts, pass the sums as sample_weight",
        )
    return rows


# --- weights and numbers ---


def weight_rows(
    sample_weight: ArrayLike | None, layout: RowLayout, *, name: str = "sample_weight"
) -> NDArray[np.float64] | None:
    """One finite, non-negative weight per row, (n_rows,)."""
    if sample_weight is None:
        return None
    array = as_floats(sample_weight, name)
    array = broadcast(array, layout.row_shape, name, "the rows of the logits")
    weights = array.reshape(-1).astype(np.float64)
    layout.reject_rows(~(weights >= 0), name, "is negative or NaN")
    layout.reject_rows(np.isinf(weights), name, "is infinite")
    return weights


def weights_in(dtype: Any, weights: NDArray[np.float64] | None, layout: RowLayout) -> Floats | None:
    """The weights in the dtype of the logits, still finite."""
    if weights is None:
        return None
    with np.errstate(over="ignore", under="ignore"):
        cast = weights.astype(dtype, copy=False)
    layout.reject_rows(~np.isfinite(cast), "sample_weight", f"overflows {np.dtype(dtype)}")
    return cast


def class_weights(
    class_weight: ArrayLike | Mapping[int, float] | None, n_classes: int
) -> NDArray[np.float64] | None:
    """(n_classes,) finite, non-negative weights; a class that a mapping leaves out weighs 1."""
    if class_weight is None:
        return None
    if isinstance(class_weight, Mapping):
        weights = np.ones(n_classes)
        for index, weight in class_weight.items():
            if not isinstance(index, (int, np.integer)) or not 0 <= index < n_classes:
                raise ValueError(
                    f"class_weight: {index!r} is not a class index from 0 to {n_classes - 1}"
                )
            weights[index] = _as_number(weight, f"class_weight[{index!r}]")
    else:
        weights = as_floats(class_weight, "class_weight").astype(np.float64)
        if weights.shape != (n_classes,):
            raise ValueError(
                f"class_weight must have one weight for each of the {n_classes} classes, "
                f"got shape {weights.shape}"
            )
    wrong = ~((weights >= 0) & (weights < np.inf))
    if wrong.any():
        k = int(np.argmax(wrong))
        raise ValueError(
            f"class_weight: class {k} has weight {weights[k]}; "
            "weights must be finite and not negative"
        )
    return weights


def _as_number(value: object, name: str) -> float:
    array = as_floats(value, name)
    if array.ndim != 0:
        raise ValueError(f"{name} must be a number, got an array of shape {array.shape}")
    return float(array)


def number_below(limit: Any, value: object, name: str) -> float:
    """A real number in [0, limit)."""
    number = _as_number(value, name)
    if not 0 <= number < limit:
        raise ValueError(f"{name} must be a number >= 0 and < {limit:g}, got {number}")
    return number
