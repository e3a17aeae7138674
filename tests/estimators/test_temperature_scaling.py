"""TemperatureScaling: the optimum, every kind of input and label, folds, frozen estimators."""

import math
import pickle
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold, cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC, LinearSVC

from sksoftmax import MultinomialLogit, TemperatureScaling, functional

CALIBRATION = Path(__file__).parents[2] / "../shared/data/calibration"


@pytest.fixture
def drawn():
    """Logits (400, 4) of temperature 3, and labels 0..3."""
    rng = np.random.default_rng(3)
    logits = rng.normal(scale=1.5, size=(400, 4))
    return 3 * logits, (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:600], y[:600]


scaling_of_logits = partial(TemperatureScaling, input="logits")
scaling_of_proba = partial(TemperatureScaling, input="proba")


def nll(proba, codes):
    return -np.log(proba[np.arange(len(codes)), codes]).mean()


# --- the optimum ---


def test_entropy_equals_log_loss_at_the_optimum(drawn):
    logits, y = drawn
    model = scaling_of_logits().fit(logits, y)
    entropy = functional.entropy(logits, temperature=model.temperature_).mean()
    assert entropy == pytest.approx(nll(model.predict_proba(logits), y), rel=1e-12)
    assert model.status_ == "converged"
    assert model.temperature_ == pytest.approx(3, rel=0.2)
    low, high = model.temperature_interval_
    assert low < 3 < high


def test_no_other_temperature_has_a_smaller_loss(drawn):
    logits, y = drawn
    model = scaling_of_logits().fit(logits, y)
    best = functional.cross_entropy(logits, y, temperature=model.temperature_)
    for factor in (0.999, 1.001):
        assert functional.cross_entropy(logits, y, temperature=model.temperature_ * factor) > best


def test_the_interval_covers_as_often_as_it_says():
    """500 rows, 2000 repeats: 93 to 97 per cent."""
    rng, covered, repeats = np.random.default_rng(11), 0, 2000
    model = scaling_of_logits()
    for _ in range(repeats):
        logits = rng.normal(scale=1.5, size=(500, 5))
        y = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
        low, high = model.fit(2.5 * logits, y, classes=range(5)).temperature_interval_
        covered += low < 2.5 < high
    assert 0.93 <= covered / repeats <= 0.97


def published(name, temperature, digits, losses, ece):
    if not CALIBRATION.is_dir():
        pytest.skip("../shared/data is not here")
    data = np.load(CALIBRATION / f"{name}.npz")
    proba, y = data["predictions"], data["ground_truth"].ravel()
    model = scaling_of_proba().fit(proba[:5000], y[:5000], classes=range(proba.shape[1]))
    assert round(model.temperature_, 5) == temperature
    calibrated = model.predict_proba(proba[5000:].astype(np.float64))
    raw = proba[5000:].astype(np.float64)
    raw /= raw.sum(axis=1, keepdims=True)
    assert [round(nll(p, y[5000:]), digits) for p in (raw, calibrated)] == losses
    assert [round(100 * ece_15(p, y[5000:]), 3) for p in (raw, calibrated)] == ece


def ece_15(proba, y):
    confidence, hit = proba.max(axis=1), proba.argmax(axis=1) == y
    bins = np.minimum((confidence * 15).astype(int), 14)
    return np.abs(np.bincount(bins, confidence - hit)).sum() / len(y)


def test_densenet_on_cifar_100():
    losses, ece = [1.2116, 0.8666], [14.473, 1.374]
    published("densenet-bc-100-cifar-100", 2.12090, 4, losses, ece)


def test_wideresnet_on_cifar_10():
    losses, ece = [0.3737, 0.2704], [5.517, 0.692]
    published("wideresnet-16-4-cifar-10", 2.05922, 4, losses, ece)


@pytest.mark.parametrize("objective", ["brier", "ece"])
def test_other_objectives_beat_the_temperature_of_the_log_loss(objective, drawn):
    logits, y = drawn

    def brier(proba):
        return ((proba - np.eye(4)[y]) ** 2).sum(axis=1).mean()

    score = brier if objective == "brier" else partial(ece_15, y=y)
    nll_model = scaling_of_logits().fit(logits, y)
    model = scaling_of_logits(objective=objective).fit(logits, y)
    assert score(model.predict_proba(logits)) < score(nll_model.predict_proba(logits))
    assert 1 / 4 < model.temperature_ / nll_model.temperature_ < 4
    assert np.isnan(model.temperature_interval_).all()
    if objective == "brier":  # smooth: the derivative vanishes
        steps = [
            brier(functional.softmax(logits, temperature=model.temperature_ * f))
            for f in (1 - 1e-4, 1, 1 + 1e-4)
        ]
        assert steps[1] <= min(steps)


@pytest.mark.parametrize("objective", ["brier", "ece"])
def test_a_search_that_ends_at_its_bound_says_so(objective):
    """Two absurd errors decide the log-loss, and cost the other scores no more than others."""
    rng = np.random.default_rng(0)
    score = rng.normal(scale=3, size=400)
    y = (rng.random(400) < 1 / (1 + np.exp(-score))).astype(int)
    score[:5], y[:5] = 300, [1, 1, 1, 0, 0]
    best = scaling_of_logits().fit(score[:, None], y).temperature_
    with pytest.warns(ConvergenceWarning, match="temperature_ stops there"):
        model = scaling_of_logits(objective=objective).fit(score[:, None], y)
    assert model.status_ == "bounded"
    assert model.temperature_ == pytest.approx(best / 4)


@pytest.mark.parametrize("objective", ["nll", "brier", "ece"])
def test_the_largest_weights_do_not_overflow(objective, drawn):
    logits, y = drawn
    model = scaling_of_logits(objective=objective)
    expected = model.fit(logits, y).temperature_
    for weight in (1e308, 5e-324):
        found = model.fit(logits, y, np.full(400, weight))
        assert found.temperature_ == pytest.approx(expected, rel=1e-6)
        assert found.status_ == "converged"


def test_weights_count_as_duplicates(drawn):
    logits, y = drawn
    weight = np.random.default_rng(0).integers(0, 3, len(y))
    rows = np.repeat(np.arange(len(y)), weight)
    for objective, rel in (("nll", 1e-12), ("brier", 1e-6)):
        weighted = scaling_of_logits(objective=objective).fit(logits, y, weight)
        repeated = scaling_of_logits(objective=objective).fit(logits[rows], y[rows])
        assert weighted.temperature_ == pytest.approx(repeated.temperature_, rel=rel)


# --- what X is ---


def test_log_probabilities_and_logits_give_the_same(drawn):
    logits, y = drawn
    proba = functional.softmax(logits)
    one, other = scaling_of_logits().fit(logits, y), scaling_of_proba().fit(proba, y)
    assert one.temperature_ == pytest.approx(other.temperature_, rel=1e-12)
    assert_allclose(one.predict_proba(logits), other.predict_proba(proba), rtol=1e-10)


def test_logits_that_look_like_probabilities_are_logits(drawn):
    _, y = drawn
    logits = functional.softmax(drawn[0])
    one = scaling_of_logits().fit(logits, y)
    assert_allclose(
        one.predict_proba(logits[:5]),
        functional.softmax(logits[:5], temperature=one.temperature_),
    )


def test_a_single_column_is_the_score_of_the_second_class(drawn):
    logits, y = drawn
    y = y // 2
    score = logits[:, :1] - logits[:, 1:2]
    one = scaling_of_logits().fit(score, y)
    two = scaling_of_logits().fit(np.hstack([np.zeros_like(score), score]), y)
    assert one.temperature_ == two.temperature_
    assert_array_equal(one.decision_function(score), score[:, 0] / one.temperature_)
    assert one.predict_proba(score).shape == (400, 2)


def test_float32_stays_float32_and_agrees(drawn):
    logits, y = drawn
    single = logits.astype(np.float32)
    model = scaling_of_logits().fit(single, y)
    assert model.predict_proba(single).dtype == np.float32
    expected = scaling_of_logits().fit(single.astype(float), y)
    assert model.temperature_ == pytest.approx(expected.temperature_, rel=1e-12)


def test_zero_and_one_as_probabilities(drawn):
    """Hard votes: the temperature turns them into the accuracy."""
    _, y = drawn
    votes = np.eye(4)[np.where(np.arange(len(y)) % 5, y, (y + 1) % 4)]
    model = scaling_of_proba().fit(votes, y)
    proba = model.predict_proba(votes)
    assert_allclose(proba.max(axis=1), 0.8, rtol=1e-9)
    assert np.isfinite(model.predict_log_proba(votes)).all()


def test_an_estimator_with_input_logits_is_refused(drawn):
    with pytest.raises(ValueError, match="estimator must be None with input='logits'"):
        scaling_of_logits(GaussianNB()).fit(*drawn)


def test_logits_given_as_probabilities_are_refused_with_the_row(drawn):
    logits, y = drawn
    with pytest.raises(ValueError, match=r"X: row 0 .*use input='logits'"):
        scaling_of_proba().fit(logits, y)
    proba = functional.softmax(logits)
    proba[7] *= 2
    with pytest.raises(ValueError, match=r"X: row 7 does not sum to 1"):
        scaling_of_proba().fit(proba, y)


@pytest.mark.parametrize(("value", "reason"), [(np.nan, "NaN"), (np.inf, r"\+inf")])
def test_a_bad_row_is_named_in_fit_and_predict(value, reason, drawn):
    logits, y = drawn
    model = scaling_of_logits().fit(logits, y)
    logits[17, 2] = value
    for call in (lambda X: model.fit(X, y), model.predict, model.predict_proba):
        with pytest.raises(ValueError, match=f"X: row 17 has {reason}"):
            call(logits)
    assert model.predict(logits[:5]).shape == (5,)  # a failed fit leaves the model


def test_masked_arrays_and_numbers_to_regress_on_are_refused(drawn):
    logits, y = drawn
    masked = np.ma.masked_less(logits, 0)
    for arguments, name in (((masked, y), "X"), ((logits, np.ma.masked_equal(y, 1)), "y")):
        with pytest.raises(ValueError, match=f"{name} is a masked array"):
            scaling_of_logits().fit(*arguments)
    with pytest.raises(ValueError, match="masked"):
        scaling_of_logits().fit(logits, y).predict(masked)
    for model in (scaling_of_logits(), TemperatureScaling()):
        with pytest.raises(ValueError, match="continuous"):
            model.fit(logits, logits[:, 0])


def test_columns_must_match_the_classes(drawn):
    logits, y = drawn
    with pytest.raises(ValueError, match="X has 4 columns, but there are 3 classes"):
        scaling_of_logits().fit(logits, np.where(y == 3, 0, y))
    with pytest.raises(ValueError, match="not among the classes"):
        scaling_of_logits().fit(logits, y, classes=[0, 1, 2, 4])
    with pytest.raises(ValueError, match="classes must be sorted"):
        scaling_of_logits().fit(logits, y, classes=[1, 0, 2, 3])


def test_a_frame_with_the_classes_in_another_order_is_refused(drawn):
    pd = pytest.importorskip("pandas")
    logits, y = drawn
    names = np.array(["a", "b", "c", "d"])
    frame = pd.DataFrame(logits, columns=names)
    model = scaling_of_logits().fit(frame, names[y])
    assert_array_equal(model.feature_names_in_, names)
    with pytest.raises(ValueError, match="another order"):
        scaling_of_logits().fit(frame[["b", "a", "c", "d"]], names[y])


# --- labels ---


@pytest.mark.parametrize(
    "labels",
    [[0, 1, 2, 3], [1, 2, 3, 4], [-1, 5, 6, 90], ["w", "x", "y", "z"], [0.0, 1.0, 2.0, 3.0]],
    ids=str,
)
def test_labels_of_any_kind_give_the_same_temperature(labels, drawn):
    logits, y = drawn
    expected = scaling_of_logits().fit(logits, y)
    model = scaling_of_logits().fit(logits, np.array(labels)[y])
    assert model.temperature_ == expected.temperature_
    assert_array_equal(model.classes_, labels)
    assert_array_equal(model.predict(logits), np.array(labels)[logits.argmax(axis=1)])
    assert_array_equal(model.predict_proba(logits), expected.predict_proba(logits))


@pytest.mark.parametrize("labels", [[False, True], [-1, 1], [1, 2], [1, 5], ["no", "yes"]], ids=str)
def test_two_classes_of_any_name(labels):
    X, y = load_breast_cancer(return_X_y=True)
    inner = GaussianNB().fit(X[:300], y[:300])
    named = GaussianNB().fit(X[:300], np.array(labels)[y[:300]])
    expected = TemperatureScaling(FrozenEstimator(inner)).fit(X[300:], y[300:])
    model = TemperatureScaling(FrozenEstimator(named)).fit(X[300:], np.array(labels)[y[300:]])
    assert model.temperature_ == pytest.approx(expected.temperature_, rel=1e-12)
    assert_array_equal(model.predict(X), np.array(labels)[expected.predict(X)])


# --- degenerate data ---


def test_wrong_sign_is_uninformative_never_a_negative_temperature(drawn):
    logits, y = drawn
    with pytest.warns(ConvergenceWarning, match="T = inf"):
        model = scaling_of_logits().fit(-logits, y)
    assert (model.status_, model.temperature_) == ("uninformative", math.inf)
    assert_allclose(model.predict_proba(-logits), 0.25)
    assert_array_equal(model.predict(-logits), (-logits).argmax(axis=1))  # of the unscaled logits
    assert_array_equal(model.decision_function(-logits), np.zeros((400, 4)))


def test_separable_labels_get_a_finite_temperature(drawn):
    logits, _ = drawn
    y = logits.argmax(axis=1)
    with pytest.warns(ConvergenceWarning, match="T -> 0"):
        model = scaling_of_logits().fit(logits, y)
    assert model.status_ == "separable"
    assert 0 < model.temperature_ < math.inf
    smoothing = 1 / (400 + 4)
    best = functional.cross_entropy(
        logits, y, temperature=model.temperature_, label_smoothing=smoothing
    )
    for factor in (0.99, 1.01):
        temperature = model.temperature_ * factor
        assert best < functional.cross_entropy(
            logits, y, temperature=temperature, label_smoothing=smoothing
        )


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_any_scale_of_the_logits(scale, drawn):
    logits, y = drawn
    one, scaled = scaling_of_logits().fit(logits, y), scaling_of_logits().fit(logits * scale, y)
    assert scaled.temperature_ / scale == pytest.approx(one.temperature_, rel=1e-12)
    assert_allclose(scaled.predict_proba(logits * scale), one.predict_proba(logits), rtol=1e-9)
    assert scaled.n_iter_ <= 8


def test_masked_logits_have_probability_zero(drawn):
    logits, y = drawn
    logits[np.arange(400), (y + 1) % 4] = -np.inf
    model = scaling_of_logits().fit(logits, y)
    proba = model.predict_proba(logits)
    assert_array_equal(proba == 0, logits == -np.inf)
    assert_array_equal(model.decision_function(logits) == -np.inf, logits == -np.inf)
    logits[9, y[9]] = -np.inf
    with pytest.raises(ValueError, match="y: row 9 is a class that is not available"):
        scaling_of_logits().fit(logits, y)


def test_ties_are_predicted_as_the_first_class(drawn):
    model = scaling_of_logits().fit(*drawn)
    assert_array_equal(model.predict([[1.0, 1, 1, 1], [0, 1, 1, 0]]), [0, 1])
    close = np.array([[1.0, 1 + 1e-15, 0, 0]])  # its probabilities round to a tie
    assert model.predict(close) == 1


def test_one_row_is_predicted_as_in_a_batch(drawn, digits):
    logits, y = drawn
    proba = functional.softmax(logits)
    for model, X in [
        (scaling_of_logits().fit(logits, y), logits),
        (scaling_of_proba().fit(proba, y), proba),
        (TemperatureScaling().fit(*digits), digits[0]),
        (TemperatureScaling(RandomForestClassifier(20, random_state=0)).fit(*digits), digits[0]),
    ]:
        batch = model.predict_proba(X)
        for row in (0, 3, 250):
            assert_array_equal(model.predict_proba(X[row : row + 1])[0], batch[row])


# --- estimators ---


def test_out_of_fold_logits_one_temperature_and_a_refit(digits):
    X, y = digits
    cv = StratifiedKFold(4, shuffle=True, random_state=0)
    model = TemperatureScaling(GaussianNB(), cv=cv).fit(X, y)
    log_proba = cross_val_predict(GaussianNB(), X, y, cv=cv, method="predict_log_proba")
    expected = scaling_of_logits().fit(log_proba, y)
    assert model.temperature_ == pytest.approx(expected.temperature_, rel=1e-10)
    inner = GaussianNB().fit(X, y)
    assert_allclose(
        model.predict_log_proba(X),
        functional.log_softmax(inner.predict_log_proba(X), temperature=model.temperature_),
        rtol=1e-8,
    )
    assert_array_equal(model.predict(X), inner.predict(X))
    assert model.n_features_in_ == 64


def test_parallel_folds_give_the_same(digits):
    X, y = digits
    one, two = (TemperatureScaling(GaussianNB(), n_jobs=n).fit(X, y) for n in (1, 2))
    assert one.temperature_ == two.temperature_


def test_a_model_on_its_own_training_data_is_calibrated(two_classes, overlapping):
    """Maximum likelihood has T = 1: (0, z) for two classes, not (-z, z)."""
    for X, y in (two_classes, overlapping):
        for inner in (MultinomialLogit(C=np.inf, tol=1e-9), LogisticRegression(C=1e12, tol=1e-10)):
            frozen = FrozenEstimator(inner.fit(X, y))
            model = TemperatureScaling(frozen).fit(X, y)
            assert model.temperature_ == pytest.approx(1, abs=1e-5)
            assert_allclose(model.predict_proba(X), inner.predict_proba(X), rtol=1e-3)


@pytest.mark.parametrize(
    "inner",
    [
        LogisticRegression(max_iter=500),
        SVC(),
        LinearSVC(),
        GaussianNB(),
        RandomForestClassifier(30, random_state=0),
    ],
    ids=lambda inner: type(inner).__name__,
)
@pytest.mark.parametrize("n_classes", [2, 4])
def test_every_kind_of_response(inner, n_classes, digits):
    X, y = digits
    rows = y < n_classes
    X, y = X[rows][:, ::3] / 16 + np.random.default_rng(0).normal(0, 0.7, (rows.sum(), 22)), y[rows]
    model = TemperatureScaling(inner).fit(X, y)
    assert model.status_ == "converged"
    proba = model.predict_proba(X)
    assert_allclose(proba.sum(axis=1), 1)
    assert_allclose(np.log(proba), model.predict_log_proba(X), rtol=1e-6, atol=1e-9)
    if not isinstance(inner, SVC):  # it predicts by votes, not by its decision function
        assert_array_equal(model.predict(X), model.estimator_.predict(X))
    assert model.decision_function(X).shape == ((len(X),) if n_classes == 2 else (len(X), 4))


def test_response_method_chooses(digits):
    X, y = digits
    X = X / 16 + np.random.default_rng(0).normal(0, 0.7, X.shape)
    inner = LogisticRegression(max_iter=2000).fit(X, y)
    temperatures = [
        TemperatureScaling(FrozenEstimator(inner), response_method=method).fit(X, y).temperature_
        for method in ("decision_function", "predict_log_proba", "predict_proba")
    ]
    assert_allclose(temperatures, temperatures[0], rtol=1e-4)
    with pytest.raises(ValueError, match="has no method decision_function"):
        TemperatureScaling(GaussianNB(), response_method="decision_function").fit(X, y)
    with pytest.raises(ValueError, match="response_method must be one of"):
        TemperatureScaling(GaussianNB(), response_method="predict").fit(X, y)


def test_a_frozen_estimator_needs_neither_folds_nor_all_classes(digits):
    X, y = digits
    inner = MultinomialLogit().fit(X[:300], y[:300])
    rows = np.flatnonzero(y[300:] != 7)[:20] + 300
    model = TemperatureScaling(FrozenEstimator(inner), cv=50).fit(X[rows], y[rows])
    assert model.estimator_.estimator is inner
    assert_array_equal(model.classes_, np.arange(10))
    assert model.predict_proba(X).shape == (600, 10)
    with pytest.raises(ValueError, match=r"labels \[11\] that the estimator does not know"):
        model.fit(X[rows], np.where(y[rows] == 1, 11, y[rows]))


def test_a_class_missing_from_a_fold_leaves_its_rows_out():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 2)), np.repeat([0, 1, 2], 20)
    X[:, 0] += y
    with pytest.warns(UserWarning, match=r"20 rows are left out .* classes \[0\]"):
        model = TemperatureScaling(cv=[(np.arange(20, 60), np.arange(0, 60, 1))]).fit(X, y)
    assert_array_equal(model.classes_, [0, 1, 2])
    assert np.isfinite(model.temperature_)


def test_classes_reach_the_estimator(digits):
    X, y = digits
    model = TemperatureScaling(MultinomialLogit(label_smoothing=0.01), cv=3)
    model.fit(X, y, classes=range(11))
    assert_array_equal(model.classes_, np.arange(11))
    with pytest.raises(ValueError, match=r"GaussianNB\.fit does not take them"):
        TemperatureScaling(GaussianNB()).fit(X, y, classes=range(11))


def test_sparse_text_and_frames():
    texts = [
        f"{'good' if k % 2 else 'bad'} film number {k % 7} {'fine' * (k % 3)}" for k in range(60)
    ]
    y = np.where(np.arange(60) % 5, np.arange(60) % 2, 0)
    model = TemperatureScaling(make_pipeline(TfidfVectorizer(), LogisticRegression())).fit(texts, y)
    assert model.predict_proba(texts).shape == (60, 2)
    X = TfidfVectorizer().fit_transform(texts)
    assert sparse.issparse(X)
    assert TemperatureScaling().fit(X, y).predict(X).shape == (60,)
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": np.arange(60) % 7, "b": np.arange(60) % 3})
    model = TemperatureScaling(GaussianNB()).fit(frame, pd.Series(y))
    assert_array_equal(model.feature_names_in_, ["a", "b"])
    assert model.predict(frame).shape == (60,)


class CountsWeights(ClassifierMixin, BaseEstimator):
    """Takes no weights; gives scores of one column too few."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def decision_function(self, X):
        return np.zeros((len(X), len(self.classes_) - 1))


def test_unsuited_estimators_are_told_so(digits):
    X, y = digits
    with (
        pytest.warns(UserWarning, match="takes no sample_weight"),
        pytest.raises(ValueError, match="has 9 columns, but classes_ has 10 labels"),
    ):
        TemperatureScaling(CountsWeights()).fit(X, y, np.ones(len(y)))


def test_weights_reach_the_estimator_and_the_temperature(digits):
    X, y = digits
    rng = np.random.default_rng(0)
    weight = rng.uniform(0.1, 3, len(y))
    cv = StratifiedKFold(3)
    model = TemperatureScaling(GaussianNB(), cv=cv).fit(X, y, weight)
    log_proba = np.empty((len(y), 10))
    for train, test in cv.split(X, y):
        inner = GaussianNB().fit(X[train], y[train], weight[train])
        log_proba[test] = inner.predict_log_proba(X[test])
    expected = scaling_of_logits().fit(log_proba, y, weight)
    assert model.temperature_ == pytest.approx(expected.temperature_, rel=1e-9)


def test_it_calibrates(digits):
    X, y = load_digits(return_X_y=True)
    X = X / 16 + np.random.default_rng(0).normal(0, 0.4, X.shape)
    inner = MultinomialLogit(C=1e3).fit(X[:700], y[:700])  # overfitted
    model = TemperatureScaling(FrozenEstimator(inner)).fit(X[700:1200], y[700:1200])
    X_new, y_new = X[1200:], y[1200:]
    raw, calibrated = inner.predict_proba(X_new), model.predict_proba(X_new)
    assert log_loss(y_new, calibrated) < 0.8 * log_loss(y_new, raw)
    assert ece_15(calibrated, y_new) < 0.5 * ece_15(raw, y_new)
    assert inner.score(X_new, y_new) == model.score(X_new, y_new)


# --- the conventions ---


def test_it_is_searched_cloned_and_pickled(digits):
    X, y = digits
    search = GridSearchCV(
        TemperatureScaling(MultinomialLogit()),
        {"estimator__C": [0.01, 1.0], "cv": [KFold(3), 4]},
        scoring="neg_log_loss",
        cv=3,
    ).fit(X, y)
    model = pickle.loads(pickle.dumps(search.best_estimator_))
    assert_array_equal(model.predict_proba(X), search.predict_proba(X))
    with pytest.raises(NotFittedError):
        clone(model).predict(X)


def test_what_is_no_classifier_is_refused_by_name(digits):
    for estimator, message in [
        (3, r"estimator must be a classifier.* got 3 of type int"),
        (GaussianNB, r"got the class GaussianNB: write GaussianNB\(\)"),
    ]:
        for call in (lambda m: m.fit(*digits), lambda m: GridSearchCV(m, {"cv": [2]}).fit(*digits)):
            with pytest.raises(TypeError, match=message):
                call(TemperatureScaling(estimator))
    with pytest.raises(NotFittedError, match="freeze a classifier after it was fitted"):
        TemperatureScaling(FrozenEstimator(GaussianNB())).fit(*digits)


def test_parameters_are_checked(drawn):
    for name in ("input", "objective"):
        with pytest.raises(ValueError, match=f"{name} must be one of"):
            TemperatureScaling(**{name: "features or so"}).fit(*drawn)
    with pytest.raises(TypeError, match="there is no estimator"):
        scaling_of_logits().fit(*drawn, mask=np.ones((400, 4), bool))


@pytest.mark.parametrize("objective", ["nll", "brier", "ece"])
def test_responses_in_any_memory_order_are_calibrated(objective):
    X, y = load_iris(return_X_y=True)  # GaussianNB answers in Fortran order
    model = TemperatureScaling(GaussianNB(), objective=objective).fit(X, y)
    assert 0 < model.temperature_ < np.inf
