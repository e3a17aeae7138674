"""What `ConditionalLogit` does with gaps, choice sets and what the data do not determine."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning

from sksoftmax import ConditionalLogit

from .trips import AVAILABILITY, UTILITIES, fitted, trips

# --- missing values and availability ---


def test_missing_values_matter_only_where_they_are_used(rng):
    X, y, model = fitted(rng)
    closed = X["train_open"] == 0
    X.loc[closed, ["train_time", "train_cost"]] = np.nan
    X.loc[~X["car_open"], "car_cost"] = np.inf
    X["person"] = None
    again = ConditionalLogit(UTILITIES, availability=AVAILABILITY).fit(X, y)
    assert again.params_ == model.params_
    assert np.isfinite(again.predict_proba(X)).all()
    row = int(np.flatnonzero(~closed)[0])
    X.loc[row, "train_time"] = np.nan
    message = f"column 'train_time' is nan in row {row}, where alternative 'train' is available"
    with pytest.raises(ValueError, match=message):
        again.fit(X, y)
    with pytest.raises(ValueError, match=message):
        again.predict(X)


def test_missing_availability_is_an_error(rng):
    X, y = trips(rng)
    X["train_open"] = X["train_open"].astype(float)
    X.loc[5, "train_open"] = np.nan
    with pytest.raises(ValueError, match=r"'train_open' must hold 1 .* row 5 holds nan"):
        ConditionalLogit(UTILITIES, availability=AVAILABILITY).fit(X, y)
    X.loc[5, "train_open"] = 2
    with pytest.raises(ValueError, match="row 5 holds 2"):
        ConditionalLogit(UTILITIES, availability=AVAILABILITY).fit(X, y)


def test_a_chosen_alternative_that_is_unavailable_names_rows(rng):
    X, y = trips(rng)
    X.loc[[3, 8], "train_open"] = 0
    y[[3, 8]] = "train"
    message = r"chosen alternative is unavailable in rows 3 \('train'\), 8 \('train'\)"
    with pytest.raises(ValueError, match=message):
        ConditionalLogit(UTILITIES, availability=AVAILABILITY).fit(X, y)


def test_a_row_without_alternatives_cannot_be_predicted(rng):
    X, y = trips(rng)
    everything = {**AVAILABILITY, "sm": "sm_open"}
    X["sm_open"] = 1
    model = ConditionalLogit(UTILITIES, availability=everything).fit(X, y)
    X.loc[7, ["sm_open", "train_open"]] = 0
    X.loc[7, "car_open"] = False
    with pytest.raises(ValueError, match="row 7 has no available alternative"):
        model.predict(X)


def test_cases_with_one_alternative_are_kept_and_counted_apart(rng):
    X, y, _ = fitted(rng)
    alone = X.iloc[:20].assign(train_open=0, car_open=False)
    both, labels = pd.concat([X, alone], ignore_index=True), np.append(y, ["sm"] * 20)
    model = ConditionalLogit(UTILITIES, availability=AVAILABILITY).fit(X, y)
    more = ConditionalLogit(UTILITIES, availability=AVAILABILITY).fit(both, labels)
    assert_allclose(np.asarray(more.params_), np.asarray(model.params_), rtol=1e-10)
    assert_allclose(more.loglik_, model.loglik_)
    assert more.results_.n_forced == model.results_.n_forced + 20


# --- what cannot be estimated ---


def test_an_alternative_nobody_chose_stays_and_is_named(rng):
    X, y = trips(rng)
    kept = y != "train"
    model = ConditionalLogit(UTILITIES, availability=AVAILABILITY)
    with pytest.warns(ConvergenceWarning, match=r"asc_train have no finite.*chose 'train'"):
        model.fit(X[kept], y[kept])
    assert model.classes_.tolist() == ["car", "sm", "train"]
    errors = pd.Series(model.results_.standard_errors, model.params_.keys())
    assert errors.index[errors.isna()].tolist() == ["asc_train"]
    assert (model.predict_proba(X)[:, 2] < 1e-6).all()
    rest = ConditionalLogit(
        {label: UTILITIES[label] for label in ("sm", "car")}, availability={"car": "car_open"}
    ).fit(X[kept], y[kept])
    for name, value in rest.params_.items():
        assert_allclose(model.params_[name], value, rtol=1e-5)


def test_an_alternative_nobody_chose_without_a_constant_is_no_trouble(rng):
    X, y = trips(rng)
    kept = y != "sm"
    utilities = {
        label: {name: term for name, term in terms.items() if not name.startswith("asc")}
        for label, terms in UTILITIES.items()
    }
    model = ConditionalLogit(utilities, availability=AVAILABILITY)
    model.fit(X[kept], y[kept])  # a warning would be an error
    assert np.isfinite(model.results_.standard_errors).all()


def test_constants_for_all_alternatives_are_not_identified(rng):
    X, y, model = fitted(rng)
    utilities = {**UTILITIES, "sm": {"asc_sm": 1, **UTILITIES["sm"]}}
    with pytest.warns(ConvergenceWarning, match="asc_train, asc_sm, asc_car are not ident"):
        loose = ConditionalLogit(utilities, availability=AVAILABILITY).fit(X, y)
    assert_allclose(loose.loglik_, model.loglik_)
    assert_allclose(loose.predict_proba(X), model.predict_proba(X), rtol=1e-7)
    constants = np.asarray(loose.params_[["asc_train", "asc_sm", "asc_car"]])
    assert_allclose(constants.sum(), 0, atol=1e-9)  # the smallest norm
    errors = dict(zip(loose.params_.keys(), loose.results_.standard_errors, strict=True))
    expected = dict(zip(model.params_.keys(), model.results_.standard_errors, strict=True))
    for name in ("time", "cost", "income"):
        assert_allclose(errors[name], expected[name], rtol=1e-7)
    assert np.isnan([errors[name] for name in ("asc_train", "asc_sm", "asc_car")]).all()
