"""The temperature solver: its passes against NumPy, its optimum against SciPy's, its laws."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from sksoftmax._kernel import RowError, kernel_info
from sksoftmax._solvers import temperature as solver
from sksoftmax._solvers.temperature import TemperatureProblem, fit_temperature
from sksoftmax._solvers.temperature_search import search_temperature

ACTIVE, AVAILABLE = kernel_info()["name"], kernel_info()["available"]
# Both loop shapes, every remainder of rows and classes.
SHAPES = [(1, 2), (3, 2), (17, 3), (8, 8), (9, 12), (5, 13), (40, 16), (7, 33), (600, 100)]


def drawn(rng, n_samples, n_classes, temperature=3.0, spread=2.0):
    """Logits whose right temperature is given, and labels."""
    logits = rng.normal(scale=spread, size=(n_samples, n_classes))
    target = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    return np.ascontiguousarray(logits * temperature), target.astype(np.int64)


def mean_loss(logits, target, temperature, weight=None):
    log_proba = log_softmax(logits.astype(float) / temperature, axis=1)
    return -np.average(log_proba[np.arange(len(target)), target], weights=weight)


def plain_sums(logits, target, b, weight):
    """What a pass adds up, written with SciPy."""
    u = logits.astype(float) - logits.max(axis=1, keepdims=True)
    log_p = log_softmax(np.where(u > -np.inf, b * np.maximum(u, -1e300), -np.inf), axis=1)
    p, u = np.exp(log_p), np.maximum(u, -1e300)
    rows = np.arange(len(target))
    u = np.where(p > 0, u, 0)
    mean = (p * u).sum(axis=1)
    slope = mean - (logits[rows, target].astype(float) - logits.max(axis=1))
    curvature = (p * (u - mean[:, None]) ** 2).sum(axis=1)
    loss = -log_p[rows, target]
    return [weight @ loss, weight @ slope, weight @ curvature, ((weight * slope) ** 2).sum()]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_sums_of_a_pass_agree_with_numpy(shape, dtype, rng):
    logits, target = drawn(rng, *shape)
    logits = logits.astype(dtype)
    if shape[1] > 2:
        logits[0, (target[0] + 1) % shape[1]] = -np.inf  # not available
    weight = rng.uniform(0.5, 2.0, len(target))
    for given in (None, weight):
        problem = TemperatureProblem(logits, target, given)
        scale = 1.0 if given is None else problem.scaled_weight_sum / weight.sum()
        w = np.ones(len(target)) if given is None else weight * scale
        for b in (0.0, 0.3, 1.0, 40.0):
            sums = problem.sums(b) if b else problem.at_zero
            expected = plain_sums(logits, target, b, w)
            np.testing.assert_allclose(sums, expected, rtol=1e-11, atol=1e-13)


def test_slope_and_curvature_are_derivatives_of_the_loss(rng):
    problem = TemperatureProblem(*drawn(rng, 50, 4))
    b, step = 0.4, 1e-5
    below, here, above = (problem.sums(x) for x in (b - step, b, b + step))
    assert (above.loss - below.loss) / (2 * step) == pytest.approx(here.slope, rel=1e-6)
    assert (above.slope - below.slope) / (2 * step) == pytest.approx(here.curvature, rel=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3, 10, 40])
@pytest.mark.parametrize("temperature", [0.2, 1.0, 3.0])
def test_the_optimum_is_that_of_a_bounded_search(n_classes, temperature, rng):
    logits, target = drawn(rng, 300, n_classes, temperature)
    fit = fit_temperature(logits, target)
    found = minimize_scalar(
        lambda log_t: mean_loss(logits, target, math.exp(log_t)),
        bounds=(math.log(temperature) - 3, math.log(temperature) + 3),
        method="bounded",
        options={"xatol": 1e-10},
    )
    assert fit.status == "converged"
    assert math.log(fit.temperature) == pytest.approx(found.x, abs=1e-6)
    assert fit.loss == pytest.approx(found.fun, abs=1e-13)
    assert fit.loss == pytest.approx(mean_loss(logits, target, fit.temperature), abs=1e-13)
    assert fit.loss_at_one == pytest.approx(mean_loss(logits, target, 1.0), rel=1e-12)
    low, high = fit.interval
    assert low < fit.temperature < high
    assert low * high == pytest.approx(fit.temperature**2)  # symmetric in log T


@pytest.mark.parametrize("exponent", [-250, -160, -30, -6, 6, 30, 160, 250])
def test_the_scale_of_the_logits_is_the_scale_of_the_temperature(exponent, rng):
    logits, target = drawn(rng, 200, 5)
    one, scaled = fit_temperature(logits, target), fit_temperature(logits * 2.0**exponent, target)
    assert scaled.temperature == pytest.approx(one.temperature * 2.0**exponent, rel=1e-12)
    assert scaled.loss == pytest.approx(one.loss, rel=1e-12)
    assert scaled.n_iter <= 8
    np.testing.assert_allclose(np.array(scaled.interval) / 2.0**exponent, one.interval, rtol=1e-9)


def test_extreme_scales_do_not_overflow(rng):
    logits, target = drawn(rng, 200, 5)
    one = fit_temperature(logits, target)
    for scale in (1e-290, 1e-170, 1e170, 1e300):
        fit = fit_temperature(logits * scale, target)
        assert fit.temperature / scale == pytest.approx(one.temperature, rel=1e-9)
        assert fit.status == "converged"


@pytest.mark.parametrize("sentinel", [-np.inf, np.finfo(np.float32).min, np.finfo(float).min, -1e9])
def test_a_very_low_logit_is_as_good_as_a_mask(sentinel, rng):
    logits, target = drawn(rng, 200, 5)
    logits[np.arange(200), (target + 1) % 5] = sentinel
    rest = logits.copy()
    rest[np.arange(200), (target + 1) % 5] = -np.inf
    fit, expected = fit_temperature(logits, target), fit_temperature(rest, target)
    assert fit.temperature == pytest.approx(expected.temperature, rel=1e-10)
    assert fit.n_iter <= 8


def test_few_passes_suffice(rng):
    for n_samples, n_classes in [(20, 3), (500, 2), (500, 10), (3000, 100), (30_000, 10)]:
        for spread in (0.3, 1.0, 4.0):
            fit = fit_temperature(*drawn(rng, n_samples, n_classes, 5.0, spread))
            assert fit.status == "converged"
            assert fit.n_iter <= 7, (n_samples, n_classes, spread)


def one_behind(logits, row):
    """Labels that have the largest logit of their row, but for one that has the second."""
    target = logits.argmax(axis=1).astype(np.int64)
    target[row] = np.argsort(logits[row])[-2]
    return target


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("n_samples", [30, 500, 20_000])
def test_few_passes_suffice_near_separation_and_for_mixed_scales(n_samples, scale, rng):
    for n_classes in (2, 10, 60):
        heavy = rng.standard_t(1.0, size=(n_samples, n_classes)) * scale
        mixed = rng.normal(size=(n_samples, n_classes)) * scale
        mixed[::2] *= 1e4
        for logits in (heavy, mixed):
            gaps = np.diff(np.sort(logits, axis=1)[:, -2:], axis=1)[:, 0]
            nothing_between = logits.argmax(axis=1).astype(np.int64)
            for target in (one_behind(logits, gaps.argmin()), one_behind(logits, gaps.argmax())):
                fit = fit_temperature(logits, target)
                assert fit.status == "converged"
                assert fit.n_iter <= 8
            assert fit_temperature(logits, nothing_between).n_iter <= 8


def test_one_row_behind_by_a_little_is_not_separable(rng):
    for n_classes in (2, 10, 100):
        logits = rng.standard_t(1.5, size=(500, n_classes))
        target = one_behind(logits, 7)
        fit = fit_temperature(logits, target)
        assert fit.status == "converged"
        assert abs(TemperatureProblem(logits, target).sums(1 / fit.temperature).slope) < 1e-10


def test_reversed_and_random_labels_are_uninformative(rng):
    logits = rng.normal(size=(100, 4))
    for target in (logits.argmin(axis=1), np.arange(100) % 4):
        fit = fit_temperature(logits - 1e-3 * np.eye(4)[target], target.astype(np.int64))
        assert fit.status == "uninformative"
        assert fit.temperature == math.inf
        assert fit.loss == pytest.approx(math.log(4))
        assert np.isnan(fit.interval).all()


def test_tied_logits_and_balanced_labels_are_uninformative():
    target = np.array([0, 1, 0, 1], dtype=np.int64)
    assert fit_temperature(np.zeros((4, 2)), target).status == "uninformative"
    assert fit_temperature(np.full((4, 2), [0.1, 0.3]), target).status == "uninformative"


def test_separable_labels_get_the_temperature_of_smoothed_ones(rng):
    logits = rng.normal(size=(50, 4))
    target = logits.argmax(axis=1).astype(np.int64)
    fit = fit_temperature(logits, target)
    assert fit.status == "separable"
    share = 1 / (50 + 4)
    smoothed = (1 - share) * np.eye(4)[target] + share / 4

    def loss(log_t):
        return -(smoothed * log_softmax(logits / math.exp(log_t), axis=1)).sum() / 50

    found = minimize_scalar(loss, bounds=(-8, 3), method="bounded", options={"xatol": 1e-10})
    assert math.log(fit.temperature) == pytest.approx(found.x, abs=1e-6)
    assert fit.loss == pytest.approx(mean_loss(logits, target, fit.temperature), rel=1e-10)


@pytest.mark.parametrize("objective", ["brier", "ece"])
def test_of_temperatures_with_equal_scores_the_given_one_is_found(objective):
    target = np.array([0, 1, 1, 0])
    found, status = search_temperature(objective, 2.5, np.zeros((4, 2)), target, None, None)
    assert found == pytest.approx(2.5)
    assert status == "converged"


def test_a_weight_of_two_is_a_row_twice_and_of_zero_none(rng):
    for logits, target in (drawn(rng, 90, 3), drawn(rng, 90, 20)):
        weight = rng.integers(0, 4, 90).astype(float)
        logits[weight == 0] = 1e3  # whatever it holds
        logits[np.flatnonzero(weight == 0)[0], target[np.flatnonzero(weight == 0)[0]]] = -np.inf
        repeated = np.repeat(np.arange(90), weight.astype(int))
        fit = fit_temperature(logits, target, sample_weight=weight)
        expected = fit_temperature(np.ascontiguousarray(logits[repeated]), target[repeated])
        assert fit.temperature == pytest.approx(expected.temperature, rel=1e-12)
        assert fit.loss == pytest.approx(expected.loss, rel=1e-12)
        assert fit.curvature == pytest.approx(expected.curvature, rel=1e-6)


def test_the_unit_of_the_weights_does_not_matter(rng):
    logits, target = drawn(rng, 90, 3)
    weight = rng.uniform(size=90)
    one = fit_temperature(logits, target, sample_weight=weight)
    for unit in (1e-300, 1e300):
        other = fit_temperature(logits, target, sample_weight=weight * unit)
        assert other.temperature == pytest.approx(one.temperature, rel=1e-12)
        np.testing.assert_allclose(other.interval, one.interval, rtol=1e-9)


@pytest.mark.parametrize(("unit", "rtol"), [(1e200, 1e-9), (1e-300, 1e-9), (1e-310, 1e-9)])
def test_the_unit_of_the_logits_scales_the_temperature(unit, rtol, rng):
    logits, target = drawn(rng, 90, 3)
    one = fit_temperature(logits, target)
    other = fit_temperature(logits * unit, target)
    assert other.temperature / unit == pytest.approx(one.temperature, rel=rtol)
    assert other.loss == pytest.approx(one.loss, rel=rtol)


@pytest.mark.parametrize("shape", [(40_007, 10), (4_003, 100)])
def test_results_are_bit_identical_for_any_number_of_threads(shape, rng, monkeypatch):
    monkeypatch.setattr(solver, "effective_n_threads", lambda n_threads: n_threads)
    logits, target = drawn(rng, *shape)
    weight = rng.uniform(size=len(target))
    fits = [fit_temperature(logits, target, sample_weight=weight, n_threads=n) for n in (1, 2, 4)]
    assert fits[0] == fits[1] == fits[2]


@pytest.mark.parametrize(
    ("value", "argument", "message"),
    [
        (np.nan, "logits", "NaN"),
        (np.inf, "logits", r"\+inf"),
        ([-np.inf] * 3, "logits", "no available class"),
        ([-np.inf, 0, 0], "target", "not available"),
    ],
)
@pytest.mark.parametrize("n_classes", [3, 30])
def test_the_first_bad_row_is_named(value, argument, message, n_classes, rng):
    logits, target = drawn(rng, 100, n_classes)
    target[:] = 0
    if n_classes == 30 and isinstance(value, list):
        value = value * 10
    logits[[41, 70]] = value
    with pytest.raises(RowError, match=message) as caught:
        fit_temperature(logits, target)
    assert caught.value.row == 41
    assert caught.value.argument == argument


def test_arguments_of_the_wrong_kind_are_refused(rng):
    logits, target = drawn(rng, 10, 3)
    with pytest.raises(TypeError, match="logits"):
        fit_temperature(logits.astype(int), target)
    with pytest.raises(TypeError, match="target"):
        fit_temperature(logits, target.astype(float))
    with pytest.raises(ValueError, match="target: row 0 has class index 3"):
        fit_temperature(logits, np.full(10, 3))
    with pytest.raises(ValueError, match="sample_weight"):
        fit_temperature(logits, target, sample_weight=np.zeros(10))
    with pytest.raises(ValueError, match="expected shape"):
        fit_temperature(logits, target[:5])
    with pytest.raises(ValueError, match="logits"):
        fit_temperature(logits[:, :1], np.zeros(10, dtype=np.int64))


@pytest.mark.skipif("SKSOFTMAX_KERNEL" in os.environ, reason="one body is forced: it is under test")
@pytest.mark.parametrize("body", [name for name in AVAILABLE if name != ACTIVE])
def test_another_body_passes_the_same_tests(body, tmp_path):
    drop = ("PYTEST_", "SKSOFTMAX_KERNEL")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(drop)}
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "--import-mode=importlib", __file__],
        cwd=tmp_path,
        env=environment | {"SKSOFTMAX_KERNEL": body},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
