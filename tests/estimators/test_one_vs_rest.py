"""OneVsRestLogit: K separate binary logits, fitted together; labels and indicator matrices."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.special import expit
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sksoftmax import MultinomialLogit, OneVsRestLogit
from sksoftmax.functional import log_softmax


def separate_fits(X, table, sample_weight=None, **parameters):
    """Coefficients and intercepts of one LogisticRegression per column."""
    fits = [
        LogisticRegression(solver="newton-cholesky", tol=1e-10, max_iter=1000, **parameters).fit(
            X, column, sample_weight
        )
        for column in np.asarray(table).T
    ]
    return np.vstack([fit.coef_ for fit in fits]), np.hstack([fit.intercept_ for fit in fits])


def assert_fits(model, coef, intercept):
    assert_allclose(model.coef_, coef, rtol=1e-6, atol=1e-6)
    assert_allclose(model.intercept_, intercept, rtol=1e-6, atol=1e-6)


@pytest.fixture
def several_labels():
    X, Y = make_multilabel_classification(300, 6, n_classes=4, n_labels=2, random_state=0)
    return StandardScaler().fit_transform(X), Y


# --- equal to separate fits ---


@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_it_equals_separate_logistic_regressions(overlapping, C, fit_intercept, class_weight):
    X, y = overlapping
    parameters = {"C": C, "fit_intercept": fit_intercept, "class_weight": class_weight}
    model = OneVsRestLogit(tol=1e-9, **parameters).fit(X, y)
    assert_fits(model, *separate_fits(X, y[:, None] == np.arange(4), **parameters))


def test_it_equals_separate_logistic_regressions_without_penalty_and_with_weights(overlapping):
    X, y = overlapping
    weight = np.random.default_rng(0).random(len(y))
    model = OneVsRestLogit(C=np.inf, tol=1e-9).fit(X, y, sample_weight=weight)
    assert_fits(model, *separate_fits(X, y[:, None] == np.arange(4), weight, C=np.inf))


@pytest.mark.parametrize("class_weight", [None, "balanced"])
@pytest.mark.parametrize("storage", [np.asarray, sparse.csr_matrix, sparse.csc_array])
def test_an_indicator_matrix_gets_a_fit_per_column(several_labels, class_weight, storage):
    X, Y = several_labels
    model = OneVsRestLogit(tol=1e-9, class_weight=class_weight).fit(storage(X), storage(Y))
    assert_fits(model, *separate_fits(X, Y, class_weight=class_weight))


def test_a_dictionary_weighs_rows_of_labels_and_hits_of_indicators(overlapping):
    X, y = overlapping
    weights = {1: 3.0, 2: 0.5}
    rows = np.array([1.0, 3.0, 0.5, 1.0])[y]
    model = OneVsRestLogit(tol=1e-9, class_weight=weights).fit(X, y)
    table = y[:, None] == np.arange(4)
    assert_fits(model, *separate_fits(X, table, rows))

    model = OneVsRestLogit(tol=1e-9, class_weight=weights).fit(X, table.astype(int))
    for k in range(4):
        hits = np.where(table[:, k], weights.get(k, 1.0), 1.0)
        coef, intercept = separate_fits(X, table[:, [k]], hits)
        assert_allclose(model.coef_[k], coef[0], rtol=1e-6, atol=1e-6)
        assert_allclose(model.intercept_[k], intercept[0], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "parameters", [{"label_smoothing": 0.1}, {"logit_l2": 0.1}, {"C": 0.1}], ids=str
)
def test_every_parameter_means_what_it_means_for_two_classes(overlapping, parameters):
    X, y = overlapping
    offset = np.random.default_rng(1).normal(size=(len(y), 4))
    model = OneVsRestLogit(tol=1e-10, **parameters).fit(X, y, offset=offset)
    for k in range(4):
        half = offset[:, k] / 2
        alone = MultinomialLogit(tol=1e-10, **parameters)
        alone.fit(X, y == k, offset=np.column_stack([-half, half]))
        assert_allclose(model.coef_[k], alone.coef_[0], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("class_weight", [None, "balanced", {1: 3.0}])
def test_of_two_classes_it_is_the_multinomial_logit(two_classes, class_weight):
    X, y = two_classes
    rng = np.random.default_rng(2)
    mask = rng.random((len(y), 2)) < 0.8
    mask[np.arange(len(y)), y] = True
    arguments = {"offset": rng.normal(size=(len(y), 2)), "mask": mask}
    weight = rng.random(len(y))
    one = OneVsRestLogit(tol=1e-10, class_weight=class_weight)
    other = MultinomialLogit(tol=1e-10, class_weight=class_weight)
    one.fit(X, y, weight, offset=arguments["offset"])
    other.fit(X, y, weight, offset=arguments["offset"])
    assert one.coef_.shape == (1, 5)
    assert_fits(one, other.coef_, other.intercept_)
    assert_allclose(one.objective_, other.objective_, rtol=1e-9)
    for method in ("decision_function", "predict_proba", "predict_log_proba"):
        got, expected = (getattr(model, method)(X, **arguments) for model in (one, other))
        assert_allclose(got, expected, rtol=1e-6, atol=1e-8)
    assert_allclose(
        one.binary_proba(X, **arguments), one.predict_proba(X, **arguments), rtol=1e-12, atol=1e-15
    )


def test_a_masked_row_takes_no_part_in_the_problem_of_a_class(overlapping):
    X, y = overlapping
    mask = np.random.default_rng(3).random((len(y), 4)) < 0.6
    mask[np.arange(len(y)), y] = True
    model = OneVsRestLogit(tol=1e-10).fit(X, y, mask=mask)
    for k in range(4):
        coef, intercept = separate_fits(X[mask[:, k]], y[mask[:, k], None] == k)
        assert_allclose(model.coef_[k], coef[0], rtol=1e-6, atol=1e-6)
        assert_allclose(model.intercept_[k], intercept[0], rtol=1e-6, atol=1e-6)


def test_soft_targets_equal_rows_repeated_with_their_shares_as_weights(overlapping):
    X, y = overlapping
    proba = np.random.default_rng(4).dirichlet(np.ones(4), len(y))
    soft = OneVsRestLogit(tol=1e-10).fit(X, y_proba=proba)
    repeated = OneVsRestLogit(C=1.0, tol=1e-10).fit(
        np.repeat(X, 4, axis=0), np.tile(np.arange(4), len(y)), proba.ravel()
    )
    assert_fits(soft, repeated.coef_, repeated.intercept_)


# --- predictions ---


def test_probabilities_are_normalized_sigmoids(overlapping):
    X, y = overlapping
    model = OneVsRestLogit().fit(X, y)
    scores = model.decision_function(X)
    assert_allclose(scores, X @ model.coef_.T + model.intercept_, rtol=1e-12, atol=1e-12)
    binary = model.binary_proba(X)
    assert_allclose(binary, expit(scores), rtol=1e-13)
    proba = model.predict_proba(X)
    assert_allclose(proba, binary / binary.sum(axis=1, keepdims=True), rtol=1e-12)
    assert_allclose(model.predict_log_proba(X), np.log(proba), rtol=1e-9, atol=1e-12)
    reference = OneVsRestClassifier(LogisticRegression(tol=1e-8)).fit(X, y)
    assert_allclose(proba, reference.predict_proba(X), atol=1e-5)
    assert_array_equal(model.predict(X), reference.predict(X))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_probabilities_are_exact_where_all_sigmoids_underflow(overlapping, dtype):
    X, y = overlapping
    model = OneVsRestLogit(fit_intercept=False).fit(X.astype(dtype), y)
    model.coef_ = np.array([[-2000.0], [-2001.0], [-3000.0], [-2000.5]], dtype=dtype)
    model.n_features_in_ = 1
    one = np.ones((1, 1), dtype=dtype)
    assert not model.binary_proba(one).any()
    expected = log_softmax(model.coef_.T.astype(float))  # log sigma(z) = z for z << 0
    assert_allclose(model.predict_log_proba(one), expected, rtol=1e-6)
    assert_allclose(model.predict_proba(one), np.exp(expected), rtol=1e-6, atol=1e-30)
    assert_allclose(model.predict_proba(one).sum(), 1, rtol=1e-6)
    assert_allclose(model.predict_proba(-one), 0.25, rtol=1e-6)  # all certain: all the same


def test_classes_that_are_not_available_have_probability_zero(overlapping):
    X, y = overlapping
    model = OneVsRestLogit().fit(X, y)
    mask = np.array([True, False, True, True])
    assert (model.binary_proba(X, mask=mask)[:, 1] == 0).all()
    proba = model.predict_proba(X, mask=mask)
    assert (proba[:, 1] == 0).all()
    assert_allclose(proba.sum(axis=1), 1)
    assert (model.predict(X, mask=mask) != 1).all()
    assert (model.predict_log_proba(X, mask=mask)[:, 1] == -np.inf).all()


def test_indicators_are_predicted_as_they_are_and_not_normalized(several_labels):
    X, Y = several_labels
    model = OneVsRestLogit().fit(X, Y)
    assert model.multilabel_
    assert_array_equal(model.classes_, np.arange(4))
    proba = model.predict_proba(X)
    assert_array_equal(proba, model.binary_proba(X))
    assert np.ptp(proba.sum(axis=1)) > 0.5
    assert_array_equal(model.predict(X), (proba > 0.5).astype(int))
    assert_allclose(model.predict_log_proba(X), np.log(proba), rtol=1e-12)
    reference = OneVsRestClassifier(LogisticRegression(tol=1e-8)).fit(X, Y)
    assert_allclose(proba, reference.predict_proba(X), atol=1e-5)
    assert model.score(X, Y) == reference.score(X, Y)


def test_a_row_may_lack_every_label_and_two_columns_do(several_labels):
    X, Y = several_labels
    Y = Y[:, :2] * (np.arange(len(Y)) % 3 > 0)[:, None]
    model = OneVsRestLogit().fit(X, Y)
    assert model.coef_.shape == (2, 6)
    assert model.predict(X).shape == (len(X), 2)
    assert model.n_iter_.shape == (2,)


def test_unknown_labels_are_masked(several_labels):
    X, Y = several_labels
    known = np.random.default_rng(6).random(Y.shape) < 0.7
    known[~known.any(axis=1), 0] = True
    model = OneVsRestLogit(tol=1e-10).fit(X, np.where(known, Y, 0), mask=known)
    for k in range(4):
        coef, _ = separate_fits(X[known[:, k]], Y[known[:, k]][:, [k]])
        assert_allclose(model.coef_[k], coef[0], rtol=1e-6, atol=1e-6)


# --- data ---


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_columns_of_a_frame_name_the_classes(several_labels, frame):
    X, Y = several_labels
    names = ["nucleus", "membrane", "cytosol", "golgi"]
    offset = np.random.default_rng(0).normal(size=Y.shape)
    plain = OneVsRestLogit().fit(X, Y, offset=offset)
    model = OneVsRestLogit().fit(
        frame(dict(zip("abcdef", X.T, strict=True))),
        frame(dict(zip(names, Y.T, strict=True))),
        offset=frame({name: offset[:, k] for k, name in reversed(list(enumerate(names)))}),
    )
    assert model.classes_.tolist() == names
    assert list(model.feature_names_in_) == list("abcdef")
    assert_array_equal(model.coef_, plain.coef_)


def test_labels_of_any_type_do(three_classes):
    X, y = three_classes
    plain = OneVsRestLogit().fit(X, y)
    for names in (["x", "y", "z"], [10, 20, 30], [1.0, 2.0, 7.0]):
        model = OneVsRestLogit().fit(X, np.array(names)[y])
        assert_array_equal(model.coef_, plain.coef_)
        assert set(model.predict(X)) <= set(names)
    flags = OneVsRestLogit().fit(X, y == 0)
    assert flags.predict(X).dtype == bool


def test_float32_stays_float32(overlapping):
    X, y = overlapping
    model = OneVsRestLogit().fit(X.astype(np.float32), y)
    assert model.coef_.dtype == np.float32
    assert model.predict_proba(X.astype(np.float32)).dtype == np.float32
    assert_allclose(model.coef_, OneVsRestLogit().fit(X, y).coef_, atol=2e-4)


@pytest.mark.parametrize("kind", ["labels", "indicators"])
def test_weight_two_equals_a_duplicated_row(overlapping, kind):
    X, y = overlapping
    target = y if kind == "labels" else (y[:, None] >= np.arange(1, 4)).astype(int)
    copies = np.random.default_rng(0).integers(0, 3, len(y))
    for class_weight in (None, "balanced"):
        model = OneVsRestLogit(class_weight=class_weight, tol=1e-10)
        weighted = clone(model).fit(X, target, sample_weight=copies)
        repeated = clone(model).fit(np.repeat(X, copies, axis=0), np.repeat(target, copies, axis=0))
        assert_fits(weighted, repeated.coef_, repeated.intercept_)


def test_the_number_of_threads_changes_no_bit(overlapping):
    X, y = overlapping
    X, y = np.tile(X, (70, 1)), np.tile(y, 70)
    one, two = (OneVsRestLogit(n_jobs=n_jobs).fit(X, y) for n_jobs in (1, 2))
    assert_array_equal(one.coef_, two.coef_)


def test_a_warm_start_goes_on_where_the_fit_before_stopped(overlapping):
    X, y = overlapping
    model = OneVsRestLogit(solver="lbfgs", warm_start=True).fit(X, y)
    cold = model.n_iter_.copy()
    assert cold.shape == (4,)
    model.fit(X, y)
    assert (model.n_iter_ <= 1).all()
    assert (cold > 1).all()
    model.fit(X, (y[:, None] == np.arange(4)).astype(int))  # the same classes, the same problems
    assert (model.n_iter_ <= 1).all()
    two = np.minimum(y, 1)
    model.fit(X, two)
    assert model.coef_.shape == (1, 3)
    model.fit(X, np.column_stack([two, 1 - two]))  # two rows of coefficients: a cold start
    assert model.coef_.shape == (2, 3)


# --- what is wrong ---


def test_a_separated_class_is_named(overlapping):
    X, y = overlapping
    X = np.column_stack([X, (y == 2) + 0.1 * np.random.default_rng(0).random(len(y))])
    labels = np.array(["a", "b", "c", "d"])[y]
    with pytest.warns(ConvergenceWarning, match=r"separate 'c' from the rest"):
        OneVsRestLogit(C=np.inf).fit(X, labels)


def test_labels_that_no_row_has_are_named(several_labels):
    X, Y = several_labels
    Y = Y.copy()
    Y[:, 1], Y[:, 3] = 0, 1
    with pytest.warns(ConvergenceWarning, match=r"All rows agree about 'q', 's'"):
        model = OneVsRestLogit().fit(X, Y, classes=["p", "q", "r", "s"])
    assert (model.predict(X)[:, [1, 3]] == [0, 1]).all()
    with pytest.warns(ConvergenceWarning, match="All rows agree about 4"):
        OneVsRestLogit().fit(X, np.arange(300) % 4, classes=np.arange(5))


def test_too_few_iterations_are_a_warning_that_names_the_classes(overlapping):
    X, y = overlapping
    with pytest.warns(ConvergenceWarning, match=r"max_iter=1 .*Classes .*: 0, 1, 2, 3"):
        OneVsRestLogit(max_iter=1, solver="lbfgs").fit(X, y)


@pytest.mark.parametrize(
    ("y", "extra", "message"),
    [
        ([[0, 2], [1, 0], [0, 1]], {}, "row 0, column 1 holds 2"),
        ([[0.2, 0.8], [1, 0], [0, 1]], {}, "y_proba="),
        ([[0, np.nan], [1, 0], [0, 1]], {}, "row 0, column 1 holds nan"),
        ([["a", "b"], ["b", "a"], ["a", "a"]], {}, "row 0, column 0 holds 'a'"),
        ([[0, 1], [1], [0, 1]], {}, "MultiLabelBinarizer"),
        ([[0, 1], [1, 0]], {}, "y has 2 rows, but X has 3"),
        ([[0, 1], [1, 0], [1, 1]], {"classes": ["a"]}, "each of the 2 columns"),
        ([[0, 1], [1, 0], [1, 1]], {"classes": ["a", "a"]}, "once"),
        ([[0, 1], [1, 0], [1, 1]], {"y_proba": np.full((3, 2), 0.5)}, "indicator matrix"),
        ([[0, 1], [1, 0], [1, 1]], {"mask": [True, False]}, "row 0 marks the class 1"),
        ([[0, 1], [1, 0], [1, 1]], {"sample_weight": [0, 0, 0]}, "all zero"),
        ([0, 0, 0], {}, "one class only"),
    ],
)
def test_bad_targets_are_errors_that_say_what_is_wrong(y, extra, message):
    with pytest.raises(ValueError, match=message):
        OneVsRestLogit().fit([[0.0], [1.0], [2.0]], y, **extra)


def test_weights_of_unknown_labels_are_errors(several_labels):
    X, Y = several_labels
    for wrong in ({"a": 2.0}, {0: -1.0}, 3):
        with pytest.raises(ValueError, match="class_weight"):
            OneVsRestLogit(class_weight=wrong).fit(X, Y)


def test_weights_that_overflow_are_errors_and_huge_ones_are_no_agreement(several_labels):
    X, Y = several_labels
    with pytest.raises(ValueError, match="class_weight: a weight overflows float32"):
        OneVsRestLogit(class_weight={0: 1e50}).fit(X.astype(np.float32), Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no row of a class counts for more than all others
        OneVsRestLogit(class_weight={0: 1e30}, C=1e-30).fit(X, Y)
    with pytest.warns(ConvergenceWarning, match="All rows agree about 0"):
        OneVsRestLogit(class_weight={0: 0.0}).fit(X, Y)


def test_a_failed_fit_leaves_the_model_as_it_was(overlapping, several_labels):
    X, y = overlapping
    model = OneVsRestLogit().fit(X, y)
    before = dict(vars(model))
    with pytest.raises(ValueError, match="rows"):
        model.fit(X, several_labels[1][:10])
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is value for name, value in before.items())


# --- scikit-learn ---


def test_it_survives_clone_and_pickle(several_labels):
    X, Y = several_labels
    model = OneVsRestLogit(C=3.0).fit(X, Y)
    assert clone(model).get_params() == model.get_params()
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_it_works_in_pipelines_and_searches(several_labels):
    X, Y = several_labels
    search = GridSearchCV(
        make_pipeline(StandardScaler(), OneVsRestLogit()), {"onevsrestlogit__C": [0.1, 10.0]}
    )
    assert search.fit(X, Y).predict(X).shape == Y.shape


def test_weights_and_offsets_are_routed(several_labels):
    X, Y = several_labels
    rng = np.random.default_rng(0)
    extra = {"sample_weight": rng.random(len(Y)), "offset": rng.normal(size=Y.shape)}
    with config_context(enable_metadata_routing=True):
        model = (
            OneVsRestLogit()
            .set_fit_request(sample_weight=True, offset=True)
            .set_score_request(sample_weight=True, offset=True)
        )
        found = cross_validate(model, X, Y, params=extra, return_estimator=True, cv=2)
    half = slice(len(Y) // 2, None)
    by_hand = OneVsRestLogit().fit(X[half], Y[half], **{k: v[half] for k, v in extra.items()})
    assert_array_equal(found["estimator"][0].coef_, by_hand.coef_)


def test_the_tags_say_that_rows_may_have_several_labels():
    assert OneVsRestLogit().__sklearn_tags__().classifier_tags.multi_label
