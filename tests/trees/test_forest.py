"""Bins to leaves and logits, against a walk in plain Python; arrays from anywhere are checked."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sksoftmax._trees import _core
from sksoftmax._trees._forest import Forest
from sksoftmax._trees._nodes import NODE

from .random_trees import random_codes, random_features, random_forest, random_tree, walk


def walked(nodes, bitsets, n_bins, codes, rows=None, n_threads=1):
    leaf_of_row = np.full(len(codes), -7, dtype=np.int32)
    _core.walk(
        nodes=nodes.view(np.uint8),
        bitsets=bitsets.reshape(-1),
        codes=codes.reshape(-1),
        n_features=codes.shape[1],
        n_bins=n_bins,
        rows=rows,
        leaf_of_row=leaf_of_row,
        n_threads=n_threads,
    )
    return leaf_of_row


def expected_logits(forest, codes, baseline):
    """One float32 addition per tree and class, in the order of the trees."""
    logits = np.tile(np.asarray(baseline, dtype=np.float32), (len(codes), 1))
    for nodes, bitsets, values in forest:
        logits += values[walk(nodes, bitsets, forest.n_bins, codes)]
    return logits


def some_forest(rng, n_features=5, n_classes=3, sizes=(1, 2, 7, 31), **options):
    n_bins, is_categorical = random_features(rng, n_features)
    return random_forest(rng, sizes, n_classes, n_bins, is_categorical, **options)


# --- leaves ---------------------------------------------------------------------------------------


@given(
    seed=st.integers(0, 2**32),
    n_leaves=st.integers(1, 80),
    n_features=st.integers(1, 150),
    n_rows=st.integers(1, 200),
    most_bins=st.sampled_from([1, 2, 17, 255]),
    chain=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_a_walk_ends_where_plain_python_ends(seed, n_leaves, n_features, n_rows, most_bins, chain):
    rng = np.random.default_rng(seed)
    n_bins, is_categorical = random_features(rng, n_features, most_bins=most_bins)
    nodes, bitsets = random_tree(rng, n_leaves, n_bins, is_categorical, chain=chain)
    codes = random_codes(rng, n_rows, n_bins)
    expected = walk(nodes, bitsets, n_bins, codes)
    assert_array_equal(walked(nodes, bitsets, n_bins, codes), expected)
    rows = rng.permutation(n_rows)[: n_rows // 2].astype(np.int32)
    some = walked(nodes, bitsets, n_bins, codes, rows)
    assert_array_equal(some[rows], expected[rows])
    assert np.all(np.delete(some, rows) == -7)


@pytest.mark.parametrize("n_leaves", [255, 256, 257, 511, 512, 513, 3000])
@pytest.mark.parametrize("chain", [False, True])
def test_trees_of_any_size_and_depth_are_walked(n_leaves, chain, rng):
    n_bins, is_categorical = random_features(rng, 9)
    nodes, bitsets = random_tree(rng, n_leaves, n_bins, is_categorical, chain=chain)
    codes = random_codes(rng, 130, n_bins)
    expected = walk(nodes, bitsets, n_bins, codes)
    assert_array_equal(walked(nodes, bitsets, n_bins, codes), expected)


@pytest.mark.parametrize("n_features", [63, 64, 65, 128, 1000])
def test_any_number_of_features(n_features, rng):
    forest = some_forest(rng, n_features, sizes=(2, 300))
    codes = random_codes(rng, 77, forest.n_bins)
    expected = [walk(nodes, bits, forest.n_bins, codes) for nodes, bits, _ in forest]
    assert_array_equal(forest.apply(codes), np.transpose(expected))


def test_no_rows_and_no_trees(rng):
    forest = some_forest(rng)
    none = random_codes(rng, 0, forest.n_bins)
    assert forest.apply(none).shape == (0, 4)
    assert forest.logits(none).shape == (0, 3)
    codes = random_codes(rng, 3, forest.n_bins)
    forest.truncate(0)
    assert forest.apply(codes).shape == (3, 0)
    assert_array_equal(forest.logits(codes, [1, 2, 3]), np.tile([1, 2, 3], (3, 1)))


# --- logits ---------------------------------------------------------------------------------------


@given(seed=st.integers(0, 2**32), n_classes=st.integers(1, 140), n_rows=st.integers(1, 150))
@settings(max_examples=40, deadline=None)
def test_logits_are_the_baseline_and_one_addition_per_tree(seed, n_classes, n_rows):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 40, size=rng.integers(0, 50))
    forest = some_forest(rng, rng.integers(1, 90), n_classes, sizes)
    codes = random_codes(rng, n_rows, forest.n_bins)
    baseline = rng.standard_normal(n_classes)
    expected = expected_logits(forest, codes, baseline)
    assert_array_equal(forest.logits(codes, baseline), expected)


def test_stages_and_batches_and_threads_agree_bit_for_bit(rng):
    forest = some_forest(rng, 20, 7, sizes=[15] * 70)
    codes = random_codes(rng, 3000, forest.n_bins)
    baseline = rng.standard_normal(7)
    all_trees = forest.logits(codes, baseline, n_threads=1)
    for n_threads in (2, 3, 8):
        assert_array_equal(forest.logits(codes, baseline, n_threads=n_threads), all_trees)
    for stage, logits in enumerate(forest.staged(codes, baseline), 1):
        if stage in (1, 33, 70):
            assert_array_equal(logits, forest.logits(codes, baseline, last=stage))
    assert_array_equal(logits, all_trees)
    for batch in (slice(0, 1), slice(5, 70), slice(1000, 2999)):
        assert_array_equal(forest.logits(codes[batch], baseline), all_trees[batch])


def test_a_range_of_trees_is_added_to_what_out_holds(rng):
    forest = some_forest(rng)
    codes = random_codes(rng, 40, forest.n_bins)
    out = forest.logits(codes, [1, 2, 3], last=2)
    assert forest.logits(codes, first=2, out=out) is out
    assert_array_equal(out, forest.logits(codes, [1, 2, 3]))


def test_a_truncated_forest_is_the_one_before_the_trees_came(rng):
    forest = some_forest(rng)
    codes = random_codes(rng, 40, forest.n_bins)
    before, last = forest.logits(codes), [array.copy() for array in forest[-1]]
    forest.truncate(3)
    assert len(forest) == 3
    forest.append(*last)
    assert_array_equal(forest.logits(codes), before)
    with pytest.raises(ValueError, match="n_trees"):
        forest.truncate(5)


def test_importances_sum_the_gains_of_splits(rng):
    forest = some_forest(rng)
    expected = np.zeros(5)
    for nodes, _, _ in forest:
        for node in nodes[nodes["left"] != 0]:
            expected[node["feature"]] += node["gain"]
    np.testing.assert_allclose(forest.gain_importances(), expected, rtol=1e-12)


# --- pickles --------------------------------------------------------------------------------------


def test_a_pickle_gives_the_same_logits_and_can_grow(rng):
    forest = some_forest(rng)
    codes = random_codes(rng, 40, forest.n_bins)
    copy = pickle.loads(pickle.dumps(forest))
    assert_array_equal(copy.logits(codes), forest.logits(codes))
    for each in (forest, copy):
        each.append(*forest[1])
    assert_array_equal(copy.logits(codes), forest.logits(codes))


def test_a_pickle_is_no_larger_than_its_arrays(rng):
    forest = some_forest(rng, sizes=[31] * 33)
    arrays = [array for tree in forest for array in tree]
    forest.append(*forest[0])
    forest.truncate(33)
    assert len(pickle.dumps(forest)) < sum(array.nbytes for array in arrays) + 5000


def changed(state, name, index, value):
    """A copy of a state with one entry of an array, or one field of a node, changed."""
    state = dict(state)
    if name in NODE.names:
        nodes = np.frombuffer(state["nodes"], dtype=NODE).copy()
        nodes[name][index] = value
        state["nodes"] = nodes.tobytes()
    else:
        state[name] = state[name].copy()
        state[name][index] = value
    return state


@pytest.mark.parametrize(
    ("name", "index", "value"),
    [
        ("left", 1, 2**31 - 1),  # the root of the second tree
        ("left", 1, -5),
        ("left", 4, 1),  # its own parent
        ("left", 1, 3),
        ("feature", 1, 5),
        ("feature", 1, -1),
        ("bin", 1, 255),
        ("index", 0, 1),
        ("index", 0, -1),
        ("tree_ptr", 1, 2),
        ("tree_ptr", 2, 2**40),
        ("tree_ptr", 0, -1),
        ("bitset_ptr", 0, 1),
        ("bitset_ptr", -1, 2**40),
        ("value_ptr", 1, 2),
        ("n_bins", 0, 256),
        ("n_bins", 0, 0),
    ],
)
def test_a_corrupted_state_is_refused(name, index, value, rng):
    n_bins = np.full(5, 20)
    forest = random_forest(rng, (1, 5, 7), 3, n_bins, np.zeros(5, dtype=bool))
    state = forest.__getstate__()
    Forest.__new__(Forest).__setstate__(state)
    with pytest.raises(ValueError, match="state: not the state of a Forest"):
        Forest.__new__(Forest).__setstate__(changed(state, name, index, value))


@pytest.mark.parametrize("missing", ["version", "nodes", "values", "value_ptr", "n_bins"])
def test_an_incomplete_or_foreign_state_is_refused(missing, rng):
    state = some_forest(rng).__getstate__()
    short = {key: value for key, value in state.items() if key != missing}
    for bad in (short, state | {"version": 99}, state | {"nodes": state["nodes"][:-1]}, None):
        with pytest.raises(ValueError, match="state: not the state of a Forest"):
            Forest.__new__(Forest).__setstate__(bad)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_arbitrary_nodes_give_an_answer_or_an_error(data):
    """Nothing that follows pointers may leave its arrays, whatever bytes it is handed."""
    rng = np.random.default_rng(0)
    n_bins, is_categorical = random_features(rng, 3)
    nodes, bitsets = random_tree(rng, 9, n_bins, is_categorical)
    for _ in range(data.draw(st.integers(1, 3))):
        field = data.draw(st.sampled_from(["feature", "left", "index", "bin", "is_categorical"]))
        limits = np.iinfo(NODE[field])
        near = st.integers(max(-2, limits.min), 30)
        at = data.draw(st.integers(0, len(nodes) - 1))
        nodes[field][at] = data.draw(near | st.integers(limits.min, limits.max))
    codes = random_codes(rng, 70, n_bins)
    try:
        leaves = walked(nodes, bitsets, n_bins, codes)
    except ValueError as error:
        assert "nodes" in str(error)
    else:
        assert np.all((leaves >= 0) & (leaves < 9))


# --- the door -------------------------------------------------------------------------------------


def test_codes_of_another_shape_or_type_are_refused(rng):
    forest = some_forest(rng)
    codes = random_codes(rng, 10, forest.n_bins)
    for bad in (codes[:, :-1], codes.astype(np.int32), codes[0]):
        with pytest.raises(ValueError, match="codes"):
            forest.logits(bad)
    with pytest.raises(ValueError, match="first_tree"):
        forest.logits(codes, first=3, last=2)
    with pytest.raises(ValueError, match="first_tree"):
        forest.logits(codes, last=5)
    with pytest.raises(ValueError, match="out"):
        forest.logits(codes, out=np.empty((10, 4), dtype=np.float32))
    with pytest.raises(ValueError, match="baseline"):
        forest.logits(codes, [0, 0, 0], out=np.empty((10, 3), dtype=np.float32))
    with pytest.raises(ValueError, match="values"):
        forest.append(*forest[1][:2], np.zeros((3, 3)))
    assert len(forest) == 4


@pytest.mark.parametrize("rows", [[-1], [10], [0, 5, 2**31 - 1]])
def test_rows_outside_the_codes_are_refused(rows, rng):
    n_bins = np.array([3, 4], dtype=np.int32)
    nodes, bitsets = random_tree(rng, 3, n_bins, [False, False])
    with pytest.raises(ValueError, match="rows"):
        walked(nodes, bitsets, n_bins, random_codes(rng, 10, n_bins), np.array(rows, np.int32))


def test_misaligned_or_partial_nodes_are_refused(rng):
    n_bins = np.array([3, 4], dtype=np.int32)
    nodes, bitsets = random_tree(rng, 3, n_bins, [False, False])
    room = np.zeros(nodes.nbytes + 1, dtype=np.uint8)
    for bad in (room[1:], room[:-2]):
        with pytest.raises(ValueError, match="nodes"):
            walked(bad, bitsets, n_bins, random_codes(rng, 10, n_bins))
