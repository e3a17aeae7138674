"""What a fitted model says about situations that differ from those of the data."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sksoftmax import _kernel
from sksoftmax._targets import check_sample_weight, label_text
from sksoftmax.choice._columns import as_table, check_availability
from sksoftmax.choice._parameters import NamedValues
from sksoftmax.choice._specification import parse_utilities

# A share to be met within this, and the Newton steps that may be taken to get there.
_SHARE_TOLERANCE, _MOST_STEPS = 1e-12, 100


@dataclass(frozen=True)
class Simulation:
    """Choice probabilities in a scenario.

    Parameters
    ----------
    classes : ndarray of shape (n_alternatives,)
        The alternatives of the scenario, sorted.
    utility : float64 ndarray of shape (n_samples, n_alternatives)
        Utilities, -inf where an alternative is unavailable.
    proba : float64 ndarray of shape (n_samples, n_alternatives)
        Choice probabilities; exactly 0 where an alternative is unavailable.

    Examples
    --------
    >>> import numpy as np
    >>> from sksoftmax.choice import Simulation
    >>> classes, utility = np.array(["bus", "car"]), np.zeros((2, 2))
    >>> Simulation(classes, utility, np.full((2, 2), 0.5)).shares()["bus"]
    0.5
    """

    classes: np.ndarray
    utility: np.ndarray
    proba: np.ndarray

    def shares(self, sample_weight: Any = None) -> NamedValues:
        """Return the (weighted) mean of the probabilities.

        Parameters
        ----------
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows, not all zero.

        Returns
        -------
        shares : NamedValues of length n_alternatives
            They sum to one.
        """
        weight, _ = check_sample_weight(sample_weight, len(self.proba))
        return NamedValues(
            self.classes.tolist(), np.average(self.proba, axis=0, weights=weight), "share"
        )


class PredictsScenarios:
    """Mixin: simulation, market shares, constants calibrated to known shares."""

    _model: Any
    classes_: np.ndarray
    params_: NamedValues
    n_jobs: int | None

    def simulate(
        self,
        X: Any,
        *,
        utilities: Mapping[Any, Mapping[str, Any]] | None = None,
        availability: Mapping[Any, str] | None = None,
    ) -> Simulation:
        """Predict choices among other alternatives than those of `fit`, with the same parameters.

        Parameters
        ----------
        X : data frame or array-like of shape (n_samples, n_features)
            One row per case, with the columns that the scenario uses.
        utilities : dict or None, default=None
            Those of the scenario, as for `ConditionalLogit`: alternatives may be new or gone, but
            parameters are those that were estimated. A number that is known (the constant of a new
            alternative, say) enters as a multiple of one of them. None: those of the model.
        availability : dict or None, default=None
            Alternative -> column, for the alternatives of the scenario. None: that of the model
            if `utilities` is None too, else all are available.

        Returns
        -------
        simulation : Simulation
            With `classes`, `utility`, `proba` and `shares`.

        Raises
        ------
        ValueError
            A parameter was not estimated, or the data lack a column.
        """
        model = self._wide_model("simulate")
        params = self.params_.to_dict()
        if utilities is not None:
            specification = parse_utilities(utilities)
            unknown = [name for name in specification.parameters if name not in params]
            if unknown:
                raise ValueError(
                    f"utilities: {unknown} are no parameters of the fitted model, which has "
                    f"{list(params)}."
                )
            model = replace(model, specification=specification, availability={})
        if availability is not None:
            model = replace(model, availability=check_availability(availability, model.classes))
        values = np.array([params[name] for name in model.names])
        utility = model.utility(as_table(X), values)
        return Simulation(model.classes, utility, _kernel.softmax(utility, n_threads=self.n_jobs))

    def shares(self, X: Any, sample_weight: Any = None) -> NamedValues:
        """Return predicted market shares: (weighted) means of the choice probabilities.

        Parameters
        ----------
        X : data frame or array-like of shape (n_samples, n_features)
            One row per case.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows, not all zero.

        Returns
        -------
        shares : NamedValues of length n_alternatives
            By alternative, in the order of `classes_`; they sum to one.
        """
        return self.simulate(X).shares(sample_weight)

    def calibrate_constants(
        self, X: Any, shares: Mapping[Any, float] | NamedValues, sample_weight: Any = None
    ) -> Self:
        """Return a copy of the model whose constants reproduce known market shares.

        A constant is a parameter that enters the utility of one alternative, as the number 1, and
        no other utility. At most one alternative may lack one; where all have one, that of the
        first keeps its value. Other parameters do not change.

        Parameters
        ----------
        X : data frame or array-like of shape (n_samples, n_features)
            The population, one row per case.
        shares : dict or NamedValues
            Alternative -> share, positive, of sum 1 within 1e-6.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows, not all zero.

        Returns
        -------
        model : ConditionalLogit
            A copy with other `params_`. It is no maximum likelihood estimate, so it has neither
            `results_` nor `loglik_`.

        Raises
        ------
        ValueError
            Shares that are not those of the alternatives, that no constants can reach, or an
            alternative without a constant.
        """
        model = self._wide_model("calibrate_constants")
        wanted = _check_shares(shares, model.classes)
        own = model.specification.own_constants()
        without = [j for j in range(len(model.classes)) if j not in own]
        if len(without) > 1:
            labels = ", ".join(label_text(model.classes[j]) for j in without)
            raise ValueError(
                f"calibrate_constants: alternatives {labels} have no constant of their own; "
                "at most one may lack it."
            )
        base = without[0] if without else 0
        utility = model.utility(as_table(X), self.params_.values)
        weight, _ = check_sample_weight(sample_weight, len(utility))
        weight = np.full(len(utility), 1.0) if weight is None else weight
        added = _constants_for(utility, wanted, weight / weight.sum(), base, self.n_jobs)
        params = self.params_.values.copy()
        for j, k in own.items():
            params[k] += added[j]
        calibrated = copy.copy(self)
        calibrated.params_ = NamedValues(self.params_.keys(), params, self.params_.name)
        for name in ("results_", "loglik_"):
            vars(calibrated).pop(name, None)
        return calibrated

    def _wide_model(self, method: str) -> Any:
        check_is_fitted(self)
        if not hasattr(self._model, "specification"):
            raise ValueError(
                f"{method} needs utilities, but this model was fitted to long data by fit_long; "
                "predict_proba_long predicts them."
            )
        return self._model


def _check_shares(shares: Any, classes: np.ndarray) -> np.ndarray:
    labels = classes.tolist()
    given = shares.to_dict() if hasattr(shares, "to_dict") else shares
    if not isinstance(given, Mapping) or set(given) != set(labels):
        raise ValueError(
            f"shares must be a dictionary {{alternative: share}} with the keys {labels}; "
            f"got {shares!r}."
        )
    values = np.array([float(given[label]) for label in labels])
    if not (values > 0).all() or not abs(values.sum() - 1) <= 1e-6:
        raise ValueError(f"shares must be positive and sum to 1; got {given!r}.")
    return values / values.sum()


def _constants_for(
    utility: np.ndarray, wanted: np.ndarray, weight: np.ndarray, base: int, n_jobs: int | None
) -> np.ndarray:
    """Constants c with sum_n w_n softmax(V_n + c) = wanted, c = 0 for the base.

    They minimize sum_n w_n logsumexp(V_n + c) - wanted' c, which is convex: Newton's method,
    halving steps that do not decrease it. Shares of any size are met to the same relative accuracy,
    so the curvature is brought to a unit diagonal before it is solved with.
    """
    constants, free = np.zeros(len(wanted)), np.arange(len(wanted)) != base
    value, proba = _logsum(utility, constants, wanted, weight, n_jobs)
    for _ in range(_MOST_STEPS):
        gap = weight @ proba - wanted
        if np.abs(gap / wanted).max() <= _SHARE_TOLERANCE:
            return constants
        curvature = (np.diag(weight @ proba) - (proba.T * weight) @ proba)[np.ix_(free, free)]
        unit = np.sqrt(np.maximum(np.diag(curvature), np.finfo(float).tiny))
        step = np.zeros(len(wanted))
        scaled = curvature / unit / unit[:, None]
        step[free] = -np.linalg.lstsq(scaled, gap[free] / unit, rcond=None)[0] / unit
        size, limit = 1.0, np.abs(step).max()
        size = min(1.0, 10.0 / limit) if limit > 0 else 1.0
        while size > 1e-10:
            trial, trial_proba = _logsum(utility, constants + size * step, wanted, weight, n_jobs)
            if trial <= value + 1e-15 * abs(value):
                break
            size /= 2
        else:
            break
        constants, value, proba = constants + size * step, trial, trial_proba
    gap = weight @ proba - wanted
    if np.abs(gap / wanted).max() <= 1e-9:
        return constants
    raise ValueError(
        "shares: no constants reach them; an alternative's share exceeds that of the cases to "
        "which it is available, or cases without another choice exceed its share."
    )


def _logsum(
    utility: np.ndarray,
    constants: np.ndarray,
    wanted: np.ndarray,
    weight: np.ndarray,
    n_jobs: int | None,
) -> tuple[float, np.ndarray]:
    moved = utility + constants
    value = float(weight @ _kernel.logsumexp(moved, n_threads=n_jobs) - wanted @ constants)
    return value, _kernel.softmax(moved, n_threads=n_jobs)
