"""Trees with vector leaves, written as a LightGBM model.

A tree whose leaves hold K values is K scalar trees of one shape, one for each class. Predictions of
the two agree because every split sends every value the same way:

- *numerical*: both ask ``value <= threshold`` in float64. The missing type is NaN, so that a
  missing value goes where the split says (``default_left``). Where a split parts the missing values
  from all others, the threshold is inf.
- *categorical*: LightGBM goes left on a set of category values and sends everything else right:
  NaN, negative values, values that it has not seen. A split that sends missing left is therefore
  turned around: children swapped, the set complemented over the known categories.

The baseline logits are part of the leaves of the first iteration.

What LightGBM's text cannot say: inputs of magnitude up to 1e-35 are zero to it; category values are
integers. Counts of rows are what its SHAP values weigh a child with, and ours are sums of weights:
they are multiplied by a power of two until they are integers, or fill 30 bits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from sksoftmax._trees._nodes import NODE

Tree = tuple[np.ndarray, np.ndarray, np.ndarray]
"""nodes (dtype NODE), bitsets (n_categorical_splits, 8) uint32, values (n_leaves, n_classes)."""

CATEGORY_BOUND = 2**24
"""Categories are below it: a set of them is kept with one bit for each integer."""

_IS_CATEGORICAL, _MISSING_LEFT, _MISSING_IS_NAN = 1, 2, 8  # bits of decision_type
_COUNT_BITS = 30  # LightGBM's counts are int32


def booster_from_trees(
    trees: Iterable[Tree],
    *,
    cuts: Sequence[np.ndarray],
    is_categorical: np.ndarray,
    baseline_logits: np.ndarray,
    feature_names: Sequence[str] | None = None,
    pandas_categorical: list[list[Any]] | None = None,
) -> Any:
    """Return a ``lightgbm.Booster`` that predicts what the trees predict.

    Parameters
    ----------
    trees : iterable of (nodes, bitsets, values)
        One for each iteration; thresholds of numerical splits filled in.
    cuts : sequence of n_features arrays
        The cuts of a numerical feature; the value of each category code of a categorical one.
    is_categorical : bool array of shape (n_features,)
    baseline_logits : array of shape (n_classes,)
    feature_names : sequence of str, default=None
        Names; LightGBM's are made of them by `lightgbm_names`.
    pandas_categorical : list of lists, default=None
        The categories of each column of categorical dtype, if the trees were fitted on a frame:
        ``Booster.predict`` needs them to read a frame.
    """
    import lightgbm

    text = model_text(
        trees,
        cuts=cuts,
        is_categorical=is_categorical,
        baseline_logits=baseline_logits,
        feature_names=feature_names,
        pandas_categorical=pandas_categorical,
    )
    return lightgbm.Booster(model_str=text)


def export_bytes(n_leaves: int, n_trees: int, n_classes: int) -> int:
    """Return about how much memory an export takes: text, its copies, and LightGBM's trees.

    Measured at its peak: 170 bytes for each value of a leaf and 2800 for each scalar tree.
    """
    return n_classes * (170 * n_leaves + 2800 * n_trees)


def model_text(
    trees: Iterable[Tree],
    *,
    cuts: Sequence[np.ndarray],
    is_categorical: np.ndarray,
    baseline_logits: np.ndarray,
    feature_names: Sequence[str] | None = None,
    pandas_categorical: list[list[Any]] | None = None,
) -> str:
    """Return the model as LightGBM writes it; the parameters are those of `booster_from_trees`."""
    baseline = np.asarray(baseline_logits, dtype=np.float64)
    categories = _category_values(cuts, is_categorical, feature_names)
    forest = list(trees) or [_constant_tree(len(baseline))]
    texts: list[str] = []
    for iteration, (nodes, bitsets, values) in enumerate(forest):
        values = values.astype(np.float64) + (baseline if iteration == 0 else 0.0)
        if not np.isfinite(values).all():
            raise ValueError(f"to_lightgbm: iteration {iteration} has a value that is not finite.")
        texts += _class_trees(_shape_of(nodes, bitsets, categories), values)
    infos = [
        _joined(categories[j], ":") or "none" if j in categories else _range(cuts[j])
        for j in range(len(cuts))
    ]
    names = lightgbm_names(feature_names, len(cuts))
    return assembled_model(len(baseline), names, infos, texts, pandas_categorical)


def assembled_model(
    n_classes: int,
    names: Sequence[str],
    infos: Sequence[str],
    trees: Sequence[str],
    pandas_categorical: list[list[Any]] | None,
) -> str:
    """Return a model in LightGBM's text: its head, its trees one after the other, and its tail."""
    trees = [f"Tree={number}\n{tree}" for number, tree in enumerate(trees)]
    return "".join(
        [
            f"tree\nversion=v4\nnum_class={n_classes}\nnum_tree_per_iteration={n_classes}\n",
            f"label_index=0\nmax_feature_idx={len(names) - 1}\n",
            f"objective=multiclass num_class:{n_classes}\n",
            f"feature_names={' '.join(names)}\nfeature_infos={' '.join(infos)}\n",
            f"tree_sizes={_joined(map(len, trees))}\n\n",  # in bytes: trees are ASCII
            *trees,
            "end of trees\n\nfeature_importances:\n\nparameters:\n[boosting: gbdt]\n",
            f"[objective: multiclass]\n[num_class: {n_classes}]\n\nend of parameters\n",
            _pandas_categorical_line(pandas_categorical),
        ]
    )


def lightgbm_names(names: Sequence[str] | None, n_features: int) -> list[str]:
    r"""Return names that LightGBM's text and JSON can hold: unique, and without blanks.

    White space, control characters and ``" , : [ ] { } \`` become ``_``; an empty name becomes
    ``Column_j``, as without names; a name that occurs again gets a number.
    """
    if names is None:
        return [f"Column_{j}" for j in range(n_features)]
    taken: set[str] = set()
    unique = []
    for j, name in enumerate(names):
        clean = re.sub(r'[\s",:\[\]{}\\\x00-\x1f\x7f]', "_", str(name)) or f"Column_{j}"
        candidate, number = clean, 0
        while candidate in taken:
            number += 1
            candidate = f"{clean}_{number}"
        taken.add(candidate)
        unique.append(candidate)
    return unique


def _pandas_categorical_line(categories: list[list[Any]] | None) -> str:
    """Return the last line of a model: the categories with which ``Booster.predict`` reads a frame.

    An empty list stands for those that JSON cannot hold (dates, intervals): with it LightGBM
    refuses frames with categoricals, where it would read others wrongly; predict on codes then.
    """
    try:
        line = json.dumps(categories, default=np.generic.item)
        kept = json.loads(line) == categories
    except TypeError:
        kept = False
    return f"\npandas_categorical:{line if kept else '[]'}\n"


def _range(cuts: np.ndarray) -> str:
    """Return the first and the last cut: what the text has room for, and the trees can tell."""
    finite = cuts[np.isfinite(cuts)]
    return f"[{float(finite[0])!r}:{float(finite[-1])!r}]" if len(finite) else "none"


def _category_values(
    cuts: Sequence[np.ndarray], is_categorical: np.ndarray, names: Sequence[str] | None
) -> dict[int, np.ndarray]:
    """Return the integer value of each category code, for the categorical features."""
    values = {}
    for j in np.flatnonzero(is_categorical).tolist():
        wrong = ~((cuts[j] >= 0) & (cuts[j] < CATEGORY_BOUND) & (cuts[j] == np.floor(cuts[j])))
        if wrong.any():
            name = f"x{j}" if names is None else names[j]
            raise ValueError(
                f"to_lightgbm: feature {name} has the category {cuts[j][wrong][0]:g}; LightGBM's "
                f"categories are integers from 0 to {CATEGORY_BOUND - 1}. Encode the feature "
                "with OrdinalEncoder, or as a pandas categorical."
            )
        values[j] = cuts[j].astype(np.int64)
    return values


# Trees


class _Shape(NamedTuple):
    """What the K trees of an iteration share: their text, and how a node's value comes about."""

    splits: str  # the lines before leaf_value
    leaves: str  # those between leaf_value and internal_value
    rest: str  # those after internal_value
    nodes: np.ndarray
    counts: np.ndarray  # of each leaf


def _constant_tree(n_classes: int) -> Tree:
    root = np.zeros(1, dtype=NODE)
    root["feature"], root["weight"] = -1, 1.0
    return root, np.empty((0, 8), np.uint32), np.zeros((1, n_classes), np.float32)


def _class_trees(shape: _Shape, values: np.ndarray) -> list[str]:
    """Return the text of the tree of each class."""
    count = shape.counts[:, np.newaxis]
    internal_values = _sums_below(shape.nodes, count * values) / _sums_below(shape.nodes, count)
    return [
        f"{shape.splits}leaf_value={_joined(leaf)}\n{shape.leaves}"
        f"internal_value={_short(internal)}\n{shape.rest}"
        for leaf, internal in zip(values.T, internal_values.T, strict=True)
    ]


def _shape_of(nodes: np.ndarray, bitsets: np.ndarray, categories: dict[int, np.ndarray]) -> _Shape:
    """Return the text of the splits, in LightGBM's numbering.

    1. Splits are numbered in the order of the nodes, from 0; leaf i is ~i.
    2. A categorical split has a set of values; where missing went left, its children are swapped.
    3. Weights and counts of splits and leaves.
    """
    is_split = nodes["left"] > 0
    splits, leaves = nodes[is_split], nodes[~is_split]
    number = np.where(is_split, np.cumsum(is_split) - 1, ~nodes["index"])  # 1
    left, right = number[splits["left"]], number[splits["left"] + 1]
    categorical = splits["is_categorical"].astype(bool)
    threshold: list[Any] = splits["threshold"].tolist()
    sets: list[np.ndarray] = []
    for i in np.flatnonzero(categorical).tolist():  # 2
        go_left, swapped = _values_that_go_left(
            bitsets[splits["index"][i]], categories[int(splits["feature"][i])]
        )
        threshold[i] = len(sets)
        sets.append(_words(go_left))
        if swapped:
            left[i], right[i] = right[i], left[i]
    decision_type = np.where(
        categorical,
        _IS_CATEGORICAL | _MISSING_IS_NAN,
        _MISSING_IS_NAN | (_MISSING_LEFT * (splits["missing_left"] > 0)),
    )
    order = np.argsort(leaves["index"])
    counts = _counts(leaves["weight"][order])  # 3
    return _Shape(
        splits=f"num_leaves={len(leaves)}\nnum_cat={len(sets)}\n"
        f"split_feature={_joined(splits['feature'])}\n"
        f"split_gain={_short(splits['gain'])}\n"
        f"threshold={_joined(threshold)}\ndecision_type={_joined(decision_type)}\n"
        f"left_child={_joined(left)}\nright_child={_joined(right)}\n",
        leaves=f"leaf_weight={_joined(leaves['weight'][order])}\nleaf_count={_joined(counts)}\n",
        rest=f"internal_weight={_short(splits['weight'])}\n"
        f"internal_count={_joined(_sums_below(nodes, counts))}\n{_set_lines(sets)}"
        "is_linear=0\nshrinkage=1\n\n\n",
        nodes=nodes,
        counts=counts,
    )


def _sums_below(nodes: np.ndarray, of_leaves: np.ndarray) -> np.ndarray:
    """Return the sum over the leaves below each split, in the order of the splits."""
    is_split = nodes["left"] > 0
    sums = np.empty((len(nodes), *of_leaves.shape[1:]), dtype=of_leaves.dtype)
    sums[~is_split] = of_leaves[nodes["index"][~is_split]]
    for i in np.flatnonzero(is_split)[::-1]:  # children come after their parent
        child = nodes["left"][i]
        sums[i] = sums[child] + sums[child + 1]
    return sums[is_split]


def _counts(weight: np.ndarray) -> np.ndarray:
    """Return the weights of the leaves as positive integers, in proportion.

    They are multiplied by the smallest power of two that makes integers of them, or by the largest
    with which their sum stays below 2^30, rounded.
    """
    largest = _COUNT_BITS - int(np.frexp(weight.sum())[1])  # sum 2^largest < 2^30
    for exponent in range(min(largest, 0), largest + 1):
        scaled = np.ldexp(weight, exponent)
        if (scaled == np.rint(scaled)).all():
            break
    return np.maximum(np.rint(scaled), 1).astype(np.int64)


def _values_that_go_left(bitset: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return the category values of the left child, once missing goes right; whether it swapped."""
    codes = np.arange(len(values) + 1)
    bits = (bitset[codes >> 5] >> (codes & 31).astype(np.uint32)) & 1
    missing_left = bool(bits[-1])
    return values[bits[:-1] != missing_left], missing_left


def _words(values: np.ndarray) -> np.ndarray:
    """Return a set of integers as bits in uint32 words, at least one."""
    words = np.zeros(int(values.max(initial=0)) // 32 + 1, dtype=np.uint32)
    np.bitwise_or.at(words, values >> 5, np.uint32(1) << (values & 31).astype(np.uint32))
    return words


def _set_lines(sets: list[np.ndarray]) -> str:
    if not sets:
        return ""
    boundaries = np.cumsum([0, *map(len, sets)])
    return f"cat_boundaries={_joined(boundaries)}\ncat_threshold={_joined(np.concatenate(sets))}\n"


def _joined(numbers: Any, separator: str = " ") -> str:
    """Return numbers in text from which they can be read back exactly."""
    if isinstance(numbers, np.ndarray):
        numbers = numbers.tolist()
    return separator.join(map(repr, numbers))


def _short(numbers: np.ndarray) -> str:
    """Return numbers of which nothing depends on the last digits, as LightGBM writes them."""
    return " ".join(f"{number:g}" for number in numbers.tolist())
