"""Linear restrictions on parameters, from text or matrices: R params = q.

::

    restrictions  equation (("," | ";") equation)*
    equation      sum ("=" sum)*                      alone it means "= 0"
    sum           product (("+" | "-") product)*
    product       factor (("*" | "/") factor)*
    factor        ("+" | "-") factor | number | parameter | "(" sum ")"

Parameters are found by their names, the longest that fits, whatever signs are in them
("setosa:petal length (cm)").
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

_NUMBER = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_SIGNS = "+-*/()=,;"


class Restrictions(NamedTuple):
    """R params = q."""

    matrix: np.ndarray  # (n_restrictions, P)
    values: np.ndarray  # (n_restrictions,)
    text: str


class _Linear(NamedTuple):
    """coef' params + constant."""

    coef: np.ndarray
    constant: float

    def plus(self, other: _Linear, factor: float = 1.0) -> _Linear:
        return _Linear(self.coef + factor * other.coef, self.constant + factor * other.constant)

    def times(self, factor: float) -> _Linear:
        return _Linear(factor * self.coef, factor * self.constant)

    @property
    def is_number(self) -> bool:
        return not self.coef.any()


def read_restrictions(restrictions: Any, names: Sequence[str], values: Any = None) -> Restrictions:
    """Read text, a list of texts, or a matrix with a column for each parameter."""
    if isinstance(restrictions, str):
        restrictions = [restrictions]
    is_text = isinstance(restrictions, (list, tuple)) and all(
        isinstance(each, str) for each in restrictions
    )
    if not is_text:
        return _from_matrix(restrictions, names, values)
    if values is not None:
        raise ValueError("value= belongs to a matrix; in text write it after '='.")
    try:
        equations = [eq for text in restrictions for eq in _Parser(text, names).equations()]
    except RecursionError:
        raise ValueError("restrictions: parentheses are nested too deeply.") from None
    if not equations:
        raise ValueError("restrictions must name at least one restriction; got none.")
    matrix = np.stack([equation.coef for equation in equations])
    for text, row in zip(restrictions, matrix, strict=False):
        if len(restrictions) == len(matrix) and not row.any():
            raise ValueError(f"restrictions: {text!r} restricts no parameter.")
    shown = ", ".join(text.strip() for text in restrictions)
    return Restrictions(matrix, np.array([-equation.constant for equation in equations]), shown)


def _from_matrix(given: Any, names: Sequence[str], values: Any) -> Restrictions:
    try:
        matrix = np.atleast_2d(np.asarray(given, dtype=np.float64))
    except (TypeError, ValueError):
        raise ValueError(
            "restrictions must be text such as 'b_time = b_cost', a list of such texts, or a "
            f"matrix of numbers; got {given!r}."
        ) from None
    if matrix.ndim != 2 or matrix.shape[1] != len(names) or not np.isfinite(matrix).all():
        raise ValueError(
            "restrictions must be a finite matrix with a column for each of the "
            f"{len(names)} parameters; got shape {np.shape(given)}."
        )
    right = np.zeros(len(matrix)) if values is None else np.asarray(values, dtype=np.float64)
    right = np.broadcast_to(right, len(matrix)) if right.ndim == 0 else right
    if right.shape != (len(matrix),) or not np.isfinite(right).all():
        raise ValueError(
            f"value must be {len(matrix)} finite numbers, one for each row of the matrix; "
            f"got shape {np.shape(values)}."
        )
    return Restrictions(matrix, right, f"R params = q, {len(matrix)} rows")


class _Parser:
    """Recursive descent over one text."""

    def __init__(self, text: str, names: Sequence[str]) -> None:
        self.text, self.names = text, names
        self.tokens = [*self._tokens(), ("end", "")]
        self.position = 0

    def _tokens(self) -> Any:
        longest_first = sorted(range(len(self.names)), key=lambda j: -len(self.names[j]))
        text, at = self.text, 0
        while at < len(text):
            if text[at].isspace():
                at += 1
                continue
            name = next((j for j in longest_first if self._fits(self.names[j], at)), None)
            number = _NUMBER.match(text, at)
            if name is not None:
                yield "name", name
                at += len(self.names[name])
            elif number:
                yield "number", float(number.group())
                at = number.end()
            elif text[at] in _SIGNS:
                yield text[at], text[at]
                at += 1
            else:
                raise ValueError(
                    f"restrictions: no parameter's name begins {text[at:]!r} (in {text!r}); "
                    f"parameters are {', '.join(self.names)}."
                )

    def _fits(self, name: str, at: int) -> bool:
        if not self.text.startswith(name, at) or _NUMBER.fullmatch(name):
            return False
        end = at + len(name)
        goes_on = end < len(self.text) and _is_word(self.text[end])
        return not (goes_on and _is_word(name[-1]))

    def equations(self) -> list[_Linear]:
        found = []
        while True:
            sides = [self._sum()]
            while self._take("="):
                sides.append(self._sum())
            if len(sides) == 1:
                sides.append(_Linear(np.zeros(len(self.names)), 0.0))
            found += [a.plus(b, -1.0) for a, b in pairwise(sides)]
            if not (self._take(",") or self._take(";")):
                break
        if self.tokens[self.position][0] != "end":
            self._fail()
        return found

    def _sum(self) -> _Linear:
        total = self._product()
        while sign := self._take("+") or self._take("-"):
            total = total.plus(self._product(), 1.0 if sign == "+" else -1.0)
        return total

    def _product(self) -> _Linear:
        left = self._factor()
        while sign := self._take("*") or self._take("/"):
            right = self._factor()
            if sign == "*" and left.is_number:
                left = right.times(left.constant)
            elif not right.is_number or (sign == "/" and right.constant == 0):
                raise ValueError(f"restrictions: {self.text!r} is not linear in the parameters.")
            else:
                left = left.times(right.constant if sign == "*" else 1 / right.constant)
        return left

    def _factor(self) -> _Linear:
        kind, value = self.tokens[self.position]
        self.position += 1
        if kind in "+-":
            return self._factor().times(1.0 if kind == "+" else -1.0)
        coef = np.zeros(len(self.names))
        if kind == "number":
            return _Linear(coef, value)
        if kind == "name":
            coef[value] = 1.0
            return _Linear(coef, 0.0)
        if kind == "(":
            inner = self._sum()
            if self._take(")"):
                return inner
        else:
            self.position -= 1
        return self._fail()

    def _take(self, kind: str) -> str:
        if self.tokens[self.position][0] != kind:
            return ""
        self.position += 1
        return kind

    def _fail(self) -> Any:
        kind, value = self.tokens[self.position]
        found = "its end" if kind == "end" else repr(self.names[value] if kind == "name" else value)
        raise ValueError(
            f"restrictions: {self.text!r} cannot be read at {found}; write linear equations such "
            "as 'b_time = b_cost' or '2*b_time - b_cost = 1'."
        )


def _is_word(sign: str) -> bool:
    return sign.isalnum() or sign == "_"
