"""Long data: fitted as they are, turned wide, cross-validated by whole cases."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import KFold

from sksoftmax import ConditionalLogit
from sksoftmax.choice import cross_validate_long, linear_utilities, long_to_wide

COLUMNS = {"case": "trip", "alternative": "mode", "chosen": "chosen"}
MODES = np.array(["bus", "car", "rail", "walk"])


def make_trips(rng, n_cases=200):
    """Ragged, shuffled: a frame with one row per case and available alternative."""
    frame = pd.DataFrame(
        {
            "trip": np.repeat([f"t{i}" for i in rng.permutation(n_cases)], 4),
            "mode": np.tile(MODES, n_cases),
            "time": rng.random(4 * n_cases),
            "cost": rng.random(4 * n_cases),
            "income": np.repeat(rng.random(n_cases), 4),
            "person": np.repeat(rng.integers(n_cases // 3, size=n_cases), 4),
            "weight": np.repeat(rng.integers(1, 4, n_cases), 4),
        }
    )
    open_ = rng.random(4 * n_cases) < 0.7
    open_[::4] = True
    frame = frame[open_]
    utility = -2 * frame["time"] - frame["cost"] + rng.gumbel(size=len(frame))
    frame["chosen"] = utility == utility.groupby(frame["trip"]).transform("max")
    return frame.sample(frac=1, random_state=1)


@pytest.fixture
def trips(rng):
    return make_trips(rng)


def fit(frame, features=("time", "cost"), **options):
    roles = {k: options.pop(k) for k in ("weights", "panel") if k in options}
    return ConditionalLogit(**options).fit_long(frame, features=list(features), **COLUMNS, **roles)


def test_long_and_wide_data_give_the_same_fit(trips):
    long = fit(trips)
    X, y, availability = long_to_wide(trips, **COLUMNS)
    utilities = linear_utilities(
        MODES, generic={"time": "{alt}_time", "cost": "{alt}_cost"}, constants=False
    )
    wide = ConditionalLogit(utilities, availability=availability).fit(X, y)
    assert long.classes_.tolist() == wide.classes_.tolist()
    assert_allclose(np.asarray(long.params_[["time", "cost"]]), np.asarray(wide.params_), rtol=1e-9)
    assert_allclose(long.loglik_, wide.loglik_)
    ours, theirs = long.results_, wide.results_
    assert_allclose(ours.loglik_constants, theirs.loglik_constants)
    assert_allclose(ours.loglik_null, theirs.loglik_null)
    assert ours.n_forced == theirs.n_forced
    for kind in ("hessian", "bhhh", "robust"):
        errors = [m.results_.with_covariance(kind).standard_errors for m in (long, wide)]
        assert_allclose(*errors, rtol=1e-8)


def test_the_order_of_rows_does_not_matter(trips):
    model = fit(trips)
    for other in (trips.sort_values(["trip", "mode"]), trips.sort_values("mode")):
        again = fit(other)
        assert_allclose(np.asarray(again.params_), np.asarray(model.params_), rtol=1e-10)
        assert_allclose(again.loglik_, model.loglik_, rtol=1e-12)


def test_polars_frames_are_read_alike(trips):
    frame = pl.DataFrame(trips.to_dict("list"))
    assert_array_equal(np.asarray(fit(frame).params_), np.asarray(fit(trips).params_))
    proba = fit(frame).predict_proba_long(frame)
    assert isinstance(proba, pl.Series)
    assert_array_equal(proba.to_numpy(), fit(trips).predict_proba_long(trips).to_numpy())


def test_probabilities_keep_the_index_and_sum_to_one_in_each_case(trips):
    model = fit(trips)
    proba = model.predict_proba_long(trips)
    assert proba.index.equals(trips.index)
    assert proba.name == "proba"
    assert_allclose(proba.groupby(trips["trip"]).sum(), 1)
    b = model.params_
    exp = np.exp(b["time"] * trips["time"] + b["cost"] * trips["cost"])
    assert_allclose(proba, exp / exp.groupby(trips["trip"]).transform("sum"), rtol=1e-12)
    assert_allclose(np.log(proba[trips["chosen"]]).sum(), model.loglik_)
    new = trips.drop(columns=["mode", "chosen"]).iloc[:50]  # other choice sets, no choices
    assert_allclose(model.predict_proba_long(new).groupby(new["trip"]).sum(), 1)


def test_weights_equal_repeated_cases(trips):
    weighted = fit(trips, weights="weight")
    repeated = pd.concat(
        [
            trips[trips["weight"] > k].assign(trip=lambda frame, k=k: frame["trip"] + f" {k}")
            for k in range(3)
        ]
    )
    again = fit(repeated)
    assert_allclose(np.asarray(weighted.params_), np.asarray(again.params_), rtol=1e-9)
    for kind in ("hessian", "bhhh", "robust"):
        errors = [m.results_.with_covariance(kind).standard_errors for m in (weighted, again)]
        assert_allclose(*errors, rtol=1e-8)


def test_panels_need_no_order(trips):
    model = fit(trips, panel="person", covariance="cluster")
    again = fit(trips.sort_values("time"), covariance="cluster", panel="person")
    assert_allclose(model.results_.standard_errors, again.results_.standard_errors, rtol=1e-9)
    by_parameter = ConditionalLogit(covariance="cluster", panel="person")
    by_parameter.fit_long(trips, features=["time", "cost"], **COLUMNS)
    assert_allclose(by_parameter.results_.standard_errors, model.results_.standard_errors)


def test_fixed_parameters_and_C_work_for_long_data(trips):
    assert fit(trips, fixed={"cost": -1.0}).params_["cost"] == -1.0
    assert abs(fit(trips, C=1e-6).params_["time"]) < 1e-3
    with pytest.raises(ValueError, match=r"fixed: \['price'\] are no features"):
        fit(trips, fixed={"price": 1.0})


def test_class_weights_are_by_the_chosen_alternative(trips):
    weight = trips["mode"].map({"bus": 2.0}).fillna(1.0)
    of_case = weight.where(trips["chosen"]).groupby(trips["trip"]).transform("max")
    expected = fit(trips.assign(w=of_case), weights="w")
    found = fit(trips, class_weight={"bus": 2.0})
    assert_allclose(np.asarray(found.params_), np.asarray(expected.params_), rtol=1e-10)


def test_inference_sees_long_data(trips, rng):
    model = fit(trips)
    design = model.results_._estimate.model.design(trips)
    assert design.values.shape == (200, 4, 2)
    assert design.available.sum() == len(trips)
    utility = np.where(design.available, design.values @ np.asarray(model.params_), -np.inf)
    shares = np.exp(utility) / np.exp(utility).sum(axis=1, keepdims=True)
    proba = model.predict_proba_long(trips)
    assert_allclose(shares.sum(axis=0), proba.groupby(trips["mode"]).sum())


def test_many_ragged_cases_have_the_same_bits_on_any_number_of_threads(rng):
    frame = make_trips(rng, 20_000)
    models = [fit(frame, n_jobs=n) for n in (1, 2)]
    assert models[0].params_ == models[1].params_


# --- errors name cases ---


def change(frame, row, **values):
    frame = frame.copy()
    for name, value in values.items():
        frame.loc[row, name] = value
    return frame


def test_cases_at_fault_are_named(trips):
    row = trips.index[trips["chosen"]][0]
    case = trips.loc[row, "trip"]
    with pytest.raises(ValueError, match=f"chosen: no choice in cases {case}"):
        fit(change(trips, row, chosen=False))
    others = trips.index[(trips["trip"] == case) & ~trips["chosen"]]
    with pytest.raises(ValueError, match=f"chosen: several choices in cases {case}"):
        fit(change(trips, others[0], chosen=True))
    with pytest.raises(ValueError, match=f"occurs twice in cases {case}"):
        fit(pd.concat([trips, trips.loc[[others[0]]]]))
    with pytest.raises(ValueError, match=f"column 'time' is NaN or infinite in cases {case}"):
        fit(change(trips, row, time=np.nan))
    with pytest.raises(ValueError, match=f"weights: column 'weight' varies within cases {case}"):
        fit(change(trips, row, weight=99), weights="weight")
    with pytest.raises(ValueError, match=f"panel: column 'person' varies within cases {case}"):
        fit(change(trips, row, person=10**6), panel="person")
    with pytest.raises(ValueError, match=r"must hold 1 .* it does not in case"):
        fit(trips.assign(chosen=trips["chosen"] * 2))
    with pytest.raises(ValueError, match="alternative: column 'mode' is missing in row 3"):
        fit(change(trips, trips.index[3], mode=None))
    with pytest.raises(ValueError, match="case: column 'trip' is missing in row 0"):
        fit(change(trips, trips.index[0], trip=None))


def test_many_cases_at_fault_are_counted(trips):
    with pytest.raises(ValueError, match=r"no choice in cases .* and 195 more"):
        fit(trips.assign(chosen=0))


def test_arguments_are_checked(trips):
    with pytest.raises(TypeError, match="frame must be a data frame"):
        fit(trips.to_numpy())
    with pytest.raises(ValueError, match="features: X has no column 'price'"):
        fit(trips, features=["price"])
    with pytest.raises(ValueError, match="features must name at least one column"):
        fit(trips, features=[])
    with pytest.raises(ValueError, match="features must be a list"):
        ConditionalLogit().fit_long(trips, features="time", **COLUMNS)
    with pytest.raises(ValueError, match="utilities must be None for fit_long"):
        fit(trips, utilities={"a": {"b": 1}, "c": {}})
    with pytest.raises(ValueError, match="frame has no rows"):
        fit(trips.iloc[:0])
    with pytest.raises(TypeError, match="case must be the name of a column"):
        ConditionalLogit().fit_long(trips, features=["time"], **{**COLUMNS, "case": 3})
    with pytest.raises(ValueError, match="'mode' of X, which cannot be read as numbers"):
        fit(trips, features=["mode"])
    with pytest.raises(ValueError, match="fitted to long data"):
        fit(trips).predict(trips)
    X, y, availability = long_to_wide(trips, **COLUMNS)
    wide = ConditionalLogit({"bus": {"a": 1}, "car": {}, "rail": {}, "walk": {}})
    with pytest.raises(ValueError, match="fitted by fit_long"):
        wide.set_params(availability=availability).fit(X, y).predict_proba_long(trips)


# --- long_to_wide ---


def test_wide_data_have_a_row_per_case_and_a_column_per_alternative(trips):
    X, y, availability = long_to_wide(trips, **COLUMNS)
    assert X["trip"].tolist() == trips["trip"].drop_duplicates().tolist()
    assert availability == {
        "car": "car_available",
        "rail": "rail_available",
        "walk": "walk_available",
    }
    by_cell = trips.set_index(["trip", "mode"])
    for i, case in enumerate(X["trip"][:40]):
        assert by_cell.loc[(case, y[i]), "chosen"]
        assert X["income"][i] == by_cell.loc[case, "income"].iloc[0]
        for mode in MODES:
            is_open = (case, mode) in by_cell.index
            if mode in availability:
                assert X[f"{mode}_available"][i] == is_open
            time = by_cell.loc[(case, mode), "time"] if is_open else np.nan
            assert_array_equal(X[f"{mode}_time"][i], time)


def test_attributes_may_be_chosen_and_may_be_text(trips):
    trips = trips.assign(colour=trips["mode"].str.upper())
    X, _, _ = long_to_wide(trips, attributes=["colour", "person"], **COLUMNS)
    assert [name for name in X.columns if "avail" not in name] == [
        "trip",
        *[f"{mode}_colour" for mode in MODES],
        "person",
    ]
    assert set(X["car_colour"].dropna()) == {"CAR"}
    assert X["car_colour"].isna().sum() == (~X["car_available"].astype(bool)).sum() > 0


def test_a_missing_value_of_the_whole_case_stays_one_column(trips):
    gone = trips["trip"] == trips["trip"].iloc[0]
    X, _, _ = long_to_wide(trips.assign(income=trips["income"].where(~gone)), **COLUMNS)
    assert np.isnan(X["income"][0])


def test_polars_frames_become_polars_frames(trips):
    X, y, availability = long_to_wide(trips, **COLUMNS)
    other, labels, same = long_to_wide(pl.DataFrame(trips.to_dict("list")), **COLUMNS)
    assert isinstance(other, pl.DataFrame)
    assert other.columns == list(X.columns)
    assert_array_equal(labels, y)
    assert same == availability


def test_columns_of_one_name_are_refused(trips):
    with pytest.raises(ValueError, match=r"would be named \['bus_time'\]"):
        long_to_wide(trips.assign(bus_time=trips["income"]), **COLUMNS)


# --- cross_validate_long ---


def test_folds_keep_cases_whole_and_scores_are_likelihoods(trips):
    scores = cross_validate_long(
        ConditionalLogit(),
        trips,
        features=["time", "cost"],
        cv=4,
        return_estimator=True,
        **COLUMNS,
    )
    assert scores["n_test_cases"].sum() == 200
    assert all(len(scores[name]) == 4 for name in scores)
    assert (scores["test_loglik"] < 0).all()
    assert (scores["test_accuracy"] > 0.3).all()
    assert (scores["train_loglik"] < 0).all()
    model = scores["estimator"][0]
    proba = model.predict_proba_long(trips)
    whole = np.log(proba[trips["chosen"]]).sum()
    n_train = 200 - scores["n_test_cases"][0]
    total = scores["train_loglik"][0] * n_train + scores["test_loglik"][0] * (200 - n_train)
    assert_allclose(total, whole)


def test_folds_keep_panels_whole(trips):
    class Blind:
        """Splits cases, whoever they belong to."""

        def split(self, X, y, groups):
            assert len(X) == len(y) == len(groups) == 200
            return KFold(3).split(X)

    options = {"features": ["time"], "panel": "person", **COLUMNS}
    assert len(cross_validate_long(ConditionalLogit(), trips, **options)["fit_time"]) == 5
    with pytest.raises(ValueError, match="panels between training and test"):
        cross_validate_long(ConditionalLogit(), trips, cv=Blind(), **options)
    options.pop("panel")
    cross_validate_long(ConditionalLogit(), trips, cv=Blind(), **options)
    with pytest.raises(ValueError, match="panels between"):
        cross_validate_long(ConditionalLogit(panel="person"), trips, cv=Blind(), **options)
    with pytest.raises(ValueError, match="cv must be an integer >= 2 or a splitter"):
        cross_validate_long(ConditionalLogit(), trips, cv=1, **options)


def test_effects_and_surpluses_of_long_data_are_refused_rather_than_wrong(rng):
    frame = make_trips(rng)
    results = ConditionalLogit().fit_long(frame, features=["time", "cost"], **COLUMNS).results_
    one_case = frame[frame["trip"] == frame["trip"].iloc[0]]
    for rows in (frame, one_case):
        for effect in (results.elasticities, results.marginal_effects):
            with pytest.raises(ValueError, match=r"rows, but they are .* cases"):
                effect(rows, "time")
        with pytest.raises(ValueError, match=r"rows, but they are .* cases"):
            results.consumer_surplus(rows, rows, price="cost")
