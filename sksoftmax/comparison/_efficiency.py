"""How precise the two models are where the softmax is true: a parametric bootstrap."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import clone

from sksoftmax.comparison._pair import Pair, Rows

# Rows at which the variance of probabilities is looked at.
_MOST_ROWS = 2000


@dataclass(frozen=True)
class Efficiency:
    """One-vs-rest over softmax, both fitted to labels that were drawn from the fitted softmax.

    Attributes
    ----------
    n_bootstrap : int
        How often labels were drawn for the same rows.
    coefficient_variance : float
        Ratio of the noise in the slopes of log-odds between classes, w_a - w_b: the sum of their
        variances over the sum of their squared means, each feature in its standard deviations. The
        two models measure on different scales; this has none.
    proba_variance : float
        Ratio of the mean variance of the probabilities.
    proba_error : float
        Ratio of the mean squared error of the probabilities, against those that labels were drawn
        from: variance, and what one-vs-rest is off whatever the number of rows.
    """

    n_bootstrap: int
    coefficient_variance: float
    proba_variance: float
    proba_error: float


def bootstrap_efficiency(
    pair: Pair, rows: Rows, n_bootstrap: int, rng: np.random.Generator
) -> Efficiency:
    """Draw labels from the softmax, fit both models to them, and look at what they found.

    1. truth   the probabilities of the fitted softmax
    2. draw    a label for each row; every class once at least, as in the data
    3. fit     both, from where the draw before ended
    4. ratios  of variances over the draws, and of squared errors
    """
    truth = np.exp(pair.log_proba(rows)[0])  # 1
    chosen = np.sort(rng.permutation(len(rows.y))[:_MOST_ROWS])
    looked_at, spread = rows.take(chosen), _spread(rows)
    models = Pair(*(clone(m).set_params(warm_start=True) for m in (pair.softmax, pair.one_vs_rest)))
    models.fit(rows)
    slopes: list[Any] = [[], []]
    moments = [_Moments(), _Moments()]
    for _ in range(n_bootstrap):
        target = _draw(truth, rows.target, rng)  # 2
        models.fit(replace(rows, y=rows.classes[target], target=target))  # 3
        logs = models.log_proba(looked_at)
        for i, model in enumerate((models.softmax, models.one_vs_rest)):
            coef = np.asarray(model.coef_, dtype=np.float64) * spread
            slopes[i].append(coef - coef.mean(axis=0))
            moments[i].add(np.exp(logs[i]))
    noise = [_noise(np.array(found)) for found in slopes]  # 4
    variance = [found.variance() for found in moments]
    error = [
        v + np.mean((m.mean - truth[chosen]) ** 2) for v, m in zip(variance, moments, strict=True)
    ]
    with np.errstate(divide="ignore", invalid="ignore"):
        softmax, one_vs_rest = np.transpose([noise, variance, error])
        ratios = (one_vs_rest / softmax).tolist()
    return Efficiency(n_bootstrap, *ratios)


def _draw(truth: np.ndarray, target: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A class for each row. A class that came out nowhere keeps the rows that it has."""
    chance = rng.random((len(truth), 1))
    drawn = np.minimum((truth.cumsum(axis=1) < chance).sum(axis=1), truth.shape[1] - 1)
    drawn = np.where(truth[np.arange(len(truth)), drawn] > 0, drawn, target)  # rounding of the sum
    absent = np.setdiff1d(target, drawn)
    return np.where(np.isin(target, absent), target, drawn)


def _spread(rows: Rows) -> np.ndarray:
    """Standard deviation of each feature."""
    X = rows.X
    if not sparse.issparse(X):
        return np.asarray(X, dtype=np.float64).std(axis=0)
    mean = np.asarray(X.mean(axis=0)).ravel()
    square = np.asarray(X.multiply(X).mean(axis=0)).ravel()
    return np.sqrt(np.maximum(square - mean**2, 0.0))


def _noise(slopes: np.ndarray) -> float:
    """Sum of variances over sum of squared means, of (n_bootstrap, n_classes, n_features).

    Sums over the pairs of classes are those over the classes of what is centred over them, times
    n_classes, which cancels.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(slopes.var(axis=0, ddof=1).sum() / (slopes.mean(axis=0) ** 2).sum())


class _Moments:
    """Mean and variance of arrays as they come (Welford 1962)."""

    def __init__(self) -> None:
        self.n, self.mean, self.square = 0, np.zeros(1), np.zeros(1)

    def add(self, values: np.ndarray) -> None:
        self.n += 1
        change = values - self.mean
        self.mean = self.mean + change / self.n
        self.square = self.square + change * (values - self.mean)

    def variance(self) -> float:
        """Mean over the entries."""
        return float(self.square.mean() / (self.n - 1))
