"""Every solver reaches the same optimum, whatever the scales of the features."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from sksoftmax import MultinomialLogit

SOLVERS = ["auto", "lbfgs", "newton-cholesky", "newton-cg"]
PRECISE = {"tol": 1e-10, "max_iter": 1000}


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("C", [1e-3, 1.0, np.inf])
@pytest.mark.parametrize("data", ["two_classes", "overlapping"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_solvers_agree(solver, C, data, fit_intercept, request, objective, assert_same_model):
    X, y = request.getfixturevalue(data)
    model = MultinomialLogit(C=C, fit_intercept=fit_intercept, solver=solver, **PRECISE).fit(X, y)
    if solver != "auto":
        assert model.solver_ == solver
    reference = MultinomialLogit(C=C, fit_intercept=fit_intercept, **PRECISE).fit(X, y)
    assert_same_model(model, reference)
    _, coef_gradient, _ = objective(model, X, y)
    np.testing.assert_allclose(coef_gradient, 0, atol=1e-8)


@pytest.mark.parametrize("solver", SOLVERS)
def test_solvers_agree_with_everything_at_once(solver, overlapping, assert_same_model):
    X, y = overlapping
    rng = np.random.default_rng(0)
    mask = rng.random((300, 4)) < 0.8
    mask[np.arange(300), y] = True
    proba = np.where(mask, rng.random((300, 4)), 0)
    extra = {
        "sample_weight": rng.random(300),
        "y_proba": proba / proba.sum(axis=1, keepdims=True),
        "offset": rng.normal(size=(300, 4)),
        "mask": mask,
    }
    parameters = {"label_smoothing": 0.1, "logit_l2": 0.02, "class_weight": "balanced", **PRECISE}
    model = MultinomialLogit(solver=solver, **parameters).fit(X, y, **extra)
    assert_same_model(model, MultinomialLogit(**parameters).fit(X, y, **extra))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("data", ["two_classes", "overlapping"])
def test_badly_scaled_features_reach_the_same_optimum_in_about_as_many_iterations(
    solver, data, request
):
    X, y = request.getfixturevalue(data)
    scale = 10.0 ** np.linspace(-3, 3, X.shape[1])
    well = MultinomialLogit(C=np.inf, solver=solver).fit(X, y)
    badly = MultinomialLogit(C=np.inf, solver=solver).fit(X * scale, y)
    np.testing.assert_allclose(badly.coef_ * scale, well.coef_, atol=1e-3)
    np.testing.assert_allclose(badly.objective_, well.objective_, rtol=1e-7)
    assert badly.n_iter_[0] <= 1.5 * well.n_iter_[0] + 3


@pytest.mark.parametrize("solver", SOLVERS)
def test_features_far_from_zero_do_not_matter(solver, overlapping):
    X, y = overlapping
    well = MultinomialLogit(solver=solver).fit(X, y)
    far = MultinomialLogit(solver=solver).fit(X + np.array([1e3, -1e4, 0]), y)
    np.testing.assert_allclose(far.coef_, well.coef_, atol=1e-3)
    assert far.n_iter_[0] <= 1.5 * well.n_iter_[0] + 3


@pytest.mark.parametrize("solver", SOLVERS)
def test_constant_features_get_no_coefficient_from_a_penalty(solver, overlapping):
    X, y = overlapping
    X = np.c_[X, np.full(len(y), 5.0), np.zeros(len(y))]
    model = MultinomialLogit(solver=solver, **PRECISE).fit(X, y)
    np.testing.assert_allclose(model.coef_[:, 3:], 0, atol=1e-7)


@pytest.mark.parametrize("solver", SOLVERS)
def test_raw_digits_converge_without_a_warning(solver):
    X, y = load_digits(return_X_y=True)  # constant columns, nearly separable
    model = MultinomialLogit(solver=solver, max_iter=500).fit(X, y)
    assert model.objective_ == pytest.approx(0.009478215, rel=2e-4)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_heavy_ridge_and_a_wide_X_agree_with_the_closed_form_of_small_logits(solver):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 100)), np.arange(40) % 4
    model = MultinomialLogit(C=1e-7, solver=solver, fit_intercept=False, **PRECISE).fit(X, y)
    # where logits vanish the gradient is (1/K - onehot)' X: one step from zero
    step = 1e-7 * (np.eye(4)[y] - 0.25).T @ X
    np.testing.assert_allclose(model.coef_, step, rtol=1e-3, atol=1e-10)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("seed", [7, 32, 33, 47, 68])
def test_losses_with_sharp_bends_do_not_stop_the_line_search(solver, seed):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(12, 8)) * 10.0 ** rng.uniform(-3, 3, 8), np.arange(12) % 3
    offset = 30 * rng.normal(size=(12, 3))  # far from softmax's curved part
    parameters = {"C": 40.0, "fit_intercept": False, "label_smoothing": 0.1}
    model = MultinomialLogit(solver=solver, **parameters).fit(X, y, offset=offset)
    reference = MultinomialLogit(**PRECISE, **parameters, solver="lbfgs").fit(X, y, offset=offset)
    np.testing.assert_allclose(model.objective_, reference.objective_, rtol=1e-7)
