"""The loop: budgets, costs, oracles that fail, Ctrl-C, resuming, pickles, stopping rules."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier

from sksoftmax import EntropyActiveLearner, MultinomialLogit
from sksoftmax.active import EntropyThreshold, ExpectedGain, PredictionStability

TIMES = ("query_seconds", "fit_seconds")


def learner(**parameters):
    return EntropyActiveLearner(**{"batch_size": 5, "random_state": 0} | parameters)


def told(history):
    """The records without their times, NaN being comparable."""
    return [{k: repr(v) for k, v in record.items() if k not in TIMES} for record in history]


class Person:
    """An oracle that raises after so many answers; then it goes on."""

    def __init__(self, answers, patience, error):
        self.answers, self.patience, self.error = answers, patience, error
        self.asked = []

    def __call__(self, rows):
        for row in rows.tolist():
            if len(self.asked) == self.patience:
                self.patience = -1
                raise self.error
            self.asked.append(row)
            yield self.answers[row]


def test_a_run_is_query_and_teach_in_turns(blobs):
    X, answers = blobs
    by_hand = learner().fit(X)
    for _ in range(6):
        by_hand.teach(rows := by_hand.query(), answers[rows])
    run = learner().run(X, answers, budget=35)

    assert run.n_labels_ == by_hand.n_labels_ == 35
    np.testing.assert_array_equal(run.labeled_indices_, by_hand.labeled_indices_)
    np.testing.assert_array_equal(run.estimator_.coef_, by_hand.estimator_.coef_)
    assert run.stop_reason_ == "budget"
    assert by_hand.stop_reason_ is None


@pytest.mark.parametrize(
    "oracle",
    [
        lambda y: y,
        lambda y: y.tolist(),
        lambda y: pd.Series(y, index=range(1000, 1000 + len(y))),
        lambda y: pd.DataFrame({"y": y}),
        lambda y: lambda rows: y[rows],
        lambda y: lambda rows: (y[row] for row in rows),
        lambda y: lambda rows: [int(y[row]) for row in rows],
    ],
    ids=["array", "list", "series", "frame", "function", "generator", "list of a function"],
)
def test_every_kind_of_oracle(blobs, oracle):
    X, answers = blobs
    run = learner().run(X, oracle(answers), budget=20)
    np.testing.assert_array_equal(
        run.labeled_indices_, learner().run(X, answers, budget=20).labeled_indices_
    )


def test_the_history_tells_everything(blobs):
    X, answers = blobs
    run = learner(calibrate=True, stopping=ExpectedGain(-1)).run(
        X, answers, budget=23, X_test=X, y_test=answers
    )
    assert [record["n_labels"] for record in run.history_] == [10, 15, 20, 23]
    assert [record["cost"] for record in run.history_] == [10, 15, 20, 23]
    indices = [row for record in run.history_ for row in record["indices"]]
    labels = [label for record in run.history_ for label in record["labels"]]
    assert indices == run.labeled_indices_.tolist()
    assert labels == answers[indices].tolist()
    last = run.history_[-1]
    assert last["test_score"] == run.score(X, answers)
    assert last["n_classes"] == 4
    assert last["scores"] == sorted(last["scores"], reverse=True)
    assert last["temperature"] == run.estimator_.temperature_
    p = run.predict_proba(X)[run.pool_indices_]
    assert last["pool_error"] == pytest.approx(1 - p.max(axis=1).mean())
    assert min(last[name] for name in TIMES) > 0
    assert all(isinstance(row, int) for row in indices)


def test_the_budget_counts_what_earlier_calls_spent(blobs):
    X, answers = blobs
    run = learner().run(X, answers, budget=20)
    run.run(X, answers, budget=20)
    assert run.n_labels_ == 20
    run.run(None, answers, budget=31)
    assert run.n_labels_ == 31
    run.run(X, answers, budget=np.inf)
    assert (run.n_labels_, run.stop_reason_) == (400, "pool")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("lunch")])
@pytest.mark.parametrize("patience", [0, 7, 10, 13, 15])
@pytest.mark.parametrize("pickled", [False, True])
def test_an_oracle_that_raises_loses_nothing_and_the_run_goes_on(blobs, error, patience, pickled):
    X, answers = blobs
    run, person = learner(), Person(answers, patience, error)
    with pytest.raises(type(error)):
        run.run(X, person, budget=30)

    assert run.labeled_indices_.tolist() == person.asked
    assert run.n_labels_ == len(person.asked) == patience
    assert all(record["labels"] for record in run.history_)
    assert run.stop_reason_ == "interrupted"
    if pickled:
        run = pickle.loads(pickle.dumps(run))
    run.run(X, person, budget=30)
    assert run.labeled_indices_.tolist() == person.asked
    assert len(set(person.asked)) == 30
    assert run.stop_reason_ == "budget"
    np.testing.assert_allclose(
        run.predict_proba(X),
        MultinomialLogit().fit(X[person.asked], answers[person.asked]).predict_proba(X),
        atol=1e-4,
    )


def test_an_interrupted_run_between_batches_ends_as_an_uninterrupted_one(blobs):
    X, answers = blobs
    rules = {"stopping": PredictionStability(1.0, n_rounds=100)}
    whole = learner(**rules).run(X, answers, budget=40, X_test=X, y_test=answers)
    run, calls = learner(**rules), []

    def oracle(rows):
        calls.append(rows)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return answers[rows]

    with pytest.raises(KeyboardInterrupt):
        run.run(X, oracle, budget=40, X_test=X, y_test=answers)
    run = pickle.loads(pickle.dumps(run))
    run.run(X.copy(), oracle, budget=40, X_test=X, y_test=answers)
    np.testing.assert_array_equal(calls[3], calls[4])  # asked again
    assert told(run.history_) == told(whole.history_)
    np.testing.assert_array_equal(run.estimator_.coef_, whole.estimator_.coef_)


class Interrupted(MultinomialLogit):
    """Ctrl-C in the third fit."""

    n_fits = 0

    def fit(self, X, y, sample_weight=None):
        type(self).n_fits += 1
        if type(self).n_fits == 3:
            raise KeyboardInterrupt
        return super().fit(X, y, sample_weight)


def test_labels_survive_a_fit_that_is_interrupted(blobs):
    X, answers = blobs
    Interrupted.n_fits = 0
    run, asked = learner(estimator=Interrupted()), []

    def oracle(rows):
        asked.extend(rows.tolist())
        return answers[rows]

    with pytest.raises(KeyboardInterrupt):
        run.run(X, oracle, budget=30)
    assert run.n_labels_ == len(asked) == 20
    run.run(X, oracle, budget=30)
    assert len(set(asked)) == run.n_labels_ == 30
    assert "fit_seconds" in run.history_[2 - 1]


@pytest.mark.parametrize("convert", [np.array, lambda X: np.array(X, dtype=object), pd.DataFrame])
def test_the_same_rows_are_the_same_pool_also_with_gaps(blobs, convert):
    X, answers = blobs
    X = np.where(np.arange(X.size).reshape(X.shape) % 7, X, np.nan).tolist()
    forest = RandomForestClassifier(5, random_state=0)  # takes NaN
    run = learner(estimator=forest).run(convert(X), answers, budget=15)
    run.run(convert(X), answers, budget=30)
    assert len(set(run.labeled_indices_.tolist())) == 30


def test_a_pool_of_other_rows_takes_the_place_of_the_first(blobs):
    X, answers = blobs
    run = learner().run(X[:200], answers[:200], budget=20)
    run.run(X[200:], answers[200:], budget=40)

    assert run.n_labels_ == 40
    assert run.labeled_indices_.tolist()[:20] == [-1] * 20
    assert len(run.pool_indices_) == 180


def test_rows_that_nobody_knows_are_not_asked_about_again(blobs):
    X, answers = blobs
    asked = []

    def oracle(rows):
        asked.extend(rows.tolist())
        return [None if row % 2 else answers[row] for row in rows]

    run = learner().run(X, oracle, budget=60)
    assert len(set(asked)) == len(asked) == 60
    assert run.n_labels_ == sum(row % 2 == 0 for row in asked)
    assert run.cost_ == 60


# --- costs ----------------------------------------------------------------------------------------


def test_no_more_is_spent_than_there_is(blobs, rng):
    X, answers = blobs
    costs = rng.uniform(0.5, 4, 400)
    run = learner().run(X, answers, budget=40, costs=costs)

    spent = costs[run.labeled_indices_].sum()
    assert run.cost_ == pytest.approx(spent)
    assert run.history_[-1]["cost"] == run.cost_
    assert 40 - costs[run.pool_indices_].min() < spent <= 40 + 1e-9
    assert run.stop_reason_ == "budget"


def test_rows_are_ranked_by_score_per_cost(started, rng):
    X, y, answers = started
    costs = rng.uniform(0.5, 4, 400)
    run = learner().fit(X, y)
    index, scores = run.query(n_queries=370, return_scores=True)
    expected = index[np.argsort(-scores / costs[index], kind="stable")][:5]

    run.run(None, answers, budget=costs[expected].sum() + 1e-6, costs=costs)
    assert run.history_[0]["indices"] == expected.tolist()
    at = [int(np.flatnonzero(index == row)[0]) for row in expected]
    np.testing.assert_allclose(run.history_[0]["scores"], scores[at])


@pytest.mark.parametrize("costs", [[1.0] * 3, [0.0] * 400, [-1.0] * 400, [np.nan] * 400])
def test_wrong_costs_are_refused(blobs, costs):
    with pytest.raises(ValueError, match="costs must hold a positive number"):
        learner().run(*blobs, budget=10, costs=costs)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"budget": -1}, "budget must be a number >= 0"),
        ({"budget": 10, "X_test": [[0, 0, 0]]}, "X_test and y_test belong together"),
        ({"budget": 10, "oracle": None}, "oracle must be"),
        ({"budget": 10, "oracle": [0, 1]}, "oracle has 2 labels, but the pool has 400 rows"),
        ({"budget": 10, "oracle": lambda rows: [1]}, "asked about 10 rows and returned 1"),
        ({"budget": 10, "oracle": lambda rows: iter([1])}, "asked about 10 rows and gave 1"),
        ({"budget": 10, "oracle": lambda rows: 1}, "oracle must return a list of labels"),
        ({"budget": 10, "oracle": lambda rows: "0123456789"}, "oracle must return a list"),
        ({"budget": 10, "oracle": lambda rows: None}, "got None"),
    ],
)
def test_wrong_arguments_are_named(blobs, arguments, message):
    X, answers = blobs
    with pytest.raises(ValueError, match=message):
        learner().run(X, **{"oracle": answers} | arguments)


# --- stopping -------------------------------------------------------------------------------------


def test_every_rule_stops_and_the_reason_is_its_name(blobs):
    X, answers = blobs
    for rule, name in [
        (EntropyThreshold(0.9, "mean"), "entropy"),
        (EntropyThreshold(2.0), "entropy"),
        (PredictionStability(0.9, n_rounds=2), "stability"),
        (ExpectedGain(0.01, n_rounds=2), "gain"),
        (["gain", PredictionStability(0.5, n_rounds=1)], "stability"),
    ]:
        run = learner(stopping=rule).run(X, answers, budget=300)
        assert run.stop_reason_ == name
        assert run.n_labels_ < 300


def test_a_rule_stops_in_the_first_round_that_meets_it(blobs):
    X, answers = blobs
    free = learner(stopping=ExpectedGain(-1.0)).run(X, answers, budget=150)
    record = {name: [r[name] for r in free.history_] for name in free.history_[0]}

    def first(met):
        return free.history_[int(np.argmax(met))]["n_labels"]

    entropy = np.array(record["pool_entropy_mean"])
    level = np.sort(entropy)[len(entropy) // 2]
    run = learner(stopping=EntropyThreshold(level, "mean")).run(X, answers, budget=150)
    assert run.n_labels_ == first(entropy < level)

    agreement = np.array(record["agreement"])
    level = np.nanmedian(agreement)
    run = learner(stopping=PredictionStability(level, 2)).run(X, answers, budget=150)
    both = (agreement[1:] >= level) & (agreement[:-1] >= level)
    assert run.n_labels_ == first(np.concatenate([[False], both]))


def test_agreement_and_gain_compare_two_rounds_on_the_same_rows(blobs):
    X, answers = blobs
    run = learner(stopping=ExpectedGain(-1)).run(X, answers, budget=15)
    rows, pool = run.labeled_indices_, run.pool_indices_
    before = MultinomialLogit().fit(X[rows[:10]], answers[rows[:10]])
    p, q = before.predict_proba(X[pool]), run.predict_proba(X[pool])

    last = run.history_[-1]
    assert np.isnan(run.history_[0]["gain"])
    assert last["agreement"] == (before.predict(X[pool]) == run.predict(X[pool])).mean()
    gain = (q.max(axis=1) - p.max(axis=1)).mean() / 5
    assert last["gain"] == pytest.approx(gain, abs=1e-6)


@pytest.mark.parametrize(
    ("rule", "error", "message"),
    [
        (EntropyThreshold(-1), ValueError, "threshold must be a number >= 0"),
        (EntropyThreshold(statistic="median"), ValueError, "statistic must be one of"),
        (PredictionStability(1.5), ValueError, "agreement must be a number in"),
        (PredictionStability(n_rounds=0), ValueError, "n_rounds must be an integer >= 1"),
        (ExpectedGain("much"), TypeError, "threshold must be a number"),
        (7, TypeError, "stopping must hold"),
    ],
)
def test_wrong_rules_are_named(blobs, rule, error, message):
    with pytest.raises(error, match=message):
        learner(stopping=rule).fit(*blobs)


def test_progress_is_shown_round_by_round(blobs, capsys, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    X, answers = blobs
    learner(verbose=1).run(X, answers, budget=20, X_test=X, y_test=answers)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[-1].startswith("EntropyActiveLearner: iteration 20, labels 20, score 0.")


def test_any_classifier_learns(blobs):
    X, answers = blobs
    forest = RandomForestClassifier(10, random_state=0)
    run = learner(estimator=forest, criterion="margin").run(X, answers, budget=40)
    assert run.score(X, answers) > 0.7


def test_an_oracle_that_answers_nan_only_does_not_know():
    X, y = load_iris(return_X_y=True)
    learner = EntropyActiveLearner(random_state=0)
    learner.run(X, lambda rows: np.where(rows % 3 == 0, np.nan, y[rows]), budget=12)
    assert learner.stop_reason_ == "budget"
    assert 0 < learner.n_labels_ < 12


def test_an_oracle_may_sort_the_rows_it_is_asked_for():
    X, y = load_iris(return_X_y=True)

    def sorts(rows):
        labels = y[rows]
        rows.sort()
        return labels

    plain, sorted_ = (
        EntropyActiveLearner(random_state=0, batch_size=5).run(X, oracle, budget=20)
        for oracle in (lambda rows: y[rows], sorts)
    )
    assert [r["indices"] for r in plain.history_] == [r["indices"] for r in sorted_.history_]
