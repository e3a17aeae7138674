"""Whatever it is given, a fit ends in an answer or in an error that says what is wrong."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning

from sksoftmax import ConditionalLogit
from sksoftmax.choice import long_to_wide

NUMBERS = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, 1e-300, 1e300, -1e150, 1e-8, 3.5, np.nan, np.inf, -0.0]),
    st.floats(-1e3, 1e3),
)
ARGUMENTS = ("X", "y", "sample_weight", "availability", "utilities", "class_weight", "overflow")


@st.composite
def problems(draw):
    """A frame of any numbers, utilities over it, availability, labels and weights."""
    n = draw(st.integers(1, 12))
    columns = ["a", "b", "c"]
    X = pd.DataFrame({c: draw(st.lists(NUMBERS, min_size=n, max_size=n)) for c in columns})
    terms = st.dictionaries(
        st.sampled_from(["p", "q", "r"]),
        st.one_of(st.sampled_from(columns), st.sampled_from([1, 0, -2.5, 1e10])),
        max_size=3,
    )
    utilities = {label: draw(terms) for label in ("u", "v", "w")}
    X["open"] = draw(st.lists(st.sampled_from([0, 1, 1, 1]), min_size=n, max_size=n))
    y = draw(st.lists(st.sampled_from(["u", "v", "w"]), min_size=n, max_size=n))
    weight = draw(
        st.none()
        | st.lists(st.sampled_from([0.0, 1.0, 2.0, 1e-200, 1e100]), min_size=n, max_size=n)
    )
    options = {
        "utilities": utilities,
        "availability": draw(st.sampled_from([None, {"v": "open"}])),
        "C": draw(st.sampled_from([np.inf, 1.0, 1e-6, 1e6])),
        "class_weight": draw(st.sampled_from([None, "balanced"])),
    }
    return X, y, weight, options


@settings(max_examples=150)
@given(problems())
def test_a_fit_ends_in_an_answer_or_a_clear_error(problem):
    X, y, weight, options = problem
    model = ConditionalLogit(**options)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(X, y, sample_weight=weight)
    except ValueError as error:
        assert any(word in str(error) for word in ARGUMENTS), error
        return
    assert np.isfinite(model.params_.values).all()
    assert np.isfinite(model.loglik_)
    assert model.loglik_ <= 0
    try:
        proba = model.predict_proba(X)
    except ValueError as error:
        assert "no available alternative" in str(error) or "overflows" in str(error)
        return
    assert_allclose(proba.sum(axis=1), 1)


@pytest.mark.parametrize("unit", [1e-250, 1e-5, 1e5, 1e150])
def test_units_of_any_size_give_the_same_fit(rng, unit):
    """exp() of these utilities overflows; differences of utilities do not."""
    X = pd.DataFrame({name: rng.random(300) for name in ("a", "b")})
    y = np.where(X["a"] - X["b"] + rng.logistic(size=300) > 0, "u", "v")
    utilities = {"u": {"asc": 1, "p": "a"}, "v": {"p": "b"}}
    plain = ConditionalLogit(utilities).fit(X, y)
    scaled = ConditionalLogit(utilities).fit(X * unit, y)
    assert_allclose(scaled.params_["p"] * unit, plain.params_["p"], rtol=1e-9)
    assert_allclose(scaled.predict_proba(X * unit), plain.predict_proba(X), rtol=1e-9)


def test_large_values_that_alternatives_share_cost_no_accuracy(rng):
    X = pd.DataFrame({name: rng.random(300).round(6) for name in ("a", "b")})
    y = np.where(X["a"] - X["b"] + rng.logistic(size=300) > 0, "u", "v")
    utilities = {"u": {"asc": 1, "p": "a"}, "v": {"p": "b"}}
    plain = ConditionalLogit(utilities).fit(X, y)
    shifted = ConditionalLogit(utilities).fit(X + 1e6, y)
    assert_allclose(np.asarray(shifted.params_), np.asarray(plain.params_), rtol=1e-8)


def test_one_case_may_have_tens_of_thousands_of_alternatives(rng):
    n = 30_000
    frame = pd.DataFrame({"case": 0, "alt": np.arange(n), "x": rng.random(n)})
    frame = pd.concat([frame, frame.iloc[:5].assign(case=1)])
    frame["chosen"] = False
    frame.iloc[[7, n + 2], frame.columns.get_loc("chosen")] = True
    model = ConditionalLogit().fit_long(
        frame, case="case", alternative="alt", chosen="chosen", features=["x"]
    )
    assert np.isfinite(model.results_.standard_errors).all()
    assert_allclose(model.predict_proba_long(frame).groupby(frame["case"].to_numpy()).sum(), 1)


@pytest.mark.parametrize("kind", ["object", "Float64", "boolean", "category"])
def test_columns_of_any_dtype_are_numbers_or_refused(rng, kind):
    X = pd.DataFrame({"a": rng.integers(2, size=100), "b": rng.random(100)})
    y = np.where(X["a"] + rng.logistic(size=100) > 0, "u", "v")
    utilities = {"u": {"p": "a"}, "v": {"asc": 1, "p": "b"}}
    plain = ConditionalLogit(utilities).fit(X, y)
    other = X.assign(a=X["a"].astype(kind))
    assert ConditionalLogit(utilities).fit(other, y).params_ == plain.params_
    text = X.assign(a=X["a"].astype(str))
    with pytest.raises(ValueError, match="utilities uses column 'a' of X, which cannot be read"):
        ConditionalLogit(utilities).fit(text, y)


def test_dates_and_text_may_stay_where_they_are_not_used(rng):
    X = pd.DataFrame({"a": rng.random(50), "when": pd.date_range("2020", periods=50), "who": "me"})
    y = np.where(X["a"] + rng.logistic(size=50) > 0.5, "u", "v")
    model = ConditionalLogit({"u": {"p": "a"}, "v": {"asc": 1}}).fit(X, y)
    assert model.n_features_in_ == 3
    with pytest.raises(ValueError, match="'when' of X, which cannot be read as numbers"):
        ConditionalLogit({"u": {"p": "when"}, "v": {"asc": 1}}).fit(X, y)


@pytest.mark.parametrize("labels", [[None, "u"], [np.nan, 1.0], [["u"], ["v"]], ["u", 3]])
def test_labels_outside_the_alternatives_are_named(labels):
    X = pd.DataFrame({"a": [1.0, 2.0]})
    y = np.empty(2, dtype=object)
    y[:] = labels
    with pytest.raises(ValueError, match=r"y|Input"):
        ConditionalLogit({"u": {"p": "a"}, "v": {"asc": 1}}).fit(X, y)


def test_an_empty_frame_and_missing_choices_are_refused():
    empty = pd.DataFrame({"a": np.empty(0)})
    model = ConditionalLogit({"u": {"p": "a"}, "v": {"asc": 1}})
    with pytest.raises(ValueError, match="0 sample"):
        model.fit(empty, [])
    with pytest.raises(ValueError, match="y"):
        model.fit(pd.DataFrame({"a": [1.0]}), None)
    frame = pd.DataFrame({"i": [1, 1], "m": ["u", "v"], "c": [0, 0]})
    with pytest.raises(ValueError, match="no choice in cases 1"):
        long_to_wide(frame, case="i", alternative="m", chosen="c")


def test_an_information_beyond_float64_is_an_error_that_names_the_cause():
    X = pd.DataFrame({"a": [0.0] * 8 + [1e300]})
    model = ConditionalLogit({"u": {}, "v": {}, "w": {"p": "a"}})
    with pytest.raises(ValueError, match=r"information is not finite\. Entries of X"):
        model.fit(X, ["u"] * 9)
