"""What grows the trees of a SoftmaxBoostingClassifier: vector leaves, or LightGBM's scalars.

Both train by the protocol that `_early_stopping` names, and leave a forest with ``n_iter``,
``n_trees_per_iteration``, ``logits_from``, ``staged_from``, ``apply``, ``gain_importances`` and
``truncate``.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from sksoftmax import _lightgbm_engine
from sksoftmax._boosting_settings import Settings
from sksoftmax._early_stopping import LabelledRows
from sksoftmax._lightgbm_engine import LightGBMTraining, engine_parameters
from sksoftmax._lightgbm_export import booster_from_trees, export_bytes
from sksoftmax._memory import check_memory
from sksoftmax._trees import (
    BinMapper,
    Booster,
    TrainingRows,
    VectorForest,
    training_bytes,
)

_ENTRIES_PER_THREAD = 1 << 17
"""Bins and logits of the training rows for which another thread saves more than it costs."""


def _worth(n_threads: int, n_entries: int) -> int:
    return min(n_threads, 1 + n_entries // _ENTRIES_PER_THREAD)


class VectorTraining:
    """One tree per iteration, with a vector in each leaf.

    Parameters
    ----------
    settings : Settings
    train, validation : LabelledRows, validation None without rows kept aside
    baseline_logits : ndarray of shape (n_classes,)
    is_categorical : bool ndarray of shape (n_features,)
    previous : VectorForest, or None
        The iterations to go on from, with their bins; left as it is.
    """

    def __init__(
        self,
        settings: Settings,
        train: LabelledRows,
        validation: LabelledRows | None,
        baseline_logits: np.ndarray,
        is_categorical: np.ndarray,
        previous: VectorForest | None,
    ) -> None:
        growth, n_classes = settings.growth(len(train)), len(baseline_logits)
        n_threads = _worth(settings.n_threads, len(train) * (train.X.shape[1] + n_classes))
        needed = training_bytes(
            len(train),
            train.X.shape[1],
            n_classes,
            n_validation=0 if validation is None else len(validation),
            growth=growth,
            max_bins=settings.max_bins,
            max_iter=settings.max_iter,
            n_threads=n_threads,
        )
        check_memory(needed, _what(train, n_classes), _ADVICE)
        if previous is None:
            mapper = BinMapper(settings.max_bins)
            mapper.fit(train.X, train.sample_weight, is_categorical, n_threads=n_threads)
            self._forest = VectorForest(mapper, n_classes)
        else:
            self._forest = copy.deepcopy(previous)
            mapper = self._forest.mapper
        target = train.target if train.target.ndim == 1 else train.target.astype(np.float32)
        codes = mapper.transform(train.X, n_threads=n_threads)
        validation_codes = None
        if validation is not None:
            validation_codes = mapper.transform(validation.X, n_threads=n_threads)
        self._booster = Booster(
            TrainingRows(codes, target, train.sample_weight),
            growth,
            self._forest.trees,
            baseline_logits=baseline_logits,
            is_categorical=mapper.is_categorical_,
            thresholds=mapper.thresholds,
            seed=settings.seed,
            n_threads=n_threads,
            validation_codes=validation_codes,
        )

    @property
    def n_iter(self) -> int:
        """Number of iterations, the previous ones included."""
        return self._booster.n_iter

    def step(self) -> bool:
        """Add a tree."""
        return self._booster.step()

    def train_loss(self) -> float:
        """Return the weighted mean of the loss of the training rows."""
        return self._booster.train_loss()

    @property
    def logits(self) -> np.ndarray:
        """Logits of the training rows so far."""
        return self._booster.logits

    @property
    def validation_logits(self) -> np.ndarray:
        """Logits of the rows kept aside so far."""
        return self._booster.validation_logits

    def forest(self) -> VectorForest:
        """Return the model so far."""
        self._booster.forest()
        return self._forest


def start_training(
    strategy: str,
    settings: Settings,
    train: LabelledRows,
    validation: LabelledRows | None,
    baseline_logits: np.ndarray,
    is_categorical: np.ndarray,
    previous: Any,
) -> Any:
    """Return what trains by the strategy; raise where it would not fit in memory."""
    start = _vector_training if strategy == "multi_output_tree" else _scalar_training
    return start(settings, train, validation, baseline_logits, is_categorical, previous)


_vector_training = VectorTraining


def _scalar_training(
    settings: Settings,
    train: LabelledRows,
    validation: LabelledRows | None,
    baseline_logits: np.ndarray,
    is_categorical: np.ndarray,
    previous: Any,
) -> LightGBMTraining:
    """Let LightGBM grow K trees per iteration on the derivatives of the shared kernel."""
    parameters = engine_parameters(
        learning_rate=settings.learning_rate,
        max_leaf_nodes=settings.max_leaf_nodes,
        max_depth=settings.max_depth,
        min_samples_leaf=settings.min_samples_leaf,
        l2_regularization=settings.l2_regularization,
        subsample=settings.subsample,
        max_features=settings.max_features,
        max_bins=settings.max_bins,
        interaction_cst=settings.interaction_groups,
        sketch=settings.sketch,
        seed=settings.seed,
        n_threads=settings.n_threads,
    )
    n_classes = len(baseline_logits)
    needed = _lightgbm_engine.training_bytes(
        len(train), train.X.shape[1], n_classes, 0 if validation is None else len(validation)
    )
    check_memory(needed, _what(train, n_classes), _ADVICE)
    return LightGBMTraining(
        train.X,
        train.target,
        train.sample_weight,
        n_classes,
        parameters,
        seed=settings.seed,
        is_categorical=is_categorical,
        baseline_logits=baseline_logits,
        label_smoothing=settings.label_smoothing,
        logit_l2=settings.logit_l2,
        X_val=None if validation is None else validation.X,
        previous=previous,
    )


_ADVICE = (
    "Take fewer rows or classes at once, or lower sketch (None takes a column per class), "
    "max_leaf_nodes or max_bins."
)


def _what(train: LabelledRows, n_classes: int) -> str:
    return (
        f"fit of {len(train)} rows, {train.X.shape[1]} features and {n_classes} classes "
        "(beside X and y)"
    )


def to_lightgbm(
    forest: Any,
    baseline_logits: np.ndarray,
    feature_names: list[str] | None,
    pandas_categorical: list[list[Any]] | None,
) -> Any:
    """Return a ``lightgbm.Booster`` that predicts the probabilities of the forest."""
    if isinstance(forest, VectorForest):
        n_leaves = sum(len(values) for _, _, values in forest.trees)
        check_memory(
            export_bytes(n_leaves, forest.n_iter, forest.n_classes),
            f"to_lightgbm: a model of {forest.n_iter * forest.n_classes} scalar trees",
            "It has a tree for each class and iteration: fit fewer iterations (max_iter).",
        )
        return booster_from_trees(
            forest.trees,
            cuts=forest.cuts,
            is_categorical=forest.is_categorical,
            baseline_logits=baseline_logits,
            feature_names=feature_names,
            pandas_categorical=pandas_categorical,
        )
    return forest.to_booster(
        baseline_logits, feature_names=feature_names, pandas_categorical=pandas_categorical
    )
