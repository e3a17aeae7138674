"""Value, gradient, Hessian product, Hessian and class blocks: against NumPy and each other."""

from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose

from .cases import (
    CLASSES,
    DTYPES,
    FEATURES,
    OPTIONS,
    ROWS,
    STORAGES,
    make_case,
    plain_gradient_in_theta,
    plain_hessian_in_theta,
    plain_value_gradient,
    tolerance,
)


def theta_of(case, objective):
    return objective.pack(case.coef, case.intercept)


def check_value_and_gradient(case):
    objective = case.objective
    value, gradient = objective.loss_gradient(theta_of(case, objective))
    expected, *_ = plain_value_gradient(case, case.coef, case.intercept)
    assert_allclose(value, expected, **tolerance(case.X.dtype))
    assert gradient.dtype == np.float64
    expected = plain_gradient_in_theta(case, objective)
    assert_allclose(gradient, expected, **tolerance(case.X.dtype))


def check_curvature(case, rng):
    objective = case.objective
    theta, close = theta_of(case, objective), tolerance(case.X.dtype)
    hessian = objective.hessian(theta)
    assert_allclose(hessian, plain_hessian_in_theta(case, objective), **close)
    assert_allclose(hessian, hessian.T, rtol=1e-14, atol=1e-16)

    direction = rng.standard_normal(theta.shape)
    by_direction = objective.hessian_product(theta, direction)
    atol = close["atol"] * max(1.0, np.abs(direction).sum())
    assert_allclose(
        by_direction.ravel(), hessian @ direction.ravel(), rtol=close["rtol"], atol=atol
    )

    R, d = theta.shape
    blocks = hessian.reshape(R, d, R, d)[np.arange(R), :, np.arange(R)]
    assert_allclose(objective.class_curvature(theta), blocks, **close)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", CLASSES)
def test_value_and_gradient_equal_the_plain_formula_for_every_size(rng, n_classes, dtype):
    for n_samples in ROWS:
        for n_features in FEATURES:
            options, storage = rng.choice(list(OPTIONS)), rng.choice(STORAGES)
            size = (n_samples, n_features, n_classes)
            case = make_case(rng, *size, options=options, dtype=dtype, storage=storage)
            check_value_and_gradient(case)


@pytest.mark.parametrize("n_classes", CLASSES)
@pytest.mark.parametrize("options", OPTIONS)
def test_value_and_gradient_equal_the_plain_formula_for_every_option(rng, options, n_classes):
    for dtype, storage, size in product(DTYPES, STORAGES, [(49, 9), (117, 17)]):
        case = make_case(rng, *size, n_classes, options=options, dtype=dtype, storage=storage)
        check_value_and_gradient(case)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", CLASSES)
def test_curvature_equals_the_plain_formula_for_every_size(rng, n_classes, dtype):
    for n_samples in ROWS:
        for n_features in FEATURES:
            if n_samples * (n_features * n_classes) ** 2 > 10_000_000:
                continue  # seconds of NumPy
            options, storage = rng.choice(list(OPTIONS)), rng.choice(STORAGES)
            size = (n_samples, n_features, n_classes)
            case = make_case(rng, *size, options=options, dtype=dtype, storage=storage)
            check_curvature(case, rng)


@pytest.mark.parametrize("n_classes", CLASSES)
@pytest.mark.parametrize("options", OPTIONS)
def test_curvature_equals_the_plain_formula_for_every_option(rng, options, n_classes):
    for dtype, storage in product(DTYPES, STORAGES):
        case = make_case(rng, 49, 7, n_classes, options=options, dtype=dtype, storage=storage)
        check_curvature(case, rng)


@pytest.mark.parametrize("n_classes", [2, 11])
@pytest.mark.parametrize("n_features", [65, 257])
def test_many_columns_take_blocks_of_few_rows(rng, n_features, n_classes):
    """A block holds as many rows as fit in the cache: here fewer than the most it may hold."""
    case = make_case(rng, 400, n_features, n_classes, options="everything")
    check_value_and_gradient(case)
    case = make_case(rng, 60, 65, n_classes, options="everything")
    check_curvature(case, rng)


# --- finite differences: no formula in common with the code ---


@pytest.mark.parametrize("n_classes", CLASSES)
@pytest.mark.parametrize("options", OPTIONS)
def test_the_gradient_is_the_slope_of_the_value(rng, options, n_classes):
    for storage, size in product(STORAGES, [(25, 3), (117, 9)]):
        case = make_case(rng, *size, n_classes, options=options, storage=storage)
        objective = case.objective
        theta = theta_of(case, objective)
        _, gradient = objective.loss_gradient(theta)
        for _ in range(3):
            direction = rng.standard_normal(theta.shape)
            h = 1e-5
            ahead, _ = objective.loss_gradient(theta + h * direction)
            behind, _ = objective.loss_gradient(theta - h * direction)
            slope = np.vdot(gradient, direction)
            assert_allclose((ahead - behind) / (2 * h), slope, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("n_classes", CLASSES)
@pytest.mark.parametrize("options", OPTIONS)
def test_the_hessian_product_is_the_slope_of_the_gradient(rng, options, n_classes):
    for storage, size in product(STORAGES, [(25, 3), (117, 9)]):
        case = make_case(rng, *size, n_classes, options=options, storage=storage)
        objective = case.objective
        theta = theta_of(case, objective)
        direction = rng.standard_normal(theta.shape)
        h = 1e-5
        _, ahead = objective.loss_gradient(theta + h * direction)
        _, behind = objective.loss_gradient(theta - h * direction)
        exact = objective.hessian_product(theta, direction)
        assert_allclose((ahead - behind) / (2 * h), exact, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("n_classes", CLASSES)
def test_the_hessian_is_the_slope_of_the_gradient_entry_by_entry(rng, n_classes):
    for options in OPTIONS:
        case = make_case(rng, 47, 2, n_classes, options=options)
        objective = case.objective
        theta, h = theta_of(case, objective), 1e-5
        slopes = []
        for j in range(theta.size):
            step = np.zeros(theta.size)
            step[j] = h
            step = step.reshape(theta.shape)
            ahead, behind = (objective.loss_gradient(theta + s)[1] for s in (step, -step))
            slopes.append((ahead - behind).ravel() / (2 * h))
        assert_allclose(objective.hessian(theta), np.array(slopes), rtol=1e-6, atol=1e-8)


# --- laws ---


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("n_classes", [3, 5])
def test_a_common_shift_of_the_classes_changes_nothing(rng, n_classes, storage):
    case = make_case(rng, 48, 5, n_classes, options="soft masked smoothed", storage=storage)
    objective = case.objective
    assert objective.ignores_shifts
    theta = theta_of(case, objective)
    shift = np.broadcast_to(rng.standard_normal(theta.shape[1]), theta.shape)
    value, gradient = objective.loss_gradient(theta)
    shifted_value, shifted_gradient = objective.loss_gradient(theta + shift)
    assert_allclose(shifted_value, value, rtol=1e-13)
    assert_allclose(shifted_gradient, gradient, atol=1e-13)
    assert_allclose(gradient.sum(axis=0), 0, atol=1e-14)
    assert_allclose(objective.hessian_product(theta, shift), 0, atol=1e-14)
    assert_allclose(objective.hessian(theta) @ shift.ravel(), 0, atol=1e-13)
    assert_allclose(objective.without_shift(theta + shift), objective.without_shift(theta))


@pytest.mark.parametrize("n_classes", CLASSES)
def test_the_hessian_is_positive_semidefinite(rng, n_classes):
    for options in OPTIONS:
        case = make_case(rng, 30, 4, n_classes, options=options)
        objective = case.objective
        values = np.linalg.eigvalsh(objective.hessian(theta_of(case, objective)))
        assert values.min() >= -1e-14 * values.max()


def test_a_logit_penalty_or_two_classes_end_the_freedom_of_shifts(rng):
    for n_classes, options in [(3, "logit_l2"), (2, "plain"), (2, "logit_l2")]:
        case = make_case(rng, 30, 4, n_classes, options=options)
        objective = case.objective
        theta = theta_of(case, objective)
        assert not objective.ignores_shifts
        assert objective.without_shift(theta) is theta


def test_pack_and_unpack_are_inverse(rng):
    for options in ("plain", "no intercept"):
        for storage in STORAGES:
            case = make_case(rng, 30, 4, 3, options=options, storage=storage)
            coef, intercept = case.objective.unpack(theta_of(case, case.objective))
            assert_allclose(coef, case.coef, rtol=0)
            assert_allclose(intercept, case.intercept, atol=1e-15)


def test_the_intercept_is_not_penalized(rng):
    case = make_case(rng, 30, 4, 3).with_options(alpha=0.5)
    objective, free = case.objective, case.with_options(alpha=0.0).objective
    theta = theta_of(case, objective)
    value, gradient = objective.loss_gradient(theta)
    free_value, free_gradient = free.loss_gradient(theta)
    assert_allclose(value - free_value, 0.25 * (case.coef**2).sum())
    assert_allclose((gradient - free_gradient)[:, :-1], 0.5 * case.coef)
    assert (gradient[:, -1] == free_gradient[:, -1]).all()


def test_binary_scores_are_half_differences_of_two_rows_of_logits(rng):
    """Two classes with one score s, or with two rows -s/2 and s/2: the same loss."""
    case = make_case(rng, 49, 3, 2)
    three = make_case(rng, 49, 3, 3)
    mask = np.ones((49, 3), dtype=bool)
    mask[:, 2] = False
    objective = case.objective
    wide = type(objective)(case.X, case.target, n_classes=3, mask=mask, n_threads=1)
    coef = np.vstack([-case.coef / 2, case.coef / 2, three.coef[2:]])
    intercept = np.append(np.hstack([-case.intercept / 2, case.intercept / 2]), 7.0)
    value, _ = objective.loss_gradient(theta_of(case, objective))
    assert_allclose(wide.loss_gradient(wide.pack(coef, intercept))[0], value, rtol=1e-14)
