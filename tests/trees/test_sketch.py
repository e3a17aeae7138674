"""Draws are functions of their keys; sketches keep lengths; scaled sums stay inside integers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sksoftmax._trees._baseline import baseline_logits, class_totals
from sksoftmax._trees._draws import Purpose, draw_bag, draw_split_seed, generator
from sksoftmax._trees._sketch import (
    AUTO_COLUMNS,
    lanes_for,
    projection,
    scales_for,
    sketch_columns,
    sum_zero_basis,
    weight_unit_for,
)


def test_draws_differ_by_seed_iteration_and_purpose_and_by_nothing_else():
    keys = [(0, 0, Purpose.BAG), (1, 0, Purpose.BAG), (0, 1, Purpose.BAG), (0, 0, Purpose.SPLIT)]
    draws = [generator(*key).random(4).tolist() for key in keys]
    assert len({tuple(draw) for draw in draws}) == 4
    assert generator(*keys[0]).random(4).tolist() == draws[0]


@pytest.mark.parametrize("subsample", [0.1, 0.8, 1.0])
def test_a_bag_holds_its_share_in_order(subsample):
    bag = draw_bag(3, 7, 10_000, subsample)
    assert bag.dtype == np.int32
    assert (np.diff(bag) > 0).all()
    assert len(bag) == pytest.approx(10_000 * subsample, rel=0.05)


def test_a_bag_is_never_empty():
    assert all(len(draw_bag(seed, 0, 3, 1e-9)) == 1 for seed in range(5))


def test_split_seeds_fit_into_64_bits():
    assert all(0 <= draw_split_seed(2**31 - 1, i) < 2**63 for i in range(20))


@pytest.mark.parametrize("n_classes", [2, 3, 4, 10, 257])
def test_the_exact_sketch_keeps_the_length_of_vectors_of_sum_zero(n_classes, rng):
    basis = sum_zero_basis(n_classes)
    assert basis.dtype == np.float32
    np.testing.assert_allclose(basis.T @ basis, np.eye(n_classes - 1), atol=1e-6)
    np.testing.assert_allclose(basis.sum(axis=0), 0, atol=1e-5)
    vector = rng.normal(size=n_classes)
    vector -= vector.mean()
    np.testing.assert_allclose(np.linalg.norm(vector @ basis), np.linalg.norm(vector), rtol=1e-5)


def test_a_gaussian_sketch_keeps_lengths_on_average(rng):
    vector = rng.normal(size=20)
    lengths = [((vector @ projection(20, 3, 0, tree)) ** 2).sum() for tree in range(2000)]
    assert np.mean(lengths) == pytest.approx((vector**2).sum(), rel=0.06)


@pytest.mark.parametrize(
    ("sketch", "n_classes", "n_columns"),
    [
        (None, 7, 6),
        ("auto", 2, 1),
        ("auto", 7, 6),
        ("auto", 8, AUTO_COLUMNS),
        ("auto", 50, AUTO_COLUMNS),
        (2, 7, 2),
        (6, 7, 6),
        (99, 7, 6),
    ],
)
def test_columns_of_a_sketch(sketch, n_classes, n_columns):
    assert sketch_columns(sketch, n_classes) == n_columns


@pytest.mark.parametrize(
    ("n_columns", "lanes"), [(1, 4), (2, 4), (3, 8), (6, 8), (7, 16), (14, 16), (15, 32), (99, 112)]
)
def test_lanes_hold_columns_curvature_and_weight(n_columns, lanes):
    assert lanes_for(n_columns) == lanes


@given(
    n_rows=st.integers(1, 10**7),
    mean_weight=st.floats(1e-90, 1e90),
    spread=st.floats(1, 1e6),
    gradient=st.floats(0, 2),
)
def test_scaled_sums_stay_inside_their_integers(n_rows, mean_weight, spread, gradient):
    total = n_rows * mean_weight
    unit = weight_unit_for(total, n_rows)
    total /= unit
    largest = min(total, mean_weight / unit * spread)
    scales = scales_for(total, n_rows, largest, gradient)
    for value, scale in [
        (gradient, scales.gradient),
        (1.0, scales.curvature),
        (1.0, scales.weight),
    ]:
        assert np.frexp(scale)[0] == 0.5
        row = largest * (value * scale + 0.5) + 0.5
        assert row < 2**31
        if not scales.wide:
            assert total * (value * scale + 0.5) + n_rows / 2 < 2**31
    if gradient > 0.5 and spread == 1:
        assert gradient * scales.gradient >= 2**11  # bits of the largest gradient


def test_repeating_rows_changes_no_scale():
    assert scales_for(200.0, 100, 2.0, 0.7) == scales_for(200.0, 200, 1.0, 0.7)
    assert scales_for(4e6, 2_000_000, 2.0, 0.7) == scales_for(4e6, 4_000_000, 1.0, 0.7)


@pytest.mark.parametrize("soft", [False, True])
def test_totals_of_classes_are_exact_in_any_order(soft, rng):
    n = 10_000
    target = rng.dirichlet(np.ones(5), size=n) if soft else rng.integers(0, 5, size=n)
    weight = rng.integers(1, 4, size=n).astype(float)
    totals = class_totals(target, weight, 5)
    rows = rng.permutation(np.repeat(np.arange(n), weight.astype(int)))
    np.testing.assert_array_equal(totals, class_totals(target[rows], None, 5))
    shares = target if soft else np.eye(5)[target]
    np.testing.assert_allclose(totals, weight @ shares, rtol=1e-7)


def test_a_baseline_has_mean_zero_and_room_for_absent_classes():
    logits = baseline_logits(np.array([0, 0, 2]), None, 3)
    assert abs(logits.sum()) < 1e-5
    np.testing.assert_allclose(np.exp(logits - logits[0]), [1, 1.5e-6, 0.5], rtol=1e-5)
    np.testing.assert_array_equal(logits * 2**20, np.rint(logits * 2**20))
