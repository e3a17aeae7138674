"""Random trees over values rather than bins, and the plain walk that says what they predict."""

import numpy as np

from .random_trees import random_tree


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


def random_valued_tree(rng, cuts, is_categorical, *, n_leaves, n_classes, weights="integer"):
    """(nodes, bitsets, values) with thresholds from the cuts, and weights that add up."""
    nodes, bitsets = random_tree(rng, n_leaves, n_bins_of(cuts, is_categorical), is_categorical)
    for i in np.flatnonzero((nodes["left"] > 0) & (nodes["is_categorical"] == 0)):
        node = nodes[i]
        node["threshold"] = [*cuts[node["feature"]], np.inf][node["bin"]]  # inf: all but missing
    leaves = nodes["left"] == 0
    nodes["weight"][leaves] = rng.integers(1, 100, n_leaves)
    if weights == "fractional":
        nodes["weight"][leaves] *= rng.exponential(size=n_leaves)
    for i in np.flatnonzero(~leaves)[::-1]:
        nodes["weight"][i] = nodes["weight"][nodes["left"][i] + [0, 1]].sum()
    values = rng.normal(scale=0.3, size=(n_leaves, n_classes)).astype(np.float32)
    return nodes, bitsets, values


def n_bins_of(cuts, is_categorical):
    return np.array([len(cut) for cut in cuts], dtype=np.int32) + ~np.asarray(is_categorical)


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
