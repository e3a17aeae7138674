"""The objective of a linear softmax model: value, derivatives and curvature.

::

    logits    Z = X W' + 1 b' + offset                      (n_samples, n_classes)
    objective f = (1 / s) sum_i w_i loss(z_i, target_i) + alpha / 2 |W|^2,     s = sum_i w_i

with the kernel's loss (masks, soft targets, label smoothing, logit penalty). For two classes there
is one row of coefficients: a score s means the logits (-s / 2, s / 2), the binary logit.
"""

import math

import numpy as np

from sksoftmax._objective.centred import CentredObjective


class LinearObjective(CentredObjective):
    """Mean weighted cross-entropy of a linear model plus a ridge penalty.

    Parameters are those of `CentredObjective`; of a table of targets the rows are probabilities.
    """

    @property
    def ignores_shifts(self) -> bool:
        """Does adding one vector to the coefficients of every class change no loss?

        True for three or more classes without a logit penalty; the optimum then sums to zero
        over the classes, and so does every gradient there.
        """
        return self.n_outputs > 1 and self.rows.logit_l2 == 0

    def loss_gradient(self, theta) -> tuple[float, np.ndarray]:
        """f and its gradient, shape of theta; inf (and no useful gradient) when logits overflow.

        1. logits   = X~ theta'
        2. residual = w (softmax(logits) - target)                (kernel)
        3. gradient = residual' X~ / s + alpha W
        """
        losses, gradient = self._losses_gradient(theta)
        return float(losses[0]) + self.penalty.value(theta[:, : self.n_features]), gradient

    def hessian(self, theta) -> np.ndarray:
        """The Hessian, (n_outputs * n_columns,) twice, in the order of theta.ravel().

        Products of columns make sparse rows dense, a few at a time, and centre them.
        """
        hessian = self.rows.hessian(theta) / self.weight_sum
        free = np.arange(self.n_outputs * self.n_columns) % self.n_columns == self.n_features
        hessian[np.diag_indices(len(hessian))] += np.where(free, 0.0, self.penalty.alpha)
        return hessian

    def has_hard_targets(self) -> bool:
        """Are all targets 0 or 1?"""
        target = self.rows.target
        return target.ndim == 1 or bool((target.max(axis=1) == 1).all())

    def smallest_weight(self) -> float:
        """The smallest positive weight of a row; -inf where no row has a choice."""
        mask, weight = self.rows.mask, self.rows.weight
        if mask is not None and int(mask.sum(axis=1).max()) < 2:
            return -math.inf
        return 1.0 if weight is None else float(weight[weight > 0].min())

    def typical_curvature(self) -> np.ndarray:
        """What a row adds to the curvature of each output where the classes have their shares,
        (n_outputs,): the scale of the Hessian's blocks beside `gram`."""
        shares = self.class_shares()
        floor = 0.5 / max(self.weight_sum, self.n_classes)
        curvature = np.maximum(shares * (1 - shares), min(floor, 0.25 / self.n_classes))
        return curvature[-self.n_outputs :] + self.rows.logit_l2

    def logit_changes(self, direction, block=None) -> tuple[float, float]:
        """What a step along the direction does to the logits of rows of positive weight: the
        largest change, and the smallest gain of a row's target class on any other, both over
        available classes. For targets of 0 and 1."""
        largest, smallest_gain = 0.0, math.inf
        for rows, logits in self._score_blocks(direction, block):
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
