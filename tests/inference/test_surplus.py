"""Consumer surplus: simulated gains are the oracle."""

import numpy as np
import pytest


def logsum(model, X, params):
    values, available, _ = model.design(X)
    return np.log(np.where(available, np.exp(values @ params), 0).sum(axis=1))


@pytest.fixture(scope="module")
def cheaper(choices):
    X, _ = choices
    return X.assign(train_cost=0.8 * X["train_cost"], train_open=1)


def test_it_is_the_difference_of_logsums_in_money(model, choices, results, cheaper):
    X, _ = choices
    surplus = results.consumer_surplus(X, cheaper, "b_cost")

    b = results.params
    expected = (logsum(model, cheaper, b) - logsum(model, X, b)) / -b[1]
    np.testing.assert_allclose(surplus.by_observation, expected, rtol=1e-10, atol=1e-13)
    assert surplus.average == pytest.approx(expected.mean())


def test_it_is_the_mean_gain_of_utility_maximizers(model, choices, results, cheaper):
    """Draw tastes, let everybody choose before and after, and price the gain."""
    X, _ = choices
    X, after = X.iloc[:5], cheaper.iloc[:5]
    surplus = results.consumer_surplus(X, after, "b_cost")

    tastes = np.random.default_rng(0).gumbel(size=(400_000, 1, 3))
    best = []
    for frame in (X, after):
        values, available, _ = model.design(frame)
        V = np.where(available, values @ results.params, -np.inf)
        best.append((V + tastes).max(axis=2))
    gain = (best[1] - best[0]).mean(axis=0) / -results.params[1]
    np.testing.assert_allclose(surplus.by_observation, gain, atol=0.01)


def test_a_price_that_falls_everywhere_gains_what_it_falls(choices, results):
    X, _ = choices
    falls = X.assign(**{f"{k}_cost": X[f"{k}_cost"] - 0.25 for k in ("bus", "car", "train")})

    surplus = results.consumer_surplus(X, falls, "b_cost")

    np.testing.assert_allclose(surplus.by_observation, 0.25, rtol=1e-10)
    assert surplus.standard_error == pytest.approx(0, abs=1e-12)


def test_its_error_is_the_delta_method(model, choices, results, cheaper):
    X, _ = choices
    weight = np.linspace(0.5, 2, len(X))
    surplus = results.consumer_surplus(X, cheaper, "b_cost", sample_weight=weight)

    def average(b):
        change = (logsum(model, cheaper, b) - logsum(model, X, b)) / -b[1]
        return weight @ change / weight.sum()

    steps = 1e-5 * np.eye(6)
    b = results.params
    gradient = np.array([(average(b + s) - average(b - s)) / 2e-5 for s in steps])
    assert surplus.average == pytest.approx(average(b))
    expected = np.sqrt(gradient @ results.covariance @ gradient)
    assert surplus.standard_error == pytest.approx(expected, rel=1e-6)
    assert "average change of consumer surplus" in repr(surplus)


def test_a_price_that_people_like_is_an_error(choices, results, cheaper):
    with pytest.raises(ValueError, match="only a negative one"):
        results.consumer_surplus(choices[0], cheaper, "asc_car")


def test_a_price_that_is_not_common_is_an_error(
    plain_logit, specification, model, choices, cheaper
):
    utilities = specification()
    utilities["car"]["b_cost_car"] = utilities["car"].pop("b_cost")
    results = plain_logit(utilities, model.availability).fit(*choices)

    with pytest.raises(ValueError, match="'b_cost' does not enter the utility of 'car'"):
        results.consumer_surplus(choices[0], cheaper, "b_cost")


def test_an_alternative_without_a_price_is_named(
    plain_logit, specification, model, choices, cheaper
):
    utilities = specification()
    del utilities["bus"]["b_cost"]
    results = plain_logit(utilities, model.availability).fit(*choices)

    with pytest.raises(ValueError, match="unpriced="):
        results.consumer_surplus(choices[0], cheaper, "b_cost")
    surplus = results.consumer_surplus(choices[0], cheaper, "b_cost", unpriced=["bus"])
    assert (surplus.by_observation >= 0).all()
    with pytest.raises(ValueError, match="'plane' is no alternative"):
        results.consumer_surplus(choices[0], cheaper, "b_cost", unpriced=["plane"])


def test_before_and_after_have_the_same_rows(choices, results, cheaper):
    with pytest.raises(ValueError, match="X_new has 499 rows, but X has 500"):
        results.consumer_surplus(choices[0], cheaper[:-1], "b_cost")
