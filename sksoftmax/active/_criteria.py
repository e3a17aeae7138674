"""How much the label of a row would tell: the criteria, all non-negative, larger is better.

=================  ==============================================================================
"entropy"          -sum p log p, in nats
"margin"           1 - (p of the most probable class - p of the second)
"least_confident"  1 - p of the most probable class
"bald"             entropy of the mean of a committee - mean of its members' entropies, in nats
"random"           the same for every row: chance decides
=================  ==============================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed

from sksoftmax import _kernel
from sksoftmax._estimator import check_choice
from sksoftmax._responses import sliced
from sksoftmax.active._refit import columns_of, fit_model
from sksoftmax.active._responses import Classifier, entropies, masked, row_blocks, top_two
from sksoftmax.active._rows import LabeledRows, take

CRITERIA = ("entropy", "margin", "least_confident", "bald", "random")


@dataclass(frozen=True)
class BALD:
    """Disagreement of a committee: what a label would tell about which member is right.

    The score of a row is the entropy of the members' mean probabilities minus the mean of their
    entropies [1]_, in nats: members that are each certain, but of different classes, score high; a
    row that is noise to all of them does not.

    Parameters
    ----------
    committee : int or list of classifiers, default=5
        A number of clones of the learner's estimator, each fitted on a bootstrap of the labeled
        rows; or the members, clones of which are fitted on all labeled rows.

    References
    ----------
    .. [1] N. Houlsby, F. Huszár, Z. Ghahramani, M. Lengyel (2011). Bayesian active learning for
       classification and preference learning. arXiv:1112.5745.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax.active import BALD, EntropyActiveLearner
    >>> X, y = load_iris(return_X_y=True)
    >>> learner = EntropyActiveLearner(criterion=BALD(3), random_state=0)
    >>> learner.run(X, y, budget=20).n_labels_
    20
    """

    committee: int | Sequence[Any] = 5

    def members(
        self, estimator: Any, labeled: LabeledRows, classes: Any, seed: Any, n_jobs: int | None
    ) -> list[Any]:
        """Fit the members; `classes` are those that the columns of a mask belong to.

        Parameters
        ----------
        estimator : classifier
            What the members of a bootstrap are clones of.
        labeled : LabeledRows
            What they are fitted on.
        classes : ndarray or None
            Names of the columns of the mask.
        seed : int or sequence of int
            Seed of the bootstrap.
        n_jobs : int or None
            Members fitted at once, in joblib's meaning.

        Returns
        -------
        members : list of fitted classifiers
            In their order.
        """
        if isinstance(self.committee, (int, np.integer)):
            rng = np.random.default_rng(seed)
            size = len(labeled)
            jobs = [
                (clone(estimator), _bootstrap(labeled, rng.integers(size, size=size)))
                for _ in range(self.committee)
            ]
        else:
            jobs = [(clone(member), labeled) for member in self.committee]
        return Parallel(n_jobs=n_jobs)(
            delayed(_member)(estimator, rows, classes) for estimator, rows in jobs
        )


def _member(estimator: Any, labeled: LabeledRows, classes: Any) -> Any:
    return fit_model(estimator, labeled, classes, None, warm=False, calibrate=False, seed=0)[0]


def _bootstrap(labeled: LabeledRows, rows: np.ndarray) -> LabeledRows:
    mask = None if labeled.mask is None else labeled.mask[rows]
    params = sliced(labeled.params, rows, len(labeled))
    return LabeledRows(take(labeled.X, rows), labeled.y[rows], labeled.index[rows], params, mask)


def check_criterion(criterion: Any) -> None:
    """Raise unless it is one of the names, or a `BALD`."""
    if not isinstance(criterion, BALD):
        check_choice(criterion, "criterion", CRITERIA)
        return
    members = criterion.committee
    if isinstance(members, (int, np.integer)):
        if isinstance(members, bool) or members < 2:
            raise ValueError(f"criterion: a committee has at least 2 members; got {members!r}.")
    elif not isinstance(members, Sequence) or len(members) < 2:
        raise ValueError(
            f"criterion: committee must be a number or a list of at least 2 classifiers; "
            f"got {members!r}."
        )


def scores_of(
    criterion: str,
    classifier: Classifier,
    X: Any,
    mask: np.ndarray | None,
    params: dict[str, Any],
) -> np.ndarray:
    """Return the score of each row, from the logits, without a matrix of probabilities."""
    if criterion == "random":
        return np.ones(X.shape[0])
    scores = np.empty(X.shape[0])
    of_logits = _OF_LOGITS[criterion]
    for rows, logits in classifier.blocks(X, mask, params):
        scores[rows] = of_logits(logits)
    return scores


def _margin(logits: np.ndarray) -> np.ndarray:
    largest = top_two(logits)
    return 1.0 - (largest[:, 0] - largest[:, 1])


def _least_confident(logits: np.ndarray) -> np.ndarray:
    return 1.0 - top_two(logits)[:, 0]


_OF_LOGITS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "entropy": entropies,
    "margin": _margin,
    "least_confident": _least_confident,
}


def disagreement_of(
    members: list[Any],
    classes: np.ndarray,
    X: Any,
    mask: np.ndarray | None,
    params: dict[str, Any],
) -> np.ndarray:
    """Return BALD's score of each row: H(mean of p) - mean of H(p).

    A class that a member never saw has probability 0 there.
    """
    asked = [Classifier(member, X, params) for member in members]
    scores = np.empty(X.shape[0])
    for rows in row_blocks(X.shape[0], len(classes)):
        part = take(X, rows)
        mean, spread = np.zeros((part.shape[0], len(classes))), np.zeros(part.shape[0])
        for member in asked:
            logits = member.logits(part, sliced(params, rows, X.shape[0]))
            columns = columns_of(member.classes, classes)
            if mask is not None:
                logits = masked(logits, mask[rows][:, columns])
            mean[:, columns] += _kernel.softmax(logits) / len(asked)
            spread += entropies(logits) / len(asked)
        with np.errstate(divide="ignore"):
            scores[rows] = entropies(np.log(mean)) - spread
    return np.maximum(scores, 0.0)  # below zero by rounding only
