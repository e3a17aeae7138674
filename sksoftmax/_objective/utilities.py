"""The objective of a choice model whose utilities are linear in the parameters.

::

    utility    V_nj = x_nj' b                           for the alternatives j available in case n
    objective  f = (1 / s) sum_n w_n (-log p_n,chosen) + 1/2 sum_k alpha_k b_k^2,    s = sum_n w_n

with p_n the kernel's softmax over the available alternatives. Only differences d_nj = x_nj -
x_n,chosen matter, and only they are computed with: large values that alternatives have in common
cost no accuracy, and what does not vary within a case has exactly no influence.

Parameters are theta = b / scale, shape (1, n_parameters), scale a power of two per parameter that
brings the largest x to about 1: products of columns of any unit neither overflow nor vanish.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sksoftmax._kernel import effective_n_threads
from sksoftmax._objective import _core

# The order of enum class ChoicePass in native/choice.h.
_PASSES = ("loss_gradient", "curvature", "score_products", "scores", "utilities", "differences")
_PASS_NUMBER = {name: number for number, name in enumerate(_PASSES)}
# Entries of what is written per case or per entry at once.
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Terms:
    """Which column of a case enters which alternative's utility, with which parameter.

    Alternative j has the terms ``ptr[j]`` to ``ptr[j + 1]``: parameter * factor * column, or
    parameter * factor where the column is -1.
    """

    ptr: np.ndarray  # (n_alternatives + 1,) int64
    parameter: np.ndarray  # (n_terms,) int64
    column: np.ndarray  # (n_terms,) int64
    factor: np.ndarray  # (n_terms,) float64

    @property
    def n_alternatives(self) -> int:
        return len(self.ptr) - 1

    @property
    def alternative(self) -> np.ndarray:
        """The alternative of each term."""
        return np.repeat(np.arange(self.n_alternatives), np.diff(self.ptr))


@dataclass(frozen=True)
class Choices:
    """Who chose what: entries of case n are ``row_ptr[n]`` to ``row_ptr[n + 1]``.

    With `terms` the data are wide: `values` has one row per case, and the entries of a case are its
    `available` alternatives (None: all). Without, they are long: `values` has one row per entry
    and one column per parameter.
    """

    values: np.ndarray  # (n_cases or n_entries, n_columns) float64, any strides
    row_ptr: np.ndarray  # (n_cases + 1,) int64
    chosen: np.ndarray  # (n_cases,) int64: position among the entries of the case
    n_parameters: int
    terms: Terms | None = None
    available: np.ndarray | None = None  # (n_cases, n_alternatives) bool
    weight: np.ndarray | None = None  # (n_cases,) float64

    @classmethod
    def wide(cls, values, chosen, terms, n_parameters, *, available=None, weight=None) -> Choices:
        """Cases in rows; `chosen` is the number of the alternative, which must be available."""
        n_cases, J = len(chosen), terms.n_alternatives
        chosen = np.ascontiguousarray(chosen, dtype=np.int64)
        if available is None:
            row_ptr = np.arange(0, n_cases * J + 1, J, dtype=np.int64)
            return cls(values, row_ptr, chosen, n_parameters, terms, None, weight)
        available = np.ascontiguousarray(available, dtype=bool)
        position = np.cumsum(available, axis=1)
        row_ptr = np.zeros(n_cases + 1, dtype=np.int64)
        np.cumsum(position[:, -1], out=row_ptr[1:])
        position = position[np.arange(n_cases), chosen] - 1
        return cls(values, row_ptr, position, n_parameters, terms, available, weight)

    @property
    def n_cases(self) -> int:
        return len(self.chosen)

    @property
    def n_entries(self) -> int:
        return int(self.row_ptr[-1])

    @property
    def weight_sum(self) -> float:
        return float(self.n_cases if self.weight is None else self.weight.sum())

    def case_of_entry(self) -> np.ndarray:
        """The case of each entry, (n_entries,)."""
        return np.repeat(np.arange(self.n_cases), np.diff(self.row_ptr))

    def chosen_entry(self) -> np.ndarray:
        """The entry that was chosen in each case, (n_cases,)."""
        return self.row_ptr[:-1] + self.chosen

    def keeping(self, kept: np.ndarray) -> Choices:
        """The same cases with some of their entries only, the chosen ones among them."""
        ends = np.concatenate([[0], np.cumsum(kept)])
        row_ptr = ends[self.row_ptr]
        chosen = ends[self.chosen_entry()] - row_ptr[:-1]
        if self.terms is None:
            return replace(self, values=self.values[kept], row_ptr=row_ptr, chosen=chosen)
        shape = (self.n_cases, self.terms.n_alternatives)
        available = np.ones(shape, dtype=bool) if self.available is None else self.available.copy()
        available[available] = kept
        return replace(self, available=available, row_ptr=row_ptr, chosen=chosen)


class UtilityObjective:
    """Mean weighted loss of choices with linear utilities, plus a ridge penalty per parameter.

    Parameters
    ----------
    choices : Choices
    largest : ndarray (n_parameters,) or None
        Largest size of x for each parameter; None finds it (long data only).
    alpha : ndarray (n_parameters,) or None
        Weight of the penalty of each parameter, 1 / (C sum of weights); None: maximum likelihood.
    n_threads : int or None
    """

    n_outputs = 1

    def __init__(self, choices: Choices, *, largest=None, alpha=None, n_threads=None):
        self.choices, self.n_threads = choices, n_threads
        self.n_parameters = self.n_columns = choices.n_parameters
        if largest is None:
            largest = np.maximum(choices.values.max(axis=0), -choices.values.min(axis=0))
        self.largest = largest
        exponent = np.frexp(np.where(largest > 0, largest, 1.0))[1]
        self.alpha = np.zeros(self.n_parameters) if alpha is None else np.asarray(alpha)
        smallest = np.where(self.alpha > 0, -300, -1000)  # the penalty's scale is a square
        self.scale = np.ldexp(1.0, -np.clip(exponent, smallest, 1000))
        with np.errstate(over="ignore"):
            self.ridge = np.where(self.alpha > 0, self.alpha * self.scale * self.scale, 0.0)
        self.weight_sum = choices.weight_sum
        self._arrays = self._what_passes_read()

    def with_choices(self, choices: Choices) -> UtilityObjective:
        """The objective of other entries or weights."""
        return UtilityObjective(
            choices, largest=self.largest, alpha=self.alpha, n_threads=self.n_threads
        )

    def _what_passes_read(self) -> dict[str, Any]:
        choices, terms = self.choices, self.choices.terms
        read: dict[str, Any] = {
            "values": choices.values,
            "n_parameters": self.n_parameters,
            "n_alternatives": 0 if terms is None else terms.n_alternatives,
            "available": None if choices.available is None else _bytes(choices.available),
            "scale": self.scale,
            "row_ptr": choices.row_ptr,
            "chosen": choices.chosen,
            "n_threads": effective_n_threads(self.n_threads),
        }
        names = ("term_ptr", "term_parameter", "term_column", "term_factor")
        if terms is None:
            return read | dict.fromkeys(names)
        factor = terms.factor * self.scale[terms.parameter]
        arrays = (terms.ptr, terms.parameter, terms.column, factor)
        return read | dict(zip(names, arrays, strict=True))

    # --- parameters -----------------------------------------------------------------------------

    def pack(self, params) -> np.ndarray:
        """b -> theta, shape (1, n_parameters)."""
        return (np.asarray(params, dtype=np.float64) / self.scale)[None, :]

    def unpack(self, theta) -> np.ndarray:
        """theta -> b, shape (n_parameters,)."""
        return theta[0] * self.scale

    def zeros(self) -> np.ndarray:
        return np.zeros((1, self.n_parameters))

    def without_shift(self, theta) -> np.ndarray:
        """theta: no change of it leaves every loss alone, but for what the solver left out."""
        return theta

    # --- value and derivatives ------------------------------------------------------------------

    def loss_gradient(self, theta) -> tuple[float, np.ndarray]:
        """f and its gradient, shape of theta; inf (and no use) if utilities overflow."""
        loss, sums = self._run("loss_gradient", theta, sums=self.n_parameters)
        return self._value(loss, theta), self._gradient(sums, theta)

    def derivatives(self, theta) -> tuple[float, np.ndarray, np.ndarray]:
        """f, its gradient and its Hessian (n_parameters, n_parameters), in one pass."""
        P = self.n_parameters
        loss, sums = self._run("curvature", theta, sums=P + P * P)
        hessian = _symmetric(sums[P:].reshape(P, P)) / self.weight_sum
        hessian[np.diag_indices(P)] += self.ridge
        return self._value(loss, theta), self._gradient(sums[:P], theta), hessian

    def hessian(self, theta) -> np.ndarray:
        """The Hessian, (n_parameters, n_parameters)."""
        return self.derivatives(theta)[2]

    def hessian_product(self, theta, direction) -> np.ndarray:
        """The Hessian at theta times a direction, shape of theta."""
        return (self.hessian(theta) @ direction[0])[None, :]

    def class_curvature(self, theta) -> np.ndarray:
        """The Hessian as the one diagonal block there is, (1, n_parameters, n_parameters)."""
        return self.hessian(theta)[None]

    def loss(self, theta) -> float:
        """Sum of w (-log p chosen), in nats: minus the log-likelihood, without penalty."""
        return self._run("loss_gradient", theta, sums=self.n_parameters)[0]

    def likelihood(self, theta, derivatives=None) -> tuple[float, np.ndarray, np.ndarray]:
        """The log-likelihood, its gradient and minus its Hessian in b: sums over the cases with
        their weights, without penalty.

        `derivatives` are those of the objective at theta, if they are known already.
        """
        value, gradient, hessian = self.derivatives(theta) if derivatives is None else derivatives
        total = self.weight_sum
        loglik = total * (self._penalty(theta) - value)
        score = total * (self.ridge * theta[0] - gradient[0]) / self.scale
        hessian = hessian - np.diag(self.ridge)
        return loglik, score, self._in_params(total * hessian)

    def score_products(self, theta, weight=None) -> np.ndarray:
        """sum_n weight_n g_n g_n' with g_n = d log p_chosen / d b, (n_parameters, n_parameters)."""
        P = self.n_parameters
        _, sums = self._run("score_products", theta, sums=P * P, weight=weight)
        return self._in_params(_symmetric(sums.reshape(P, P)))

    def scores(self, theta) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield cases and their g_n, (some cases, n_parameters), not weighted."""
        step = max(1, _CHUNK // self.n_parameters)
        for first in range(0, self.choices.n_cases, step):
            cases = slice(first, min(first + step, self.choices.n_cases))
            rows = np.empty((cases.stop - first, self.n_parameters))
            self._run("scores", theta, cases=cases, rows_out=rows)
            rows /= self.scale
            yield cases, rows

    def utilities(self, theta) -> np.ndarray:
        """V_nj - V_n,chosen for every entry, (n_entries,)."""
        out = np.empty(self.choices.n_entries)
        self._run("utilities", theta, rows_out=out)
        return out

    def differences(self, cases: slice) -> np.ndarray:
        """Rows d theta, for the entries of some cases: (n_entries there, n_parameters)."""
        row_ptr = self.choices.row_ptr
        out = np.empty((row_ptr[cases.stop] - row_ptr[cases.start], self.n_parameters))
        self._run("differences", None, cases=cases, rows_out=out)
        return out

    def _value(self, loss, theta) -> float:
        return loss / self.weight_sum + self._penalty(theta)

    def _penalty(self, theta) -> float:
        on = self.ridge > 0  # not 0 * inf, where a square overflows
        return 0.5 * float(self.ridge[on] @ theta[0, on] ** 2)

    def _gradient(self, sums, theta) -> np.ndarray:
        return (sums / self.weight_sum + self.ridge * theta[0])[None, :]

    def _in_params(self, square) -> np.ndarray:
        with np.errstate(over="ignore"):  # of tiny columns; the estimator looks for it
            return square / self.scale[:, None] / self.scale

    def _run(self, name, theta, *, sums=None, rows_out=None, cases=None, weight=None):
        out = None if sums is None else np.zeros(sums)
        loss = _core.run_choice(
            pass_=_PASS_NUMBER[name],
            first_case=0 if cases is None else cases.start,
            last_case=self.choices.n_cases if cases is None else cases.stop,
            weight=self.choices.weight if weight is None else weight,
            theta=None if theta is None else np.ascontiguousarray(theta[0]),
            sums=out,
            rows_out=None if rows_out is None else rows_out.reshape(-1),
            **self._arrays,
        )
        return loss, out


def _symmetric(upper) -> np.ndarray:
    upper = np.triu(upper)
    return upper + np.triu(upper, 1).T


def _bytes(flags) -> np.ndarray:
    return flags.reshape(-1).view(np.uint8)
