"""Values to bins: the order is kept, weights are repetitions, missing values stand apart."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sksoftmax._trees import _core
from sksoftmax._trees._binning import BinMapper

VALUES = st.floats(allow_nan=True, allow_infinity=True, allow_subnormal=True)
FEW = st.sampled_from([-np.inf, -1.0, -0.0, 0.0, 5e-324, 1.0, 1.7e308, -1.7e308, np.inf, np.nan])


def column(values, dtype=np.float64):
    return np.array(values, dtype=dtype).reshape(-1, 1)


def expected_codes(mapper, X):
    """By counting cuts, feature after feature."""
    codes = np.empty(X.shape, dtype=np.uint8)
    for j in range(X.shape[1]):
        cuts, x = mapper.cuts_of(j), X[:, j].astype(np.float64)
        position = np.searchsorted(cuts, x, side="left")
        missing = np.isnan(x)
        if mapper.is_categorical_[j]:
            missing = ~np.isin(x, cuts)
        codes[:, j] = np.where(missing, mapper.n_bins_[j], position)
    return codes


def mixed_columns(rng, n):
    """One column of each kind: continuous, with gaps, constant, counts, empty, huge."""
    continuous = rng.standard_normal(n)
    with_gaps = np.where(rng.random(n) < 0.3, np.nan, rng.standard_normal(n))
    huge = rng.choice([-1e308, 1e308, np.inf, -np.inf, 5e-324, 0.0], size=n)
    return np.column_stack(
        [continuous, with_gaps, np.full(n, 3.0), rng.integers(9, size=n), np.full(n, np.nan), huge]
    )


# --- where the cuts are ---------------------------------------------------------------------------


@given(st.lists(VALUES | FEW, min_size=1, max_size=60))
def test_a_cut_separates_neighbours_and_is_the_lower_one_at_least(values):
    cuts = BinMapper(255).fit(column(values)).cuts_
    distinct = np.unique([v for v in values if v == v])
    assert len(cuts) == max(len(distinct) - 1, 0)
    assert np.all(distinct[:-1] <= cuts)
    assert np.all(cuts < distinct[1:])


@given(st.lists(VALUES | FEW, min_size=1, max_size=300), st.integers(2, 20))
def test_bins_keep_the_order_and_are_no_more_than_max_bins(values, max_bins):
    X = column(values)
    mapper = BinMapper(max_bins).fit(X)
    codes = mapper.transform(X)[:, 0]
    assert mapper.n_bins_[0] <= max_bins
    order = np.argsort(X[:, 0], kind="stable")  # NaN last, like their code
    assert np.all(np.diff(codes[order].astype(int)) >= 0)
    assert_array_equal(codes == mapper.n_bins_[0], np.isnan(X[:, 0]))
    present = np.unique(codes[~np.isnan(X[:, 0])])
    assert_array_equal(present, np.arange(len(present)))  # no bin is empty


@pytest.mark.parametrize("max_bins", [2, 3, 16, 255])
def test_quantile_bins_of_distinct_values_are_equally_full(max_bins, rng):
    X = rng.standard_normal((10_000, 1))
    mapper = BinMapper(max_bins).fit(X)
    counts = np.bincount(mapper.transform(X)[:, 0])
    assert len(counts) == max_bins
    assert counts.max() - counts.min() <= 1


def test_a_heavy_value_has_a_bin_of_its_own_and_takes_none_from_the_others(rng):
    light = rng.standard_normal(1000)
    for heavy in (-10.0, 0.0, 10.0):
        X = column(np.concatenate([light, np.full(5000, heavy)]))
        mapper = BinMapper(32).fit(X)
        counts = np.bincount(mapper.transform(X)[:, 0])
        assert len(counts) == 32
        assert np.sum(counts == 5000) == 1
        assert np.max(counts[counts < 5000]) <= 2 * 1000 / 31


def test_many_heavy_values_between_light_ones_stay_within_max_bins(rng):
    heavy, light = np.repeat(np.arange(200.0), 50), rng.uniform(-1, 200, size=500)
    X = column(np.concatenate([heavy, light]))
    mapper = BinMapper(255).fit(X)
    codes = mapper.transform(X)[:, 0]
    assert mapper.n_bins_[0] <= 255
    assert len(np.unique(codes[: len(heavy)])) == 200


# --- weights --------------------------------------------------------------------------------------


@given(st.data())
@settings(max_examples=50)
def test_a_weight_of_three_is_the_row_three_times(data):
    n = data.draw(st.integers(1, 400))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    X = mixed_columns(rng, n)
    weight = rng.integers(0, 4, size=n)
    weight[0] = 1
    scale = data.draw(st.sampled_from([1.0, 2.0**-30, 2.0**700]))
    max_bins = data.draw(st.sampled_from([2, 7, 32, 255]))
    categorical = [False] * 3 + [True] + [False] * 2
    weighted = BinMapper(max_bins).fit(X, weight * scale, categorical)
    repeated = BinMapper(max_bins).fit(np.repeat(X, weight, axis=0), None, categorical)
    shuffled = BinMapper(max_bins).fit(X[::-1], weight[::-1] * scale, categorical)
    for other in (repeated, shuffled):
        assert_array_equal(weighted.cuts_, other.cuts_)
        assert_array_equal(weighted.cut_ptr_, other.cut_ptr_)


def test_equal_weights_that_are_no_integers_change_nothing(rng):
    X = mixed_columns(rng, 5000)
    assert_array_equal(BinMapper(64).fit(X, np.full(5000, 0.1)).cuts_, BinMapper(64).fit(X).cuts_)


@pytest.mark.parametrize("weight", [[1.0, -1.0], [1.0, np.nan], [1.0, np.inf], [0.0, 0.0]])
def test_bad_weights_are_refused_by_name(weight):
    with pytest.raises(ValueError, match="sample_weight"):
        BinMapper().fit(column([1, 2]), np.array(weight))


# --- categories -----------------------------------------------------------------------------------


def test_categories_are_bins_in_their_order_and_all_else_is_missing():
    mapper = BinMapper().fit(column([7, 3, 3, np.nan, -1, 300, np.inf]), None, [True])
    assert_array_equal(mapper.cuts_, [3, 7, 300])
    codes = mapper.transform(column([3, 7, 300, 4, -1, -np.inf, np.inf, np.nan, 3.5, 1e300]))
    assert_array_equal(codes[:, 0], [0, 1, 2, 3, 3, 3, 3, 3, 3, 3])


def test_the_heaviest_254_categories_are_kept_and_the_lowest_of_equals(rng):
    heavy = np.repeat(np.arange(300, 353), 2)
    X = rng.permutation(np.concatenate([np.arange(300), heavy]))
    mapper = BinMapper().fit(column(X), None, [True])
    assert_array_equal(mapper.cuts_, np.concatenate([np.arange(201), np.arange(300, 353)]))
    assert mapper.n_bins_[0] == 254


def test_a_category_counts_with_its_weight():
    mapper = BinMapper(2).fit(column([0, 0, 0, 1, 2]), np.array([1, 1, 1, 4, 4.0]), [True])
    assert_array_equal(mapper.cuts_, [1, 2])


def test_a_feature_without_a_single_value_has_one_bin_and_all_rows_are_missing():
    X = np.full((4, 2), np.nan)
    mapper = BinMapper().fit(X, None, [False, True])
    assert_array_equal(mapper.n_bins_, [1, 1])
    assert_array_equal(mapper.transform(X), 1)


# --- the search -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_features", [1, 7, 8, 9, 16, 17, 33])
@pytest.mark.parametrize("n_threads", [1, 3])
def test_a_code_is_the_number_of_cuts_below(dtype, n_features, n_threads, rng):
    X = np.column_stack([mixed_columns(rng, 2500) for _ in range(6)])[:, :n_features]
    with np.errstate(over="ignore"):  # 1e308 becomes infinite
        X = X.astype(dtype)
    categorical = rng.random(n_features) < 0.3
    mapper = BinMapper().fit(X, None, categorical, n_threads=n_threads)
    unseen = X + rng.integers(-1, 2, size=X.shape).astype(dtype)
    with np.errstate(over="ignore"):
        on_a_cut = np.resize(mapper.cuts_, X.shape).astype(dtype)
    for rows in (X, unseen, on_a_cut):
        codes = mapper.transform(rows, n_threads=n_threads)
        assert_array_equal(codes, expected_codes(mapper, rows))


def test_the_layout_of_x_does_not_matter(rng):
    wide = mixed_columns(rng, 3000)
    wide = np.column_stack([wide, wide])
    for view in (wide, wide[::-1, ::2], wide[5::3, ::-1], np.asfortranarray(wide), wide[:, 2:5]):
        plain = np.ascontiguousarray(view)
        mapper = BinMapper().fit(view)
        assert_array_equal(mapper.cuts_, BinMapper().fit(plain).cuts_)
        assert_array_equal(mapper.transform(view), mapper.transform(plain))
        plain.flags.writeable = False
        assert_array_equal(mapper.transform(plain), expected_codes(mapper, plain))


@given(st.lists(st.floats(width=32), min_size=1, max_size=400), st.integers(2, 40))
def test_float32_has_the_bins_of_the_same_values_in_float64(values, max_bins):
    single = column(values, np.float32)
    double = single.astype(np.float64)
    mapper, other = BinMapper(max_bins).fit(single), BinMapper(max_bins).fit(double)
    assert_array_equal(mapper.cuts_, other.cuts_)
    assert_array_equal(mapper.transform(single), other.transform(double))


def test_thresholds_are_the_cuts_and_infinity_after_the_last_bin():
    mapper = BinMapper().fit(np.array([[1.0, 5.0], [2.0, 5.0], [4.0, 5.0]]))
    assert_array_equal(mapper.thresholds([0, 0, 0, 1], [0, 1, 2, 0]), [1.5, 3, np.inf, np.inf])
    assert BinMapper().fit(column([1])).thresholds(0, 0) == np.inf


# --- the door -------------------------------------------------------------------------------------


def test_wrong_shapes_are_refused_by_name():
    mapper = BinMapper().fit(np.ones((3, 2)))
    with pytest.raises(ValueError, match="X has shape"):
        mapper.transform(np.ones((3, 3)))
    with pytest.raises(ValueError, match="max_bins"):
        BinMapper(256)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"cuts": np.array([2.0, 1.0, 3.0])}, "cuts"),
        ({"cuts": np.array([1.0, np.nan, 3.0])}, "cuts"),
        ({"cut_ptr": np.array([0, 4])}, "cut_ptr"),
        ({"cut_ptr": np.array([1, 3])}, "cut_ptr"),
        ({"cut_ptr": np.array([0, 3, 3])}, "cut_ptr"),
        ({"codes": np.empty(4, dtype=np.uint8)}, "codes"),
        ({"is_categorical": np.zeros(2, dtype=np.uint8)}, "is_categorical"),
        ({"n_threads": 0}, "n_threads"),
        ({"cuts": np.arange(256.0), "cut_ptr": np.array([0, 256])}, "cuts"),
        ({"X": np.empty((3, 0)), "codes": np.empty(0, dtype=np.uint8)}, "X"),
    ],
)
def test_the_door_refuses_what_does_not_fit(change, name):
    good = {
        "X": np.ones((3, 1)),
        "cuts": np.array([1.0, 2.0, 3.0]),
        "cut_ptr": np.array([0, 3]),
        "is_categorical": np.zeros(1, dtype=np.uint8),
        "codes": np.empty(3, dtype=np.uint8),
        "n_threads": 1,
    }
    _core.bin_columns(**good)
    with pytest.raises(ValueError, match=name):
        _core.bin_columns(**(good | change))


def test_cuts_want_sorted_values_and_small_weights():
    good = {"values": np.array([1.0, 2, 3]), "weight": None, "max_bins": 5, "cuts": np.empty(4)}
    assert _core.cut_column(**good) == 2
    for change, name in [
        ({"values": np.array([1.0, 3, 2])}, "values"),
        ({"values": np.array([1.0, np.nan, 2])}, "values"),
        ({"weight": np.array([1, -1, 1])}, "weight"),
        ({"weight": np.array([1, 2**62, 2**62])}, "weight"),
        ({"weight": np.array([1, 1])}, "weight"),
        ({"cuts": np.empty(3)}, "cuts"),
        ({"max_bins": 1}, "max_bins"),
    ]:
        with pytest.raises(ValueError, match=name):
            _core.cut_column(**(good | change))
