"""Published estimates to all their digits, and agreement with statsmodels."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sksoftmax import ConditionalLogit, MultinomialLogit
from sksoftmax.choice import linear_utilities, long_to_wide

from .data import (
    ELECTRICITY,
    SWISSMETRO,
    SWISSMETRO_AVAILABILITY,
    electricity,
    swissmetro,
    travel_mode,
)


@pytest.fixture(scope="module")
def swiss():
    X, y = swissmetro()
    model = ConditionalLogit(SWISSMETRO, availability=SWISSMETRO_AVAILABILITY, panel="ID")
    return X, y, model.fit(X, y)


def test_swissmetro_is_what_biogeme_larch_and_pylogit_find(swiss):
    X, y, panel = swiss
    model = ConditionalLogit(SWISSMETRO, availability=SWISSMETRO_AVAILABILITY).fit(X, y)
    assert_allclose(model.loglik_, -5331.2520069158, atol=5e-10, rtol=0)
    names = ["ASC_CAR", "ASC_TRAIN", "B_TIME", "B_COST"]
    expected = [-0.154632422468, -0.701186712471, -1.2778602549, -1.08379065149]
    assert_allclose(np.asarray(model.params_[names]), expected, rtol=1e-10)
    assert model.params_.keys() == ["ASC_TRAIN", "B_TIME", "B_COST", "ASC_CAR"]  # as they appear
    order = [model.params_.keys().index(name) for name in names]
    for kind, expected in {
        "hessian": [0.04323547174, 0.05487393317, 0.05688334527, 0.05183019169],
        "robust": [0.05816342821, 0.08256203612, 0.1042544837, 0.0682250577],
    }.items():
        errors = np.asarray(model.results_.with_covariance(kind).standard_errors)[order]
        assert_allclose(errors, expected, rtol=1e-9)
    assert_allclose(np.asarray(panel.params_), np.asarray(model.params_), rtol=1e-12)


def test_travel_mode_is_table_21_11_of_greene():
    frame = travel_mode()
    features = ["asc_air", "asc_train", "asc_bus", "gc", "ttme", "hinc_air"]
    columns = {"case": "individual", "alternative": "mode", "chosen": "choice"}
    long = ConditionalLogit().fit_long(frame, features=features, **columns)
    X, y, availability = long_to_wide(frame, attributes=["gc", "ttme", "hinc"], **columns)
    assert availability == {}
    utilities = linear_utilities(
        ["car", "air", "train", "bus"],
        generic={"gc": "{alt}_gc", "ttme": "{alt}_ttme"},
    )
    utilities["air"]["hinc_air"] = "hinc"
    wide = ConditionalLogit(utilities).fit(X, y)
    expected = {
        "asc_air": (5.20744329865, 0.779055),
        "asc_train": (3.86904270152, 0.443127),
        "asc_bus": (3.16319421186, 0.450266),
        "gc": (-0.0155015253161, 0.004408),
        "ttme": (-0.0961247961044, 0.010440),
        "hinc_air": (0.0132870262506, 0.010262),
    }
    for model in (long, wide):
        assert_allclose(model.loglik_, -199.1283687160, atol=5e-9, rtol=0)
        errors = dict(
            zip(model.params_.keys(), np.asarray(model.results_.standard_errors), strict=True)
        )
        for name, (value, error) in expected.items():
            assert_allclose(model.params_[name], value, rtol=1e-9)
            assert_allclose(errors[name], error, atol=5e-7)
        against_constants = 1 - model.loglik_ / model.results_.loglik_constants
        assert_allclose(against_constants, 0.29825, atol=5e-6)


def test_electricity_is_what_xlogit_finds():
    frame = electricity()
    model = ConditionalLogit(panel="id").fit_long(
        frame, case="chid", alternative="alt", chosen="choice", features=ELECTRICITY
    )
    assert_allclose(model.loglik_, -4958.6491193370, atol=5e-10, rtol=0)
    assert model.results_.n_cases == 4308
    robust, cluster = (
        model.results_.with_covariance(kind).standard_errors for kind in ("robust", "cluster")
    )
    assert_allclose((cluster / robust) ** 2, 361 / 360)  # the panel is the unit of both


def test_conditional_logit_of_statsmodels_agrees(rng):
    from statsmodels.discrete.conditional_models import ConditionalLogit as Peer

    frame = travel_mode()
    frame = frame[(rng.random(len(frame)) < 0.8) | (frame["choice"] == 1)]  # ragged
    features = ["gc", "ttme", "invt", "asc_air"]
    model = ConditionalLogit().fit_long(
        frame, case="individual", alternative="mode", chosen="choice", features=features
    )
    peer = Peer(frame["choice"], frame[features], groups=frame["individual"])
    found = peer.fit(start_params=np.asarray(model.params_), method="newton", disp=False)
    assert_allclose(np.asarray(model.params_), found.params, rtol=1e-6)
    assert_allclose(model.loglik_, found.llf, rtol=1e-9)
    assert_allclose(np.asarray(model.results_.standard_errors), found.bse, rtol=1e-5)


def test_without_utilities_it_is_the_multinomial_logit_of_statsmodels(rng):
    from statsmodels.api import MNLogit, add_constant

    X = rng.standard_normal((400, 3))
    utility = X @ rng.standard_normal((3, 3)) + rng.gumbel(size=(400, 3))
    y = np.array(["a", "b", "c"])[utility.argmax(axis=1)]
    model = ConditionalLogit().fit(X, y)
    codes = np.searchsorted(model.classes_, y)
    peer = MNLogit(codes, add_constant(X)).fit(method="newton", tol=1e-12, disp=False)
    assert_allclose(np.asarray(model.params_), peer.params.T.ravel(), rtol=1e-6)
    assert_allclose(np.asarray(model.results_.standard_errors), peer.bse.T.ravel(), rtol=1e-6)
    assert_allclose(model.loglik_, peer.llf, rtol=1e-12)
    ours = MultinomialLogit(C=np.inf, tol=1e-10).fit(X, y)
    assert_allclose(model.predict_proba(X), ours.predict_proba(X), atol=1e-7)
