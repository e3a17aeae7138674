"""OneVsRestComparator: both models on the same data, and a report of the difference."""

import pickle
import warnings

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import optimize, sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    RepeatedKFold,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sksoftmax import MultinomialLogit, OneVsRestComparator, OneVsRestLogit
from sksoftmax.metrics import calibration_report, expected_calibration_error

mpl.use("agg")


@pytest.fixture(scope="module")
def data():
    """X (600, 4), y in {"a", "b", "c", "d"} drawn from a softmax model."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(600, 4))
    logits = X @ (1.5 * rng.normal(size=(4, 4))) + rng.gumbel(size=(600, 4))
    return X, np.array(list("abcd"))[logits.argmax(axis=1)]


@pytest.fixture(scope="module")
def fitted(data):
    return OneVsRestComparator().fit(*data)


@pytest.fixture(scope="module")
def report(fitted, data):
    return fitted.report(*data, cv=3, n_bootstrap=5, random_state=0)


# --- the models ---


def test_both_models_are_those_of_the_same_parameters_and_rows(data):
    X, y = data
    weight = np.random.default_rng(0).random(len(y))
    comparator = OneVsRestComparator(MultinomialLogit(C=0.1, tol=1e-8)).fit(X, y, weight)
    softmax = MultinomialLogit(C=0.1, tol=1e-8).fit(X, y, weight)
    one_vs_rest = OneVsRestLogit(C=0.1, tol=1e-8).fit(X, y, weight)
    assert_array_equal(comparator.softmax_.coef_, softmax.coef_)
    assert_array_equal(comparator.one_vs_rest_.coef_, one_vs_rest.coef_)
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        comparator.use = "softmax"
        assert_array_equal(getattr(comparator, method)(X), getattr(softmax, method)(X))
        comparator.use = "one_vs_rest"
        assert_array_equal(getattr(comparator, method)(X), getattr(one_vs_rest, method)(X))
    assert comparator.score(X, y, weight) == one_vs_rest.score(X, y, weight)


def test_balanced_weights_are_the_same_rows_for_both(data):
    X, y = data
    weight = np.random.default_rng(0).random(len(y))
    comparator = OneVsRestComparator(MultinomialLogit(class_weight="balanced")).fit(X, y, weight)
    mass = pd.Series(weight).groupby(y).sum()
    rows = weight * (weight.sum() / (4 * mass)).loc[y].to_numpy()
    assert_allclose(comparator.softmax_.coef_, MultinomialLogit().fit(X, y, rows).coef_, atol=1e-5)
    expected = OneVsRestLogit().fit(X, y, rows).coef_
    assert_allclose(comparator.one_vs_rest_.coef_, expected, atol=1e-5)
    report = comparator.report(X, y, weight, cv=2, n_bootstrap=2, max_dropped=1)
    assert np.isfinite(report["nll"].difference.value)


def test_offsets_and_masks_reach_both(data):
    X, y = data
    rng = np.random.default_rng(1)
    offset, mask = rng.normal(size=(len(y), 4)), rng.random((len(y), 4)) < 0.9
    mask[np.arange(len(y)), np.searchsorted(list("abcd"), y)] = True
    extra = {"offset": offset, "mask": mask}
    comparator = OneVsRestComparator().fit(X, y, **extra)
    assert_array_equal(comparator.one_vs_rest_.coef_, OneVsRestLogit().fit(X, y, **extra).coef_)
    assert (comparator.predict_proba(X, **extra)[~mask] == 0).all()
    report = comparator.report(X, y, **extra, n_bootstrap=2, max_dropped=2)
    assert_allclose(report.coupling.softmax, 0, atol=1e-14)
    assert (report.coupling.one_vs_rest > 1e-4).all()
    assert np.isfinite([*report.dropped.softmax, *report.dropped.one_vs_rest]).all()
    folds = comparator.report(X, y, **extra, cv=3, n_bootstrap=0, max_dropped=0)
    assert np.isfinite(folds["nll"].softmax.value)


def test_a_softmax_of_two_rows_equals_the_binary_logit_with_twice_the_C(two_classes):
    """Minimized by SciPy; the two rows share the penalty of the one."""
    X, y = two_classes
    C = 0.3

    def objective(flat):
        coef, intercept = flat[:-2].reshape(2, -1), flat[-2:]
        logits = X @ coef.T + intercept
        loss = np.logaddexp(*logits.T) - logits[np.arange(len(y)), y]
        return loss.sum() + (coef**2).sum() / (2 * C)

    found = optimize.minimize(objective, np.zeros(12), method="BFGS", options={"gtol": 1e-7}).x
    two_rows = found[:-2].reshape(2, -1)
    binary = MultinomialLogit(C=2 * C, tol=1e-10).fit(X, y)
    assert_allclose(two_rows[1] - two_rows[0], binary.coef_[0], atol=1e-5)
    assert_allclose(found[-1] - found[-2], binary.intercept_[0], atol=1e-5)


# --- the report ---


def test_metrics_are_those_of_the_predictions_out_of_fold(fitted, data, report):
    X, y = data
    cv = StratifiedKFold(3)
    for name, model in (("softmax", MultinomialLogit()), ("one_vs_rest", OneVsRestLogit())):
        proba = cross_val_predict(model, X, y, cv=cv, method="predict_proba")
        expected = calibration_report(y, proba)
        for metric in ("nll", "brier", "accuracy", "ece"):
            assert_allclose(getattr(report[metric], name), expected[metric], rtol=1e-5)
        assert_allclose(
            getattr(report["ece"], name).value, expected_calibration_error(y, proba), rtol=1e-5
        )


def test_metrics_of_fitted_models_are_those_of_the_rows_given(fitted, data):
    X, y = data
    X, y = X[:200], y[:200]
    report = fitted.report(X, y, n_bootstrap=0, max_dropped=0)
    assert not report.is_cross_validated
    assert report.n_samples == 200
    proba = fitted.softmax_.predict_proba(X)
    assert_allclose(report["nll"].softmax.value, log_loss(y, proba), rtol=1e-12)
    accuracy = accuracy_score(y, fitted.one_vs_rest_.predict(X))
    assert_allclose(report["accuracy"].one_vs_rest.value, accuracy)


def test_differences_are_paired(fitted, data):
    """The standard error of a mean of differences, not of a difference of means."""
    X, y = data
    report = fitted.report(X, y, n_bootstrap=0, max_dropped=0)
    own = np.arange(len(y)), np.searchsorted(fitted.classes_, y)
    losses = [-model.predict_log_proba(X)[own] for model in (fitted.softmax_, fitted.one_vs_rest_)]
    rows = losses[1] - losses[0]
    half = 1.959964 * rows.std(ddof=1) / np.sqrt(len(y))
    expected = [rows.mean(), rows.mean() - half, rows.mean() + half]
    assert_allclose(report["nll"].difference, expected, rtol=1e-6)
    separate = np.diff(report["nll"].softmax[1:]) + np.diff(report["nll"].one_vs_rest[1:])
    assert np.diff(report["nll"].difference[1:]) < 0.3 * separate


def test_the_interval_of_the_difference_of_calibration_errors_is_paired_too(fitted, data):
    X, y = data
    report = fitted.report(X, y, n_bootstrap=0, max_dropped=0, random_state=1)
    softmax, one_vs_rest, difference = report["ece"]
    assert_allclose(difference.value, one_vs_rest.value - softmax.value)
    rng = np.random.default_rng(0)
    probas = [model.predict_proba(X) for model in (fitted.softmax_, fitted.one_vs_rest_)]
    draws = [rng.integers(len(y), size=len(y)) for _ in range(200)]
    errors = np.array(
        [
            [expected_calibration_error(y[d], p[d], labels=list("abcd")) for p in probas]
            for d in draws
        ]
    )
    sd = (errors[:, 1] - errors[:, 0]).std(ddof=1)
    assert_allclose((difference.high - difference.low) / (2 * 1.96), sd, rtol=0.3)


def test_log_losses_are_finite_where_probabilities_underflow(fitted, data):
    X, y = data
    report = fitted.report(1000 * X, y, n_bootstrap=0, max_dropped=0)
    assert np.isfinite(report["nll"].softmax.value)
    assert np.isfinite(report["nll"].one_vs_rest.value)
    assert report["nll"].softmax.value > 10


def test_the_mass_is_the_sum_of_the_binary_probabilities(fitted, data):
    X, y = data
    mass = fitted.report(X, y, n_bootstrap=0, max_dropped=0).mass
    sums = fitted.one_vs_rest_.binary_proba(X).sum(axis=1)
    assert_allclose(mass.values, sums)
    assert_allclose(mass.mean, sums.mean())
    assert_allclose(mass.far, (abs(sums - 1) > 0.1).mean())
    for share, value in mass.quantiles.items():
        assert abs((sums <= value).mean() - share) < 0.01


def test_decisions_that_differ_are_counted(fitted, data):
    X, y = data
    decisions = fitted.report(X, y, n_bootstrap=0, max_dropped=0).decisions
    one, other = fitted.softmax_.predict(X), fitted.one_vs_rest_.predict(X)
    differ = one != other
    assert_allclose(decisions.differ.value, differ.mean())
    assert_allclose(decisions.softmax_right, (one == y)[differ].mean())
    assert_allclose(decisions.one_vs_rest_right, (other == y)[differ].mean())


@pytest.mark.parametrize("storage", [np.asarray, sparse.csr_matrix])
def test_log_odds_of_the_softmax_are_linear_and_those_of_one_vs_rest_are_not(data, storage):
    X, y = data
    weight = np.random.default_rng(0).random(len(y))
    comparator = OneVsRestComparator().fit(storage(X), y, weight)
    coupling = comparator.report(storage(X), y, weight, n_bootstrap=0, max_dropped=0).coupling
    assert_allclose(coupling.softmax, 0, atol=1e-14)
    log_proba = comparator.one_vs_rest_.predict_log_proba(X)
    for (a, b), share in zip(coupling.pairs, coupling.one_vs_rest, strict=True):
        odds = log_proba[:, a] - log_proba[:, b]
        line = LinearRegression().fit(X, odds, weight)
        adjusted = (1 - line.score(X, odds, weight)) * (len(y) - 1) / (len(y) - 5)
        assert_allclose(share, adjusted, rtol=1e-8)


def test_more_features_than_rows_leave_nothing_to_say_about_linearity(data):
    X, y = data
    X = np.random.default_rng(0).normal(size=(40, 60))
    comparator = OneVsRestComparator().fit(X, y[:40])
    report = comparator.report(X, y[:40], n_bootstrap=0, max_dropped=0)
    assert np.isnan(report.coupling.one_vs_rest).all()
    assert "-" in str(report)
    assert len(report.plot().axes) == 2


def test_a_dropped_class_changes_log_odds_by_what_refits_say(fitted, data):
    X, y = data
    dropped = fitted.report(X, y, n_bootstrap=0, max_dropped=2).dropped
    largest = np.argsort(-np.unique(y, return_counts=True)[1])[:2]
    assert set(dropped.classes) == set(largest)
    k = int(dropped.classes[0])
    rest, kept = np.delete(np.arange(4), k), y != "abcd"[k]
    for name, model, before in (
        ("softmax", MultinomialLogit(), fitted.softmax_),
        ("one_vs_rest", OneVsRestLogit(), fitted.one_vs_rest_),
    ):
        after = model.fit(X[kept], y[kept]).predict_log_proba(X[kept])
        change = after - before.predict_log_proba(X[kept])[:, rest]
        pairs = [(0, 1), (0, 2), (1, 2)]
        square = np.mean([(change[:, a] - change[:, b]) ** 2 for a, b in pairs])
        assert_allclose(getattr(dropped, name)[0], np.sqrt(square), rtol=1e-4)
    assert dropped.one_vs_rest[0] > dropped.softmax[0]


def test_efficiency_is_the_ratio_over_fits_to_the_same_drawn_labels(fitted, data, monkeypatch):
    """Draws that are known: fits to them by hand give the same ratios."""
    X, y = data
    truth = fitted.softmax_.predict_proba(X)
    rng = np.random.default_rng(0)
    drawn = [(truth.cumsum(axis=1) < rng.random((len(y), 1))).sum(axis=1) for _ in range(4)]
    supply = iter(drawn)
    monkeypatch.setattr("sksoftmax.comparison._efficiency._draw", lambda *_: next(supply))
    efficiency = fitted.report(X, y, n_bootstrap=4, max_dropped=0).efficiency
    noise, variance, error = [], [], []
    for model in (MultinomialLogit(tol=1e-10), OneVsRestLogit(tol=1e-10)):
        fits = [clone(model).fit(X, target) for target in drawn]
        slopes = np.array([fit.coef_ * X.std(axis=0) for fit in fits])
        pairs = slopes[:, :, None] - slopes[:, None]
        noise.append(pairs.var(axis=0, ddof=1).sum() / (pairs.mean(axis=0) ** 2).sum())
        proba = np.array([fit.predict_proba(X) for fit in fits])
        variance.append(proba.var(axis=0, ddof=1).mean())
        error.append(variance[-1] + ((proba.mean(axis=0) - truth) ** 2).mean())
    assert efficiency.n_bootstrap == 4
    assert_allclose(efficiency.coefficient_variance, noise[1] / noise[0], rtol=1e-3)
    assert_allclose(efficiency.proba_variance, variance[1] / variance[0], rtol=1e-3)
    assert_allclose(efficiency.proba_error, error[1] / error[0], rtol=1e-3)


def test_where_the_softmax_is_true_one_vs_rest_is_off_by_more_than_chance(fitted, data):
    efficiency = fitted.report(*data, n_bootstrap=20, max_dropped=0, random_state=0).efficiency
    assert efficiency.proba_error > 1.5


def test_draws_keep_every_class_and_depend_on_the_seed(fitted, data):
    X, y = data
    keep = {"n_bootstrap": 3, "max_dropped": 0}
    one, same, other = (
        fitted.report(X, y, **keep, random_state=seed).efficiency for seed in (0, 0, 1)
    )
    assert one == same
    assert one != other
    rare = np.where(np.arange(len(y)) < 2, "rare", y)
    comparator = OneVsRestComparator().fit(X, rare)
    report = comparator.report(X, rare, n_bootstrap=5, max_dropped=0)
    assert np.isfinite(report.efficiency.coefficient_variance)


def test_two_classes_are_the_same_binary_logit_and_the_report_says_so(data):
    X, y = data
    comparator = OneVsRestComparator(MultinomialLogit(tol=1e-9)).fit(X, y == "a")
    report = comparator.report(X, y == "a", cv=3)
    assert "same binary logit" in str(report)
    assert report.coupling is report.dropped is report.efficiency is None
    assert abs(report["nll"].difference.value) < 1e-8
    assert report.decisions.differ.value == 0
    assert_allclose(report.mass.values, 1, rtol=1e-12)
    assert len(report.plot().axes) == 2


def test_splitters_may_want_groups_and_may_not_test_a_row_twice(fitted, data):
    X, y = data
    groups = np.arange(len(y)) // 4
    options = {"n_bootstrap": 0, "max_dropped": 0}
    report = fitted.report(X, y, cv=GroupKFold(3), groups=groups, **options)
    assert report.n_samples == len(y)
    with pytest.raises(ValueError, match="leaves out row 0 2 times"):
        fitted.report(X, y, cv=RepeatedKFold(n_splits=2, n_repeats=2), **options)


def test_a_fold_may_lack_a_class(data):
    X, y = data
    order = np.argsort(y, kind="stable")
    X, y = X[order], y[order]
    comparator = OneVsRestComparator().fit(X, y)
    report = comparator.report(X, y, cv=KFold(4), n_bootstrap=0, max_dropped=0)
    assert report["nll"].softmax.value > 1  # finite, and as bad as it should be
    assert np.isfinite(report["nll"].one_vs_rest.value)


def test_frames_are_compared_as_arrays_are_and_their_names_checked(data):
    X, y = data
    frame = pd.DataFrame(X, columns=list("pqrs"))
    comparator = OneVsRestComparator().fit(frame, pd.Series(y))
    assert list(comparator.feature_names_in_) == list("pqrs")
    options = {"n_bootstrap": 2, "max_dropped": 1, "cv": 2, "random_state": 0}
    named = comparator.report(frame, pd.Series(y), **options)  # warnings are errors
    assert str(named) == str(OneVsRestComparator().fit(X, y).report(X, y, **options))
    with pytest.raises(ValueError, match="feature names should match"):
        comparator.report(frame[list("qprs")], y)
    comparator.fit(X, y)
    assert not hasattr(comparator, "feature_names_in_")


def test_weights_count_as_rows_and_rows_of_weight_zero_do_not(fitted, data):
    X, y = data
    weight = (np.arange(len(y)) % 2).astype(float)
    options = {"n_bootstrap": 0, "max_dropped": 0}
    some, rest = fitted.report(X, y, weight, **options), fitted.report(X[1::2], y[1::2], **options)
    for name in ("nll", "brier", "accuracy", "ece"):
        assert_allclose(some[name].difference.value, rest[name].difference.value, rtol=1e-9)
    assert_allclose(some.mass.mean, rest.mass.mean)
    assert_allclose([*some.mass.quantiles.values()], [*rest.mass.quantiles.values()])
    assert_allclose(some.decisions.differ.value, rest.decisions.differ.value)


# --- how it is shown ---


def test_the_table_has_the_values_of_the_report(report):
    text = str(report)
    assert text.startswith("Softmax and one-vs-rest: 600 rows, 4 classes, cross-validated")
    assert f"{report['nll'].softmax.value:.4f}" in text
    assert f"{100 * report['accuracy'].one_vs_rest.value:.2f}" in text
    assert f"{report.efficiency.proba_error:.3f}" in text
    assert "worst for '" in text
    table, _ = text.split("\n\ndifference:")
    assert max(map(len, table.splitlines())) <= 95
    html = report._repr_html_()
    assert html.count("<table") == 1
    assert f"{report['nll'].softmax.value:.4f}" in html
    assert repr(report).startswith("<ComparisonReport: 600 rows, 4 classes")


def test_labels_are_escaped_in_html(data):
    X, y = data
    names = np.char.add("<b>", y)
    comparator = OneVsRestComparator().fit(X, names)
    html = comparator.report(X, names, n_bootstrap=0, max_dropped=0)._repr_html_()
    assert "<b>" not in html


def test_the_frame_holds_every_quantity(report):
    frame = report.to_frame()
    assert list(frame.columns) == ["softmax", "one_vs_rest", "difference", "low", "high"]
    assert_allclose(frame.loc["nll", "difference"], report["nll"].difference.value)
    assert_allclose(frame.loc["mass_mean", "one_vs_rest"], report.mass.mean)
    assert_allclose(frame.loc["decisions_differ", "difference"], report.decisions.differ.value)
    assert_allclose(frame.loc["proba_error", "one_vs_rest"], report.efficiency.proba_error)


def test_the_picture_has_a_panel_for_each_part(report):
    figure = report.plot()
    assert len(figure.axes) == 3
    heights = [patch.get_height() for patch in figure.axes[0].patches]
    assert sum(heights) == 600
    dots = [line for line in figure.axes[1].lines if line.get_marker() == "o"]
    assert_allclose(dots[0].get_xdata()[0], report["nll"].difference.value)
    again = report.plot(figure=mpl.figure.Figure())
    assert len(again.axes) == 3


# --- arguments ---


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_bootstrap": 1}, "n_bootstrap must be 0 or an integer >= 2"),
        ({"n_bootstrap": -1}, "n_bootstrap"),
        ({"max_dropped": -1}, "max_dropped"),
        ({"n_bins": 0}, "n_bins"),
        ({"confidence_level": 1.0}, "confidence_level"),
    ],
)
def test_bad_arguments_of_a_report_are_errors(fitted, data, arguments, message):
    with pytest.raises(ValueError, match=message):
        fitted.report(*data, **arguments)


def test_bad_data_and_parameters_are_errors(fitted, data):
    X, y = data
    with pytest.raises(ValueError, match="does not know"):
        fitted.report(X, np.where(y == "a", "z", y))
    with pytest.raises(ValueError, match="use must be one of"):
        OneVsRestComparator(use="both").fit(X, y)
    with pytest.raises(TypeError, match="estimator must be a MultinomialLogit"):
        OneVsRestComparator(LogisticRegression()).fit(X, y)
    with pytest.raises(ValueError, match="1d array"):
        OneVsRestComparator().fit(X, np.eye(4, dtype=int)[np.arange(len(y)) % 4])
    with pytest.raises(ValueError, match="dictionary"):
        OneVsRestComparator(MultinomialLogit(class_weight="balanced")).fit(
            X, y_proba=np.full((len(y), 4), 0.25), y=y
        )


def test_a_failed_fit_leaves_the_comparator_as_it_was(data):
    X, y = data
    comparator = OneVsRestComparator().fit(X, y)
    before = dict(vars(comparator))
    with pytest.raises(ValueError, match="one class only"):
        comparator.fit(X, np.full(len(y), "a"))
    assert vars(comparator) == before


def test_warnings_name_what_is_wrong_in_either_model_once_each(data):
    X, y = data
    X = np.column_stack([X, (y == "c") + 0.1 * np.random.default_rng(0).random(len(y))])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        OneVsRestComparator(MultinomialLogit(C=np.inf)).fit(X, y)
    messages = [str(w.message) for w in caught if w.category is ConvergenceWarning]
    assert len(messages) == 2
    assert "'c' from the rest" in messages[1]


# --- scikit-learn ---


def test_it_survives_clone_and_pickle(fitted, data):
    X, _ = data
    assert clone(fitted).get_params(deep=False) == fitted.get_params(deep=False)
    again = pickle.loads(pickle.dumps(fitted))
    assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))


def test_parameters_of_the_models_are_searched_through_the_estimator(data):
    X, y = data
    pipeline = make_pipeline(StandardScaler(), OneVsRestComparator(MultinomialLogit()))
    grid = {
        "onevsrestcomparator__estimator__C": [0.01, 1.0],
        "onevsrestcomparator__use": ["softmax", "one_vs_rest"],
    }
    search = GridSearchCV(pipeline, grid, scoring="neg_log_loss", cv=3).fit(X, y)
    assert len(search.cv_results_["params"]) == 4


def test_metadata_are_routed_to_both_models(data):
    X, y = data
    rng = np.random.default_rng(0)
    weight, offset = rng.random(len(y)), rng.normal(size=(len(y), 4))
    with config_context(enable_metadata_routing=True):
        estimator = MultinomialLogit().set_fit_request(offset=True).set_score_request(offset=True)
        comparator = OneVsRestComparator(estimator)
        comparator.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        comparator.fit(X, y, sample_weight=weight, offset=offset)
    expected = OneVsRestLogit().fit(X, y, weight, offset=offset)
    assert_array_equal(comparator.one_vs_rest_.coef_, expected.coef_)


def test_metadata_reach_the_score_in_a_cross_validation(data):
    pytest.importorskip("sklearn", "1.8", reason="hands none to a model around a model")
    X, y = data
    rng = np.random.default_rng(0)
    weight, offset = rng.random(len(y)), rng.normal(size=(len(y), 4))
    with config_context(enable_metadata_routing=True):
        estimator = MultinomialLogit().set_fit_request(offset=True).set_score_request(offset=True)
        comparator = OneVsRestComparator(estimator)
        comparator.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        params = {"sample_weight": weight, "offset": offset}
        scores = cross_val_score(comparator, X, y, params=params, cv=KFold(2))
    half = slice(len(y) // 2, None)
    by_hand = MultinomialLogit().fit(X[half], y[half], weight[half], offset=offset[half])
    rest = slice(None, len(y) // 2)
    assert scores[0] == by_hand.score(X[rest], y[rest], weight[rest], offset=offset[rest])


def test_what_the_estimator_does_not_request_is_an_error(data):
    X, y = data
    with (
        config_context(enable_metadata_routing=True),
        pytest.raises(ValueError, match=r"\[offset\] are passed but are not explicitly set"),
    ):
        OneVsRestComparator().fit(X, y, offset=np.zeros((len(y), 4)))
