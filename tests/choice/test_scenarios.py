"""Simulation, shares, and constants calibrated to shares."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sksoftmax import ConditionalLogit
from sksoftmax.choice import NamedValues

UTILITIES = {
    "bus": {"time": "bus_time", "cost": "bus_cost"},
    "car": {"asc_car": 1, "time": "car_time", "cost": "car_cost"},
    "rail": {"asc_rail": 1, "time": "rail_time", "cost": "rail_cost"},
}


@pytest.fixture
def fitted(rng):
    X = pd.DataFrame({f"{a}_{x}": rng.random(500) for a in UTILITIES for x in ("time", "cost")})
    X["has_car"] = (rng.random(500) < 0.7).astype(int)
    cost = np.column_stack([X[f"{a}_cost"] + X[f"{a}_time"] for a in UTILITIES])
    utility = -2 * cost + rng.gumbel(size=cost.shape)
    utility[X["has_car"] == 0, 1] = -np.inf
    y = np.array(list(UTILITIES))[utility.argmax(axis=1)]
    return X, y, ConditionalLogit(UTILITIES, availability={"car": "has_car"}).fit(X, y)


def test_shares_are_means_of_probabilities(fitted, rng):
    X, y, model = fitted
    shares, proba = model.shares(X), model.predict_proba(X)
    assert isinstance(shares, NamedValues)
    assert shares.keys() == ["bus", "car", "rail"]
    assert_allclose(np.asarray(shares), proba.mean(axis=0))
    weight = rng.random(500)
    assert_allclose(np.asarray(model.shares(X, weight)), weight @ proba / weight.sum())
    # with a constant per alternative but one, the fit reproduces the shares of its sample
    assert_allclose(np.asarray(shares), [(y == label).mean() for label in shares.index], atol=1e-9)


def test_new_data_are_a_scenario_already(fitted):
    X, _, model = fitted
    dearer = X.assign(car_cost=X["car_cost"] * 1.5)
    assert model.shares(dearer)["car"] < model.shares(X)["car"]
    assert_array_equal(model.simulate(X).proba, model.predict_proba(X))
    assert_array_equal(model.simulate(X).utility, model.utility(X))


def test_an_alternative_that_did_not_exist_takes_its_share(fitted):
    X, _, model = fitted
    b = model.params_
    scenario = {
        **UTILITIES,
        "tram": {"asc_rail": 0.5, "time": "rail_time", "cost": "bus_cost"},
    }
    found = model.simulate(X, utilities=scenario, availability={"car": "has_car"})
    assert found.classes.tolist() == ["bus", "car", "rail", "tram"]
    tram = 0.5 * b["asc_rail"] + b["time"] * X["rail_time"] + b["cost"] * X["bus_cost"]
    assert_allclose(found.utility[:, 3], tram)
    # independence of irrelevant alternatives: the others keep their ratios
    old = model.predict_proba(X)
    assert_allclose(found.proba[:, 0] * old[:, 2], found.proba[:, 2] * old[:, 0])
    assert (found.proba[X["has_car"] == 0, 1] == 0).all()
    assert_allclose(np.asarray(found.shares()).sum(), 1)


def test_an_alternative_may_be_gone(fitted):
    X, _, model = fitted
    without = {label: UTILITIES[label] for label in ("bus", "rail")}
    found = model.simulate(X, utilities=without)
    old = model.predict_proba(X)[:, [0, 2]]
    assert_allclose(found.proba, old / old.sum(axis=1, keepdims=True))


def test_a_scenario_knows_only_what_was_estimated(fitted):
    X, _, model = fitted
    with pytest.raises(ValueError, match=r"\['asc_tram'\] are no parameters of the fitted model"):
        model.simulate(X, utilities={**UTILITIES, "tram": {"asc_tram": 1}})
    with pytest.raises(ValueError, match="X has no column 'tram_time'"):
        model.simulate(X, utilities={**UTILITIES, "tram": {"time": "tram_time"}})
    with pytest.raises(ValueError, match=r"availability: \['tram'\] are no alternatives"):
        model.simulate(X, availability={"tram": "has_car"})


@pytest.mark.parametrize("weighted", [False, True])
def test_calibrated_constants_reproduce_the_shares(fitted, rng, weighted):
    X, _, model = fitted
    wanted = {"bus": 0.6, "car": 0.001, "rail": 0.399}
    weight = rng.random(500) if weighted else None
    calibrated = model.calibrate_constants(X, wanted, sample_weight=weight)
    for label, share in wanted.items():
        assert_allclose(calibrated.shares(X, weight)[label], share, atol=1e-11)
    for name in ("time", "cost"):
        assert calibrated.params_[name] == model.params_[name]
    assert calibrated.params_["asc_car"] != model.params_["asc_car"]
    assert not hasattr(calibrated, "results_")
    assert hasattr(model, "results_")


@pytest.mark.parametrize("small", [1e-7, 1e-13, 1e-25])
def test_small_shares_are_met_to_the_same_relative_accuracy(fitted, small):
    X, _, model = fitted
    wanted = {"bus": 0.7, "car": small, "rail": 0.3 - small}
    shares = model.calibrate_constants(X, wanted).shares(X)
    for label, share in wanted.items():
        assert_allclose(shares[label], share, rtol=1e-8)


def test_constants_of_all_alternatives_keep_the_first(fitted):
    X, y, _ = fitted
    utilities = {**UTILITIES, "bus": {"asc_bus": 1, **UTILITIES["bus"]}}
    model = ConditionalLogit(
        utilities, availability={"car": "has_car"}, fixed={"asc_bus": 0.25}
    ).fit(X, y)
    calibrated = model.calibrate_constants(X, NamedValues(["bus", "car", "rail"], [0.3, 0.2, 0.5]))
    assert calibrated.params_["asc_bus"] == 0.25
    assert_allclose(np.asarray(calibrated.shares(X)), [0.3, 0.2, 0.5], atol=1e-11)


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"bus": 0.5, "car": 0.5}, "with the keys"),
        ([0.2, 0.3, 0.5], "with the keys"),
        ({"bus": 0.5, "car": 0.5, "rail": 0.0}, "must be positive and sum to 1"),
        ({"bus": 0.5, "car": 0.6, "rail": 0.1}, "must be positive and sum to 1"),
        ({"bus": 0.1, "car": 0.8, "rail": 0.1}, "no constants reach them"),  # 70 % have a car
    ],
)
def test_shares_that_make_no_sense_are_refused(fitted, shares, message):
    X, _, model = fitted
    with pytest.raises(ValueError, match=message):
        model.calibrate_constants(X, shares)


def test_calibration_needs_constants(fitted):
    X, y, _ = fitted
    generic = {label: {"time": f"{label}_time"} for label in UTILITIES}
    model = ConditionalLogit(generic, availability={"car": "has_car"}).fit(X, y)
    with pytest.raises(ValueError, match="'bus', 'car', 'rail' have no constant of their own"):
        model.calibrate_constants(X, {"bus": 0.3, "car": 0.2, "rail": 0.5})


# --- NamedValues ---


def test_named_values_read_like_a_series():
    values = NamedValues(["a", "b", 3], [1.5, -2, 0.25], "share")
    assert values["b"] == -2
    assert values[["b", "a"]].to_dict() == {"b": -2.0, "a": 1.5}
    assert "a" in values
    assert "c" not in values
    assert list(values) == [1.5, -2.0, 0.25]
    assert values.items()[2] == (3, 0.25)
    assert_array_equal(np.asarray(values), [1.5, -2, 0.25])
    assert_array_equal(values.to_series(), pd.Series([1.5, -2, 0.25]))
    assert values.to_series().name == "share"
    assert repr(values) == "a   1.500000\nb  -2.000000\n3   0.250000"
    assert values == NamedValues(["a", "b", 3], [1.5, -2, 0.25])
    assert values != NamedValues(["a", "b", 4], [1.5, -2, 0.25])
    with pytest.raises(KeyError, match="'c'; there are"):
        values["c"]
    with pytest.raises(ValueError, match="read-only"):
        values.values[0] = 1
    with pytest.raises(ValueError, match="must differ"):
        NamedValues(["a", "a"], [1, 2])
    with pytest.raises(ValueError, match="2 names for values of shape"):
        NamedValues(["a", "b"], [1])
