"""Active learning: a query beside its own model and its peers, a refit warm and cold."""

import importlib
import time

import numpy as np
from sklearn.linear_model import LogisticRegression

from benchmarks.boosting_data import TABULAR
from benchmarks.harness import take_turns
from benchmarks.report import Ratio, Table
from sksoftmax import EntropyActiveLearner, MultinomialLogit

TITLE = "Active learning"
WHAT = """*Query*: the 100 rows of largest entropy in a pool (20 features, 10 classes), by a learner
fitted on 1,000 rows, beside one call of its model's `decision_function` on the pool. *Peers*:
the same query with the same fitted scikit-learn `LogisticRegression` in all three tools (modAL's
`ActiveLearner(query_strategy=entropy_sampling)`, scikit-activeml's
`UncertaintySampling(method="entropy")` with its wrapper); a time counts only if the same rows are
found. *Refit*: `teach` of `EntropyActiveLearner(MultinomialLogit())` on letter after a batch of 10
beyond 5,000 labels, warm against cold, medians over the batches after the first (which
forms the Hessian that later ones reuse); both fit to the same `tol`, and `gradient` is the largest
entry, in any round, of the gradient of the mean loss by standardized columns. Times are
milliseconds of CPU, one thread each."""
THREADS = (1,)
POOLS = {"full": (1_000_000, 100_000), "quick": (200_000, 20_000), "tiny": (2_000, 500)}
LABELS, BATCHES = {"full": 5_000, "quick": 5_000, "tiny": 200}, {"full": 15, "quick": 6, "tiny": 3}
ROUNDS = {"full": 7, "quick": 5, "tiny": 1}
BATCH = 100
FASTER = {"modAL": 3, "scikit-activeml": 8}


def run(setting):
    """Queries beside their own model and the peers, and refits."""
    table = Table(["what", "tool", "ms", "tool / ours", "times its model"])
    of_own_model(table, setting)
    beside_peers(table, setting)
    refits(table, setting)
    return table


def problem(n_rows, n_labels=1_000):
    """Rows, labels of the first ones, -1 for the others."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, 20))
    coef = rng.normal(size=(10, 20))
    y = np.full(n_rows, -1)
    n_labels = min(n_labels, n_rows // 2)
    y[:n_labels] = (X[:n_labels] @ coef.T + rng.gumbel(size=(n_labels, 10))).argmax(axis=1)
    return X, y, n_labels


def of_own_model(table, setting):
    """A query beside one pass of the model's decision function."""
    X, y, _ = problem(POOLS[setting.size][0])
    learner = EntropyActiveLearner(batch_size=BATCH, unlabeled=-1, random_state=0).fit(X, y)
    calls = {
        "decision_function": lambda: learner.estimator_.decision_function(X),
        "query": learner.query,
    }
    times = take_turns(calls, rounds=ROUNDS[setting.size])
    what = f"query, {len(X):,} x 10"
    table.add(what, "its model", f"{1e3 * times['decision_function'].cpu:.1f}", "-", "-")
    ratio = times["query"].cpu / times["decision_function"].cpu
    table.add(what, "ours", f"{1e3 * times['query'].cpu:.1f}", "-", Ratio(ratio, at_most=1.5))


def beside_peers(table, setting):
    """The same query of the same model by each tool."""
    X, y, n_labels = problem(POOLS[setting.size][1])
    model = LogisticRegression().fit(X[:n_labels], y[:n_labels])
    learner = EntropyActiveLearner(model, batch_size=BATCH, unlabeled=-1, random_state=0)
    learner.fit(X, y)
    calls = {"ours": learner.query}
    for name, tool in (("modAL", modal), ("scikit-activeml", activeml)):
        try:
            calls[name] = tool(model, X, y, n_labels)
        except ImportError as error:
            table.notes.append(f"{name} is left out: {error}")
            continue
        assert set(calls[name]()) == set(learner.query()), f"{name} finds other rows"
    times = take_turns(calls, rounds=ROUNDS[setting.size])
    for name, timing in times.items():
        ratio = timing.cpu / times["ours"].cpu
        cell = "-" if name == "ours" else Ratio(ratio, at_least=FASTER[name])
        table.add(f"query, {len(X):,} x 10", name, f"{1e3 * timing.cpu:.1f}", cell, "-")


def modal(model, X, y, n_labels):
    """modAL's query of the unlabeled rows."""
    learner = importlib.import_module("modAL.models").ActiveLearner(
        estimator=model,
        query_strategy=importlib.import_module("modAL.uncertainty").entropy_sampling,
    )
    return lambda: learner.query(X[n_labels:], n_instances=BATCH)[0] + n_labels


def activeml(model, X, y, n_labels):
    """scikit-activeml's query of the rows whose label is NaN."""
    pool = importlib.import_module("skactiveml.pool")
    wrapper = importlib.import_module("skactiveml.classifier").SklearnClassifier
    labels = np.where(y < 0, np.nan, y)
    wrapped = wrapper(LogisticRegression(), classes=np.arange(10)).fit(X, labels)
    strategy = pool.UncertaintySampling(method="entropy", random_state=0)
    return lambda: strategy.query(X, labels, clf=wrapped, fit_clf=False, batch_size=BATCH)


def refits(table, setting):
    """Teach batches of ten to a warm and to a cold learner."""
    path = TABULAR / "letter.npz"
    if not path.exists():
        table.notes.append("refits are left out: letter.npz is not there")
        return
    with np.load(path) as data:
        X, answers = data["X"].astype(np.float64), data["y"]
    order = np.random.default_rng(0).permutation(len(X))
    X, answers, n = X[order], answers[order], LABELS[setting.size]
    y = np.where(np.arange(len(X)) < n, answers, -1)
    seconds, gradients = {}, {}
    learners = {
        name: EntropyActiveLearner(
            MultinomialLogit(max_iter=1000), batch_size=10, refit=name, unlabeled=-1, random_state=0
        ).fit(X, y)
        for name in ("cold", "warm")
    }
    for _ in range(BATCHES[setting.size] + 1):
        rows = learners["cold"].query()
        for name, learner in learners.items():
            start = time.process_time()
            learner.teach(rows, answers[rows])
            seconds.setdefault(name, []).append(time.process_time() - start)
            gradients.setdefault(name, []).append(gradient(learner, X, answers))
    medians = {name: np.median(taken[1:]) for name, taken in seconds.items()}
    np.testing.assert_allclose(
        learners["warm"].estimator_.coef_, learners["cold"].estimator_.coef_, atol=1e-3
    )
    what = f"refit, {n:,} + 10 labels"
    for name in ("warm", "cold"):
        tool = "ours, warm" if name == "warm" else "ours, cold"
        shown = f"{tool} (gradient {max(gradients[name]):.0e})"
        ratio = Ratio(medians["cold"] / medians["warm"], at_least=5) if name == "cold" else "-"
        table.add(what, shown, f"{1e3 * medians[name]:.1f}", ratio, "-")
    first = seconds["warm"][0]
    table.notes.append(f"the first warm refit took {1e3 * first:.1f} ms of CPU")


def gradient(learner, X, answers):
    """Largest entry of the gradient of the mean penalized loss, with columns in their own units."""
    model, rows = learner.estimator_, learner.labeled_indices_
    X, target = X[rows], np.searchsorted(model.classes_, answers[rows])
    residual = model.predict_proba(X)
    residual[np.arange(len(rows)), target] -= 1
    by_coef = residual.T @ (X - X.mean(axis=0)) / X.std(axis=0) / len(rows)
    by_coef += model.coef_ / X.std(axis=0) / (model.C * len(rows))
    return float(max(np.abs(by_coef).max(), np.abs(residual.mean(axis=0)).max()))
