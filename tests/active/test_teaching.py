"""Labels of all kinds, cold starts, classes that appear later, rows from outside, containers."""

import copy
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sksoftmax import EntropyActiveLearner, MultinomialLogit, TemperatureScaling

LABELS = {
    "text": ["ant", "bee", "cat", "dog"],
    "numbers from one": [1, 2, 3, 4],
    "negative numbers": [-1, 5, 15, 25],
    "booleans": [False, True],
    "floats": [0.0, 1.0, 2.0, 3.0],
}
MISSING = {
    "None in a list": lambda y: list(y),
    "None in an array": lambda y: np.array(y, dtype=object),
    "NaN in an array": lambda y: np.array([np.nan if v is None else v for v in y], dtype=object),
    "pandas NA": lambda y: pd.Series(y, dtype=object).replace({None: pd.NA}),
    "pandas categorical": lambda y: pd.Series(y, dtype="category"),
    "polars null": lambda y: pl.Series(y, strict=False),
    "masked": lambda y: np.ma.masked_array(
        [next(v for v in y if v is not None) if w is None else w for w in y],
        mask=[v is None for v in y],
    ),
}


@pytest.mark.parametrize("missing", MISSING)
@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_any_type_with_gaps_of_any_kind(blobs, kind, missing):
    X, codes = blobs
    labels = LABELS[kind]
    answers = [labels[k % len(labels)] for k in codes.tolist()]
    y = MISSING[missing]([a if i < 40 else None for i, a in enumerate(answers)])
    learner = EntropyActiveLearner(batch_size=3, random_state=0).fit(X, y)
    expected = MultinomialLogit().fit(X[:40], answers[:40])

    assert learner.classes_.tolist() == sorted(labels)
    np.testing.assert_allclose(learner.estimator_.coef_, expected.coef_)
    rows = learner.query()
    learner.teach(rows, [answers[i] for i in rows])
    assert learner.n_labels_ == 43
    assert learner.classes_.dtype.kind == np.asarray(labels).dtype.kind
    assert set(learner.pool_indices_.tolist()) == set(range(40, 400)) - set(rows.tolist())
    assert learner.labeled_indices_.tolist() == [*range(40), *rows.tolist()]


def test_minus_one_is_a_label_unless_the_user_says_otherwise(blobs):
    X, answers = blobs
    y = np.where(answers == 3, -1, answers)

    assert len(EntropyActiveLearner().fit(X, y).pool_indices_) == 0
    learner = EntropyActiveLearner(unlabeled=-1).fit(X, y)
    np.testing.assert_array_equal(learner.pool_indices_, np.flatnonzero(y == -1))
    learner = EntropyActiveLearner(unlabeled="?").fit(X[:6], ["a", "b", "?", "a", "b", "?"])
    assert learner.pool_indices_.tolist() == [2, 5]


def test_nan_alone_is_a_mistake_unless_it_is_named(blobs):
    X, _ = blobs
    with pytest.raises(ValueError, match="NaN only"):
        EntropyActiveLearner().fit(X, np.full(400, np.nan))
    learner = EntropyActiveLearner(unlabeled=np.nan, random_state=0).fit(X, np.full(400, np.nan))
    assert len(learner.query()) == 10


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["a", 1, None, "a"], "mixes labels"),
        ([0.1, 0.7, None, 0.3], "continuous"),
        ([0.0, np.inf, None, 1.0], "infinity"),
        ([0, 1, None], "3 labels for 4 rows"),
    ],
)
def test_wrong_labels_are_named(blobs, y, message):
    with pytest.raises(ValueError, match=message):
        EntropyActiveLearner().fit(blobs[0][:4], y)


# --- cold starts ----------------------------------------------------------------------------------


@pytest.mark.parametrize("y", [None, [None] * 400], ids=["None", "a list of None"])
@pytest.mark.parametrize("diversity", [None, "kcenter", "density"])
def test_a_start_without_labels(blobs, y, diversity):
    X, answers = blobs
    learner = EntropyActiveLearner(diversity=diversity, n_initial=8, random_state=0).fit(X, y)
    rows, scores = learner.query(return_scores=True)

    assert len(set(rows.tolist())) == 8
    assert np.isnan(scores).all()
    assert not hasattr(learner, "classes_")
    with pytest.raises(NotFittedError, match="has no labels yet"):
        learner.predict(X)
    learner.teach(rows, answers[rows])
    assert learner.predict(X).shape == (400,)
    assert len(learner.query()) == 1


def test_a_kcenter_start_covers_the_pool_better_than_chance(blobs):
    X, _ = blobs

    def radius(diversity, seed):
        learner = EntropyActiveLearner(diversity=diversity, n_initial=12, random_state=seed)
        rows = learner.fit(X).query()
        return np.linalg.norm(X[:, None] - X[rows], axis=2).min(axis=1).max()

    assert max(radius("kcenter", s) for s in range(5)) < min(radius(None, s) for s in range(5))


def test_one_class_is_predicted_until_another_appears(blobs):
    X, _ = blobs
    y = [None] * 400
    y[0] = y[1] = "a"
    learner = EntropyActiveLearner(random_state=0).fit(X, y)
    assert learner.classes_.tolist() == ["a"]
    np.testing.assert_array_equal(learner.predict_proba(X), 1.0)
    rows, scores = learner.query(n_queries=4, return_scores=True)
    np.testing.assert_array_equal(scores, 0.0)  # chance decides

    learner.teach(rows, ["a", "b", "a", "a"])
    assert learner.classes_.tolist() == ["a", "b"]
    learner.teach(learner.query(), ["c"])
    assert learner.classes_.tolist() == ["a", "b", "c"]
    expected = MultinomialLogit().fit(X[learner.labeled_indices_], learner._labeled.y)
    np.testing.assert_allclose(learner.predict_proba(X), expected.predict_proba(X), atol=1e-4)


@pytest.mark.parametrize("criterion", ["entropy", "margin", "least_confident", "bald", "random"])
def test_every_criterion_starts_from_nothing(blobs, criterion):
    X, answers = blobs
    learner = EntropyActiveLearner(criterion=criterion, n_initial=1, random_state=0)
    learner.run(X, answers, budget=12)
    assert learner.n_labels_ == 12


# --- teach ----------------------------------------------------------------------------------------


def test_rows_from_outside_are_learnt_and_leave_the_pool_alone(started):
    X, y, answers = started
    learner = EntropyActiveLearner(random_state=0).fit(X, y)
    learner.teach(X=[[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]], y=[0, 1])

    assert len(learner.pool_indices_) == 370
    assert learner.labeled_indices_.tolist()[-2:] == [-1, -1]
    expected = MultinomialLogit().fit(
        np.vstack([X[:30], [[0, 1, 2], [3, 4, 5]]]), [*answers[:30], 0, 1]
    )
    np.testing.assert_allclose(learner.estimator_.coef_, expected.coef_, atol=1e-4)
    assert learner.history_[-1]["indices"] == [-1, -1]


def test_a_row_that_nobody_can_label_leaves_the_pool(started):
    X, y, _ = started
    learner = EntropyActiveLearner(random_state=0).fit(X, y)
    learner.teach([100, 200, 300], [0, None, 2])

    assert learner.n_labels_ == 32
    assert not {100, 200, 300} & set(learner.pool_indices_.tolist())
    assert learner.history_[-1]["labels"] == [0, None, 2]
    assert learner.cost_ == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"indices": [5], "y": [0]}, "row 5 has left the pool already"),
        ({"indices": [400], "y": [0]}, "400 is not a row of the pool"),
        ({"indices": [-1], "y": [0]}, "-1 is not a row of the pool"),
        ({"indices": [50, 50], "y": [0, 1]}, "names a row twice"),
        ({"indices": [50.5], "y": [0]}, "row numbers in one dimension"),
        ({"indices": [50, 51], "y": [0]}, "1 labels for 2 rows"),
        ({"indices": [50], "y": ["text"]}, "do not go with the earlier ones"),
        ({"y": [0]}, "either the indices of pool rows, or rows X"),
        ({"indices": [50], "X": [[0, 0, 0]], "y": [0]}, "not both"),
        ({"X": [[0, 0]], "y": [0]}, "have 3 columns"),
        ({"indices": [50], "y": [0], "sample_weight": [1]}, "are those of fit"),
        ({"X": [[0, 0, 0]], "y": [0], "sample_weight": [1]}, "fit was given none"),
        ({"X": [[0, 0, 0]], "y": [0], "offset": [1]}, "metadata that fit was given"),
    ],
)
def test_a_wrong_lesson_changes_nothing(started, arguments, message):
    X, y, _ = started
    learner = EntropyActiveLearner(random_state=0).fit(X, y)
    before = dict(vars(learner))
    with pytest.raises(ValueError, match=message):
        learner.teach(**arguments)
    assert dict(vars(learner)) == before


class Failing(MultinomialLogit):
    """Refuses a number of rows."""

    def fit(self, X, y, sample_weight=None):
        if len(y) == 31:
            raise RuntimeError("no")
        return super().fit(X, y, sample_weight)


def test_a_fit_that_fails_leaves_the_learner_as_it_was(started):
    X, y, answers = started
    learner = EntropyActiveLearner(Failing(), random_state=0).fit(X, y)
    predicted = learner.predict_proba(X)
    with pytest.raises(RuntimeError):
        learner.teach([50], answers[[50]])

    assert 50 in learner.pool_indices_
    assert learner.history_ == []
    np.testing.assert_array_equal(learner.predict_proba(X), predicted)
    assert learner.teach([50, 51], answers[[50, 51]]).n_labels_ == 32


def test_unfitted_learners_say_so(blobs):
    learner = EntropyActiveLearner()
    for call in (learner.query, lambda: learner.teach([0], [0]), lambda: learner.predict(blobs[0])):
        with pytest.raises(NotFittedError):
            call()


def test_an_empty_pool_has_no_next_row(blobs):
    learner = EntropyActiveLearner().fit(*blobs)
    with pytest.raises(ValueError, match="pool is empty"):
        learner.query()
    assert len(learner.query(blobs[0])) == 1


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"criterion": "entropie"}, "criterion must be one of 'entropy'"),
        ({"batch_size": 0}, "batch_size must be an integer >= 1"),
        ({"diversity": "coreset"}, "diversity must be one of 'kcenter', 'density'"),
        ({"refit": "hot"}, "refit must be one of 'warm', 'cold'"),
        ({"stopping": "never"}, "stopping must be one of 'entropy', 'stability', 'gain'"),
    ],
)
def test_wrong_parameters_are_named(blobs, parameters, message):
    with pytest.raises(ValueError, match=message):
        EntropyActiveLearner(**parameters).fit(*blobs)


def test_few_labels_of_many_classes_are_no_reason_to_warn(rng):
    X, answers = rng.normal(size=(100, 2)), np.arange(100) // 2
    for calibrate in (False, True):
        learner = EntropyActiveLearner(calibrate=calibrate, random_state=0)
        learner.run(X, answers, budget=14)
        assert len(learner.classes_) > 7


@pytest.mark.parametrize("estimator", ["logit", LinearRegression()])
def test_what_is_no_classifier_is_refused(blobs, estimator):
    with pytest.raises(TypeError, match="estimator must be a classifier"):
        EntropyActiveLearner(estimator).fit(*blobs)


# --- refits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "estimator", [MultinomialLogit(), make_pipeline(StandardScaler(), MultinomialLogit())]
)
def test_warm_refits_reach_the_optimum_in_fewer_iterations(started, estimator):
    X, y, answers = started
    warm, cold = (
        EntropyActiveLearner(estimator, batch_size=5, refit=refit, random_state=0).fit(X, y)
        for refit in ("warm", "cold")
    )
    n_iter = {"warm": 0, "cold": 0}
    for _ in range(5):
        rows = cold.query()
        for name, learner in (("warm", warm), ("cold", cold)):
            model = learner.teach(rows, answers[rows]).estimator_
            model = model[-1] if hasattr(model, "steps") else model
            n_iter[name] += int(model.n_iter_[0])
        np.testing.assert_allclose(warm.predict_proba(X), cold.predict_proba(X), atol=1e-4)
    assert n_iter["warm"] < n_iter["cold"]
    assert not estimator.get_params().get("warm_start", False)


def test_the_warm_start_of_an_ensemble_is_left_alone(started):
    X, y, answers = started
    forest = RandomForestClassifier(5, random_state=0)
    learner = EntropyActiveLearner(forest, random_state=0).fit(X, y)
    learner.teach([50, 51], answers[[50, 51]])

    expected = clone(forest).fit(X[learner.labeled_indices_], learner._labeled.y)
    np.testing.assert_array_equal(learner.predict_proba(X), expected.predict_proba(X))


def test_calibration_fits_a_temperature_out_of_fold(started):
    X, y, answers = started
    learner = EntropyActiveLearner(
        MultinomialLogit(C=1e4), calibrate=True, batch_size=20, random_state=0
    )
    learner.fit(X, y).teach(rows := learner.query(), answers[rows])

    assert isinstance(learner.estimator_, TemperatureScaling)
    assert learner.history_[-1]["temperature"] == learner.estimator_.temperature_
    plain = MultinomialLogit(C=1e4).fit(X[learner.labeled_indices_], learner._labeled.y)
    np.testing.assert_array_equal(learner.predict(X), plain.predict(X))


def test_calibration_waits_for_a_class_with_two_labels(blobs):
    X, answers = blobs
    first = [int(np.flatnonzero(answers == k)[0]) for k in range(4)]
    learner = EntropyActiveLearner(calibrate=True, random_state=0).fit(X)
    learner.teach(first, answers[first])
    assert learner.history_[-1]["temperature"] is None
    assert isinstance(learner.estimator_, MultinomialLogit)
    row = int(np.flatnonzero(answers == 2)[1])
    learner.teach([row], [2])
    assert learner.history_[-1]["temperature"] > 0


# --- weights and metadata -------------------------------------------------------------------------


def test_weights_count_once_a_row_has_its_label(started, rng):
    X, y, answers = started
    weight = rng.uniform(0.5, 2, 400)
    learner = EntropyActiveLearner(refit="cold", random_state=0).fit(X, y, weight)
    learner.teach([100, 200], answers[[100, 200]])
    learner.teach(X=X[:1] + 1, y=[0], sample_weight=[3.0])

    rows = [*range(30), 100, 200]
    expected = MultinomialLogit().fit(
        np.vstack([X[rows], X[:1] + 1]), [*answers[rows], 0], [*weight[rows], 3.0]
    )
    np.testing.assert_allclose(learner.estimator_.coef_, expected.coef_)


def test_weights_that_nobody_takes_are_announced(started):
    X, y, _ = started
    with pytest.warns(UserWarning, match="KNeighborsClassifier.fit takes no sample_weight"):
        EntropyActiveLearner(KNeighborsClassifier(3)).fit(X, y, np.ones(400))


class Recorder(ClassifierMixin, BaseEstimator):
    """Keeps the metadata of its last fit."""

    def fit(self, X, y, sample_weight=None, when=None):
        self.classes_, self.when_, self.weight_ = np.unique(y), when, sample_weight
        return self

    def predict_proba(self, X, scale=None):
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))

    def predict(self, X):
        return self.classes_[np.zeros(len(X), dtype=int)]


def test_routed_metadata_reaches_the_fit_row_by_row(started):
    X, y, answers = started
    with config_context(enable_metadata_routing=True):
        inner = Recorder().set_fit_request(when=True, sample_weight=False)
        learner = EntropyActiveLearner(inner, random_state=0)
        learner.fit(X, y, np.ones(400), when=np.arange(400))
        learner.teach([70, 60], answers[[70, 60]])
        assert learner.estimator_.when_.tolist() == [*range(30), 70, 60]
        assert learner.estimator_.weight_ is None
        learner.teach(X=X[:1], y=[0], when=[-5])
        assert learner.estimator_.when_.tolist()[-1] == -5
        with pytest.raises(TypeError, match="got unexpected argument"):
            learner.fit(X, y, where=np.arange(400))


# --- containers and pipelines ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "convert",
    [
        lambda X: pd.DataFrame(X, columns=["a", "b", "c"]),
        lambda X: pl.DataFrame(X, schema=["a", "b", "c"]),
        sparse.csr_matrix,
        sparse.coo_array,
        lambda X: X.tolist(),
        lambda X: X.astype(np.float32),
    ],
    ids=["pandas", "polars", "csr", "coo", "list", "float32"],
)
@pytest.mark.parametrize("diversity", [None, "kcenter", "density"])
def test_every_container_leads_to_the_same_rows(started, convert, diversity):
    X, y, answers = started
    X = X.astype(np.float32).astype(float)
    runs = []
    for rows in (X, convert(X)):
        learner = EntropyActiveLearner(diversity=diversity, batch_size=4, random_state=0)
        learner.fit(rows, y).run(None, answers, budget=8)
        assert learner.score(rows, answers) > 0.5
        runs.append(learner.labeled_indices_)
    if diversity is None or not sparse.issparse(convert(X)):  # sparse columns are not centered
        np.testing.assert_array_equal(*runs)
    else:
        assert len(set(runs[1].tolist())) == 38


def test_frames_keep_their_names_all_the_way(started):
    X, y, answers = started
    frame = pd.DataFrame(X, columns=["a", "b", "c"]).assign(kind=np.where(X[:, 0] > 0, "x", "z"))
    model = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["kind"]), remainder="passthrough"),
        MultinomialLogit(),
    )
    learner = EntropyActiveLearner(model, diversity="kcenter", batch_size=5, random_state=0)
    learner.fit(frame, y).run(None, answers, budget=20)

    assert learner.feature_names_in_.tolist() == ["a", "b", "c", "kind"]
    with pytest.raises(ValueError, match="feature names"):
        learner.query(frame.rename(columns={"a": "A"}))
    learner.teach(X=frame.iloc[:2], y=[0, 1])
    assert learner.n_labels_ == 52


def test_inside_a_pipeline_it_is_a_classifier(blobs):
    X, answers = blobs
    pipeline = make_pipeline(StandardScaler(), EntropyActiveLearner(random_state=0))
    y = np.where(np.arange(400) % 2, answers, -1)
    pipeline.set_params(entropyactivelearner__unlabeled=-1).fit(X, y)

    assert pipeline.score(X, answers) > 0.7
    assert cross_val_score(pipeline, X, answers).mean() > 0.7
    assert len(pipeline[-1].query(pipeline[:-1].transform(X))) == 1


def test_clones_and_copies(started):
    X, y, answers = started
    learner = EntropyActiveLearner(MultinomialLogit(C=2), stopping=["gain"], random_state=0)
    assert clone(learner).get_params()["estimator__C"] == 2
    learner.fit(X, y).teach([50], answers[[50]])
    for other in (copy.deepcopy(learner), pickle.loads(pickle.dumps(learner))):
        np.testing.assert_array_equal(other.query(n_queries=9), learner.query(n_queries=9))
    assert not hasattr(clone(learner), "history_")
    assert "MultinomialLogit" in learner._repr_html_()


def test_a_frame_of_one_column_is_taken_with_a_warning(started):
    X, y, _ = started
    with pytest.warns(DataConversionWarning, match="one column"):
        learner = EntropyActiveLearner().fit(X, pd.DataFrame({"y": y}))
    assert learner.n_labels_ == 30


def test_nullable_integers_stay_integers(started):
    X, y, _ = started
    for column in (pd.array(y, dtype="Int64"), pd.Series(y, dtype="Int64")):
        assert EntropyActiveLearner().fit(X, column).classes_.dtype.kind == "i"
