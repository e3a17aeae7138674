"""A forest of trees whose leaves hold a vector: bins to leaves and logits."""

import numpy as np

from sksoftmax._kernel import effective_n_threads
from sksoftmax._trees import _core
from sksoftmax._trees._nodes import BITSET_WORDS, NODE

_STATE_VERSION = 1


class Forest:
    """Trees in the order in which they were grown.

    Parameters
    ----------
    n_classes : int
        Length of a leaf's vector.
    n_bins : ndarray of int32, shape (n_features,)
        Bins of values of each feature: the code ``n_bins[j]`` means missing.
    """

    def __init__(self, n_classes, n_bins):
        self.n_classes = int(n_classes)
        self.n_bins = np.array(n_bins, dtype=np.int32)
        self._nodes = _Rows(NODE)
        self._bitsets = _Rows(np.uint32, BITSET_WORDS)
        self._values = _Rows(np.float32, self.n_classes)
        self._trees = None

    def __len__(self):
        return len(self._nodes)

    @property
    def n_features(self):
        return len(self.n_bins)

    def append(self, nodes, bitsets, values):
        """Add a tree: its nodes, its categorical splits' bitsets, one row of values per leaf."""
        if len(values) * 2 != len(nodes) + 1:
            raise ValueError(f"values: {len(values)} leaves, but {len(nodes)} nodes")
        self._nodes.append(nodes)
        self._bitsets.append(np.reshape(bitsets, (-1, BITSET_WORDS)))
        self._values.append(values)
        self._trees = None

    def truncate(self, n_trees):
        """Keep the first `n_trees` trees."""
        for rows in (self._nodes, self._bitsets, self._values):
            rows.truncate(n_trees)
        self._trees = None

    def __getitem__(self, tree):
        """(nodes, bitsets, values) of one tree, as views."""
        if not -len(self) <= tree < len(self):
            raise IndexError(f"tree {tree} of {len(self)}")
        tree %= len(self)
        return self._nodes[tree], self._bitsets[tree], self._values[tree]

    def __iter__(self):
        return (self[tree] for tree in range(len(self)))

    def logits(self, codes, baseline=None, *, first=0, last=None, out=None, n_threads=None):
        """baseline + the leaf vectors of the trees ``first .. last - 1``, added in this order.

        Sums are float32, one addition after the other: the result for a row depends neither on the
        other rows nor on where a range of trees was cut in two.

        Parameters
        ----------
        codes : ndarray of uint8, shape (n_samples, n_features)
            C-ordered.
        baseline : ndarray of shape (n_classes,), or None
            None: zeros. Not allowed with `out`.
        out : ndarray of float32, shape (n_samples, n_classes), or None
            C-ordered; the trees are added to what it holds.

        Returns
        -------
        ndarray of float32, shape (n_samples, n_classes)
        """
        last = len(self) if last is None else last
        return self._add(self._checked_trees(), codes, baseline, first, last, out, n_threads)

    def staged(self, codes, baseline=None, *, n_threads=None):
        """Logits after each tree: one array, which the next stage changes."""
        out = self.logits(codes, baseline, last=0)
        for tree in range(len(self)):
            only = self._follow(slice(tree, tree + 1))
            yield self._add(only, codes, None, 0, 1, out, n_threads)

    def _add(self, trees, codes, baseline, first, last, out, n_threads):
        codes = self._checked(codes)
        if out is None:
            out = np.empty((len(codes), self.n_classes), dtype=np.float32)
            out[...] = 0 if baseline is None else baseline
        elif baseline is not None:
            raise ValueError("baseline: with `out`, logits are added to what `out` holds")
        elif out.shape != (len(codes), self.n_classes) or not out.flags.c_contiguous:
            raise ValueError(f"out: expected C-ordered {(len(codes), self.n_classes)}")
        _core.predict(
            trees=trees,
            codes=codes.reshape(-1),
            first_tree=first,
            last_tree=last,
            logits=out.reshape(-1),
            n_threads=effective_n_threads(n_threads),
        )
        return out

    def apply(self, codes, *, n_threads=None):
        """Leaf numbers, (n_samples, n_trees) int32."""
        codes = self._checked(codes)
        leaves = np.empty((len(codes), len(self)), dtype=np.int32)
        _core.apply(
            trees=self._checked_trees(),
            codes=codes.reshape(-1),
            leaves=leaves.reshape(-1),
            n_threads=effective_n_threads(n_threads),
        )
        return leaves

    def gain_importances(self):
        """Sum of the gains of each feature's splits, (n_features,) float64."""
        nodes = self._nodes.joined
        nodes = nodes[nodes["left"] != 0]
        return np.bincount(
            nodes["feature"], weights=nodes["gain"].astype(np.float64), minlength=self.n_features
        )

    def thresholds(self):
        """Distinct finite thresholds of each feature's numerical splits: float64 arrays, sorted."""
        nodes = self._nodes.joined
        nodes = nodes[(nodes["left"] != 0) & (nodes["is_categorical"] == 0)]
        nodes = nodes[np.isfinite(nodes["threshold"])]
        return [
            np.unique(nodes["threshold"][nodes["feature"] == feature])
            for feature in range(self.n_features)
        ]

    def _checked(self, codes):
        if codes.ndim != 2 or codes.shape[1] != self.n_features or codes.dtype != np.uint8:
            raise ValueError(
                f"codes: {codes.dtype} of shape {codes.shape}: expected uint8 and "
                f"{self.n_features} columns"
            )
        return np.ascontiguousarray(codes)

    def _checked_trees(self):
        """All trees as native code follows them; kept until a tree comes or goes."""
        if self._trees is None:
            self._trees = self._follow(slice(0, len(self)))
        return self._trees

    def _follow(self, trees):
        nodes, tree_ptr = self._nodes.some(trees)
        bitsets, bitset_ptr = self._bitsets.some(trees)
        values, value_ptr = self._values.some(trees)
        return _core.Trees(
            nodes=nodes.view(np.uint8),
            tree_ptr=tree_ptr,
            bitsets=bitsets.reshape(-1),
            bitset_ptr=bitset_ptr,
            values=values.reshape(-1),
            value_ptr=value_ptr,
            n_classes=self.n_classes,
            n_bins=self.n_bins,
            n_features=self.n_features,
        )

    # --- pickles: the joined arrays, without spare room; what comes back is checked ---------------

    def __getstate__(self):
        return {
            "version": _STATE_VERSION,
            "n_classes": self.n_classes,
            "n_bins": self.n_bins,
            "nodes": self._nodes.joined.tobytes(),
            "tree_ptr": self._nodes.pointer.copy(),
            "bitsets": self._bitsets.joined.copy(),
            "bitset_ptr": self._bitsets.pointer.copy(),
            "values": self._values.joined.copy(),
            "value_ptr": self._values.pointer.copy(),
        }

    def __setstate__(self, state):
        try:
            version = state["version"]
            if version != _STATE_VERSION:
                raise ValueError(f"version {version}: this release reads {_STATE_VERSION}")
            forest = Forest(state["n_classes"], state["n_bins"])
            forest._nodes.restore(np.frombuffer(state["nodes"], dtype=NODE), state["tree_ptr"])
            forest._bitsets.restore(state["bitsets"], state["bitset_ptr"])
            forest._values.restore(state["values"], state["value_ptr"])
            forest._checked_trees()
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"state: not the state of a Forest: {error}") from error
        vars(self).update(vars(forest))


class _Rows:
    """Rows of an array that grows by parts: `pointer` says where each part begins."""

    def __init__(self, dtype, *shape):
        self._room = np.empty((0, *shape), dtype=dtype)
        self._ends = np.zeros(1, dtype=np.int64)
        self._n_parts = 0

    def __len__(self):
        return self._n_parts

    def __getitem__(self, part):
        return self._room[self._ends[part] : self._ends[part + 1]]

    @property
    def joined(self):
        return self._room[: self._ends[self._n_parts]]

    @property
    def pointer(self):
        return self._ends[: self._n_parts + 1]

    def some(self, parts):
        """The rows of consecutive parts, and where each begins among them."""
        ends = self._ends[parts.start : parts.stop + 1]
        return self._room[ends[0] : ends[-1]], ends - ends[0]

    def append(self, rows):
        end = self._ends[self._n_parts]
        self._room = _with_room(self._room, end + len(rows))
        self._ends = _with_room(self._ends, self._n_parts + 2)
        self._room[end : end + len(rows)] = rows
        self._n_parts += 1
        self._ends[self._n_parts] = end + len(rows)

    def truncate(self, n_parts):
        if not 0 <= n_parts <= self._n_parts:
            raise ValueError(f"n_trees={n_parts}: expected 0 to {self._n_parts}")
        self._n_parts = n_parts

    def restore(self, joined, pointer):
        shape, dtype = self._room.shape[1:], self._room.dtype
        joined = np.array(joined, dtype=dtype)
        if joined.shape[1:] != shape:
            raise ValueError(f"rows of shape {joined.shape[1:]}: expected {shape}")
        pointer = np.array(pointer, dtype=np.int64)
        if pointer.ndim != 1 or len(pointer) == 0 or pointer[-1] != len(joined):
            raise ValueError("a pointer does not span its rows")
        self._room, self._ends, self._n_parts = joined, pointer, len(pointer) - 1


def _with_room(array, n):
    """`array`, or a copy with at least `n` rows: twice as many as it had."""
    if n <= len(array):
        return array
    grown = np.empty((max(n, 2 * len(array)), *array.shape[1:]), dtype=array.dtype)
    grown[: len(array)] = array
    return grown
