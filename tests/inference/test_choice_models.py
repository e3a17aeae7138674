"""`ConditionalLogit.results_` on real data: travel mode (Greene), Swissmetro and electricity."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from numpy.testing import assert_allclose

from sksoftmax import ConditionalLogit
from sksoftmax.choice import long_to_wide

SHARED = Path(__file__).parents[3] / "shared" / "data" / "choice"
MODES = ("air", "bus", "car", "train")


def shared(name, **options):
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"needs {path}, which is not part of the project")
    return pd.read_csv(path, **options)


# --- travel mode ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def travel():
    data = sm.datasets.modechoice.load_pandas().data
    data["mode"] = data["mode"].map({1: "air", 2: "train", 3: "bus", 4: "car"})
    columns = {"case": "individual", "alternative": "mode", "chosen": "choice"}
    X, y, _ = long_to_wide(data, attributes=["gc", "ttme", "hinc"], **columns)
    return X, y


def greene(base="car", income=("air",)):
    utilities = {k: {"b_gc": f"{k}_gc", "b_ttme": f"{k}_ttme"} for k in MODES}
    for k in MODES:
        if k != base:
            utilities[k][f"asc_{k}"] = 1
        if k in income:
            utilities[k][f"b_income_{k}"] = "hinc"
    return utilities


@pytest.fixture(scope="module")
def flight(travel):
    return ConditionalLogit(greene()).fit(*travel).results_


def test_the_table_of_greene(flight):
    """Table 21.11: coefficients, errors, log-likelihood and McFadden's R2."""
    expected = {
        "asc_air": (5.2074, 0.7791),
        "asc_train": (3.8690, 0.4431),
        "asc_bus": (3.1632, 0.4503),
        "b_gc": (-0.0155, 0.0044),
        "b_ttme": (-0.0961, 0.0104),
        "b_income_air": (0.0133, 0.0103),
    }
    frame = flight.to_frame().round(4)
    for name, (value, error) in expected.items():
        assert (frame.loc[name, "coef"], frame.loc[name, "std_err"]) == (value, error), name
    assert round(flight.loglik, 4) == -199.1284
    assert round(flight.mcfadden_r2_constants, 5) == 0.29825
    assert "-199.1284" in str(flight.summary())


@pytest.mark.parametrize("base", MODES)
def test_the_iia_test_does_not_depend_on_the_base(travel, base):
    """mlogit's own example compares constants relative to two bases, and shows -10.77."""
    results = ConditionalLogit(greene(base)).fit(*travel).results_

    test = results.hausman_mcfadden_test(*travel, without="air")

    assert test.df == 4
    assert test.statistic == pytest.approx(33.337, abs=0.001)


def test_score_and_likelihood_ratio_and_wald_of_more_incomes(travel, flight):
    larger = ConditionalLogit(greene(income=("air", "bus", "train"))).fit(*travel).results_

    score = flight.score_test(*travel, utilities=greene(income=("air", "bus", "train")))
    ratio = larger.likelihood_ratio_test(flight)
    wald = larger.wald_test("b_income_bus, b_income_train")

    assert score.df == ratio.df == wald.df == 2
    assert ratio.statistic == pytest.approx(2 * (larger.loglik - flight.loglik))
    assert_allclose([score.statistic, wald.statistic], ratio.statistic, rtol=0.2)


# --- Swissmetro -----------------------------------------------------------------------------------

SWISSMETRO = {
    "train": {"ASC_TRAIN": 1, "B_TIME": "TRAIN_TIME", "B_COST": "TRAIN_COST"},
    "sm": {"B_TIME": "SM_TIME", "B_COST": "SM_COST"},
    "car": {"ASC_CAR": 1, "B_TIME": "CAR_TIME", "B_COST": "CAR_COST"},
}


@pytest.fixture(scope="module")
def swiss():
    X = shared("swissmetro.dat.gz", sep="\t")
    X = X[X["PURPOSE"].isin([1, 3]) & (X["CHOICE"] != 0)].reset_index(drop=True)
    pays = X["GA"] == 0
    X = X.assign(
        TRAIN_OPEN=X["TRAIN_AV"] * (X["SP"] != 0),
        CAR_OPEN=X["CAR_AV"] * (X["SP"] != 0),
        **{f"{k}_TIME": X[f"{k}_TT"] / 100 for k in ("TRAIN", "SM", "CAR")},
        TRAIN_COST=X["TRAIN_CO"] * pays / 100,
        SM_COST=X["SM_CO"] * pays / 100,
        CAR_COST=X["CAR_CO"] / 100,
    )
    y = X["CHOICE"].map({1: "train", 2: "sm", 3: "car"}).to_numpy()
    availability = {"train": "TRAIN_OPEN", "sm": "SM_AV", "car": "CAR_OPEN"}
    model = ConditionalLogit(SWISSMETRO, availability=availability)
    return X, y, model, model.fit(X, y).results_


def test_robust_errors_of_swissmetro_to_all_digits(swiss):
    *_, results = swiss
    expected = {  # coefficient, standard error, robust standard error
        "ASC_CAR": (-0.154632422468, 0.04323547174, 0.05816342821),
        "ASC_TRAIN": (-0.701186712471, 0.05487393317, 0.08256203612),
        "B_TIME": (-1.2778602549, 0.05688334527, 0.1042544837),
        "B_COST": (-1.08379065149, 0.05183019169, 0.0682250577),
    }
    robust = results.with_covariance("robust")
    for name, values in expected.items():
        j = results.names.index(name)
        ours = (results.params[j], results.standard_errors[j], robust.standard_errors[j])
        assert_allclose(ours, values, rtol=1e-9, err_msg=name)
    assert results.loglik == pytest.approx(-5331.2520069158, abs=1e-8)


@pytest.fixture(scope="module")
def few(swiss):
    """800 rows, as elasticities need no more."""
    X, y, model, _ = swiss
    X, y = X[::8], y[::8]
    model.fit(X, y)
    return X, model


@pytest.mark.parametrize("column", ["TRAIN_TIME", "CAR_COST"])
def test_elasticities_of_swissmetro_are_derivatives_of_predictions(few, column):
    X, model = few
    effects = model.results_.elasticities(X, column)

    up, down = (
        model.predict_log_proba(X.assign(**{column: X[column] * f})) for f in (1 + 1e-6, 1 - 1e-6)
    )
    with np.errstate(invalid="ignore"):
        expected = (up - down) / 2e-6
    open_ = np.isfinite(up)
    assert_allclose(effects.by_observation[open_], expected[open_], atol=1e-8)
    assert np.isnan(effects.by_observation[~open_]).all()
    assert (~open_).any()


def test_value_of_time_of_swissmetro(swiss):
    """Francs per minute: both columns are divided by 100."""
    *_, results = swiss
    value = results.ratio("B_TIME", "B_COST")

    assert value.value == pytest.approx(1.2778602549 / 1.08379065149, rel=1e-9)
    fieller = results.ratio("B_TIME", "B_COST", method="fieller")
    assert fieller.shape == "interval"
    assert_allclose([fieller.low, fieller.high], [value.low, value.high], rtol=0.02)


def test_consumer_surplus_of_swissmetro(few):
    X, model = few
    results = model.results_
    cheaper = X.assign(SM_COST=X["SM_COST"] / 2)

    surplus = results.consumer_surplus(X, cheaper, "B_COST")

    before, after = (np.logaddexp.reduce(model.utility(frame), axis=1) for frame in (X, cheaper))
    slope = -results.params[results.names.index("B_COST")]
    assert_allclose(surplus.by_observation, (after - before) / slope, atol=1e-12)
    assert surplus.average > 0


def test_results_of_a_choice_model_pickle_without_x(few):
    X, model = few
    stored = pickle.dumps(model.results_)

    assert len(stored) < 10_000
    again = pickle.loads(stored)
    assert str(again.summary()) == str(model.results_.summary())
    ours, theirs = (r.elasticities(X, "CAR_TIME") for r in (model.results_, again))
    np.testing.assert_array_equal(ours.by_observation, theirs.by_observation)


def test_a_panel_clusters_by_person(swiss):
    """Nine choices of a person: xlogit takes them for independent."""
    X, y, model, results = swiss
    panel = ConditionalLogit(
        SWISSMETRO, availability=model.availability, panel="ID", covariance="cluster"
    )
    clustered = panel.fit(X, y).results_

    n_people = X["ID"].nunique()
    assert f"{n_people:,} clusters" in str(clustered.summary())
    assert_allclose(clustered.params, results.params, rtol=1e-9)
    assert (clustered.standard_errors > 1.2 * results.standard_errors).all()
    order = np.random.default_rng(0).permutation(len(X))
    shuffled = panel.fit(X.iloc[order], y[order]).results_
    assert_allclose(shuffled.standard_errors, clustered.standard_errors, rtol=1e-9)


# --- electricity ----------------------------------------------------------------------------------


def test_electricity_is_clustered_by_person():
    frame = shared("electricity.csv.gz")
    features = ["pf", "cl", "loc", "wk", "tod", "seas"]
    model = ConditionalLogit(panel="id", covariance="cluster")
    model.fit_long(frame, features=features, case="chid", alternative="alt", chosen="choice")

    results = model.results_

    assert results.loglik == pytest.approx(-4958.6491193, abs=1e-6)
    assert results.n_cases == 4308
    assert "361 clusters" in str(results.summary())
    hessian = results.with_covariance("hessian").standard_errors
    assert results.standard_errors[1] > 1.5 * hessian[1]  # contract length, the same for a person


# --- penalties and held parameters ----------------------------------------------------------------


def test_a_search_over_penalties_does_not_warn_and_its_statistics_do(travel):
    model = ConditionalLogit(greene(), C=1.0).fit(*travel)  # warnings are errors here

    with pytest.warns(UserWarning, match="C=np.inf"):
        model.results_.standard_errors  # noqa: B018 - reading it warns


def test_held_parameters_are_tested_with_the_others(travel, flight):
    held = ConditionalLogit(greene(), fixed={"b_gc": -0.0155015253161}).fit(*travel).results_

    assert held.n_parameters == 5
    assert_allclose(held.params, flight.params, rtol=1e-6)
    test = flight.likelihood_ratio_test(held)
    assert (test.df, round(test.statistic, 6)) == (1, 0.0)
    value = held.willingness_to_pay("b_ttme", "b_gc")
    j = held.names.index("b_ttme")
    assert value.standard_error == pytest.approx(held.standard_errors[j] / 0.0155015253161)


def test_undetermined_constants_are_marked_and_the_rest_is_published(travel, flight):
    from sklearn.exceptions import ConvergenceWarning

    with pytest.warns(ConvergenceWarning, match="asc_"):
        results = ConditionalLogit(greene(base=None)).fit(*travel).results_

    errors = dict(zip(results.names, results.standard_errors, strict=True))
    assert {name for name, e in errors.items() if np.isnan(e)} == {f"asc_{k}" for k in MODES}
    assert errors["b_gc"] == pytest.approx(flight.standard_errors[flight.names.index("b_gc")])
    assert results.n_parameters == 6
    ours, theirs = (r.wald_test("asc_bus = asc_train").statistic for r in (results, flight))
    assert ours == pytest.approx(theirs, rel=1e-6)


def test_derived_columns_are_right_far_below_their_typical_size(rng):
    X = pd.DataFrame({"time": rng.uniform(1, 3, 300)})
    X.loc[0, "time"] = 1.3e-5
    X["log_time"] = np.log(X["time"])
    y = np.where(rng.random(300) < 0.6, "bus", "car")
    model = ConditionalLogit({"bus": {"b": "log_time"}, "car": {"asc": 1}}).fit(X, y)
    found = model.results_.elasticities(
        X, "time", transform=lambda frame: frame.assign(log_time=np.log(frame["time"]))
    ).by_observation
    expected = model.params_["b"] * (1 - model.predict_proba(X)[:, 0])
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-6)
