"""Ratios and willingness to pay, with three kinds of interval."""

import numpy as np
import pytest
from scipy.stats import norm

from sksoftmax.inference._ratios import fieller


def test_willingness_to_pay_is_minus_the_ratio(results):
    wtp = results.willingness_to_pay("b_time", "b_cost")
    ratio = results.ratio("b_time", "b_cost")

    b = dict(zip(results.names, results.params, strict=True))
    assert wtp.value == pytest.approx(-b["b_time"] / b["b_cost"])
    assert ratio.value == -wtp.value
    assert (ratio.low, ratio.high) == pytest.approx((-wtp.high, -wtp.low))


def test_the_delta_method_is_the_gradient_of_the_ratio(results):
    ratio = results.ratio("b_income", "b_cost", confidence_level=0.9)

    a, b = results.params[3], results.params[1]
    V = results.covariance[np.ix_([3, 1], [3, 1])]
    gradient = np.array([1 / b, -a / b**2])
    error = np.sqrt(gradient @ V @ gradient)
    assert ratio.standard_error == pytest.approx(error, rel=1e-12)
    assert ratio.high - ratio.value == pytest.approx(norm.ppf(0.95) * error, rel=1e-12)
    assert ratio.shape == "interval"


def test_the_covariance_asked_for_is_used(results):
    robust = results.with_covariance("robust")

    errors = [r.ratio("b_time", "b_cost").standard_error for r in (results, robust)]
    assert errors[0] != pytest.approx(errors[1], rel=1e-3)


# --- Krinsky and Robb -----------------------------------------------------------------------------


def test_krinsky_robb_is_median_and_quantiles_of_normal_draws(results):
    options = {"method": "krinsky-robb", "n_draws": 400_000, "random_state": 1}
    wtp = results.willingness_to_pay("b_time", "b_cost", **options)

    rng = np.random.default_rng(9)
    draws = rng.multivariate_normal(results.params[:2], results.covariance[:2, :2], 400_000)
    expected = np.quantile(-draws[:, 0] / draws[:, 1], [0.5, 0.025, 0.975])
    np.testing.assert_allclose([wtp.median, wtp.low, wtp.high], expected, rtol=0.01)
    assert f"median {wtp.median:.4g}" in repr(wtp)


def test_a_random_state_repeats_the_interval(results):
    first, second, other = (
        results.ratio("b_time", "b_cost", method="krinsky-robb", random_state=state)
        for state in (0, 0, 1)
    )

    assert first == second
    assert first.low != other.low


def test_only_krinsky_robb_has_a_median(results):
    assert np.isnan(results.ratio("b_time", "b_cost").median)


# --- Fieller --------------------------------------------------------------------------------------


def rejects(r, a, b, V, quantile):
    """A z-test of a - r b = 0."""
    variance = V[0, 0] - 2 * r * V[0, 1] + r**2 * V[1, 1]
    return (a - r * b) ** 2 > quantile**2 * variance


@pytest.mark.parametrize(
    ("a", "b", "V", "shape"),
    [
        (1.0, 2.0, [[0.1, 0.02], [0.02, 0.05]], "interval"),
        (-1.0, 2.0, [[0.1, -0.05], [-0.05, 0.05]], "interval"),
        (3.0, 0.2, [[0.1, 0.0], [0.0, 0.05]], "complement"),
        (-3.0, 0.2, [[0.1, 0.02], [0.02, 0.05]], "complement"),
        (0.1, 0.1, [[0.1, 0.0], [0.0, 0.05]], "line"),
    ],
)
def test_fieller_is_the_set_that_a_test_does_not_reject(a, b, V, shape):
    V, z = np.array(V), norm.ppf(0.975)
    low, high, found = fieller(a, b, V, z)

    r = np.concatenate([np.linspace(-100, 100, 20_001), [a / b]])
    inside = {
        "interval": (low <= r) & (r <= high),
        "complement": (r <= low) | (r >= high),
        "line": np.full(len(r), True),
    }[found]
    assert found == shape
    edges = np.min(np.abs(r[:, None] - np.array([low, high])), axis=1) < 1e-9
    np.testing.assert_array_equal(inside[~edges], ~rejects(r, a, b, V, z)[~edges])
    assert (low < high) or found == "complement"


def test_fieller_covers_at_its_level_where_the_delta_method_does_not():
    """A denominator two standard errors from zero."""
    rng = np.random.default_rng(1)
    truth, V, z = 4.0, np.diag([0.09, 0.25]), norm.ppf(0.975)
    covered = {"fieller": 0, "delta": 0}
    n = 4000
    for a, b in rng.normal([4.0, 1.0], [0.3, 0.5], size=(n, 2)):
        low, high, shape = fieller(a, b, V, z)
        inside = low <= truth <= high if shape != "complement" else not low < truth < high
        covered["fieller"] += inside
        error = np.sqrt(V[0, 0] + (a / b) ** 2 * V[1, 1]) / abs(b)
        covered["delta"] += abs(a / b - truth) <= z * error
    assert abs(covered["fieller"] / n - 0.95) < 0.01
    assert covered["delta"] / n < 0.92


@pytest.fixture(scope="module")
def weak(plain_logit, choices):
    """A price that hardly varies: its coefficient is not far from zero."""
    X, y = choices
    modes = ("bus", "car", "train")
    X = X.assign(**{f"{k}_flat": 0.02 * X[f"{k}_cost"] + 1 for k in modes})
    utilities = {k: {"b_time": f"{k}_time", "b_cost": f"{k}_flat"} for k in modes}
    model = plain_logit(utilities, {"train": "train_open", "car": "car_open"})
    return model.fit(X[:40], y[:40])


def test_a_denominator_near_zero_warns(weak):
    z = abs(weak.z_values[1])
    assert z < 3
    with pytest.warns(UserWarning, match=f"'b_cost' is only {z:.2f} standard errors"):
        weak.willingness_to_pay("b_time", "b_cost")


def test_a_denominator_far_from_zero_does_not_warn(results):
    assert abs(results.z_values[1]) > 3
    results.willingness_to_pay("b_time", "b_cost")  # warnings are errors here


@pytest.mark.filterwarnings("ignore:.*standard errors away")
@pytest.mark.parametrize(
    ("shape", "text"),
    [("interval", "interval"), ("complement", "up to .* and from"), ("line", "all numbers")],
)
def test_a_ratio_says_which_set_it_is(weak, shape, text):
    import re

    found = set()
    for level in np.linspace(0.01, 0.999, 400):
        wtp = weak.willingness_to_pay("b_time", "b_cost", method="fieller", confidence_level=level)
        found.add(wtp.shape)
        if wtp.shape == shape:
            assert re.search(text, repr(wtp))
            return
    pytest.fail(f"no {shape} among {found}")


# --- parameters -----------------------------------------------------------------------------------


def test_a_held_price_is_a_constant(plain_logit, specification, model, choices):
    held = plain_logit(specification(), model.availability, fixed={"b_cost": -2.0}).fit(*choices)

    wtp = held.willingness_to_pay("b_time", "b_cost")

    assert wtp.value == pytest.approx(held.params[0] / 2)
    assert wtp.standard_error == pytest.approx(held.standard_errors[0] / 2)


def test_unknown_names_and_methods_are_errors(results):
    with pytest.raises(ValueError, match="no parameter 'b_fare'; parameters are b_time"):
        results.willingness_to_pay("b_time", "b_fare")
    with pytest.raises(ValueError, match="'delta', 'krinsky-robb', 'fieller'"):
        results.ratio("b_time", "b_cost", method="bootstrap")
    with pytest.raises(ValueError, match="n_draws must be an integer >= 100"):
        results.ratio("b_time", "b_cost", method="krinsky-robb", n_draws=10)
    with pytest.raises(ValueError, match="confidence_level must be a number above 0 and below 1"):
        results.ratio("b_time", "b_cost", confidence_level=95)


def test_a_denominator_held_at_zero_is_an_error(plain_logit, specification, model, choices):
    held = plain_logit(specification(), model.availability, fixed={"b_cost": 0.0}).fit(*choices)

    with pytest.raises(ValueError, match="'b_cost' is 0"):
        held.ratio("b_time", "b_cost")
