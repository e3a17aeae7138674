"""What a fitted classifier says about rows, as logits, a block of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
from sklearn import config_context

from sksoftmax import _kernel
from sksoftmax._responses import of_estimator, row_errors, sliced
from sksoftmax.active._rows import take
from sksoftmax.linear import MultinomialLogit

_BLOCK_ENTRIES = 1 << 20
_LEAST_ROWS = 1024
_SAMPLE = 32  # rows on which logits and probabilities are compared
_TOLERANCE = 1e-5  # relative


class Classifier:
    """A fitted classifier as a source of logits.

    ``decision_function`` gives the logits if its softmax is what ``predict_proba`` says (or if
    there is no ``predict_proba``); scores that mean something else do not. Else they are the
    logarithms of the probabilities.

    Parameters
    ----------
    estimator : fitted classifier
    X : rows to compare the two methods on; a few are used
    params : dict of metadata of the response method, for these rows
    """

    def __init__(self, estimator: Any, X: Any, params: dict[str, Any] | None = None) -> None:
        self.estimator, self.classes = estimator, np.asarray(estimator.classes_)
        n_rows = X.shape[0]
        rows = np.linspace(0, n_rows - 1, min(n_rows, _SAMPLE)).astype(np.intp)
        self.method = self._pick(take(X, rows), sliced(params or {}, rows, n_rows))

    def _pick(self, X: Any, params: dict[str, Any]) -> str:
        if not hasattr(self.estimator, "predict_proba"):
            if hasattr(self.estimator, "decision_function"):
                return "decision_function"
            raise TypeError(
                f"estimator: {type(self.estimator).__name__} has neither predict_proba nor "
                "decision_function, so it does not say how certain it is."
            )
        if not hasattr(self.estimator, "decision_function"):
            return "predict_proba"
        proba = np.asarray(self.estimator.predict_proba(X, **params))
        try:
            logits = of_estimator(
                self.estimator, X, self.classes, "decision_function", params
            ).logits
        except ValueError:  # as many columns as pairs of classes
            return "predict_proba"
        softmax = _kernel.softmax(np.ascontiguousarray(logits))
        rounding = 100 * np.finfo(proba.dtype).eps  # some take 1 - p for the other class
        same = np.abs(softmax - proba) <= _TOLERANCE * np.maximum(softmax, proba) + rounding
        return "decision_function" if same.all() else "predict_proba"

    def logits(self, X: Any, params: dict[str, Any] | None = None) -> np.ndarray:
        """Return the logits of all rows, (n_rows, n_classes) float64; -inf: no probability."""
        arguments = (self.estimator, X, self.classes, self.method, params or {})
        if isinstance(self.estimator, MultinomialLogit):
            # It finds rows that are not finite by their logits: another look at X is not needed,
            # except to say what is wrong.
            with suppress(ValueError), config_context(assume_finite=True):
                return np.ascontiguousarray(of_estimator(*arguments).logits)
        return np.ascontiguousarray(of_estimator(*arguments).logits)

    def blocks(
        self, X: Any, mask: np.ndarray | None = None, params: dict[str, Any] | None = None
    ) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield slices of the rows and their logits, with -inf where a class is masked."""
        for rows in row_blocks(X.shape[0], len(self.classes)):
            logits = self.logits(take(X, rows), sliced(params or {}, rows, X.shape[0]))
            if mask is not None:
                logits = masked(logits, mask[rows])
            yield rows, logits


def row_blocks(n_rows: int, n_classes: int) -> Iterator[slice]:
    """Yield slices of rows whose logits make an array of a few megabytes."""
    step = max(_LEAST_ROWS, _BLOCK_ENTRIES // n_classes)
    for start in range(0, n_rows, step):
        yield slice(start, min(n_rows, start + step))


def masked(logits: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return logits of -inf where a class is not available.

    A row with no available class among those known says nothing: its classes are equally probable.
    """
    closed = ~mask.any(axis=1)
    logits = np.where(mask, logits, -np.inf)
    logits[closed] = 0.0
    return logits


def entropies(logits: np.ndarray) -> np.ndarray:
    """Return the entropy of each row in nats, from its logits."""
    with row_errors("features"):
        return _kernel.entropy(logits)


def top_two(logits: np.ndarray) -> np.ndarray:
    """Return the two largest probabilities of each row, (n_rows, 2): of one class 1 and 0."""
    with row_errors("features"):
        total = _kernel.logsumexp(logits)
    if logits.shape[1] == 1:
        return np.tile([1.0, 0.0], (len(logits), 1))
    largest = np.partition(logits, logits.shape[1] - 2, axis=1)[:, [-1, -2]]
    return np.exp(largest - total[:, None])
