"""`MultinomialLogit.infer` beside statsmodels' MNLogit: the same numbers, to 1e-6 and better."""

import numpy as np
import pytest
import statsmodels.api as sm
from sklearn.exceptions import ConvergenceWarning

from sksoftmax import MultinomialLogit


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(5)
    X = np.column_stack([rng.normal(size=600), rng.normal(2.0, 0.3, 600), rng.uniform(size=600)])
    utility = np.column_stack([np.zeros(600), X @ [0.8, -1.0, 0.4] + 1, X @ [-0.5, 0.3, 1.0] - 1])
    y = (utility + rng.gumbel(size=utility.shape)).argmax(axis=1)
    return X, np.array(["bus", "car", "train"])[y], y


@pytest.fixture(scope="module")
def theirs(data):
    X, _, y = data
    return sm.MNLogit(y, sm.add_constant(X)).fit(method="newton", tol=1e-12, disp=0)


@pytest.fixture(scope="module")
def ours(data):
    X, labels, _ = data
    return MultinomialLogit(C=np.inf).infer(X, labels)


def in_our_order(table):
    """statsmodels: (constant, features) by class."""
    return np.vstack([table[1:], table[:1]]).T.ravel()


def test_coefficients_and_standard_errors(ours, theirs):
    np.testing.assert_allclose(ours.params, in_our_order(theirs.params), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(ours.standard_errors, in_our_order(theirs.bse), rtol=1e-8)
    np.testing.assert_allclose(ours.p_values, in_our_order(theirs.pvalues), rtol=1e-6, atol=1e-12)


def test_statistics_of_the_fit(ours, theirs):
    assert ours.loglik == pytest.approx(theirs.llf, rel=1e-12)
    assert ours.loglik_constants == pytest.approx(theirs.llnull, rel=1e-9)
    assert ours.mcfadden_r2_constants == pytest.approx(theirs.prsquared, rel=1e-8)
    assert ours.aic == pytest.approx(theirs.aic, rel=1e-12)
    assert ours.bic == pytest.approx(theirs.bic, rel=1e-12)
    assert ours.n_parameters == 8


def test_the_likelihood_ratio_to_constants(data, ours, theirs):
    X, labels, _ = data
    with pytest.warns(ConvergenceWarning, match="x0"):  # constant: counted as no parameter
        constants = MultinomialLogit(C=np.inf).infer(0 * X[:, :1], labels)

    test = ours.likelihood_ratio_test(constants)

    assert test.statistic == pytest.approx(theirs.llr, rel=1e-9)
    assert test.p_value == pytest.approx(theirs.llr_pvalue, rel=1e-6)
    assert test.df == theirs.df_model


def test_a_wald_test(ours, theirs):
    R = np.zeros((2, 8))
    R[0, 0] = R[1, 4] = 1.0  # the first feature of both classes
    V = np.asarray(theirs.cov_params())
    picked = [1, 5]  # theirs: constant, three features, by class
    b = np.asarray(theirs.params).T.ravel()[picked]
    expected = b @ np.linalg.solve(V[np.ix_(picked, picked)], b)

    test = ours.wald_test(R)

    assert test.statistic == pytest.approx(expected, rel=1e-8)
    assert test.df == 2
    by_name = ours.wald_test("car:x0 = 0, train:x0 = 0")
    assert by_name.statistic == pytest.approx(test.statistic, rel=1e-14)


@pytest.mark.parametrize("column", [0, 1, 2])
def test_average_marginal_effects(data, ours, theirs, column):
    margins = theirs.get_margeff()

    effects = ours.marginal_effects(data[0], column)

    np.testing.assert_allclose(effects.average.values, margins.margeff[column], rtol=1e-7)
    np.testing.assert_allclose(
        effects.average.standard_errors, margins.margeff_se[column], rtol=1e-7
    )


def test_robust_errors_are_the_sandwich_of_their_scores(data, ours, theirs):
    """MNLogit offers no robust covariance; its scores and Hessian give one."""
    scores = theirs.model.score_obs(np.asarray(theirs.params).ravel(order="F"))
    inverse = np.asarray(theirs.cov_params())
    errors = np.sqrt(np.diag(inverse @ scores.T @ scores @ inverse)).reshape(2, 4).T

    robust = ours.with_covariance("robust").standard_errors

    np.testing.assert_allclose(robust, in_our_order(errors), rtol=1e-7)


def test_two_classes_are_their_logit(data):
    X, _, y = data
    logit = sm.Logit((y == 1).astype(float), sm.add_constant(X)).fit(tol=1e-12, disp=0)

    ours = MultinomialLogit(C=np.inf).infer(X, y == 1)

    assert ours.names == ("True:x0", "True:x1", "True:x2", "True:intercept")
    np.testing.assert_allclose(ours.params, np.roll(logit.params, -1), rtol=1e-8)
    np.testing.assert_allclose(ours.standard_errors, np.roll(logit.bse, -1), rtol=1e-8)


@pytest.mark.parametrize("small_sample", [True, False])
def test_clustered_errors_are_those_of_their_logit(data, small_sample):
    X, _, y = data
    groups = np.arange(len(y)) // 7
    model = sm.Logit((y == 1).astype(float), sm.add_constant(X))
    logit = model.fit(
        tol=1e-12,
        disp=0,
        cov_type="cluster",
        cov_kwds={"groups": groups, "use_correction": False},
    )
    n_groups = groups.max() + 1
    factor = np.sqrt(n_groups / (n_groups - 1)) if small_sample else 1.0

    ours = MultinomialLogit(C=np.inf).infer(X, y == 1, groups=groups)
    ours = ours.with_covariance("cluster", small_sample=small_sample)

    np.testing.assert_allclose(ours.standard_errors, factor * np.roll(logit.bse, -1), rtol=1e-7)
