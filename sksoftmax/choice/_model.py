"""A choice model as a specification with settings: what reads data, fits, and predicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sksoftmax._class_weights import weigh_classes
from sksoftmax._objective import Choices, UtilityObjective
from sksoftmax._solvers import ChoiceFit, solve_choice
from sksoftmax._targets import check_sample_weight, known_codes, label_text
from sksoftmax.choice._columns import (
    CaseTable,
    as_table,
    column_at,
    design_of,
    find_columns,
    read_cases,
    utilities_of,
)
from sksoftmax.choice._estimate import Observed, make_estimate
from sksoftmax.choice._specification import Specification, parse_utilities
from sksoftmax.inference._clusters import number_groups
from sksoftmax.inference._estimate import Design, Estimate


@dataclass(frozen=True)
class Settings:
    """What `ConditionalLogit` was told, checked."""

    fixed: Mapping[str, float]
    C: float = np.inf
    weight_type: str = "frequency"
    class_weight: Any = None
    panel: str | None = None
    tol: float = 1e-8
    max_iter: int = 100
    n_jobs: int | None = None


class FitsChoices:
    """What models of wide and of long data do alike, given names, settings and `has_column`."""

    names: Any
    settings: Any
    has_column: Any

    @property
    def is_free(self) -> np.ndarray:
        """Which parameters are not fixed."""
        return np.array([name not in self.settings.fixed for name in self.names])

    def inverse_C(self) -> np.ndarray:
        """The Hessian of the penalty, on the diagonal: none on constants and fixed parameters."""
        return np.where(self.has_column & self.is_free, 1.0 / self.settings.C, 0.0)

    def finish_weights(
        self, weight: np.ndarray | None, exponent: int, codes: np.ndarray, classes: np.ndarray
    ) -> np.ndarray | None:
        """Weights times those of the chosen classes; sums of their squares must be finite."""
        weight = weigh_classes(weight, codes, self.settings.class_weight, classes)
        if weight is None:
            return None
        with np.errstate(over="ignore"):
            weight = np.ldexp(weight, exponent)
            if not np.isfinite((weight * weight).sum()):
                raise ValueError("sample_weight: sums of squared weights overflow; divide them.")
        return weight

    def _values(self, params: Mapping[str, float]) -> np.ndarray:
        return np.array([float(params.get(name, 0.0)) for name in self.names])

    def fit(
        self, observed: Observed, start: Mapping[str, float] | None = None, progress: Any = None
    ) -> tuple[ChoiceFit, Estimate]:
        """Maximise the (penalised) likelihood."""
        settings = self.settings
        fit = solve_choice(
            observed.objective,
            free=self.is_free,
            values=self._values(settings.fixed),
            tol=settings.tol,
            max_iter=settings.max_iter,
            start=None if start is None else self._values(start),
            progress=progress,
        )
        return fit, self._estimate(
            observed,
            fit.params,
            fit.derivatives,
            is_estimable=fit.is_estimable,
            n_iter=fit.n_iter,
            gradient_norm=fit.gradient_norm,
            converged=fit.converged,
        )

    def at(self, params: Mapping[str, float], observed: Observed) -> Estimate:
        """What a fit would say at these values, without iterating."""
        unknown = [name for name in params if name not in self.names]
        if unknown:
            raise ValueError(
                f"params: {unknown} are no parameters of the model, which has {list(self.names)}."
            )
        return self._estimate(
            observed,
            self._values(params),
            None,
            is_estimable=np.ones(len(self.names), dtype=bool),
            n_iter=0,
            gradient_norm=0.0,
            converged=True,
        )

    def _estimate(self, observed: Observed, params: Any, derivatives: Any, **how: Any) -> Estimate:
        return make_estimate(
            observed,
            params,
            derivatives,
            names=self.names,
            is_free=self.is_free,
            inverse_C=self.inverse_C(),
            weight_type=self.settings.weight_type,
            model=self,
            **how,
        )


@dataclass(frozen=True)
class ChoiceModel(FitsChoices):
    """A specification over columns of X, one row per case: the model that inference sees.

    It holds no data.
    """

    specification: Specification
    availability: Mapping[Any, str]
    settings: Settings
    array_names: tuple[str, ...] | None = None  # of the columns of an array; None: x0, x1, ...
    name: str = "ConditionalLogit"

    @property
    def classes(self) -> np.ndarray:
        """The alternatives, sorted."""
        return self.specification.classes

    @property
    def names(self) -> tuple[str, ...]:
        """All parameters, in order of first appearance."""
        return self.specification.parameters

    # --- data ---

    def read(self, X: Any) -> CaseTable:
        """The columns that the model uses, checked."""
        return read_cases(as_table(X), self.specification, self.availability, self.array_names)

    def observe(
        self, X: Any, y: np.ndarray, sample_weight: Any = None, groups: Any = None
    ) -> Observed:
        """Choices and all that belongs to them.

        1. the columns that utilities use
        2. chosen alternatives, which must be available
        3. weights, those of classes included
        4. panels
        """
        X = as_table(X)
        table = self.read(X)  # 1
        codes = known_codes(y, self.classes)  # 2
        _check_chosen(codes, table.available, self.classes)
        weight, exponent = check_sample_weight(sample_weight, len(codes))  # 3
        weight = self.finish_weights(weight, exponent, codes, self.classes)
        spec = self.specification
        choices = Choices.wide(
            table.values,
            codes,
            spec.terms,
            len(spec.parameters),
            available=table.available,
            weight=weight,
        )
        total = choices.weight_sum
        objective = UtilityObjective(
            choices,
            largest=table.largest,
            alpha=self.inverse_C() / total,
            n_threads=self.settings.n_jobs,
        )
        found = self._groups(X, groups, len(codes))  # 4
        return Observed(objective, codes, table.available, found, len(self.classes))

    def _groups(self, X: Any, groups: Any, n_cases: int) -> np.ndarray | None:
        if groups is not None:
            return number_groups(groups, n_cases, "groups")
        panel = self.settings.panel
        if panel is None:
            return None
        (j,) = find_columns(X, [panel], "panel")
        return number_groups(column_at(X, j), n_cases, f"panel: column {panel!r}")

    @property
    def has_column(self) -> np.ndarray:
        """Which parameters stand beside a column somewhere."""
        return self.specification.has_column

    # --- what inference asks ---

    def design(self, X: Any) -> Design:
        """dV / d parameter of new rows, (n, J, P), and which alternatives are available."""
        table = self.read(X)
        values = design_of(table, self.specification.terms, len(self.names))
        available = table.available
        if available is None:
            available = np.ones(values.shape[:2], dtype=bool)
        return Design(values, available)

    def refit(self, X: Any, y: Any, sample_weight: Any = None, *, without: Any = None) -> Estimate:
        """The same specification on these data; `without` takes an alternative away."""
        if without is None:
            return self.fit(self.observe(X, np.asarray(y), sample_weight))[1]
        others = {k: v for k, v in self.availability.items() if k != without}
        specification = self.specification.without(without)
        fixed = self.settings.fixed
        kept = {name: fixed[name] for name in fixed if name in specification.parameters}
        smaller = replace(
            self,
            specification=specification,
            availability=others,
            settings=replace(self.settings, fixed=kept),
        )
        y = np.asarray(y)
        rows = np.flatnonzero(y != without)
        X = as_table(X)
        X = X.iloc[rows] if hasattr(X, "iloc") else X[rows]
        weight = None if sample_weight is None else np.asarray(sample_weight)[rows]
        return smaller.fit(smaller.observe(X, y[rows], weight))[1]

    def evaluate(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        params: Mapping[str, float],
        utilities: Any = None,
    ) -> Estimate:
        """What a fit would say at these values, without iterating."""
        model = self
        if utilities is not None:
            specification = parse_utilities(utilities)
            if specification.classes.tolist() != self.classes.tolist():
                raise ValueError(
                    f"utilities must be of the same alternatives {self.classes.tolist()}; got "
                    f"{specification.classes.tolist()}."
                )
            model = replace(self, specification=specification)
        return model.at(params, model.observe(X, np.asarray(y), sample_weight))

    def has_parameter(self, alternative: int, parameters: tuple[int, ...]) -> bool:
        """Does one of the parameters stand in the utility of the alternative?"""
        ptr, parameter = self.specification.terms.ptr, self.specification.terms.parameter
        mine = parameter[ptr[alternative] : ptr[alternative + 1]]
        return bool(np.isin(mine, parameters).any())

    # --- prediction ---

    def utility(self, X: Any, params: np.ndarray) -> np.ndarray:
        """(n_cases, n_alternatives), -inf where unavailable."""
        table = self.read(X)
        return utilities_of(table, self.specification.terms, params, len(self.classes))


def _check_chosen(codes: np.ndarray, available: np.ndarray | None, classes: np.ndarray) -> None:
    if available is None:
        return
    wrong = np.flatnonzero(~available[np.arange(len(codes)), codes])
    if len(wrong):
        shown = ", ".join(
            f"{row} ({label_text(classes[codes[row]])})" for row in wrong[:5].tolist()
        )
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise ValueError(
            f"availability: the chosen alternative is unavailable in rows {shown}{more}. Drop "
            "these rows, or correct y or the availability."
        )
