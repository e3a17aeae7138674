"""The native grower: its door refuses what is wrong, and its sums are exact."""

import numpy as np
import pytest

from sksoftmax._trees import _core

from .growing import grow, make_arguments, with_outputs

SHAPES = [  # lanes, columns, curvature
    (4, 3, False),
    (4, 2, True),
    (8, 5, True),
    (16, 15, False),
    (32, 20, True),
]


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture(params=SHAPES, ids=str)
def arguments(request, rng):
    lanes, n_columns, has_curvature = request.param
    return make_arguments(
        rng, lanes=lanes, n_columns=n_columns, has_curvature=has_curvature, categorical=(1, 2)
    )


def refused(arguments, match, **changes):
    with pytest.raises(ValueError, match=match):
        _core.grow(**(with_outputs(arguments) | changes))


def short(name, arguments):
    return {name: with_outputs(arguments)[name][:-1]}


ARRAYS = ["codes", "is_categorical", "records", "nodes", "bitsets", "leaf_ptr"]


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_of_a_wrong_size_is_an_error_that_names_it(name, rng):
    arguments = make_arguments(rng)
    refused(arguments, f"^{name}: ", **short(name, arguments))


@pytest.mark.parametrize("name", [*ARRAYS, "n_bins", "rows", "workspace"])
def test_an_array_that_is_missing_is_an_error(name, rng):
    refused(make_arguments(rng), "none may be None", **{name: None})


def test_columns_beyond_any_lane_are_an_error(rng):
    refused(make_arguments(rng), "^n_columns: ", n_columns=2**31 - 1)


def test_a_workspace_that_is_too_small_is_an_error(rng):
    arguments = make_arguments(rng)
    workspace = with_outputs(arguments, histogram_budget_bytes=0)["workspace"][:-1]
    refused(arguments, "^workspace: ", workspace=workspace)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lanes", 5),
        ("lanes", -16),
        ("n_columns", 0),
        ("n_columns", 4),
        ("gradient_scale", 3.0),
        ("gradient_scale", 0.0),
        ("curvature_scale", np.inf),
        ("weight_scale", np.nan),
        ("max_leaf_nodes", 0),
        ("max_leaf_nodes", 2**40),
        ("max_depth", -1),
        ("min_weight", -1.0),
        ("min_weight", np.nan),
        ("l2", -1.0),
        ("l2", np.inf),
        ("min_gain", -1.0),
        ("max_features", 0),
        ("max_features", 7),
        ("n_threads", 0),
    ],
)
def test_a_value_out_of_range_is_an_error_that_names_it(name, value, rng):
    refused(make_arguments(rng), f"^{name}: ", **{name: value})


@pytest.mark.parametrize("row", [-1, 500, 2**31 - 1])
def test_a_row_outside_the_data_is_an_error(row, rng):
    arguments = make_arguments(rng)
    rows = np.array([0, row, 1], dtype=np.int32)
    refused(arguments, "^rows: ", rows=rows)


@pytest.mark.parametrize("n_bins", [0, 256, -1])
def test_a_number_of_bins_outside_1_to_255_is_an_error(n_bins, rng):
    arguments = make_arguments(rng)
    refused(arguments, "^n_bins: ", n_bins=np.full(6, n_bins, dtype=np.int32))


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("feature", range(6))
def test_a_code_above_the_bins_of_its_feature_is_an_error(feature, n_threads, rng):
    arguments = make_arguments(rng) | {"n_threads": n_threads}
    codes = arguments["codes"].copy().reshape(-1, 6)
    codes[17, feature] = arguments["n_bins"][feature] + 1
    refused(arguments, "^codes: ", codes=codes.ravel())
    refused(arguments, "^codes: ", codes=np.full_like(arguments["codes"], 255))


def test_negative_weights_are_an_error(rng):
    arguments = make_arguments(rng)
    arguments["records"][3] = -1
    refused(arguments, "^records: ")


def test_sums_that_need_64_bits_are_an_error_unless_wide(rng):
    arguments = make_arguments(rng)
    arguments["records"][::4] = 2**30
    refused(arguments, "^wide: ")
    assert grow(arguments | {"wide": True}).n_leaves > 1


@pytest.mark.parametrize(
    ("group_ptr", "groups", "match"),
    [
        ([0, 2], [0, 6], "^groups: "),
        ([0, 2], [-1, 2], "^groups: "),
        ([0, 3], [0, 1], "^group_ptr: "),
        ([1, 2], [0, 1], "^group_ptr: "),
        ([0, 2, 1, 2], [0, 1], "^group_ptr: "),
        ([0], [], "^group_ptr: "),
        (None, [0], "^groups: "),
    ],
)
def test_groups_that_make_no_sense_are_an_error(group_ptr, groups, match, rng):
    pointers = None if group_ptr is None else np.array(group_ptr, dtype=np.int64)
    changes = {"group_ptr": pointers, "groups": np.array(groups, dtype=np.int32)}
    refused(make_arguments(rng), match, **changes)


def test_the_tree_is_the_same_for_any_number_of_threads(arguments):
    one = grow(arguments)
    assert one.n_leaves > 4
    for n_threads in (2, 5):
        many = grow(arguments | {"n_threads": n_threads})
        assert many.same_splits_as(one)
        assert np.array_equal(many.rows, one.rows)


def test_the_order_of_rows_does_not_matter(arguments, rng):
    one = grow(arguments)
    other = grow(arguments | {"rows": rng.permutation(arguments["rows"])})
    assert other.same_splits_as(one)
    for leaf in range(one.n_leaves):
        assert set(other.rows_of(leaf)) == set(one.rows_of(leaf))


def test_a_leaf_keeps_its_rows_in_the_order_they_came(arguments):
    grown = grow(arguments)
    for leaf in range(grown.n_leaves):
        assert (np.diff(grown.rows_of(leaf)) > 0).all()


def test_weight_two_equals_a_duplicated_row(arguments):
    rows = np.concatenate([arguments["rows"], arguments["rows"][::3]]).astype(np.int32)
    records = arguments["records"].copy().reshape(-1, arguments["lanes"])
    records[::3] *= 2
    twice = grow(arguments | {"rows": rows})
    weighted = grow(arguments | {"records": records.ravel()})
    assert weighted.same_splits_as(twice)


def test_wide_sums_give_the_same_splits(arguments):
    narrow, wide = grow(arguments), grow(arguments | {"wide": True})
    fields = ["feature", "bin", "missing_left", "left"]
    assert np.array_equal(narrow.nodes[fields], wide.nodes[fields])


def test_histograms_that_were_dropped_change_nothing(arguments):
    plenty = grow(arguments)
    scarce = grow(arguments, histogram_budget_bytes=0)
    assert scarce.same_splits_as(plenty)
    assert np.array_equal(scarce.rows, plenty.rows)


def test_one_leaf_is_a_tree(rng):
    grown = grow(make_arguments(rng) | {"max_leaf_nodes": 1})
    assert grown.n_leaves == 1
    assert grown.nodes["weight"][0] == grown.nodes["weight"].sum()


def test_children_share_the_weight_of_their_parent(arguments):
    nodes = grow(arguments).nodes
    inner = nodes[nodes["left"] > 0]
    children = nodes["weight"][inner["left"]] + nodes["weight"][inner["left"] + 1]
    assert np.array_equal(children, inner["weight"])
    assert (nodes["weight"] >= arguments["min_weight"]).all()


def test_max_depth_is_kept(arguments):
    nodes = grow(arguments | {"max_depth": 2}).nodes
    assert len(nodes) == 7


@pytest.fixture(scope="module")
def large():
    """So many rows that threads share the work of the nodes near the root."""
    return make_arguments(np.random.default_rng(3), n=60_000, d=9, categorical=(1, 2))


@pytest.mark.parametrize("n_threads", [2, 3, 8])
def test_threads_that_share_large_nodes_change_nothing(large, n_threads):
    one, many = grow(large), grow(large | {"n_threads": n_threads})
    assert many.same_splits_as(one)
    assert np.array_equal(many.rows, one.rows)


def test_an_error_in_a_thread_reaches_the_caller(large):
    codes = large["codes"].copy()
    codes[-1] = 255
    refused(large | {"n_threads": 3}, "^codes: ", codes=codes)


def features_on_paths(grown):
    """The set of features above each leaf."""
    paths, above = [], {0: frozenset()}
    for number, node in enumerate(grown.nodes):
        if node["left"] == 0:
            paths.append(above[number])
        else:
            path = above[number] | {int(node["feature"])}
            above[int(node["left"])] = above[int(node["left"]) + 1] = path
    return paths


def test_features_meet_on_a_path_only_within_one_group(arguments):
    groups = [[0, 1], [1, 2, 3], [4], [5]]
    constrained = grow(
        arguments
        | {
            "group_ptr": np.cumsum([0] + [len(group) for group in groups]),
            "groups": np.concatenate(groups).astype(np.int32),
        }
    )
    assert constrained.n_leaves > 4
    for path in features_on_paths(constrained):
        assert any(path <= set(group) for group in groups)


def test_one_group_of_all_features_constrains_nothing(arguments):
    everything = {
        "group_ptr": np.array([0, 6]),
        "groups": np.arange(6, dtype=np.int32),
    }
    assert grow(arguments | everything).same_splits_as(grow(arguments))


def test_a_draw_of_features_depends_on_the_seed_alone(arguments):
    some = arguments | {"max_features": 2}
    again = grow(some | {"n_threads": 2}, histogram_budget_bytes=0)
    assert again.same_splits_as(grow(some))
    assert not grow(some | {"seed": 1}).same_splits_as(grow(some))


def test_every_feature_is_drawn_about_as_often_as_another(rng):
    arguments = make_arguments(rng, n=60, most_bins=8, missing=0, signal=0)
    arguments["n_bins"][:] = 8
    roots = []
    for seed in range(600):
        one = arguments | {"max_features": 1, "max_leaf_nodes": 2, "seed": seed}
        roots.append(grow(one).nodes["feature"][0])
    counts = np.bincount(roots, minlength=6)
    assert counts.sum() == 600
    assert (np.abs(counts - 100) < 45).all()  # five standard deviations


def test_categories_that_a_node_lacks_follow_missing(arguments):
    grown = grow(arguments)
    inner = grown.nodes[(grown.nodes["left"] > 0) & (grown.nodes["is_categorical"] == 1)]
    assert len(inner) > 0
    for node in inner:
        bits = np.unpackbits(grown.bitsets[node["index"]].view(np.uint8), bitorder="little")
        n_bins = arguments["n_bins"][node["feature"]]
        assert (bits[n_bins:] == node["missing_left"]).all()
