"""Weights of classes: given by label, or balanced."""

from __future__ import annotations

from typing import Any

import numpy as np


def weigh_classes(
    weight: np.ndarray | None, target: np.ndarray, class_weight: Any, classes: np.ndarray
) -> np.ndarray | None:
    """Return sample_weight * sum_k target_k class_weight_k."""
    if class_weight is None:
        return weight
    if isinstance(class_weight, str) and class_weight == "balanced":
        per_class = balanced_weights(weight, target, len(classes))
    else:
        per_class = given_weights(class_weight, classes)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        per_row = per_class[target] if target.ndim == 1 else target @ per_class
        weight = per_row if weight is None else weight * per_row
    if not np.isfinite(weight).all():
        raise ValueError("class_weight: with it the weight of a row overflows.")
    if not weight.any():
        raise ValueError(
            "class_weight: with it the weights of all rows are zero; one must be positive."
        )
    return weight


def balanced_weights(weight: np.ndarray | None, target: np.ndarray, n_classes: int) -> np.ndarray:
    """Return total / (n_classes * count_k), counted in weights over the classes that occur.

    This is scikit-learn's rule; with probabilities a row counts for each class by its share.
    """
    if target.ndim == 1:
        count = np.bincount(target, weights=weight, minlength=n_classes).astype(np.float64)
    else:
        count = np.ones(len(target)) @ target if weight is None else weight @ target
    present = count > 0
    per_class = np.ones(n_classes)
    with np.errstate(over="ignore"):  # reported where rows are weighted
        per_class[present] = count.sum() / (present.sum() * count[present])
    return per_class


def given_weights(class_weight: Any, classes: np.ndarray) -> np.ndarray:
    """Return the weight of each class, 1 for those that the dictionary leaves out."""
    if not isinstance(class_weight, dict):
        raise ValueError(
            "class_weight must be None, 'balanced' or a dictionary {label: weight}; "
            f"got {class_weight!r}."
        )
    labels = classes.tolist()
    unknown = [key for key in class_weight if key not in labels]
    unnamed = [label for label in labels if label not in class_weight]
    if unknown and unnamed:  # a key too many alone is a class that this fold lacks
        raise ValueError(
            f"class_weight names {unknown}, which are not classes, "
            f"and leaves out the classes {unnamed}."
        )
    given = [class_weight.get(label, 1.0) for label in labels]
    try:
        per_class = np.array([float(each + 0.0) for each in given])
    except (TypeError, ValueError, OverflowError):
        per_class = np.array([np.nan])
    if not (np.isfinite(per_class).all() and per_class.min() >= 0):
        raise ValueError(f"class_weight must hold finite numbers >= 0; got {class_weight!r}.")
    return per_class
