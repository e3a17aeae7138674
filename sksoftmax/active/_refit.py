"""Fitting the estimator on the rows that have labels, whatever they are by now."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import has_fit_parameter

from sksoftmax.active._labels import few_labels_are_fine
from sksoftmax.active._rows import LabeledRows
from sksoftmax.calibration import TemperatureScaling

_FOLDS = 5


def fit_model(
    estimator: Any,
    labeled: LabeledRows,
    classes: np.ndarray | None,
    previous: Any,
    *,
    warm: bool,
    calibrate: bool,
    seed: Any,
) -> tuple[Any, float | None]:
    """Fit the estimator; return it, and its temperature if it was calibrated.

    1. labels of one class only: a constant
    2. calibrate: out of fold, with folds that keep a row of each class where it is fitted
    3. warm: go on from `previous`, if the classes are the same
    """
    with few_labels_are_fine(labeled.y):
        return _fit(estimator, labeled, classes, previous, warm, calibrate, seed)


def _fit(
    estimator: Any,
    labeled: LabeledRows,
    classes: np.ndarray | None,
    previous: Any,
    warm: bool,
    calibrate: bool,
    seed: Any,
) -> tuple[Any, float | None]:
    present = np.unique(labeled.y)
    params = _fit_params(estimator, labeled, present, classes)
    if len(present) == 1:  # 1
        return DummyClassifier(strategy="most_frequent").fit(labeled.X, labeled.y), None
    if calibrate:  # 2
        folds = calibration_folds(np.unique(labeled.y, return_inverse=True)[1], seed)
        if folds:
            return _calibrated(estimator, labeled, params, folds)
    model = warm_copy(previous, present) if warm else None  # 3
    model = fresh(estimator, warm=warm) if model is None else model
    model = model.fit(labeled.X, labeled.y, **params)
    if not hasattr(model, "classes_"):
        raise TypeError(
            f"estimator must be a classifier; {type(model).__name__} has no classes_ once fitted."
        )
    return model, None


def _fit_params(
    estimator: Any, labeled: LabeledRows, present: np.ndarray, classes: np.ndarray | None
) -> dict[str, Any]:
    """Return the metadata, with the columns of the mask that belong to the classes present."""
    params = dict(labeled.params)
    if labeled.mask is not None and has_fit_parameter(estimator, "mask"):
        params["mask"] = labeled.mask[:, columns_of(present, classes)]
    return params


def columns_of(present: np.ndarray, classes: np.ndarray | None) -> np.ndarray:
    """Return the column of each class present among all `classes`."""
    if classes is None:
        return np.arange(len(present))
    position = {label: k for k, label in enumerate(classes.tolist())}
    unknown = [label for label in present.tolist() if label not in position]
    if unknown:
        raise ValueError(
            f"y holds labels {unknown[:10]} that are not in classes: {classes.tolist()}."
        )
    return np.array([position[label] for label in present.tolist()], dtype=np.intp)


# Warm starts


def _last_step(model: Any) -> Any:
    while hasattr(model, "steps"):
        model = model.steps[-1][1]
    return model


def fresh(estimator: Any, *, warm: bool) -> Any:
    """Return a clone; `warm` lets models that start at their old coefficients do so later."""
    model = clone(estimator)
    last = _last_step(model)
    if warm and _starts_at_coefficients(last):
        last.set_params(warm_start=True)
    return model


def _starts_at_coefficients(model: Any) -> bool:
    """Tell whether a warm start of the model is a starting point, rather than a part to keep.

    Ensembles keep their old members, which never see the new labels; a linear model only starts
    from its old coefficients and reaches the optimum of all labels. Only linear models (and
    pipelines that end in one) have a penalty, a starting point and `coef_`.
    """
    params = model.get_params(deep=False)
    return "warm_start" in params and "fit_intercept" in params


def warm_copy(previous: Any, present: np.ndarray) -> Any:
    """Return a copy to fit on, or None if it cannot go on: other classes, or no warm start."""
    if previous is None or not _starts_at_coefficients(_last_step(previous)):
        return None
    if not np.array_equal(previous.classes_, present):
        return None
    return copy.deepcopy(previous)


# Calibration


def calibration_folds(codes: np.ndarray, seed: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return stratified folds in which every class has a row to be fitted on; [] if impossible.

    Rows of a class are shuffled and dealt out to the folds; the only row of a class is always
    fitted on and never held out.
    """
    rng, counts = np.random.default_rng(seed), np.bincount(codes)
    n_folds = min(_FOLDS, int(counts.max()))
    if n_folds < 2:
        return []
    fold, dealt = np.full(len(codes), -1), 0
    for k in np.flatnonzero(counts > 1):
        rows = rng.permutation(np.flatnonzero(codes == k))
        fold[rows] = (dealt + np.arange(len(rows))) % n_folds
        dealt += len(rows)
    return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(n_folds)]


def _calibrated(
    estimator: Any, labeled: LabeledRows, params: dict[str, Any], folds: Any
) -> tuple[Any, float]:
    """Fit with a temperature; one that is infinite (nothing learnt yet) is told, not used."""
    params = dict(params)
    weight = params.pop("sample_weight", None)
    model = TemperatureScaling(clone(estimator), cv=folds)
    with warnings.catch_warnings():  # the temperature is in the history; other warnings travel on
        for text in ("No positive temperature", "Every label has the largest"):
            warnings.filterwarnings("ignore", text, ConvergenceWarning)
        model.fit(labeled.X, labeled.y, weight, **params)
    usable = np.isfinite(model.temperature_)
    return (model if usable else model.estimator_), float(model.temperature_)
