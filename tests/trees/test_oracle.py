"""The native tree is the tree that plain NumPy grows from the same records."""

import numpy as np
import pytest

from .growing import grow, make_arguments
from .oracle import Oracle, assert_same_tree, native_goes_left

NARROW = 4e-6  # scores of narrow records are float32
WIDE = 1e-13
SHAPES = [  # lanes, columns, curvature
    (4, 1, False),
    (4, 3, False),
    (4, 2, True),
    (8, 6, True),
    (16, 15, False),
    (48, 40, True),
]
KINDS = {
    "numerical": {"missing": 0.0},
    "missing": {"missing": 0.4},
    "categorical": {"categorical": (0, 1, 2, 3, 4, 5), "missing": 0.2},
    "mixed": {"categorical": (1, 4), "missing": 0.3},
    "many bins": {"most_bins": 255, "n": 300, "categorical": (1,)},
}
LIMITS = {
    "max_depth": {"max_depth": 2},
    "min_weight": {"min_weight": 40.0},
    "a fractional min_weight": {"min_weight": 17.25},
    "no min_weight": {"min_weight": 0.0, "max_leaf_nodes": 40},
    "min_gain": {"min_gain": 3.0, "max_leaf_nodes": 100},
    "no l2": {"l2": 0.0},
    "much l2": {"l2": 300.0},
    "two leaves": {"max_leaf_nodes": 2},
    "disjoint groups": {"group_ptr": [0, 3, 6], "groups": [0, 1, 2, 3, 4, 5]},
    "overlapping groups": {"group_ptr": [0, 2, 5, 6], "groups": [0, 1, 1, 2, 3, 5]},
    "a group that leaves some features out": {"group_ptr": [0, 2], "groups": [4, 1]},
}


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def groups_as_arrays(limits):
    dtypes = {"group_ptr": np.int64, "groups": np.int32}
    return {
        name: np.array(value, dtype=dtypes[name]) if name in dtypes else value
        for name, value in limits.items()
    }


@pytest.mark.parametrize(
    ("kind", "wide"), [*((kind, False) for kind in KINDS), ("mixed", True), ("missing", True)]
)
@pytest.mark.parametrize(("lanes", "n_columns", "has_curvature"), SHAPES)
def test_the_native_tree_is_the_oracles(lanes, n_columns, has_curvature, kind, wide, rng):
    records = {"lanes": lanes, "n_columns": n_columns, "has_curvature": has_curvature}
    arguments = make_arguments(rng, **({"n": 160} | records | KINDS[kind])) | {"wide": wide}

    grown = grow(arguments)

    assert grown.n_leaves > 8
    n_followed = assert_same_tree(grown, arguments, rtol=WIDE if wide else NARROW)
    assert n_followed <= (0 if wide else 1)


@pytest.mark.parametrize("limits", LIMITS)
def test_limits_are_the_oracles(limits, rng):
    arguments = make_arguments(rng, n=250, has_curvature=True, categorical=(1,))
    arguments |= {"wide": True} | groups_as_arrays(LIMITS[limits])

    grown = grow(arguments)

    assert grown.n_leaves > 1
    assert assert_same_tree(grown, arguments, rtol=WIDE) == 0


def test_rows_left_out_of_the_bag_and_rows_taken_twice(rng):
    arguments = make_arguments(rng, n=300, categorical=(3,)) | {"wide": True}
    arguments["rows"] = np.sort(rng.integers(0, 300, size=200)).astype(np.int32)

    assert assert_same_tree(grow(arguments), arguments, rtol=WIDE) == 0


def test_rows_without_weight_count_for_nothing(rng):
    arguments = make_arguments(rng, n=300, categorical=(3,)) | {"wide": True}
    arguments["records"].reshape(300, -1)[::3] = 0

    assert assert_same_tree(grow(arguments), arguments, rtol=WIDE) == 0


def test_sums_beyond_32_bits_are_exact(rng):
    arguments = make_arguments(rng, n=250) | {"wide": True}
    arguments["records"][:] *= 2**18
    arguments |= {"gradient_scale": 2.0**26, "weight_scale": 2.0**18}
    assert np.abs(arguments["records"].astype(np.int64)).sum() > 2**33

    assert assert_same_tree(grow(arguments), arguments, rtol=WIDE) == 0


def test_equal_features_leave_the_split_to_the_first(rng):
    arguments = make_arguments(rng, n=200, d=4, missing=0.0)
    codes = arguments["codes"].reshape(200, 4)
    codes[:, 1] = codes[:, 2] = codes[:, 3] = codes[:, 0]
    arguments["n_bins"][:] = arguments["n_bins"][0]

    grown = grow(arguments)

    assert set(grown.nodes["feature"]) == {-1, 0}
    assert assert_same_tree(grown, arguments, rtol=NARROW) == 0


def test_a_feature_that_only_tells_missing_from_known(rng):
    arguments = make_arguments(rng, n=200, d=1, most_bins=1) | {"wide": True}
    arguments["codes"][:] = rng.integers(0, 2, size=200)
    arguments["records"].reshape(200, -1)[:, 0] += 500 * arguments["codes"].astype(np.int32)

    grown = grow(arguments)

    assert grown.n_leaves == 2
    assert grown.nodes["missing_left"][0] == 0
    assert assert_same_tree(grown, arguments, rtol=WIDE) == 0


def test_the_judge_notices_a_worse_split_and_a_row_astray(rng):
    arguments = make_arguments(rng, n=200, missing=0.0) | {"wide": True}
    grown = grow(arguments)
    grown.nodes["bin"][0] += 1
    with pytest.raises(AssertionError):
        assert_same_tree(grown, arguments, rtol=WIDE)

    grown = grow(arguments)
    grown.rows[:] = grown.rows[::-1]
    with pytest.raises(AssertionError):
        assert_same_tree(grown, arguments, rtol=WIDE)


def test_the_oracle_on_its_own_grows_the_tree_it_compares_with(rng):
    arguments = make_arguments(rng, n=200, categorical=(2,)) | {"wide": True}
    grown, nodes = grow(arguments), Oracle(arguments).grow()

    assert [node.left for node in nodes] == list(grown.nodes["left"])
    for at, node in enumerate(nodes):
        if node.left:
            codes = arguments["codes"].reshape(200, -1)[node.rows, node.split.feature]
            native = native_goes_left(Oracle(arguments), grown, at)
            assert np.array_equal(native[codes], node.goes_left[codes])
