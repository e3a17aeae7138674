"""LogLossScorer: log-loss from logits, for folds that lack classes, with weights."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    PredefinedSplit,
    cross_val_score,
    cross_validate,
)

from sksoftmax import MultinomialLogit
from sksoftmax.metrics import LogLossScorer, log_loss_scorer


def test_it_is_the_negative_log_loss(three_classes):
    X, y = three_classes
    weight = np.linspace(0, 1, len(y))
    model = MultinomialLogit().fit(X, y)
    proba = model.predict_proba(X)
    assert log_loss_scorer(model, X, y) == pytest.approx(-log_loss(y, proba))
    weighted = log_loss_scorer.score(model, X, y, sample_weight=weight)
    assert weighted == pytest.approx(-log_loss(y, proba, sample_weight=weight))


def test_it_scores_other_classifiers_with_and_without_log_probabilities(three_classes):
    X, y = three_classes
    for estimator in (LogisticRegression(), HistGradientBoostingClassifier(max_iter=3)):
        estimator.fit(X, y)
        expected = -log_loss(y, estimator.predict_proba(X))
        assert log_loss_scorer(estimator, X, y) == pytest.approx(expected)


def test_a_confident_error_costs_what_it_should(three_classes):
    X, y = three_classes
    model = MultinomialLogit(C=100).fit(X, y)
    far, wrong = 1e4 * X[:1], [2]
    assert log_loss_scorer(model, far, wrong) == model.predict_log_proba(far)[0, 2] < -1000


def test_a_fold_may_lack_a_class(three_classes):
    X, y = three_classes
    model = MultinomialLogit().fit(X, y)
    one_class = log_loss_scorer(model, X[:10], y[:10])
    assert one_class == pytest.approx(model.predict_log_proba(X[:10])[:, 0].mean())


@pytest.mark.filterwarnings("ignore:No row has weight on class")
def test_a_label_that_training_lacked_costs_infinity_and_a_warning(three_classes):
    X, y = three_classes
    model = MultinomialLogit().fit(X[y < 2], y[y < 2])
    with pytest.warns(UserWarning, match=r"labels \[2\] .* did not see in fit.*classes="):
        assert log_loss_scorer(model, X, y) == -np.inf
    ignored = log_loss_scorer(model, X, y, sample_weight=(y < 2).astype(float))
    assert ignored == pytest.approx(log_loss_scorer(model, X[y < 2], y[y < 2]))
    complete = MultinomialLogit().fit(X[y < 2], y[y < 2], classes=[0, 1, 2])
    assert np.isfinite(log_loss_scorer(complete, X, y))


def test_labels_may_be_text(three_classes):
    X, y = three_classes
    names = np.array(["a", "b", "c"])
    numbered = log_loss_scorer(MultinomialLogit().fit(X, y), X, y)
    assert log_loss_scorer(MultinomialLogit().fit(X, names[y]), X, names[y]) == numbered


@pytest.mark.parametrize("series", [pd.Series, pl.Series], ids=["pandas", "polars"])
def test_labels_and_weights_may_be_series(series, three_classes):
    X, y = three_classes
    weight = np.linspace(0.1, 1, len(y))
    model = MultinomialLogit().fit(X, y)
    score = log_loss_scorer(model, X, series(y), sample_weight=series(weight))
    assert score == log_loss_scorer(model, X, y, sample_weight=weight)


def test_offset_and_mask_reach_the_estimator(overlapping):
    X, y = overlapping
    mask = np.eye(4, dtype=bool)[y] | (np.arange(300) % 2 == 0)[:, None]
    offset = np.random.default_rng(0).normal(size=(300, 4))
    model = MultinomialLogit().fit(X, y, offset=offset, mask=mask)
    expected = model.predict_log_proba(X, offset=offset, mask=mask)[np.arange(300), y].mean()
    assert log_loss_scorer(model, X, y, offset=offset, mask=mask) == pytest.approx(expected)


@pytest.mark.parametrize("bad", [-np.ones(150), np.zeros(150), np.ones(149)])
def test_wrong_weights_are_refused(bad, three_classes):
    X, y = three_classes
    model = MultinomialLogit().fit(X, y)
    with pytest.raises(ValueError, match="sample_weight"):
        log_loss_scorer(model, X, y, sample_weight=bad)


def test_cross_validation_takes_it_as_scoring(three_classes):
    X, y = three_classes
    ours = cross_val_score(MultinomialLogit(), X, y, scoring=log_loss_scorer)
    theirs = cross_val_score(MultinomialLogit(), X, y, scoring="neg_log_loss")
    np.testing.assert_allclose(ours, theirs)
    several = cross_validate(
        MultinomialLogit(), X, y, scoring={"log_loss": log_loss_scorer, "accuracy": "accuracy"}
    )
    np.testing.assert_allclose(several["test_log_loss"], theirs)
    search = GridSearchCV(MultinomialLogit(), {"C": [0.01, 1.0]}, scoring=log_loss_scorer)
    assert search.fit(X, y).best_params_ == {"C": 1.0}


def test_folds_that_lack_a_class_are_scored(three_classes):
    X, y = three_classes  # sorted by class: plain folds of the test rows hold one or two classes
    with_every_class = PredefinedSplit(np.where(np.arange(150) % 2, np.arange(150) // 50, -1))
    scores = cross_val_score(MultinomialLogit(), X, y, cv=with_every_class, scoring=log_loss_scorer)
    assert scores.shape == (3,)
    assert np.isfinite(scores).all()
    with pytest.warns(UserWarning, match="did not see in fit"):
        scores = cross_val_score(MultinomialLogit(), X, y, cv=KFold(3), scoring=log_loss_scorer)
    assert (scores == -np.inf).all()


def test_weights_are_passed_to_grid_search_without_routing(three_classes):
    X, y = three_classes
    search = GridSearchCV(
        MultinomialLogit(), {"C": [1.0]}, scoring={"l": log_loss_scorer}, refit=False
    )
    search.fit(X, y, sample_weight=np.linspace(0.1, 1, len(y)))
    assert np.isfinite(search.cv_results_["mean_test_l"]).all()


def test_it_can_be_cloned_and_shown():
    assert isinstance(clone(log_loss_scorer), LogLossScorer)
    assert repr(log_loss_scorer) == "LogLossScorer()"


@pytest.mark.parametrize("scale", [1e308, 5e-324])
def test_the_scale_of_the_weights_does_not_matter(scale, three_classes):
    X, y = three_classes
    model = MultinomialLogit().fit(X, y)
    weighted = log_loss_scorer(model, X, y, sample_weight=np.full(len(y), scale))
    assert weighted == pytest.approx(log_loss_scorer(model, X, y), rel=1e-14)


def test_soft_targets_are_scored_by_their_expectation(three_classes):
    X, y = three_classes
    model = MultinomialLogit().fit(X, y)
    weight = np.linspace(0, 1, len(y))
    proba = 0.7 * np.eye(3)[y] + 0.1
    expected = np.average((proba * model.predict_log_proba(X)).sum(axis=1), weights=weight)
    score = log_loss_scorer(model, X, sample_weight=weight, y_proba=proba)
    assert score == pytest.approx(expected)
    named = pd.DataFrame(proba, columns=[0, 1, 2])[[2, 0, 1]]
    assert log_loss_scorer(model, X, None, weight, y_proba=named) == score
    one_hot = log_loss_scorer(model, X, y_proba=np.eye(3)[y])
    assert one_hot == pytest.approx(log_loss_scorer(model, X, y))


def test_a_soft_target_of_zero_on_an_unavailable_class_costs_nothing(three_classes):
    X, y = three_classes
    model = MultinomialLogit().fit(X, y)
    mask = np.eye(3, dtype=bool)[y]
    assert log_loss_scorer(model, X, y_proba=np.eye(3)[y], mask=mask) == 0


@pytest.mark.parametrize(
    ("y_proba", "message"),
    [(None, "y_proba"), (np.ones((150, 3)), "row 0 sums to 3"), (np.ones((150, 2)), "2 columns")],
)
def test_wrong_soft_targets_are_refused(y_proba, message, three_classes):
    X, y = three_classes
    model = MultinomialLogit().fit(X, y)
    with pytest.raises(ValueError, match=message):
        log_loss_scorer(model, X, y_proba=y_proba)
