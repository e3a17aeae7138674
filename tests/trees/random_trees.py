"""Random trees, and the plain walk that says what they must answer."""

import numpy as np

from sksoftmax._trees._forest import Forest
from sksoftmax._trees._nodes import BITSET_WORDS, NODE


def random_tree(rng, n_leaves, n_bins, is_categorical, *, chain=False):
    """Nodes and bitsets of a tree that splits leaves in random order, or always the newest."""
    nodes = np.zeros(2 * n_leaves - 1, dtype=NODE)
    bitsets = []
    leaves = [0]
    for n_nodes in range(1, 2 * n_leaves - 1, 2):
        parent = leaves.pop(-1 if chain else rng.integers(len(leaves)))
        node = nodes[parent]
        feature = rng.integers(len(n_bins))
        node["feature"], node["left"], node["gain"] = feature, n_nodes, rng.random()
        node["missing_left"] = rng.integers(2)
        if is_categorical[feature]:
            node["is_categorical"], node["index"] = 1, len(bitsets)
            bitsets.append(rng.integers(2**32, size=BITSET_WORDS, dtype=np.uint32))
        else:
            node["bin"] = rng.integers(n_bins[feature])
        leaves += [n_nodes, n_nodes + 1]
    is_leaf = nodes["left"] == 0
    nodes["feature"][is_leaf] = -1
    nodes["index"][is_leaf] = np.arange(n_leaves)
    return nodes, np.array(bitsets, dtype=np.uint32).reshape(-1, BITSET_WORDS)


def random_forest(rng, sizes, n_classes, n_bins, is_categorical, **options):
    forest = Forest(n_classes, n_bins)
    for n_leaves in sizes:
        nodes, bitsets = random_tree(rng, n_leaves, n_bins, is_categorical, **options)
        values = rng.standard_normal((n_leaves, n_classes)).astype(np.float32)
        forest.append(nodes, bitsets, values)
    return forest


def random_features(rng, n_features, categorical=0.3, most_bins=255):
    """n_bins and is_categorical of some features."""
    n_bins = rng.integers(1, most_bins + 1, size=n_features).astype(np.int32)
    return n_bins, rng.random(n_features) < categorical


def random_codes(rng, n_rows, n_bins):
    """Bins, the missing one included."""
    return rng.integers(np.asarray(n_bins) + 1, size=(n_rows, len(n_bins))).astype(np.uint8)


def goes_left(node, bitsets, code, n_bins):
    if node["is_categorical"]:
        return bool(bitsets[node["index"], code >> 5] >> np.uint32(code & 31) & 1)
    return code <= node["bin"] or (code == n_bins and bool(node["missing_left"]))


def walk(nodes, bitsets, n_bins, codes):
    """Leaf number of every row, node by node."""
    leaves = np.empty(len(codes), dtype=np.int32)
    for i, row in enumerate(codes):
        at = 0
        while nodes[at]["left"] != 0:
            feature = nodes[at]["feature"]
            left = goes_left(nodes[at], bitsets, int(row[feature]), n_bins[feature])
            at = nodes[at]["left"] + (not left)
        leaves[i] = nodes[at]["index"]
    return leaves
