"""What matters about the rows and what does not: order, batch, weight, storage, location."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from sksoftmax._kernel import _reference
from sksoftmax._objective import LinearObjective, _passes, linear_logits

from .cases import (
    DTYPES,
    OPTIONS,
    STORAGES,
    make_case,
    plain_hessian_in_theta,
    stored,
    tolerance,
)


def everything(case, direction=None):
    """All results of the objective of a case, by name."""
    objective = case.objective
    theta = objective.pack(case.coef, case.intercept)
    value, gradient = objective.loss_gradient(theta)
    direction = np.ones_like(theta) if direction is None else direction
    return {
        "means": objective.means,
        "value": np.array(value),
        "gradient": gradient,
        "hessian_product": objective.hessian_product(theta, direction),
        "hessian": objective.hessian(theta),
        "class_curvature": objective.class_curvature(theta),
        "gram": objective.gram(),
        "variances": objective.variances(),
        "class_shares": objective.class_shares(),
    }


def assert_same(got, expected, **bounds):
    for name, value in expected.items():
        assert_allclose(got[name], value, err_msg=name, **bounds)


def assert_same_bits(got, expected):
    for name, value in expected.items():
        assert got[name].tobytes() == value.tobytes(), name


# --- weights ---


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("n_classes", [2, 5])
@pytest.mark.parametrize("options", ["plain", "everything", "no intercept"])
def test_weight_two_equals_a_duplicated_row(rng, options, n_classes, storage):
    case = make_case(rng, 60, 7, n_classes, options=options, storage=storage)
    copies = rng.integers(0, 4, size=60)
    weighted = case.with_options(sample_weight=copies.astype(float))
    duplicated = case.with_options(sample_weight=None).rows(np.repeat(np.arange(60), copies))
    assert_same(everything(weighted), everything(duplicated), rtol=1e-12, atol=1e-13)


def test_the_scale_of_the_weights_does_not_matter(rng):
    case = make_case(rng, 60, 7, 3, options="everything")
    larger = case.with_options(sample_weight=1024 * case.options["sample_weight"])
    assert_same(everything(larger), everything(case), rtol=1e-14, atol=1e-15)


def test_a_row_of_weight_zero_is_as_good_as_absent(rng):
    case = make_case(rng, 60, 7, 3, options="everything")
    weight = case.options["sample_weight"].copy()
    weight[10:30] = 0
    case = case.with_options(sample_weight=weight)
    rest = case.rows(np.flatnonzero(weight))
    assert_same(everything(case), everything(rest), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("options", OPTIONS)
def test_the_order_of_the_rows_does_not_matter(rng, options):
    case = make_case(rng, 117, 7, 3, options=options)
    mixed = case.rows(rng.permutation(117))
    assert_same(everything(mixed), everything(case), rtol=1e-12, atol=1e-13)


# --- storage ---


@pytest.mark.parametrize("n_classes", [2, 5])
@pytest.mark.parametrize("options", OPTIONS)
def test_sparse_rows_give_what_dense_ones_give(rng, options, n_classes):
    for dtype, storage in product(DTYPES, STORAGES[1:]):
        case = make_case(rng, 90, 12, n_classes, options=options, dtype=dtype, storage=storage)
        objective, bounds = case.objective, tolerance(dtype)
        direction = rng.standard_normal((objective.n_outputs, objective.n_columns))
        expected = everything(case.stored("dense"), direction)
        bounds["atol"] *= 3
        assert_same(everything(case, direction), expected, **bounds)


def test_sparse_rows_are_made_dense_a_few_at_a_time(rng, monkeypatch):
    case = make_case(rng, 90, 12, 5, options="everything", storage="csr-int32")
    expected = everything(case)
    monkeypatch.setattr(_passes, "_DENSE_ENTRIES", 12 * 7)
    assert_same(everything(case), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("storage", STORAGES[1:])
def test_empty_rows_and_columns_of_a_sparse_matrix_are_zeros(rng, storage):
    case = make_case(rng, 50, 6, 3, options="everything", storage="dense")
    X = case.X.copy()
    X[[0, 7, 49]] = 0
    X[:, 2] = 0
    dense = make_case(rng, 50, 6, 3, options="everything")
    dense = type(dense)(X, dense.target, 3, dense.coef, dense.intercept, dense.options)
    assert_same(everything(dense.stored(storage)), everything(dense), rtol=1e-12, atol=1e-14)


def test_a_matrix_without_entries_is_a_model_of_intercepts(rng):
    case = make_case(rng, 50, 6, 3)
    empty = case.with_options()
    empty = type(case)(
        sparse.csr_matrix((50, 6)), case.target, 3, case.coef, case.intercept, case.options
    )
    objective = empty.objective
    value, gradient = objective.loss_gradient(objective.pack(case.coef, case.intercept))
    logits = np.broadcast_to(case.intercept, (50, 3)).copy()
    assert_allclose(value, _reference.loss(logits, case.target).mean(), rtol=1e-14)
    assert_allclose(gradient[:, :-1], 0, atol=1e-16)


@pytest.mark.parametrize("storage", STORAGES)
def test_read_only_arrays_are_read(rng, storage):
    case = make_case(rng, 50, 6, 3, options="everything", storage=storage)
    expected = everything(case)
    arrays = [case.target, *(v for v in case.options.values() if isinstance(v, np.ndarray))]
    arrays += [case.X] if storage == "dense" else [case.X.data, case.X.indices, case.X.indptr]
    for array in arrays:
        array.setflags(write=False)
    assert_same_bits(everything(case), expected)


# --- location and scale ---


@pytest.mark.parametrize("n_classes", [2, 5])
def test_large_column_means_cost_no_accuracy(rng, n_classes):
    """A column of 1e6 + x holds x to 1e-10; the centred rows lose no more than that."""
    case = make_case(rng, 300, 5, n_classes, options="everything")
    far_X = case.X + 1e6
    near = type(case)(far_X - 1e6, case.target, n_classes, case.coef, 0.0, case.options)
    far = type(case)(far_X, case.target, n_classes, case.coef, 0.0, case.options)
    theta = rng.standard_normal((len(case.coef), 6))
    near_value, near_gradient = near.objective.loss_gradient(theta)
    far_value, far_gradient = far.objective.loss_gradient(theta)
    assert_allclose(far.objective.means, near.objective.means + 1e6, rtol=1e-14)
    # What is left is the rounding of the means: half a spacing of 1e6.
    assert_allclose(far_value, near_value, rtol=1e-9)
    assert_allclose(far_gradient, near_gradient, rtol=1e-8, atol=1e-9)
    assert_allclose(far.objective.gram(), near.objective.gram(), rtol=1e-8, atol=1e-9)
    assert_allclose(far.objective.variances(), near.objective.variances(), rtol=1e-9)
    hessian = far.objective.hessian(theta)
    assert_allclose(hessian, near.objective.hessian(theta), rtol=1e-8, atol=1e-9)


def test_large_column_means_cost_no_accuracy_in_float32(rng):
    """The passes subtract a rounded mean, and theta counts from just that one."""
    case = make_case(rng, 300, 5, 3, dtype=np.float32)
    X = (case.X + np.float32(4096)).astype(np.float32)
    case = type(case)(X, case.target, 3, case.coef, -case.coef @ X.mean(axis=0), case.options)
    objective = case.objective
    theta = objective.pack(case.coef, case.intercept)
    close = tolerance(np.float32)
    assert_allclose(objective.hessian(theta), plain_hessian_in_theta(case, objective), **close)
    logits = X.astype(np.float64) @ case.coef.T + case.intercept
    expected = _reference.loss(logits, case.target).mean()
    assert_allclose(objective.loss_gradient(theta)[0], expected, rtol=1e-5)


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_gram_variances_and_shares_are_weighted_means(rng, dtype, storage):
    for options in ("plain", "everything", "soft", "no intercept", "weighted"):
        for n_samples, n_features in [(1, 1), (47, 9), (300, 17)]:
            case = make_case(
                rng, n_samples, n_features, 3, options=options, dtype=dtype, storage=storage
            )
            objective = case.objective
            weight = case.options.get("sample_weight", np.ones(n_samples)).astype(float)
            X = case.dense_X.astype(float)
            if objective.fit_intercept:
                assert_allclose(objective.means, weight @ X / weight.sum(), **tolerance(dtype))
                X = np.column_stack([X - objective.means, np.ones(n_samples)])
            else:
                assert (objective.means == 0).all()
            gram = (X * weight[:, None]).T @ X / weight.sum()
            assert_allclose(objective.gram(), gram, **tolerance(dtype))
            assert_allclose(objective.variances(), np.diag(gram), **tolerance(dtype))
            one_hot = case.target if case.target.ndim == 2 else np.eye(3)[case.target]
            shares = weight @ one_hot / weight.sum()
            assert_allclose(objective.class_shares(), shares, **tolerance(dtype))


# --- overflow ---


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("options", ["plain", "everything"])
@pytest.mark.parametrize("n_classes", [2, 5])
def test_coefficients_whose_logits_overflow_are_worth_infinity(
    rng, n_classes, options, dtype, storage
):
    for n_samples in (5, 200):
        case = make_case(
            rng, n_samples, 3, n_classes, options=options, dtype=dtype, storage=storage
        )
        objective = case.objective
        theta = np.full((objective.n_outputs, objective.n_columns), float(np.finfo(dtype).max))
        theta[:, ::2] *= -1
        with np.errstate(over="ignore"):
            value, _ = objective.loss_gradient(theta)
        assert value == np.inf
        # the objective is none the worse for it
        zero = objective.zeros()
        assert np.isfinite(objective.loss_gradient(zero)[0])


def test_not_a_number_among_the_coefficients_is_worth_infinity(rng):
    objective = make_case(rng, 200, 3, 3).objective
    assert objective.loss_gradient(np.full((3, 4), np.nan))[0] == np.inf


def test_huge_but_finite_logits_have_finite_losses(rng):
    case = make_case(rng, 200, 3, 3)
    objective = case.objective
    theta = 1e300 * rng.standard_normal((3, 4))
    value, gradient = objective.loss_gradient(theta)
    assert 1e298 < value < np.inf
    assert np.isfinite(gradient).all()


# --- logits of a row ---


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [2, 3, 11])
@pytest.mark.parametrize("n_features", [1, 7, 8, 65])
def test_the_logits_of_a_row_have_the_same_bits_in_any_batch(
    rng, n_features, n_classes, dtype, storage
):
    case = make_case(rng, 500, n_features, n_classes, dtype=dtype, storage=storage)
    logits = linear_logits(case.X, case.coef, case.intercept, n_threads=1)
    assert logits.shape == (500, len(case.coef))
    assert logits.dtype == dtype
    expected = case.dense_X.astype(float) @ case.coef.T + case.intercept
    assert_allclose(logits, expected, **tolerance(dtype))
    batches = [[row] for row in (0, 1, 23, 24, 191, 384, 499)]
    batches += [rng.permutation(500), rng.integers(500, size=117), np.arange(499, -1, -1)]
    batches += [np.arange(3, 500), np.zeros(50, dtype=int)]
    for batch in batches:
        again = linear_logits(case.X[batch], case.coef, case.intercept, n_threads=1)
        assert again.tobytes() == logits[batch].tobytes()


def test_offsets_are_added_to_the_logits(rng):
    case = make_case(rng, 50, 3, 3)
    offset = rng.standard_normal((50, 3))
    logits = linear_logits(case.X, case.coef, case.intercept)
    with_offset = linear_logits(case.X, case.coef, case.intercept, offset=offset)
    assert (with_offset == logits + offset).all()


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("hard", ["labels", "rows of zeros and one"])
def test_changes_of_logits_are_found_in_every_block(rng, n_classes, storage, hard):
    """The largest change of a target's logit against another, and the smallest: over rows of
    positive weight and available classes."""
    case = make_case(rng, 300, 3, n_classes, options="masked", storage=storage)
    weight = (rng.random(300) < 0.5).astype(float)
    logits = case.dense_X @ case.coef.T + case.intercept
    if n_classes == 2:
        logits = np.hstack([-logits / 2, logits / 2])
    gains = logits[np.arange(300), case.target][:, None] - logits
    gains = gains[case.options["mask"] & (weight > 0)[:, None]]

    target = case.target if hard == "labels" else np.eye(n_classes)[case.target]
    objective = replace(case.with_options(sample_weight=weight), target=target).objective
    direction = objective.pack(case.coef, case.intercept)
    largest, smallest_gain = objective.logit_changes(direction, block=7)
    assert_allclose(largest, np.abs(gains).max(), rtol=1e-12)
    assert_allclose(smallest_gain, gains.min(), rtol=1e-12)
    assert objective.logit_changes(direction) == (largest, smallest_gain)


# --- threads ---


@pytest.mark.parametrize("storage", STORAGES[:2])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [2, 5])
def test_results_are_bit_identical_for_any_number_of_threads(
    rng, monkeypatch, n_classes, dtype, storage
):
    """Also with more threads than CPUs; the rows are so many that four threads get work."""
    monkeypatch.setattr(_passes, "effective_n_threads", lambda n_threads: n_threads)
    # The door allows one more thread for each 2**20 entries of X times outputs.
    n_samples = (1 << 22) // (20 * (1 if n_classes == 2 else n_classes)) + 77
    case = make_case(
        rng, n_samples, 20, n_classes, options="everything", dtype=dtype, storage=storage
    )
    one = everything(case)
    one["logits"] = linear_logits(case.X, case.coef, case.intercept, n_threads=1)
    for n_threads in (2, 4):
        several = everything(case.with_options(n_threads=n_threads))
        several["logits"] = linear_logits(case.X, case.coef, case.intercept, n_threads=n_threads)
        assert_same_bits(several, one)


def test_indices_of_either_width_give_the_same_bits(rng):
    case = make_case(rng, 90, 12, 5, options="everything", storage="csr-int32")
    wide = case.stored("csr-int64")
    assert (case.X.indices.dtype, wide.X.indices.dtype) == (np.int32, np.int64)
    assert_same_bits(everything(wide), everything(case))


def test_a_problem_built_twice_is_the_same_problem(rng):
    case = make_case(rng, 90, 12, 5, options="everything")
    assert_same_bits(everything(case), everything(case))
    assert isinstance(case.objective, LinearObjective)
    assert stored(case.X, "dense").flags.c_contiguous
