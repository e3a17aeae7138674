"""Two models of the same rows: what both need to be fitted, and what both predict."""

from __future__ import annotations

import copy
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import _safe_indexing

from sksoftmax._class_weights import balanced_weights
from sksoftmax._responses import sliced
from sksoftmax.linear import MultinomialLogit, OneVsRestLogit


@dataclass(frozen=True)
class Rows:
    """Data, the column of each label among the classes, and weights, offsets and masks."""

    X: Any
    y: np.ndarray
    target: np.ndarray
    classes: np.ndarray
    extra: dict[str, Any]  # sample_weight, offset, mask: those that were given, as arrays

    def take(self, rows: np.ndarray) -> Rows:
        """Some of the rows."""
        extra = sliced(self.extra, rows, len(self.y))
        X = _safe_indexing(self.X, rows)
        return Rows(X, self.y[rows], self.target[rows], self.classes, extra)

    def without_class(self, dropped: int) -> Rows:
        """The rows of the other classes, which alone there are then."""
        rest = np.delete(np.arange(len(self.classes)), dropped)
        part = self.take(np.flatnonzero(self.target != dropped))
        extra = dict(part.extra)
        for name in ("offset", "mask"):
            if name in extra:
                extra[name] = extra[name][:, rest]
        target = part.target - (part.target > dropped)
        return Rows(part.X, part.y, target, self.classes[rest], extra)

    @property
    def weight(self) -> np.ndarray | None:
        """Weights of the rows, or None."""
        return self.extra.get("sample_weight")

    @property
    def for_prediction(self) -> dict[str, Any]:
        """What predictions need beside X."""
        return {name: value for name, value in self.extra.items() if name != "sample_weight"}


@dataclass(frozen=True)
class Pair:
    """A softmax model and a one-vs-rest model."""

    softmax: MultinomialLogit
    one_vs_rest: OneVsRestLogit

    def fit(self, rows: Rows) -> Pair:
        """Fit both to the same rows, again; that a class is separated there is no news."""
        if is_balanced(self.softmax):
            weights = class_weights(rows.target, rows.weight, rows.classes)
            self.one_vs_rest.set_params(class_weight=weights)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            for model in (self.softmax, self.one_vs_rest):
                model.fit(rows.X, rows.y, classes=rows.classes, **rows.extra)
        return self

    def log_proba(self, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        """Log-probabilities of both, (n_samples, n_classes), in float64."""
        softmax, one_vs_rest = (
            model.predict_log_proba(rows.X, **rows.for_prediction).astype(np.float64)
            for model in (self.softmax, self.one_vs_rest)
        )
        return softmax, one_vs_rest

    def binary_proba(self, rows: Rows) -> np.ndarray:
        """The probabilities of one-vs-rest before they are divided by their sum."""
        return self.one_vs_rest.binary_proba(rows.X, **rows.for_prediction).astype(np.float64)


def one_vs_rest_like(softmax: MultinomialLogit) -> OneVsRestLogit:
    """An unfitted model with the parameters of the other."""
    return OneVsRestLogit(**softmax.get_params(deep=False))


def nameless(model: Any) -> Any:
    """The model for arrays of features, whose names were checked at the door."""
    model = copy.copy(model)
    vars(model).pop("feature_names_in_", None)
    return model


def is_balanced(model: Any) -> bool:
    """Are classes weighted by "balanced"?"""
    return isinstance(model.class_weight, str) and model.class_weight == "balanced"


def class_weights(
    target: np.ndarray, weight: np.ndarray | None, classes: np.ndarray
) -> dict[Any, float]:
    """What "balanced" means for the softmax, as a dictionary."""
    per_class = balanced_weights(weight, target, len(classes))
    return dict(zip(classes.tolist(), per_class.tolist(), strict=True))


@dataclass(frozen=True)
class Predicted:
    """What both models say about rows: logs (n_samples, n_classes), and sums before division."""

    target: np.ndarray
    weight: np.ndarray | None
    softmax: np.ndarray
    one_vs_rest: np.ndarray
    mass: np.ndarray


def predict_pair(pair: Pair, rows: Rows) -> Predicted:
    """Predict by both models."""
    weight = None if rows.weight is None else np.asarray(rows.weight, dtype=np.float64)
    mass = pair.binary_proba(rows).sum(axis=1)
    return Predicted(rows.target, weight, *pair.log_proba(rows), mass)


def joined(parts: list[Predicted]) -> Predicted:
    """The rows of all parts, one after the other."""
    weights = [part.weight for part in parts]
    return Predicted(
        np.concatenate([part.target for part in parts]),
        None
        if any(w is None for w in weights)
        else np.concatenate([w for w in weights if w is not None]),
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("softmax", "one_vs_rest", "mass")
        ),
    )
