"""Every classifier as its users meet it: searched in parallel, and behind a ColumnTransformer."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import ClassifierMixin
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_iris
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import sksoftmax

# A small model of each kind, and what a search tries.
SEARCHES = {
    "ConditionalLogit": ({"C": 10.0}, {"C": [0.1, 10.0]}),
    "EntropyActiveLearner": (
        {"estimator": sksoftmax.MultinomialLogit()},
        {"estimator__C": [0.1, 10.0]},
    ),
    "OneVsRestComparator": ({}, {"use": ["softmax", "one_vs_rest"]}),
    "OneVsRestLogit": ({}, {"C": [0.1, 10.0]}),
    "MultinomialLogit": ({}, {"C": [0.1, 10.0]}),
    "SoftmaxBoostingClassifier": (
        {"max_iter": 5, "max_leaf_nodes": 4, "random_state": 0},
        {"learning_rate": [0.1, 0.3]},
    ),
    "TemperatureScaling": ({"cv": 3}, {"objective": ["nll", "brier"]}),
}


def classifiers():
    things = {name: getattr(sksoftmax, name) for name in sksoftmax.__all__}
    return sorted(
        name
        for name, thing in things.items()
        if isinstance(thing, type) and issubclass(thing, ClassifierMixin)
    )


def made(name):
    parameters, grid = SEARCHES[name]
    return getattr(sksoftmax, name)(**parameters), grid


@pytest.mark.parametrize("name", classifiers())
def test_a_search_in_two_processes_finds_what_one_finds(name):
    X, y = load_iris(return_X_y=True)
    model, grid = made(name)
    alone, shared = (
        GridSearchCV(model, grid, scoring="neg_log_loss", cv=3, n_jobs=n_jobs).fit(X, y)
        for n_jobs in (1, 2)
    )
    for search in (alone, shared):
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    np.testing.assert_array_equal(
        alone.cv_results_["mean_test_score"], shared.cv_results_["mean_test_score"]
    )
    assert shared.score(X, y) > -1.0


@pytest.fixture
def people(rng):
    """Strings, categories, numbers with gaps, booleans; the label depends on all but one."""
    n = 240
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 80, n).astype(float),
            "city": rng.choice(["Basel", "Bern", "Chur"], n),
            "class": pd.Categorical(rng.choice(["first", "second"], n)),
            "member": rng.random(n) < 0.5,
            "noise": rng.standard_normal(n),
        }
    )
    utility = np.column_stack(
        [0.05 * (frame["age"] - 50), 2.0 * (frame["city"] == "Bern"), 2.0 * frame["member"]]
    )
    label = np.array(["bike", "bus", "car"])[(utility + rng.gumbel(size=(n, 3))).argmax(axis=1)]
    frame.loc[::7, "age"] = np.nan
    frame.loc[::11, "city"] = None
    return frame, label


@pytest.mark.parametrize("name", classifiers())
def test_a_frame_with_strings_gaps_and_categories_goes_through_a_pipeline(name, people):
    frame, label = people
    model, _ = made(name)
    columns = make_column_transformer(
        (
            make_pipeline(SimpleImputer(), StandardScaler()),
            make_column_selector(dtype_include=float),
        ),
        (OneHotEncoder(handle_unknown="ignore"), ["city", "class", "member"]),  # a gap is a level
    )
    pipeline = make_pipeline(columns, model)
    scores = cross_val_score(pipeline, frame, label, cv=3, scoring="neg_log_loss")
    prior = -np.log(3)
    assert scores.mean() > prior

    new = frame.head(3).copy()
    new.loc[new.index[0], "city"] = "Davos"  # not seen in fit
    proba = pipeline.fit(frame, label).predict_proba(new)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    assert pipeline.classes_.tolist() == ["bike", "bus", "car"]
