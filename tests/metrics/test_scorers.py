"""The calibration error as a score: in searches, with folds that lack classes, with weights."""

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.svm import LinearSVC

from sksoftmax import MultinomialLogit
from sksoftmax.metrics import (
    CalibrationErrorScorer,
    calibration_error_scorer,
    expected_calibration_error,
    log_loss_scorer,
)

X, Y = load_iris(return_X_y=True)


def test_it_is_the_negative_calibration_error():
    model = MultinomialLogit().fit(X, Y)
    weight = np.linspace(0, 1, len(Y))
    proba = model.predict_proba(X)

    assert calibration_error_scorer(model, X, Y) == -expected_calibration_error(Y, proba)
    weighted = calibration_error_scorer(model, X, Y, sample_weight=weight)
    assert weighted == -expected_calibration_error(Y, proba, sample_weight=weight)


def test_its_parameters_are_those_of_the_function():
    model = MultinomialLogit().fit(X, Y)
    options = {"n_bins": 7, "strategy": "quantile", "kind": "classwise", "norm": "l2"}
    scorer = clone(CalibrationErrorScorer(**options, debias=True))

    expected = expected_calibration_error(Y, model.predict_proba(X), **options, debias=True)
    assert scorer(model, X, Y) == -expected


@pytest.mark.parametrize("classes", [(0, 1), (1, 2), (-1, 1), ("no", "yes")])
def test_make_scorer_in_a_search_over_two_classes(classes):
    two = Y < 2
    y = np.array(classes)[Y[two]]
    ece = make_scorer(
        expected_calibration_error, response_method="predict_proba", greater_is_better=False
    )
    searches = [
        GridSearchCV(MultinomialLogit(), {"C": [0.01, 1]}, scoring=scoring).fit(X[two], y)
        for scoring in (ece, calibration_error_scorer)
    ]

    scores = [search.cv_results_["mean_test_score"] for search in searches]
    assert scores[0] == pytest.approx(scores[1], rel=1e-12)
    assert np.isfinite(scores[0]).all()


def test_a_search_by_log_loss_that_watches_calibration():
    scoring = {
        "loss": log_loss_scorer,
        "ece": calibration_error_scorer,
        "max": make_scorer(
            expected_calibration_error,
            response_method="predict_proba",
            greater_is_better=False,
            norm="max",
        ),
    }
    search = GridSearchCV(MultinomialLogit(), {"C": [0.1, 10]}, scoring=scoring, refit="loss")

    results = search.fit(X, Y).cv_results_

    assert (results["mean_test_max"] <= results["mean_test_ece"]).all()


def test_a_fold_may_lack_a_class():
    scores = cross_val_score(
        MultinomialLogit(), X, Y, cv=KFold(5), scoring=calibration_error_scorer
    )

    assert np.isfinite(scores).all()


def test_weights_arrive_when_requested():
    weight = np.linspace(0.1, 1, len(Y))
    plain = cross_val_score(MultinomialLogit(), X, Y, scoring=calibration_error_scorer)
    with sklearn.config_context(enable_metadata_routing=True):
        scorer = CalibrationErrorScorer().set_score_request(sample_weight=True)
        model = MultinomialLogit().set_fit_request(sample_weight=False)
        weighted = cross_val_score(model, X, Y, scoring=scorer, params={"sample_weight": weight})

    assert (weighted != plain).any()


def test_a_model_without_probabilities():
    model = LinearSVC().fit(X, Y)
    with pytest.raises(TypeError, match="LinearSVC has no predict_proba"):
        calibration_error_scorer(model, X, Y)
