"""One tree per class and iteration, grown by LightGBM with the shared kernel's derivatives.

An iteration, in the words of `LightGBMTraining`:

1. logits    = baseline + sum of the trees so far
2. gradient  = w (softmax(logits) - target + logit_l2 logits)
   curvature = w (K / (K - 1) p (1 - p) + logit_l2)           as LightGBM's own multiclass rule
3. LightGBM grows K trees on them: leaf value = -learning_rate G / (H + l2)

Class weights are in w; label smoothing and soft targets are in the target. What LightGBM does its
own way: quantiles of the bins and ``min_samples_leaf`` count rows, whatever their weights; a child
must also have a curvature of 0.001; `max_features` is rounded to a number of features by its own
rule; categories are smoothed and rare ones pooled by its defaults (``cat_smooth``, ``cat_l2``,
``min_data_per_group``, ``max_cat_threshold``).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sksoftmax import _kernel
from sksoftmax._lightgbm_export import CATEGORY_BOUND
from sksoftmax._lightgbm_forest import LightGBMForest

_MOST_LEAVES = 131072  # LightGBM's bound of num_leaves
_VALUES_PER_THREAD = 2**17  # its threads meet often: with less to do each, they wait for each other
_LITTLE = 1e-12  # what fractions of bagging differ by: no bag is another for it
_BAGGING, _FEATURES, _BINNING = range(3)  # the purposes of draws


def engine_parameters(
    *,
    learning_rate: float,
    max_leaf_nodes: int | None,
    max_depth: int | None,
    min_samples_leaf: int,
    l2_regularization: float,
    subsample: float,
    max_features: float,
    max_bins: int,
    interaction_cst: list[list[int]] | None,
    sketch: int | str | None,
    seed: int,
    n_threads: int,
) -> dict[str, Any]:
    """Return LightGBM's parameters, or raise a ValueError that names what it cannot honour.

    `interaction_cst` are groups of columns that together hold every feature.
    """
    if sketch not in ("auto", None):
        raise _cannot_honour("sketch", sketch, "'auto': scalar trees need no sketch")
    if max_leaf_nodes is not None and max_leaf_nodes > _MOST_LEAVES:
        raise _cannot_honour("max_leaf_nodes", max_leaf_nodes, f"at most {_MOST_LEAVES}")
    if min_samples_leaf != int(min_samples_leaf):
        raise _cannot_honour("min_samples_leaf", min_samples_leaf, "a number of rows")
    parameters = {
        "objective": "none",
        "metric": "none",
        "learning_rate": learning_rate,
        "num_leaves": _MOST_LEAVES if max_leaf_nodes is None else max_leaf_nodes,
        "max_depth": -1 if max_depth is None else min(max_depth, np.iinfo(np.int32).max),
        "min_data_in_leaf": min(int(min_samples_leaf), np.iinfo(np.int32).max),
        "lambda_l2": l2_regularization,
        "bagging_fraction": subsample,
        "bagging_freq": 1 if subsample < 1 else 0,
        "feature_fraction_bynode": max_features,
        "max_bin": max_bins,
        "data_random_seed": _draw(seed, 0, _BINNING),
        "deterministic": True,  # the same trees for any number of threads
        "force_row_wise": True,
        "num_threads": n_threads,
        "verbosity": -1,  # the estimator shows progress
    }
    if interaction_cst is not None:
        parameters["interaction_constraints"] = [sorted(group) for group in interaction_cst]
    return parameters


def training_bytes(n_samples: int, n_features: int, n_classes: int, n_validation: int = 0) -> int:
    """Return about how much memory a fit needs beside X.

    Bins of one byte; per logit LightGBM's score and our copy of it, gradient, proba and curvature
    in float64, and gradient and curvature in float32 on either side of the door.
    """
    return n_samples * (n_features + 64 * n_classes) + 16 * n_validation * n_classes


class LightGBMTraining:
    """A fit under way: `step` adds one iteration, `forest` is the model so far.

    Interrupted between or in steps, it stands at the last iteration that was finished.

    Parameters
    ----------
    X : float32 or float64 array of shape (n_samples, n_features)
        Categories as integers, missing ones as NaN; not kept.
    target : int64 array of shape (n_samples,) or float64 array of shape (n_samples, n_classes)
    sample_weight : float64 array of shape (n_samples,), or None
    n_classes : int
    parameters : dict
        From `engine_parameters`.
    seed : int
        Draws are a function of it and of the number of the iteration.
    is_categorical : bool array of shape (n_features,)
    baseline_logits : float64 array of shape (n_classes,)
    label_smoothing, logit_l2 : float
    X_val : array like X, or None
        Kept, for `validation_logits`.
    previous : LightGBMForest, or None
        The iterations to go on from.
    """

    def __init__(
        self,
        X: np.ndarray,
        target: np.ndarray,
        sample_weight: np.ndarray | None,
        n_classes: int,
        parameters: dict[str, Any],
        *,
        seed: int,
        is_categorical: np.ndarray,
        baseline_logits: np.ndarray,
        label_smoothing: float = 0.0,
        logit_l2: float = 0.0,
        X_val: np.ndarray | None = None,
        previous: LightGBMForest | None = None,
    ) -> None:
        _check_categories(X, is_categorical)
        self._target, self._sample_weight = target, sample_weight
        self._n_threads = min(parameters["num_threads"], 1 + X.size // _VALUES_PER_THREAD)
        self._parameters = {**parameters, "num_class": n_classes, "num_threads": self._n_threads}
        self._seed = seed
        self._label_smoothing, self._logit_l2 = label_smoothing, logit_l2
        self._previous = previous or LightGBMForest.empty(X.shape[1], n_classes)
        start = _logits_so_far(X, baseline_logits, self._previous, self._n_threads)
        self._booster = _booster(X, start, is_categorical, self._parameters)
        self._can_split = self._previous.extended_by(self._booster.model_to_string()).has_ranges
        self._n_steps = 0
        self._evaluated_at = -1
        self._evaluation: tuple[np.ndarray, np.ndarray, np.ndarray]
        self._X_val = X_val
        self._validated_at = 0
        self._validation_logits: np.ndarray | None = None
        if X_val is not None:
            self._validation_logits = _logits_so_far(
                X_val, baseline_logits, self._previous, self._n_threads
            )

    @property
    def n_iter(self) -> int:
        """Number of iterations, the previous ones included."""
        return self._previous.n_iter + self._n_steps

    def step(self) -> bool:
        """Add an iteration; False if no class found a split: nothing was added, and it is over."""
        if not self._can_split:
            return False
        self._seed_draws()
        if self._booster.update(fobj=lambda scores, _: self._derivatives(scores)):
            return False
        self._n_steps += 1
        return True

    def train_loss(self) -> float:
        """Return the weighted mean of the loss of the rows, at the logits so far."""
        loss = self._evaluate()[1]
        weight = self._sample_weight
        return float(loss.sum() / (len(loss) if weight is None else weight.sum()))

    @property
    def logits(self) -> np.ndarray:
        """Logits of X so far, (n_samples, n_classes)."""
        return self._evaluate()[0]

    @property
    def validation_logits(self) -> np.ndarray:
        """Logits of X_val so far, (n_samples, n_classes)."""
        assert self._validation_logits is not None
        while self._validated_at < self._n_steps:
            self._validation_logits += self._booster.predict(
                self._X_val,
                raw_score=True,
                start_iteration=self._validated_at,
                num_iteration=1,
                num_threads=self._n_threads,
            )
            self._validated_at += 1
        return self._validation_logits

    def forest(self) -> LightGBMForest:
        """Return the model of all iterations so far, free of the data."""
        forest = self._previous.extended_by(self._booster.model_to_string(num_iteration=-1))
        forest.truncate(self.n_iter)  # LightGBM keeps a first iteration in which nothing split
        return forest

    def _evaluate(
        self, scores: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return logits, loss of each row and gradient at the logits so far, computed once."""
        if self._evaluated_at < self._n_steps:
            if scores is None:
                self._booster.eval_train(feval=lambda scores, _: ("", self._keep(scores), True))
            else:
                self._keep(scores)
        return self._evaluation

    def _keep(self, scores: np.ndarray) -> float:
        logits = np.array(scores, order="C")  # LightGBM has a column per class, in its own memory
        loss, gradient = _kernel.loss_gradient(
            logits,
            self._target,
            sample_weight=self._sample_weight,
            label_smoothing=self._label_smoothing,
            logit_l2=self._logit_l2,
            n_threads=self._n_threads,
        )
        self._evaluation = logits, loss, gradient
        self._evaluated_at = self._n_steps
        return 0.0

    def _derivatives(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        logits, _, gradient = self._evaluate(scores)
        curvature = _kernel.softmax(logits, n_threads=self._n_threads)
        curvature *= 1 - curvature
        n_classes = logits.shape[1]
        curvature *= n_classes / (n_classes - 1)
        curvature += self._logit_l2
        if self._sample_weight is not None:
            curvature *= self._sample_weight[:, np.newaxis]
        return _by_class(gradient), _by_class(curvature)

    def _seed_draws(self) -> None:
        """Make the draws of the next iteration a function of its number.

        LightGBM seeds its bagging anew only when the fraction is another than before.
        """
        drawn: dict[str, Any] = {}
        fraction = self._parameters["bagging_fraction"]
        if fraction < 1:
            drawn["bagging_fraction"] = fraction * (1 - _LITTLE * (1 + self.n_iter % 2))
            drawn["bagging_seed"] = _draw(self._seed, self.n_iter, _BAGGING)
        if self._parameters["feature_fraction_bynode"] < 1:
            drawn["feature_fraction_seed"] = _draw(self._seed, self.n_iter, _FEATURES)
        if drawn:
            self._booster.reset_parameter(drawn)


def _cannot_honour(name: str, value: Any, accepted: str) -> ValueError:
    return ValueError(
        f"{name}={value!r}: with multi_strategy='one_output_per_tree', whose trees LightGBM grows, "
        f"accepted is {accepted}."
    )


def _check_categories(X: np.ndarray, is_categorical: np.ndarray) -> None:
    for j in np.flatnonzero(is_categorical).tolist():
        largest = np.nanmax(X[:, j], initial=-1)
        if largest >= CATEGORY_BOUND:
            raise ValueError(
                f"X: with multi_strategy='one_output_per_tree' categories must be integers below "
                f"{CATEGORY_BOUND}, because LightGBM keeps sets of them as bits; feature {j} has "
                f"{largest:g}. Encode it with OrdinalEncoder, or as a pandas categorical."
            )


def _draw(seed: int, iteration: int, purpose: int) -> int:
    """Return a seed that LightGBM accepts: an int32 that is not negative."""
    return int(np.random.SeedSequence([seed, iteration, purpose]).generate_state(1)[0] >> 1)


def _by_class(values: np.ndarray) -> np.ndarray:
    """Return (n_samples, n_classes) float32 with a column in one piece, which LightGBM reads."""
    return np.ascontiguousarray(values.T, dtype=np.float32).T


def _logits_so_far(
    X: np.ndarray, baseline_logits: np.ndarray, forest: LightGBMForest, n_threads: int
) -> np.ndarray:
    """Return baseline + trees, added in the order of a training, so that no bit differs."""
    logits = np.tile(np.asarray(baseline_logits, dtype=np.float64), (len(X), 1))
    for stage in forest.staged_from(baseline_logits, X, n_threads=n_threads):
        logits = stage
    return logits


def _booster(
    X: np.ndarray, start: np.ndarray, is_categorical: np.ndarray, parameters: dict[str, Any]
) -> Any:
    import lightgbm

    data = lightgbm.Dataset(
        X,
        label=np.zeros(len(X)),  # asked for, but only our derivatives look at targets
        init_score=start,
        categorical_feature=np.flatnonzero(is_categorical).tolist(),
        params=dict(parameters),
    )
    return lightgbm.Booster(parameters, data)
