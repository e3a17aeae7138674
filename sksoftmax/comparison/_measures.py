"""How good the probabilities of two models are, row by row, and the paired differences."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from sksoftmax.comparison._pair import Predicted
from sksoftmax.metrics import Estimate
from sksoftmax.metrics._bins import Binning, cells_of, top_label_sums
from sksoftmax.metrics._calibration_report import error_estimate
from sksoftmax.metrics._estimates import clipped, mean_estimate, share_estimate
from sksoftmax.metrics._predictions import Predictions, check_predictions

# Resamples for the interval of the difference of two calibration errors.
_RESAMPLES = 200


class Compared(NamedTuple):
    """A quantity of both models, and one-vs-rest minus softmax on the same rows.

    Parameters
    ----------
    softmax, one_vs_rest, difference : Estimate
        Value, low and high; NaN where there is no interval.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax import OneVsRestComparator
    >>> X, y = load_iris(return_X_y=True)
    >>> report = OneVsRestComparator().fit(X, y).report(X, y, n_bootstrap=0)
    >>> report["nll"].softmax.value < report["nll"].one_vs_rest.value
    True
    """

    softmax: Estimate
    one_vs_rest: Estimate
    difference: Estimate


def compare_metrics(
    predicted: Predicted, binning: Binning, z: float, rng: np.random.Generator
) -> dict[str, Compared]:
    """Log-loss, Brier score, accuracy and ECE, each with paired differences.

    Rows are taken as independent: the models, or those of the folds, as given.
    """
    logs = predicted.softmax, predicted.one_vs_rest
    one, other = (_predictions(predicted, log_proba) for log_proba in logs)
    kept = slice(None) if one.kept is None else one.kept
    own = np.arange(len(predicted.target))[kept], predicted.target[kept]
    losses = [0.0 - log_proba[own] for log_proba in logs]
    weight = one.weight

    def compared(rows: list[np.ndarray], most: float) -> Compared:
        a, b = (clipped(mean_estimate(values, weight, z), 0, most) for values in rows)
        return Compared(a, b, mean_estimate(rows[1] - rows[0], weight, z))

    hits = [one.correct.astype(float), other.correct.astype(float)]
    return {
        "nll": compared(losses, np.inf),
        "brier": compared([one.brier, other.brier], 2),
        "accuracy": Compared(
            share_estimate(one.correct, weight, z),
            share_estimate(other.correct, weight, z),
            mean_estimate(hits[1] - hits[0], weight, z),
        ),
        "ece": _calibration_errors(one, other, binning, z, rng),
    }


def _predictions(predicted: Predicted, log_proba: np.ndarray) -> Predictions:
    labels = np.arange(log_proba.shape[1])
    checked = check_predictions(
        predicted.target, np.exp(log_proba), sample_weight=predicted.weight, labels=labels
    )
    kept = slice(None) if checked.kept is None else checked.kept
    return replace(checked, predicted=log_proba[kept].argmax(axis=1))


def _calibration_errors(
    one: Predictions, other: Predictions, binning: Binning, z: float, rng: np.random.Generator
) -> Compared:
    """The plug-in errors; the standard error of their difference is that of paired resamples."""
    a, b = (error_estimate(cells_of(each, "top_label", binning), z) for each in (one, other))
    weight = np.ones(one.n_samples) if one.weight is None else one.weight
    differences = np.empty(_RESAMPLES)
    chance = np.full(len(weight), 1 / len(weight))
    for i in range(_RESAMPLES):
        drawn = weight * rng.multinomial(len(weight), chance)
        errors = [_plug_in_error(each, drawn, binning) for each in (one, other)]
        differences[i] = errors[1] - errors[0]
    value, half = b.value - a.value, z * float(differences.std(ddof=1))
    return Compared(a, b, Estimate(value, value - half, value + half))


def _plug_in_error(predictions: Predictions, weight: np.ndarray, binning: Binning) -> float:
    sums = top_label_sums(predictions.confidence, predictions.correct, weight, binning)
    total, _, confidence, hits = sums.reshape(-1, 4).T
    return float(np.abs(hits - confidence).sum() / total.sum())


@dataclass(frozen=True)
class Decisions:
    """Where the two models decide for different classes.

    Attributes
    ----------
    differ : Estimate, the share of such rows
    softmax_right, one_vs_rest_right : float, of these rows, by whom the label is found
    """

    differ: Estimate
    softmax_right: float
    one_vs_rest_right: float


def compare_decisions(predicted: Predicted, z: float) -> Decisions:
    """The share of rows with different decisions, and who is right there."""
    weight, target = predicted.weight, predicted.target
    one, other = predicted.softmax.argmax(axis=1), predicted.one_vs_rest.argmax(axis=1)
    differ = one != other
    weights = np.ones(len(target)) if weight is None else weight
    total = weights[differ].sum()

    def right(decided: np.ndarray) -> float:
        hit = weights[differ & (decided == target)].sum()
        return float(hit / total) if total > 0 else float("nan")

    return Decisions(share_estimate(differ, weight, z), right(one), right(other))


QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


@dataclass(frozen=True)
class Mass:
    """Sums of the probabilities of one-vs-rest over the classes, before they are divided by it.

    Attributes
    ----------
    values : ndarray of shape (n_samples,)
    mean : float
    quantiles : dict of float to float, at 0, 0.05, 0.25, 0.5, 0.75, 0.95 and 1
    far : float, share of the rows whose sum is off 1 by more than a tenth
    """

    values: np.ndarray
    mean: float
    quantiles: dict[float, float]
    far: float


def total_mass(predicted: Predicted) -> Mass:
    """The distribution of the sums over the rows."""
    mass = predicted.mass
    weight = np.ones(len(mass)) if predicted.weight is None else predicted.weight
    order = np.argsort(mass, kind="stable")
    order = order[weight[order] > 0]
    below = np.cumsum(weight[order]) / weight.sum()
    positions = np.minimum(np.searchsorted(below, QUANTILES), len(order) - 1)
    return Mass(
        mass,
        float(np.average(mass, weights=weight)),
        dict(zip(QUANTILES, mass[order][positions].tolist(), strict=True)),
        float(np.average(np.abs(mass - 1) > 0.1, weights=weight)),
    )
