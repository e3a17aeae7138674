"""Elasticities and marginal effects: by observation, averaged, with delta-method errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtr

from sksoftmax._tables import Row, Table, import_pandas, number, p_text
from sksoftmax.inference import _responses
from sksoftmax.inference._covariance import Covariance
from sksoftmax.inference._estimate import Estimate
from sksoftmax.inference._responses import Block, Shifts


class Average(NamedTuple):
    """A mean over the observations for each alternative, and its delta-method standard error.

    Parameters
    ----------
    values, standard_errors : ndarray of shape (n_alternatives,)
        NaN where an alternative was never available; errors are also NaN where they depend on
        parameters that the data do not determine.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax import MultinomialLogit
    >>> X, y = load_iris(return_X_y=True)
    >>> results = MultinomialLogit(C=float("inf")).infer(X[50:, :2], y[50:])
    >>> values, standard_errors = results.marginal_effects(X[50:, :2], "x0").average
    >>> standard_errors.round(3)
    array([0.071, 0.071])
    """

    values: np.ndarray
    standard_errors: np.ndarray


class Effects:
    """What a column does to every alternative; `elasticities` and `marginal_effects` make it.

    Parameters
    ----------
    kind : str
        "elasticity", "marginal effect" or "discrete change".
    column : str or int
        Of X.
    alternatives : ndarray of shape (n_alternatives,)
        Labels.
    by_observation : ndarray of shape (n_samples, n_alternatives)
        NaN where an alternative is unavailable (marginal effects are 0 there).
    average : Average
        Mean over the observations in which an alternative is available (marginal effects: over
        all).
    weighted : Average, or None
        Of elasticities, weighted by probability: sum w p e / sum w p, the elasticity of the total
        share.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax import MultinomialLogit
    >>> X, y = load_iris(return_X_y=True)
    >>> results = MultinomialLogit(C=float("inf")).infer(X[50:, :2], y[50:])
    >>> effects = results.marginal_effects(X[50:, :2], "x0")
    >>> effects.average.values.round(3)
    array([-0.355,  0.355])
    """

    def __init__(
        self,
        kind: str,
        column: Any,
        alternatives: np.ndarray,
        by_observation: np.ndarray,
        average: Average,
        weighted: Average | None,
    ) -> None:
        self.kind = kind
        self.column = column
        self.alternatives = alternatives
        self.by_observation = by_observation
        self.average = average
        self.weighted = weighted

    def to_frame(self) -> Any:
        """Return the averages as a pandas DataFrame, a row for each alternative.

        Returns
        -------
        frame : pandas.DataFrame
            ``average`` and ``std_err``; of elasticities also ``weighted`` and
            ``weighted_std_err``. Needs pandas (``pip install "sksoftmax[pandas]"``).
        """
        pandas = import_pandas("Effects.to_frame")
        columns = {"average": self.average.values, "std_err": self.average.standard_errors}
        if self.weighted is not None:
            columns["weighted"] = self.weighted.values
            columns["weighted_std_err"] = self.weighted.standard_errors
        index = pandas.Index(self.alternatives, name="alternative")
        return pandas.DataFrame(columns, index=index)

    def __repr__(self) -> str:
        return self._table().text()

    def _repr_html_(self) -> str:
        return self._table().html()

    def _table(self) -> Table:
        shown = {"average": self.average} | (
            {} if self.weighted is None else {"weighted": self.weighted}
        )
        heads = [""]
        for name in shown:
            heads += [name, "std err", "z", "p"]
        rows = []
        for j, label in enumerate(self.alternatives.tolist()):
            cells = [str(label)]
            for average in shown.values():
                value, error = average.values[j], average.standard_errors[j]
                z = value / error if error > 0 else np.nan
                p = 2 * ndtr(-abs(z))
                cells += [number(value, 4), number(error, 4), number(z, 2), p_text(p)]
            rows.append(Row(cells))
        column = f"x{self.column}" if isinstance(self.column, int) else self.column
        title = {"elasticity": "Elasticities", "marginal effect": "Average marginal effects"}
        title |= {"discrete change": "Average effects of a change from 0 to 1"}
        note = "weighted: by probability, which gives the elasticity of the total share."
        notes = [] if self.weighted is None else [note]
        return Table(f"{title[self.kind]} of {column}", heads, rows, notes)


class _Sums:
    """Running sums of w values over what counts, and their derivatives."""

    def __init__(self, n_alternatives: int, n_parameters: int) -> None:
        self.total = np.zeros(n_alternatives)
        self.weight = np.zeros(n_alternatives)
        self.total_jacobian = np.zeros((n_alternatives, n_parameters))
        self.weight_jacobian = np.zeros((n_alternatives, n_parameters))

    def add(self, weight, values, jacobian, weight_jacobian=None) -> None:
        """`weight` (b, J) with its derivatives, if it has any; NaN values do not count."""
        counts = ~np.isnan(values)
        weight = np.where(counts, weight, 0.0)
        values = np.where(counts, values, 0.0)
        self.total += (weight * values).sum(axis=0)
        self.weight += weight.sum(axis=0)
        self.total_jacobian += np.einsum("nj,njp->jp", weight, jacobian)
        if weight_jacobian is not None:
            weight_jacobian = np.where(counts[:, :, None], weight_jacobian, 0.0)
            self.total_jacobian += np.einsum("nj,njp->jp", values, weight_jacobian)
            self.weight_jacobian += weight_jacobian.sum(axis=0)

    def average(self, covariance: Covariance) -> Average:
        """total / weight; its derivative by the quotient rule."""
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = self.total / self.weight
            jacobian = self.total_jacobian - mean[:, None] * self.weight_jacobian
            jacobian /= self.weight[:, None]
        return Average(mean, delta_errors(jacobian, covariance))


def delta_errors(jacobian: np.ndarray, covariance: Covariance) -> np.ndarray:
    """sqrt(J V J'), row by row; NaN where a row depends on what the data do not determine."""
    variance = np.einsum("jp,pq,jq->j", jacobian, covariance.matrix, jacobian)
    known = covariance.determines(np.nan_to_num(jacobian))
    return np.where(known, np.sqrt(np.maximum(variance, 0.0)), np.nan)


def elasticities(
    estimate: Estimate,
    covariance: Covariance,
    X: Any,
    column: Any,
    sample_weight: Any,
    transform: Any,
) -> Effects:
    shifts = _responses.continuous_shifts(X, column, transform)
    found = _responses.elasticities(estimate.model, estimate.params, shifts)
    return _collect("elasticity", estimate, covariance, column, shifts, found, sample_weight)


def marginal_effects(
    estimate: Estimate,
    covariance: Covariance,
    X: Any,
    column: Any,
    sample_weight: Any,
    transform: Any,
) -> Effects:
    if _responses.is_binary(X, column):
        kind, shifts = "discrete change", _responses.discrete_shifts(X, column, transform)
        found = _responses.discrete_effects(estimate.model, estimate.params, shifts)
    else:
        kind, shifts = "marginal effect", _responses.continuous_shifts(X, column, transform)
        found = _responses.marginal_effects(estimate.model, estimate.params, shifts)
    return _collect(kind, estimate, covariance, column, shifts, found, sample_weight)


def _collect(
    kind: str,
    estimate: Estimate,
    covariance: Covariance,
    column: Any,
    shifts: Shifts,
    found: Iterator[Block],
    sample_weight: Any,
) -> Effects:
    """Fill the observations and the sums, block by block."""
    n_samples, classes = len(shifts.x), estimate.model.classes
    weight = check_weight(sample_weight, n_samples)
    values = np.empty((n_samples, len(classes)))
    plain = _Sums(len(classes), len(estimate.names))
    by_proba = _Sums(len(classes), len(estimate.names))
    for block in found:
        values[block.rows] = block.values
        w = weight[block.rows, None]
        plain.add(np.broadcast_to(w, block.values.shape), block.values, block.jacobian)
        if kind == "elasticity":
            by_proba.add(
                w * block.proba, block.values, block.jacobian, w[:, :, None] * block.proba_jacobian
            )
    return Effects(
        kind,
        column,
        classes,
        values,
        plain.average(covariance),
        by_proba.average(covariance) if kind == "elasticity" else None,
    )


def check_weight(sample_weight: Any, n_samples: int) -> np.ndarray:
    """Weights of the observations of an average, ones if None."""
    if sample_weight is None:
        return np.ones(n_samples)
    weight = np.asarray(sample_weight, dtype=np.float64)
    good = weight.shape == (n_samples,) and np.isfinite(weight).all() and (weight >= 0).all()
    if not good or weight.sum() == 0:
        raise ValueError(
            f"sample_weight must be {n_samples} finite numbers >= 0, not all 0, one for each row "
            f"of X; got an array of shape {weight.shape}."
        )
    return weight
