"""The objectives of K binary logits on the same rows, evaluated in one read of X.

::

    scores    Z = X W' + 1 b' + offset                            (n_samples, n_outputs)
    objective f_k = (1 / s) sum_i v_ik loss(z_ik, q_ik) + alpha / 2 |W_k|^2,     s = sum_i w_i

with the loss of the two logits (-z / 2, z / 2), class k against the rest. q_ik is 1 if class k is
the target of row i, or the entry of a table (indicators, or probabilities), and

    v_ik = w_i (positive_weight_k q_ik + negative_weight_k (1 - q_ik))

or 0 where the mask says that class k was not available to the row. No f_k depends on the
coefficients of another class: the Hessian is block diagonal.
"""

from copy import copy
from dataclasses import replace
from typing import Self

import numpy as np

from sksoftmax._objective.centred import CentredObjective


class OneVsRestObjective(CentredObjective):
    """One function for each class, f_k of row k of theta; values are arrays, (n_outputs,).

    Parameters
    ----------
    X : ndarray (n_samples, n_features), C-contiguous, or CSR matrix; float32 or float64
    target : ndarray
        Class indices, int64 (n_samples,), or a table (n_samples, n_classes) of entries in [0, 1],
        in X's dtype.
    n_classes : int
    positive_weight, negative_weight : ndarray (n_classes,) or None
        Weights of a class, and of its rest, in its own problem.
    **options
        As for `CentredObjective`; smoothing and logit penalty are those of two classes.
    """

    def __init__(
        self, X, target, *, n_classes, positive_weight=None, negative_weight=None, **options
    ):
        per_class = {"positive_weight": positive_weight, "negative_weight": negative_weight}
        for name, weight in per_class.items():
            if weight is not None:
                per_class[name] = np.ascontiguousarray(weight, dtype=X.dtype)
        outputs = np.arange(n_classes, dtype=np.int64)
        super().__init__(X, target, n_classes=n_classes, outputs=outputs, **per_class, **options)

    def of(self, outputs) -> Self:
        """The objectives of some of the outputs."""
        part = copy(self)
        chosen = self.rows.outputs[outputs]
        part.rows = replace(self.rows, outputs=chosen)
        part.n_outputs = len(chosen)
        return part

    def loss_gradient(self, theta) -> tuple[np.ndarray, np.ndarray]:
        """(f_k) and, as rows, the gradient of each; inf where a score overflows."""
        losses, gradient = self._losses_gradient(theta)
        return losses + self.penalty.row_values(theta[:, : self.n_features]), gradient

    def hessian(self, theta) -> np.ndarray:
        """The Hessian of each output, (n_outputs, n_columns, n_columns)."""
        return self.class_curvature(theta)

    # --- what the problems look like, class by class ---------------------------------------------

    def balanced(self) -> Self:
        """The same, with equal weight on a class and on its rest: total / (2 count) for a row of
        either side, where both sides have some."""
        total, hits = self._counts()
        with np.errstate(divide="ignore", invalid="ignore"):
            sides = [
                np.where((hits > 0) & (hits < total), total / (2 * n), 1.0)
                for n in (hits, total - hits)
            ]
        positive, negative = (side.astype(self.dtype) for side in sides)
        other = copy(self)
        other.rows = replace(self.rows, positive_weight=positive, negative_weight=negative)
        return other

    def _counts(self) -> tuple[np.ndarray, np.ndarray]:
        """Sums over rows of w_i and of w_i q_ik, where class k is available, for all classes."""
        weight, target, mask = self._weight(), self.rows.target, self.rows.mask
        hits = self.class_shares() * self.weight_sum
        if mask is None:
            return np.full(self.n_classes, self.weight_sum), hits
        return weight @ mask, hits if target.ndim == 1 else weight @ (mask * target)

    def _sums(self) -> tuple[np.ndarray, np.ndarray]:
        """Sums over rows of v_ik and of v_ik q_ik, for all classes."""
        total, hits = self._counts()
        positive, negative = self._side_weights()
        return positive * hits + negative * (total - hits), positive * hits

    def _side_weights(self) -> tuple[np.ndarray, np.ndarray]:
        rows, ones = self.rows, np.ones(self.n_classes)
        sides = rows.positive_weight, rows.negative_weight
        positive, negative = (ones if side is None else side.astype(float) for side in sides)
        return positive, negative

    def has_hard_targets(self) -> bool:
        target = self.rows.target
        return target.ndim == 1 or bool(((target == 0) | (target == 1)).all())

    def shares(self) -> np.ndarray:
        """Weighted share of each class in its own problem, (n_outputs,); NaN where it is empty."""
        total, hits = (sums[self.rows.outputs] for sums in self._sums())
        with np.errstate(invalid="ignore"):
            return np.clip(hits / total, 0.0, 1.0)

    def knows_both_sides(self) -> np.ndarray:
        """Has the problem of each output weight on its class, and on the rest? (n_outputs,)"""
        total, hits = self._counts()
        positive, negative = self._side_weights()
        both = (hits > 0) & (hits < total) & (positive > 0) & (negative > 0)
        return both[self.rows.outputs]

    def typical_curvature(self) -> np.ndarray:
        share = np.nan_to_num(self.shares(), nan=0.5)
        floor = min(0.5 / max(self.weight_sum, 2.0), 0.125)
        curvature = np.maximum(share * (1 - share), floor) + self.rows.logit_l2 / 2
        total = self._sums()[0][self.rows.outputs] / self.weight_sum
        return np.where(total > 0, total, 1.0) * curvature

    def log_odds(self) -> np.ndarray:
        """theta of the best constant scores, offsets left aside: where a descent may start."""
        theta = self.zeros()
        if self.fit_intercept:
            share = np.nan_to_num(self.shares(), nan=0.5)
            low = 0.5 / max(self.weight_sum, 2.0)
            share = np.clip(share, low, 1 - low)
            theta[:, -1] = np.log(share / (1 - share))
        return theta

    def smallest_weight(self) -> np.ndarray:
        """No row of positive v_ik has less, (n_outputs,)."""
        weight = self._weight()
        sides = np.array(self._side_weights())[:, self.rows.outputs]
        return weight[weight > 0].min() * np.where(sides > 0, sides, np.inf).min(axis=0)

    def logit_changes(self, direction, block=None) -> tuple[np.ndarray, np.ndarray]:
        """`LinearObjective.logit_changes` of each output, for a class against the rest."""
        rows, outputs = self.rows, self.rows.outputs
        largest, smallest_gain = np.zeros(self.n_outputs), np.full(self.n_outputs, np.inf)
        sides = np.array(self._side_weights())[:, outputs]
        for part, scores in self._score_blocks(direction, block):
            target = rows.target[part]
            own = (target[:, None] == outputs) if target.ndim == 1 else target[:, outputs] > 0
            counts = np.where(own, *sides) > 0
            if rows.mask is not None:
                counts &= rows.mask[part][:, outputs]
            if rows.weight is not None:
                counts &= rows.weight[part, None] > 0
            gains = np.where(counts, np.where(own, scores, -scores), 0.0)
            largest = np.maximum(largest, np.abs(gains).max(axis=0))
            smallest_gain = np.minimum(smallest_gain, gains.min(axis=0))
        return largest, smallest_gain
