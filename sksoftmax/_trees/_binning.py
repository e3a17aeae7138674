"""From values to bins: at most 255 of them per feature, missing values apart."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from sksoftmax._kernel import effective_n_threads
from sksoftmax._trees import _core

MOST_BINS = 255
"""Of values; the code after the last one means missing."""

MOST_CATEGORIES = 254
"""Of one categorical feature; rarer ones count as missing."""


_COLUMNS_AT_ONCE = 8
"""A cache line of float64: X in C order is read once."""


class BinMapper:
    """Cuts every feature into bins, and says into which bin a value falls.

    A numerical feature with at most `max_bins` distinct values is cut midway between neighbours.
    One with more is cut at weighted quantiles: a value that weighs an even share or more gets a
    bin of its own, the others share what is left as evenly as their values allow. The cuts are a
    function of the pairs (distinct value, sum of its weights): a weight of 2 is the row twice. A
    value falls into bin ``number of cuts < value``; infinities are ordinary values, NaN is missing.

    A categorical feature holds category codes: its ``min(max_bins, 254)`` heaviest codes (of equal
    ones, the lowest) have bins, in ascending order. All other codes count as missing, and so do
    NaN, negative numbers, infinity and codes that `fit` has not seen.

    Parameters
    ----------
    max_bins : int
        Most bins of a feature, 2 to 255.

    Attributes
    ----------
    cuts_ : ndarray of float64
        The cuts of all numerical features and the categories of all categorical ones.
    cut_ptr_ : ndarray of int64, shape (n_features + 1,)
        Feature j has ``cuts_[cut_ptr_[j]:cut_ptr_[j + 1]]``.
    n_bins_ : ndarray of int32, shape (n_features,)
        Bins of values, at least 1; the code of a missing value is ``n_bins_[j]``.
    is_categorical_ : ndarray of uint8, shape (n_features,)
    """

    def __init__(self, max_bins=MOST_BINS):
        if not 2 <= max_bins <= MOST_BINS:
            raise ValueError(f"max_bins={max_bins!r}: expected an integer from 2 to {MOST_BINS}")
        self.max_bins = int(max_bins)

    def fit(self, X, sample_weight=None, is_categorical=None, *, n_threads=None):
        """Find the cuts from all rows of positive weight.

        Parameters
        ----------
        X : ndarray of float32 or float64, shape (n_samples, n_features)
            Of any strides.
        sample_weight : ndarray of shape (n_samples,), or None
            Finite, not negative.
        is_categorical : ndarray of bool, shape (n_features,), or None
        """
        n_features = X.shape[1]
        self.is_categorical_ = np.zeros(n_features, dtype=np.uint8)
        if is_categorical is not None:
            self.is_categorical_[:] = is_categorical
        rows, weight = _integer_weights(sample_weight)
        parts = [np.empty(0)] * n_features
        groups = iter(range(0, n_features, _COLUMNS_AT_ONCE))  # shared by the workers

        def work():
            n_rows = len(X) if rows is None else len(rows)
            room = np.empty((_COLUMNS_AT_ONCE, n_rows), dtype=X.dtype)
            for first in groups:
                some = X[:, first : first + _COLUMNS_AT_ONCE]
                columns = room[: some.shape[1]]
                columns[...] = (some if rows is None else some[rows]).T
                for j, values in enumerate(columns, first):
                    parts[j] = self._cuts_of(values, weight, self.is_categorical_[j])

        n_workers = max(1, min(effective_n_threads(n_threads), -(-n_features // _COLUMNS_AT_ONCE)))
        with ThreadPoolExecutor(n_workers) as pool:
            for done in [pool.submit(work) for _ in range(n_workers)]:
                done.result()
        self.cuts_ = np.concatenate([np.empty(0), *parts])
        self.cut_ptr_ = np.cumsum([0, *(len(part) for part in parts)], dtype=np.int64)
        sizes = np.diff(self.cut_ptr_) + (self.is_categorical_ == 0)
        self.n_bins_ = np.maximum(sizes, 1).astype(np.int32)
        return self

    def transform(self, X, *, n_threads=None):
        """Return the bins of `X`: (n_samples, n_features) uint8, C-ordered."""
        if X.ndim != 2 or X.shape[1] != len(self.n_bins_):
            raise ValueError(f"X has shape {X.shape}: expected {len(self.n_bins_)} columns")
        codes = np.empty(X.shape, dtype=np.uint8)
        _core.bin_columns(
            X=X,
            cuts=self.cuts_,
            cut_ptr=self.cut_ptr_,
            is_categorical=self.is_categorical_,
            codes=codes.reshape(-1),
            n_threads=effective_n_threads(n_threads),
        )
        return codes

    def cuts_of(self, feature):
        """The cuts of a numerical feature, the categories of a categorical one."""
        return self.cuts_[self.cut_ptr_[feature] : self.cut_ptr_[feature + 1]]

    def thresholds(self, feature, bin_):
        """Value up to which bins ``<= bin_`` reach, of numerical features; arrays or numbers.

        +inf after the last bin: there only missing values go right.
        """
        feature, bin_ = np.asarray(feature), np.asarray(bin_)
        inside = bin_ < self.n_bins_[feature] - 1
        at = np.where(inside, self.cut_ptr_[feature] + bin_, 0)
        cuts = self.cuts_ if len(self.cuts_) else np.array([np.inf])
        return np.where(inside, cuts[at], np.inf)

    def _cuts_of(self, values, weight, is_categorical):
        if is_categorical:
            return _categories(values, weight, min(self.max_bins, MOST_CATEGORIES))
        if weight is None:
            values.sort()
        else:
            order = np.argsort(values)
            values, weight = values[order], weight[order]
        cuts = np.empty(self.max_bins - 1)
        n_cuts = _core.cut_column(values=values, weight=weight, max_bins=self.max_bins, cuts=cuts)
        return cuts[:n_cuts]


def _integer_weights(sample_weight):
    """Rows of positive weight (None: all) and their weights as integers (None: all equal).

    Integers, so that sums depend on no order: ``rint(weight * 2^e)`` with a sum below 2^53.
    """
    if sample_weight is None:
        return None, None
    weight = np.asarray(sample_weight, dtype=np.float64)
    if not np.all((weight >= 0) & np.isfinite(weight)):
        raise ValueError("sample_weight: must be finite and not negative")
    largest = np.max(weight, initial=0)
    if largest == 0:
        raise ValueError("sample_weight: all weights are zero; at least one must be positive")
    exponent = np.frexp(largest)[1]  # first to at most 1: neither the sum nor the scale overflows
    weight = np.ldexp(weight, -exponent)
    keep = None if np.all(weight > 0) else np.flatnonzero(weight > 0)
    if keep is not None:
        weight = weight[keep]
    scaled = np.ldexp(weight, 52 - np.frexp(weight.sum() + len(weight) * 2.0**-60)[1])
    return keep, np.rint(scaled).astype(np.int64)


def _categories(values, weight, most):
    """The heaviest category codes among `values`, at most `most` of them, ascending."""
    valid = (values >= 0) & (values < np.inf)
    categories, index = np.unique(values[valid], return_inverse=True)
    if len(categories) > most:
        total = np.zeros(len(categories), dtype=np.int64)
        np.add.at(total, index, 1 if weight is None else weight[valid])
        heaviest = np.argsort(-total, kind="stable")[:most]
        categories = np.sort(categories[heaviest])
    return categories.astype(np.float64)
