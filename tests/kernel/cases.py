"""Problems for the kernel tests: every option of every verb, dense and ragged, with error bounds.

A `Problem` holds the arguments of all verbs at once; `VERBS` calls one of them in a module (the
native kernel or its NumPy reference). `check_against_reference` compares the two within a bound
that follows the formulae: so many roundings of each term, not one tolerance for everything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np

from sksoftmax import _kernel
from sksoftmax._kernel import _reference

DTYPES = [np.float32, np.float64]
# Around every vector width, the border between the two loop shapes, and beyond.
CLASSES = [1, 2, 3, 5, 7, 8, 9, 10, 11, 12, 13, 15, 16, 17, 31, 33, 64, 65, 100, 1000]
ROWS = [1, 2, 7, 8, 9, 63, 64, 65, 1000]


@dataclass(frozen=True)
class Options:
    """What a problem exercises."""

    target: str = "index"  # or "proba"
    label_smoothing: float = 0.0
    weighted: bool = False
    temperature: str = "one"  # or "scalar", "rows"
    unavailable: str = "none"  # or "mask", "minus_inf", "both"
    logit_l2: float = 0.0

    def __str__(self):
        parts = [self.target, f"T={self.temperature}", f"unavailable={self.unavailable}"]
        parts += ["weighted"] * self.weighted
        parts += [f"smoothing={self.label_smoothing}"] * bool(self.label_smoothing)
        parts += [f"l2={self.logit_l2}"] * bool(self.logit_l2)
        return "-".join(parts)


ALL_OPTIONS = [
    Options(*values)
    for values in product(
        ("index", "proba"),
        (0.0, 0.1),
        (False, True),
        ("one", "scalar", "rows"),
        ("none", "mask", "minus_inf", "both"),
        (0.0, 0.3),
    )
]


@dataclass(frozen=True)
class Problem:
    """The arguments of every verb."""

    logits: np.ndarray
    target: np.ndarray
    direction: np.ndarray
    sample_weight: np.ndarray | None = None
    label_smoothing: float = 0.0
    temperature: Any = 1.0
    mask: np.ndarray | None = None
    logit_l2: float = 0.0
    row_ptr: np.ndarray | None = None
    extra: dict[str, Any] = field(default_factory=dict)  # out=, n_threads=

    @property
    def n_rows(self) -> int:
        return len(self.logits) if self.row_ptr is None else len(self.row_ptr) - 1

    @property
    def boundaries(self) -> np.ndarray:
        """row_ptr, also of a dense problem."""
        if self.row_ptr is not None:
            return self.row_ptr
        return np.arange(len(self.logits) + 1) * self.logits.shape[1]

    def shape_keywords(self) -> dict[str, Any]:
        keywords = {"temperature": self.temperature, "mask": self.mask, **self.extra}
        return keywords if self.row_ptr is None else {**keywords, "row_ptr": self.row_ptr}

    def loss_keywords(self) -> dict[str, Any]:
        return self.shape_keywords() | {
            "sample_weight": self.sample_weight,
            "label_smoothing": self.label_smoothing,
            "logit_l2": self.logit_l2,
        }

    def astype(self, dtype: Any) -> Problem:
        def cast(values: Any) -> Any:
            is_float = isinstance(values, np.ndarray) and values.dtype.kind == "f"
            return values.astype(dtype) if is_float else values

        names = ("logits", "target", "direction", "sample_weight", "temperature")
        return replace(self, **{name: cast(getattr(self, name)) for name in names})

    def with_threads(self, n_threads: int) -> Problem:
        return replace(self, extra={"n_threads": n_threads})

    def rows(self, index: np.ndarray) -> Problem:
        """The same rows in another batch."""

        def per_row(values: Any) -> Any:
            return values[index] if isinstance(values, np.ndarray) and values.ndim else values

        changes = {
            "sample_weight": per_row(self.sample_weight),
            "temperature": per_row(self.temperature),
        }
        if self.target.dtype.kind == "i":
            changes["target"] = self.target[index]
        if self.row_ptr is None:
            take = index
        else:
            parts = [np.arange(self.row_ptr[i], self.row_ptr[i + 1]) for i in index]
            take = np.concatenate(parts) if parts else np.arange(0)
            changes["row_ptr"] = np.cumsum([0, *(len(part) for part in parts)], dtype=np.int64)
        changes["logits"] = self.logits[take]
        changes["direction"] = self.direction[take]
        if self.target.dtype.kind == "f":
            changes["target"] = self.target[take]
        changes["mask"] = None if self.mask is None else self.mask[take]
        return replace(self, **changes)


def make_problem(
    rng: np.random.Generator,
    shape: tuple[int, int] | list[int],
    dtype: Any,
    options: Options = Options(),
    scale: float = 3.0,
) -> Problem:
    """A dense problem of a shape, or a ragged one of a list of row lengths."""
    lengths = np.full(shape[0], shape[1]) if isinstance(shape, tuple) else np.asarray(shape)
    row_ptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    n_rows, n_entries = len(lengths), int(row_ptr[-1])
    row = np.repeat(np.arange(n_rows), lengths)
    logits = (scale * rng.standard_normal(n_entries)).astype(dtype)

    # One class per row is always available, and is the target.
    target = (rng.random(n_rows) * lengths).astype(np.int64)
    available = np.ones(n_entries, dtype=bool)
    if options.unavailable != "none":
        available = rng.random(n_entries) < 0.7
        available[row_ptr[:-1] + target] = True
    mask = None
    if options.unavailable == "mask":
        mask = available
        logits[~available] = rng.choice([np.nan, np.inf, -np.inf, 1e30, 0.0], (~available).sum())
    elif options.unavailable == "minus_inf":
        logits[~available] = -np.inf
    elif options.unavailable == "both":
        by_mask = rng.random(n_entries) < 0.5
        mask = available | ~by_mask
        logits[~available & ~by_mask] = -np.inf
        logits[~mask] = np.nan

    if options.target == "proba":
        weights = rng.random(n_entries) * available * (rng.random(n_entries) < 0.7)
        weights[row_ptr[:-1] + target] += 0.1
        target = (weights / np.bincount(row, weights, n_rows)[row]).astype(dtype)

    temperature: Any = 1.0
    if options.temperature == "scalar":
        temperature = 0.625  # exact in both dtypes
    elif options.temperature == "rows":
        temperature = rng.uniform(0.3, 4.0, n_rows).astype(dtype)
    problem = Problem(
        logits,
        target,
        rng.standard_normal(n_entries).astype(dtype),
        sample_weight=rng.uniform(0.1, 3.0, n_rows).astype(dtype) if options.weighted else None,
        label_smoothing=options.label_smoothing,
        temperature=temperature,
        mask=mask,
        logit_l2=options.logit_l2,
        row_ptr=row_ptr,
    )
    return dense(problem) if isinstance(shape, tuple) else problem


def dense(problem: Problem) -> Problem:
    """The dense form of a ragged problem whose rows have one length."""
    n_rows = problem.n_rows

    def matrix(values: Any) -> Any:
        return None if values is None else values.reshape(n_rows, -1)

    return replace(
        problem,
        logits=matrix(problem.logits),
        direction=matrix(problem.direction),
        mask=matrix(problem.mask),
        target=problem.target if problem.target.dtype.kind == "i" else matrix(problem.target),
        row_ptr=None,
    )


def ragged(problem: Problem) -> Problem:
    """The ragged form of a dense problem."""

    def stacked(values: Any) -> Any:
        return None if values is None else values.reshape(-1)

    return replace(
        problem,
        logits=stacked(problem.logits),
        direction=stacked(problem.direction),
        mask=stacked(problem.mask),
        target=stacked(problem.target),
        row_ptr=problem.boundaries.astype(np.int64),
    )


# --- the verbs, each giving a dict of named results ---


def _call_plain(verb: str) -> Callable[..., dict[str, np.ndarray]]:
    return lambda module, p: {verb: getattr(module, verb)(p.logits, **p.shape_keywords())}


def _call_loss(module: Any, p: Problem) -> dict[str, np.ndarray]:
    return {"loss": module.loss(p.logits, p.target, **p.loss_keywords())}


def _call_loss_gradient(module: Any, p: Problem) -> dict[str, np.ndarray]:
    value, gradient = module.loss_gradient(p.logits, p.target, **p.loss_keywords())
    return {"loss": value, "gradient": gradient}


def _call_hessian_product(module: Any, p: Problem) -> dict[str, np.ndarray]:
    keywords = p.shape_keywords() | {"sample_weight": p.sample_weight}
    return {"hessian_product": module.hessian_product(p.logits, p.direction, **keywords)}


VERBS: dict[str, Callable[..., dict[str, np.ndarray]]] = {
    **{verb: _call_plain(verb) for verb in ("softmax", "log_softmax", "logsumexp", "entropy")},
    "loss": _call_loss,
    "loss_gradient": _call_loss_gradient,
    "hessian_product": _call_hessian_product,
}


def native(verb: str, problem: Problem) -> dict[str, np.ndarray]:
    return VERBS[verb](_kernel, problem)


def reference(verb: str, problem: Problem) -> dict[str, np.ndarray]:
    """The verb in long double: exact, as far as these tests can see."""
    return VERBS[verb](_reference, replace(problem.astype(np.longdouble), extra={}))


# --- comparison within the bounds that the formulae give ---


def error_bounds(problem: Problem) -> dict[str, np.ndarray]:
    """How far each result may be from the exact one.

    Every term of a formula may be wrong by some roundings of its own size; a probability p_i by
    (4 + |t_i|) relative roundings, where t_i = log p_i - max log p are the shifted logits.
    """
    eps, tiny = (
        np.finfo(problem.logits.dtype).eps,
        np.finfo(problem.logits.dtype).smallest_subnormal,
    )
    boundaries, n_rows = problem.boundaries, problem.n_rows
    row = np.repeat(np.arange(n_rows), np.diff(boundaries))

    def total(values: np.ndarray) -> np.ndarray:
        return np.bincount(row, values, n_rows)

    def flat(values: Any) -> np.ndarray:
        return np.asarray(values, dtype=np.float64).reshape(-1)

    log_p = flat(reference("log_softmax", problem)["log_softmax"])
    available = np.isfinite(log_p)
    p = np.exp(log_p)
    peak = np.maximum.reduceat(log_p, boundaries[:-1])
    t = np.where(available, peak[row] - log_p, 0)  # |t_i|
    z = np.where(available, flat(problem.logits), 0)
    v = np.where(available, np.abs(flat(problem.direction)), 0)
    temperature = np.broadcast_to(flat(problem.temperature), n_rows)
    weight = np.ones(n_rows) if problem.sample_weight is None else flat(problem.sample_weight)
    q = np.zeros(len(row))
    if problem.target.dtype.kind == "i":
        q[boundaries[:-1] + problem.target] = 1
    else:
        q = flat(problem.target)
    q = (1 - problem.label_smoothing) * q
    q += problem.label_smoothing * available / total(available)[row]

    largest = np.maximum.reduceat(np.where(available, z, -np.inf), boundaries[:-1])
    log_s, l2 = -peak, problem.logit_l2
    w_over_t = (weight / temperature)[row]
    p_error = p * (8 + 2 * t)
    product = p_error * (v + total(p * v)[row]) + p * total(p_error * v)[row]
    logsumexp = np.maximum(
        np.maximum(1, np.abs(largest) / temperature), np.log(np.diff(boundaries))
    )
    bounds = {
        "softmax": p * (4 + t),
        "log_softmax": 4 * t + (12 * log_s + total(4 * p * t))[row],
        "logsumexp": 4 * logsumexp,
        "entropy": 12 * log_s + total(p * t * (12 + 2 * t)),
        "loss": weight * (12 * log_s + total(4 * p * t + 8 * q * t + 4 * l2 * z * z)),
        "gradient": w_over_t * (p_error + 4 * q) + weight[row] * 6 * l2 * np.abs(z),
        "hessian_product": 2 * (w_over_t / temperature[row]) * product,
    }
    # Where terms are subnormal each may be off by a spacing, times what multiplies it.
    factor = max(1, v.max()) * max(1, w_over_t.max()) ** 2 * total(1 + t).max()
    return {name: eps * bound + 4 * tiny * factor for name, bound in bounds.items()}


def check_against_reference(problem: Problem, index: np.ndarray | None = None) -> None:
    """Every verb of the native kernel agrees with the reference, on all rows or on some."""
    part = problem if index is None else problem.rows(index)
    bounds = error_bounds(part)
    for verb in VERBS:
        exact = reference(verb, part)
        for name, got in native(verb, problem).items():
            assert got.dtype == problem.logits.dtype
            got = got if index is None else got[index]
            assert got.shape == exact[name].shape, (verb, name)
            check_within(got, exact[name], bounds[name], f"{verb}: {name}")


def check_within(got: np.ndarray, exact: np.ndarray, bound: np.ndarray, what: str) -> None:
    got, exact = got.astype(np.longdouble).reshape(-1), exact.reshape(-1)
    same = got == exact  # -inf where -inf is right
    with np.errstate(invalid="ignore"):
        error = np.where(same, 0, np.abs(got - exact))
    wrong = ~(error <= bound)
    if wrong.any():
        i = int(np.argmax(np.where(wrong, np.nan_to_num(error / bound, nan=np.inf), 0)))
        raise AssertionError(
            f"{what}[{i}] is {got[i]!r}, should be {exact[i]!r}: "
            f"error {error[i]:.3g} over bound {bound[i]:.3g} ({wrong.sum()} such)"
        )


def assert_identical(got: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    """The same bits, named result by named result."""
    assert got.keys() == expected.keys()
    for name, values in got.items():
        np.testing.assert_array_equal(values, expected[name], err_msg=name, strict=True)
        assert values.tobytes() == expected[name].tobytes(), f"{name}: signs of zero differ"
