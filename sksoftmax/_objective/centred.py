"""What the objectives of linear scores share: centred columns, passes, parameters.

::

    scores    Z = X W' + 1 b' + offset                            (n_samples, n_outputs)

Parameters are one array theta = (W, b + W m), shape (n_outputs, n_columns), the intercept last and
taken at the weighted column means m: the passes see X - m, so large means cost no accuracy and
do not spoil the conditioning. The optimum does not move. Sparse rows stay as they are and
the shift is done on the coefficients, which is the same in exact arithmetic.
"""

import math
from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from typing import Self

import numpy as np
from scipy import sparse

from sksoftmax._objective._passes import Rows
from sksoftmax._objective.penalty import Ridge

_EPS = float(np.finfo(np.float64).eps)


class CentredObjective:
    """Rows, their weighted means, and the sums over them that every head needs.

    Parameters
    ----------
    X : ndarray (n_samples, n_features), C-contiguous, or CSR matrix; float32 or float64
    target : ndarray
        Class indices, int64 (n_samples,), or a table (n_samples, n_classes) in X's dtype.
    n_classes : int
    sample_weight : ndarray (n_samples,) or None
        Class weights included.
    label_smoothing, logit_l2 : float
    alpha : float
        Weight of the penalty, 1 / (C sum of weights); 0 for maximum likelihood.
    offset, mask : ndarray (n_samples, n_classes) or None
    fit_intercept : bool
    n_threads : int or None
    head : what else `Rows` takes
    """

    def __init__(
        self,
        X,
        target,
        *,
        n_classes,
        sample_weight=None,
        label_smoothing=0.0,
        logit_l2=0.0,
        alpha=0.0,
        offset=None,
        mask=None,
        fit_intercept=True,
        n_threads=None,
        **head,
    ):
        dtype = X.dtype
        if not sparse.issparse(X):
            X = np.require(X, requirements=["C", "ALIGNED"])
        rows = Rows(
            X,
            n_classes,
            fit_intercept,
            offset=None if offset is None else np.ascontiguousarray(offset, dtype=dtype),
            mask=None if mask is None else np.ascontiguousarray(mask, dtype=bool),
            weight=None if sample_weight is None else np.ascontiguousarray(sample_weight, dtype),
            target=np.ascontiguousarray(target, dtype=np.int64 if target.ndim == 1 else dtype),
            label_smoothing=float(label_smoothing),
            logit_l2=float(logit_l2),
            n_threads=n_threads,
            **head,
        )
        self.penalty = Ridge(float(alpha))
        self._set_rows(rows)

    def _set_rows(self, rows) -> None:
        self.dtype = rows.X.dtype
        self.n_samples, self.n_features = rows.X.shape
        self.n_classes, self.fit_intercept = rows.n_classes, rows.fit_intercept
        self.n_outputs, self.n_columns = rows.n_outputs, rows.n_columns
        weight = rows.weight
        self.weight_sum = float(len(rows.target) if weight is None else weight.sum(dtype=float))
        self.rows, self.means = rows, np.zeros(self.n_features)
        for _ in range(2 if self.fit_intercept else 0):
            # The second round takes the mean of what is left: then a constant column is exactly 0.
            center = (self.means + self._mean_deviations()).astype(self.dtype)
            self.means = center.astype(np.float64)  # what the passes really subtract
            self.rows = replace(rows, center=center)

    def with_columns(self, kept) -> Self:
        """The objective of some of the columns only (their copy); of none: one column of zeros."""
        X = self.rows.X[:, kept if len(kept) else [0]] * self.dtype.type(len(kept) > 0)
        return self._with_X(X if self.is_sparse else np.ascontiguousarray(X))

    def in_float64(self) -> Self:
        """The same objective, evaluated in float64 (a copy of X, if it is float32)."""
        return self if self.dtype == np.float64 else self._with_X(self.rows.X.astype(np.float64))

    def _with_X(self, X) -> Self:
        other = copy(self)
        other._set_rows(self.rows.with_X(X))
        return other

    @property
    def is_sparse(self) -> bool:
        return self.rows.is_sparse

    def _mean_deviations(self) -> np.ndarray:
        """Weighted means of the columns of X - means."""
        if not self.is_sparse:
            return self.rows.moments()[: self.n_features] / self.weight_sum
        return np.asarray(self.rows.X.T @ self._weight()).ravel() / self.weight_sum - self.means

    def _weight(self) -> np.ndarray:
        weight = self.rows.weight
        return np.ones(self.n_samples) if weight is None else weight.astype(np.float64)

    # --- parameters -----------------------------------------------------------------------------

    def pack(self, coef, intercept) -> np.ndarray:
        """(W, b) -> theta."""
        coef = np.asarray(coef, dtype=np.float64).reshape(self.n_outputs, self.n_features)
        if not self.fit_intercept:
            return coef.copy()
        intercept = np.asarray(intercept, dtype=np.float64).reshape(self.n_outputs)
        return np.column_stack([coef, intercept + coef @ self.means])

    def unpack(self, theta) -> tuple[np.ndarray, np.ndarray]:
        """theta -> (W, b)."""
        coef = theta[:, : self.n_features].copy()
        if not self.fit_intercept:
            return coef, np.zeros(self.n_outputs)
        return coef, theta[:, -1] - coef @ self.means

    def zeros(self) -> np.ndarray:
        return np.zeros((self.n_outputs, self.n_columns))

    def _to_rows(self, theta) -> np.ndarray:
        """The coefficients that the passes expect: sparse rows are not centred."""
        if not (self.is_sparse and self.fit_intercept):
            return theta
        shifted = theta.copy()
        shifted[:, -1] -= theta[:, :-1] @ self.means
        return shifted

    def _from_rows(self, sums) -> np.ndarray:
        """The transpose of `_to_rows`, for gradients."""
        if not (self.is_sparse and self.fit_intercept):
            return sums
        sums = np.ascontiguousarray(sums)
        sums[:, :-1] -= np.outer(sums[:, -1], self.means)
        return sums

    @property
    def ignores_shifts(self) -> bool:
        """Does adding one vector to the coefficients of every class change no loss?"""
        return False

    def without_shift(self, theta) -> np.ndarray:
        """theta with its mean over the classes taken out, where that changes no loss."""
        return theta - theta.mean(axis=0) if self.ignores_shifts else theta

    def _losses_gradient(self, theta) -> tuple[np.ndarray, np.ndarray]:
        """Mean losses without the penalty, and the gradient with it."""
        losses, sums = self.rows.loss_gradient(self._to_rows(theta))
        gradient = self._from_rows(sums) / self.weight_sum
        gradient[:, : self.n_features] += self.penalty.gradient(theta[:, : self.n_features])
        return losses / self.weight_sum, gradient

    def hessian_product(self, theta, direction) -> np.ndarray:
        """The Hessian at theta times a direction, both of the shape of theta."""
        sums = self.rows.hessian_product(self._to_rows(theta), self._to_rows(direction))
        product = self._from_rows(sums) / self.weight_sum
        product[:, : self.n_features] += self.penalty.gradient(direction[:, : self.n_features])
        return product

    def class_curvature(self, theta) -> np.ndarray:
        """Diagonal blocks of the Hessian, (n_outputs, n_columns, n_columns)."""
        blocks = self.rows.class_curvature(theta) / self.weight_sum
        features = np.arange(self.n_features)
        blocks[:, features, features] += self.penalty.alpha
        return blocks

    def gram(self) -> np.ndarray:
        """Weighted mean of x~ x~', (n_columns, n_columns): the covariance, and 1 for the intercept.

        Rows and columns of constant columns are exactly 0. Without a penalty it decides about the
        rank of X and is summed in float64.
        """
        gram = self.rows.gram(in_float64=self.penalty.alpha == 0) / self.weight_sum
        varies = self._varies(np.diag(gram))
        return gram * varies[:, None] * varies

    def variances(self) -> np.ndarray:
        """The diagonal of `gram`, (n_columns,), without forming it."""
        X, weight = self.rows.X, self._weight()
        if self.is_sparse:
            square = np.asarray(X.multiply(X).T @ weight).ravel() / self.weight_sum
            variance = np.where(square > 32 * _EPS * self.means**2, square - self.means**2, 0.0)
        else:
            variance = _centred_squares(X, weight, self.means) / self.weight_sum
        variance = np.append(np.maximum(variance, 0.0), [1.0] * self.fit_intercept)
        return variance * self._varies(variance)

    def _varies(self, variance) -> np.ndarray:
        """Which columns vary by more than the rounding of their entries and of their mean."""
        eps = max(np.finfo(self.dtype).eps, math.sqrt(self.n_samples) * _EPS)
        noise = np.zeros(self.n_columns)
        noise[: self.n_features] = (8 * eps * self.means) ** 2
        return variance > noise

    def class_shares(self) -> np.ndarray:
        """Weighted share of each class in the targets, (n_classes,)."""
        target, weight = self.rows.target, self._weight()
        if target.ndim == 1:
            counts = np.bincount(target, weights=weight, minlength=self.n_classes)
        else:
            counts = weight @ target
        return counts / self.weight_sum

    def _score_blocks(self, direction, block=None) -> Iterator[tuple[slice, np.ndarray]]:
        """X~ direction' in float64, (rows, n_outputs), and which rows, block by block."""
        coef, intercept = self.unpack(direction)
        block = block or _rows_per_block(self.n_outputs)
        for start in range(0, self.n_samples, block):
            rows = slice(start, start + block)
            scores = linear_logits(
                self.rows.X[rows], coef, intercept, n_threads=self.rows.n_threads
            )
            yield rows, scores.astype(np.float64)


def linear_logits(X, coef, intercept, *, offset=None, n_threads=None) -> np.ndarray:
    """X W' + b (+ offset), (n_samples, n_outputs), in X's dtype.

    A row's result has the same bits in any batch: every row takes the same path through the
    native product, which a BLAS does not promise.
    """
    n_outputs = len(coef)
    theta = np.column_stack([coef, intercept])
    outputs = np.arange(n_outputs)
    rows = Rows(X, n_outputs, True, n_threads=n_threads, outputs=outputs)  # of any number, also 1
    logits = rows.logits(theta)
    if offset is not None:
        logits += offset
    return logits


def _rows_per_block(n_entries) -> int:
    """Rows of n_entries each that make a temporary of about two megabytes."""
    return max(1, (1 << 18) // n_entries)


def _centred_squares(X, weight, means) -> np.ndarray:
    total = np.zeros(X.shape[1])
    block = _rows_per_block(X.shape[1])
    for start in range(0, len(X), block):
        rows = X[start : start + block] - means
        total += weight[start : start + block] @ (rows * rows)
    return total
