"""Problems for the native grower, and its answer as plain arrays."""

from dataclasses import dataclass

import numpy as np

from sksoftmax._trees import _core
from sksoftmax._trees._nodes import BITSET_WORDS, NODE


def make_arguments(
    rng,
    n=500,
    d=6,
    *,
    lanes=4,
    n_columns=None,
    has_curvature=False,
    most_bins=20,
    missing=0.1,
    categorical=(),
    signal=1.0,
):
    """Everything that ``grow`` reads, for records that depend on a few features."""
    n_columns = lanes - 1 - has_curvature if n_columns is None else n_columns
    n_bins = rng.integers(1, most_bins + 1, size=d).astype(np.int32)
    n_bins[: d // 2] = most_bins
    codes = (rng.random((n, d)) * n_bins).astype(np.uint8)
    codes = np.where(rng.random((n, d)) < missing * (np.arange(d) % 2), n_bins, codes)
    codes = codes.astype(np.uint8)
    weight = rng.integers(1, 4, size=n)
    gradient = rng.standard_normal((n, n_columns))
    for column in range(n_columns):
        gradient[:, column] += signal * np.sin(codes[:, (column * column) % d])
    records = np.zeros((n, lanes), dtype=np.int32)
    records[:, :n_columns] = weight[:, None] * np.rint(256 * gradient).astype(np.int64)
    if has_curvature:
        records[:, n_columns] = weight * rng.integers(1, 256, size=n)
    records[:, n_columns + has_curvature] = weight
    return {
        "codes": codes.ravel(),
        "n_features": d,
        "n_bins": n_bins,
        "is_categorical": np.isin(np.arange(d), categorical).astype(np.uint8),
        "records": records.ravel(),
        "lanes": lanes,
        "n_columns": n_columns,
        "has_curvature": has_curvature,
        "wide": False,
        "gradient_scale": 256.0,
        "curvature_scale": 256.0,
        "weight_scale": 1.0,
        "rows": np.arange(n, dtype=np.int32),
        "max_leaf_nodes": 16,
        "max_depth": 0,
        "min_weight": 5.0,
        "l2": 1.0,
        "min_gain": 0.0,
        "max_features": d,
        "seed": 0,
        "group_ptr": None,
        "groups": None,
        "n_threads": 1,
    }


def with_outputs(arguments, *, histogram_budget_bytes=1 << 30):
    """The arguments and room for the answer."""
    shared = ("n_bins", "lanes", "wide", "max_leaf_nodes", "n_threads")
    size = _core.grow_workspace_size(
        **{name: arguments[name] for name in shared},
        n_rows=len(arguments["rows"]),
        histogram_budget_bytes=histogram_budget_bytes,
    )
    n_leaves = arguments["max_leaf_nodes"]
    return arguments | {
        "rows": arguments["rows"].copy(),
        "workspace": np.full(size, 0xAB, dtype=np.uint8),
        "nodes": np.zeros(2 * n_leaves - 1, dtype=NODE).view(np.uint8),
        "bitsets": np.zeros((n_leaves - 1) * BITSET_WORDS, dtype=np.uint32),
        "leaf_ptr": np.zeros(n_leaves + 1, dtype=np.int64),
    }


@dataclass
class Grown:
    """A tree as ``grow`` gives it back."""

    nodes: np.ndarray
    bitsets: np.ndarray
    rows: np.ndarray
    leaf_ptr: np.ndarray

    @property
    def n_leaves(self):
        return len(self.leaf_ptr) - 1

    def rows_of(self, leaf):
        return self.rows[self.leaf_ptr[leaf] : self.leaf_ptr[leaf + 1]]

    def same_splits_as(self, other):
        same = self.nodes.tobytes() == other.nodes.tobytes()
        return same and np.array_equal(self.bitsets, other.bitsets)


def grow(arguments, **budget):
    full = with_outputs(arguments, **budget)
    n_nodes, n_leaves, n_bitsets = _core.grow(**full)
    return Grown(
        nodes=full["nodes"].view(NODE)[:n_nodes],
        bitsets=full["bitsets"].reshape(-1, BITSET_WORDS)[:n_bitsets],
        rows=full["rows"],
        leaf_ptr=full["leaf_ptr"][: n_leaves + 1],
    )
