"""Random forests built by hand, and the plain walk that says what they predict."""

import numpy as np

from sksoftmax._trees._nodes import BITSET_WORDS, NODE


def random_cuts(rng, n_features):
    """Cuts or category values per feature, and which features are categorical: every third."""
    is_categorical = np.arange(n_features) % 3 == 2
    cuts = []
    for categorical in is_categorical:
        if categorical:
            n_categories = rng.integers(2, 12)
            cuts.append(np.sort(rng.choice(90, n_categories, replace=False)).astype(np.float64))
        else:
            cuts.append(np.unique(rng.normal(size=rng.integers(1, 20))))
    return cuts, is_categorical


def random_tree(rng, cuts, is_categorical, *, n_leaves, n_classes, weights="integer"):
    """Grow by splitting a random leaf in a random way: (nodes, bitsets, values)."""
    nodes = np.zeros(2 * n_leaves - 1, dtype=NODE)
    leaves, bitsets, size = [0], [], 1
    while len(leaves) < n_leaves:
        node = leaves.pop(rng.integers(len(leaves)))
        feature = rng.integers(len(cuts))
        nodes["left"][node], nodes["feature"][node] = size, feature
        nodes["missing_left"][node] = rng.integers(2)
        nodes["gain"][node] = rng.exponential()
        if is_categorical[feature]:
            nodes["is_categorical"][node] = 1
            nodes["index"][node] = len(bitsets)
            bitsets.append(_random_bitset(rng, len(cuts[feature])))
        else:
            bin_ = rng.integers(len(cuts[feature]) + 1)
            nodes["bin"][node] = bin_
            nodes["threshold"][node] = [*cuts[feature], np.inf][bin_]  # inf: all but missing
        leaves += [size, size + 1]
        size += 2
    leaves = np.sort(leaves)
    nodes["feature"][leaves] = -1
    nodes["index"][leaves] = np.arange(n_leaves)
    weight = (
        rng.integers(1, 100, n_leaves) if weights == "integer" else rng.exponential(size=n_leaves)
    )
    nodes["weight"][leaves] = weight
    for i in range(size - 1, -1, -1):
        if nodes["left"][i]:
            nodes["weight"][i] = nodes["weight"][nodes["left"][i] + [0, 1]].sum()
    values = rng.normal(scale=0.3, size=(n_leaves, n_classes)).astype(np.float32)
    return nodes, np.array(bitsets, np.uint32).reshape(-1, BITSET_WORDS), values


def _random_bitset(rng, n_categories):
    words = np.zeros(BITSET_WORDS, dtype=np.uint32)
    for code in np.flatnonzero(rng.integers(2, size=n_categories + 1)):
        words[code >> 5] |= np.uint32(1 << (code & 31))
    return words


def random_rows(rng, cuts, is_categorical, n_rows):
    """Values on, beside and far from the cuts; missing, unseen and negative ones."""
    X = np.empty((n_rows, len(cuts)))
    for j, cut in enumerate(cuts):
        if is_categorical[j]:
            X[:, j] = rng.choice([*cut, 91, 1000, -1, -7, np.nan], n_rows)
        else:
            beside = [np.nextafter(cut, np.inf), np.nextafter(cut, -np.inf)]
            special = [np.nan, np.inf, -np.inf, 0.0, 1e308]
            X[:, j] = rng.choice(
                np.concatenate([cut, *beside, special, rng.normal(size=9)]), n_rows
            )
    return X


def leaf_of(row, nodes, bitsets, cuts):
    """Walk one row down one tree, by its raw values."""
    i = 0
    while nodes["left"][i]:
        node = nodes[i]
        value, cut = row[node["feature"]], cuts[node["feature"]]
        if node["is_categorical"]:
            code = int(np.searchsorted(cut, value)) if value in cut else len(cut)
            go_left = (bitsets[node["index"]][code >> 5] >> (code & 31)) & 1
        else:
            go_left = node["missing_left"] if np.isnan(value) else value <= node["threshold"]
        i = node["left"] + (0 if go_left else 1)
    return nodes["index"][i]


def logits_of(X, trees, cuts, baseline_logits):
    logits = np.tile(np.asarray(baseline_logits, np.float64), (len(X), 1))
    for nodes, bitsets, values in trees:
        leaves = [leaf_of(row, nodes, bitsets, cuts) for row in X]
        logits += values[leaves]
    return logits
