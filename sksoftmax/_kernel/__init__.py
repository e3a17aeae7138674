"""The ground floor: everything that happens after the logits, native, exact and fast.

For a row of logits z, temperature T, target q and weight w::

    m = max z                  over the available classes
    y = (z - m) / T            s = sum exp(y)
    p = exp(y) / s             log p = y - log s
    loss     = w (-sum q log p + logit_l2 / 2 sum z^2)
    gradient = w ((p - q) / T + logit_l2 z)
    Hessian  = w (diag(p) - p p') / T^2                (+ w logit_l2, not in hessian_product)

================  =========================  ===============================
verb              returns                    who needs it
================  =========================  ===============================
softmax           p                          every predict_proba
log_softmax       log p                      every predict_log_proba, scores
logsumexp         m / T + log s              inclusive values, marginals
entropy           -sum p log p               active learning, calibration
loss              loss per row               scoring
loss_gradient     loss per row, gradient     every fit
hessian_product   Hessian times a direction  Newton methods
look_at_proba     argmax and sum, minimum    calibration metrics
spread_of_proba   entropy, sum of squares    calibration metrics
bin_proba         sums over bins             calibration metrics
================  =========================  ===============================

The last three take rows of probabilities. Every other verb takes C-contiguous float32 or float64
logits of shape (n_rows, n_classes), or, with ``row_ptr``, stacked logits of shape (n_entries,):
rows of any length (choice sets).
The same verbs in plain NumPy stand in `_reference.py`: specification and oracle, never a fallback.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from sksoftmax._kernel import _core
from sksoftmax._kernel._errors import RowError
from sksoftmax._kernel._proba import bin_proba, look_at_proba, spread_of_proba
from sksoftmax._kernel._threads import effective_n_threads

__all__ = [
    "RowError",
    "bin_proba",
    "effective_n_threads",
    "entropy",
    "hessian_product",
    "kernel_info",
    "log_softmax",
    "logsumexp",
    "look_at_proba",
    "loss",
    "loss_gradient",
    "softmax",
    "spread_of_proba",
]

# The order of enum class Verb and of enum class Reason in native/kernel.h.
_VERBS = ("softmax", "log_softmax", "logsumexp", "entropy", "loss", "loss_gradient")
_VERB_NUMBER = {name: number for number, name in enumerate((*_VERBS, "hessian_product"))}
_REASONS = {
    1: ("logits", "has NaN in an available class"),
    2: ("logits", "has +inf in an available class"),
    3: ("logits", "has no available class: every logit is -inf or masked"),
    4: ("target", "puts probability on a class that is not available (masked, or logit -inf)"),
}


def softmax(logits, *, temperature=1.0, mask=None, row_ptr=None, out=None, n_threads=None):
    """p, shaped like the logits; temperature 0 is the argmax (ties share), inf is uniform."""
    rows = _rows(logits, mask, row_ptr, temperature, limits=True)
    out = _output(rows, out)
    return _run("softmax", rows, n_threads, out=out)


def log_softmax(logits, *, temperature=1.0, mask=None, row_ptr=None, out=None, n_threads=None):
    """log p, shaped like the logits; -inf where a class is unavailable."""
    rows = _rows(logits, mask, row_ptr, temperature, limits=True)
    out = _output(rows, out)
    return _run("log_softmax", rows, n_threads, out=out)


def logsumexp(logits, *, temperature=1.0, mask=None, row_ptr=None, n_threads=None):
    """m / T + log s, shape (n_rows,)."""
    rows = _rows(logits, mask, row_ptr, temperature)
    return _run("logsumexp", rows, n_threads, row_out=_row_output(rows))


def entropy(logits, *, temperature=1.0, mask=None, row_ptr=None, n_threads=None):
    """Shannon entropy of p in nats, shape (n_rows,)."""
    rows = _rows(logits, mask, row_ptr, temperature, limits=True)
    return _run("entropy", rows, n_threads, row_out=_row_output(rows))


def loss(
    logits,
    target,
    *,
    sample_weight=None,
    label_smoothing=0.0,
    temperature=1.0,
    mask=None,
    logit_l2=0.0,
    row_ptr=None,
    n_threads=None,
):
    """Weighted loss of each row, shape (n_rows,), dtype of the logits."""
    rows = _rows(logits, mask, row_ptr, temperature)
    return _run(
        "loss",
        rows,
        n_threads,
        row_out=_row_output(rows),
        **_loss_arguments(rows, target, sample_weight, label_smoothing, logit_l2),
    )


def loss_gradient(
    logits,
    target,
    *,
    sample_weight=None,
    label_smoothing=0.0,
    temperature=1.0,
    mask=None,
    logit_l2=0.0,
    row_ptr=None,
    gradient_out=None,
    n_threads=None,
):
    """Weighted loss of each row, shape (n_rows,), and its gradient, shaped like the logits."""
    rows = _rows(logits, mask, row_ptr, temperature)
    arguments = _loss_arguments(rows, target, sample_weight, label_smoothing, logit_l2)
    gradient = _output(rows, gradient_out, "gradient_out", apart=(logits, target))
    loss_out = _row_output(rows)
    _run("loss_gradient", rows, n_threads, out=gradient, row_out=loss_out, **arguments)
    return loss_out, gradient


def hessian_product(
    logits,
    direction,
    *,
    sample_weight=None,
    temperature=1.0,
    mask=None,
    row_ptr=None,
    out=None,
    n_threads=None,
):
    """w / T^2 (diag(p) - p p') direction, row by row, shaped like the logits."""
    rows = _rows(logits, mask, row_ptr, temperature)
    _check_array("direction", direction, rows.logits.dtype, rows.logits.shape)
    out = _output(rows, out, apart=(logits, direction))
    weight = _weight(rows, sample_weight)
    return _run(
        "hessian_product", rows, n_threads, out=out, direction=direction.reshape(-1), weight=weight
    )


def kernel_info() -> dict[str, Any]:
    """Return the active body, the bodies this CPU can run, and the default number of threads."""
    return {
        "name": _core.active_body(),
        "available": _core.runnable_bodies(),
        "n_threads": effective_n_threads(),
    }


class _Rows(NamedTuple):
    """The checked description of the rows: what every verb reads."""

    logits: np.ndarray
    n_rows: int
    n_classes: int
    row_ptr: np.ndarray | None
    mask: np.ndarray | None
    temperature: np.ndarray | None


def _rows(logits, mask, row_ptr, temperature, limits=False) -> _Rows:
    if not isinstance(logits, np.ndarray) or logits.dtype not in (np.float32, np.float64):
        kind = getattr(logits, "dtype", type(logits).__name__)
        raise TypeError(f"logits: expected a float32 or float64 array, got {kind}")
    ndim = 2 if row_ptr is None else 1
    if logits.ndim != ndim or logits.size == 0:
        expected = "(n_rows, n_classes)" if ndim == 2 else "(n_entries,)"
        raise ValueError(f"logits: expected non-empty shape {expected}, got {logits.shape}")
    _check_array("logits", logits, logits.dtype, logits.shape)
    if row_ptr is not None:
        if not isinstance(row_ptr, np.ndarray) or row_ptr.ndim != 1 or row_ptr.dtype != np.int64:
            raise ValueError("row_ptr: expected a one-dimensional int64 array")
        row_ptr = np.ascontiguousarray(row_ptr)
        n_rows, n_classes = len(row_ptr) - 1, 0
    else:
        n_rows, n_classes = logits.shape
    if mask is not None:
        _check_array("mask", mask, (np.dtype(np.bool_), np.dtype(np.uint8)), logits.shape)
        mask = mask.reshape(-1).view(np.uint8)
    temperature = _temperature(temperature, logits.dtype, n_rows, limits)
    return _Rows(logits, n_rows, n_classes, row_ptr, mask, temperature)


def _temperature(temperature, dtype, n_rows, limits) -> np.ndarray | None:
    if isinstance(temperature, (int, float)):
        if temperature == 1.0:
            return None
        given = temperature
        if given < 0:  # before the cast, which may round it to zero
            raise RowError("temperature", 0, f"is {given}, accepted is temperature >= 0")
        temperature = np.array([temperature], dtype=dtype)
        # A positive number that float32 rounds to 0 or inf stays finite and positive.
        if 0.0 < given < math.inf and not 0.0 < temperature[0] < math.inf:
            info = np.finfo(dtype)
            temperature = np.clip([given], info.smallest_subnormal, info.max).astype(dtype)
    else:
        _check_array("temperature", temperature, dtype, (n_rows,))
    good = temperature >= 0 if limits else (temperature > 0) & (temperature < np.inf)
    if not good.all():
        row = int(np.argmin(good))
        accepted = "0 <= temperature <= inf" if limits else "0 < temperature < inf"
        raise RowError("temperature", row, f"is {temperature[row]}, accepted is {accepted}")
    return temperature + dtype.type(0)  # the kernel compares bits with 0: no -0.0


def _loss_arguments(rows: _Rows, target, sample_weight, label_smoothing, logit_l2) -> dict:
    if not 0.0 <= label_smoothing < 1.0:
        raise ValueError(f"label_smoothing={label_smoothing}: accepted is 0 <= value < 1")
    if not 0.0 <= logit_l2 < math.inf:
        raise ValueError(f"logit_l2={logit_l2}: accepted is 0 <= value < inf")
    arguments = {
        "weight": _weight(rows, sample_weight),
        "label_smoothing": label_smoothing,
        "logit_l2": logit_l2,
    }
    if isinstance(target, np.ndarray) and target.dtype == np.int64:
        _check_array("target", target, target.dtype, (rows.n_rows,))
        return {**arguments, "target_index": target}
    _check_array("target", target, rows.logits.dtype, rows.logits.shape)
    return {**arguments, "target_proba": target.reshape(-1)}


def _weight(rows: _Rows, sample_weight):
    if sample_weight is not None:
        _check_array("sample_weight", sample_weight, rows.logits.dtype, (rows.n_rows,))
    return sample_weight


def _output(rows: _Rows, out, name="out", apart=()):
    if out is None:
        return np.empty_like(rows.logits)
    _check_array(name, out, rows.logits.dtype, rows.logits.shape)
    if not out.flags.writeable:
        raise ValueError(f"{name}: is read-only")
    for other in apart:
        if isinstance(other, np.ndarray) and np.may_share_memory(out, other):
            raise ValueError(f"{name}: must not share memory with the other arguments")
    return out


def _row_output(rows: _Rows):
    return np.empty(rows.n_rows, dtype=rows.logits.dtype)


def _check_array(name, array, dtype, shape) -> None:
    dtypes = dtype if isinstance(dtype, tuple) else (dtype,)
    if not isinstance(array, np.ndarray) or array.dtype not in dtypes:
        accepted = " or ".join(str(d) for d in dtypes)
        kind = getattr(array, "dtype", type(array).__name__)
        raise TypeError(f"{name}: expected a {accepted} array, got {kind}")
    if array.shape != shape:
        raise ValueError(f"{name}: expected shape {shape}, got {array.shape}")
    if not array.flags.c_contiguous:
        raise ValueError(f"{name}: must be C-contiguous")


def _run(
    verb,
    rows: _Rows,
    n_threads,
    *,
    target_index=None,
    target_proba=None,
    weight=None,
    label_smoothing=0.0,
    logit_l2=0.0,
    direction=None,
    out=None,
    row_out=None,
):
    in_place = out is not None and np.may_share_memory(out, rows.logits)
    if in_place:
        # A failing call must leave the logits alone: let a verb that only reads find the fault.
        _run("entropy", rows, n_threads, row_out=_row_output(rows))
    row, reason = _core.run(
        _VERB_NUMBER[verb],
        rows.logits.reshape(-1),
        rows.n_classes,
        rows.row_ptr,
        rows.mask,
        rows.temperature,
        target_index,
        target_proba,
        weight,
        label_smoothing,
        logit_l2,
        direction,
        None if out is None else out.reshape(-1),
        row_out,
        effective_n_threads(n_threads),
    )
    if reason:
        argument, predicate = _REASONS[reason]
        raise RowError(argument, row, predicate)
    return out if out is not None else row_out
