"""ConditionalLogit inside scikit-learn: pipelines, searches, routing, scorers."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn import config_context
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, GroupKFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sksoftmax import ConditionalLogit
from sksoftmax.metrics import LogLossScorer, log_loss_scorer

UTILITIES = {
    "bus": {"time": "bus_time", "cost": "bus_cost"},
    "car": {"asc_car": 1, "time": "car_time", "cost": "car_cost"},
}
TIME_ONLY = {"bus": {"time": "bus_time"}, "car": {"asc_car": 1, "time": "car_time"}}


@pytest.fixture
def trips(rng):
    X = pd.DataFrame({f"{a}_{x}": rng.random(300) for a in UTILITIES for x in ("time", "cost")})
    X["person"] = [f"p{i}" for i in rng.integers(60, size=300)]
    gain = X["bus_time"] + 3 * X["bus_cost"] - X["car_time"] - 3 * X["car_cost"] + 0.5
    return X, np.where(gain + rng.logistic(size=300) > 0, "car", "bus")


def test_a_search_over_utilities_and_C_picks_the_likelier_model(trips):
    X, y = trips
    grid = {"utilities": [TIME_ONLY, UTILITIES], "C": [1e-3, 1.0, np.inf]}
    search = GridSearchCV(ConditionalLogit(), grid, scoring=log_loss_scorer, cv=5).fit(X, y)
    assert search.best_params_["utilities"] == UTILITIES
    assert search.best_params_["C"] > 1e-3
    assert set(search.best_estimator_.params_.keys()) == {"time", "cost", "asc_car"}


def test_folds_without_an_alternative_are_scored_through_classes(trips):
    X, y = trips
    utilities = {**UTILITIES, "plane": {"asc_plane": 1}}
    y = np.where(np.arange(300) < 2, "plane", y)
    folds = [(np.arange(2, 300), np.arange(100)), (np.arange(100), np.arange(100, 300))]
    with pytest.warns(ConvergenceWarning, match="Nobody chose 'plane'"):
        scores = cross_val_score(
            ConditionalLogit(utilities), X, y, scoring=log_loss_scorer, cv=folds
        )
    assert np.isfinite(scores).all()


def test_a_pipeline_keeps_names_with_set_output(trips):
    X, y = trips
    plain = ConditionalLogit(UTILITIES).fit(X, y)
    X = X.copy()
    X.loc[::50, "bus_cost"] = np.nan
    prepare = ColumnTransformer(
        [
            ("cost", make_pipeline(SimpleImputer(), StandardScaler()), ["bus_cost", "car_cost"]),
            ("rest", "passthrough", ["bus_time", "car_time", "person"]),
        ],
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    pipeline = make_pipeline(prepare, ConditionalLogit(UTILITIES)).fit(X, y)
    assert_allclose(pipeline[-1].params_["time"], plain.params_["time"], rtol=0.2)
    assert pipeline.predict_proba(X).shape == (300, 2)
    assert cross_val_score(pipeline, X, y, scoring=log_loss_scorer).min() > -0.7


def test_a_transformer_that_drops_names_is_told_apart(trips):
    X, y = trips
    numeric = X.drop(columns="person")
    pipeline = make_pipeline(StandardScaler(), ConditionalLogit(UTILITIES))
    with pytest.raises(ValueError, match=r"no column 'bus_time'.*'x0', 'x1'.*set_output") as error:
        pipeline.fit(numeric, y)
    assert "verbose_feature_names_out=False" in str(error.value)
    prefixed = ColumnTransformer([("all", "passthrough", list(numeric.columns))])
    pipeline = make_pipeline(prefixed.set_output(transform="pandas"), ConditionalLogit(UTILITIES))
    with pytest.raises(ValueError, match="Its columns are 'all__bus_time'"):
        pipeline.fit(X, y)


def test_groups_and_weights_are_routed(trips):
    X, y = trips
    weight = np.arange(1.0, 301.0)
    with config_context(enable_metadata_routing=True):
        model = ConditionalLogit(UTILITIES, covariance="cluster")
        model.set_fit_request(sample_weight=True, groups=True)
        scorer = LogLossScorer().set_score_request(sample_weight=True)
        search = GridSearchCV(model, {"C": [1.0, np.inf]}, scoring=scorer, cv=GroupKFold(4))
        search.fit(X, y, sample_weight=weight, groups=X["person"])
        expected = ConditionalLogit(UTILITIES, covariance="cluster", C=search.best_params_["C"])
        expected.fit(X, y, sample_weight=weight, groups=X["person"])
    assert search.best_estimator_.params_ == expected.params_


def test_folds_by_person_need_only_the_column(trips):
    X, y = trips
    scores = cross_val_score(
        ConditionalLogit(UTILITIES, panel="person"),
        X,
        y,
        groups=X["person"],
        cv=GroupKFold(3),
        scoring=log_loss_scorer,
    )
    assert len(scores) == 3


def test_stratified_folds_and_accuracy_work_as_for_any_classifier(trips):
    X, y = trips
    accuracy = cross_val_score(ConditionalLogit(UTILITIES), X, y, cv=StratifiedKFold(4))
    assert accuracy.min() > 0.6
