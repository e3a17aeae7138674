"""What results say of a fit, in numbers and in tables."""

import math
import re

import numpy as np
import pytest
from scipy.stats import norm

from sksoftmax.inference import compare


def test_statistics_of_the_fit_are_their_formulae(model, choices, results):
    X, y = choices
    n_open = 1 + (X["train_open"] + X["car_open"]).to_numpy()

    assert results.loglik == pytest.approx(model.loglik(X, y, results.params))
    assert results.loglik_null == pytest.approx(-np.log(n_open).sum())
    assert results.n_cases == 500
    assert results.n_forced == (n_open == 1).sum() > 0
    assert results.n_parameters == 6
    L, L0, Lc = results.loglik, results.loglik_null, results.loglik_constants
    assert L0 < Lc < L
    assert results.aic == pytest.approx(-2 * L + 12)
    assert results.bic == pytest.approx(-2 * L + 6 * math.log(500))
    assert results.mcfadden_r2 == pytest.approx(1 - L / L0)
    assert results.mcfadden_r2_constants == pytest.approx(1 - L / Lc)
    assert results.adjusted_r2 == pytest.approx(1 - (L - 6) / L0)
    assert results.adjusted_r2_constants == pytest.approx(1 - (L - 6) / (Lc - 2))


def test_the_constants_are_those_of_a_fit_with_nothing_else(plain_logit, model, choices, results):
    utilities = {"bus": {}, "car": {"a": 1}, "train": {"b": 1}}
    constants = plain_logit(utilities, model.availability).fit(*choices)

    assert results.loglik_constants == pytest.approx(constants.loglik, rel=1e-10)
    y = choices[1]
    counts = np.unique(y, return_counts=True)[1]
    assert abs(constants.loglik - counts @ np.log(counts / 500)) > 1  # the closed form is wrong


def test_intervals_and_p_values_are_normal(results):
    low, high = results.confidence_intervals(0.9).T

    z = results.params / results.standard_errors
    np.testing.assert_allclose(results.z_values, z)
    np.testing.assert_allclose(results.p_values, 2 * norm.sf(np.abs(z)), rtol=1e-12)
    half = norm.ppf(0.95) * results.standard_errors
    np.testing.assert_allclose(low, results.params - half)
    np.testing.assert_allclose(high, results.params + half)


@pytest.mark.parametrize("level", [0, 1, 95, "0.95"])
def test_a_level_is_a_share(results, level):
    with pytest.raises((TypeError, ValueError), match="confidence_level"):
        results.confidence_intervals(level)


def test_the_frame_holds_the_numbers(results):
    frame = results.to_frame(confidence_level=0.9)

    assert tuple(frame.index) == results.names
    np.testing.assert_array_equal(frame["coef"], results.params)
    np.testing.assert_array_equal(frame["std_err"], results.standard_errors)
    np.testing.assert_array_equal(frame["z"], results.z_values)
    np.testing.assert_array_equal(frame["p_value"], results.p_values)
    np.testing.assert_allclose(frame[["low", "high"]], results.confidence_intervals(0.9))


def test_the_summary_shows_every_number(results):
    text = str(results.summary())

    for number in (
        f"{results.loglik:.4f}",
        f"{results.loglik_null:.4f}",
        f"{results.loglik_constants:.4f}",
        f"{results.mcfadden_r2:.5f}",
        f"{results.mcfadden_r2_constants:.5f}",
        f"{results.adjusted_r2:.5f}",
        f"{results.adjusted_r2_constants:.5f}",
        f"{results.aic:.2f}",
        f"{results.bic:.2f}",
        f"{results.params[0]:.4f}",
        f"{results.standard_errors[0]:.4f}",
        f"{results.z_values[0]:.2f}",
    ):
        assert number in text, number
    assert "PlainLogit: 500 cases, 3 alternatives" in text
    assert "Standard errors: inverse information." in text
    assert re.search(rf"of them without a choice +{results.n_forced:.0f} ", text)


def test_the_level_of_intervals_is_in_the_head(results):
    assert "0.5 %" in str(results.summary(confidence_level=0.99))
    assert "99.95 %" in str(results.summary(confidence_level=0.999))


def test_the_kind_of_covariance_and_the_clusters_are_named(model, choices):
    groups = np.arange(500) % 40
    results = model.fit(*choices, groups=groups, covariance="cluster")

    assert "clustered sandwich, 40 clusters." in str(results.summary())
    without = results.with_covariance("cluster", small_sample=False)
    assert "without G/(G-1)" in str(without.summary())


def test_html_and_latex_escape_and_hold_the_same_numbers(plain_logit, choices):
    X, y = choices
    utilities = {k: {"b_<time> & 1%": f"{k}_time"} for k in ("bus", "car", "train")}
    results = plain_logit(utilities, {"train": "train_open", "car": "car_open"}).fit(X, y)

    html, latex = results._repr_html_(), results.summary().to_latex()

    assert "b_&lt;time&gt; &amp; 1%" in html
    assert r"b\_\textless{}time\textgreater{} \& 1\%" in latex
    assert f"{results.standard_errors[0]:.4f}" in html
    assert latex.count(r"\begin{tabular}") == latex.count(r"\end{tabular}") == 2
    for line in latex.splitlines():
        if " & " in line and "toprule" not in line:
            assert line.endswith(r"\\")
    assert f"$-${-results.params[0]:.4f}" in latex


def test_numbers_of_every_size_can_be_read(plain_logit, choices):
    """A coefficient per nanosecond beside a constant."""
    X, y = choices
    X = X.assign(**{f"{k}_ns": 3.6e12 * X[f"{k}_time"] for k in ("bus", "car", "train")})
    utilities = {k: {"per_ns": f"{k}_ns", f"asc_{k}": int(k != "bus")} for k in ("bus", "car")}
    utilities["train"] = {"per_ns": "train_ns", "asc_train": 1}
    results = plain_logit(utilities, {"train": "train_open", "car": "car_open"}).fit(X, y)

    line = next(li for li in str(results.summary()).splitlines() if li.startswith("per_ns"))

    assert f"{results.params[0]:.4g}" in line
    assert f"{results.standard_errors[0]:.4g}" in line


def test_held_and_undetermined_parameters_are_marked(plain_logit, specification, choices):
    utilities = specification()
    utilities["bus"]["asc_bus"] = 1
    availability = {"train": "train_open", "car": "car_open"}
    results = plain_logit(utilities, availability, fixed={"b_cost": -0.7}).fit(*choices)

    text = str(results.summary())

    assert re.search(r"b_cost +-0\.7000 +held", text)
    assert re.search(r"asc_bus +-?\d\.\d+ +- +- ", text)
    assert "the data do not determine this parameter" in text


def test_without_a_log_likelihood_there_are_no_criteria(model, choices):
    weight = np.linspace(1, 2, 500)
    results = model.fit(*choices, weight, weight_type="sampling", covariance="robust")

    text = str(results.summary())  # warnings are errors here

    assert re.search(r"AIC +-\n|AIC +-$", text, re.M)
    assert "sampling weights" in text


# --- side by side ---------------------------------------------------------------------------------


@pytest.fixture
def small(plain_logit, model, choices):
    utilities = {k: {"b_time": f"{k}_time"} for k in ("bus", "car", "train")}
    return plain_logit(utilities, model.availability).fit(*choices)


def test_models_stand_side_by_side(results, small):
    table = compare({"full": results, "time only": small})

    frame = table.to_frame()
    assert list(frame.columns) == ["full", "time only"]
    assert frame.loc["b_cost", "full"] == results.params[1]
    assert np.isnan(frame.loc["b_cost", "time only"])
    assert frame.loc["se(b_time)", "time only"] == small.standard_errors[0]
    assert frame.loc["log-likelihood"].tolist() == [results.loglik, small.loglik]
    text = str(table)
    assert f"({small.standard_errors[0]:.4f})" in text
    assert "different data" not in text
    assert "<table" in table._repr_html_()
    assert r"\midrule" in table.to_latex()


def test_models_of_different_data_are_marked(model, choices, results):
    X, y = choices
    other = model.fit(X[:-50], y[:-50]).with_covariance("robust")

    text = str(compare({"a": results, "b": other}))

    assert "different data" in text
    assert "a: inverse information; b: robust (sandwich)" in text


@pytest.mark.parametrize("models", [{}, [], None])
def test_nothing_to_compare_is_an_error(models):
    with pytest.raises(ValueError, match="models must be a dict"):
        compare(models)


def test_what_is_no_model_is_a_type_error(results):
    with pytest.raises(TypeError, match="'b' must be LogitResults; got float"):
        compare({"a": results, "b": 1.0})


def test_models_may_be_numbered(results, small):
    assert list(compare({1: results, 2: small}).to_frame().columns) == ["1", "2"]


def test_a_penalized_fit_is_marked_among_others(model, choices, results):
    with pytest.warns(UserWarning, match="shrunken"):
        text = str(compare({"ml": results, "ridge": model.fit(*choices, ridge=5.0)}))

    assert "ridge: a penalized fit" in text


def test_results_name_themselves(results):
    assert repr(results) == (
        f"<LogitResults of PlainLogit: 6 parameters, 500 cases, log-likelihood "
        f"{results.loglik:.3f}, hessian standard errors>"
    )
