"""Metadata routing through TemperatureScaling: to the estimator, its response, and the splitter."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, cross_validate
from sklearn.naive_bayes import GaussianNB

from sksoftmax import MultinomialLogit, TemperatureScaling


@pytest.fixture(autouse=True)
def routing():
    with config_context(enable_metadata_routing=True):
        yield


@pytest.fixture
def data(overlapping):
    """X, y, and weights, masks and groups of the rows."""
    X, y = overlapping
    rng = np.random.default_rng(5)
    mask = rng.random((len(y), 4)) < 0.7
    mask[np.arange(len(y)), y] = True
    return X, y, rng.uniform(0.1, 3, len(y)), mask, rng.integers(0, 6, len(y))


def asking():
    """An estimator that asks for masks everywhere."""
    return (
        MultinomialLogit()
        .set_fit_request(mask=True, sample_weight=False)
        .set_decision_function_request(mask=True)
    )


def by_hand(X, y, mask, splits, weight=None):
    """Out-of-fold logits, and the temperature on all of them."""
    logits = np.empty((len(y), 4))
    for train, test in splits:
        inner = MultinomialLogit().fit(X[train], y[train], mask=mask[train])
        logits[test] = inner.decision_function(X[test], mask=mask[test])
    return TemperatureScaling(input="logits").fit(logits, y, weight)


def test_masks_reach_fit_and_response_fold_by_fold(data):
    X, y, _, mask, _ = data
    model = TemperatureScaling(asking(), cv=KFold(3)).fit(X, y, mask=mask)
    expected = by_hand(X, y, mask, KFold(3).split(X))
    assert model.temperature_ == pytest.approx(expected.temperature_, rel=1e-10)
    proba = model.predict_proba(X, mask=mask)
    np.testing.assert_array_equal(proba == 0, ~mask)
    assert mask[np.arange(len(y)), model.predict(X, mask=mask)].all()
    assert np.isneginf(model.predict_log_proba(X, mask=mask)[~mask]).all()
    assert np.isneginf(model.decision_function(X, mask=mask)[~mask]).all()


def test_masks_reach_the_score(data):
    X, y, weight, mask, _ = data
    model = TemperatureScaling(asking(), cv=KFold(3)).fit(X, y, mask=mask)
    right = model.predict(X, mask=mask) == y
    assert model.score(X, y, mask=mask) == pytest.approx(right.mean())
    assert model.score(X, y, weight, mask=mask) == pytest.approx(np.average(right, weights=weight))
    assert model.score(X, y) < right.mean()  # without masks it predicts classes that are not there


def test_masks_reach_the_score_in_a_search(data):
    pytest.importorskip("sklearn", "1.8", reason="a search hands none to a model around a model")
    X, y, _, mask, _ = data
    search = GridSearchCV(TemperatureScaling(asking(), cv=3), {"estimator__C": [1.0]}, cv=KFold(3))
    found = search.fit(X, y, mask=mask).cv_results_["mean_test_score"][0]
    scores = [
        TemperatureScaling(asking(), cv=3)
        .fit(X[train], y[train], mask=mask[train])
        .score(X[test], y[test], mask=mask[test])
        for train, test in KFold(3).split(X)
    ]
    assert found == pytest.approx(np.mean(scores))


def test_groups_reach_the_splitter(data):
    X, y, _, mask, groups = data
    model = TemperatureScaling(asking(), cv=GroupKFold(3)).fit(X, y, mask=mask, groups=groups)
    expected = by_hand(X, y, mask, GroupKFold(3).split(X, y, groups))
    assert model.temperature_ == pytest.approx(expected.temperature_, rel=1e-10)


def test_weights_reach_the_estimator_only_if_it_asks(data):
    X, y, weight, _, _ = data
    temperatures = {}
    for asks in (True, False):
        inner = GaussianNB().set_fit_request(sample_weight=asks)
        model = TemperatureScaling(inner, cv=KFold(3)).fit(X, y, weight)
        temperatures[asks] = model.temperature_
        plain = GaussianNB().fit(X, y, weight if asks else None)
        np.testing.assert_array_equal(model.predict(X), plain.predict(X))
    assert temperatures[True] != temperatures[False]


def test_a_cross_validation_routes_through_it(data):
    X, y, weight, mask, _ = data
    model = TemperatureScaling(asking(), cv=KFold(3)).set_fit_request(sample_weight=True)
    model = model.set_score_request(sample_weight=True)
    params = {"sample_weight": weight, "mask": mask}
    result = cross_validate(model, X, y, cv=KFold(2), params=params, return_estimator=True)
    for found, (train, _) in zip(result["estimator"], KFold(2).split(X), strict=True):
        model.fit(X[train], y[train], weight[train], mask=mask[train])
        assert found.temperature_ == model.temperature_


def test_metadata_that_nobody_asked_for_is_an_error(data):
    X, y, _, mask, _ = data
    with pytest.raises((TypeError, ValueError), match="mask"):
        TemperatureScaling(MultinomialLogit()).fit(X, y, mask=mask)


def test_without_routing_metadata_go_to_whom_they_fit(data):
    X, y, _, mask, _ = data
    with config_context(enable_metadata_routing=False):
        model = TemperatureScaling(MultinomialLogit(), cv=KFold(3)).fit(X, y, mask=mask)
        expected = by_hand(X, y, mask, KFold(3).split(X))
        assert model.temperature_ == pytest.approx(expected.temperature_, rel=1e-10)
        np.testing.assert_array_equal(model.predict_proba(X, mask=mask) == 0, ~mask)
        frozen = FrozenEstimator(MultinomialLogit().fit(X, y))
        model = TemperatureScaling(frozen).fit(X, y)
        assert model.temperature_ == pytest.approx(1, abs=0.2)
