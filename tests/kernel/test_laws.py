"""The numerical laws: what holds exactly, or to rounding, for every verb and both loop shapes."""

from dataclasses import replace

import numpy as np
import pytest

from sksoftmax import _kernel

from .cases import (
    ALL_OPTIONS,
    DTYPES,
    VERBS,
    Options,
    assert_identical,
    make_problem,
    native,
    ragged,
)

# The border between the loop shapes lies between 12 and 13; 70 leaves remainders in every body.
SHAPES = [(37, 3), (37, 10), (37, 12), (37, 13), (37, 70)]
SOME_OPTIONS = ALL_OPTIONS[::13]


def row_results(results, problem):
    """Named results as a list with one piece per row."""
    boundaries = problem.boundaries[1:-1]
    return {
        name: list(values)
        if len(values) == problem.n_rows
        else np.split(values.reshape(-1), boundaries)
        for name, values in results.items()
    }


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("verb", VERBS)
def test_a_row_gives_the_same_bits_in_any_batch(dtype, shape, verb, rng):
    for options in SOME_OPTIONS:
        problem = make_problem(rng, shape, dtype, options)
        for whole in (problem, ragged(problem)):
            expected = row_results(native(verb, whole), whole)
            n_rows = whole.n_rows
            batches = [
                np.arange(n_rows)[::-1],  # reordered
                rng.permutation(n_rows),
                np.arange(5, 5 + 17),  # a part
                np.sort(rng.choice(n_rows, 9, replace=False)),
                np.array([n_rows - 1]),  # alone
                np.repeat(3, 20),  # many times
            ]
            for index in batches:
                batch = whole.rows(index)
                got = row_results(native(verb, batch), batch)
                for name, pieces in got.items():
                    for piece, i in zip(pieces, index, strict=True):
                        assert piece.tobytes() == expected[name][i].tobytes(), (name, i, options)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_adding_a_constant_to_a_row_changes_nothing(dtype, shape, rng):
    """Exactly, where the sums are exact: logits are multiples of 1/64, constants integers."""
    for options in [each for each in SOME_OPTIONS if each.logit_l2 == 0]:
        problem = make_problem(rng, shape, dtype, options)
        problem = replace(problem, logits=np.round(64 * problem.logits) / 64)
        constant = rng.integers(-500, 500, (shape[0], 1)).astype(dtype)
        shifted = replace(problem, logits=problem.logits + constant)
        for verb in VERBS:
            if verb != "logsumexp":
                assert_identical(native(verb, shifted), native(verb, problem))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_adding_a_constant_adds_it_to_logsumexp(dtype, shape, rng):
    problem = make_problem(rng, shape, dtype)
    got = _kernel.logsumexp(problem.logits + dtype(100))
    expected = _kernel.logsumexp(problem.logits).astype(np.float64) + 100
    np.testing.assert_allclose(got, expected, rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_probabilities_sum_to_one_and_residuals_and_products_to_zero(dtype, shape, rng):
    for options in [each for each in SOME_OPTIONS if each.logit_l2 == 0]:
        problem = make_problem(rng, shape, dtype, options)
        temperature = np.broadcast_to(problem.temperature, shape[0]).astype(np.float64)
        weight = problem.sample_weight if options.weighted else np.ones(shape[0])
        eps = np.finfo(dtype).eps
        for n_terms, scale, values in (
            (4, 1, native("softmax", problem)["softmax"] - 1 / np.float64(shape[1])),
            (8, weight / temperature, native("loss_gradient", problem)["gradient"]),
            (
                8,
                weight / temperature**2 * np.abs(problem.direction).max(),
                native("hessian_product", problem)["hessian_product"],
            ),
        ):
            total = values.sum(axis=1, dtype=np.float64)
            assert (np.abs(total) <= n_terms * 8 * eps * scale).all()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_hessian_is_symmetric_positive_semidefinite_with_null_vector_one(shape, rng):
    for options in SOME_OPTIONS:
        problem = make_problem(rng, shape, np.float64, replace(options, weighted=False))
        other = replace(problem, direction=rng.standard_normal(shape))
        product = native("hessian_product", problem)["hessian_product"]
        other_product = native("hessian_product", other)["hessian_product"]
        available = native("softmax", problem)["softmax"] > 0
        u, v = problem.direction * available, other.direction * available
        scale = np.broadcast_to(problem.temperature, shape[0]) ** -2.0
        tolerance = 1e-13 * scale * np.abs(u).max() * np.abs(v).max()
        left, right = (v * product).sum(axis=1), (u * other_product).sum(axis=1)
        assert (np.abs(left - right) <= tolerance).all()
        assert ((u * product).sum(axis=1) >= -tolerance).all()
        ones = replace(problem, direction=np.full(shape, 7.5))
        null = native("hessian_product", ones)["hessian_product"]
        assert (np.abs(null) <= 1e-14 * scale[:, None]).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_what_is_not_available_is_exactly_zero_and_its_content_does_not_matter(dtype, shape, rng):
    for options in SOME_OPTIONS:
        options = replace(options, unavailable="mask")
        problem = make_problem(rng, shape, dtype, options)
        closed = ~problem.mask
        logits, direction = problem.logits.copy(), problem.direction.copy()
        logits[closed], direction[closed] = 0, 0
        cleaned = replace(problem, logits=logits, direction=direction)
        direction = direction.copy()
        direction[closed] = rng.choice([np.nan, np.inf, -np.inf], closed.sum())
        problem = replace(problem, direction=direction)
        for verb in VERBS:
            results = native(verb, problem)
            assert_identical(results, native(verb, cleaned))
            for values in results.values():
                if values.shape == shape:
                    assert (values[closed] == (-np.inf if verb == "log_softmax" else 0)).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_minus_infinity_means_the_same_as_a_mask(dtype, shape, rng):
    for options in SOME_OPTIONS:
        problem = make_problem(rng, shape, dtype, replace(options, unavailable="mask"))
        logits = np.where(problem.mask, problem.logits, dtype(-np.inf))
        everything = np.ones(shape, dtype=bool)
        for verb in VERBS:
            expected = native(verb, problem)
            assert_identical(
                native(verb, replace(problem, logits=logits, mask=everything)), expected
            )
            for name, got in native(verb, replace(problem, logits=logits, mask=None)).items():
                tolerance = 32 * np.finfo(dtype).eps
                np.testing.assert_allclose(got, expected[name], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_mask_of_bytes_is_a_mask_of_booleans(dtype, shape, rng):
    problem = make_problem(rng, shape, dtype, Options(unavailable="mask"))
    as_bytes = replace(problem, mask=problem.mask.astype(np.uint8))
    for verb in VERBS:
        assert_identical(native(verb, as_bytes), native(verb, problem))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_one_temperature_is_the_same_temperature_for_every_row(dtype, shape, rng):
    for temperature in (1.0, 0.625, 3.0):
        problem = make_problem(rng, shape, dtype, Options("proba", 0.1, True))
        problem = replace(problem, temperature=temperature)
        rows = replace(problem, temperature=np.full(shape[0], temperature, dtype=dtype))
        for verb in VERBS:
            assert_identical(native(verb, rows), native(verb, problem))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_temperature_divides_the_logits(dtype, shape, rng):
    """Exact for a power of two: derivatives gain 1/T and 1/T^2."""
    problem = make_problem(rng, shape, dtype, Options("proba", 0.1, True, unavailable="both"))
    cold = replace(problem, temperature=0.25)
    scaled = replace(problem, logits=4 * problem.logits)
    for verb in ("softmax", "log_softmax", "logsumexp", "entropy", "loss"):
        assert_identical(native(verb, cold), native(verb, scaled))
    for verb, name, factor in (
        ("loss_gradient", "gradient", 4),
        ("hessian_product", "hessian_product", 16),
    ):
        got, expected = native(verb, cold)[name], factor * native(verb, scaled)[name]
        tolerance = 16 * np.finfo(dtype).eps
        np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_arguments_are_never_modified_and_may_be_read_only(dtype, shape, rng):
    for options in SOME_OPTIONS:
        problem = make_problem(rng, shape, dtype, options)
        arrays = [values for values in vars(problem).values() if isinstance(values, np.ndarray)]
        for values in arrays:
            values.setflags(write=False)
        before = [values.tobytes() for values in arrays]
        for verb in VERBS:
            native(verb, problem)
        assert [values.tobytes() for values in arrays] == before


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_float32_results_are_float64_results_rounded(shape, rng):
    """Not only the dtype is kept: the accuracy is that of float32, not of its accumulation."""
    problem = make_problem(rng, shape, np.float32, Options("proba", 0.1, True))
    for verb in VERBS:
        exact = native(verb, problem.astype(np.float64))
        for name, got in native(verb, problem).items():
            assert got.dtype == np.float32
            np.testing.assert_allclose(got, exact[name], rtol=3e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_single_class_is_certain(dtype):
    logits = np.array([[-1e4], [0], [1e4]], dtype=dtype)
    target = np.zeros(3, dtype=np.int64)
    assert (_kernel.softmax(logits) == 1).all()
    assert (_kernel.log_softmax(logits) == 0).all()
    assert (_kernel.entropy(logits) == 0).all()
    np.testing.assert_array_equal(_kernel.logsumexp(logits), logits[:, 0])
    value, gradient = _kernel.loss_gradient(logits, target, label_smoothing=0.5)
    assert (value == 0).all()
    assert (gradient == 0).all()
    assert (_kernel.hessian_product(logits, np.ones_like(logits)) == 0).all()
