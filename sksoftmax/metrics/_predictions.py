"""Labels and the probabilities that were given to them, checked, as arrays of columns and rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from sksoftmax._arrays import RowLayout, as_floats
from sksoftmax._kernel import look_at_proba, spread_of_proba
from sksoftmax._loss_arguments import probability_rows
from sksoftmax._targets import check_sample_weight, label_text


@dataclass(frozen=True)
class Predictions:
    """Rows of probabilities and the column of each row's label.

    Attributes
    ----------
    classes : list of the labels, in the order of the columns
    target : int64 ndarray of shape (n_samples,)
    proba : float32 or float64 ndarray of shape (n_samples, n_classes), rows of sum 1
    predicted : int64 ndarray of shape (n_samples,), the first of the largest probabilities
    confidence : float64 ndarray of shape (n_samples,), those largest probabilities
    weight : float64 ndarray of shape (n_samples,), all positive, or None
    kept : indices of the caller's rows, or None for all; rows of weight zero are left out
    """

    classes: list[Any]
    target: np.ndarray
    proba: np.ndarray
    predicted: np.ndarray
    confidence: np.ndarray
    weight: np.ndarray | None
    kept: np.ndarray | None = None

    @property
    def n_classes(self) -> int:
        """Number of columns."""
        return self.proba.shape[1]

    @property
    def n_samples(self) -> int:
        """Number of rows that count."""
        return len(self.target)

    @cached_property
    def correct(self) -> np.ndarray:
        """Whether the prediction is the label, (n_samples,) bool."""
        return self.predicted == self.target

    @cached_property
    def log_loss(self) -> np.ndarray:
        """-log of the probability of each row's label, in nats; inf where that is 0."""
        with np.errstate(divide="ignore"):
            loss: np.ndarray = 0.0 - np.log(self._at(self.target))  # 0 for p = 1, not -0
        return loss

    @cached_property
    def brier(self) -> np.ndarray:
        """sum_k (p_k - y_k)^2 of each row, from 0 to 2."""
        score = self._spread.square - 2 * self._at(self.target) + 1
        return np.maximum(score, 0.0)  # but for rounding

    @cached_property
    def entropy(self) -> np.ndarray:
        """-sum_k p_k log p_k of each row, in nats."""
        return np.maximum(self._spread.entropy, 0.0)  # but for rounding

    @cached_property
    def _spread(self) -> Any:
        return spread_of_proba(self.proba)

    def _at(self, columns: np.ndarray) -> np.ndarray:
        """One probability per row."""
        position = columns + np.arange(len(columns)) * self.n_classes
        return self.proba.reshape(-1)[position].astype(np.float64)

    def of_caller(self, values: np.ndarray) -> np.ndarray:
        """What belongs to the rows that are kept, of an array over the caller's rows."""
        return values if self.kept is None else values[self.kept]


def check_predictions(
    y_true: Any, y_proba: Any, *, sample_weight: Any = None, labels: Any = None
) -> Predictions:
    """Check all that the metrics take.

    1. probabilities as rows of sum 1, with the names of their columns if a frame has some
    2. the classes: `labels`, else the columns of a frame, else the sorted labels of `y_true`
    3. the column of each label
    4. weights; rows of weight zero are checked and then left out
    """
    proba, names = _probability_table(y_proba)  # 1
    predicted, confidence = _scan(proba)
    y = _label_vector(y_true, len(proba))
    table = _presence(y)
    classes = _find_classes(y, table, labels, names, proba.shape[1])  # 2
    target = _columns_of(y, table, classes)  # 3
    weight, _ = check_sample_weight(sample_weight, len(proba))  # 4
    checked = Predictions(classes, target, proba, predicted, confidence, weight)
    if weight is None or weight.all():
        return checked
    kept = np.flatnonzero(weight)
    return replace(
        checked,
        target=target[kept],
        proba=proba[kept],
        predicted=predicted[kept],
        confidence=confidence[kept],
        weight=weight[kept],
        kept=kept,
    )


# Probabilities


def _probability_table(y_proba: Any) -> tuple[np.ndarray, list[Any] | None]:
    """Return (n_samples, n_classes >= 2) floats in C order, and the names of a frame's columns."""
    if sparse.issparse(y_proba):
        raise ValueError("y_proba must be dense; got a sparse matrix.")
    names = list(y_proba.columns) if hasattr(y_proba, "columns") else None
    proba = as_floats(y_proba, "y_proba")
    if proba.ndim == 1 and len(proba):
        outside = ~((proba >= 0) & (proba <= 1))
        RowLayout.of(proba[:, np.newaxis], -1, "y_proba").reject_rows(
            outside, "y_proba", f"is {proba[np.argmax(outside)]}, not a probability"
        )
        return np.column_stack([1 - proba, proba]), None
    if proba.ndim != 2 or proba.shape[1] < 2 or len(proba) == 0:
        raise ValueError(
            "y_proba must have shape (n_samples, n_classes) with one column for each of at least "
            "two classes, or shape (n_samples,): the probabilities of the second of two classes; "
            f"got shape {proba.shape}."
        )
    return np.require(proba, requirements=["C_CONTIGUOUS", "ALIGNED"]), names


def _scan(proba: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Argmax and maximum of each row, and in the same read: are these probabilities?"""
    predicted, confidence, total, smallest = look_at_proba(proba)
    exact = 1e-6 if proba.dtype == np.float64 else 1e-4
    if not (smallest >= 0 and total.min() >= 1 - exact and total.max() <= 1 + exact):
        probability_rows(proba, "y_proba", RowLayout.of(proba, -1, "y_proba"))  # says which row
    return predicted, confidence


# Labels


def _label_vector(y_true: Any, n_samples: int) -> np.ndarray:
    if np.ma.isMaskedArray(y_true):
        raise ValueError("y_true is a masked array, whose mask would be lost; drop those rows.")
    try:
        y = np.asarray(y_true)
        if isinstance(y_true, (list, tuple)) and len({isinstance(v, str) for v in y_true}) > 1:
            y = np.array(y_true, dtype=object)  # NumPy would make numbers text
    except ValueError as error:
        raise ValueError(f"y_true cannot be read as labels: {error}") from None
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise ValueError(
            f"y_true must hold one label per row, of shape (n_samples,); got shape {y.shape}. "
            "Rows of zeros and a one become labels with y_true.argmax(axis=1)."
        )
    if len(y) != n_samples:
        raise ValueError(f"y_true has {len(y)} labels, but y_proba has {n_samples} rows.")
    return y


def is_missing(values: np.ndarray) -> np.ndarray:
    """Where an array holds None, NaN, NaT or pandas.NA."""
    if values.dtype.kind in "biuSU":
        return np.zeros(len(values), dtype=bool)
    if values.dtype.kind == "O":
        return np.array([_is_missing(value) for value in values.tolist()], dtype=bool)
    missing: np.ndarray = values != values
    return missing


def _is_missing(value: Any) -> bool:
    try:
        return value is None or bool(value != value)
    except TypeError:  # pandas.NA: its comparison is NA, which is neither true nor false
        return True


def _find_classes(
    y: np.ndarray, table: _Presence | None, labels: Any, names: list[Any] | None, n_classes: int
) -> list[Any]:
    missing = is_missing(y)
    if missing.any():
        row = int(np.argmax(missing))
        raise ValueError(f"y_true: row {row} is {y.tolist()[row]}, which is no label.")
    if labels is not None:
        classes = _unique_list(labels, "labels")
    elif names is not None:
        classes = _classes_of_columns(names, y)
    else:
        classes = _sorted_labels(y, table)
    if len(classes) != n_classes:
        source = "labels names" if labels is not None else "y_true holds"
        raise ValueError(
            f"y_proba has {n_classes} columns, but {source} {len(classes)} classes: "
            f"{preview(classes)}. Name the class of each column, in their order, in labels=."
        )
    return classes


def _unique_list(labels: Any, name: str) -> list[Any]:
    mixed = isinstance(labels, (list, tuple))
    array = np.asarray(labels, dtype=object) if mixed else np.asarray(labels)
    if array.ndim != 1:
        raise ValueError(f"{name} must be a list with the label of each column; got {labels!r}.")
    listed = array.tolist()
    if len(set(listed)) < len(listed) or is_missing(array).any():
        raise ValueError(f"{name} must be different labels, none missing; got {listed}.")
    return listed


def _classes_of_columns(names: list[Any], y: np.ndarray) -> list[Any]:
    """The labels that the columns of a frame name; text stands for what it reads like."""
    known = set(y.tolist())
    if known <= set(names):
        return _unique_list(names, "the columns of y_proba")
    of_text = {str(label): label for label in known}
    if set(of_text) <= {str(name) for name in names}:
        return [of_text.get(str(name), name) for name in names]
    raise ValueError(
        f"y_proba: its columns {preview(names)} do not name the labels of y_true, "
        f"{preview(sorted(known, key=str))}; name the class of each column in labels=."
    )


def _sorted_labels(y: np.ndarray, table: _Presence | None) -> list[Any]:
    if table is not None:
        smallest, present, _ = table
        return [int(k) + smallest for k in np.flatnonzero(present)]
    try:
        return sorted(set(y.tolist()))
    except TypeError:
        kinds = sorted({type(label).__name__ for label in y.tolist()})
        raise ValueError(
            f"y_true mixes labels that cannot be sorted ({', '.join(kinds)}); name the class of "
            "each column of y_proba in labels=."
        ) from None


_Presence = tuple[int, np.ndarray, np.ndarray]


def _presence(y: np.ndarray) -> _Presence | None:
    """For integers that lie close: the smallest, which from there on occur, and y - smallest."""
    if y.dtype.kind not in "iu":
        return None
    smallest, largest = int(y.min()), int(y.max())
    if largest - smallest > 4 * len(y) + 1024 or largest > np.iinfo(np.int64).max:
        return None
    shifted = np.ascontiguousarray(y, dtype=np.int64)
    if smallest:  # no copy that is not needed: its pages cost as much as all that is computed
        shifted = shifted - smallest
    present = np.zeros(largest - smallest + 1, dtype=bool)
    present[shifted] = True
    return smallest, present, shifted


def _columns_of(y: np.ndarray, table: _Presence | None, classes: list[Any]) -> np.ndarray:
    """The position of each label among the classes: a table for integers, else a dictionary."""
    position = {label: k for k, label in enumerate(classes)}
    if table is not None:
        smallest, present, shifted = table
        if classes == list(range(smallest, smallest + len(present))):
            return shifted
        of_value = np.full(len(present), -1, dtype=np.int64)
        for value in np.flatnonzero(present).tolist():
            of_value[value] = position.get(value + smallest, -1)
        columns = of_value[shifted]
    else:
        columns = np.array([position.get(label, -1) for label in y.tolist()], dtype=np.int64)
    if columns.min() < 0:
        row = int(np.argmin(columns))
        raise ValueError(
            f"y_true: row {row} has the label {label_text(y[row])}, which is not among the classes "
            f"{preview(classes)}."
        )
    return columns


def preview(labels: list[Any], at_most: int = 10) -> str:
    """A list of labels for a message, cut where it is long."""
    shown = ", ".join(label_text(label) for label in labels[:at_most])
    return f"[{shown}, ...]" if len(labels) > at_most else f"[{shown}]"
