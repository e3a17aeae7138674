"""From what a fitted classifier says to logits: its responses, on all rows or out of fold.

What a response means depends on the method that gave it, never on its values:

decision_function   logits as they are, -inf where a class is not available; with two classes a
                    score z means the logits (0, z)
predict_log_proba   logits as they are; -inf is the logarithm of a zero (below)
predict_proba       their logarithm; no constant is added. A probability of exactly 0 (no tree
                    voted for the class, or float underflow) says "less than I can resolve": it is
                    read as half the smallest positive probability seen in fit
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.utils import _safe_indexing
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import has_fit_parameter

from sksoftmax._arrays import RowLayout
from sksoftmax._kernel import RowError
from sksoftmax._targets import check_sample_weight, label_text

# How far the sum of a row of probabilities may be from 1: rounded tables pass, logits do not.
_SUM_TOLERANCE = 1e-2
RESPONSES = ("decision_function", "predict_log_proba", "predict_proba")


def response_name(estimator: Any, response_method: str) -> str:
    """Return the method to call: the one asked for, or with "auto" the first there is."""
    wanted = RESPONSES if response_method == "auto" else (response_method,)
    for name in wanted:
        if hasattr(estimator, name):
            return name
    raise ValueError(
        f"estimator={estimator!r} has no method {' or '.join(wanted)}, so it says nothing that "
        "could be calibrated."
    )


def check_classifier(estimator: Any) -> Any:
    """Return what could be fitted; anything else is an error that says what it is."""
    if isinstance(estimator, type):
        raise TypeError(
            f"estimator must be an instance; got the class {estimator.__name__}: write "
            f"{estimator.__name__}()."
        )
    if not hasattr(estimator, "fit"):
        raise TypeError(
            "estimator must be a classifier, a FrozenEstimator around one that is fitted, or None; "
            f"got {estimator!r} of type {type(estimator).__name__}."
        )
    return estimator


def check_frozen(estimator: Any) -> None:
    """Raise unless the frozen estimator is a fitted classifier."""
    if not hasattr(estimator, "classes_"):
        raise NotFittedError(
            f"estimator={estimator!r} has no classes_: freeze a classifier after it was fitted."
        )


@dataclass
class Responses:
    """Logits of some rows, one column per class, and what their zeros mean.

    Attributes
    ----------
    logits : float array of shape (n_samples, n_classes), -inf: not available
    zeros : bool array of that shape, or None; probabilities of exactly 0, not yet read
    smallest : float, logarithm of the smallest positive probability; inf where there is none
    unknown : bool array of that shape, or None; classes that the classifier never saw
    """

    logits: np.ndarray
    zeros: np.ndarray | None = None
    smallest: float = np.inf
    unknown: np.ndarray | None = None

    def read_zeros(self, log_of_zero: float) -> np.ndarray:
        """Return the logits, with a logarithm in the place of the zeros."""
        if self.zeros is not None and self.zeros.any():
            self.logits[self.zeros] = log_of_zero
        return self.logits

    def rows(self, chosen: np.ndarray) -> Responses:
        """Return some of the rows."""
        zeros = None if self.zeros is None else self.zeros[chosen]
        return Responses(self.logits[chosen], zeros, self.smallest)


def log_of_zero(smallest: float) -> float:
    """Return the logarithm of half the smallest positive probability."""
    return float(smallest - np.log(2.0)) if np.isfinite(smallest) else float(-np.log(2.0))


def logits_of_scores(scores: np.ndarray) -> np.ndarray:
    """Return the logits (0, z) of two-class scores z; an infinite one leaves one class."""
    scores = scores.reshape(-1)
    logits = np.stack([np.zeros_like(scores), scores], axis=1)
    logits[scores == np.inf] = (-np.inf, 0.0)
    return logits


def of_proba(proba: np.ndarray) -> Responses:
    """Return the logarithms of probabilities."""
    zeros = proba == 0
    logits = np.log(proba, where=~zeros, out=np.full_like(proba, -np.inf))
    return Responses(logits, zeros, _smallest(logits))


def of_given(kind: str, X: np.ndarray) -> Responses:
    """Return X, which is logits or probabilities, as logits; one column is a two-class score."""
    if kind == "proba":
        _check_proba(X)
        return of_proba(X)
    return Responses(logits_of_scores(X) if X.shape[1] == 1 else X)


def _check_proba(proba: np.ndarray) -> None:
    """Raise where a row is no row of probabilities."""
    layout = RowLayout.of(proba, -1, "X")
    layout.reject_rows(
        np.asarray(~(proba >= 0).all(axis=1)),
        "X",
        "holds a negative number or NaN, no probability; for logits use input='logits'",
    )
    total: np.ndarray = proba.sum(axis=1, dtype=np.float64)
    layout.reject_rows(
        np.asarray(~(np.abs(total - 1) <= _SUM_TOLERANCE)),
        "X",
        f"does not sum to 1 (within {_SUM_TOLERANCE:g}); for logits use input='logits'",
    )


def refuse_masked_arrays(**arguments: Any) -> None:
    """Raise where the mask of an argument would be lost."""
    for name, value in arguments.items():
        if np.ma.isMaskedArray(value):
            what = (
                "logits of -inf mark classes that are not available" if name == "X" else "drop rows"
            )
            raise ValueError(f"{name} is a masked array, whose mask would be lost; {what}.")


def refuse_other_order(columns: list[str], classes: np.ndarray) -> None:
    """Raise if a frame's columns are the classes in another order."""
    expected = [str(label) for label in classes.tolist()]
    if columns != expected and sorted(columns) == sorted(expected):
        raise ValueError(
            f"X: its columns {columns} are the classes in another order than {expected}; pass "
            "them in that order."
        )


def of_estimator(
    estimator: Any, X: Any, classes: np.ndarray, method: str, params: dict[str, Any]
) -> Responses:
    """Return the response of a fitted classifier in float64, in columns of `classes`.

    Classes that it does not know are not available (-inf).
    """
    with np.errstate(divide="ignore"):  # scikit-learn's forests take the logarithm of 0
        values = np.asarray(getattr(estimator, method)(X, **params), dtype=np.float64)
    known = np.asarray(estimator.classes_)
    if values.ndim == 1 or (values.shape[1] == 1 and len(known) == 2):
        if method != "decision_function" or len(known) != 2:
            raise ValueError(f"{method} of {estimator!r} has one column for {len(known)} classes.")
        values = logits_of_scores(values)
    if values.shape[1] != len(known):
        raise ValueError(
            f"{method} of {estimator!r} has {values.shape[1]} columns, but classes_ has "
            f"{len(known)} labels (decision_function_shape='ovr' of an SVC gives one each)."
        )
    if method == "decision_function":
        found = Responses(values)
    elif method == "predict_proba":
        found = of_proba(values)
    else:
        found = Responses(values.copy(), values == -np.inf, _smallest(values))
    return found if np.array_equal(known, classes) else _in_columns(found, known, classes)


def _smallest(logits: np.ndarray) -> float:
    return float(np.min(logits, where=logits > -np.inf, initial=np.inf))


def _in_columns(found: Responses, known: np.ndarray, classes: np.ndarray) -> Responses:
    """Return the columns of `known` among those of all `classes`."""
    position = {label: k for k, label in enumerate(classes.tolist())}
    columns = [position[label] for label in known.tolist()]
    shape = (len(found.logits), len(classes))
    logits = np.full(shape, -np.inf, dtype=found.logits.dtype)
    logits[:, columns] = found.logits
    zeros = None
    if found.zeros is not None:
        zeros = np.zeros(shape, dtype=bool)
        zeros[:, columns] = found.zeros
    unknown = np.ones(shape, dtype=bool)
    unknown[:, columns] = False
    return Responses(logits, zeros, found.smallest, unknown)


def of_known_labels(
    found: Responses, target: np.ndarray, weight: np.ndarray | None, classes: np.ndarray
) -> tuple[Responses, np.ndarray, np.ndarray | None]:
    """Leave out rows of classes that were missing where the clone of their fold was fitted."""
    rows = np.arange(len(target))
    if found.unknown is None or not found.unknown[rows, target].any():
        return found, target, weight
    known = ~found.unknown[rows, target]
    if not known.any():
        raise ValueError("cv: no fold holds rows of the classes that it was fitted on.")
    labels = classes[np.unique(target[~known])].tolist()
    warnings.warn(
        f"cv: {int((~known).sum())} rows are left out of the temperature, because the other "
        f"folds hold no row of their classes {labels}; use stratified folds, or fewer.",
        UserWarning,
        stacklevel=5,
    )
    return found.rows(known), target[known], None if weight is None else weight[known]


# Folds


@dataclass(frozen=True)
class Fold:
    """What fitting and asking clones of an estimator takes."""

    estimator: Any
    method: str
    fit_params: dict[str, Any]
    response_params: dict[str, Any]
    split_params: dict[str, Any]

    def out_of_fold(
        self, classes: np.ndarray, X: Any, y: np.ndarray, train: Any, test: Any
    ) -> Responses:
        """Fit a clone on the rows `train`; return its response on the rows `test`."""
        model = clone(self.estimator)
        params = sliced(self.fit_params, train, len(y))
        model.fit(_safe_indexing(X, train), _safe_indexing(y, train), **params)
        params = sliced(self.response_params, test, len(y))
        return of_estimator(model, _safe_indexing(X, test), classes, self.method, params)


def out_of_fold(
    fold: Fold, classes: np.ndarray, X: Any, y: np.ndarray, splits: list[Any], n_jobs: int | None
) -> tuple[Responses, np.ndarray]:
    """Return the responses of all test sets, one after the other, and the numbers of their rows."""
    parts = Parallel(n_jobs=n_jobs)(
        delayed(fold.out_of_fold)(classes, X, y, train, test) for train, test in splits
    )
    rows = np.concatenate([np.arange(len(y))[test] for _, test in splits])
    logits = np.concatenate([part.logits for part in parts])
    zeros = _stacked([part.zeros for part in parts], parts)
    unknown = _stacked([part.unknown for part in parts], parts)
    return Responses(logits, zeros, min(part.smallest for part in parts), unknown), rows


def _stacked(flags: list[np.ndarray | None], parts: list[Responses]) -> np.ndarray | None:
    if all(flag is None for flag in flags):
        return None
    return np.concatenate(
        [
            np.zeros(part.logits.shape, dtype=bool) if flag is None else flag
            for flag, part in zip(flags, parts, strict=True)
        ]
    )


def sliced(params: dict[str, Any], rows: Any, n_samples: int) -> dict[str, Any]:
    """Return metadata for some rows: what has one entry per row is indexed, the rest is not."""
    return {
        name: _safe_indexing(value, rows) if _has_rows(value, n_samples) else value
        for name, value in params.items()
    }


def _has_rows(value: Any, n_samples: int) -> bool:
    if value is None or isinstance(value, (str, bytes, dict)):
        return False
    shape = getattr(value, "shape", None)
    if shape is not None:
        return len(shape) > 0 and shape[0] == n_samples
    return hasattr(value, "__len__") and len(value) == n_samples


def params_without_routing(
    estimator: Any, method: str, weighted: dict[str, Any], params: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what goes to `fit`: all of it, and to the response method: what it names."""
    fit, names = dict(params), inspect.signature(getattr(estimator, method)).parameters
    if weighted and has_fit_parameter(estimator, "sample_weight"):
        fit |= weighted
    elif weighted and not isinstance(estimator, FrozenEstimator):
        warnings.warn(
            f"{type(estimator).__name__}.fit takes no sample_weight: the weights go into the "
            "temperature only.",
            UserWarning,
            stacklevel=6,
        )
    return fit, {name: value for name, value in params.items() if name in names}


def float_weight(sample_weight: Any, n_samples: int) -> np.ndarray | None:
    """Return checked weights in float64, or None."""
    weight, exponent = check_sample_weight(sample_weight, n_samples)
    return None if weight is None else np.ldexp(weight, exponent)


def columns_of_labels(y: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return the column of each label among the classes of an estimator, in its order."""
    if len(classes) < 2:
        raise ValueError(
            f"At least two classes are needed, but the estimator knows one class only: "
            f"{label_text(classes[0])}."
        )
    position = {label: k for k, label in enumerate(classes.tolist())}
    labels, inverse = np.unique(y, return_inverse=True)
    unknown = [label for label in labels.tolist() if label not in position]
    if unknown:
        raise ValueError(
            f"y holds labels {unknown[:10]} that the estimator does not know; its classes_ are "
            f"{classes.tolist()}."
        )
    return np.array([position[label] for label in labels.tolist()], dtype=np.int64)[inverse]


@contextmanager
def row_errors(input: str) -> Iterator[None]:
    """Say what is wrong with a row in the words of the caller."""
    try:
        yield
    except RowError as error:
        if input == "features":  # the rows of folds have other numbers
            what = "a row of its logits" if error.argument == "logits" else "the label of a row"
            raise ValueError(f"estimator: {what} {error.reason}") from None
        where = {"logits": "X", "target": "y"}[error.argument]
        raise ValueError(f"{where}: row {error.row} {error.reason}") from None
