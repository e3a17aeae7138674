"""Where today's tools are silently wrong: the table of docs/guide/calibration.rst, as a test.

Each case says what `TemperatureScaling` does, and what `CalibratedClassifierCV(method=
"temperature")` of scikit-learn 1.8 and 1.9 and netcal do. When a peer mends a case, its half fails
and the table is due for a change; on other versions of scikit-learn it is skipped.
"""

import math

import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator

from sksoftmax import TemperatureScaling, functional

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
KNOWN = sklearn.__version__.startswith(("1.8.", "1.9."))
peer = pytest.mark.skipif(not KNOWN, reason="the table is about scikit-learn 1.8 and 1.9")
BEST = 0.7198  # nats, three classes at the optimum; 1.0986 says nothing


class Given(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose decision function is X."""

    def __init__(self, classes=None):
        self.classes = classes

    def fit(self, X, y):
        return self

    def __sklearn_is_fitted__(self):
        return True

    @property
    def classes_(self):
        return np.asarray(self.classes)

    def decision_function(self, X):
        return X[:, 1] - X[:, 0] if X.shape[1] == 2 else X

    def predict(self, X):
        return self.classes_[X.argmax(axis=1)]


def drawn(n_classes=3):
    """1000 rows of logits with T = 2, and labels 0..n_classes-1."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(1000, n_classes)) * 1.5
    return 2 * logits, (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)


def ours(logits, codes, labels=(0, 1, 2)):
    classes = np.asarray(labels)
    model = TemperatureScaling(FrozenEstimator(Given(classes)))
    return model.fit(logits, classes[codes])


def theirs(logits, codes, labels=(0, 1, 2), **parameters):
    classes = np.asarray(labels)
    inner = FrozenEstimator(Given(classes))
    model = CalibratedClassifierCV(inner, method="temperature", **parameters)
    return model.fit(logits, classes[codes])


def nll(model, logits, codes):
    return -np.log(model.predict_proba(logits)[np.arange(len(codes)), codes]).mean()


def netcal(logits, codes):
    """The weight 1 / T that netcal finds, from probabilities."""
    scaling = pytest.importorskip("netcal.scaling")
    model = scaling.TemperatureScaling()
    proba = functional.softmax(logits)
    model.fit(proba if proba.shape[1] > 2 else proba[:, 1], codes, tensorboard=False)
    return float(model.temperature[0])


# --- labels that are not 0, 1, 2, ... ---

LABELS = [(1, 2, 3), (5, 15, 25), (-1, 0, 1)]
TWO_LABELS = [((1, 2), 0.6930), ((-1, 1), 0.5325)]


@pytest.mark.parametrize("labels", LABELS, ids=str)
def test_other_labels(labels):
    logits, codes = drawn()
    assert nll(ours(logits, codes, labels), logits, codes) == pytest.approx(BEST, abs=1e-4)


@peer
@pytest.mark.parametrize("labels", LABELS, ids=str)
def test_other_labels_in_sklearn_lose_all_information(labels):
    logits, codes = drawn()
    assert nll(theirs(logits, codes), logits, codes) == pytest.approx(BEST, abs=1e-4)
    assert nll(theirs(logits, codes, labels), logits, codes) > 1.09


def test_other_labels_in_netcal_are_an_error():
    logits, codes = drawn()
    assert netcal(logits, codes) == pytest.approx(0.4961, abs=1e-4)
    with pytest.raises(IndexError):
        netcal(logits, codes + 1)


@pytest.mark.parametrize(("labels", "wrong"), TWO_LABELS, ids=str)
def test_two_other_labels(labels, wrong):
    logits, codes = drawn(2)
    assert nll(ours(logits, codes, labels), logits, codes) == pytest.approx(0.4576, abs=1e-4)


@peer
@pytest.mark.parametrize(("labels", "wrong"), TWO_LABELS, ids=str)
def test_two_other_labels_in_sklearn(labels, wrong):
    logits, codes = drawn(2)
    try:
        model = theirs(logits, codes, labels)
    except RuntimeError as error:  # it reads beyond an array, and may meet a NaN there
        assert "NaN result" in str(error)
        return
    assert nll(model, logits, codes) == pytest.approx(wrong, abs=1e-3)


# --- two classes: a calibrated score has T = 1 ---


def test_two_class_scores_have_their_own_temperature():
    assert ours(*drawn(2), (0, 1)).temperature_ == pytest.approx(2.105, abs=1e-3)


@peer
def test_two_class_scores_in_sklearn_have_twice_that():
    model = theirs(*drawn(2), (0, 1))
    beta = model.calibrated_classifiers_[0].calibrators[0].beta_
    assert 1 / beta == pytest.approx(4.211, abs=1e-3)


# --- the scale of the logits ---


@pytest.mark.parametrize("scale", [1e6, 1e-6])
def test_scale(scale):
    logits, codes = drawn()
    model = ours(logits * scale, codes)
    assert nll(model, logits * scale, codes) == pytest.approx(BEST, abs=1e-4)


@peer
@pytest.mark.parametrize(("scale", "wrong"), [(1e6, 28.5), (1e-6, 1.057)])
def test_scale_in_sklearn_stops_at_its_bound(scale, wrong):
    logits, codes = drawn()
    assert nll(theirs(logits * scale, codes), logits * scale, codes) == pytest.approx(wrong, 0.01)


# --- few rows, missing classes ---


def few():
    """20 rows, four of them of the first class."""
    logits, codes = drawn()
    rows = [np.flatnonzero(codes == k)[:count] for k, count in ((0, 4), (1, 8), (2, 8))]
    return logits[np.concatenate(rows)], codes[np.concatenate(rows)]


def test_twenty_rows():
    assert 0.5 < ours(*few()).temperature_ < 20


@peer
def test_twenty_rows_in_sklearn_with_five_folds_are_an_error():
    with pytest.raises(ValueError, match="less than 5 examples"):
        theirs(*few(), cv=5)


@pytest.mark.parametrize("missing", [1, 2])
def test_a_missing_class(missing):
    logits, codes = drawn()
    rows = codes != missing
    model = ours(logits[rows], codes[rows])
    assert model.temperature_ == pytest.approx(2, rel=0.2)
    assert model.predict_proba(logits).shape == (1000, 3)


@peer
@pytest.mark.parametrize("missing", [1, 2])
def test_a_missing_class_in_sklearn_is_an_index_error(missing):
    logits, codes = drawn()
    rows = codes != missing
    with pytest.raises(IndexError):
        nll(theirs(logits[rows], codes[rows]), logits, codes)


# --- logits of the wrong sign ---


def test_wrong_sign():
    logits, codes = drawn()
    with pytest.warns(ConvergenceWarning, match="wrong sign"):
        model = ours(-logits, codes)
    assert (model.temperature_, model.status_) == (math.inf, "uninformative")
    np.testing.assert_array_equal(model.predict(-logits), (-logits).argmax(axis=1))


@peer
def test_wrong_sign_in_sklearn_stops_at_its_bound_without_a_word():
    logits, codes = drawn()
    beta = theirs(-logits, codes).calibrated_classifiers_[0].calibrators[0].beta_
    assert beta == pytest.approx(math.exp(-10), rel=1e-3)


def test_wrong_sign_in_netcal_turns_the_predictions_round():
    logits, codes = drawn()
    assert netcal(-logits, codes) < 0


# --- separable labels ---


def test_separable():
    logits, _ = drawn()
    with pytest.warns(ConvergenceWarning, match="T -> 0"):
        model = ours(logits, logits.argmax(axis=1))
    assert model.status_ == "separable"
    assert 0.01 < model.temperature_ < 1
    assert np.isfinite(model.predict_log_proba(logits)).all()


@peer
def test_separable_in_sklearn_stops_at_its_bound_without_a_word():
    logits, _ = drawn()
    model = theirs(logits, logits.argmax(axis=1))
    assert model.calibrated_classifiers_[0].calibrators[0].beta_ > 1000


# --- one row alone ---


def test_a_row_alone_is_predicted_as_in_a_batch():
    logits, codes = drawn()
    row = np.array([[0.2, 0.3, 0.5]])  # logits that look like probabilities
    model = ours(logits, codes)
    batch = model.predict_proba(np.vstack([row, logits[:3]]))
    np.testing.assert_array_equal(model.predict_proba(row)[0], batch[0])


@peer
def test_a_row_alone_in_sklearn_is_predicted_otherwise():
    logits, codes = drawn()
    row = np.array([[0.2, 0.3, 0.5]])
    model = theirs(logits, codes)
    batch = model.predict_proba(np.vstack([row, logits[:3]]))
    assert abs(model.predict_proba(row)[0] - batch[0]).max() > 0.01


# --- confidence exactly 0 and 1; masks; weights ---


def test_confidence_zero_and_one():
    """Both peers do this well too."""
    _, codes = drawn()
    votes = np.eye(3)[np.where(np.arange(1000) % 5, codes, (codes + 1) % 3)]
    model = TemperatureScaling(input="proba").fit(votes, codes)
    np.testing.assert_allclose(model.predict_proba(votes).max(axis=1), 0.8, rtol=1e-9)


def masked():
    logits, codes = drawn()
    logits[np.arange(1000), (codes + 1) % 3] = -np.inf
    return logits, codes


def test_masked_logits():
    logits, codes = masked()
    proba = ours(logits, codes).predict_proba(logits)
    np.testing.assert_array_equal(proba == 0, logits == -np.inf)


@peer
def test_masked_logits_in_sklearn_are_an_error():
    with pytest.raises(ValueError, match="infinity"):
        theirs(*masked())


def test_negative_weights_are_refused():
    logits, codes = drawn()
    model = TemperatureScaling(input="logits")
    with pytest.raises(ValueError, match="sample_weight: row 3 is negative"):
        model.fit(logits, codes, np.where(np.arange(1000) == 3, -0.1, 1.0))
