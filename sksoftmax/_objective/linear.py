"""The objective of a linear softmax model: value, derivatives and curvature.

::

    logits    Z = X W' + 1 b' + offset                      (n_samples, n_classes)
    objective f = (1 / s) sum_i w_i loss(z_i, target_i) + alpha / 2 |W|^2,     s = sum_i w_i

with the kernel's loss (masks, soft targets, label smoothing, logit penalty). For two classes there
is one row of coefficients: a score s means the logits (-s / 2, s / 2), the binary logit.

Parameters are one array theta = (W, b + W m), shape (n_outputs, n_columns), the intercept last and
taken at the weighted column means m: the passes see X - m, so large means cost no accuracy and
do not spoil the conditioning. The optimum does not move. Sparse rows stay as they are and
the shift is done on the coefficients, which is the same in exact arithmetic.
"""

import math
from dataclasses import replace

import numpy as np
from scipy import sparse

from sksoftmax._objective._passes import Rows
from sksoftmax._objective.penalty import Ridge

_EPS = float(np.finfo(np.float64).eps)


class LinearObjective:
    """Mean weighted cross-entropy of a linear model plus a ridge penalty.

    Parameters
    ----------
    X : ndarray (n_samples, n_features), C-contiguous, or CSR matrix; float32 or float64
    target : ndarray
        Class indices, int64 (n_samples,), or probabilities (n_samples, n_classes) in X's dtype.
    n_classes : int
    sample_weight : ndarray (n_samples,) or None
        Class weights included.
    label_smoothing, logit_l2 : float
    alpha : float
        Weight of the penalty, 1 / (C sum of weights); 0 for maximum likelihood.
    offset, mask : ndarray (n_samples, n_classes) or None
    fit_intercept : bool
    n_threads : int or None
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
        )
        self.dtype = dtype
        self.n_samples, self.n_features = X.shape
        self.n_classes, self.n_outputs, self.n_columns = n_classes, rows.n_outputs, rows.n_columns
        self.fit_intercept = fit_intercept
        self.penalty = Ridge(float(alpha))
        weight = rows.weight
        self.weight_sum = float(len(target) if weight is None else weight.sum(dtype=np.float64))
        self.rows, self.means = rows, np.zeros(self.n_features)
        for _ in range(2 if fit_intercept else 0):
            # The second round takes the mean of what is left: then a constant column is exactly 0.
            center = (self.means + self._mean_deviations()).astype(dtype)
            self.means = center.astype(np.float64)  # what the passes really subtract
            self.rows = replace(rows, center=center)

    def with_columns(self, kept) -> "LinearObjective":
        """The objective of some of the columns only (their copy); of none: one column of zeros."""
        X = self.rows.X[:, kept if len(kept) else [0]] * self.dtype.type(len(kept) > 0)
        return self._with_X(X if self.is_sparse else np.ascontiguousarray(X))

    def in_float64(self) -> "LinearObjective":
        """The same objective, evaluated in float64 (a copy of X, if it is float32)."""
        return self if self.dtype == np.float64 else self._with_X(self.rows.X.astype(np.float64))

    def _with_X(self, X) -> "LinearObjective":
        rows = self.rows
        return LinearObjective(
            X,
            rows.target,
            n_classes=self.n_classes,
            sample_weight=rows.weight,
            label_smoothing=rows.label_smoothing,
            logit_l2=rows.logit_l2,
            alpha=self.penalty.alpha,
            offset=rows.offset,
            mask=rows.mask,
            fit_intercept=self.fit_intercept,
            n_threads=rows.n_threads,
        )

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
        """Does adding one vector to the coefficients of every class change no loss?

        True for three or more classes without a logit penalty; the optimum then sums to zero
        over the classes, and so does every gradient there.
        """
        return self.n_outputs > 1 and self.rows.logit_l2 == 0

    def without_shift(self, theta) -> np.ndarray:
        """theta with its mean over the classes taken out, where that changes no loss."""
        return theta - theta.mean(axis=0) if self.ignores_shifts else theta

    # --- value and derivatives ------------------------------------------------------------------

    def loss_gradient(self, theta) -> tuple[float, np.ndarray]:
        """f and its gradient, shape of theta; inf (and no useful gradient) when logits overflow.

        1. logits   = X~ theta'
        2. residual = w (softmax(logits) - target)                (kernel)
        3. gradient = residual' X~ / s + alpha W
        """
        loss, sums = self.rows.loss_gradient(self._to_rows(theta))
        coef = theta[:, : self.n_features]
        gradient = self._from_rows(sums) / self.weight_sum
        gradient[:, : self.n_features] += self.penalty.gradient(coef)
        return loss / self.weight_sum + self.penalty.value(coef), gradient

    def hessian_product(self, theta, direction) -> np.ndarray:
        """The Hessian at theta times a direction, both of the shape of theta."""
        sums = self.rows.hessian_product(self._to_rows(theta), self._to_rows(direction))
        product = self._from_rows(sums) / self.weight_sum
        product[:, : self.n_features] += self.penalty.gradient(direction[:, : self.n_features])
        return product

    def hessian(self, theta) -> np.ndarray:
        """The Hessian, (n_outputs * n_columns,) twice, in the order of theta.ravel().

        Products of columns make sparse rows dense, a few at a time, and centre them.
        """
        hessian = self.rows.hessian(theta) / self.weight_sum
        free = np.arange(self.n_outputs * self.n_columns) % self.n_columns == self.n_features
        hessian[np.diag_indices(len(hessian))] += np.where(free, 0.0, self.penalty.alpha)
        return hessian

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

    def logit_changes(self, direction, block=None) -> tuple[float, float]:
        """What a step along the direction does to the logits of rows of positive weight: the
        largest change, and the smallest gain of a row's target class on any other, both over
        available classes. For targets of 0 and 1."""
        coef, intercept = self.unpack(direction)
        largest, smallest_gain = 0.0, math.inf
        block = block or _rows_per_block(self.n_outputs)
        for start in range(0, self.n_samples, block):
            rows = slice(start, start + block)
            X, threads = self.rows.X[rows], self.rows.n_threads
            logits = linear_logits(X, coef, intercept, n_threads=threads).astype(np.float64)
            if self.n_outputs == 1:
                logits = np.hstack([-logits / 2, logits / 2])
            target = self.rows.target[rows]
            target = target if target.ndim == 1 else target.argmax(axis=1)
            own = np.take_along_axis(logits, target[:, None], axis=1)
            closed = np.zeros(logits.shape, dtype=bool)
            if self.rows.mask is not None:
                closed |= ~self.rows.mask[rows]
            if self.rows.weight is not None:
                closed |= self.rows.weight[rows, None] == 0
            gains = np.where(closed, 0.0, own - logits)
            largest = max(largest, float(np.abs(gains).max()))
            smallest_gain = min(smallest_gain, float(gains.min()))
        return largest, smallest_gain


def linear_logits(X, coef, intercept, *, offset=None, n_threads=None) -> np.ndarray:
    """X W' + b (+ offset), (n_samples, n_outputs), in X's dtype.

    A row's result has the same bits in any batch: every row takes the same path through the
    native product, which a BLAS does not promise.
    """
    n_outputs = len(coef)
    theta = np.column_stack([coef, intercept])
    rows = Rows(X, 2 if n_outputs == 1 else n_outputs, True, n_threads=n_threads)
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
