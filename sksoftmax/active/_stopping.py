"""When to stop asking: rules that look at what each round left in the history.

After each round the pool is observed (`observe`), and the record of the round holds the numbers;
a rule keeps nothing itself, so a run that is interrupted, pickled and resumed stops where it would
have stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from sksoftmax._estimator import check_choice, check_integer, check_number
from sksoftmax.active._responses import Classifier, entropies, top_two


@dataclass(frozen=True)
class EntropyThreshold:
    """Stop when the model is certain: the entropy of the pool is below a threshold.

    Parameters
    ----------
    threshold : float, default=0.05
        In nats; log(2) = 0.69 is a coin toss.
    statistic : {"max", "mean"}, default="max"
        Whether the most uncertain row of the pool must be below it [1]_, or their mean. Where
        labels are noisy the largest entropy never falls.

    References
    ----------
    .. [1] J. Zhu, H. Wang, E. Hovy (2008). Multi-criteria-based strategy to stop active learning
       for data annotation. COLING, 1129-1136.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax.active import EntropyActiveLearner, EntropyThreshold
    >>> X, y = load_iris(return_X_y=True)
    >>> rule = EntropyThreshold(0.3, statistic="mean")
    >>> learner = EntropyActiveLearner(stopping=rule, random_state=0).run(X, y, budget=100)
    >>> learner.stop_reason_
    'entropy'
    """

    threshold: float = 0.05
    statistic: str = "max"
    name: ClassVar[str] = "entropy"

    def check(self) -> None:
        """Raise a ValueError or TypeError if a parameter is out of its range."""
        check_number(self.threshold, "threshold", "a number >= 0 (nats)", at_least=0)
        check_choice(self.statistic, "statistic", ("max", "mean"))

    def says_stop(self, history: list[dict[str, Any]]) -> bool:
        """Tell whether to stop after the last round.

        Parameters
        ----------
        history : list of dict
            The records of the rounds, as in `EntropyActiveLearner.history_`.

        Returns
        -------
        stop : bool
            True: ask no more.
        """
        value = history[-1][f"pool_entropy_{self.statistic}"] if history else np.nan
        return bool(value < self.threshold)


@dataclass(frozen=True)
class PredictionStability:
    """Stop when new labels no longer change the predictions [1]_.

    Parameters
    ----------
    agreement : float, default=0.99
        Share of the pool whose predicted class is the same as in the round before. (Predictions are
        compared on the rows that both rounds predict, not on those labeled in between.)
    n_rounds : int, default=3
        In so many rounds one after the other.

    References
    ----------
    .. [1] M. Bloodgood, K. Vijay-Shanker (2009). A method for stopping active learning based on
       stabilizing predictions and the need for user-adjustable stopping. CoNLL, 39-47.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax.active import EntropyActiveLearner, PredictionStability
    >>> X, y = load_iris(return_X_y=True)
    >>> learner = EntropyActiveLearner(stopping=PredictionStability(0.98), random_state=0)
    >>> learner.run(X, y, budget=100).stop_reason_
    'stability'
    """

    agreement: float = 0.99
    n_rounds: int = 3
    name: ClassVar[str] = "stability"

    def check(self) -> None:
        """Raise a ValueError or TypeError if a parameter is out of its range."""
        agreement = check_number(self.agreement, "agreement", "a number in [0, 1]", at_least=0)
        if agreement > 1:
            raise ValueError(f"agreement must be a number in [0, 1]; got {agreement!r}.")
        check_integer(self.n_rounds, "n_rounds", "an integer >= 1", at_least=1)

    def says_stop(self, history: list[dict[str, Any]]) -> bool:
        """Tell whether to stop after the last round.

        Parameters
        ----------
        history : list of dict
            The records of the rounds, as in `EntropyActiveLearner.history_`.

        Returns
        -------
        stop : bool
            True: ask no more.
        """
        last = [record["agreement"] for record in history[-self.n_rounds :]]
        return len(last) == self.n_rounds and all(value >= self.agreement for value in last)


@dataclass(frozen=True)
class ExpectedGain:
    """Stop when a label is expected to bring less than it is worth.

    The expected error of a row is 1 - p of its most probable class: what the model itself expects
    to get wrong. The gain of a round is how far the mean of it fell, over the rows that are in the
    pool before and after, per label. It believes the probabilities: with a model that is too sure
    of itself use ``calibrate=True``.

    Parameters
    ----------
    threshold : float, default=1e-4
        Least gain in expected accuracy per label (1e-4: a hundred labels gain one per cent).
    n_rounds : int, default=3
        The mean gain of so many last rounds is looked at.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax.active import EntropyActiveLearner, ExpectedGain
    >>> X, y = load_iris(return_X_y=True)
    >>> rule = ExpectedGain(1e-3, n_rounds=5)
    >>> learner = EntropyActiveLearner(stopping=rule, random_state=0).run(X, y, budget=100)
    >>> learner.stop_reason_
    'gain'
    """

    threshold: float = 1e-4
    n_rounds: int = 3
    name: ClassVar[str] = "gain"

    def check(self) -> None:
        """Raise a ValueError or TypeError if a parameter is out of its range."""
        check_number(self.threshold, "threshold", "a number (accuracy per label)")
        check_integer(self.n_rounds, "n_rounds", "an integer >= 1", at_least=1)

    def says_stop(self, history: list[dict[str, Any]]) -> bool:
        """Tell whether to stop after the last round.

        Parameters
        ----------
        history : list of dict
            The records of the rounds, as in `EntropyActiveLearner.history_`.

        Returns
        -------
        stop : bool
            True: ask no more.
        """
        last = [record["gain"] for record in history[-self.n_rounds :]]
        return len(last) == self.n_rounds and bool(np.mean(last) < self.threshold)


_KINDS: tuple[Any, ...] = (EntropyThreshold, PredictionStability, ExpectedGain)
RULES = {kind.name: kind for kind in _KINDS}


def check_stopping(stopping: Any) -> list[Any]:
    """Return the rules: None, a name, a rule, or a list of names and rules."""
    given = [] if stopping is None else stopping
    rules: list[Any] = []
    for entry in given if isinstance(given, (list, tuple)) else [given]:
        rule: Any = entry
        if isinstance(entry, str):
            rule = RULES[check_choice(entry, "stopping", tuple(RULES))]()
        if not isinstance(rule, _KINDS):
            names = ", ".join(kind.__name__ for kind in _KINDS)
            raise TypeError(
                f"stopping must hold {', '.join(map(repr, RULES))}, or rules ({names}); "
                f"got {rule!r}."
            )
        rule.check()
        rules.append(rule)
    return rules


@dataclass(frozen=True)
class Look:
    """What the model says about every row of the pool, to compare with after the next round.

    Attributes
    ----------
    labels : ndarray of shape (n_rows,), the predicted ones
    error : ndarray of shape (n_rows,), 1 - the largest probability
    """

    labels: np.ndarray
    error: np.ndarray


def observe(
    classifier: Classifier,
    X: Any,
    is_open: np.ndarray,
    mask: np.ndarray | None,
    before: Look | None,
    n_new: int,
) -> tuple[dict[str, float], Look]:
    """Look at the pool; return the numbers that the rules ask for, NaN where there are none yet."""
    entropy, error = np.zeros(len(is_open)), np.zeros(len(is_open))
    codes = np.zeros(len(is_open), dtype=np.intp)
    for rows, logits in classifier.blocks(X, mask):
        entropy[rows], codes[rows] = entropies(logits), logits.argmax(axis=1)
        error[rows] = 1.0 - top_two(logits)[:, 0]
    look = Look(classifier.classes[codes], error)
    found = dict.fromkeys(
        ("pool_entropy_max", "pool_entropy_mean", "pool_error", "agreement", "gain"), np.nan
    )
    if is_open.any():
        found["pool_entropy_max"] = float(entropy[is_open].max())
        found["pool_entropy_mean"] = float(entropy[is_open].mean())
        found["pool_error"] = float(error[is_open].mean())
        if before is not None:
            found["agreement"] = float((look.labels == before.labels)[is_open].mean())
            fall = float((before.error - error)[is_open].mean())
            found["gain"] = fall / max(1, n_new)
    return found, look
