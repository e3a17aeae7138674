"""LogisticRegression minimizes the same objective: its Newton solver is the oracle."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from sksoftmax import MultinomialLogit

LOADERS = {
    "iris": load_iris,
    "wine": load_wine,
    "digits": load_digits,
    "cancer": load_breast_cancer,
}


def load(name):
    """Standardized features without constant columns, and labels."""
    X, y = LOADERS[name](return_X_y=True)
    return StandardScaler().fit_transform(X[:, X.std(axis=0) > 0]), y


def distance(model, oracle):
    """Difference of coefficients and intercepts relative to their norm."""
    ours = np.c_[model.coef_, model.intercept_]
    theirs = np.c_[oracle.coef_, oracle.intercept_]
    return np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)


@pytest.mark.parametrize("data", ["iris", "wine", "cancer"])
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("class_weight", [None, "balanced"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_coefficients_agree_to_1e_5(data, C, class_weight, fit_intercept):
    X, y = load(data)
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    if class_weight == "balanced":
        weight = None  # older scikit-learn counts rows here, not weights
    common = {"C": C, "class_weight": class_weight, "fit_intercept": fit_intercept}
    oracle = LogisticRegression(solver="newton-cholesky", tol=1e-12, max_iter=1000, **common)
    model = MultinomialLogit(tol=1e-10, max_iter=1000, **common).fit(X, y, weight)
    assert distance(model, oracle.fit(X, y, weight)) < 1e-5
    np.testing.assert_allclose(model.predict_proba(X), oracle.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize("solver", ["lbfgs", "newton-cholesky", "newton-cg"])
@pytest.mark.parametrize("data", ["iris", "cancer"])
def test_each_solver_agrees_to_1e_5(solver, data):
    X, y = load(data)
    oracle = LogisticRegression(solver="newton-cholesky", tol=1e-12, max_iter=1000).fit(X, y)
    model = MultinomialLogit(solver=solver, tol=1e-10, max_iter=1000).fit(X, y)
    assert distance(model, oracle) < 1e-5


def test_ten_classes_of_digits_agree_to_1e_5():
    X, y = load("digits")
    oracle = LogisticRegression(solver="newton-cholesky", tol=1e-12, max_iter=1000).fit(X, y)
    assert distance(MultinomialLogit(tol=1e-10, max_iter=1000).fit(X, y), oracle) < 1e-5


@pytest.mark.parametrize("data", ["iris", "cancer"])
def test_maximum_likelihood_agrees_to_1e_5_where_it_exists(data):
    X, y = load(data)
    y = np.where(np.arange(len(y)) % 5, y, y[::-1])  # wrong labels, so that nothing separates
    X = X[:, :6]
    oracle = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12, max_iter=1000)
    model = MultinomialLogit(C=np.inf, tol=1e-10, max_iter=1000).fit(X, y)
    assert distance(model, oracle.fit(X, y)) < 1e-5


def test_default_parameters_give_the_default_model():
    X, y = load("wine")
    oracle = LogisticRegression(tol=1e-10, max_iter=10_000).fit(X, y)
    model = MultinomialLogit().fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), oracle.predict_proba(X), atol=1e-4)
    np.testing.assert_array_equal(model.predict(X), oracle.predict(X))


def test_columns_scaled_by_powers_of_ten_agree_with_newton():
    X, y = load("wine")
    X = X * 10.0 ** np.random.default_rng(0).uniform(-3, 3, X.shape[1])
    oracle = LogisticRegression(solver="newton-cholesky", tol=1e-12, max_iter=1000).fit(X, y)
    model = MultinomialLogit(tol=1e-10, max_iter=1000).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), oracle.predict_proba(X), atol=1e-5)
