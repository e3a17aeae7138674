"""Early stopping, warm starts, Ctrl-C, seeds, threads and progress of SoftmaxBoostingClassifier."""

import sys

import numpy as np
import pytest
from sklearn import config_context
from sklearn.datasets import make_classification
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sksoftmax import SoftmaxBoostingClassifier

STRATEGIES = ["multi_output_tree", "one_output_per_tree"]


@pytest.fixture(scope="module")
def noisy():
    """X (900, 6), y in {0, 1, 2, 3, 4, 5}, so noisy that boosting overfits."""
    return make_classification(
        900, 6, n_informative=4, n_redundant=0, n_classes=6, flip_y=0.3, random_state=2
    )


def quick(**parameters):
    return SoftmaxBoostingClassifier(**{"random_state": 0, "n_jobs": 1, **parameters})


# --- early stopping -------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_model_ends_at_its_best_validation_iteration(strategy, noisy):
    X, y = noisy
    model = quick(early_stopping=True, multi_strategy=strategy, max_iter=150).fit(X, y)
    assert model.do_early_stopping_
    assert model.n_iter_ == model.validation_score_.argmax()
    assert model.n_iter_ + 10 <= len(model.validation_score_) - 1 < 150
    assert len(list(model.staged_predict(X[:1]))) == model.n_iter_


def test_rows_for_validation_can_be_given(noisy):
    X, y = noisy
    kept, aside = slice(0, 600), slice(600, None)
    model = quick().fit(X[kept], y[kept], X_val=X[aside], y_val=y[aside])
    assert model.do_early_stopping_
    for score, proba in zip(
        model.validation_score_[1:], model.staged_predict_proba(X[aside]), strict=False
    ):
        assert -score == pytest.approx(log_loss(y[aside], proba), rel=1e-5)


def test_validation_rows_may_have_weights_and_soft_targets(noisy):
    X, y = noisy
    weight = np.tile([0.0, 3.0], 150)
    shares = np.eye(6)[y[600:]]
    model = quick(max_iter=5).fit(
        X[:600], y[:600], X_val=X[600:], y_proba_val=shares, sample_weight_val=weight
    )
    expected = log_loss(y[600:][1::2], model.predict_proba(X[600:][1::2]))
    assert -model.validation_score_[model.n_iter_] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("n_samples", [10_000, 10_001])
def test_auto_stops_early_above_ten_thousand_rows(n_samples, rng):
    X = rng.normal(size=(n_samples, 1))
    model = quick(max_iter=1).fit(X, X[:, 0] > 0)
    assert model.do_early_stopping_ is (n_samples > 10_000)


@pytest.mark.parametrize("scoring", ["accuracy", "neg_log_loss", None, "roc_auc_ovr"])
def test_early_stopping_listens_to_scorers(scoring, noisy):
    X, y = noisy
    labels = np.array(list("abcdef"))[y]
    model = quick(early_stopping=True, scoring=scoring, max_iter=12).fit(X, labels)
    assert len(model.validation_score_) == len(model.train_score_) >= 2
    if scoring == "neg_log_loss":
        same = quick(early_stopping=True, max_iter=12).fit(X, labels)
        np.testing.assert_allclose(model.validation_score_, same.validation_score_, rtol=1e-5)


def test_a_scorer_may_be_any_callable(noisy):
    X, y = noisy

    def scorer(model, X, y):
        return accuracy_score(y, model.predict(X))

    model = quick(early_stopping=True, scoring=scorer, max_iter=10).fit(X, y)
    named = quick(early_stopping=True, scoring="accuracy", max_iter=10).fit(X, y)
    np.testing.assert_array_equal(model.validation_score_, named.validation_score_)


def test_a_scorer_predicts_only_what_it_is_given(noisy):
    X, y = noisy
    with pytest.raises(ValueError, match="predicts only the X it is given"):
        quick(early_stopping=True, scoring=lambda model, X, y: model.predict(X[:3])[0]).fit(X, y)


def test_training_rows_decide_without_a_validation_fraction(noisy):
    X, y = noisy
    model = quick(early_stopping=True, validation_fraction=None, tol=0.05, n_iter_no_change=2).fit(
        X, y
    )
    assert 1 <= model.n_iter_ < 200
    assert model.validation_score_.size == 0


@pytest.mark.parametrize(("fraction", "n_aside"), [(0.25, 225), (100, 100)])
def test_the_validation_rows_are_stratified(fraction, n_aside, noisy):
    """The class of a row is its only feature: the trees tell how many rows were kept aside."""
    _, y = noisy
    seen = []

    def scorer(model, X, labels):
        seen.append(labels)
        return 0.0

    quick(early_stopping=True, validation_fraction=fraction, scoring=scorer, max_iter=1).fit(
        y[:, np.newaxis].astype(float), y
    )
    train, aside = seen[:2]
    assert len(aside) == n_aside
    assert len(train) + len(aside) == len(y)
    np.testing.assert_allclose(np.bincount(aside), np.bincount(y) * n_aside / len(y), atol=1.5)


def test_a_class_of_one_row_stays_in_training(noisy):
    X, y = noisy
    y = y.copy()
    y[17] = 6
    assert quick(early_stopping=True, max_iter=2).fit(X, y).baseline_logits_[6] > -9


@pytest.mark.parametrize(
    ("parameters", "arguments", "message"),
    [
        ({}, {"X_val": [[0.0] * 6]}, "X_val needs y_val"),
        ({}, {"y_val": [0]}, "these need X_val"),
        ({}, {"sample_weight_val": [1.0]}, "these need X_val"),
        ({"early_stopping": False}, {"X_val": [[0.0] * 6], "y_val": [0]}, "early_stopping=False"),
        ({}, {"X_val": [[0.0] * 5], "y_val": [0]}, "X_val has 5 features"),
        ({}, {"X_val": np.zeros((0, 6)), "y_val": []}, r"X_val: Found array with 0 sample"),
        ({}, {"X_val": [[0.0] * 6], "y_val": [9]}, r"y_val holds labels \[9\]"),
        ({}, {"X_val": [[0.0] * 6], "y_val": [0, 1]}, "y_val has 2 labels, but X_val has 1 rows"),
        ({"early_stopping": True, "validation_fraction": 900}, {}, "validation_fraction=900 asks"),
    ],
)
def test_validation_that_makes_no_sense_is_explained(parameters, arguments, message, noisy):
    with pytest.raises(ValueError, match=message):
        quick(**parameters).fit(*noisy, **arguments)


def test_scorers_need_labels(noisy):
    X, y = noisy
    with pytest.raises(ValueError, match="scoring='accuracy' needs labels"):
        quick(early_stopping=True, scoring="accuracy").fit(X, y_proba=np.eye(6)[y])


def test_a_pipeline_transforms_validation_rows_too(noisy):
    sklearn = pytest.importorskip("sklearn", minversion="1.7")  # transform_input
    X, y = noisy
    with sklearn.config_context(enable_metadata_routing=True):
        model = quick(max_iter=4).set_fit_request(X_val=True, y_val=True, sample_weight=True)
        pipeline = make_pipeline(
            StandardScaler().set_fit_request(sample_weight=False), model, transform_input=["X_val"]
        )
        pipeline.fit(X[:600], y[:600], sample_weight=np.ones(600), X_val=X[600:], y_val=y[600:])
    loss = log_loss(y[600:], pipeline.predict_proba(X[600:]))
    assert -model.validation_score_[model.n_iter_] == pytest.approx(loss, rel=1e-5)


def test_grid_search_splits_weights_and_soft_targets(noisy):
    X, y = noisy
    with config_context(enable_metadata_routing=True):
        model = quick(max_iter=3).set_fit_request(sample_weight=True, y_proba=True)
        model.set_score_request(sample_weight=True)
        search = GridSearchCV(model, {"learning_rate": [0.01, 0.5]}, cv=2)
        search.fit(X, y, sample_weight=np.ones(len(y)), y_proba=np.eye(6)[y])
    assert search.best_params_ == {"learning_rate": 0.5}


# --- warm starts ----------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("more", [{}, {"max_features": 0.5, "sketch": 2}], ids=str)
def test_a_warm_start_is_one_long_fit_bit_for_bit(strategy, more, noisy):
    if strategy == "one_output_per_tree":
        more = {name: value for name, value in more.items() if name != "sketch"}
    X, y = noisy
    parameters = {"early_stopping": False, "multi_strategy": strategy, **more}
    long = quick(max_iter=9, **parameters).fit(X, y)
    steps = quick(warm_start=True, **parameters)
    for max_iter in (1, 4, 4, 9):
        assert steps.set_params(max_iter=max_iter).fit(X, y).n_iter_ == max_iter
    np.testing.assert_array_equal(steps.predict_proba(X), long.predict_proba(X))
    np.testing.assert_array_equal(steps.train_score_, long.train_score_)


def test_a_drawn_seed_is_kept_for_warm_starts(noisy):
    X, y = noisy
    model = quick(random_state=np.random.RandomState(7), warm_start=True, max_iter=3).fit(X, y)
    model.set_params(max_iter=6).fit(X, y)
    again = quick(random_state=np.random.RandomState(7), max_iter=6).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), again.predict_proba(X))


def test_a_warm_start_goes_on_from_the_best_iteration(noisy):
    X, y = noisy
    model = quick(early_stopping=True, warm_start=True, max_iter=150).fit(X, y)
    n_best = model.n_iter_
    before = model.validation_score_[: n_best + 1]
    model.set_params(max_iter=n_best + 3).fit(X, y)
    assert n_best <= model.n_iter_ <= n_best + 3
    np.testing.assert_array_equal(model.validation_score_[: n_best + 1], before)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"max_iter": 2}, "max_iter=2 must be at least n_iter_=3"),
        ({"multi_strategy": "one_output_per_tree"}, "multi_strategy='one_output_per_tree' cannot"),
    ],
)
def test_a_warm_start_refuses_what_does_not_fit(changed, message, noisy):
    model = quick(warm_start=True, max_iter=3).fit(*noisy)
    with pytest.raises(ValueError, match=message):
        model.set_params(**changed).fit(*noisy)


def test_a_warm_start_needs_the_same_classes_and_features(noisy):
    X, y = noisy
    model = quick(warm_start=True, max_iter=3).fit(X, y)
    with pytest.raises(ValueError, match="needs the classes of the fit before"):
        model.fit(X, y % 3)
    with pytest.raises(ValueError, match="X has 5 features"):
        model.fit(X[:, :5], y)
    assert model.n_iter_ == 3
    assert model.predict(X).shape == y.shape


# --- seeds and threads ----------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_number_of_threads_does_not_change_a_bit(strategy, noisy):
    X, y = (np.tile(a.T, 4).T for a in noisy)
    parameters = {"multi_strategy": strategy, "max_iter": 5, "max_features": 0.6}
    one = quick(**parameters).fit(X, y)
    for n_jobs in (2, None, -1):
        some = quick(**parameters, n_jobs=n_jobs).fit(X, y)
        np.testing.assert_array_equal(some.predict_proba(X), one.predict_proba(X))


def test_seeds_decide_about_rows_features_and_sketches(noisy):
    X, y = noisy
    fixed = {"max_iter": 3, "subsample": 1.0, "sketch": None}
    plain = quick(**fixed).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(quick(**fixed, random_state=5).fit(X, y).predict_proba(X), plain)
    for drawn in ({"subsample": 0.5}, {"sketch": 2}, {"max_features": 0.4}):
        parameters = {**fixed, **drawn}
        one = quick(**parameters).fit(X, y).predict_proba(X)
        np.testing.assert_array_equal(quick(**parameters).fit(X, y).predict_proba(X), one)
        other = quick(**parameters, random_state=5).fit(X, y).predict_proba(X)
        assert not np.array_equal(other, one)


# --- Ctrl-C and progress --------------------------------------------------------------------------


class Interrupt:
    """A scorer that is interrupted at its n-th call."""

    def __init__(self, at):
        self.left = at

    def __call__(self, model, X, y):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
        return -float(self.left)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_ctrl_c_keeps_the_trees_so_far(strategy, noisy):
    X, y = noisy
    model = quick(
        early_stopping=True,
        validation_fraction=None,
        scoring=Interrupt(at=5),
        multi_strategy=strategy,
        n_iter_no_change=50,
    )
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert 1 <= model.n_iter_ <= 4
    short = quick(multi_strategy=strategy, max_iter=model.n_iter_, early_stopping=False).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), short.predict_proba(X))


def test_ctrl_c_before_the_first_tree_leaves_the_model_as_it_was(noisy):
    X, y = noisy
    model = quick(early_stopping=True, validation_fraction=None, scoring=Interrupt(at=1))
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    with pytest.raises(NotFittedError):
        model.predict(X)
    model.set_params(scoring="loss", max_iter=2).fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(KeyboardInterrupt):
        model.set_params(scoring=Interrupt(at=1)).fit(X[::2], y[::2])
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_progress_shows_both_losses(noisy, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    X, y = noisy
    model = quick(verbose=1, max_iter=3, early_stopping=True).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("SoftmaxBoostingClassifier: iteration 1, loss ")
    assert f"validation {-model.validation_score_[1]:.6g}" in lines[0]


def test_silence_is_the_default(noisy, capfd):
    for strategy in STRATEGIES:
        quick(max_iter=2, multi_strategy=strategy).fit(*noisy)
    assert capfd.readouterr() == ("", "")
