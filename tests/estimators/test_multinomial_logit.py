"""The model: what is minimized, what is returned, in which shape and dtype."""

import pickle

import numpy as np
import pytest
from scipy.special import expit, log_expit
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sksoftmax import MultinomialLogit

PRECISE = {"tol": 1e-10, "max_iter": 1000}


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
@pytest.mark.parametrize("logit_l2", [0.0, 0.05])
@pytest.mark.parametrize("data", ["two_classes", "three_classes"])
def test_fit_ends_where_the_gradient_of_the_documented_objective_vanishes(
    data, fit_intercept, label_smoothing, logit_l2, objective, request
):
    X, y = request.getfixturevalue(data)
    model = MultinomialLogit(
        C=0.5,
        fit_intercept=fit_intercept,
        label_smoothing=label_smoothing,
        logit_l2=logit_l2,
        **PRECISE,
    ).fit(X, y)
    value, coef_gradient, intercept_gradient = objective(model, X, y)
    np.testing.assert_allclose(model.objective_, value, rtol=1e-10)
    np.testing.assert_allclose(coef_gradient, 0, atol=1e-7)
    if fit_intercept:
        np.testing.assert_allclose(intercept_gradient, 0, atol=1e-7)
    else:
        assert not model.intercept_.any()


def test_two_classes_are_a_binary_logit_with_one_row_of_coefficients(two_classes):
    X, y = two_classes
    model = MultinomialLogit().fit(X, y)
    assert model.coef_.shape == (1, 5)
    assert model.intercept_.shape == (1,)
    score = X @ model.coef_[0] + model.intercept_[0]
    np.testing.assert_allclose(model.decision_function(X), score, rtol=1e-12)
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], expit(score), rtol=1e-12)
    np.testing.assert_allclose(model.predict_log_proba(X)[:, 0], log_expit(-score), rtol=1e-12)
    np.testing.assert_array_equal(model.predict(X), model.classes_[(score > 0).astype(int)])


def test_more_classes_have_one_row_each_and_decision_is_the_logits(three_classes):
    X, y = three_classes
    model = MultinomialLogit().fit(X, y)
    assert model.coef_.shape == (3, 4)
    assert model.intercept_.shape == (3,)
    logits = X @ model.coef_.T + model.intercept_
    np.testing.assert_allclose(model.decision_function(X), logits, rtol=1e-12, atol=1e-13)
    proba = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(X), proba, rtol=1e-12)
    np.testing.assert_array_equal(model.predict(X), logits.argmax(axis=1))


def test_score_is_the_accuracy_of_predict(three_classes):
    X, y = three_classes
    model = MultinomialLogit().fit(X, y)
    right = model.predict(X) == y
    weight = np.linspace(0, 1, len(y))
    assert model.score(X, y) == right.mean()
    np.testing.assert_allclose(model.score(X, y, weight), np.average(right, weights=weight))


@pytest.mark.parametrize("penalized", [True, False])
def test_coefficients_sum_to_zero_over_classes(penalized, overlapping):
    X, y = overlapping
    model = MultinomialLogit(C=1.0 if penalized else np.inf).fit(X, y)
    np.testing.assert_allclose(model.coef_.sum(axis=0), 0, atol=1e-10)
    np.testing.assert_allclose(model.intercept_.sum(), 0, atol=1e-10)


def test_without_features_that_matter_the_intercept_gives_the_class_shares(overlapping):
    X, y = overlapping
    model = MultinomialLogit(C=1e-12, **PRECISE).fit(X, y)
    shares = np.bincount(y) / len(y)
    np.testing.assert_allclose(model.predict_proba(X), np.tile(shares, (len(y), 1)), atol=1e-6)


def test_log_probabilities_are_finite_where_probabilities_underflow(three_classes):
    X, y = three_classes
    model = MultinomialLogit(C=100).fit(X, y)
    far = 1e4 * X
    assert (model.predict_proba(far) == 0).any()
    log_proba = model.predict_log_proba(far)
    assert np.isfinite(log_proba).all()
    assert log_proba.min() < -1000


def test_a_row_is_predicted_the_same_bits_in_any_batch(three_classes):
    X, y = three_classes
    model = MultinomialLogit().fit(X, y)
    together = model.predict_proba(X)
    alone = np.vstack([model.predict_proba(X[i : i + 1]) for i in range(20)])
    np.testing.assert_array_equal(together[:20], alone)


@pytest.mark.parametrize("data", ["two_classes", "three_classes"])
def test_refit_with_a_warm_start_takes_fewer_iterations_to_the_same_place(
    data, request, assert_same_model
):
    X, y = request.getfixturevalue(data)
    model = MultinomialLogit(warm_start=True, solver="lbfgs").fit(X, y)
    cold = int(model.n_iter_[0])
    coef = model.coef_.copy()
    model.set_params(C=1.01).fit(X, y)
    assert model.n_iter_[0] < cold
    assert not np.array_equal(model.coef_, coef)
    assert_same_model(model, MultinomialLogit(C=1.01).fit(X, y), rtol=1e-4)


def test_warm_start_starts_cold_when_classes_or_features_changed(three_classes):
    X, y = three_classes
    model = MultinomialLogit(warm_start=True).fit(X, y)
    model.fit(X, np.array(["a", "b", "c"])[y])
    assert list(model.classes_) == ["a", "b", "c"]
    model.fit(X[:, :2], y)
    assert model.coef_.shape == (3, 2)
    model.fit(X[y < 2], y[y < 2])
    assert model.coef_.shape == (1, 4)


def test_warm_start_without_intercept_forgets_the_intercept(three_classes, assert_same_model):
    X, y = three_classes
    model = MultinomialLogit(warm_start=True).fit(X, y)
    model.set_params(fit_intercept=False).fit(X, y)
    assert not model.intercept_.any()
    assert_same_model(model, MultinomialLogit(fit_intercept=False).fit(X, y), rtol=1e-4)


def test_fitted_attributes_are_what_the_docstring_lists(three_classes):
    X, y = three_classes
    model = MultinomialLogit().fit(X, y)
    assert {name for name in vars(model) if name.endswith("_")} == {
        "classes_",
        "coef_",
        "intercept_",
        "n_iter_",
        "solver_",
        "objective_",
        "n_features_in_",
    }
    assert model.n_iter_.shape == (1,)
    assert model.n_iter_[0] >= 1
    assert isinstance(model.objective_, float)
    assert model.solver_ in {"lbfgs", "newton-cholesky", "newton-cg"}


def test_a_pickled_model_predicts_the_same(three_classes):
    X, y = three_classes
    model = MultinomialLogit().fit(X, y)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict_proba(X), model.predict_proba(X))


def test_a_clone_has_the_parameters_and_no_fit(three_classes):
    model = MultinomialLogit(C=3.0, class_weight={0: 2.0}).fit(*three_classes)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "coef_")


def test_grid_search_over_a_pipeline_of_raw_digits():
    X, y = load_digits(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), MultinomialLogit(tol=1e-4))
    grid = {
        "multinomiallogit__C": [0.01, 1.0],
        "multinomiallogit__class_weight": [None, "balanced"],
        "multinomiallogit__label_smoothing": [0.0, 0.1],
    }
    search = GridSearchCV(pipeline, grid, cv=3, scoring="neg_log_loss").fit(X, y)
    assert search.best_score_ > -0.25
    assert search.predict_proba(X).shape == (len(X), 10)
