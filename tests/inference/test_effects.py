"""Elasticities and marginal effects: finite differences of probabilities are the oracle."""

import numpy as np
import pandas as pd
import pytest

from sksoftmax import MultinomialLogit

STEP = 1e-5


def proba_after(model, X, params, column, change):
    return model.proba(X.assign(**{column: X[column] + change}), params)


def slope(model, X, params, column):
    """dp/dx by central differences."""
    up, down = (proba_after(model, X, params, column, s) for s in (STEP, -STEP))
    return (up - down) / (2 * STEP)


def jacobian(function, params):
    steps = STEP * np.eye(len(params))
    return np.stack([(function(params + s) - function(params - s)) / (2 * STEP) for s in steps], -1)


def delta(function, results):
    J = jacobian(function, results.params)
    return np.sqrt(np.diag(J @ results.covariance @ J.T))


@pytest.fixture(scope="module")
def weight(choices):
    return np.random.default_rng(2).uniform(0.5, 2, len(choices[0]))


@pytest.mark.parametrize("column", ["train_time", "car_cost", "income"])
def test_elasticities_are_the_derivative_of_log_proba(model, choices, results, column):
    X, _ = choices
    effects = results.elasticities(X, column)

    x, p = X[column].to_numpy()[:, None], model.proba(X, results.params)
    with np.errstate(invalid="ignore"):
        expected = x * slope(model, X, results.params, column) / p
    np.testing.assert_allclose(effects.by_observation, expected, atol=1e-8)
    assert np.isnan(effects.by_observation).any()  # unavailable
    np.testing.assert_array_equal(np.isnan(effects.by_observation), p == 0)


@pytest.mark.parametrize("column", ["train_time", "income"])
def test_averages_leave_unavailable_alternatives_out(model, choices, results, weight, column):
    X, _ = choices
    effects = results.elasticities(X, column, sample_weight=weight)

    e, p = effects.by_observation, model.proba(X, results.params)
    for j in range(3):
        own = ~np.isnan(e[:, j])
        w, wp = weight[own], (weight * p[:, j])[own]
        assert effects.average.values[j] == pytest.approx(w @ e[own, j] / w.sum())
        assert effects.weighted.values[j] == pytest.approx(wp @ e[own, j] / wp.sum())


def test_weighted_elasticities_are_those_of_total_shares(model, choices, results, weight):
    """One per cent more of a price for everybody."""
    X, _ = choices
    effects = results.elasticities(X, "car_cost", sample_weight=weight)

    def shares(factor):
        frame = X.assign(car_cost=X["car_cost"] * factor)
        return weight @ model.proba(frame, results.params)

    expected = np.log(shares(1 + STEP) / shares(1 - STEP)) / np.log((1 + STEP) / (1 - STEP))
    np.testing.assert_allclose(effects.weighted.values, expected, rtol=1e-8)


@pytest.mark.parametrize("column", ["train_time", "income"])
def test_errors_of_elasticities_are_the_delta_method(model, choices, results, weight, column):
    X = choices[0].iloc[:60]
    w = weight[:60]
    effects = results.elasticities(X, column, sample_weight=w)

    def averages(params):
        p = model.proba(X, params)
        with np.errstate(invalid="ignore"):
            e = X[column].to_numpy()[:, None] * slope(model, X, params, column) / p
        counts = ~np.isnan(e)
        e = np.where(counts, e, 0)
        by_proba = (w[:, None] * p * e).sum(0) / (w @ p)
        return np.append((w[:, None] * e).sum(0) / (w @ counts), by_proba)

    expected = delta(averages, results)
    np.testing.assert_allclose(effects.average.standard_errors, expected[:3], rtol=1e-5)
    np.testing.assert_allclose(effects.weighted.standard_errors, expected[3:], rtol=1e-5)


def test_marginal_effects_are_derivatives_that_sum_to_zero(model, choices, results, weight):
    X, _ = choices
    effects = results.marginal_effects(X, "income", sample_weight=weight)

    expected = slope(model, X, results.params, "income")
    np.testing.assert_allclose(effects.by_observation, expected, atol=1e-9)
    np.testing.assert_allclose(effects.by_observation.sum(axis=1), 0, atol=1e-15)
    average = weight @ expected / weight.sum()
    np.testing.assert_allclose(effects.average.values, average, atol=1e-9)
    assert effects.weighted is None
    assert effects.kind == "marginal effect"


def test_errors_of_marginal_effects_are_the_delta_method(model, choices, results):
    X = choices[0].iloc[:60]
    effects = results.marginal_effects(X, "bus_time")

    expected = delta(lambda params: slope(model, X, params, "bus_time").mean(0), results)
    np.testing.assert_allclose(effects.average.standard_errors, expected, rtol=1e-5)


def test_a_column_of_zeros_and_ones_is_a_discrete_change(model, choices, results, weight):
    X, _ = choices
    effects = results.marginal_effects(X, "retired", sample_weight=weight)

    def change(params):
        on, off = (model.proba(X.assign(retired=v), params) for v in (1, 0))
        return on - off

    assert effects.kind == "discrete change"
    np.testing.assert_allclose(effects.by_observation, change(results.params), atol=1e-15)
    expected = delta(lambda params: weight @ change(params) / weight.sum(), results)
    np.testing.assert_allclose(effects.average.standard_errors, expected, rtol=1e-6)


def test_a_discrete_change_may_be_one_of_availability(model, choices, results):
    """Opening the train everywhere."""
    X, _ = choices
    effects = results.marginal_effects(X, "train_open")

    on, off = (model.proba(X.assign(train_open=v), results.params) for v in (1, 0))
    np.testing.assert_allclose(effects.by_observation, on - off, atol=1e-15)


def test_availability_has_no_elasticity(choices, results):
    with pytest.raises(ValueError, match="alternatives are available"):
        results.elasticities(choices[0], "train_open")


# --- derived columns ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def derived(plain_logit, choices):
    """Log costs, and time multiplied by income."""
    X, y = choices
    modes = ("bus", "car", "train")

    def transform(frame):
        new = {f"{k}_logcost": np.log(frame[f"{k}_cost"]) for k in modes}
        new |= {f"{k}_rich": frame[f"{k}_time"] * frame["income"] for k in modes}
        return frame.assign(**new)

    model = plain_logit(
        {k: {"b_time": f"{k}_time", "b_log": f"{k}_logcost", "b_rich": f"{k}_rich"} for k in modes},
        {"train": "train_open", "car": "car_open"},
    )
    return model, transform, model.fit(transform(X), y)


@pytest.mark.parametrize("column", ["train_cost", "car_time", "income"])
def test_derived_columns_move_along(choices, derived, column):
    X, _ = choices
    model, transform, results = derived

    effects = results.elasticities(X, column, transform=transform)

    up, down = (
        model.proba(transform(X.assign(**{column: X[column] + s})), results.params)
        for s in (STEP, -STEP)
    )
    p = model.proba(transform(X), results.params)
    with np.errstate(invalid="ignore"):
        expected = X[column].to_numpy()[:, None] * (up - down) / (2 * STEP) / p
    np.testing.assert_allclose(effects.by_observation, expected, atol=1e-7)


def test_the_elasticity_of_a_log_column_is_that_of_its_formula(choices, derived):
    """Own elasticity of a column that enters as log x: b (1 - p)."""
    X, _ = choices
    model, transform, results = derived

    effects = results.elasticities(X, "bus_cost", transform=transform)

    p = model.proba(transform(X), results.params)[:, 0]
    np.testing.assert_allclose(effects.by_observation[:, 0], results.params[1] * (1 - p), rtol=1e-9)


def test_a_transform_that_derives_nothing_changes_nothing(choices, results):
    X, _ = choices
    plain = results.elasticities(X, "car_time")

    effects = results.elasticities(X, "car_time", transform=lambda frame: frame)

    np.testing.assert_allclose(effects.by_observation, plain.by_observation, rtol=1e-8)
    np.testing.assert_allclose(
        effects.average.standard_errors, plain.average.standard_errors, rtol=1e-8
    )


# --- data ----------------------------------------------------------------------------------------


def test_missing_values_of_an_unavailable_alternative_do_no_harm(choices, results):
    X, _ = choices
    holed = X.assign(train_time=X["train_time"].where(X["train_open"] == 1))

    effects, whole = (results.elasticities(frame, "train_time") for frame in (holed, X))

    np.testing.assert_array_equal(effects.by_observation, whole.by_observation)


@pytest.fixture(scope="module")
def three_classes():
    rng = np.random.default_rng(4)
    X = rng.normal(size=(300, 3))
    y = (rng.gumbel(size=(300, 3)) + X[:, :1] * [0, 0.5, 1]).argmax(axis=1)
    return X, y


def test_arrays_frames_and_sparse_matrices_give_the_same(three_classes):
    import polars as pl
    from scipy import sparse

    X, y = three_classes
    names = ["a", "b", "c"]
    kinds = {
        "array": (X, 1),
        "name": (X, "x1"),
        "list": (X.tolist(), 1),
        "sparse": (sparse.csr_array(X), 1),
        "pandas": (pd.DataFrame(X, columns=names), "b"),
        "polars": (pl.DataFrame(X, schema=names), "b"),
    }
    expected = MultinomialLogit(C=np.inf).infer(X, y).elasticities(X, 1)

    for kind, (table, column) in kinds.items():
        effects = MultinomialLogit(C=np.inf).infer(table, y).elasticities(table, column)
        np.testing.assert_allclose(
            effects.by_observation, expected.by_observation, rtol=1e-9, err_msg=kind
        )


def test_x_is_left_alone(choices, results):
    X, _ = choices
    before = X.copy()

    results.elasticities(X, "car_time")
    results.marginal_effects(X, "retired")

    pd.testing.assert_frame_equal(X, before)


def test_nullable_numbers_are_numbers(choices, results):
    X, _ = choices
    shown = X["train_time"].where(X["train_open"] == 1)
    nullable = X.assign(train_time=shown.astype("Float64"), retired=X["retired"].astype("Int8"))

    effects, whole = (results.elasticities(frame, "train_time") for frame in (nullable, X))

    np.testing.assert_array_equal(effects.by_observation, whole.by_observation)
    assert results.marginal_effects(nullable, "retired").kind == "discrete change"


def test_the_steps_of_a_pipeline_are_a_transform(three_classes):
    """A scaled column has the elasticity of the raw one."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    X, y = three_classes
    X = pd.DataFrame(X + 3, columns=["a", "b", "c"])
    scaler = StandardScaler().fit(X)
    model = MultinomialLogit(C=np.inf)
    raw = model.infer(X, y).elasticities(X, "b")

    scaled = model.infer(scaler.transform(X), y).elasticities(X, "b", transform=scaler.transform)

    np.testing.assert_allclose(scaled.by_observation, raw.by_observation, rtol=1e-6)
    steps = make_pipeline(PolynomialFeatures(2, include_bias=False), StandardScaler()).fit(X)
    squares = model.infer(steps.transform(X), y)
    effects = squares.marginal_effects(X, "b", transform=steps.transform)
    fitted = MultinomialLogit(C=np.inf, tol=1e-11).fit(steps.transform(X), y)
    up, down = (
        fitted.predict_proba(steps.transform(X.assign(b=X["b"] + s))) for s in (1e-5, -1e-5)
    )
    np.testing.assert_allclose(effects.by_observation, (up - down) / 2e-5, atol=1e-6)


def test_blocks_do_not_show(monkeypatch, choices, results):
    from sksoftmax.inference import _responses

    whole = results.elasticities(choices[0], "car_time")
    monkeypatch.setattr(_responses, "_ENTRIES", 200)

    blocks = results.elasticities(choices[0], "car_time")

    np.testing.assert_allclose(blocks.by_observation, whole.by_observation, rtol=1e-14)
    np.testing.assert_allclose(
        blocks.weighted.standard_errors, whole.weighted.standard_errors, rtol=1e-12
    )


@pytest.mark.parametrize(
    ("column", "message"),
    [("speed", "X has the columns bus_time"), (3, "X has the columns")],
)
def test_an_unknown_column_is_an_error_that_lists_them(choices, results, column, message):
    with pytest.raises(ValueError, match=message):
        results.elasticities(choices[0], column)


@pytest.mark.parametrize("column", ["x3", -1, 3, "income"])
def test_an_unknown_column_of_an_array_is_an_error(three_classes, column):
    X, y = three_classes
    with pytest.raises(ValueError, match="columns x0 to x2"):
        MultinomialLogit(C=np.inf).infer(X, y).marginal_effects(X, column)


@pytest.mark.parametrize("X", [np.zeros(3), np.zeros((0, 3)), 1.0])
def test_x_without_rows_and_columns_is_an_error(three_classes, X):
    with pytest.raises(ValueError, match="X must have rows and columns"):
        MultinomialLogit(C=np.inf).infer(*three_classes).marginal_effects(X, 0)


def test_a_transform_that_loses_rows_or_is_none_is_an_error(choices, results):
    X, _ = choices
    with pytest.raises(ValueError, match="transform must keep the rows of X; it makes 10 of 500"):
        results.elasticities(X, "car_time", transform=lambda frame: frame[:10])
    with pytest.raises(TypeError, match="transform must be callable, have a method"):
        results.marginal_effects(X, "car_time", transform=3)


def test_a_column_of_text_is_an_error(choices, results):
    X = choices[0].assign(purpose="work")
    with pytest.raises(ValueError, match="'purpose' must hold numbers"):
        results.elasticities(X, "purpose")


@pytest.mark.parametrize("weight", [[1.0], np.full(500, -1.0), np.zeros(500), np.full(500, np.nan)])
def test_wrong_weights_are_an_error(choices, results, weight):
    with pytest.raises(ValueError, match="sample_weight must be 500 finite numbers"):
        results.elasticities(choices[0], "income", sample_weight=weight)


def test_effects_on_parameters_that_are_not_determined_have_no_error(plain_logit, choices):
    """b and c double each other: their sum moves probabilities, each alone nothing known."""
    X, y = choices
    X = X.assign(**{f"{k}_copy": X[f"{k}_time"] for k in ("bus", "car", "train")})
    model = plain_logit({k: {"b": f"{k}_time", "c": f"{k}_copy"} for k in ("bus", "car", "train")})
    rows = (X["train_open"] == 1) & (X["car_open"] == 1)
    results = model.fit(X[rows], y[rows])

    both = results.elasticities(
        X[rows], "bus_time", transform=lambda f: f.assign(bus_copy=f["bus_time"])
    )
    alone = results.elasticities(X[rows], "bus_time")

    single = plain_logit({k: {"b": f"{k}_time"} for k in ("bus", "car", "train")})
    known = single.fit(X[rows], y[rows]).elasticities(X[rows], "bus_time")
    np.testing.assert_allclose(
        both.average.standard_errors, known.average.standard_errors, rtol=1e-6
    )
    assert np.isnan(alone.average.standard_errors).all()


def test_effects_show_themselves(choices, results):
    effects = results.elasticities(choices[0], "car_cost")

    text, html, frame = repr(effects), effects._repr_html_(), effects.to_frame()

    assert text.startswith("Elasticities of car_cost")
    assert "<table" in html
    assert list(frame.index) == ["bus", "car", "train"]
    np.testing.assert_array_equal(frame["weighted"], effects.weighted.values)
