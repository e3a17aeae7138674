"""The steps of `SoftmaxBoostingClassifier.fit`."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import Any

import numpy as np

from sksoftmax._boosting_engines import start_training
from sksoftmax._boosting_settings import fixed_seed, settings_of
from sksoftmax._early_stopping import LabelledRows, Monitor, split_rows
from sksoftmax._estimator import check_labels, shown_progress
from sksoftmax._features import FeatureEncoder
from sksoftmax._targets import encode_targets
from sksoftmax._trees import baseline_logits, total_weight

Rows = tuple[Any, Any, Any, Any]
"""X, y, y_proba, sample_weight, as they were given."""

_AUTO_EARLY_STOPPING_ROWS = 10_000
_LARGEST_WEIGHT = 1e100  # so that sums of weights stay finite with any scale


def fit_model(model: Any, given: Rows, classes: Any, given_validation: Rows) -> bool:
    """Fit a model whose parameters were checked, and return whether Ctrl-C ended it.

    1. rows       floats and columns of classes; weights of zero are left out
    2. validation rows that were given, or that are set aside
    3. start      the logits of the classes' shares
    4. train      iteration by iteration, until it is time to stop
    5. unpack     the iterations up to the best one
    """
    goes_on = model.warm_start and hasattr(model, "_forest")
    if not goes_on:
        model._encoder = FeatureEncoder.learn(given[0], model.categorical_features)
        model._seed = fixed_seed(model.random_state)
    rows, found = _labelled_rows(model, given, classes, reset=not goes_on)  # 1
    if goes_on:
        _check_goes_on(model, found)
    model.classes_ = found
    given_rows = _validation_rows(model, given_validation)  # 2
    train, validation = _set_aside(model, rows.without_zero_weights(), given_rows)
    if not goes_on:  # 3
        model.baseline_logits_ = baseline_logits(train.target, train.sample_weight, len(found))
    training, monitor = _start(model, train, validation, goes_on)
    interrupted = _train(model, training, monitor)  # 4
    _unpack(model, training.forest(), monitor)  # 5
    return interrupted


def _labelled_rows(
    model: Any, given: Rows, classes: Any, *, reset: bool
) -> tuple[LabelledRows, np.ndarray]:
    """Return what was given as floats and columns of classes, and the classes."""
    X, y, y_proba, sample_weight = given
    X = model._encoder.transform(model, X, reset=reset)
    labels = None if y is None and y_proba is not None else check_labels(model, y, len(X))
    targets = encode_targets(
        X,
        labels,
        y_proba=y_proba,
        sample_weight=sample_weight,
        class_weight=model.class_weight,
        classes=classes,
        dtype=np.float64,
    )
    weight = targets.sample_weight
    if weight is not None:
        weight = np.ldexp(weight, targets.weight_exponent)
        if not 1 / _LARGEST_WEIGHT < weight.sum() < _LARGEST_WEIGHT:
            raise ValueError(
                f"sample_weight: the sum of the weights (times class_weight) is {weight.sum()}; it "
                f"must be between {1 / _LARGEST_WEIGHT:g} and {_LARGEST_WEIGHT:g}."
            )
    return LabelledRows(X, targets.target, labels, weight), targets.classes


def _check_goes_on(model: Any, classes: np.ndarray) -> None:
    if not np.array_equal(model.classes_, classes):
        raise ValueError(
            "warm_start=True needs the classes of the fit before, "
            f"{model.classes_.tolist()}; got {classes.tolist()}."
        )
    if model.max_iter < model.n_iter_:
        raise ValueError(
            f"max_iter={model.max_iter} must be at least n_iter_={model.n_iter_}, the iterations "
            "of the fit before, when warm_start=True."
        )
    if model.multi_strategy != model._strategy:
        raise ValueError(
            f"multi_strategy={model.multi_strategy!r} cannot go on from a fit with "
            f"{model._strategy!r}; use warm_start=False."
        )
    if model.max_bins != getattr(model, "_max_bins", model.max_bins):
        raise ValueError(
            f"max_bins={model.max_bins} cannot go on from a fit with max_bins={model._max_bins}, "
            "whose bins its trees use; use warm_start=False."
        )


def _validation_rows(model: Any, given: Rows) -> LabelledRows | None:
    X, y, y_proba, _ = given
    if all(value is None for value in given):
        return None
    if X is None or (y is None and y_proba is None):
        raise ValueError("X_val needs y_val or y_proba_val, and these need X_val.")
    if model.early_stopping is False:
        raise ValueError("X_val is for early stopping, but early_stopping=False.")
    with _validation_names():
        rows, _ = _labelled_rows(model, given, model.classes_, reset=False)
    return rows.without_zero_weights()


def _set_aside(
    model: Any, rows: LabelledRows, validation: LabelledRows | None
) -> tuple[LabelledRows, LabelledRows | None]:
    """Return the rows to train on, and those that early stopping looks at."""
    is_large = validation is not None or len(rows) > _AUTO_EARLY_STOPPING_ROWS
    stops = is_large if model.early_stopping == "auto" else bool(model.early_stopping)
    model.do_early_stopping_ = stops
    if validation is not None or not stops or model.validation_fraction is None:
        return rows, validation
    fraction = model.validation_fraction
    fraction = int(fraction) if isinstance(fraction, Integral) else float(fraction)
    kept, aside = split_rows(rows.target, fraction, model._seed)
    return rows.take(kept), rows.take(aside)


def _start(
    model: Any, train: LabelledRows, validation: LabelledRows | None, goes_on: bool
) -> tuple[Any, Monitor]:
    settings = settings_of(model, train.X.shape[1], model._seed, total_weight(train))
    _warn_of_light_rows(train, settings.min_samples_leaf, model.multi_strategy)
    training = start_training(
        model.multi_strategy,
        settings,
        train,
        validation,
        model.baseline_logits_,
        model._encoder.is_categorical,
        model._forest if goes_on else None,
    )
    monitor = Monitor(
        train,
        validation,
        stops=model.do_early_stopping_,
        n_iter_no_change=int(model.n_iter_no_change),
        tol=float(model.tol),
        scoring=model.scoring,
        classes=model.classes_,
        seed=model._seed,
        n_threads=settings.n_threads,
        train_scores=model.train_score_.tolist() if goes_on else [],
        validation_scores=model.validation_score_.tolist() if goes_on else [],
    )
    return training, monitor


def _warn_of_light_rows(train: LabelledRows, least: int, multi_strategy: str) -> None:
    """Warn where no tree can split because the rows are many but weigh little."""
    if train.sample_weight is None or multi_strategy != "multi_output_tree":
        return
    total = total_weight(train)
    if total < 2 * least <= len(train):
        warnings.warn(
            f"sample_weight and class_weight: the weights of {len(train)} rows sum to {total:.4g}, "
            f"less than 2 * min_samples_leaf = {2 * least}, so no tree can split. min_samples_leaf "
            "counts weights: scale them to a mean of 1.",
            UserWarning,
            stacklevel=4,
        )


def _train(model: Any, training: Any, monitor: Monitor) -> bool:
    """Add iterations until it is time to stop; return whether Ctrl-C said so."""
    n_before, max_iter = training.n_iter, int(model.max_iter)
    try:
        with shown_progress(model.verbose, type(model).__name__, max_iter) as show:
            monitor.record(training)
            while training.n_iter < max_iter and not monitor.should_stop() and training.step():
                monitor.record(training)
                if show is not None:
                    show(training.n_iter, **monitor.shown(training))
    except KeyboardInterrupt:
        if training.n_iter == n_before:
            raise
        return True
    return False


def _unpack(model: Any, forest: Any, monitor: Monitor) -> None:
    forest.truncate(monitor.best_n_iter(forest.n_iter))
    model._forest = forest
    model._strategy, model._max_bins = model.multi_strategy, model.max_bins
    model.n_iter_ = forest.n_iter
    model.n_trees_per_iteration_ = forest.n_trees_per_iteration
    model.train_score_ = np.array(monitor.train_scores)
    model.validation_score_ = np.array(monitor.validation_scores)
    mask = model._encoder.is_categorical
    model.is_categorical_ = mask if mask.any() else None


@contextmanager
def _validation_names() -> Iterator[None]:
    """Name the arguments in a message as the caller does: X_val, y_val, ..."""
    try:
        yield
    except (TypeError, ValueError) as error:
        message, n_named = re.subn(r"\b(X|y|y_proba|sample_weight)\b", r"\1_val", str(error))
        raise type(error)(message if n_named else f"X_val: {message}") from None
