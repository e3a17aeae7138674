"""Confidences in bins: which bin each is in, and what happened there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sksoftmax._estimator import check_choice, check_integer
from sksoftmax.metrics._predictions import Predictions, _blocks

STRATEGIES = ("uniform", "quantile")
KINDS = ("top_label", "classwise")


@dataclass(frozen=True)
class Binning:
    """How confidences are put into bins.

    - ``"uniform"``: the edges are ``np.linspace(0, 1, n_bins + 1)``; bin b is
      ``[edge_b, edge_b+1)``, the last one includes 1.
    - ``"quantile"``: a row whose confidence exceeds those of the share F of the rows (by weight)
      is in bin ``floor(n_bins * F)``. Without ties all bins hold n / n_bins rows, up to one; equal
      confidences are never parted.
    """

    n_bins: int = 15
    strategy: str = "uniform"

    @classmethod
    def of(cls, n_bins: Any, strategy: Any) -> Binning:
        """Check the two arguments."""
        n_bins = check_integer(n_bins, "n_bins", "a positive integer", at_least=1)
        return cls(n_bins, check_choice(strategy, "strategy", STRATEGIES))

    def index(self, confidence: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
        """The bin of each confidence, an array of integers of its shape."""
        if self.strategy == "uniform":
            return self._uniform(confidence)
        return self._quantile(confidence, weight)

    def _uniform(self, confidence: np.ndarray) -> np.ndarray:
        """1. floor(n_bins * confidence); 2. one up or down where its rounding passed an edge."""
        edges = np.linspace(0, 1, self.n_bins + 1)
        edges[-1] = np.inf  # 1, and 1 + rounding, belong to the last bin
        index = np.minimum(confidence * self.n_bins, self.n_bins - 1).astype(np.int64)  # 1
        index -= confidence < edges.take(index)  # 2
        index += confidence >= edges[1:].take(index)
        return index

    def _quantile(self, confidence: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
        """1. sort; 2. the weight below each value; 3. the bin of each value."""
        order = np.argsort(confidence, kind="stable")  # 1
        sorted_ = confidence[order]
        weights = np.ones(len(order)) if weight is None else weight[order]
        below = np.concatenate([[0.0], np.cumsum(weights)])  # 2
        starts = np.concatenate([[True], sorted_[1:] > sorted_[:-1]])
        first = np.maximum.accumulate(np.where(starts, np.arange(len(order)), 0))
        index = np.empty(len(order), dtype=np.int64)  # 3
        share = below[first] * self.n_bins / below[-1]
        index[order] = np.minimum(share.astype(np.int64), self.n_bins - 1)
        return index


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
    def of_sums(
        cls, weight: np.ndarray, squared: np.ndarray, confidence: np.ndarray, hits: np.ndarray
    ) -> Cells:
        """From sums of w, w^2, w p and w y over each cell, arrays (n_groups, n_bins)."""
        groups, _ = held = np.nonzero(weight > 0)
        weight, squared = weight[held], squared[held]
        return cls(
            mass=weight / weight.sum(),
            confidence=np.clip(confidence[held] / weight, 0, 1),
            accuracy=np.clip(hits[held] / weight, 0, 1),
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


def top_label_cells(
    confidence: np.ndarray, correct: np.ndarray, weight: np.ndarray | None, binning: Binning
) -> Cells:
    """One row of cells: the largest probability of each row, and whether its class was right."""
    return Cells.of_sums(*top_label_sums(confidence, correct, weight, binning, None, 1))


def top_label_sums(
    confidence: np.ndarray,
    correct: np.ndarray,
    weight: np.ndarray | None,
    binning: Binning,
    groups: np.ndarray | None,
    n_groups: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Sums of w, w^2, w p and w y over each bin of each group, arrays (n_groups, n_bins)."""
    index = binning.index(confidence, weight)
    if groups is not None:
        index = index + groups * binning.n_bins
    hits = correct.astype(np.float64)
    if weight is None:
        count = _sums(index, None, binning.n_bins, n_groups)
        per_row: tuple[np.ndarray, ...] = (confidence, hits)
        return (count, count, *(_sums(index, v, binning.n_bins, n_groups) for v in per_row))  # type: ignore[return-value]  # four of them
    per_row = (weight, weight**2, weight * confidence, weight * hits)
    return tuple(_sums(index, v, binning.n_bins, n_groups) for v in per_row)  # type: ignore[return-value]  # four of them


def _sums(index: np.ndarray, values: np.ndarray | None, n_bins: int, n_groups: int) -> np.ndarray:
    sums = np.bincount(index, weights=values, minlength=n_bins * n_groups)
    return sums.reshape(n_groups, n_bins).astype(np.float64, copy=False)


def classwise_cells(predictions: Predictions, binning: Binning) -> Cells:
    """A row of cells for each class: its probability in every row, and whether it was the label.

    All classes have the same share of the mass. For each block of rows:

    1. the bin of each probability, (rows, classes)
    2. sums of w, w^2 and w p over the bins of each class
    3. sums of w over the cells where the labels are
    """
    n_classes, n_bins = predictions.n_classes, binning.n_bins
    index = None if binning.strategy == "uniform" else _quantile_index(predictions, binning)
    sums = np.zeros((4, n_classes, n_bins))
    start_of_class = np.arange(n_classes) * n_bins
    for rows in _blocks(predictions.proba.shape):
        proba = predictions.proba[rows].astype(np.float64, copy=False)
        cell = binning.index(proba, None) if index is None else index[rows]  # 1
        cell = cell + start_of_class
        target = predictions.target[rows]
        hit = cell.reshape(-1)[target + np.arange(len(target)) * n_classes]
        w = None if predictions.weight is None else predictions.weight[rows]
        each = np.ones(len(target)) if w is None else w
        flat = cell.reshape(-1)
        count = _sums(flat, None if w is None else np.repeat(w, n_classes), n_bins, n_classes)  # 2
        sums[0] += count
        sums[1] += (
            count if w is None else _sums(flat, np.repeat(w**2, n_classes), n_bins, n_classes)
        )
        sums[2] += _sums(flat, (proba * each[:, np.newaxis]).reshape(-1), n_bins, n_classes)
        sums[3] += _sums(hit, each, n_bins, n_classes)  # 3
    return Cells.of_sums(*sums)


def _quantile_index(predictions: Predictions, binning: Binning) -> np.ndarray:
    columns = predictions.proba.T.astype(np.float64)
    return np.stack([binning.index(column, predictions.weight) for column in columns], axis=1)


def cells_of(predictions: Predictions, kind: str, binning: Binning) -> Cells:
    """The cells of the top label or of all classes."""
    if kind == "classwise":
        return classwise_cells(predictions, binning)
    return top_label_cells(predictions.confidence, predictions.correct, predictions.weight, binning)
