"""ConditionalLogit: what its parameters mean, and what it predicts."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from sksoftmax import ConditionalLogit, MultinomialLogit
from sksoftmax.choice import linear_utilities

from .trips import AVAILABILITY, UTILITIES, errors_of, fitted, trips


def test_alternatives_are_sorted_and_parameters_stand_as_they_first_appear(rng):
    _, _, model = fitted(rng)
    assert model.classes_.tolist() == ["car", "sm", "train"]
    assert model.params_.keys() == ["asc_train", "time", "cost", "asc_car", "income"]
    assert model.parameter_names_.tolist() == model.params_.keys()
    assert model.results_.n_cases == 400
    assert_allclose(model.results_.loglik, model.loglik_)


def test_utilities_and_probabilities_are_what_the_model_says(rng):
    X, _, model = fitted(rng)
    b = model.params_
    expected = np.column_stack(
        [
            b["asc_car"]
            + b["time"] * X["car_time"]
            + b["cost"] * X["car_cost"]
            + b["income"] * X["income"],
            b["time"] * X["sm_time"] + b["cost"] * X["sm_cost"],
            b["asc_train"] + b["time"] * X["train_time"] + b["cost"] * X["train_cost"],
        ]
    )
    closed = np.column_stack([~X["car_open"], np.zeros(400, bool), X["train_open"] == 0])
    expected[closed] = -np.inf
    utility = model.utility(X)
    assert_allclose(utility, expected, rtol=1e-13)
    assert_array_equal(model.decision_function(X), utility)
    exp = np.exp(expected)
    proba = model.predict_proba(X)
    assert_allclose(proba, exp / exp.sum(axis=1, keepdims=True), rtol=1e-13)
    assert (proba[closed] == 0).all()
    with np.errstate(divide="ignore"):
        assert_allclose(model.predict_log_proba(X), np.log(proba), rtol=1e-12)
    assert_array_equal(model.predict(X), model.classes_[proba.argmax(axis=1)])


def test_the_score_is_the_accuracy_and_the_likelihood_that_of_the_predictions(rng):
    X, y, model = fitted(rng)
    assert model.score(X, y) == (model.predict(X) == y).mean()
    log_proba = model.predict_log_proba(X)
    codes = np.searchsorted(model.classes_, y)
    assert_allclose(model.loglik_, log_proba[np.arange(400), codes].sum(), rtol=1e-12)


def test_two_alternatives_decide_by_the_difference_of_utilities(rng):
    utilities = {"b": {"x": "x0"}, "a": {"x": "x1"}}
    X = rng.random((50, 3)).round(2)
    X[:, 2] = np.arange(50) % 5 > 0
    y = np.where(X[:, 0] + rng.logistic(size=50) > X[:, 1], "b", "a")
    y[X[:, 2] == 0] = "a"
    model = ConditionalLogit(utilities, availability={"b": "x2"}).fit(X, y)
    utility, decision = model.utility(X), model.decision_function(X)
    assert_array_equal(decision, utility[:, 1] - utility[:, 0])
    assert (decision[X[:, 2] == 0] == -np.inf).all()


def test_a_row_is_predicted_alike_in_any_batch(rng):
    X, _, model = fitted(rng)
    whole = model.predict_proba(X)
    for rows in ([3], [7, 3, 5]):
        assert_array_equal(model.predict_proba(X.iloc[rows]), whole[rows])


def test_frames_and_arrays_give_the_same_fit(rng):
    X, y, model = fitted(rng)
    for other in (
        pl.DataFrame(X.to_dict("list")),
        X.sample(frac=1, axis=1, random_state=0),
        X.convert_dtypes(),
    ):
        again = ConditionalLogit(UTILITIES, availability=AVAILABILITY).fit(other, y)
        assert again.params_ == model.params_
        assert_array_equal(again.predict_proba(other), model.predict_proba(X))
    numeric = X.drop(columns="person")
    renamed = {name: f"x{j}" for j, name in enumerate(numeric.columns)}
    utilities = {
        label: {name: renamed.get(term, term) for name, term in terms.items()}
        for label, terms in UTILITIES.items()
    }
    availability = {label: renamed[column] for label, column in AVAILABILITY.items()}
    again = ConditionalLogit(utilities, availability=availability)
    again.fit(numeric.to_numpy(dtype=float), y)
    assert again.params_ == model.params_
    again.fit(numeric.to_numpy(dtype=object), y)
    assert again.params_ == model.params_


def test_only_the_columns_in_use_must_be_there_to_predict(rng):
    X, _, model = fitted(rng)
    used = [*[c for c in X.columns if c not in ("person",)]]
    assert_array_equal(model.predict_proba(X[used[::-1]]), model.predict_proba(X))


def test_labels_may_be_numbers_or_booleans(rng):
    X, y, model = fitted(rng)
    numbers = {"train": 30, "sm": 2, "car": 1}
    again = ConditionalLogit(
        {numbers[label]: terms for label, terms in UTILITIES.items()},
        availability={numbers[label]: column for label, column in AVAILABILITY.items()},
    ).fit(X, pd.Series(y).map(numbers))
    assert again.classes_.tolist() == [1, 2, 30]
    assert again.params_ == model.params_
    X = rng.random((60, 1))
    y = X[:, 0] + rng.logistic(size=60) > 0.5
    model = ConditionalLogit({False: {}, True: {"asc": 1, "x": "x0"}}).fit(X, y)
    assert model.classes_.dtype == bool
    assert set(model.predict(X)) <= {True, False}


def test_fixed_parameters_keep_their_values_and_have_no_part_in_the_covariance(rng):
    X, y, free = fitted(rng)
    model = ConditionalLogit(UTILITIES, availability=AVAILABILITY, fixed={"cost": -1.0}).fit(X, y)
    assert model.params_["cost"] == -1.0
    assert model.loglik_ < free.loglik_
    assert model.results_.n_parameters == 4
    errors = model.results_.standard_errors
    position = model.params_.keys().index("cost")
    assert not np.asarray(errors)[position] > 0
    optimum = ConditionalLogit(
        UTILITIES, availability=AVAILABILITY, fixed={"cost": free.params_["cost"]}
    ).fit(X, y)
    assert_allclose(np.asarray(optimum.params_), np.asarray(free.params_), rtol=1e-7)


def test_C_penalises_all_but_what_stands_beside_numbers_only(rng):
    X, y, _ = fitted(rng)
    model = ConditionalLogit(UTILITIES, availability=AVAILABILITY, C=1e-9).fit(X, y)
    assert_allclose(np.asarray(model.params_[["time", "cost", "income"]]), 0, atol=1e-6)
    constants = ConditionalLogit(
        {"train": {"asc_train": 1}, "sm": {}, "car": {"asc_car": 1}}, availability=AVAILABILITY
    ).fit(X, y)
    assert_allclose(
        np.asarray(model.params_[["asc_train", "asc_car"]]),
        np.asarray(constants.params_),
        rtol=1e-5,
    )


def test_C_means_what_it_means_in_the_multinomial_logit(rng):
    X = rng.standard_normal((200, 3))
    y = (X[:, 0] + rng.logistic(size=200) > 0).astype(int)
    ours = ConditionalLogit(C=0.3).fit(X, y)
    other = MultinomialLogit(C=0.3, tol=1e-10).fit(X, y)
    assert_allclose(np.asarray(ours.params_), np.r_[other.intercept_, other.coef_[0]], rtol=1e-6)


def test_frequency_weights_equal_repeated_rows_in_estimates_and_errors(rng):
    X, y = trips(rng)
    weight = rng.integers(0, 4, 400)
    again = np.repeat(np.arange(400), weight)
    for panel, kinds in ((None, ["hessian", "bhhh", "robust"]), ("person", ["robust", "cluster"])):
        model = ConditionalLogit(UTILITIES, availability=AVAILABILITY, panel=panel)
        weighted = clone(model).fit(X, y, sample_weight=weight)
        repeated = clone(model).fit(X.iloc[again], y[again])
        assert_allclose(np.asarray(weighted.params_), np.asarray(repeated.params_), rtol=1e-9)
        assert_allclose(weighted.loglik_, repeated.loglik_)
        for kind in kinds:
            errors = [
                np.asarray(m.results_.with_covariance(kind).standard_errors)
                for m in (weighted, repeated)
            ]
            assert_allclose(errors[0], errors[1], rtol=1e-8)
        assert weighted.results_.n_cases == repeated.results_.n_cases == weight.sum()


def test_sampling_weights_have_no_unit(rng):
    X, y = trips(rng)
    weight = rng.uniform(0.5, 2, 400)
    model = ConditionalLogit(
        UTILITIES, availability=AVAILABILITY, weight_type="sampling", covariance="robust"
    )
    fits = [clone(model).fit(X, y, sample_weight=factor * weight) for factor in (1, 10)]
    assert_allclose(
        np.asarray(fits[0].results_.standard_errors),
        np.asarray(fits[1].results_.standard_errors),
        rtol=1e-9,
    )
    assert fits[0].results_.n_cases == 400
    with pytest.raises(ValueError, match="does not go with weight_type='sampling'"):
        clone(model).set_params(covariance="hessian").fit(X, y, sample_weight=weight)


def test_class_weights_multiply_those_of_the_rows(rng):
    X, y = trips(rng)
    by_class = {"car": 2.0, "train": 0.5}
    model = ConditionalLogit(UTILITIES, availability=AVAILABILITY, class_weight=by_class).fit(X, y)
    weight = pd.Series(y).map(by_class | {"sm": 1.0})
    again = ConditionalLogit(UTILITIES, availability=AVAILABILITY).fit(X, y, sample_weight=weight)
    assert_allclose(np.asarray(model.params_), np.asarray(again.params_), rtol=1e-12)
    balanced = ConditionalLogit(UTILITIES, availability=AVAILABILITY, class_weight="balanced")
    assert balanced.fit(X, y).loglik_ < 0


def test_panels_are_a_column_or_groups_and_need_no_order(rng):
    X, y = trips(rng)
    model = ConditionalLogit(UTILITIES, availability=AVAILABILITY, covariance="cluster")
    by_groups = clone(model).fit(X, y, groups=X["person"])
    by_column = clone(model).set_params(panel="person").fit(X, y)
    order = rng.permutation(400)
    shuffled = clone(model).set_params(panel="person").fit(X.iloc[order], y[order])
    other = clone(model).set_params(panel="income").fit(X, y, groups=X["person"].to_numpy())
    expected = by_groups.results_.standard_errors
    for each in (by_column, shuffled, other):
        assert_allclose(each.results_.standard_errors, expected, rtol=1e-9)
    with pytest.raises(ValueError, match="covariance='cluster' needs clusters"):
        clone(model).fit(X, y)


def test_clusters_are_sums_of_scores(rng):
    """Against the formula, from scores by finite differences of predicted log-probabilities."""
    X, y, model = fitted(rng, panel="person")
    codes = np.searchsorted(model.classes_, y)
    scores = np.empty((400, 5))
    for k in range(5):
        sides = []
        for sign in (1, -1):
            moved = clone(model).set_params(fixed=model.params_.to_dict())
            moved.fixed[model.params_.keys()[k]] += sign * 1e-6
            moved.fit(X, y)
            sides.append(moved.predict_log_proba(X)[np.arange(400), codes])
        scores[:, k] = (sides[0] - sides[1]) / 2e-6
    sums = pd.DataFrame(scores).groupby(X["person"]).sum().to_numpy()
    hessian = np.linalg.inv(np.asarray(model.results_.with_covariance("hessian").covariance))
    bread = np.linalg.inv(hessian)
    expected = np.sqrt(np.diag(bread @ (sums.T @ sums) @ bread))
    found = model.results_.with_covariance("cluster", small_sample=False)
    assert_allclose(np.asarray(found.standard_errors), expected, rtol=1e-5)
    assert_allclose(
        np.asarray(model.results_.with_covariance("robust").standard_errors), expected, rtol=1e-5
    )


def test_a_warm_start_begins_at_the_parameters_of_the_same_name(rng):
    X, y, model = fitted(rng, warm_start=True)
    assert model.fit(X, y).n_iter_ == 1
    fewer = {label: {k: v for k, v in t.items() if k != "income"} for label, t in UTILITIES.items()}
    cold = ConditionalLogit(fewer, availability=AVAILABILITY).fit(X, y)
    warm = model.set_params(utilities=fewer).fit(X, y)
    assert_allclose(np.asarray(warm.params_), np.asarray(cold.params_), rtol=1e-7)


def test_the_number_of_threads_changes_no_bit(rng):
    X, y = trips(rng, 20_000)
    models = [
        ConditionalLogit(UTILITIES, availability=AVAILABILITY, n_jobs=n).fit(X, y) for n in (1, 2)
    ]
    assert models[0].params_ == models[1].params_
    assert_array_equal(*[errors_of(model, "robust") for model in models])


def test_the_order_of_alternatives_and_the_units_of_columns_do_not_matter(rng):
    X, y, model = fitted(rng)
    backwards = dict(reversed(UTILITIES.items()))
    again = ConditionalLogit(backwards, availability=AVAILABILITY).fit(X, y)
    for name, value in model.params_.items():
        assert_allclose(again.params_[name], value, rtol=1e-10)
    costs = [f"{a}_cost" for a in UTILITIES]
    scaled = ConditionalLogit(UTILITIES, availability=AVAILABILITY)
    scaled.fit(X.assign(**{c: X[c] * 1e6 for c in costs}), y)
    assert_allclose(scaled.params_["cost"] * 1e6, model.params_["cost"], rtol=1e-9)
    assert scaled.n_iter_ == model.n_iter_


# --- life of the object ---


def test_a_model_pickles_without_its_data_and_clones(rng):
    X, y = trips(rng, 4000)
    model = ConditionalLogit(UTILITIES, availability=AVAILABILITY, panel="person").fit(X, y)
    stored = pickle.dumps(model)
    assert len(stored) < 20_000
    again = pickle.loads(stored)
    assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert again.params_ == model.params_
    assert str(again.results_.summary()) == str(model.results_.summary())
    assert clone(model).get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        clone(model).predict(X)


def test_a_fit_that_fails_leaves_the_model_as_it_was(rng):
    X, y, model = fitted(rng)
    before = dict(vars(model))
    with pytest.raises(ValueError, match="y holds labels 'bus'"):
        model.fit(X, np.where(y == "sm", "bus", y))
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is before[name] for name in before)


def test_progress_is_shown(rng, capsys):
    X, y, _ = fitted(rng)
    model = ConditionalLogit(UTILITIES, availability=AVAILABILITY, verbose=1).fit(X, y)
    shown = capsys.readouterr()
    text = shown.out + shown.err
    assert "ConditionalLogit" in text
    assert f"{model.n_iter_}" in text


def test_the_smallest_max_iter_warns(rng):
    X, y = trips(rng)
    with pytest.warns(ConvergenceWarning, match="did not converge within max_iter=1"):
        ConditionalLogit(UTILITIES, availability=AVAILABILITY, max_iter=1).fit(X, y)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"C": 0}, ValueError, "C must be a positive number"),
        ({"covariance": "white"}, ValueError, "covariance must be one of 'hessian', 'bhhh'"),
        ({"weight_type": "count"}, ValueError, "weight_type must be one of"),
        ({"tol": 0.0}, ValueError, "tol must be a positive number"),
        ({"max_iter": 0}, ValueError, "max_iter must be an integer >= 1"),
        ({"warm_start": 1}, TypeError, "warm_start must be True or False"),
        ({"n_jobs": 0}, ValueError, "n_jobs=0"),
        ({"panel": 3}, TypeError, "panel must be None or the name of a column"),
        ({"panel": "nobody"}, ValueError, "panel: X has no column 'nobody'"),
        ({"fixed": ["cost"]}, TypeError, "fixed must be None or a dictionary"),
        ({"fixed": {"price": 1.0}}, ValueError, r"fixed: \['price'\] are no parameters"),
        ({"fixed": {"cost": np.nan}}, ValueError, r"fixed\['cost'\] must be a finite number"),
        ({"availability": ["car"]}, TypeError, "availability must be None or a dictionary"),
        ({"availability": {"bus": "income"}}, ValueError, r"availability: \['bus'\] are no alt"),
        ({"availability": {"car": 1}}, ValueError, r"availability\['car'\] must be the name"),
        ({"availability": {"car": "open"}}, ValueError, "availability: X has no column 'open'"),
        ({"class_weight": {"bus": 1.0}}, ValueError, "class_weight names"),
        ({"utilities": [1]}, ValueError, "utilities must be None or a dictionary"),
        ({"utilities": {"car": {"b": 1}}}, ValueError, "at least two alternatives"),
        ({"utilities": {"car": {}, "sm": {}}}, ValueError, "nothing to estimate"),
        ({"utilities": {"car": {"b": 1}, 3: {}}}, ValueError, "all strings or all numbers"),
        ({"utilities": {"car": {"b": None}, "sm": {}}}, ValueError, r"utilities\['car'\]\['b'\]"),
        ({"utilities": {"car": {"b": True}, "sm": {}}}, ValueError, r"utilities\['car'\]\['b'\]"),
        ({"utilities": {"car": {3: 1}, "sm": {}}}, ValueError, "names of parameters are strings"),
        ({"utilities": {"car": ["b"], "sm": {}}}, ValueError, r"utilities\['car'\] must be a dict"),
        ({"utilities": {"car": {"b": "person"}, "sm": {}}}, ValueError, "'person' of X, .* text"),
    ],
)
def test_errors_say_what_is_accepted(rng, options, error, message):
    X, y = trips(rng)
    arguments = {"utilities": UTILITIES, **options}
    with pytest.raises(error, match=message):
        ConditionalLogit(**arguments).fit(X, y)


# --- linear_utilities ---


def test_linear_utilities_writes_the_usual_model():
    utilities = linear_utilities(
        ["train", "sm", "car"],
        generic={"time": "{alt}_time"},
        specific={"cost": {"train": "train_cost", "car": "car_cost"}},
        case={"rich": "income"},
        base="sm",
    )
    assert utilities == {
        "train": {
            "asc_train": 1,
            "time": "train_time",
            "cost_train": "train_cost",
            "rich_train": "income",
        },
        "sm": {"time": "sm_time"},
        "car": {"asc_car": 1, "time": "car_time", "cost_car": "car_cost", "rich_car": "income"},
    }
    bare = linear_utilities([1, 2], generic={"x": "x_{alt}"}, constants=False)
    assert bare == {1: {"x": "x_1"}, 2: {"x": "x_2"}}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alternatives": ["a"]}, "at least two labels"),
        ({"alternatives": ["a", "a"]}, "at least two labels"),
        ({"alternatives": "ab"}, "at least two labels"),
        ({"alternatives": ["a", "b"], "base": "c"}, "base='c' is not among"),
        ({"alternatives": ["a", "b"], "case": "income"}, "case must be a list"),
        ({"alternatives": ["a", "b"], "generic": ["x{alt}"]}, "generic must be a dictionary"),
        ({"alternatives": ["a", "b"], "generic": {"time": "time"}}, "time: expected a column"),
        ({"alternatives": ["a", "b"], "case": ["x"], "specific": {"x": "x{alt}"}}, "two param"),
    ],
)
def test_linear_utilities_refuses_what_makes_no_model(arguments, message):
    with pytest.raises(ValueError, match=message):
        linear_utilities(**arguments)


def test_a_frame_of_floats_is_read_alike_whole_and_in_part(rng):
    values = rng.random((300, 30))
    y = np.where(values[:, 0] - values[:, 15] + rng.logistic(size=300) > 0, "u", "v")
    frame = pd.DataFrame(values, columns=[f"c{j}" for j in range(30)])
    for n in (15, 12):  # all columns, and some
        utilities = {
            "u": {f"b{j}": f"c{j}" for j in range(n)},
            "v": {f"b{j}": f"c{j + 15}" for j in range(n)},
        }
        fits = [
            ConditionalLogit(utilities).fit(X, y)
            for X in (frame, frame.assign(c0=frame["c0"].astype(object)), frame.astype("Float64"))
        ]
        assert fits[0].params_ == fits[1].params_ == fits[2].params_
        renamed = {k: {b: "x" + c[1:] for b, c in t.items()} for k, t in utilities.items()}
        for array in (values, np.asfortranarray(values)):
            assert ConditionalLogit(renamed).fit(array, y).params_ == fits[0].params_
