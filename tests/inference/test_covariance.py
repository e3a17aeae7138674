"""Four covariances, two kinds of weights, and what the data do not determine."""

import pickle

import numpy as np
import pytest

from sksoftmax import MultinomialLogit

KINDS = ["hessian", "bhhh", "robust", "cluster"]


@pytest.fixture(scope="module")
def groups(choices):
    return np.arange(len(choices[0])) % 83


@pytest.fixture(scope="module")
def clustered(model, choices, groups):
    return model.fit(*choices, groups=groups)


def numerical_derivatives(function, x, step):
    """Gradient of a function of params that returns an array."""
    steps = step * np.eye(len(x))
    return np.stack([(function(x + s) - function(x - s)) / (2 * step) for s in steps], axis=-1)


def test_every_kind_is_its_formula_with_numerical_derivatives(model, choices, groups, clustered):
    X, y = choices
    rows, chosen = np.arange(len(X)), np.searchsorted(model.classes, y)

    def logliks(params):
        return model.log_proba(X, params)[rows, chosen]

    scores = numerical_derivatives(logliks, clustered.params, 1e-5)
    hessian = numerical_derivatives(
        lambda params: numerical_derivatives(logliks, params, 1e-4).sum(axis=0),
        clustered.params,
        1e-4,
    )
    inverse = np.linalg.inv(-hessian)
    of_cluster = np.stack([scores[groups == g].sum(axis=0) for g in range(83)])
    expected = {
        "hessian": inverse,
        "bhhh": np.linalg.inv(scores.T @ scores),
        "robust": inverse @ scores.T @ scores @ inverse,
        "cluster": inverse @ of_cluster.T @ of_cluster @ inverse * 83 / 82,
    }

    for kind, covariance in expected.items():
        ours = clustered.with_covariance(kind).covariance
        np.testing.assert_allclose(ours, covariance, rtol=2e-5, atol=1e-8, err_msg=kind)


def test_small_sample_false_takes_the_factor_away(clustered):
    with_factor = clustered.with_covariance("cluster").covariance
    without = clustered.with_covariance("cluster", small_sample=False).covariance

    np.testing.assert_allclose(with_factor, without * 83 / 82, rtol=1e-12)


def test_clusters_of_one_case_are_robust(model, choices):
    results = model.fit(*choices, groups=np.arange(len(choices[0])))

    cluster = results.with_covariance("cluster", small_sample=False).covariance

    np.testing.assert_allclose(cluster, results.with_covariance("robust").covariance, rtol=1e-10)


def test_cluster_without_clusters_is_an_error_that_says_how_to_name_them(results):
    with pytest.raises(ValueError, match="groups="):
        results.with_covariance("cluster")


def test_one_cluster_is_an_error(model, choices):
    results = model.fit(*choices, groups=np.zeros(len(choices[0])))

    with pytest.raises(ValueError, match="two clusters or more"):
        results.with_covariance("cluster")


def test_an_unknown_kind_is_an_error_that_lists_the_kinds(results):
    with pytest.raises(ValueError, match="'hessian', 'bhhh', 'robust', 'cluster'; got 'hc1'"):
        results.with_covariance("hc1")


# --- weights ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def counts(choices):
    return np.random.default_rng(3).integers(0, 4, len(choices[0])).astype(float)


@pytest.mark.parametrize("kind", KINDS)
def test_frequency_weights_are_repeated_rows(model, choices, counts, groups, kind):
    """In xlogit, statsmodels and others a weight is right in the coefficients and wrong in errors,
    or the other way round."""
    X, y = choices
    repeated = np.repeat(np.arange(len(X)), counts.astype(int))
    weighted = model.fit(X, y, counts, groups=groups).with_covariance(kind)
    longer = model.fit(X.iloc[repeated], y[repeated], groups=groups[repeated])
    longer = longer.with_covariance(kind)

    np.testing.assert_allclose(weighted.params, longer.params, rtol=1e-9)
    np.testing.assert_allclose(weighted.standard_errors, longer.standard_errors, rtol=1e-8)
    assert weighted.n_cases == longer.n_cases == counts.sum()
    assert weighted.bic == pytest.approx(longer.bic)


@pytest.mark.parametrize("kind", ["robust", "cluster"])
def test_the_scale_of_sampling_weights_does_not_matter(model, choices, counts, groups, kind):
    one, ten = (
        model.fit(*choices, factor * counts, groups=groups, weight_type="sampling", covariance=kind)
        for factor in (1, 10)
    )

    np.testing.assert_allclose(one.params, ten.params, rtol=1e-9)
    np.testing.assert_allclose(one.standard_errors, ten.standard_errors, rtol=1e-9)
    assert one.n_cases == ten.n_cases == (counts > 0).sum()


def test_sampling_weights_that_are_all_one_change_no_robust_error(model, choices, results):
    weighted = model.fit(
        *choices, np.ones(len(choices[0])), weight_type="sampling", covariance="robust"
    )

    robust = results.with_covariance("robust").standard_errors
    np.testing.assert_allclose(weighted.standard_errors, robust, rtol=1e-10)


@pytest.mark.parametrize("kind", ["hessian", "bhhh"])
def test_sampling_weights_refuse_what_counts_rows(model, choices, counts, kind):
    with pytest.raises(ValueError, match="weight_type='sampling'"):
        model.fit(*choices, counts, weight_type="sampling", covariance=kind)


@pytest.mark.parametrize("criterion", ["aic", "bic"])
def test_information_criteria_of_sampling_weights_warn(model, choices, counts, criterion):
    results = model.fit(*choices, counts, weight_type="sampling", covariance="robust")

    with pytest.warns(UserWarning, match="Information criteria"):
        getattr(results, criterion)


# --- parameters that are held, or that the data do not determine ----------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_held_parameter_has_no_part_in_the_covariance(
    plain_logit, specification, model, choices, groups, kind
):
    """Taking it out and adding its utility as it is gives the same covariance."""
    fixed = plain_logit(specification(), model.availability, fixed={"b_cost": -0.7})
    results = fixed.fit(*choices, groups=groups, covariance=kind)

    free = results.is_free
    assert results.params[1] == -0.7
    assert results.n_parameters == 5
    assert results.covariance.shape == (5, 5)
    assert np.isnan(results.standard_errors).tolist() == [False, True, False, False, False, False]
    information = results._estimate.information[np.ix_(free, free)]
    if kind == "hessian":
        np.testing.assert_allclose(results.covariance, np.linalg.inv(information), rtol=1e-9)


@pytest.fixture(scope="module")
def collinear(plain_logit, specification, model):
    """b_twice doubles b_time: neither is determined, but the others are, and b_time + 2 b_twice."""
    utilities = specification()
    for label, terms in utilities.items():
        terms["b_twice"] = f"{label}_twice"
    return plain_logit(utilities, model.availability)


@pytest.fixture(scope="module")
def collinear_choices(choices):
    X, y = choices
    return X.assign(**{f"{k}_twice": 2 * X[f"{k}_time"] for k in ("bus", "car", "train")}), y


@pytest.mark.parametrize("kind", KINDS)
def test_collinear_parameters_lose_their_errors_and_the_others_keep_theirs(
    model, choices, collinear, collinear_choices, groups, kind
):
    small = model.fit(*choices, groups=groups, covariance=kind)
    large = collinear.fit(*collinear_choices, groups=groups, covariance=kind)

    errors = dict(zip(large.names, large.standard_errors, strict=True))
    assert np.isnan([errors["b_time"], errors["b_twice"]]).all()
    for name, error in zip(small.names[1:], small.standard_errors[1:], strict=True):
        assert errors[name] == pytest.approx(error, rel=1e-6), name
    assert large.n_parameters == small.n_parameters
    assert np.isnan(np.diag(large.covariance)).sum() == 2


def test_a_combination_that_the_data_determine_can_be_tested(results, collinear, collinear_choices):
    large = collinear.fit(*collinear_choices)

    combined = large.wald_test("b_time + 2*b_twice = 0")

    assert combined.statistic == pytest.approx(results.wald_test("b_time = 0").statistic, rel=1e-6)
    with pytest.raises(ValueError, match="do not determine b_time"):
        large.wald_test("b_time = 0")


# --- penalties and pickles -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "what",
    [
        "standard_errors",
        "covariance",
        "z_values",
        "p_values",
        "aic",
        "bic",
    ],
)
def test_statistics_of_a_penalized_fit_warn(model, choices, what):
    results = model.fit(*choices, ridge=5.0)

    with pytest.warns(UserWarning, match="C=np.inf"):
        getattr(results, what)


def test_a_penalized_fit_is_labelled(model, choices):
    results = model.fit(*choices, ridge=5.0)

    with pytest.warns(UserWarning, match="shrunken"):
        text = str(results.summary())
    assert "Penalized fit" in text


def test_results_pickle_without_the_data(rng):
    X, y = rng.normal(size=(20_000, 3)), rng.integers(3, size=20_000)
    results = MultinomialLogit(C=np.inf).infer(X, y)

    stored = pickle.dumps(results)
    again = pickle.loads(stored)

    assert len(stored) < 10_000
    np.testing.assert_array_equal(again.standard_errors, results.standard_errors)
    assert str(again.summary()) == str(results.summary())
    before, after = (r.marginal_effects(X[:50], 0).average.values for r in (results, again))
    np.testing.assert_array_equal(before, after)
