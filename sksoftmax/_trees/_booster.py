"""The loop of one fit: trees with vector leaves, one per iteration.

With logits z (n_samples, n_classes), weights w and targets q, smoothed by `label_smoothing`:

1. residual R = softmax(z) - q + logit_l2 z             full gradient, never stored
2. sketch   g = R P, a curvature h, and records         few columns per row, as integers
3. tree     grown on the records of the rows in the bag
4. values   v = -learning_rate (G - mu) / (H + l2)      of each leaf, from R; mu: sum zero
5. logits   z += v[leaf of each row]                    in one pass with 1 and 2 of the next tree
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from sksoftmax._trees import _core
from sksoftmax._trees._draws import draw_bag, draw_split_seed
from sksoftmax._trees._nodes import BITSET_WORDS, NODE
from sksoftmax._trees._sketch import (
    Scales,
    lanes_for,
    projection,
    scales_for,
    sketch_columns,
    weight_unit_for,
)

_UPDATE_ONLY: dict[str, Any] = {
    "target_index": None,
    "target_proba": None,
    "sample_weight": None,
    "label_smoothing": 0.0,
    "logit_l2": 0.0,
    "projection": None,
    "n_columns": 0,
    "has_curvature": False,
    "gradient": None,
    "loss": None,
}
"""What `advance` takes where there is nothing to fit."""


@dataclass(frozen=True)
class Growth:
    """How trees grow. The first block is the user's; the second has one value in the library."""

    learning_rate: float
    max_leaf_nodes: int
    max_depth: int  # 0: any
    min_samples_leaf: float
    l2_regularization: float
    subsample: float
    max_features: float
    sketch: int | str | None
    label_smoothing: float = 0.0
    logit_l2: float = 0.0
    groups: tuple[tuple[int, ...], ...] | None = None

    min_gain: float = 0.0
    histogram_bytes: int = 256 << 20  # kept for subtraction; beyond it, leaves are summed again


@dataclass(frozen=True)
class TrainingRows:
    """What is fitted: bins, targets (one kind) and weights of the rows."""

    codes: np.ndarray  # uint8 (n_samples, n_features), C-ordered
    target: np.ndarray  # int64 (n_samples,) or float32 (n_samples, n_classes)
    sample_weight: np.ndarray | None  # float64 (n_samples,), positive

    def __len__(self):
        return len(self.codes)

    @property
    def target_keywords(self) -> dict[str, Any]:
        """The target and the weight as native verbs take them."""
        hard = self.target.ndim == 1
        return {
            "target_index": self.target if hard else None,
            "target_proba": None if hard else self.target.reshape(-1),
            "sample_weight": self.sample_weight,
        }


class Booster:
    """A fit under way: `step` adds a tree, and `forest` is what there is so far.

    Interrupted in a step, it stands at the last tree that was finished.

    Parameters
    ----------
    rows : TrainingRows
    growth : Growth
    forest : Forest
        The trees to go on from; grows in place.
    baseline_logits : float array of shape (n_classes,)
    is_categorical : bool array of shape (n_features,)
    thresholds : callable
        (feature, bin) -> the largest value of that bin, for arrays.
    seed : int
        Draws are a function of it and of the number of the tree.
    n_threads : int
        The trees do not depend on it.
    validation_codes : uint8 array of shape (n_validation, n_features), or None
        Rows whose logits are wanted after each tree.
    """

    def __init__(
        self,
        rows,
        growth,
        forest,
        *,
        baseline_logits,
        is_categorical,
        thresholds,
        seed,
        n_threads,
        validation_codes=None,
    ):
        self._rows, self._growth, self._forest = rows, growth, forest
        self._thresholds, self._seed, self._n_threads = thresholds, seed, n_threads
        self._is_categorical = np.asarray(is_categorical).astype(np.uint8)
        self._n_done = len(forest)
        self._total_weight = total_weight(rows)
        self._weight_unit = weight_unit_for(self._total_weight, len(rows))
        self._record_weight, self._largest_weight = None, 1.0
        if rows.sample_weight is not None:
            self._record_weight = rows.sample_weight / self._weight_unit
            self._largest_weight = float(self._record_weight.max())
        self._room = _Room.for_fit(rows, growth, forest, self._total_weight, n_threads)
        self._group_ptr, self._groups = _flat_groups(growth.groups)
        self.logits = forest.logits(rows.codes, baseline_logits, n_threads=n_threads)
        self._validation_codes = validation_codes
        self.validation_logits = np.empty((0, forest.n_classes), np.float32)
        if validation_codes is not None:
            self.validation_logits = forest.logits(
                validation_codes, baseline_logits, n_threads=n_threads
            )
        self._advance(None, self._n_done)

    @property
    def n_iter(self):
        """Number of trees, those it went on from included."""
        return self._n_done

    def forest(self):
        """Return the trees so far."""
        self._forest.truncate(self._n_done)  # one that was interrupted while it was added
        return self._forest

    def train_loss(self):
        """Weighted mean of the loss of the rows so far, with smoothing and logit_l2."""
        return self._loss / self._total_weight

    def step(self):
        """Add a tree; steps 3, 4, 5 and, for the next tree, 1 and 2. True: it can always go on."""
        bag = draw_bag(self._seed, self._n_done, len(self._rows), self._growth.subsample)
        nodes, bitsets, leaf_ptr = self._grow(bag)
        values = self._leaf_values(bag, leaf_ptr)
        self._find_leaves(nodes, bitsets, bag, leaf_ptr)
        self._advance(values, self._n_done + 1)
        self._advance_validation(nodes, bitsets, values)
        self._forest.append(nodes, bitsets, values)
        self._n_done += 1  # last: whatever is interrupted before, the tree does not count
        return True

    def _advance(self, leaf_values, tree):
        """Steps 5, 1 and 2: update the logits, and make the records that `tree` will grow on."""
        room = self._room
        has_update = leaf_values is not None
        self._loss, largest = _core.advance(
            n_classes=self._forest.n_classes,
            logits=self.logits.reshape(-1),
            leaf_of_row=room.leaf_of_row if has_update else None,
            leaf_values=leaf_values.reshape(-1) if has_update else None,
            projection=projection(self._forest.n_classes, room.n_columns, self._seed, tree).reshape(
                -1
            ),
            n_columns=room.n_columns,
            has_curvature=True,
            gradient=room.gradient.reshape(-1),
            loss=None,
            **self._loss_keywords(),
        )
        total = self._total_weight / self._weight_unit
        room.scales = scales_for(total, len(self._rows), self._largest_weight, largest)
        _core.records(
            gradient=room.gradient.reshape(-1),
            sample_weight=self._record_weight,
            records=room.records,
            n_threads=self._n_threads,
            **room.scales.keywords(),
            **room.layout(),
        )

    def _grow(self, bag):
        """Step 3: nodes, sets of categories, and where the rows of each leaf begin in `bag`."""
        growth, room, rows = self._growth, self._room, self._rows
        n_features = rows.codes.shape[1]
        n_nodes, n_leaves, n_bitsets = _core.grow(
            codes=rows.codes.reshape(-1),
            n_features=n_features,
            n_bins=self._forest.n_bins,
            is_categorical=self._is_categorical,
            records=room.records,
            wide=room.scales.wide,
            rows=bag,
            max_leaf_nodes=room.max_leaf_nodes,
            max_depth=growth.max_depth,
            min_weight=growth.min_samples_leaf,
            l2=growth.l2_regularization,
            min_gain=growth.min_gain,
            max_features=math.ceil(growth.max_features * n_features),
            seed=draw_split_seed(self._seed, self._n_done),
            group_ptr=self._group_ptr,
            groups=self._groups,
            workspace=room.workspace,
            n_threads=self._n_threads,
            nodes=room.nodes.view(np.uint8),
            bitsets=room.bitsets.reshape(-1),
            leaf_ptr=room.leaf_ptr,
            **room.scales.keywords(self._weight_unit),
            **room.layout(),
        )
        nodes = room.nodes[:n_nodes].copy()
        numerical = (nodes["left"] != 0) & (nodes["is_categorical"] == 0)
        feature, bin_ = nodes["feature"][numerical], nodes["bin"][numerical]
        nodes["threshold"][numerical] = self._thresholds(feature, bin_)
        return nodes, room.bitsets[:n_bitsets].copy(), room.leaf_ptr[: n_leaves + 1].copy()

    def _leaf_values(self, bag, leaf_ptr):
        """Step 4: (n_leaves, n_classes) float32; each row sums to zero exactly."""
        growth, n_classes = self._growth, self._forest.n_classes
        values = np.empty((len(leaf_ptr) - 1, n_classes), dtype=np.float32)
        _core.leaf_values(
            n_classes=n_classes,
            logits=self.logits.reshape(-1),
            rows=bag,
            leaf_ptr=leaf_ptr,
            l2=growth.l2_regularization,
            learning_rate=growth.learning_rate,
            values=values.reshape(-1),
            **self._loss_keywords(),
        )
        return values

    def _find_leaves(self, nodes, bitsets, bag, leaf_ptr):
        """The leaf of every row: the grower knows those of the bag, the others walk."""
        leaf_of_row = self._room.leaf_of_row
        leaf_of_row[bag] = np.repeat(
            np.arange(len(leaf_ptr) - 1, dtype=np.int32), np.diff(leaf_ptr)
        )
        if len(bag) < len(self._rows):
            outside = np.ones(len(self._rows), dtype=bool)
            outside[bag] = False
            rest = np.flatnonzero(outside).astype(np.int32)
            self._walk(nodes, bitsets, self._rows.codes, rest, leaf_of_row)

    def _advance_validation(self, nodes, bitsets, values):
        if self._validation_codes is None:
            return
        leaf_of_row = np.empty(len(self._validation_codes), dtype=np.int32)
        self._walk(nodes, bitsets, self._validation_codes, None, leaf_of_row)
        _core.advance(
            n_classes=self._forest.n_classes,
            logits=self.validation_logits.reshape(-1),
            leaf_of_row=leaf_of_row,
            leaf_values=values.reshape(-1),
            **_UPDATE_ONLY,
            n_threads=self._n_threads,
        )

    def _walk(self, nodes, bitsets, codes, rows, leaf_of_row):
        _core.walk(
            nodes=nodes.view(np.uint8),
            bitsets=bitsets.reshape(-1),
            codes=codes.reshape(-1),
            n_features=codes.shape[1],
            n_bins=self._forest.n_bins,
            rows=rows,
            leaf_of_row=leaf_of_row,
            n_threads=self._n_threads,
        )

    def _loss_keywords(self):
        """What advance and leaf_values read alike."""
        return {
            "label_smoothing": self._growth.label_smoothing,
            "logit_l2": self._growth.logit_l2,
            "n_threads": self._n_threads,
            **self._rows.target_keywords,
        }


_NO_SCALES = Scales(wide=True, gradient=1.0, curvature=1.0, weight=1.0)


@dataclass
class _Room:
    """What every tree of a fit is made in, allocated once."""

    n_columns: int
    lanes: int
    max_leaf_nodes: int
    gradient: np.ndarray
    records: np.ndarray
    leaf_of_row: np.ndarray
    workspace: np.ndarray
    nodes: np.ndarray
    bitsets: np.ndarray
    leaf_ptr: np.ndarray
    scales: Scales = _NO_SCALES  # of the records

    @classmethod
    def for_fit(cls, rows, growth, forest, total_weight, n_threads):
        n_columns, lanes = _sketch_shape(growth, forest.n_classes)
        leaves = attainable_leaves(growth, len(rows), total_weight)
        return cls(
            n_columns=n_columns,
            lanes=lanes,
            max_leaf_nodes=leaves,
            gradient=np.empty((len(rows), n_columns + 1), np.float32),
            records=np.empty(len(rows) * lanes, np.int32),
            leaf_of_row=np.empty(len(rows), np.int32),
            workspace=np.empty(
                _workspace_bytes(forest.n_bins, lanes, growth, leaves, len(rows), n_threads),
                np.uint8,
            ),
            nodes=np.zeros(2 * leaves - 1, NODE),
            bitsets=np.empty((leaves - 1, BITSET_WORDS), np.uint32),
            leaf_ptr=np.empty(leaves + 1, np.int64),
        )

    def layout(self):
        """What records and the grower must agree on."""
        return {
            "lanes": self.lanes,
            "n_columns": self.n_columns,
            "has_curvature": True,
        }


def training_bytes(
    n_samples, n_features, n_classes, *, n_validation, growth, max_bins, max_iter, n_threads
):
    """About how much memory a fit needs beside X and the targets.

    1. rows        bins n_features, logits 4 n_classes; for training rows sketch and curvature (4
                   per column), their records (4 per lane) and 12 for row numbers
    2. histograms  at most `histogram_bytes`, and never less than two
    3. trees       4 n_classes for each leaf
    """
    n_columns, lanes = _sketch_shape(growth, n_classes)
    leaves = attainable_leaves(growth, n_samples, math.inf)
    n_bins = np.full(n_features, max_bins, dtype=np.int32)
    per_row = n_features + 4 * n_classes
    return (
        (n_samples + n_validation) * per_row  # 1
        + n_samples * (4 * (n_columns + 1) + 4 * lanes + 12)
        + _workspace_bytes(n_bins, lanes, growth, leaves, n_samples, n_threads)  # 2
        + max_iter * leaves * 4 * n_classes  # 3
    )


def total_weight(rows):
    """Sum of the weights, correctly rounded, so that no order matters."""
    weight = rows.sample_weight
    return float(len(rows)) if weight is None else math.fsum(weight)


def attainable_leaves(growth, n_samples, total_weight):
    """The leaves that a tree can have: room is made for those."""
    bound = min(growth.max_leaf_nodes, n_samples)
    if growth.max_depth:
        bound = min(bound, 1 << min(growth.max_depth, 62))
    if growth.min_samples_leaf > 0:
        bound = min(bound, total_weight / growth.min_samples_leaf)
    return max(1, int(bound))


def _sketch_shape(growth, n_classes):
    n_columns = sketch_columns(growth.sketch, n_classes)
    return n_columns, lanes_for(n_columns)


def _workspace_bytes(n_bins, lanes, growth, leaves, n_samples, n_threads):
    return _core.grow_workspace_size(
        n_bins=n_bins,
        lanes=lanes,
        wide=True,  # no less than narrow
        max_leaf_nodes=leaves,
        n_rows=n_samples,
        n_threads=n_threads,
        histogram_budget_bytes=growth.histogram_bytes,
    )


def _flat_groups(groups):
    if groups is None:
        return None, None
    group_ptr = np.cumsum([0, *map(len, groups)], dtype=np.int64)
    return group_ptr, np.array([feature for group in groups for feature in group], dtype=np.int32)
