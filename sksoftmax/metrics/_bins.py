"""Confidences in bins: which bin each is in, and what happened there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sksoftmax._estimator import check_choice, check_integer
from sksoftmax._kernel import bin_proba
from sksoftmax.metrics._predictions import Predictions

STRATEGIES = ("uniform", "quantile")
KINDS = ("top_label", "classwise")


MOST_BINS = 10_000


@dataclass(frozen=True)
class Binning:
    """How confidences are put into bins: bin b is ``[edge_b, edge_b+1)``, the last one includes 1.

    - ``"uniform"``: the edges are ``np.linspace(0, 1, n_bins + 1)``.
    - ``"quantile"``: a row whose confidence exceeds those of the share F of the rows (by weight)
      is in bin ``floor(n_bins * F)``. Without ties all bins hold n / n_bins rows, up to one; equal
      confidences are never parted.
    """

    n_bins: int = 15
    strategy: str = "uniform"

    @classmethod
    def of(cls, n_bins: Any, strategy: Any) -> Binning:
        """Check the two arguments."""
        accepted = f"an integer from 1 to {MOST_BINS:,}"
        n_bins = check_integer(n_bins, "n_bins", accepted, at_least=1, at_most=MOST_BINS)
        return cls(n_bins, check_choice(strategy, "strategy", STRATEGIES))

    def sums(self, proba: np.ndarray, hit: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
        """Sums of w, w^2, w p and w [hit] over the bins of each column: (columns, n_bins, 4).

        `hit` is the column that each row is a hit of, or -1.
        """
        if self.strategy == "uniform":
            edges = np.linspace(0, 1, self.n_bins + 1)
        else:
            edges = np.stack([self._quantiles(column, weight) for column in proba.T])
        return bin_proba(proba, hit, edges, weight=weight)

    def _quantiles(self, confidence: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
        """The edge b: what is above the value up to which there is the share b / n_bins."""
        n_rows, levels = len(confidence), np.arange(1, self.n_bins)
        if weight is None:
            ranks = -(-levels * n_rows // self.n_bins) - 1
            ascending = np.partition(confidence, ranks)
        else:
            order = np.argsort(confidence, kind="stable")
            ascending, up_to = confidence[order], np.cumsum(weight[order])
            ranks = np.searchsorted(up_to * self.n_bins / up_to[-1], levels)
        inner = np.nextafter(ascending[ranks].astype(np.float64), np.inf)
        return np.concatenate([[0.0], inner, [1.0]])


@dataclass(frozen=True)
class Cells:
    """The bins that hold something; with several classes, a bin of a class is a cell.

    Attributes
    ----------
    mass : ndarray of shape (n_cells,), shares of the weight of all rows (and classes): sum 1
    confidence, accuracy : ndarrays of shape (n_cells,), means over the rows in the cell
    n : ndarray of shape (n_cells,), effective number of rows, (sum w)^2 / sum w^2
    group : int64 ndarray of shape (n_cells,), the class of the cell; 0 for the top label
    n_groups : number of classes, 1 for the top label
    """

    mass: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    n: np.ndarray
    group: np.ndarray
    n_groups: int = 1

    @classmethod
    def of_sums(cls, sums: np.ndarray) -> Cells:
        """From the sums of `Binning.sums`."""
        groups, _ = held = np.nonzero(sums[..., 0] > 0)
        weight, squared, confidence, hits = sums[held].T
        return cls(
            mass=weight / weight.sum(),
            confidence=np.clip(confidence / weight, 0, 1),
            accuracy=np.clip(hits / weight, 0, 1),
            n=weight**2 / squared,
            group=groups,
            n_groups=int(groups.max()) + 1 if len(groups) else 1,
        )

    @property
    def gap(self) -> np.ndarray:
        """Accuracy minus confidence of each cell."""
        return self.accuracy - self.confidence

    def of_group(self, group: int) -> Cells:
        """The cells of one class alone."""
        held = self.group == group
        mass = self.mass[held] / self.mass[held].sum()
        zero = np.zeros(held.sum(), dtype=np.int64)
        return Cells(mass, self.confidence[held], self.accuracy[held], self.n[held], zero)


def top_label_sums(
    confidence: np.ndarray, correct: np.ndarray, weight: np.ndarray | None, binning: Binning
) -> np.ndarray:
    """The sums of one row of cells: the largest probability, and whether its class was right."""
    hit = np.subtract(correct, 1, dtype=np.int64)
    return binning.sums(confidence[:, np.newaxis], hit, weight)


def top_label_cells(
    confidence: np.ndarray, correct: np.ndarray, weight: np.ndarray | None, binning: Binning
) -> Cells:
    """The cells of the largest probabilities."""
    return Cells.of_sums(top_label_sums(confidence, correct, weight, binning))


def cells_of(predictions: Predictions, kind: str, binning: Binning) -> Cells:
    """The cells of the top label; or a row for each class, all of the same share of mass."""
    weight = predictions.weight
    if kind == "classwise":
        return Cells.of_sums(binning.sums(predictions.proba, predictions.target, weight))
    return top_label_cells(predictions.confidence, predictions.correct, weight, binning)
