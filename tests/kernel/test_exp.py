"""exp, log and log1p of the kernel against mpmath, in units in the last place (ulp)."""

import mpmath
import numpy as np
import pytest

from sksoftmax._kernel import _core

from .cases import DTYPES

MAX_ULP = {np.float32: 4, np.float64: 2}
RANGES = {
    # log of the smallest positive number, of the smallest normal, of the largest
    np.float32: (-103.28, -87.34, 88.0),
    np.float64: (-744.44, -708.40, 709.0),
}


def errors_in_ulp(got, x, function):
    """|got - f(x)| in spacings of the number nearest to f(x), and f(x) itself rounded."""
    dtype = got.dtype.type
    with mpmath.workprec(160):
        exact = [function(mpmath.mpf(float(each))) for each in x]
        with np.errstate(under="ignore"):
            rounded = np.array([float(each) for each in exact]).astype(dtype)
        spacing = np.spacing(np.abs(rounded))
        errors = [
            float(abs(mpmath.mpf(float(g)) - e) / mpmath.mpf(float(s)))
            for g, e, s in zip(got, exact, spacing, strict=True)
        ]
    return np.array(errors), rounded


def around(points, dtype):
    """The points and their neighbours on both sides."""
    points = np.asarray(points, dtype=dtype)
    return np.unique(
        [np.nextafter(points, dtype(-np.inf)), points, np.nextafter(points, dtype(np.inf))]
    )


def exponents(dtype, rng):
    lowest, subnormal, _ = RANGES[dtype]
    half_integers = np.arange(2, 2 * -lowest / np.log(2)) / 2
    x = np.concatenate([
        rng.uniform(lowest, 0, 3000),
        rng.uniform(subnormal - 2, subnormal + 2, 300),  # across the border to subnormal results
        rng.uniform(lowest, subnormal, 300),
        -(10.0 ** rng.uniform(np.log10(np.finfo(dtype).tiny), 0, 1000)),  # exp(x) close to 1
        around(-np.log(2) * half_integers[:300], dtype),  # where the range reduction rounds,
        around(-np.log(2) / 32 * np.arange(1, 400), dtype),  # in sixteenths too
        around(-np.log(2) / 32 * rng.integers(400, -32 / np.log(2) * lowest, 400), dtype),
        -np.arange(1.0, -lowest),
    ])  # fmt: skip
    x = x.astype(dtype)
    return x[(x <= 0) & (x >= lowest)]


def positive_numbers(dtype, rng):
    info = np.finfo(dtype)
    powers = 2.0 ** np.arange(np.log2(info.tiny), np.log2(info.max))
    return np.concatenate([
        10.0 ** rng.uniform(np.log10(info.tiny), np.log10(info.max), 2000),
        rng.uniform(0.25, 4, 2000),
        1 + rng.choice([-1, 1], 1000) * 10.0 ** rng.uniform(np.log10(info.eps), -1, 1000),
        around(powers, dtype)[3:],
        around([np.sqrt(0.5), 1, np.sqrt(2)], dtype),
    ]).astype(dtype)  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
def test_exp_is_within_its_ulp_bound_and_one_spacing_where_subnormal(dtype, rng):
    x = exponents(dtype, rng)
    errors, exact = errors_in_ulp(_core.exp_(x), x, mpmath.exp)
    subnormal = exact < np.finfo(dtype).tiny
    assert subnormal.sum() > 100
    assert errors[~subnormal].max() <= MAX_ULP[dtype]
    assert errors[subnormal].max() <= 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_log_is_within_its_ulp_bound(dtype, rng):
    x = positive_numbers(dtype, rng)
    errors, _ = errors_in_ulp(_core.log_(x), x, mpmath.log)
    assert errors.max() <= MAX_ULP[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
def test_log1p_is_within_its_ulp_bound(dtype, rng):
    info = np.finfo(dtype)
    x = np.concatenate([
        10.0 ** rng.uniform(np.log10(info.tiny), 8, 3000),
        rng.uniform(0, 4, 2000),
        10.0 ** rng.uniform(np.log10(info.eps) - 1, -2, 1000),
        around([info.eps / 2, info.eps, np.sqrt(2) - 1, 1, 3], dtype),
    ]).astype(dtype)  # fmt: skip
    errors, _ = errors_in_ulp(_core.log1p_(x), x, mpmath.log1p)
    assert errors.max() <= MAX_ULP[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
def test_log1p_of_a_subnormal_number_is_that_number(dtype):
    x = np.array([1, 2, 12345], dtype=dtype) * np.finfo(dtype).smallest_subnormal
    np.testing.assert_array_equal(_core.log1p_(x), x)


@pytest.mark.parametrize("dtype", DTYPES)
def test_exp_and_logarithms_are_exact_at_their_special_points(dtype):
    lowest = RANGES[dtype][0]
    x = np.array([0.0, -0.0, -np.inf, 3 * lowest, np.finfo(dtype).min], dtype=dtype)
    np.testing.assert_array_equal(_core.exp_(x), np.array([1, 1, 0, 0, 0], dtype=dtype))
    assert _core.log_(np.array([1], dtype=dtype))[0] == 0
    assert _core.log1p_(np.array([0], dtype=dtype))[0] == 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_exp_is_monotone(dtype):
    x = np.linspace(RANGES[dtype][0], 0, 100_001).astype(dtype)
    result = _core.exp_(x)
    # Twice the bound: neighbours may each be off in opposite directions.
    drop = np.maximum(0, result[:-1] - result[1:])
    assert (drop <= 2 * MAX_ULP[dtype] * np.spacing(result[1:])).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["exp_", "log_", "log1p_"])
def test_an_element_does_not_depend_on_its_place_in_the_array(dtype, name, rng):
    function = getattr(_core, name)
    x = -rng.exponential(5, 70) if name == "exp_" else rng.exponential(5, 70)
    x = x.astype(dtype)
    together = function(x)
    for length in (1, 3, 8, 17, 40):
        np.testing.assert_array_equal(function(np.ascontiguousarray(x[:length])), together[:length])
    alone = np.concatenate([function(x[i : i + 1].copy()) for i in range(len(x))])
    np.testing.assert_array_equal(alone, together)
