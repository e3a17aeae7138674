"""Is it worth it? Learning curves of strategies over repetitions, always beside random labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed

from sksoftmax._estimator import check_integer, check_number
from sksoftmax.active._labels import split_labels
from sksoftmax.active._learner import EntropyActiveLearner
from sksoftmax.active._rows import as_rows, take


@dataclass(frozen=True)
class StrategyComparison:
    """Learning curves of several strategies, each repeated on the same splits.

    Parameters
    ----------
    n_labels : int ndarray of shape (n_points,)
        Labels after each round.
    scores : dict of str to ndarray of shape (n_repeats, n_points)
        Test score of each strategy; "random" is always one of them.
    full_score : ndarray of shape (n_repeats,)
        Test score of the estimator fitted on all training labels.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax.active import compare_strategies
    >>> X, y = load_iris(return_X_y=True)
    >>> found = compare_strategies(None, X, y, budget=40, n_repeats=2, random_state=0)
    >>> found.scores["random"].shape
    (2, 31)
    """

    n_labels: np.ndarray
    scores: dict[str, np.ndarray]
    full_score: np.ndarray

    def area(self) -> dict[str, np.ndarray]:
        """Return the mean height of each curve, the area under it over its width.

        Returns
        -------
        area : dict of str to ndarray of shape (n_repeats,)
            In units of the score; 1 is perfect from the start.
        """
        width = self.n_labels[-1] - self.n_labels[0]
        if width == 0:
            return {name: scores[:, 0] for name, scores in self.scores.items()}
        steps = np.diff(self.n_labels)
        return {
            name: (0.5 * (scores[:, 1:] + scores[:, :-1])) @ steps / width
            for name, scores in self.scores.items()
        }

    def labels_to_reach(self, share: float = 0.95) -> dict[str, np.ndarray]:
        """Return how many labels each strategy needs for a share of the score with all labels.

        Parameters
        ----------
        share : float, default=0.95
            Positive.

        Returns
        -------
        n_labels : dict of str to float ndarray of shape (n_repeats,)
            Labels at the first round that reaches it, inf where none does.
        """
        check_number(share, "share", "a positive number", above=0)
        found = {}
        for name, scores in self.scores.items():
            reached = scores >= share * self.full_score[:, None]
            first = self.n_labels[reached.argmax(axis=1)].astype(float)
            found[name] = np.where(reached.any(axis=1), first, np.inf)
        return found

    def __str__(self) -> str:
        """Return a table: labels to 95 % of the full score, final score, area."""
        labels, area = self.labels_to_reach(), self.area()
        lines = [
            f"full score {self.full_score.mean():.3f} over {len(self.full_score)} repetitions; "
            f"{self.n_labels[0]} to {self.n_labels[-1]} labels",
            f"{'strategy':<18}{'labels to 95 %':>16}{'(10 %, 90 %)':>16}{'last':>8}{'area':>8}",
        ]
        for name, scores in self.scores.items():
            low, middle, high = np.percentile(labels[name], [10, 50, 90], method="nearest")
            ends = f"({low:.0f}, {high:.0f})"
            lines.append(
                f"{name:<18}{middle:>16.0f}{ends:>16}{scores[:, -1].mean():>8.3f}"
                f"{area[name].mean():>8.3f}"
            )
        return "\n".join(lines)


def compare_strategies(
    estimator: Any,
    X: Any,
    y: Any,
    strategies: Any = ("entropy", "margin"),
    budget: int = 100,
    n_repeats: int = 10,
    *,
    batch_size: int = 1,
    n_initial: int = 10,
    test_size: float | int = 0.25,
    random_state: Any = None,
    n_jobs: int | None = None,
) -> StrategyComparison:
    """Compare strategies of active learning with each other, and with random labels.

    In each repetition the rows are split anew, stratified, into pool and test rows; all strategies
    start at the same random rows, and each round is scored on the test rows.

    Parameters
    ----------
    estimator : classifier or None
        As in `EntropyActiveLearner`.
    X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
        Rows.
    y : array-like of shape (n_samples,)
        All their labels.
    strategies : sequence of str, or dict, default=("entropy", "margin")
        Names of criteria; or a dict of names to criteria, to dicts of parameters of
        `EntropyActiveLearner`, or to learners (whose batch size and seeds are set here). "random"
        is added if it is not there.
    budget : int, default=100
        Labels of each run, the first ones included.
    n_repeats : int, default=10
        Repetitions, with seeds of their own.
    batch_size : int, default=1
        Labels of a round.
    n_initial : int, default=10
        Labels of the first round.
    test_size : float or int, default=0.25
        Share or number of the test rows.
    random_state : int, RandomState instance or None, default=None
        Seed of splits and learners.
    n_jobs : int or None, default=None
        Runs at once, in joblib's meaning.

    Returns
    -------
    comparison : StrategyComparison
        The curves; ``print`` it, or draw it with `sksoftmax.plotting.ActiveLearningDisplay`.

    Raises
    ------
    ValueError
        An argument is out of its range.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sksoftmax.active import compare_strategies
    >>> X, y = load_digits(return_X_y=True)
    >>> found = compare_strategies(
    ...     None, X, y, ["margin"], budget=200, n_repeats=2, batch_size=20, random_state=0
    ... )
    >>> labels = found.labels_to_reach(0.95)
    >>> bool(labels["margin"].mean() < labels["random"].mean())
    True
    """
    check_integer(n_repeats, "n_repeats", "an integer >= 1", at_least=1)
    check_integer(budget, "budget", "an integer >= 1", at_least=1)
    learners = _learners(estimator, strategies, batch_size, n_initial)
    X = as_rows(X)
    y, known = split_labels(y)
    if not known.all():
        raise ValueError(f"y: all labels are needed; row {int(np.argmin(known))} has none.")
    rng = check_random_state(random_state)
    seeds = rng.randint(2**31 - 1, size=n_repeats).tolist()
    jobs = [
        delayed(_curve)(learner, X, y, budget, test_size, seed)
        for seed in seeds
        for learner in learners.values()
    ]
    full = [delayed(_full_score)(learners["random"], X, y, test_size, seed) for seed in seeds]
    done = Parallel(n_jobs=n_jobs)(jobs + full)
    curves, full_score = done[: len(jobs)], np.array(done[len(jobs) :])
    n_labels = np.array(curves[0][0])
    scores = np.array([curve for _, curve in curves]).reshape(n_repeats, len(learners), -1)
    by_name = {name: scores[:, s] for s, name in enumerate(learners)}
    return StrategyComparison(n_labels, by_name, full_score)


def _learners(
    estimator: Any, strategies: Any, batch_size: int, n_initial: int
) -> dict[str, EntropyActiveLearner]:
    """Return a learner for each strategy, "random" among them."""
    if isinstance(strategies, str):
        strategies = [strategies]
    if isinstance(strategies, Mapping):
        named = dict(strategies)
    elif isinstance(strategies, Sequence) and all(isinstance(name, str) for name in strategies):
        named = {name: name for name in strategies}
    else:
        raise TypeError(
            f"strategies must be names of criteria, or a dict of names to criteria, parameters or "
            f"learners; got {strategies!r}."
        )
    named.setdefault("random", "random")
    learners = {}
    for name, given in named.items():
        if isinstance(given, EntropyActiveLearner):
            learner = clone(given)
            learner.estimator = learner.estimator if estimator is None else clone(estimator)
        else:
            parameters = dict(given) if isinstance(given, Mapping) else {"criterion": given}
            learner = EntropyActiveLearner(estimator, **parameters)
        learners[str(name)] = learner.set_params(batch_size=batch_size, n_initial=n_initial,
                                                 stopping=None)  # fmt: skip
        learner._check_parameters()
    return learners


def _split(X: Any, y: np.ndarray, test_size: Any, seed: int) -> tuple[np.ndarray, np.ndarray]:
    return train_test_split(np.arange(len(y)), test_size=test_size, stratify=y, random_state=seed)


def _curve(
    learner: Any, X: Any, y: np.ndarray, budget: int, test_size: Any, seed: int
) -> tuple[list[int], list[float]]:
    """Run one strategy; return labels and score of each round."""
    pool, test = _split(X, y, test_size, seed)
    learner = clone(learner).set_params(random_state=seed)
    learner.run(take(X, pool), y[pool], budget=budget, X_test=take(X, test), y_test=y[test])
    records = learner.history_
    return [r["n_labels"] for r in records], [r["test_score"] for r in records]


def _full_score(learner: Any, X: Any, y: np.ndarray, test_size: Any, seed: int) -> float:
    pool, test = _split(X, y, test_size, seed)
    learner = clone(learner).set_params(random_state=seed)
    return float(learner.fit(take(X, pool), y[pool]).score(take(X, test), y[test]))
