"""When to stop adding trees: scores after each iteration, on rows that were kept aside.

What trains is a protocol: ``step()`` adds an iteration (False: nothing is left to add), ``n_iter``
counts them, ``train_loss()``, ``logits`` and ``validation_logits`` say where it stands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import check_scoring

from sksoftmax import _kernel
from sksoftmax._trees import Purpose, generator

_SCORED_ROWS = 10_000
"""Training rows that a scorer sees at most, as in HistGradientBoostingClassifier."""


@dataclass(frozen=True)
class LabelledRows:
    """Rows with their targets in columns of classes, and their labels if there are any."""

    X: np.ndarray
    target: np.ndarray  # int64 (n_samples,) or probabilities (n_samples, n_classes)
    labels: np.ndarray | None
    sample_weight: np.ndarray | None  # positive

    def __len__(self) -> int:
        return len(self.X)

    def take(self, rows: np.ndarray) -> LabelledRows:
        """Return these rows only."""
        return LabelledRows(
            self.X[rows],
            self.target[rows],
            None if self.labels is None else self.labels[rows],
            None if self.sample_weight is None else self.sample_weight[rows],
        )

    def without_zero_weights(self) -> LabelledRows:
        """Return the rows whose weight is positive."""
        weight = self.sample_weight
        return self if weight is None or weight.all() else self.take(np.flatnonzero(weight))

    def mean_loss(self, logits: np.ndarray, n_threads: int) -> float:
        """Return the weighted mean cross-entropy, without smoothing, in nats."""
        target = self.target
        if target.ndim == 2:
            target = target.astype(logits.dtype, copy=False)
        loss = _kernel.loss(logits, target, n_threads=n_threads)
        return float(np.average(loss.astype(np.float64), weights=self.sample_weight))


def split_rows(
    target: np.ndarray, fraction: float | int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows to train on and those to validate on, stratified, in ascending order.

    1. shuffle, then sort by class (of probabilities, the largest)
    2. the first row of each class stays in training
    3. of the others take as many as asked for, at equal distances: each class gives its share
    """
    n_samples = len(target)
    codes = target if target.ndim == 1 else target.argmax(axis=1)
    draw = generator(seed, 0, Purpose.SPLIT)
    order = np.lexsort((draw.permutation(n_samples), codes))  # 1
    is_first = np.diff(codes[order], prepend=-1) != 0
    others = order[~is_first]  # 2
    wanted = fraction if isinstance(fraction, int) else int(np.ceil(fraction * n_samples))
    if not 1 <= wanted <= len(others):
        raise ValueError(
            f"validation_fraction={fraction!r} asks for {wanted} of {n_samples} rows (of positive "
            f"weight), but one row of each class must stay for training: at most {len(others)} "
            "can be kept aside. Pass X_val, or early_stopping=False."
        )
    at = ((np.arange(wanted) + draw.random()) * (len(others) / wanted)).astype(np.int64)  # 3
    is_validation = np.zeros(n_samples, dtype=bool)
    is_validation[others[np.minimum(at, len(others) - 1)]] = True
    return np.flatnonzero(~is_validation), np.flatnonzero(is_validation)


class Snapshot(ClassifierMixin, BaseEstimator):
    """The model as it stands on the rows that a scorer is given, which it does not predict anew."""

    def __init__(self, classes: Any, X: Any, logits: Any, n_threads: int) -> None:
        self.classes = classes
        self.X = X
        self.logits = logits
        self.n_threads = n_threads

    def fit(self, X: Any, y: Any) -> Any:
        """Refuse; scorers ask for an estimator that has it."""
        raise ValueError("scoring: a model that is being fitted cannot be fitted anew.")

    @property
    def classes_(self) -> np.ndarray:
        """Labels in the order of the columns."""
        return self.classes

    def decision_function(self, X: Any) -> np.ndarray:
        """Logits, or for two classes their difference."""
        if X is not self.X:
            raise ValueError(
                "scoring: a model that is being fitted predicts only the X it is given."
            )
        logits = self.logits.astype(np.float64)
        return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the classes."""
        self.decision_function(X)
        return _kernel.softmax(self.logits.astype(np.float64), n_threads=self.n_threads)

    def predict(self, X: Any) -> np.ndarray:
        """Most probable labels."""
        return self.classes[self.predict_proba(X).argmax(axis=1)]

    def __sklearn_is_fitted__(self) -> bool:
        return True


@dataclass
class Monitor:
    """Scores after each iteration, higher is better, and what they say: go on, stop, keep how many.

    Parameters
    ----------
    train, validation : LabelledRows, validation None without rows kept aside
    stops : bool
        Whether to stop early.
    n_iter_no_change : int
        Stop when none of that many scores beats the one before them by more than `tol`.
    tol : float
    scoring : "loss", a name of a scorer, a callable, or None for the accuracy
    classes : ndarray of labels
    seed, n_threads : int
    train_scores, validation_scores : list of float
        Entry i belongs to i iterations.
    """

    train: LabelledRows
    validation: LabelledRows | None
    stops: bool
    n_iter_no_change: int
    tol: float
    scoring: Any
    classes: np.ndarray
    seed: int
    n_threads: int
    train_scores: list[float] = field(default_factory=list)
    validation_scores: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._scorer = None
        if self.stops and self.scoring != "loss":
            self._scorer = self._check_scorer()
            self._scored = np.arange(len(self.train))
            if len(self.train) > _SCORED_ROWS:
                draw = generator(self.seed, 0, Purpose.SCORED)
                self._scored = np.sort(draw.permutation(len(self.train))[:_SCORED_ROWS])
            self._scored_rows = self.train.take(self._scored)

    def _check_scorer(self) -> Callable[..., float]:
        if any(rows is not None and rows.labels is None for rows in (self.train, self.validation)):
            raise ValueError(
                f"scoring={self.scoring!r} needs labels: pass y (and y_val) beside y_proba, or "
                "use scoring='loss'."
            )
        nothing = Snapshot(self.classes, None, np.zeros((1, len(self.classes))), 1)
        return check_scoring(nothing, self.scoring)

    def record(self, training: Any) -> None:
        """Append the scores of the iterations so far."""
        if self._scorer is None:
            if self.scoring == "loss":
                _put(self.train_scores, training.n_iter, -training.train_loss())
            if self.validation is not None:
                loss = self.validation.mean_loss(training.validation_logits, self.n_threads)
                _put(self.validation_scores, training.n_iter, -loss)
            return
        score = self._score(self._scored_rows, training.logits[self._scored])
        _put(self.train_scores, training.n_iter, score)
        if self.validation is not None:
            score = self._score(self.validation, training.validation_logits)
            _put(self.validation_scores, training.n_iter, score)

    def _score(self, rows: LabelledRows, logits: np.ndarray) -> float:
        assert self._scorer is not None
        weight = {} if rows.sample_weight is None else {"sample_weight": rows.sample_weight}
        model = Snapshot(self.classes, rows.X, logits, self.n_threads)
        score = float(self._scorer(model, rows.X, rows.labels, **weight))
        if np.isnan(score):
            raise ValueError(
                f"scoring={self.scoring!r} is NaN, so that early stopping cannot compare it: "
                "a class may be missing from the rows it sees. Use scoring='loss'."
            )
        return score

    @property
    def deciding_scores(self) -> list[float]:
        """Those of the rows kept aside, or without any of the training rows."""
        return self.train_scores if self.validation is None else self.validation_scores

    def should_stop(self) -> bool:
        """Whether none of the last scores is better than the one before them by more than `tol`."""
        if not self.stops or len(self.deciding_scores) <= self.n_iter_no_change:
            return False
        reference, *recent = self.deciding_scores[-self.n_iter_no_change - 1 :]
        return bool(np.max(recent) <= reference + self.tol)

    def best_n_iter(self, n_iter: int) -> int:
        """Return how many of the iterations to keep: those up to the best score, at least one."""
        scores = self.deciding_scores[: n_iter + 1]
        if not self.stops or np.isnan(scores).all():
            return n_iter
        return min(max(1, int(np.nanargmax(scores))), n_iter)

    def shown(self, training: Any) -> dict[str, str]:
        """Return what progress shows of the last iteration."""
        shown = {"loss": f"{training.train_loss():.6g}"}
        if self.validation_scores:
            sign = -1 if self.scoring == "loss" else 1
            shown["validation"] = f"{sign * self.validation_scores[-1]:.6g}"
        return shown


def _put(scores: list[float], n_iter: int, score: float) -> None:
    """Make `score` the entry of `n_iter`, the last one; what was never scored is NaN."""
    del scores[n_iter:]
    scores += [np.nan] * (n_iter - len(scores)) + [score]
