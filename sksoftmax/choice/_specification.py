"""Utilities as they are written on paper: alternative -> {parameter: term}."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from sksoftmax._objective import Terms
from sksoftmax._targets import label_text


@dataclass(frozen=True)
class Specification:
    """Parsed utilities.

    Attributes
    ----------
    classes : ndarray of shape (n_alternatives,)
        The alternatives, sorted.
    parameters : tuple of str
        In order of first appearance.
    columns : tuple of str
        Columns of X that some utility uses, in order of first appearance.
    terms : Terms
        By alternatives in the order of `classes`; columns are positions in `columns`.
    """

    classes: np.ndarray
    parameters: tuple[str, ...]
    columns: tuple[str, ...]
    terms: Terms

    @property
    def has_column(self) -> np.ndarray:
        """Which parameters stand beside a column somewhere: those that a penalty is on."""
        found = np.zeros(len(self.parameters), dtype=bool)
        found[self.terms.parameter[self.terms.column >= 0]] = True
        return found

    def alternatives_of(self, parameter: int) -> np.ndarray:
        """Positions of the alternatives in whose utility a parameter stands."""
        return self.terms.alternative[self.terms.parameter == parameter]

    def own_constants(self) -> dict[int, int]:
        """Alternative -> the parameter that is its constant 1, and stands nowhere else."""
        terms, found = self.terms, {}
        for t in np.flatnonzero((terms.column < 0) & (terms.factor == 1.0)):
            k = int(terms.parameter[t])
            if len(self.alternatives_of(k)) == 1:
                found[int(terms.alternative[t])] = k
        return found

    def as_utilities(self) -> dict[Any, dict[str, Any]]:
        """The dictionary again, alternatives sorted."""
        utilities: dict[Any, dict[str, Any]] = {label: {} for label in self.classes.tolist()}
        labels, terms = self.classes.tolist(), self.terms
        for j, k, c, factor in zip(
            terms.alternative, terms.parameter, terms.column, terms.factor, strict=True
        ):
            term = float(factor) if c < 0 else self.columns[c]
            utilities[labels[j]][self.parameters[k]] = term
        return utilities

    def without(self, alternative: Any) -> Specification:
        """The specification that lacks an alternative, and the parameters of it alone."""
        utilities = self.as_utilities()
        if alternative not in utilities:
            raise ValueError(
                f"without={alternative!r} is no alternative; there are {self.classes.tolist()}."
            )
        del utilities[alternative]
        kept = {name for terms in utilities.values() for name in terms}
        order = [name for name in self.parameters if name in kept]
        return parse_utilities(utilities, order=order)


def parse_utilities(utilities: Any, *, order: Iterable[str] = ()) -> Specification:
    """Check `utilities` and number its parameters, those in `order` first."""
    classes = _alternatives(utilities)
    parameters: dict[str, int] = {name: k for k, name in enumerate(order)}
    columns: dict[str, int] = {}
    rows: dict[Any, list[tuple[int, int, float]]] = {}
    for label, terms in utilities.items():
        if not isinstance(terms, Mapping):
            raise ValueError(
                f"utilities[{label!r}] must be a dictionary {{parameter: column or number}}; "
                f"got {terms!r}."
            )
        rows[_plain(label)] = [
            _term(label, name, term, parameters, columns) for name, term in terms.items()
        ]
    if not parameters:
        raise ValueError("utilities: no alternative has a parameter; there is nothing to estimate.")
    ordered = [term for label in classes.tolist() for term in rows[label]]
    lengths = [len(rows[label]) for label in classes.tolist()]
    return Specification(
        classes,
        tuple(parameters),
        tuple(columns),
        Terms(
            np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            np.array([k for k, _, _ in ordered], dtype=np.int64),
            np.array([c for _, c, _ in ordered], dtype=np.int64),
            np.array([factor for _, _, factor in ordered], dtype=np.float64),
        ),
    )


def _alternatives(utilities: Any) -> np.ndarray:
    if not isinstance(utilities, Mapping):
        raise ValueError(
            "utilities must be None or a dictionary {alternative: {parameter: column or number}}; "
            f"got {utilities!r}."
        )
    labels = [_plain(label) for label in utilities]
    if len(labels) < 2:
        raise ValueError(f"utilities must name at least two alternatives; got {labels}.")
    is_text = {isinstance(label, str) for label in labels}
    if is_text == {True} or all(isinstance(label, (bool, Real)) for label in labels):
        ordered = np.array(sorted(labels))
        if len(set(ordered.tolist())) == len(labels) and not (ordered != ordered).any():
            return ordered
    raise ValueError(
        f"utilities: alternatives must be all strings or all numbers, each once; got {labels}."
    )


def _plain(label: Any) -> Any:
    return label.item() if isinstance(label, np.generic) else label


def _term(label, name, term, parameters, columns) -> tuple[int, int, float]:
    """(parameter, column or -1, factor) of one term; new names get the next number."""
    if not isinstance(name, str):
        raise ValueError(f"utilities[{label!r}]: names of parameters are strings; got {name!r}.")
    k = parameters.setdefault(name, len(parameters))
    if isinstance(term, str):
        return k, columns.setdefault(term, len(columns)), 1.0
    is_number = isinstance(term, Real) and not isinstance(term, (bool, np.bool_))
    if is_number and np.isfinite(float(term)):
        return k, -1, float(term)
    raise ValueError(
        f"utilities[{label!r}][{name!r}] must be the name of a column (a string) or a finite "
        f"number (a constant); got {term!r}."
    )


def linear_utilities(
    alternatives: Iterable[Any],
    *,
    generic: Mapping[str, Any] | None = None,
    specific: Mapping[str, Any] | None = None,
    case: Iterable[str] | Mapping[str, str] = (),
    constants: bool = True,
    base: Any = None,
) -> dict[Any, dict[str, Any]]:
    """Write the usual utilities: constants, attributes and characteristics of the case.

    Parameters
    ----------
    alternatives : sequence of str or numbers
        The alternatives, at least two.
    generic : dict, default=None
        Attributes with one coefficient for all alternatives: name of the parameter -> column,
        where ``{alt}`` stands for the alternative, or -> a dictionary {alternative: column} for
        those that have the attribute.
    specific : dict, default=None
        The same for attributes with one coefficient per alternative, named ``name_alternative``.
    case : sequence of str or dict, default=()
        Columns that do not vary over the alternatives of a case (or a dictionary from names of
        parameters to columns). Each has one coefficient per alternative but the `base`, named
        ``name_alternative``.
    constants : bool, default=True
        Whether every alternative but the `base` has a constant, named ``asc_alternative``.
    base : label, default=None
        The alternative without constant and without coefficients of `case`; None is the first.

    Returns
    -------
    utilities : dict
        alternative -> {parameter: column or number}, the argument of `ConditionalLogit`.

    Raises
    ------
    ValueError
        An argument is out of its range, or two parameters would have the same name.

    Examples
    --------
    >>> from sksoftmax.choice import linear_utilities
    >>> utilities = linear_utilities(
    ...     ["car", "train"], generic={"time": "{alt}_time"}, case=["income"], base="car"
    ... )
    >>> utilities["car"]
    {'time': 'car_time'}
    >>> utilities["train"]
    {'asc_train': 1, 'time': 'train_time', 'income_train': 'income'}
    """
    labels = [_plain(label) for label in alternatives]
    if isinstance(alternatives, (str, Mapping)) or len(set(labels)) < max(2, len(labels)):
        raise ValueError(
            f"alternatives must be a list of at least two labels, each once; got {alternatives!r}."
        )
    base = labels[0] if base is None else _plain(base)
    if base not in labels:
        raise ValueError(f"base={base!r} is not among the alternatives {labels}.")
    if isinstance(case, str):
        raise ValueError(f"case must be a list of columns; got the string {case!r}.")
    for name, given in {"generic": generic, "specific": specific}.items():
        if not (given is None or isinstance(given, Mapping)):
            raise ValueError(f"{name} must be a dictionary {{parameter: column}}; got {given!r}.")
    of_case = dict(case) if isinstance(case, Mapping) else {name: name for name in case}
    utilities: dict[Any, dict[str, Any]] = {}
    for label in labels:
        found: list[tuple[str, Any]] = []
        if constants and label != base:
            found.append((f"asc_{label}", 1))
        for name, columns in (generic or {}).items():
            found += [(name, column) for column in _column_of(columns, name, label)]
        for name, columns in (specific or {}).items():
            found += [(f"{name}_{label}", column) for column in _column_of(columns, name, label)]
        if label != base:
            found += [(f"{name}_{label}", column) for name, column in of_case.items()]
        utilities[label] = _unique(found, label)
    return utilities


def _column_of(columns: Any, name: str, label: Any) -> list[Any]:
    """The column of an attribute for an alternative; none where a dictionary leaves it out."""
    if isinstance(columns, Mapping):
        return [columns[label]] if label in columns else []
    if isinstance(columns, str) and "{alt}" in columns:
        return [columns.replace("{alt}", str(label))]
    raise ValueError(
        f"{name}: expected a column with '{{alt}}' in place of the alternative, or a dictionary "
        f"{{alternative: column}}; got {columns!r}. (What does not vary over alternatives belongs "
        "into case=.)"
    )


def _unique(found: list[tuple[str, Any]], label: Any) -> dict[str, Any]:
    names = [name for name, _ in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            f"The utility of {label_text(label)} would have two parameters named {twice}; "
            "rename the attributes."
        )
    return dict(found)
