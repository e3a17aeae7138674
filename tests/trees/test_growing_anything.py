"""Whatever the codes and records: the tree is one that plain NumPy could have grown."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sksoftmax._trees import _core

from .growing import grow, make_arguments
from .oracle import assert_same_tree

SHAPES = [(4, 1, False), (4, 2, True), (8, 7, False), (16, 3, True), (32, 18, False)]


@st.composite
def problems(draw):
    """Small, with few distinct values (many ties), or one row, one bin, all missing, constant."""
    n = draw(st.integers(1, 40))
    d = draw(st.integers(1, 4))
    lanes, n_columns, has_curvature = draw(
        st.sampled_from(
            [(4, 1, False), (4, 2, True), (8, 7, False), (16, 3, True), (32, 18, False)]
        )
    )
    n_bins = np.array(draw(st.lists(st.sampled_from([1, 2, 3, 7, 255]), min_size=d, max_size=d)))
    share = draw(arrays(np.float64, (n, d), elements=st.sampled_from([0.0, 0.2, 0.5, 0.99, 1.0])))
    weight = draw(arrays(np.int32, n, elements=st.sampled_from([0, 1, 1, 2, 1000])))
    size = draw(st.sampled_from([1, 3, 400_000]))
    records = np.zeros((n, lanes), dtype=np.int32)
    elements = st.integers(-size, size)
    records[:, :n_columns] = draw(arrays(np.int32, (n, n_columns), elements=elements))
    records[:, :n_columns] *= np.minimum(weight, 1)[:, None]
    if has_curvature:
        records[:, n_columns] = weight * draw(st.integers(1, 1000))
    records[:, n_columns + has_curvature] = weight
    return {
        "codes": np.floor(share * n_bins).astype(np.uint8).ravel(),  # 1.0 is missing
        "n_features": d,
        "n_bins": n_bins.astype(np.int32),
        "is_categorical": draw(arrays(np.uint8, d, elements=st.integers(0, 1))),
        "records": records.ravel(),
        "lanes": lanes,
        "n_columns": n_columns,
        "has_curvature": has_curvature,
        "wide": draw(st.booleans()),
        "gradient_scale": draw(st.sampled_from([1.0, 2.0**10])),
        "curvature_scale": draw(st.sampled_from([1.0, 2.0**7])),
        "weight_scale": draw(st.sampled_from([1.0, 2.0**3])),
        "rows": np.array(
            draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=2 * n)), dtype=np.int32
        ),
        "max_leaf_nodes": draw(st.sampled_from([1, 2, 3, 8, 1000])),
        "max_depth": draw(st.sampled_from([0, 1, 3])),
        "min_weight": draw(st.sampled_from([0.0, 1.0, 2.5, 1e9])),
        "l2": draw(st.sampled_from([0.001, 1.0, 1e6])),
        "min_gain": draw(st.sampled_from([0.0, 0.5])),
        "max_features": d,
        "seed": 0,
        "group_ptr": None,
        "groups": None,
        "n_threads": draw(st.sampled_from([1, 1, 2])),
    }


@settings(max_examples=100, deadline=None)
@given(problems())
def test_a_tree_from_anything_is_the_oracles(arguments):
    grown = grow(arguments)

    assert_same_tree(grown, arguments, rtol=1e-12 if arguments["wide"] else 4e-6)


@settings(max_examples=40, deadline=None)
@given(problems())
def test_a_walk_ends_in_the_leaf_that_holds_the_row(arguments):
    grown, n_samples = grow(arguments), len(arguments["records"]) // arguments["lanes"]
    leaf_of_row = np.full(n_samples, -1, dtype=np.int32)

    _core.walk(
        nodes=grown.nodes.view(np.uint8),
        bitsets=grown.bitsets.reshape(-1),
        **{name: arguments[name] for name in ("codes", "n_features", "n_bins", "n_threads")},
        rows=None,
        leaf_of_row=leaf_of_row,
    )

    for leaf in range(grown.n_leaves):
        assert (leaf_of_row[grown.rows_of(leaf)] == leaf).all()
    assert leaf_of_row.min() >= 0


@settings(max_examples=50, deadline=None)
@given(problems(), st.integers(1, 4), st.integers(0, 2**64 - 1))
def test_any_draw_of_features_gives_a_tree_whose_leaves_hold_every_row_once(
    arguments, max_features, seed
):
    max_features = min(max_features, arguments["n_features"])
    arguments |= {"max_features": max_features, "seed": seed}

    grown, again = grow(arguments), grow(arguments)

    assert np.array_equal(np.sort(grown.rows), np.sort(arguments["rows"]))
    assert grown.leaf_ptr[-1] == len(arguments["rows"])
    assert (np.diff(grown.leaf_ptr) > 0).all()
    assert grown.same_splits_as(again)
    least = max(arguments["min_weight"], 1 / arguments["weight_scale"])
    if grown.n_leaves > 1:
        assert grown.nodes["weight"].min() >= least


@pytest.mark.parametrize("wide", [False, True])
def test_a_gradient_without_any_curvature_is_no_division_by_zero(wide):
    arguments = make_arguments(
        np.random.default_rng(0), n=40, d=1, lanes=4, n_columns=1, has_curvature=True
    )
    arguments["records"][:] = np.tile(np.array([3, 0, 1, 0], dtype=np.int32), 40)
    arguments |= {"l2": 0.0, "min_weight": 1.0, "wide": wide}

    nodes = grow(arguments).nodes

    assert np.isfinite(nodes["gain"]).all()
