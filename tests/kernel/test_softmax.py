"""softmax, log_softmax, logsumexp and entropy against mpmath and against exact limits."""

import math

import mpmath
import numpy as np
import pytest

from sksoftmax import _kernel

from .cases import DTYPES

UNIQUE_ROWS = ("spread", "subnormal", "ties", "dominant", "denormal logits", "offset", "with -inf")


def hard_row(kind, n_classes, dtype, rng):
    """A row of logits, |z| up to 1e4, of a kind that is known to hurt."""
    underflow = -np.log(np.finfo(dtype).smallest_subnormal.astype(np.float64))
    row = {
        "spread": rng.uniform(-1e4, 1e4, n_classes),
        "subnormal": -underflow * rng.uniform(0.8, 1.02, n_classes),  # exp near underflow
        "ties": np.repeat([7.25, -3.0], [(n_classes + 1) // 2, n_classes // 2]),
        "dominant": rng.uniform(-60, -30, n_classes),
        "denormal logits": rng.integers(-9, 9, n_classes) * np.finfo(dtype).smallest_subnormal,
        "offset": 1e4 + 20 * rng.standard_normal(n_classes),
        "with -inf": np.where(
            rng.random(n_classes) < 0.5, -np.inf, rng.uniform(-50, 50, n_classes)
        ),
    }[kind]
    if kind in ("subnormal", "dominant", "with -inf"):
        row[rng.integers(n_classes)] = 0
    return row.astype(dtype)


def exact_row(z, temperature=1.0):
    """Exact softmax (list of mpf) and logsumexp of one row."""
    z = [mpmath.mpf(float(each)) for each in z]
    peak = max(z)
    terms = [mpmath.exp((each - peak) / temperature) for each in z]
    total = mpmath.fsum(terms)
    return [term / total for term in terms], peak / temperature + mpmath.log(total)


def check_softmax_row(got, exact, z, temperature=1.0):
    """Within (4 + |z_i - m| / T) eps relative plus one subnormal spacing."""
    info = np.finfo(got.dtype)
    distance = (np.max(z).astype(np.float64) - z.astype(np.float64)) / temperature
    for p, q, d in zip(got, exact, distance, strict=True):
        bound = (4 + d) * float(info.eps) * q if q > 0 else mpmath.mpf(0)
        assert abs(mpmath.mpf(float(p)) - q) <= bound + mpmath.mpf(float(info.smallest_subnormal))


def logsumexp_bound(z, dtype, temperature=1.0):
    largest = max(1.0, abs(float(np.max(z))) / temperature, math.log(len(z)))
    return 4 * float(np.finfo(dtype).eps) * largest


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", UNIQUE_ROWS)
@pytest.mark.parametrize("n_classes", [1, 2, 3, 8, 10, 12, 13, 17, 64, 100, 1000])
def test_softmax_and_logsumexp_agree_with_mpmath(dtype, kind, n_classes, rng):
    with mpmath.workprec(160):
        z = hard_row(kind, n_classes, dtype, rng)
        for temperature in (1.0, 0.375):  # exact in both dtypes
            exact, exact_log = exact_row(z, temperature)
            got = _kernel.softmax(z[np.newaxis], temperature=temperature)[0]
            check_softmax_row(got, exact, z, temperature)
            got_log = _kernel.logsumexp(z[np.newaxis], temperature=temperature)[0]
            error = abs(mpmath.mpf(float(got_log)) - exact_log)
            assert error <= logsumexp_bound(z, dtype, temperature)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["spread", "subnormal", "ties", "dominant", "offset"])
def test_softmax_and_logsumexp_are_as_exact_for_a_hundred_thousand_classes(dtype, kind, rng):
    """The oracle is long double with exact summation: 11 bits more than float64."""
    z = hard_row(kind, 100_000, dtype, rng)
    peak, precise = np.max(z), z.astype(np.longdouble)
    terms = np.exp(precise - peak)
    total = math.fsum(terms)
    got = _kernel.softmax(z[np.newaxis])[0]
    eps, tiny = np.finfo(dtype).eps, np.finfo(dtype).smallest_subnormal
    bound = (4 + (peak - precise)) * eps * (terms / total) + tiny
    assert (np.abs(got - terms / total) <= bound).all()
    got_log = _kernel.logsumexp(z[np.newaxis])[0]
    assert abs(got_log - (peak.astype(np.longdouble) + np.log(np.longdouble(total)))) <= (
        logsumexp_bound(z, dtype)
    )


def test_the_long_double_oracle_agrees_with_mpmath(rng):
    with mpmath.workprec(160):
        z = hard_row("spread", 300, np.float64, rng) / 100
        exact, _ = exact_row(z)
        terms = np.exp(z.astype(np.longdouble) - z.max())
        got = terms / math.fsum(terms)
        relative = [abs(float(g) / float(q) - 1) for g, q in zip(got, exact, strict=True)]
        assert max(relative) < 1e-15


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [2, 10, 33])
def test_log_softmax_stays_finite_where_the_probability_underflows(dtype, n_classes):
    logits = np.full((3, n_classes), -8000, dtype=dtype)
    logits[:, -1] = 0
    assert (_kernel.softmax(logits)[:, 0] == 0).all()
    np.testing.assert_array_equal(_kernel.log_softmax(logits), logits)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [2, 10, 33])
def test_tiny_log_probabilities_and_entropies_are_relatively_accurate(dtype, n_classes):
    """For p = 1 - 1e-20 the logarithm is -1e-20, not 0."""
    rest = np.float64(1e-20) / (n_classes - 1)
    logits = np.full((1, n_classes), np.log(rest), dtype=dtype)
    logits[0, 0] = 0
    with mpmath.workprec(200):
        exact, _ = exact_row(logits[0])
        log_p = mpmath.log(exact[0])
        entropy = -mpmath.fsum(p * mpmath.log(p) for p in exact)
    eps = float(np.finfo(dtype).eps)
    tolerance = 120 * eps  # |t| = 46 roundings in exp(t), and t itself in the entropy
    assert abs(float(_kernel.log_softmax(logits)[0, 0]) / float(log_p) - 1) < tolerance
    assert abs(float(_kernel.entropy(logits)[0]) / float(entropy) - 1) < tolerance


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [2, 3, 10, 12, 13, 40])
def test_temperature_zero_is_the_argmax_and_ties_share_equally(dtype, n_classes):
    logits = np.zeros((2, n_classes), dtype=dtype)
    logits[0, [0, -1]] = 5
    logits[1, 1] = 1e-30
    expected = np.zeros_like(logits)
    expected[0, [0, -1]] = 0.5
    expected[1, 1] = 1
    np.testing.assert_array_equal(_kernel.softmax(logits, temperature=0.0), expected)
    with np.errstate(divide="ignore"):
        log_expected = np.log(expected)
    got = _kernel.log_softmax(logits, temperature=0.0)
    np.testing.assert_allclose(got, log_expected, rtol=2 * np.finfo(dtype).eps)
    entropy = _kernel.entropy(logits, temperature=np.zeros(2, dtype=dtype))
    np.testing.assert_allclose(entropy, [np.log(2), 0], rtol=2 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [2, 3, 10, 12, 13, 40])
def test_temperature_infinity_is_uniform_over_the_available_classes(dtype, n_classes, rng):
    logits = (100 * rng.standard_normal((3, n_classes))).astype(dtype)
    logits[0, 0] = -np.inf
    logits[1] = np.finfo(dtype).max * np.sign(logits[1])  # differences overflow
    mask = np.ones(logits.shape, dtype=bool)
    mask[2, 1] = False
    available = mask & (logits != -np.inf)
    n_available = available.sum(axis=1, keepdims=True)
    eps = np.finfo(dtype).eps
    keywords = {"temperature": np.inf, "mask": mask}
    got = _kernel.softmax(logits, **keywords)
    np.testing.assert_allclose(got, available / n_available, rtol=2 * eps)
    assert (got[~available] == 0).all()
    log_got = _kernel.log_softmax(logits, **keywords)
    log_expected = np.where(available, -np.log(n_available), -np.inf)
    np.testing.assert_allclose(log_got, log_expected, rtol=2 * eps, atol=2 * eps)
    np.testing.assert_allclose(
        _kernel.entropy(logits, **keywords), np.log(n_available[:, 0]), rtol=2 * eps, atol=eps
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [3, 30])
def test_each_row_may_have_its_own_limit_of_temperature(dtype, n_classes, rng):
    logits = rng.standard_normal((4, n_classes)).astype(dtype)
    temperature = np.array([0, 0.5, np.inf, 2], dtype=dtype)
    got = _kernel.softmax(logits, temperature=temperature)
    for i, each in enumerate(temperature):
        alone = _kernel.softmax(logits[i : i + 1].copy(), temperature=float(each))
        np.testing.assert_array_equal(got[i : i + 1], alone)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [4, 40])
def test_the_smallest_and_largest_temperatures_give_the_limits_not_nan(dtype, n_classes, rng):
    info = np.finfo(dtype)
    logits = rng.standard_normal((2, n_classes)).astype(dtype)
    for temperature in (float(info.smallest_subnormal), float(info.tiny)):
        got = _kernel.softmax(logits, temperature=temperature)
        np.testing.assert_array_equal(got, _kernel.softmax(logits, temperature=0.0))
    got = _kernel.softmax(logits, temperature=float(info.max))
    np.testing.assert_allclose(got, 1 / n_classes, rtol=4 * info.eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [2, 30])
def test_the_largest_finite_logits_are_ordinary_logits(dtype, n_classes):
    info = np.finfo(dtype)
    logits = np.full((1, n_classes), info.min, dtype=dtype)
    logits[0, 1] = info.max
    expected = np.zeros_like(logits)
    expected[0, 1] = 1
    np.testing.assert_array_equal(_kernel.softmax(logits), expected)
    assert _kernel.logsumexp(logits)[0] == info.max
    assert _kernel.entropy(logits)[0] == 0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("verb", ["softmax", "log_softmax"])
@pytest.mark.parametrize("n_classes", [3, 30])
def test_the_result_goes_into_out_which_may_be_the_logits(dtype, verb, n_classes, rng):
    logits = rng.standard_normal((9, n_classes)).astype(dtype)
    function = getattr(_kernel, verb)
    expected = function(logits)
    out = np.full_like(logits, np.nan)
    assert function(logits, out=out) is out
    np.testing.assert_array_equal(out, expected)
    assert function(logits, out=logits) is logits
    np.testing.assert_array_equal(logits, expected)


@pytest.mark.parametrize("verb", ["softmax", "log_softmax"])
@pytest.mark.parametrize("n_classes", [3, 30])
def test_a_failing_call_into_the_logits_leaves_them_alone(verb, n_classes, rng):
    logits = rng.standard_normal((100, n_classes))
    logits[70, 1] = np.nan
    before = logits.copy()
    with pytest.raises(_kernel.RowError, match="row 70"):
        getattr(_kernel, verb)(logits, out=logits)
    np.testing.assert_array_equal(logits, before)
