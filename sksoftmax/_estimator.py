"""What every estimator does alike: check parameters, show progress, fail without a trace."""

from __future__ import annotations

import copy
import functools
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any, TypeVar

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning, InconsistentVersionWarning
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from sksoftmax._version import __version__

Method = TypeVar("Method", bound=Callable[..., Any])
Progress = Callable[[int, float, float], None]
Show = Callable[..., None]


def restores_on_failure(method: Method) -> Method:
    """Decorate a method that changes ``self``: if it raises, ``vars(self)`` is what it was before.

    Ctrl-C counts as a failure: the exception travels on, and a model fitted earlier still predicts.
    """

    @functools.wraps(method)
    def guarded(self: Any, *args: Any, **kwargs: Any) -> Any:
        before = dict(vars(self))
        try:
            return method(self, *args, **kwargs)
        except BaseException:  # KeyboardInterrupt too: restored first, then re-raised
            vars(self).clear()
            vars(self).update(before)
            raise

    return guarded  # type: ignore[return-value]  # functools.wraps keeps the signature


# Pickles


class PickledByAnotherVersion(InconsistentVersionWarning):
    """A model was pickled by another version of sksoftmax.

    scikit-learn's warning for the same about its own models, so that one filter is enough.
    """

    def __str__(self) -> str:
        return (
            f"This {self.estimator_name} was pickled by sksoftmax {self.original_sklearn_version} "
            f"and is loaded by sksoftmax {self.current_sklearn_version}: compare its predictions "
            "with known ones before you rely on it, or fit it again."
        )


class TellsItsVersion:
    """Mixin for estimators, before BaseEstimator: a pickle names the version that wrote it."""

    def __getstate__(self) -> dict[str, Any]:
        state: Any = super().__getstate__()
        return {**state, "_sksoftmax_version": __version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        written_by = state.pop("_sksoftmax_version", "0.1.0 or earlier")
        if written_by != __version__:
            warnings.warn(
                PickledByAnotherVersion(
                    estimator_name=type(self).__name__,
                    current_sklearn_version=__version__,
                    original_sklearn_version=written_by,
                ),
                stacklevel=2,
            )
        vars(self).update(state)


# Parameters. Each check says the name, what is accepted, and what was given.


def check_number(
    value: object,
    name: str,
    accepted: str,
    *,
    above: float = -np.inf,
    at_least: float = -np.inf,
    below: float = np.inf,
    infinite: bool = False,
) -> float:
    """Return `value` as a float, or raise an error that says what is `accepted`."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise TypeError(f"{name} must be {accepted}; got {value!r} of type {type(value).__name__}.")
    try:
        number = float(value)
    except OverflowError:  # an integer beyond float64
        raise ValueError(f"{name} must be {accepted}; it is too large for float64.") from None
    in_range = number > above and number >= at_least and (number < below or below == np.inf)
    if not in_range or (np.isinf(number) and not infinite):  # NaN is in no range
        raise ValueError(f"{name} must be {accepted}; got {value!r}.")
    return number


def check_integer(
    value: object, name: str, accepted: str, *, at_least: int, at_most: float = np.inf
) -> int:
    """Return `value` as an int, or raise an error that says what is `accepted`."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be {accepted}; got {value!r} of type {type(value).__name__}.")
    if not at_least <= int(value) <= at_most:
        raise ValueError(f"{name} must be {accepted}; got {value!r}.")
    return int(value)


def check_n_jobs(value: object) -> int | None:
    """Return `n_jobs`, whose range the kernel checks, or raise if it is no integer."""
    if value is None:
        return None
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Integral):
        raise ValueError(f"n_jobs={value!r}: expected None or an integer other than 0 (-1: all).")
    return int(value)


def check_flag(value: object, name: str) -> bool:
    """Return `value` as a bool, or raise a TypeError."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False; got {value!r}.")
    return bool(value)


def check_choice(value: object, name: str, choices: Sequence[str]) -> str:
    """Return `value`, or raise a ValueError that lists the `choices`."""
    if not isinstance(value, str) or value not in choices:
        accepted = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{name} must be one of {accepted}; got {value!r}.")
    return value


def check_verbose(value: object) -> int:
    """Return `verbose` as an int: 0 is silent, anything above shows progress."""
    if isinstance(value, (bool, np.bool_)):
        return int(value)
    return check_integer(value, "verbose", "0 (silent) or a positive integer", at_least=0)


# Data


def check_features(estimator: Any, X: Any, *, reset: bool) -> Any:
    """Return X as C-ordered float64 or float32, or CSR; copied only if it was neither.

    `reset` learns the number and names of the features, otherwise they must be those of `fit`.
    """
    kinds = [np.float64, np.float32]
    _refuse_corrupt(X)
    return canonical_csr(
        validate_data(estimator, X, reset=reset, accept_sparse="csr", dtype=kinds, order="C")
    )


def check_features_and_labels(estimator: Any, X: Any, y: Any) -> tuple[Any, np.ndarray]:
    """Return X as `check_features` does, and the labels as an array of one dimension."""
    _refuse_label_table(y)
    _refuse_corrupt(X)
    kinds = [np.float64, np.float32]
    X, y = validate_data(estimator, X, y, accept_sparse="csr", dtype=kinds, order="C")
    _check_kind_of_labels(y)
    return canonical_csr(X), y


def check_labels(estimator: Any, y: Any, n_samples: int) -> np.ndarray:
    """Return the labels as an array of one dimension, one for each row of X."""
    y = check_label_column(estimator, y, n_samples)
    _check_kind_of_labels(y)
    return y


def check_label_column(estimator: Any, y: Any, n_samples: int) -> np.ndarray:
    """Return the labels of any kind: they will be compared with classes that are known."""
    _refuse_label_table(y)
    y = validate_data(copy.copy(estimator), y=y)  # a copy: without X it forgets feature names
    if len(y) != n_samples:
        raise ValueError(f"y has {len(y)} labels, but X has {n_samples} rows.")
    return y


def _refuse_label_table(y: Any) -> None:
    if np.ma.isMaskedArray(y):
        raise ValueError("y is a masked array, whose mask would be lost; drop the masked rows.")
    shape: tuple[int, ...] = getattr(y, "shape", ())
    if len(shape) > 1 and shape[1] > 1:
        raise ValueError(
            f"y should be a 1d array of labels, got an array of shape {shape} instead. "
            "Pass rows of probabilities as y_proba=."
        )


def _check_kind_of_labels(y: np.ndarray) -> None:
    try:
        check_classification_targets(y)
    except ValueError as error:
        held = ", ".join(sorted({type(label).__name__ for label in y.tolist()}))
        raise ValueError(f"y: {error} (It holds values of type {held}.)") from None


def _refuse_corrupt(X: Any) -> None:
    """Raise where SciPy would read or write outside its arrays, and where a mask would be lost."""
    if np.ma.isMaskedArray(X):
        raise ValueError("X is a masked array, whose mask would be lost; fill or drop the rows.")
    if not sparse.issparse(X) or X.ndim != 2:
        return
    if X.format == "coo":
        for index, size in ((X.row, X.shape[0]), (X.col, X.shape[1])):
            _refuse_indices(index, size)
        if not len(X.row) == len(X.col) == len(X.data):
            raise ValueError("X: its sparse structure is corrupt: arrays differ in length.")
    elif X.format in ("csr", "csc", "bsr"):
        height, width = X.blocksize if X.format == "bsr" else (1, 1)
        major, minor = X.shape[0] // height, X.shape[1] // width
        if X.format == "csc":
            major, minor = minor, major
        ptr = X.indptr
        spans = ptr.shape == (major + 1,) and ptr[0] == 0 and (ptr[1:] >= ptr[:-1]).all()
        if not spans or ptr[-1] > min(len(X.indices), len(X.data)):
            raise ValueError(
                "X: its sparse structure is corrupt: indptr must start at 0, never decrease, and "
                "end within indices and data."
            )
        _refuse_indices(X.indices[: ptr[-1]], minor)


def _refuse_indices(indices: np.ndarray, size: int) -> None:
    if len(indices) and not (indices.min() >= 0 and indices.max() < size):
        raise ValueError(
            f"X: its sparse structure is corrupt: indices from {indices.min()} to {indices.max()} "
            f"for {size} rows or columns."
        )


def canonical_csr(X: Any) -> Any:
    """Return CSR without repeated entries (in a copy), so that their squares are right.

    Dense arrays come back as they are.
    """
    if sparse.issparse(X) and not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X


# Progress


@contextmanager
def shown_progress(verbose: int, name: str, total: int) -> Iterator[Show | None]:
    """Yield what shows an iteration: a tqdm bar, else plain lines; None if silent.

    It is called with the number of the iteration and the values to show, by name, as text.
    """
    if not verbose:
        yield None
        return
    try:
        from tqdm.auto import tqdm  # optional: the extra `progress`
    except ImportError:
        yield functools.partial(_print_iteration, name)
        return
    with tqdm(total=total, desc=name, unit="it") as bar:

        def advance(n_iter: int, **shown: str) -> None:
            bar.set_postfix(**shown, refresh=False)
            bar.update(n_iter - bar.n)

        yield advance
        bar.total = bar.n  # it converged: the bar is full
        bar.refresh()


def _print_iteration(name: str, n_iter: int, **shown: str) -> None:
    values = ", ".join(f"{what} {value}" for what, value in shown.items())
    print(f"{name}: iteration {n_iter}, {values}", flush=True)


@contextmanager
def iteration_progress(verbose: int, name: str, max_iter: int) -> Iterator[Progress | None]:
    """Yield what a solver calls in each iteration, or None if silent."""
    with shown_progress(verbose, name, max_iter) as show:
        if show is None:
            yield None
            return

        def advance(n_iter: int, value: float, gradient_norm: float) -> None:
            show(n_iter, objective=f"{value:.6g}", gradient=f"{gradient_norm:.1e}")

        yield advance


# Results


def check_finite(**values: Any) -> None:
    """Raise a ValueError if an estimate is not finite: no model comes from overflowed sums."""
    for name, value in values.items():
        if not np.isfinite(value).all():
            raise ValueError(
                f"The fit overflowed: {name} is not finite. Entries of X (or offset, weights or C) "
                "are too large or too small for its floating-point type; scale the features."
            )


def feature_names(estimator: Any, columns: Sequence[int], *, at_most: int = 10) -> str:
    """Name features for a message as in fit, else x0, x1, ...; a long list ends in a count."""
    names = getattr(estimator, "feature_names_in_", None)
    shown = [f"x{j}" if names is None else str(names[j]) for j in columns]
    return _shortened(shown, at_most)


def _shortened(names: Sequence[str], at_most: int) -> str:
    rest = len(names) - at_most
    return ", ".join(names[:at_most]) + (f" and {rest} more" if rest > 0 else "")


def warn_of_problems(estimator: Any, problems: Sequence[Any], *, stacklevel: int) -> None:
    """Turn what a solver found wrong into one ConvergenceWarning each, with the features named."""
    for problem in problems:
        message = problem.message
        if problem.columns is not None:
            message = message.replace("{columns}", feature_names(estimator, problem.columns))
        positions = getattr(problem, "classes", None)
        if positions is not None:
            labels = ", ".join(repr(label) for label in estimator.classes_[[*positions]].tolist())
            message = message.replace("{classes}", labels)
        positions = getattr(problem, "parameters", None)
        if positions is not None:
            names = [str(name) for name in estimator.parameter_names_[[*positions]]]
            message = message.replace("{parameters}", _shortened(names, at_most=10))
        warnings.warn(message, ConvergenceWarning, stacklevel=stacklevel + 1)
