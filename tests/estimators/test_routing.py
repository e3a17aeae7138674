"""Metadata routing: weights, offsets, masks and soft targets reach fit, predict and score."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sksoftmax import MultinomialLogit
from sksoftmax.metrics import LogLossScorer

CV = KFold(3, shuffle=True, random_state=0)


@pytest.fixture(autouse=True)
def routing():
    with config_context(enable_metadata_routing=True):
        yield


@pytest.fixture
def data(overlapping):
    """X, y and the four arrays that are routed."""
    X, y = overlapping
    rng = np.random.default_rng(5)
    mask = rng.random((len(y), 4)) < 0.7
    mask[np.arange(len(y)), y] = True
    proba = np.where(mask, rng.random((len(y), 4)) + 4 * np.eye(4)[y], 0)
    return (
        X,
        y,
        {
            "sample_weight": rng.random(len(y)),
            "offset": rng.normal(size=(len(y), 4)),
            "mask": mask,
            "y_proba": proba / proba.sum(axis=1, keepdims=True),
        },
    )


def requesting_model(**parameters):
    """A model that asks for everything everywhere."""
    return (
        MultinomialLogit(**parameters)
        .set_fit_request(sample_weight=True, offset=True, mask=True, y_proba=True)
        .set_predict_request(offset=True, mask=True)
        .set_predict_proba_request(offset=True, mask=True)
        .set_predict_log_proba_request(offset=True, mask=True)
        .set_decision_function_request(offset=True, mask=True)
        .set_score_request(sample_weight=True, offset=True, mask=True)
    )


def requesting_scorer():
    return LogLossScorer().set_score_request(sample_weight=True, offset=True, mask=True)


def by_hand(X, y, extra, score, **parameters):
    """Cross-validate with plain loops."""
    scores = []
    for train, test in CV.split(X):
        part = {name: values[train] for name, values in extra.items()}
        model = MultinomialLogit(**parameters).fit(X[train], y[train], **part)
        part = {name: values[test] for name, values in extra.items() if name != "y_proba"}
        scores.append(score(model, X[test], y[test], **part))
    return scores


def test_requests_follow_the_signatures():
    requests = MultinomialLogit().get_metadata_routing()
    assert set(requests.fit.requests) == {"sample_weight", "y_proba", "offset", "mask", "classes"}
    assert set(requests.score.requests) == {"sample_weight", "offset", "mask"}
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        assert set(getattr(requests, method).requests) == {"offset", "mask"}
    assert set(LogLossScorer().get_metadata_routing().score.requests) == {
        "sample_weight",
        "y_proba",
        "offset",
        "mask",
    }


def test_cross_val_score_routes_to_fit_and_score(data):
    X, y, extra = data
    scores = cross_val_score(requesting_model(), X, y, cv=CV, params=extra)
    expected = by_hand(X, y, extra, lambda model, *a, **k: model.score(*a, **k))
    np.testing.assert_allclose(scores, expected)


def test_cross_val_score_routes_to_the_scorer(data):
    X, y, extra = data
    scores = cross_val_score(
        requesting_model(), X, y, cv=CV, params=extra, scoring=requesting_scorer()
    )
    np.testing.assert_allclose(scores, by_hand(X, y, extra, LogLossScorer().score))


def test_cross_validate_routes_to_several_scorers(data):
    X, y, extra = data
    scoring = {
        "weighted": requesting_scorer(),
        "plain": LogLossScorer().set_score_request(mask=True),
    }
    scoring["plain"].set_score_request(mask=True, offset=True, sample_weight=False)
    results = cross_validate(
        requesting_model(), X, y, cv=CV, params=extra, scoring=scoring, error_score="raise"
    )
    expected = by_hand(X, y, extra, LogLossScorer().score)
    np.testing.assert_allclose(results["test_weighted"], expected)
    assert not np.allclose(results["test_plain"], expected)


def test_grid_search_routes_to_fit_and_scorer(data):
    X, y, extra = data
    grid = {"C": [0.01, 1.0], "label_smoothing": [0.0, 0.1]}
    search = GridSearchCV(
        requesting_model(), grid, cv=CV, scoring=requesting_scorer(), error_score="raise"
    ).fit(X, y, **extra)
    row = search.cv_results_["params"].index({"C": 1.0, "label_smoothing": 0.1})
    expected = by_hand(X, y, extra, LogLossScorer().score, C=1.0, label_smoothing=0.1)
    np.testing.assert_allclose(search.cv_results_["mean_test_score"][row], np.mean(expected))
    best = MultinomialLogit(**search.best_params_).fit(X, y, **extra)
    np.testing.assert_array_equal(search.best_estimator_.coef_, best.coef_)


def test_soft_targets_are_fitted_fold_by_fold_and_scored_against_labels(data):
    X, y, extra = data
    model = MultinomialLogit().set_fit_request(y_proba=True)
    scores = cross_val_score(model, X, y, cv=CV, params={"y_proba": extra["y_proba"]})
    expected = by_hand(X, y, {"y_proba": extra["y_proba"]}, lambda model, X, y: model.score(X, y))
    np.testing.assert_allclose(scores, expected)


def test_frames_of_columns_are_sliced_with_the_rows(data):
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    X, y, extra = data
    names = np.array(["a", "b", "c", "d"])
    expected = cross_val_score(requesting_model(), X, names[y], cv=CV, params=extra)
    for frame in (pd.DataFrame, pl.DataFrame):
        framed = {
            name: values
            if values.ndim == 1
            else frame({names[k]: values[:, k] for k in (3, 1, 0, 2)})
            for name, values in extra.items()
        }
        scores = cross_val_score(requesting_model(), X, names[y], cv=CV, params=framed)
        np.testing.assert_allclose(scores, expected)


def test_cross_val_predict_routes_to_fit(data):
    X, y, extra = data
    proba = cross_val_predict(
        requesting_model(), X, y, cv=CV, params=extra, method="predict_log_proba"
    )
    expected = by_hand(X, y, extra, lambda model, X, y, **_: model.predict_log_proba(X))
    np.testing.assert_allclose(proba, np.vstack(expected)[np.argsort(held_out_order(X))])


def held_out_order(X):
    """The rows in the order in which the folds hold them out."""
    return np.concatenate([test for _, test in CV.split(X)])


def test_a_pipeline_routes_to_its_last_step(data):
    X, y, extra = data
    scaler = StandardScaler().set_fit_request(sample_weight=False)
    pipeline = make_pipeline(scaler, requesting_model()).fit(X, y, **extra)
    Z = StandardScaler().fit_transform(X)
    model = MultinomialLogit().fit(Z, y, **extra)
    part = {"offset": extra["offset"], "mask": extra["mask"]}
    np.testing.assert_array_equal(pipeline.predict_proba(X, **part), model.predict_proba(Z, **part))
    np.testing.assert_array_equal(pipeline.predict(X, **part), model.predict(Z, **part))
    assert pipeline.score(X, y, **part) == model.score(Z, y, **part)
    routed = requesting_scorer().score(pipeline, X, y, **part)
    assert routed == LogLossScorer().score(model, Z, y, **part)


def test_metadata_that_nobody_asked_for_is_an_error(data):
    X, y, extra = data
    with pytest.raises(ValueError, match="mask"):
        cross_val_score(
            MultinomialLogit(), X, y, cv=CV, params={"mask": extra["mask"]}, error_score="raise"
        )


def test_classes_are_routed_whole_so_that_folds_may_lack_one(three_classes):
    X, y = three_classes
    model = MultinomialLogit(label_smoothing=0.1).set_fit_request(classes=True)
    scores = cross_val_score(
        model, X, y, cv=KFold(3), params={"classes": [0, 1, 2]}, scoring=LogLossScorer()
    )
    assert np.isfinite(scores).all()


def test_soft_targets_are_scored_where_the_scorer_asks_for_them(data):
    X, _, extra = data
    proba = extra["y_proba"]
    model = MultinomialLogit().set_fit_request(y_proba=True)
    scorer = LogLossScorer().set_score_request(y_proba=True)
    scores = cross_val_score(model, X, cv=CV, scoring=scorer, params={"y_proba": proba})
    expected = [
        (proba[test] * MultinomialLogit().fit(X[train], y_proba=proba[train]).predict_log_proba(
            X[test]
        )).sum(axis=1).mean()
        for train, test in CV.split(X)
    ]  # fmt: skip
    np.testing.assert_allclose(scores, expected, rtol=1e-12)
