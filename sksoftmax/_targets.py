"""From labels, probabilities, offsets, masks and weights to the arrays that an objective takes.

Everything with one column per class is aligned here to ``classes_``, so that below this line a
class is a column number and a target is either a column number or a row of probabilities.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from numbers import Real
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import check_array

from sksoftmax._arrays import RowLayout
from sksoftmax._class_weights import weigh_classes
from sksoftmax._loss_arguments import divide_by_power_of_two, normalized_rows, probability_rows


@dataclass(frozen=True)
class Targets:
    """What to fit, class by class, in one floating-point dtype.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,), sorted
    target : int64 ndarray of shape (n_samples,), or probabilities of shape (n_samples, n_classes)
    sample_weight : ndarray of shape (n_samples,) with the class weights multiplied in, or None;
        divided by 2^weight_exponent, so that the largest is in [1, 2)
    offset : ndarray of shape (n_samples, n_classes), or None
    mask : bool ndarray of shape (n_samples, n_classes), or None
    """

    classes: np.ndarray
    target: np.ndarray
    sample_weight: np.ndarray | None
    offset: np.ndarray | None
    mask: np.ndarray | None
    weight_exponent: int = 0

    def ridge(self, C: float) -> float:
        """Return alpha = 1 / (C sum_i w_i), what |coef|^2 / 2 costs beside a mean loss."""
        if np.isinf(C):
            return 0.0
        weight = self.sample_weight
        total = float(len(self.target) if weight is None else weight.sum(dtype=np.float64))
        cost = Fraction(C) * Fraction(total) * Fraction(2) ** self.weight_exponent  # no overflow
        try:
            return float(1 / cost)
        except OverflowError:
            raise ValueError(
                f"C={C!r} is too small: the penalty 1 / (C * sum of weights) overflows."
            ) from None


def encode_targets(
    X: Any,
    y: np.ndarray | None,
    *,
    y_proba: Any = None,
    sample_weight: Any = None,
    class_weight: Any = None,
    offset: Any = None,
    mask: Any = None,
    classes: Any = None,
    dtype: Any = None,
) -> Targets:
    """Check all that belongs to the targets and express it in columns of classes.

    1. classes: those given, else the columns of `y_proba`, else the sorted labels of `y`
    2. target: the position of each label, or the aligned rows of `y_proba`, which win over `y`
    3. mask and offset, aligned; a target on an unavailable class is an error
    4. weight of a row = sample_weight * sum_k target_k class_weight_k

    All in `dtype`, None being that of X.
    """
    n_samples, dtype = X.shape[0], np.dtype(X.dtype if dtype is None else dtype)
    y_proba = _as_table(y_proba, "y_proba")
    labels, inverse = (None, None) if y is None else _unique_labels(y)
    class_array = _find_classes(labels, y_proba, classes, per_class=(y_proba, offset, mask))  # 1
    codes = None if labels is None else _codes(labels, class_array)[inverse]  # 2
    if y_proba is None:
        assert codes is not None  # y and y_proba are not both None: the estimator's door said so
        target = codes
    else:
        target = check_proba(y_proba, class_array, n_samples, dtype)
    mask = check_mask(mask, class_array, n_samples)  # 3
    offset = check_offset(offset, class_array, n_samples, dtype, mask)
    _check_target_is_available(target, mask, class_array)
    weight, exponent = check_sample_weight(sample_weight, n_samples)  # 4
    weight = weigh_classes(weight, target, class_weight, class_array)
    if weight is not None:
        weight, more = divide_by_power_of_two(weight)  # in float64: float32 has no such range
        weight, exponent = weight.astype(dtype, copy=False), exponent + more
    return Targets(class_array, target, weight, offset, mask, exponent)


# Classes


def _unique_labels(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    try:
        return np.unique(y, return_inverse=True)
    except TypeError:
        kinds = sorted({type(label).__name__ for label in y.tolist()})
        raise ValueError(
            f"y mixes labels that cannot be sorted ({', '.join(kinds)}); "
            "make them all strings or all numbers."
        ) from None


def _find_classes(
    labels: np.ndarray | None, y_proba: Any, classes: Any, per_class: tuple[Any, ...]
) -> np.ndarray:
    """Return the sorted classes that the data, or the user, name."""
    if classes is not None:
        found = _check_given_classes(classes, per_class)
    elif y_proba is not None and _is_frame(y_proba):
        found = _classes_of_columns(list(y_proba.columns), labels)
    elif labels is not None:
        found = labels
        if y_proba is not None:
            _check_number_of_columns(y_proba, "y_proba", labels)
    else:
        found = np.arange(y_proba.shape[1])
    if len(found) < 2:
        raise ValueError(
            f"At least two classes are needed, but there is one class only: {label_text(found[0])}."
            " If others are possible, name all of them in classes=."
        )
    return found


def _check_given_classes(classes: Any, per_class: tuple[Any, ...]) -> np.ndarray:
    """Return `classes=` sorted, which it must be already if columns without names follow it."""
    try:
        given = np.asarray(classes)
        if given.ndim != 1 or len(given) == 0:
            raise ValueError(f"classes must be a list of labels; got {classes!r}.")
        if len({isinstance(label, str) for label in classes}) > 1:
            raise TypeError("strings beside other types")  # NumPy would make them all text
        ordered = np.unique(given)
    except TypeError:
        raise ValueError(
            f"classes must be all strings or all numbers, which can be sorted; got {classes!r}."
        ) from None
    if given.dtype.kind == "c" or (given != given).any():
        raise ValueError(f"classes must be labels, not NaN or complex numbers; got {classes!r}.")
    if len(ordered) < len(given):
        raise ValueError(f"classes must be unique; got {given.tolist()}.")
    has_arrays = any(values is not None and not _is_frame(values) for values in per_class)
    if has_arrays and not np.array_equal(ordered, given):
        raise ValueError(
            "classes must be sorted when y_proba, offset or mask are arrays, because the columns "
            f"of arrays have no names; got {given.tolist()}. Sort them with np.unique and order "
            "the columns alike, or pass data frames whose columns are named after the classes."
        )
    return ordered


def _classes_of_columns(columns: list[Any], labels: np.ndarray | None) -> np.ndarray:
    """Return the classes that the columns of a frame name, in the type of `labels`.

    Names that are text although the labels are not (polars has no others) are matched as text.
    """
    known = set() if labels is None else set(labels.tolist())
    if known <= set(columns):
        if len({isinstance(column, str) for column in columns}) > 1:
            raise ValueError(
                f"y_proba: the names of its columns must be of one type; got {columns}."
            )
        return np.unique(np.asarray(columns))
    assert labels is not None  # the empty set is a subset of any
    if {str(label) for label in labels.tolist()} == {str(column) for column in columns}:
        return labels
    raise ValueError(
        f"y_proba: its columns {columns} do not name the labels of y, {labels.tolist()}; "
        "rename the columns, or name all classes in classes=."
    )


def _codes(labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return the position of each label among the classes."""
    position = {label: k for k, label in enumerate(classes.tolist())}
    unknown = [label for label in labels.tolist() if label not in position]
    if unknown:
        raise ValueError(
            f"y holds labels {unknown} that are not among the classes {classes.tolist()}."
        )
    return np.array([position[label] for label in labels.tolist()], dtype=np.int64)


def known_codes(y: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return the position of each label among sorted classes; another label is an error.

    Unlike `encode_labels` it does not sort the labels.
    """
    if y.dtype.kind == classes.dtype.kind and y.dtype.kind in "biuU":
        codes = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
        known = classes[codes] == y
    else:
        position = {label: k for k, label in enumerate(classes.tolist())}
        found = [position.get(label, -1) for label in _hashable(y)]
        codes = np.array(found, dtype=np.int64)
        known = codes >= 0
    if not known.all():
        unknown = sorted({repr(label) for label in _hashable(y[~known])})
        raise ValueError(
            f"y holds labels {', '.join(unknown[:10])} that are not among the classes "
            f"{classes.tolist()}."
        )
    return codes.astype(np.int64, copy=False)


def _hashable(y: np.ndarray) -> list[Any]:
    try:
        labels = y.tolist()
        hash(tuple(labels))
    except TypeError:
        raise ValueError("y must hold labels: strings or numbers.") from None
    return labels


def encode_labels(
    y: np.ndarray, classes: Any = None, *, columns: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted classes, those given or those of `y`, and the position of each label.

    `columns` is the argument with one column per class: if it is an array, `classes` names its
    columns and must be sorted.
    """
    labels, inverse = _unique_labels(y)
    found = _find_classes(labels, None, classes, per_class=(columns,))
    return found, _codes(labels, found)[inverse]


def label_text(label: Any) -> str:
    """Return a label as a message shows it: 'a' or 3, not np.str_('a') or np.int64(3)."""
    return repr(label.item() if isinstance(label, np.generic) else label)


# Arrays with one column per class


def _is_frame(values: Any) -> bool:
    """Tell whether columns have names: pandas or polars, neither of which is imported here."""
    return hasattr(values, "columns") and hasattr(values, "dtypes")


def _as_table(values: Any, name: str) -> Any:
    """Return None and frames as they are, anything else as an array of two dimensions."""
    if values is None or (_is_frame(values) and len(values.columns)):
        return values
    if sparse.issparse(values):
        raise ValueError(f"{name} must be dense; got a sparse matrix.")
    if isinstance(values, np.ma.MaskedArray):
        raise ValueError(f"{name} is a masked array, whose mask would be lost; pass a plain array.")
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name} cannot be read as an array: {error}") from None
    if array.ndim != 2 or array.shape[1] == 0:
        raise ValueError(
            f"{name} must have shape (n_samples, n_classes), one column per class; "
            f"got shape {array.shape}."
        )
    return array


def _as_rows(values: Any, name: str, n_classes: int, n_samples: int) -> Any:
    """Return what `_as_table` does; one row of shape (n_classes,) stands for all rows."""
    if _is_frame(values) or sparse.issparse(values) or np.ma.isMaskedArray(values):
        return _as_table(values, name)
    shape = np.shape(values)
    if shape == (n_classes,):
        return np.broadcast_to(np.asarray(values), (n_samples, n_classes))
    if name == "offset" and shape == (n_samples,) and n_classes == 2:
        raise ValueError(
            f"offset must have shape (n_samples, n_classes), one column per class; got shape "
            f"{shape}. For an offset o of the score of the second class, pass "
            "np.column_stack([np.zeros_like(o), o])."
        )
    return _as_table(values, name)


def _per_class_array(
    values: Any, name: str, classes: np.ndarray, n_samples: int, **check: Any
) -> np.ndarray:
    """Return a C-contiguous (n_samples, n_classes) array whose columns follow `classes`."""
    order = None
    if _is_frame(values):
        order = _column_order(list(values.columns), name, classes)
    else:
        _check_number_of_columns(values, name, classes)
    if values.shape[0] != n_samples:
        raise ValueError(f"{name} has {values.shape[0]} rows, but X has {n_samples}.")
    array = _check_array(values, name, **check)
    if order is not None and order != list(range(len(order))):
        array = array[:, order]
    return np.ascontiguousarray(array)


def _check_array(values: Any, name: str, **check: Any) -> np.ndarray:
    """scikit-learn's check; its message about text does not say which argument is meant."""
    try:
        with np.errstate(over="ignore"):  # in the cast to float32: reported as not finite
            return check_array(values, input_name=name, **check)
    except (TypeError, ValueError) as error:
        if name in str(error):
            raise
        raise type(error)(f"{name}: {error}") from None


def _check_number_of_columns(values: Any, name: str, classes: np.ndarray) -> None:
    if values.shape[1] != len(classes):
        raise ValueError(
            f"{name} has {values.shape[1]} columns, but there are {len(classes)} classes: "
            f"{_preview(classes)}. If the data lack a class, name all of them in classes=."
        )


def _column_order(columns: list[Any], name: str, classes: np.ndarray) -> list[int]:
    """Return where in the frame the column of each class stands."""
    wanted = classes.tolist()
    if not set(wanted) <= set(columns):  # polars names are text whatever the labels are
        columns, wanted = [str(column) for column in columns], [str(label) for label in wanted]
    position = {column: j for j, column in enumerate(columns)}
    missing = [label for label in wanted if label not in position]
    unknown = [column for column in columns if column not in set(wanted)]
    if missing or unknown or len(position) < len(columns):
        raise ValueError(
            f"{name}: its columns must be named after the classes {_preview(classes)}, each once; "
            f"missing: {missing}, not a class: {unknown}."
        )
    return [position[label] for label in wanted]


def _preview(classes: np.ndarray, at_most: int = 10) -> str:
    shown = ", ".join(label_text(label) for label in classes[:at_most])
    return f"[{shown}, ...]" if len(classes) > at_most else f"[{shown}]"


def check_proba(y_proba: Any, classes: np.ndarray, n_samples: int, dtype: np.dtype) -> np.ndarray:
    """Return rows of target probabilities in `dtype`: finite, non-negative, of sum 1."""
    proba = _per_class_array(y_proba, "y_proba", classes, n_samples, dtype="numeric")
    layout = RowLayout.of(proba, -1, "y_proba")
    return normalized_rows(probability_rows(proba, "y_proba", layout)).astype(dtype, copy=False)


def encode_proba(y_proba: Any, classes: np.ndarray, n_samples: int) -> np.ndarray:
    """Return `y_proba` as `check_proba` does, in float64, from any table."""
    table = _as_table(y_proba, "y_proba")
    return check_proba(table, classes, n_samples, np.dtype(np.float64))


def check_mask(mask: Any, classes: np.ndarray, n_samples: int) -> np.ndarray | None:
    """Return a bool array, True where a class is available: at least one in each row."""
    if mask is None:
        return None
    mask = _as_rows(mask, "mask", len(classes), n_samples)
    available = _per_class_array(mask, "mask", classes, n_samples, dtype=None)
    if available.dtype != bool:
        if not np.isin(available, (0, 1)).all():
            raise ValueError("mask must hold True (the class is available) and False, or 1 and 0.")
        available = available.astype(bool)
    empty = ~available.any(axis=1)
    if empty.any():
        raise ValueError(f"mask: row {int(np.argmax(empty))} has no available class.")
    return available


def check_offset(
    offset: Any, classes: np.ndarray, n_samples: int, dtype: np.dtype, mask: np.ndarray | None
) -> np.ndarray | None:
    """Return the offset in `dtype`, finite for available classes, made finite for the others."""
    if offset is None:
        return None
    offset = _as_rows(offset, "offset", len(classes), n_samples)
    array = _per_class_array(
        offset, "offset", classes, n_samples, dtype=dtype, ensure_all_finite=False
    )
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(array.sum()):
            return array
    wrong = ~np.isfinite(array)
    harmful = wrong if mask is None else wrong & mask
    if harmful.any():
        row = int(np.argmax(harmful.any(axis=1)))
        raise ValueError(
            f"offset: row {row} holds a value that is not finite; "
            "to make a class unavailable, use mask=."
        )
    return np.where(wrong, array.dtype.type(0), array)


def _check_target_is_available(
    target: np.ndarray, mask: np.ndarray | None, classes: np.ndarray
) -> None:
    if mask is None:
        return
    if target.ndim == 1:
        wrong = ~mask[np.arange(len(target)), target]
    else:
        wrong = ((target > 0) & ~mask).any(axis=1)
    if wrong.any():
        row = int(np.argmax(wrong))
        what = (
            f"its own label {label_text(classes[target[row]])}"
            if target.ndim == 1
            else "a class to which y_proba gives positive probability"
        )
        raise ValueError(f"mask: row {row} marks {what} as unavailable.")


# Weights


def check_sample_weight(sample_weight: Any, n_samples: int) -> tuple[np.ndarray | None, int]:
    """Return finite, non-negative weights in float64, not all zero, divided by 2^e; and e.

    The largest is in [1, 2), so that no sum overflows. A number is for all rows.
    """
    if sample_weight is None:
        return None, 0
    if np.ma.isMaskedArray(sample_weight):
        raise ValueError("sample_weight is a masked array, whose mask would be lost; drop the rows")
    if isinstance(sample_weight, Real):
        sample_weight = np.full(n_samples, sample_weight)
    weight = _check_array(sample_weight, "sample_weight", ensure_2d=False, dtype=np.float64)
    if weight.shape != (n_samples,):
        raise ValueError(
            f"sample_weight must have shape (n_samples,) = ({n_samples},); "
            f"got shape {weight.shape}."
        )
    if weight.min() < 0:
        row = int(np.argmax(weight < 0))
        raise ValueError(
            f"sample_weight: row {row} is negative ({weight[row]:g}); weights must be >= 0."
        )
    if not weight.any():
        raise ValueError("sample_weight: the weights are all zero; at least one must be positive.")
    return divide_by_power_of_two(weight)
