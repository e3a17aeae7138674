"""Softmax, cross-entropy and their relatives over arrays of any number of dimensions.

The functions take array-likes, check them, and hand their rows to the native kernel. float32 stays
float32; every other real dtype is computed in float64. A *row* is a slice along the class axis.

For one row of logits z, available classes A, temperature T::

    p_i = exp(z_i / T) / sum over A of exp(z_j / T)

- A class whose ``mask`` is False, or whose logit is -inf, is not available: its probability and its
  gradient are exactly 0, whatever its logit (even NaN under a mask).
- NaN and +inf logits, and rows without an available class, are errors.
- ``temperature`` is a number or an array with one temperature per row: of the shape of the logits
  without the class axis, or with that axis of length 1 (or broadcasting to either).
  `softmax`, `log_softmax` and `entropy` accept 0 (all weight on the largest logits, shared equally
  among ties) and inf (uniform over A) as exact limits.
- Every error is a ValueError (or TypeError) that names the argument and the first offending row.
- Inputs are never modified, except that ``out`` may be the logits themselves.

Accuracy: probabilities within ``(4 + |z_i - max z| / T)`` units of the dtype's ``eps``, relative;
`logsumexp` within ``4 eps max(1, |max z|, log K)``; losses and entropies are sums of non-negative
terms, relatively accurate however small (without ``logit_l2``). The result for a row depends
neither on the other rows nor on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sksoftmax import _kernel
from sksoftmax._arrays import (
    Floats,
    RowLayout,
    RowValues,
    as_floats,
    can_write_into,
    check_out,
)
from sksoftmax._divergences import js_divergence, kl_divergence
from sksoftmax._loss_arguments import Reduction, loss_problem, weight_rows, weights_in

__all__ = [
    "cross_entropy",
    "cross_entropy_gradient",
    "entropy",
    "hessian_product",
    "js_divergence",
    "kl_divergence",
    "log_softmax",
    "logsumexp",
    "softmax",
]


def softmax(
    logits: ArrayLike,
    *,
    temperature: ArrayLike = 1.0,
    mask: ArrayLike | None = None,
    axis: int = -1,
    out: Floats | None = None,
) -> Floats:
    """Probabilities ``exp(z_i / T) / sum_j exp(z_j / T)`` along an axis.

    Parameters
    ----------
    logits : array-like of any shape
        Logits z (dimensionless, nats).
    temperature : float or array-like, default=1.0
        T >= 0, one number or one per row; 0 and inf are exact limits.
    mask : array-like of bool, optional
        True where a class is available; must broadcast to the shape of ``logits``.
    axis : int, default=-1
        The class axis.
    out : ndarray, optional
        Where to write the result: shape of ``logits``, dtype of the result. It may be ``logits``.

    Returns
    -------
    proba : ndarray, shape of ``logits``
        float32 for float32 logits, else float64. ``out``, if given.

    Raises
    ------
    ValueError
        NaN or +inf in an available class, a row without available class, a negative or NaN
        temperature, empty input, or shapes that do not fit; the message names the first such row.
        After an error ``out`` is as it was if it overlaps an input, and unspecified otherwise.

    Examples
    --------
    >>> from sksoftmax.functional import softmax
    >>> softmax([0.0, 0.0, 1000.0])
    array([0., 0., 1.])
    >>> softmax([[1.0, 1.0, 0.0]], temperature=0)
    array([[0.5, 0.5, 0. ]])
    >>> softmax([[1.0, 1.0, 7.0]], mask=[True, True, False])
    array([[0.5, 0.5, 0. ]])
    """
    return _entries(_kernel.softmax, logits, temperature, mask, axis, out)


def log_softmax(
    logits: ArrayLike,
    *,
    temperature: ArrayLike = 1.0,
    mask: ArrayLike | None = None,
    axis: int = -1,
    out: Floats | None = None,
) -> Floats:
    """Log-probabilities, finite where the logarithm of a rounded probability would be -inf.

    Parameters, errors and dtypes are those of `softmax`; classes that are not available get -inf.

    Parameters
    ----------
    logits : array-like of any shape
        Logits z.
    temperature : float or array-like, default=1.0
        T >= 0, one number or one per row; 0 and inf are exact limits.
    mask : array-like of bool, optional
        True where a class is available; must broadcast to the shape of ``logits``.
    axis : int, default=-1
        The class axis.
    out : ndarray, optional
        Where to write the result: shape of ``logits``, dtype of the result. It may be ``logits``.

    Returns
    -------
    log_proba : ndarray, shape of ``logits``
        In nats.

    Examples
    --------
    >>> from sksoftmax.functional import log_softmax
    >>> log_softmax([-8000.0, 0.0])
    array([-8000.,     0.])
    """
    return _entries(_kernel.log_softmax, logits, temperature, mask, axis, out)


def logsumexp(
    logits: ArrayLike,
    *,
    temperature: ArrayLike = 1.0,
    mask: ArrayLike | None = None,
    axis: int = -1,
) -> RowValues:
    """Log of the partition function, ``log(sum_j exp(z_j / T))`` over the available classes.

    Parameters
    ----------
    logits : array-like of any shape
        Logits z.
    temperature : float or array-like, default=1.0
        0 < T < inf, one number or one per row.
    mask : array-like of bool, optional
        True where a class is available; must broadcast to the shape of ``logits``.
    axis : int, default=-1
        The class axis.

    Returns
    -------
    log_partition : ndarray, shape of ``logits`` without the class axis
        In nats; a scalar for one-dimensional logits.

    Raises
    ------
    ValueError
        As `softmax`; also for a temperature of 0 or inf.

    Examples
    --------
    >>> from sksoftmax.functional import logsumexp
    >>> float(logsumexp([1000.0, 1000.0]))  # 1000 + log 2
    1000.6931471805599
    """
    return _row_values(_kernel.logsumexp, logits, temperature, mask, axis, limits=False)


def entropy(
    logits: ArrayLike,
    *,
    temperature: ArrayLike = 1.0,
    mask: ArrayLike | None = None,
    axis: int = -1,
) -> RowValues:
    """Shannon entropy ``-sum_i p_i log p_i`` of ``softmax(logits)``, in nats, in one pass.

    Parameters
    ----------
    logits : array-like of any shape
        Logits z (not probabilities).
    temperature : float or array-like, default=1.0
        T >= 0, one number or one per row; 0 and inf are exact limits.
    mask : array-like of bool, optional
        True where a class is available; must broadcast to the shape of ``logits``.
    axis : int, default=-1
        The class axis.

    Returns
    -------
    entropy : ndarray, shape of ``logits`` without the class axis
        Between 0 and the logarithm of the number of available classes; a scalar for
        one-dimensional logits. Small entropies are relatively accurate.

    Raises
    ------
    ValueError
        As `softmax`.

    Examples
    --------
    >>> from sksoftmax.functional import entropy
    >>> entropy([[0.0, 0.0], [0.0, 1000.0]])
    array([0.69314718, 0.        ])
    """
    return _row_values(_kernel.entropy, logits, temperature, mask, axis, limits=True)


def cross_entropy(
    logits: ArrayLike,
    target: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    class_weight: ArrayLike | Mapping[int, float] | None = None,
    label_smoothing: float = 0.0,
    temperature: ArrayLike = 1.0,
    mask: ArrayLike | None = None,
    logit_l2: float = 0.0,
    reduction: Reduction = "mean",
) -> float | RowValues:
    """Cross-entropy of ``softmax(logits / temperature)`` against a target, on the last axis.

    For a row with target q after smoothing and weight w::

        loss = w * (-sum_i q_i log p_i + logit_l2 / 2 * sum over A of z_i^2)

    Parameters
    ----------
    logits : array-like of shape (..., n_classes)
        Logits z.
    target : array-like of shape (...) or (..., n_classes)
        Integer class indices, or rows of probabilities: non-negative, with sum 1 (to 1e-6; 1e-4
        in float32). Only available classes may have a positive target.
    sample_weight : array-like, optional
        Non-negative weight of each row; must broadcast to ``logits.shape[:-1]``.
    class_weight : array-like of shape (n_classes,) or dict {index: weight}, optional
        Multiplies the sample weight by ``class_weight[target]``; for rows of probabilities by
        ``sum_k target_k class_weight_k``, before smoothing. Classes missing in a dict weigh 1.
    label_smoothing : float, default=0.0
        e in [0, 1): the target becomes ``(1 - e) target + e / |A|`` on the available classes A.
    temperature : float or array-like, default=1.0
        0 < T < inf, one number or one per row.
    mask : array-like of bool, optional
        True where a class is available; must broadcast to the shape of ``logits``.
    logit_l2 : float, default=0.0
        Penalty on the logits themselves, before the temperature.
    reduction : {"mean", "sum", "none"}, default="mean"
        "mean" is the weighted mean, ``sum(loss) / sum(w)``, where w includes the class weight;
        "none" gives the weighted loss of each row.

    Returns
    -------
    loss : float, or ndarray of shape ``logits.shape[:-1]`` for ``reduction="none"``
        In nats. Sums are taken in float64.

    Raises
    ------
    ValueError
        As `softmax`; also for a target that is no class index or no probability row, a target on
        a class that is not available, a negative weight, or a mean over weights that are all zero.

    See Also
    --------
    cross_entropy_gradient : The loss and its gradient in one pass.

    Examples
    --------
    >>> from sksoftmax.functional import cross_entropy
    >>> round(cross_entropy([[2.0, 0.0], [0.0, 0.0]], [0, 1]), 6)
    0.410038
    >>> cross_entropy([[0.0, 50.0]], [1], reduction="none")  # log1p(exp(-50)), not 0
    array([1.92874985e-22])
    """
    problem = loss_problem(
        logits, target, sample_weight, class_weight, label_smoothing,
        temperature, mask, logit_l2, reduction,
    )  # fmt: skip
    with problem.layout.row_errors():
        losses = _kernel.loss(*problem.arguments, **problem.keywords)
    return problem.reduced(losses)


def cross_entropy_gradient(
    logits: ArrayLike,
    target: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    class_weight: ArrayLike | Mapping[int, float] | None = None,
    label_smoothing: float = 0.0,
    temperature: ArrayLike = 1.0,
    mask: ArrayLike | None = None,
    logit_l2: float = 0.0,
    reduction: Reduction = "mean",
) -> tuple[float | RowValues, Floats]:
    """The loss of `cross_entropy` and its gradient in the logits, in one pass.

    The gradient of a row is ``w * ((p - q) / T + logit_l2 * z)``, exactly 0 where a class is not
    available; with ``reduction="mean"`` it is divided by the sum of the weights, as the loss is.

    Parameters
    ----------
    logits, target, sample_weight, class_weight, label_smoothing, temperature, mask, logit_l2, \
reduction
        As for `cross_entropy`.

    Returns
    -------
    loss : float, or ndarray of shape ``logits.shape[:-1]`` for ``reduction="none"``
        As `cross_entropy`.
    gradient : ndarray, shape of ``logits``
        The derivative of the (reduced) loss; for ``reduction="none"`` the row of each loss.

    Raises
    ------
    ValueError
        As `cross_entropy`.

    Examples
    --------
    >>> from sksoftmax.functional import cross_entropy_gradient
    >>> loss, gradient = cross_entropy_gradient([[0.0, 0.0]], [1])
    >>> gradient
    array([[ 0.5, -0.5]])
    """
    problem = loss_problem(
        logits, target, sample_weight, class_weight, label_smoothing,
        temperature, mask, logit_l2, reduction,
    )  # fmt: skip
    with problem.layout.row_errors():
        losses, gradient = _kernel.loss_gradient(*problem.arguments, **problem.keywords)
    return problem.reduced(losses), problem.layout.from_rows(problem.weighted(gradient))


def hessian_product(
    logits: ArrayLike,
    direction: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    temperature: ArrayLike = 1.0,
    mask: ArrayLike | None = None,
) -> Floats:
    """Hessian of ``cross_entropy(..., reduction="sum")`` in the logits, times a direction.

    Row by row ``w / T^2 * (diag(p) - p p') v``; it does not depend on the target. Add
    ``w * logit_l2 * v`` where the loss has a penalty on the logits.

    Parameters
    ----------
    logits : array-like of shape (..., n_classes)
        Logits z.
    direction : array-like, shape of ``logits``
        v; finite where a class is available, ignored elsewhere.
    sample_weight : array-like, optional
        Non-negative weight of each row; must broadcast to ``logits.shape[:-1]``.
    temperature : float or array-like, default=1.0
        0 < T < inf, one number or one per row.
    mask : array-like of bool, optional
        True where a class is available; must broadcast to the shape of ``logits``.

    Returns
    -------
    product : ndarray, shape of ``logits``
        Rows sum to zero; exactly 0 where a class is not available.

    Raises
    ------
    ValueError
        As `logsumexp`; also for a direction of another shape or that is not finite.

    Examples
    --------
    >>> from sksoftmax.functional import hessian_product
    >>> hessian_product([[0.0, 0.0]], [[1.0, 0.0]])
    array([[ 0.25, -0.25]])
    """
    values = as_floats(logits, "logits")
    layout = RowLayout.of(values, -1, "logits")
    rows = layout.to_rows(values)
    keywords = layout.row_keywords(temperature, mask, values.dtype, limits=False)
    along = as_floats(direction, "direction")
    if along.shape != layout.shape:
        raise ValueError(
            f"direction must have the shape of the logits, {layout.shape}, got {along.shape}"
        )
    along = layout.to_rows(along.astype(values.dtype, copy=False))
    infinite = ~np.isfinite(along)
    if infinite.any():
        infinite &= rows != -np.inf
        if keywords["mask"] is not None:
            infinite &= keywords["mask"]
        broken = np.logical_or.reduce(infinite, axis=1)
        layout.reject_rows(broken, "direction", "holds NaN or inf in an available class")
    weights = weight_rows(sample_weight, layout)
    keywords["sample_weight"] = weights_in(values.dtype, weights, layout)
    with layout.row_errors():
        return layout.from_rows(_kernel.hessian_product(rows, along, **keywords))


# --- the paths from arguments to the kernel and back ---


def _entries(
    verb: Callable[..., Any],
    logits: ArrayLike,
    temperature: ArrayLike,
    mask: ArrayLike | None,
    axis: int,
    out: Floats | None,
) -> Floats:
    """A verb with one result per logit, into ``out`` where one is given."""
    values = as_floats(logits, "logits")
    layout = RowLayout.of(values, axis, "logits")
    keywords = layout.row_keywords(temperature, mask, values.dtype, limits=True)
    rows = layout.to_rows(values)
    if out is not None:
        check_out(out, layout.shape, values.dtype)
        if can_write_into(out, layout, rows, *keywords.values()):
            keywords["out"] = out.reshape(rows.shape)
    with layout.row_errors():
        result = verb(rows, **keywords)
    if out is None:
        return layout.from_rows(result)
    if "out" not in keywords:
        layout.copy_into(out, result)
    return out


def _row_values(
    verb: Callable[..., Any],
    logits: ArrayLike,
    temperature: ArrayLike,
    mask: ArrayLike | None,
    axis: int,
    *,
    limits: bool,
) -> RowValues:
    """A verb with one result per row."""
    values = as_floats(logits, "logits")
    layout = RowLayout.of(values, axis, "logits")
    keywords = layout.row_keywords(temperature, mask, values.dtype, limits=limits)
    with layout.row_errors():
        return layout.from_row_values(verb(layout.to_rows(values), **keywords))
