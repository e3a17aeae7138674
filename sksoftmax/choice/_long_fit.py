"""Fitting long data as they are: generic coefficients, choice sets of any size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from sksoftmax import _kernel
from sksoftmax._estimator import restores_on_failure
from sksoftmax._objective import Choices, UtilityObjective
from sksoftmax._targets import check_sample_weight
from sksoftmax.choice._columns import find_columns, float_column
from sksoftmax.choice._estimate import _MOST_CELLS, Observed
from sksoftmax.choice._long import (
    Cases,
    alternatives_of_rows,
    check_features_list,
    check_frame,
    chosen_positions,
    constant_within,
    feature_values,
    find_cases,
    id_column,
    take_rows,
)
from sksoftmax.choice._model import FitsChoices, Settings
from sksoftmax.inference._clusters import number_groups
from sksoftmax.inference._estimate import Design, Estimate


@dataclass(frozen=True)
class LongModel(FitsChoices):
    """Generic coefficients of the features of long data: the model that inference sees.

    It holds no data. Where others take rows of cases it takes a long frame, which names the
    choices too.
    """

    classes: np.ndarray
    names: tuple[str, ...]  # features
    columns: Mapping[str, str | None]  # case, alternative, chosen, weights, panel
    settings: Settings
    name: str = "ConditionalLogit"

    @property
    def has_column(self) -> np.ndarray:
        """Every parameter stands beside a column."""
        return np.ones(len(self.names), dtype=bool)

    def has_parameter(self, alternative: int, parameters: tuple[int, ...]) -> bool:
        """Generic coefficients are no alternative's own."""
        return False

    def observe(self, frame: Any, y: Any = None, sample_weight: Any = None) -> Observed:
        """Choices and all that belongs to them: choices and weights are columns of the frame."""
        if y is not None or sample_weight is not None:
            raise ValueError(
                "y and sample_weight must be None: long data have them in their columns."
            )
        check_frame(frame)
        name: Any = self.columns
        cases = find_cases(frame, name["case"])
        labels, number = alternatives_of_rows(frame, cases, name["alternative"])
        position = chosen_positions(frame, cases, name["chosen"])
        codes = number[cases.row_ptr[:-1] + position]
        weight = self._weights(frame, cases, codes, labels)
        values = feature_values(frame, cases, self.names)
        choices = Choices(values, cases.row_ptr, position, len(self.names), weight=weight)
        alpha = self.inverse_C() / choices.weight_sum
        objective = UtilityObjective(choices, alpha=alpha, n_threads=self.settings.n_jobs)
        groups = None
        if name["panel"] is not None:
            panel = id_column(frame, name["panel"], "panel")
            panel = constant_within(panel, cases, "panel", name["panel"])
            groups = number_groups(panel, len(codes), "panel")
        has_sets = len(codes) * len(labels) <= _MOST_CELLS
        available = _available(cases, number, len(labels)) if has_sets else None
        return Observed(objective, codes, available, groups, len(labels), has_sets)

    def _weights(self, frame: Any, cases: Cases, codes: Any, labels: Any) -> np.ndarray | None:
        name, weight, exponent = self.columns["weights"], None, 0
        if name is not None:
            (j,) = find_columns(frame, [name], "weights")
            column = float_column(frame, j, "weights")
            weight = constant_within(column, cases, "weights", name)
            weight, exponent = check_sample_weight(weight, len(codes))
        return self.finish_weights(weight, exponent, codes, labels)

    def design(self, frame: Any) -> Design:
        """The features of a long frame, (n_cases, n_alternatives, n_features)."""
        check_frame(frame)
        name: Any = self.columns
        cases = find_cases(frame, name["case"])
        labels, number = alternatives_of_rows(frame, cases, name["alternative"])
        unknown = [label for label in labels.tolist() if label not in self.classes.tolist()]
        if unknown:
            raise ValueError(f"alternative: {unknown} did not occur in the fit.")
        column = np.searchsorted(self.classes, labels)[number]
        values = np.zeros((len(cases.ids), len(self.classes), len(self.names)))
        available = np.zeros(values.shape[:2], dtype=bool)
        values[cases.case_of_row, column] = feature_values(frame, cases, self.names)
        available[cases.case_of_row, column] = True
        return Design(values, available)

    def refit(
        self, frame: Any, y: Any = None, sample_weight: Any = None, *, without: Any = None
    ) -> Estimate:
        """The same features on these data; `without` takes an alternative away."""
        if without is not None:
            frame = self._drop(frame, without)
        return self.fit(self.observe(frame, y, sample_weight))[1]

    def _drop(self, frame: Any, without: Any) -> Any:
        """Without an alternative's rows, and without all rows of the cases that chose it."""
        name: Any = self.columns
        cases = find_cases(frame, name["case"])
        labels, number = alternatives_of_rows(frame, cases, name["alternative"])
        if without not in labels.tolist():
            raise ValueError(f"without={without!r} is no alternative; there are {labels.tolist()}.")
        gone = number == labels.tolist().index(without)
        chosen = cases.row_ptr[:-1] + chosen_positions(frame, cases, name["chosen"])
        rows = ~gone & ~gone[chosen][cases.case_of_row]
        return take_rows(frame, np.flatnonzero(cases.put_back(rows)))

    def evaluate(
        self,
        frame: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        params: Mapping[str, float],
        utilities: Any = None,
    ) -> Estimate:
        """What a fit would say at these values; `utilities` is another list of features."""
        model = self if utilities is None else replace(self, names=check_features_list(utilities))
        return model.at(params, model.observe(frame, y, sample_weight))


def _available(cases: Cases, number: np.ndarray, n_alternatives: int) -> np.ndarray:
    available = np.zeros((len(cases.ids), n_alternatives), dtype=bool)
    available[cases.case_of_row, number] = True
    return available


class FitsLongData:
    """Mixin: fit and predict long data, which never become wide."""

    _model: Any
    utilities: Any
    n_jobs: int | None

    @restores_on_failure
    def fit_long(
        self,
        frame: Any,
        *,
        case: str,
        alternative: str,
        chosen: str,
        features: Sequence[str],
        weights: str | None = None,
        panel: str | None = None,
    ) -> Self:
        """Estimate one coefficient per feature from one row per case and alternative.

        For constants, or coefficients that belong to some alternatives, add columns that are zero
        in the rows of the others; or use `long_to_wide`. `utilities` and `availability` must be
        None: the alternatives of a case are those that have a row.

        Parameters
        ----------
        frame : data frame (pandas or polars)
            Rows in any order, choice sets of any size.
        case, alternative, chosen : str
            Columns: whose case it is (any type), which alternative (strings or numbers), and 1 (or
            True) in the row that was chosen.
        features : sequence of str
            Columns of the attributes; they name the parameters.
        weights : str or None, default=None
            Column of weights; the same in all rows of a case.
        panel : str or None, default=None
            Column of persons; overrides the parameter `panel`.

        Returns
        -------
        self : ConditionalLogit
            The fitted model. `classes_` are the sorted alternatives.

        Raises
        ------
        ValueError
            A case has no choice, several, or an alternative twice; a value is missing; a weight
            or a panel varies within a case: the ids of the cases are named.
        """
        settings = self._check_parameters()  # type: ignore[attr-defined]
        for name in ("utilities", "availability"):
            if getattr(self, name) is not None:
                raise ValueError(f"{name} must be None for fit_long, which has generic features.")
        check_frame(frame)
        panel = settings.panel if panel is None else panel
        settings = replace(settings, panel=panel)
        self._check_covariance(settings, None)  # type: ignore[attr-defined]
        names = check_features_list(features)
        unknown = [name for name in settings.fixed if name not in names]
        if unknown:
            raise ValueError(f"fixed: {unknown} are no features; there are {list(names)}.")
        validate_data(self, frame, skip_check_array=True)
        roles = ("case", "alternative", "chosen", "weights", "panel")
        columns = dict(zip(roles, (case, alternative, chosen, weights, panel), strict=True))
        labels, _ = alternatives_of_rows(frame, find_cases(frame, case), alternative)
        model = LongModel(labels, names, columns, settings)
        observed = model.observe(frame)
        solution = self._solve(model, observed)  # type: ignore[attr-defined]
        return self._unpack(model, observed, *solution)  # type: ignore[attr-defined]

    def predict_proba_long(self, frame: Any) -> Any:
        """Return the choice probability of each row of long data.

        Parameters
        ----------
        frame : data frame (pandas or polars)
            Rows in any order, with the columns of cases and features that `fit_long` was given.

        Returns
        -------
        proba : Series of length n_rows
            Of the library of `frame`, with its index; of each case they sum to one.
        """
        check_is_fitted(self)
        if not isinstance(self._model, LongModel):
            raise ValueError("predict_proba_long needs a model that was fitted by fit_long.")
        check_frame(frame)
        model: LongModel = self._model
        cases = find_cases(frame, str(model.columns["case"]))
        utility = np.zeros(frame.shape[0])
        params: np.ndarray = self.params_.values  # type: ignore[attr-defined]
        for k, name in enumerate(model.names):
            utility += params[k] * feature_values(frame, cases, [name])[:, 0]
        proba = _kernel.softmax(utility, row_ptr=cases.row_ptr, n_threads=self.n_jobs)
        proba = cases.put_back(proba)
        if hasattr(frame, "iloc"):
            series = type(frame.iloc[:, 0])
            return series(proba, index=frame.index, name="proba")
        return type(frame[frame.columns[0]])("proba", proba)
