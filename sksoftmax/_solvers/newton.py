"""Newton's method: with the exact Hessian, or with conjugate gradients on Hessian products."""

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from sksoftmax._solvers.line_search import line_search
from sksoftmax._solvers.metric import inverse_factors, rounding_jitter
from sksoftmax._solvers.protocol import Control, Outcome, Point

_MOST_INNER = 250
# Class blocks are formed (and refactored in every iteration) up to this many entries.
MOST_BLOCK_ENTRIES = 20_000_000


def minimize_newton(objective, metric, theta, control: Control, newton_direction) -> Outcome:
    """Newton's method with a line search.

    1. direction = -Hessian^-1 gradient      (newton_direction(point))
    2. the full step, or as much of it as decreases the value
    3. where probabilities are 0 and 1 to rounding the Hessian has vanished and Newton's direction
       is of no use: a step along the gradient, in the metric
    """
    point = Point(theta, *objective.loss_gradient(theta))
    status, n_iter = control.report(0, point), 0
    while status is None and n_iter < control.max_iter:
        direction = newton_direction(point)  # 1
        new = line_search(
            objective, point, direction, rounding=control.rounding, flatten=False
        )  # 2
        if new is None and not control.at_rounding(point):  # 3
            steepest = -objective.without_shift(metric.theta(metric.gradient(point.gradient)))
            new = line_search(objective, point, steepest, rounding=control.rounding)
        if new is None:
            status = "converged" if control.at_rounding(point) else "stalled"
            break
        point, n_iter = new, n_iter + 1
        status = control.report(n_iter, point)
    return Outcome(point, n_iter, status or "max_iter")


def filled_hessian(objective, theta) -> np.ndarray:
    """The Hessian, made positive definite along what changes no loss.

    For three or more classes the objective does not change when one constant vector is added to
    the coefficients of every class (apart from the penalty): H is singular there. Adding
    (1 1' / n_outputs) (x) P with P positive definite fills just that space; the gradient has no
    part in it, so neither has a direction -H^-1 gradient.
    """
    K, d = theta.shape
    hessian = objective.hessian(theta)
    if objective.ignores_shifts:
        blocks = hessian.reshape(K, d, K, d)
        blocks += (np.einsum("kikj->ij", blocks) / K**2)[None, :, None, :]
    return hessian


class ExactDirection:
    """-H^-1 gradient by Cholesky, of the filled Hessian."""

    def __init__(self, objective):
        self.objective = objective

    def __call__(self, point: Point) -> np.ndarray:
        K, d = point.theta.shape
        hessian = filled_hessian(self.objective, point.theta)
        diagonal = np.diag(hessian).copy()
        scale = np.where(diagonal > 0, diagonal, 1.0)
        for jitter in (0.0, 1e-12, 1e-8, 1e-4, 1.0):
            hessian[np.diag_indices(K * d)] = diagonal + jitter * scale
            try:
                factor = cho_factor(hessian, lower=True, check_finite=False)
                break
            except LinAlgError:
                continue
        else:
            raise ValueError("X: the Hessian overflows; divide its largest columns by a constant")
        return -cho_solve(factor, point.gradient.ravel(), check_finite=False).reshape(K, d)


class TruncatedDirection:
    """-H^-1 gradient by preconditioned conjugate gradients, stopped early far from the optimum.

    The preconditioner is the block diagonal of the Hessian (one factor per class), which near
    separation is what makes the difference, or the metric where those blocks are too many; less
    the common shift of the classes, along which the Hessian is as small as the penalty.
    The tolerance is Eisenstat and Walker's (1996), choice 2.
    """

    def __init__(self, objective, metric):
        self.objective, self.metric = objective, metric
        entries = objective.n_outputs * objective.n_columns**2
        self.uses_blocks = metric.transform.ndim == 3 and entries <= MOST_BLOCK_ENTRIES
        self.tolerance, self.last_norm = 0.25, None

    def __call__(self, point: Point) -> np.ndarray:
        precondition = self._preconditioner(point.theta)
        residual = -point.gradient
        z = precondition(residual)
        rz = start = float(np.vdot(residual, z))
        tolerance = self._forcing(np.sqrt(max(start, 0.0)))
        direction, search = np.zeros_like(residual), z
        for _ in range(_MOST_INNER):
            product = self.objective.hessian_product(point.theta, search)
            curvature = float(np.vdot(search, product))
            if not curvature > 0:
                break
            step = rz / curvature
            direction += step * search
            residual -= step * product
            z = precondition(residual)
            rz, previous = float(np.vdot(residual, z)), rz
            if not rz > tolerance**2 * start:
                break
            search = z + (rz / previous) * search
        good = np.isfinite(direction).all() and direction.any()
        return direction if good else precondition(-point.gradient)

    def _forcing(self, norm: float) -> float:
        if self.last_norm is not None and self.last_norm > 0:
            wanted = 0.9 * (norm / self.last_norm) ** 1.618
            safeguard = 0.9 * self.tolerance**1.618
            self.tolerance = min(0.25, max(wanted, safeguard if safeguard > 0.1 else 0.0))
        self.last_norm = norm
        return max(self.tolerance, 1e-10)

    def _preconditioner(self, theta):
        without_shift = self.objective.without_shift
        if self.uses_blocks:
            blocks = self.objective.class_curvature(theta)
            factors = inverse_factors(blocks, rounding_jitter(self.objective))
            transposed = np.swapaxes(factors, -1, -2)
        else:
            return lambda r: without_shift(self.metric.theta(self.metric.gradient(r)))

        def precondition(residual):
            half = np.matmul(transposed, residual[..., None])
            return without_shift(np.matmul(factors, half)[..., 0])

        return precondition
