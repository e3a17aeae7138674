"""Losses, gradients and Hessian products against the reference and against finite differences."""

from dataclasses import replace

import mpmath
import numpy as np
import pytest

from sksoftmax import _kernel
from sksoftmax._kernel import _reference

from .cases import (
    ALL_OPTIONS,
    CLASSES,
    DTYPES,
    ROWS,
    Options,
    check_against_reference,
    make_problem,
)

SOME_OPTIONS = ALL_OPTIONS[:: len(ALL_OPTIONS) // 24 - 1]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(11, 5), (5, 19)], ids=["few classes", "many classes"])
@pytest.mark.parametrize("target", ["index", "proba"])
def test_every_combination_of_options_agrees_with_the_reference(dtype, shape, target, rng):
    for options in ALL_OPTIONS:
        if options.target == target:
            check_against_reference(make_problem(rng, shape, dtype, options))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", CLASSES)
def test_every_shape_agrees_with_the_reference(dtype, n_classes, rng):
    """All remainders of rows and classes that a vector loop leaves over, options in turn."""
    for i, n_rows in enumerate(ROWS):
        options = ALL_OPTIONS[(31 * i + 7 * n_classes) % len(ALL_OPTIONS)]
        problem = make_problem(rng, (n_rows, n_classes), dtype, options)
        few = None if n_rows * n_classes <= 30_000 else np.array([0, 1, n_rows // 2, n_rows - 1])
        check_against_reference(problem, few)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [3, 33])
def test_unremarkable_problems_without_any_option_agree_with_the_reference(dtype, n_classes, rng):
    for n_rows in ROWS:
        for target in ("index", "proba"):
            options = Options(target)
            check_against_reference(make_problem(rng, (n_rows, n_classes), dtype, options))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [2, 10, 33])
def test_widely_spread_logits_agree_with_the_reference(dtype, n_classes, rng):
    for scale in (1e-3, 30, 1e3):
        for target in ("index", "proba"):
            options = Options(target, label_smoothing=0.05, temperature="rows", weighted=True)
            problem = make_problem(rng, (17, n_classes), dtype, options, scale)
            check_against_reference(problem)


# --- derivatives by differences ---


def central_difference(values, z, direction, step):
    """Derivative of rows of values along a direction that may differ from row to row."""
    above, below = values(z + step * direction), values(z - step * direction)
    return (above - below) / (2 * step)


@pytest.mark.parametrize("options", SOME_OPTIONS, ids=str)
def test_the_gradient_of_the_reference_is_the_difference_quotient_of_its_loss(options, rng):
    """In long double the quotient is good to about 1e-11."""
    problem = make_problem(rng, (6, 7), np.longdouble, options)
    keywords = problem.loss_keywords()
    _, gradient = _reference.loss_gradient(problem.logits, problem.target, **keywords)

    def loss(z):
        return _reference.loss(z, problem.target, **keywords)

    for k in range(7):
        unit = np.zeros(7, dtype=np.longdouble)
        unit[k] = 1
        quotient = central_difference(loss, problem.logits, unit, np.longdouble(1e-6))
        np.testing.assert_allclose(gradient[:, k], quotient, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("options", SOME_OPTIONS, ids=str)
def test_the_hessian_product_of_the_reference_differentiates_its_gradient(options, rng):
    problem = replace(make_problem(rng, (6, 7), np.longdouble, options), logit_l2=0.0)
    keywords = problem.loss_keywords()

    def gradient(z):
        return _reference.loss_gradient(z, problem.target, **keywords)[1]

    step = np.longdouble(1e-6)
    quotient = central_difference(gradient, problem.logits, problem.direction, step)
    product = _reference.hessian_product(
        problem.logits,
        problem.direction,
        sample_weight=problem.sample_weight,
        **problem.shape_keywords(),
    )
    np.testing.assert_allclose(product, quotient, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("n_classes", [2, 7, 12, 13, 33])
@pytest.mark.parametrize("options", SOME_OPTIONS[::3], ids=str)
def test_the_native_gradient_is_the_difference_quotient_of_the_native_loss(options, n_classes, rng):
    problem = make_problem(rng, (9, n_classes), np.float64, options)
    keywords = problem.loss_keywords()
    value, gradient = _kernel.loss_gradient(problem.logits, problem.target, **keywords)
    np.testing.assert_array_equal(value, _kernel.loss(problem.logits, problem.target, **keywords))

    def loss(z):
        return _kernel.loss(z, problem.target, **keywords)

    for k in range(n_classes):
        quotient = central_difference(loss, problem.logits, np.eye(n_classes)[k], 1e-5)
        np.testing.assert_allclose(gradient[:, k], quotient, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("n_classes", [2, 7, 12, 13, 33])
@pytest.mark.parametrize("options", SOME_OPTIONS[::3], ids=str)
def test_the_native_hessian_product_differentiates_the_native_gradient(options, n_classes, rng):
    problem = replace(make_problem(rng, (9, n_classes), np.float64, options), logit_l2=0.0)
    keywords = problem.loss_keywords()

    def gradient(z):
        return _kernel.loss_gradient(z, problem.target, **keywords)[1]

    quotient = central_difference(gradient, problem.logits, problem.direction, 1e-5)
    product = _kernel.hessian_product(
        problem.logits,
        problem.direction,
        sample_weight=problem.sample_weight,
        **problem.shape_keywords(),
    )
    np.testing.assert_allclose(product, quotient, rtol=1e-6, atol=1e-8)


# --- what the formulae say in special cases ---


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [2, 10, 33])
def test_tiny_losses_and_their_residuals_are_relatively_accurate(dtype, n_classes):
    """p_y = 1 - 1e-20: the loss is 1e-20 and the residual of the target -1e-20, not 0."""
    logits = np.full((2, n_classes), np.log(1e-20 / (n_classes - 1)), dtype=dtype)
    target = np.array([0, n_classes - 1])
    logits[[0, 1], target] = 0
    with mpmath.workprec(200):
        rest = (n_classes - 1) * mpmath.exp(mpmath.mpf(float(logits[0, 1])))
        exact_loss, exact_residual = float(mpmath.log1p(rest)), float(-rest / (1 + rest))
    tolerance = 60 * np.finfo(dtype).eps
    one_hot = np.zeros_like(logits)
    one_hot[[0, 1], target] = 1
    for each in (target, one_hot):
        np.testing.assert_allclose(_kernel.loss(logits, each), exact_loss, rtol=tolerance)
    value, gradient = _kernel.loss_gradient(logits, target)
    np.testing.assert_allclose(value, exact_loss, rtol=tolerance)
    np.testing.assert_allclose(gradient[[0, 1], target], exact_residual, rtol=tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [3, 30])
def test_a_one_hot_row_is_the_class_index(dtype, n_classes, rng):
    for smoothing in (0.0, 0.2):
        options = Options(label_smoothing=smoothing, unavailable="both", weighted=True)
        problem = make_problem(rng, (20, n_classes), dtype, options)
        one_hot = np.eye(n_classes, dtype=dtype)[problem.target]
        keywords = problem.loss_keywords()
        value, gradient = _kernel.loss_gradient(problem.logits, problem.target, **keywords)
        soft_value, soft_gradient = _kernel.loss_gradient(problem.logits, one_hot, **keywords)
        tolerance = 20 * np.finfo(dtype).eps
        np.testing.assert_allclose(value, soft_value, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(gradient, soft_gradient, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("n_classes", [4, 40])
@pytest.mark.parametrize("target", ["index", "proba"])
def test_smoothing_spreads_over_the_available_classes_only(n_classes, target, rng):
    """The same as a soft target (1 - e) q + e / |A|, computed by hand."""
    e = 0.3
    problem = make_problem(rng, (15, n_classes), np.float64, Options(target, unavailable="both"))
    available = problem.mask & (problem.logits != -np.inf)
    hard = problem.target
    q = np.eye(n_classes)[hard] if target == "index" else hard
    smoothed = (1 - e) * q + e * available / available.sum(axis=1, keepdims=True)
    keywords = problem.shape_keywords()
    got = _kernel.loss_gradient(problem.logits, hard, label_smoothing=e, **keywords)
    expected = _kernel.loss_gradient(problem.logits, smoothed, **keywords)
    np.testing.assert_allclose(got[0], expected[0], rtol=1e-13)
    np.testing.assert_allclose(got[1], expected[1], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("n_classes", [4, 40])
def test_the_logit_penalty_counts_available_classes_before_the_temperature(n_classes, rng):
    options = Options(unavailable="both", temperature="rows", weighted=True)
    problem = make_problem(rng, (15, n_classes), np.float64, options)
    keywords = problem.loss_keywords()
    z = np.where(problem.mask & (problem.logits != -np.inf), problem.logits, 0)
    w = problem.sample_weight
    plain = _kernel.loss_gradient(problem.logits, problem.target, **keywords)
    got = _kernel.loss_gradient(problem.logits, problem.target, **keywords | {"logit_l2": 0.7})
    np.testing.assert_allclose(got[0], plain[0] + 0.35 * w * (z**2).sum(axis=1), rtol=1e-13)
    np.testing.assert_allclose(got[1], plain[1] + 0.7 * w[:, None] * z, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [3, 30])
def test_a_weight_multiplies_the_row_and_weight_zero_silences_it(dtype, n_classes, rng):
    problem = make_problem(rng, (12, n_classes), dtype)
    weight = np.where(np.arange(12) % 3 == 0, 0, 2).astype(dtype)
    value, gradient = _kernel.loss_gradient(problem.logits, problem.target)
    weighted = _kernel.loss_gradient(problem.logits, problem.target, sample_weight=weight)
    np.testing.assert_array_equal(weighted[0], weight * value)
    np.testing.assert_allclose(
        weighted[1], weight[:, None] * gradient, rtol=4 * np.finfo(dtype).eps
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [3, 30])
def test_a_loss_that_overflows_is_infinite_and_weight_zero_silences_it_too(dtype, n_classes):
    logits = np.zeros((3, n_classes), dtype=dtype)
    logits[1, :2] = np.finfo(dtype).min, np.finfo(dtype).max
    target = np.zeros(3, dtype=np.int64)
    for each in (target, np.eye(n_classes, dtype=dtype)[target]):
        value, gradient = _kernel.loss_gradient(logits, each)
        assert value[1] == np.inf
        assert np.isfinite(value[[0, 2]]).all()
        assert np.isfinite(gradient).all()
        weight = np.array([1, 0, 1], dtype=dtype)
        value, gradient = _kernel.loss_gradient(logits, each, sample_weight=weight)
        assert value[1] == 0
        assert (gradient[1] == 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [3, 30])
def test_gradient_and_product_go_into_preallocated_arrays(dtype, n_classes, rng):
    problem = make_problem(rng, (9, n_classes), dtype)
    expected = _kernel.loss_gradient(problem.logits, problem.target)[1]
    out = np.full_like(problem.logits, np.nan)
    _, gradient = _kernel.loss_gradient(problem.logits, problem.target, gradient_out=out)
    assert gradient is out
    np.testing.assert_array_equal(out, expected)
    expected = _kernel.hessian_product(problem.logits, problem.direction)
    assert _kernel.hessian_product(problem.logits, problem.direction, out=out) is out
    np.testing.assert_array_equal(out, expected)
