"""Newton's method: with the exact Hessian, or with conjugate gradients on Hessian products."""

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from sksoftmax._solvers.line_search import search_line
from sksoftmax._solvers.metric import inverse_factors, rounding_jitter
from sksoftmax._solvers.protocol import Control, Outcome, Point, Steps, ask, follow

_MOST_INNER = 250
# Class blocks are formed (and refactored in every iteration) up to this many entries.
MOST_BLOCK_ENTRIES = 20_000_000


def newton_steps(objective, metric, theta, control: Control, direction_steps) -> Steps:
    """Newton's method with a line search; the result is an `Outcome`.

    1. direction = -Hessian^-1 gradient      (direction_steps(point))
    2. the full step, or as much of it as decreases the value
    3. where probabilities are 0 and 1 to rounding the Hessian has vanished and Newton's direction
       is of no use: a step along the gradient, in the metric
    """
    point = Point(theta, *(yield from ask("loss_gradient", theta)))
    status, n_iter = control.report(0, point), 0
    while status is None and n_iter < control.max_iter:
        direction = yield from direction_steps(point)  # 1
        new = yield from search_line(  # 2
            point, direction, rounding=control.rounding, flatten=False
        )
        if new is None and not control.at_rounding(point):  # 3
            steepest = -objective.without_shift(metric.theta(metric.gradient(point.gradient)))
            new = yield from search_line(point, steepest, rounding=control.rounding)
        if new is None:
            status = "converged" if control.at_rounding(point) else "stalled"
            break
        point, n_iter = new, n_iter + 1
        status = control.report(n_iter, point)
    return Outcome(point, n_iter, status or "max_iter")


class NewtonDirection:
    """-H^-1 gradient: `steps` asks the objective for what it needs."""

    def __init__(self, objective):
        self.objective = objective

    def __call__(self, point: Point) -> np.ndarray:
        return follow(self.steps(point), self.objective)

    def steps(self, point: Point) -> Steps:
        """Ask for curvature at the point; the result is the direction."""
        raise TypeError(f"{type(self).__name__} asks for nothing")


def hessian_steps(objective, theta) -> Steps:
    """Ask for the Hessian; the result is positive definite also along what changes no loss.

    For three or more classes the objective does not change when one constant vector is added to
    the coefficients of every class (apart from the penalty): H is singular there. Adding
    (1 1' / n_outputs) (x) P with P positive definite fills just that space; the gradient has no
    part in it, so neither has a direction -H^-1 gradient.
    """
    K, d = theta.shape
    hessian = (yield from ask("hessian", theta)).reshape(K * d, K * d)
    if objective.ignores_shifts:
        blocks = hessian.reshape(K, d, K, d)
        blocks += (np.einsum("kikj->ij", blocks) / K**2)[None, :, None, :]
    return hessian


class ExactDirection(NewtonDirection):
    """-H^-1 gradient by Cholesky, of the filled Hessian."""

    def steps(self, point: Point) -> Steps:
        K, d = point.theta.shape
        hessian = yield from hessian_steps(self.objective, point.theta)
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


class TruncatedDirection(NewtonDirection):
    """-H^-1 gradient by preconditioned conjugate gradients, stopped early far from the optimum.

    The preconditioner is the block diagonal of the Hessian (one factor per class), which near
    separation is what makes the difference, or the metric where those blocks are too many; less
    the common shift of the classes, along which the Hessian is as small as the penalty.
    The tolerance is Eisenstat and Walker's (1996), choice 2.
    """

    def __init__(self, objective, metric):
        super().__init__(objective)
        self.metric = metric
        entries = objective.n_outputs * objective.n_columns**2
        self.uses_blocks = metric.transform.ndim == 3 and entries <= MOST_BLOCK_ENTRIES
        self.tolerance, self.last_norm = 0.25, None

    def steps(self, point: Point) -> Steps:
        precondition = yield from self._preconditioner(point.theta)
        residual = -point.gradient
        z = precondition(residual)
        rz = start = float(np.vdot(residual, z))
        tolerance = self._forcing(np.sqrt(max(start, 0.0)))
        direction, search = np.zeros_like(residual), z
        for _ in range(_MOST_INNER):
            product = yield from ask("hessian_product", point.theta, search)
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

    def _preconditioner(self, theta) -> Steps:
        without_shift = self.objective.without_shift
        if self.uses_blocks:
            blocks = yield from ask("class_curvature", theta)
            factors = inverse_factors(blocks, rounding_jitter(self.objective))
            transposed = np.swapaxes(factors, -1, -2)
        else:
            return lambda r: without_shift(self.metric.theta(self.metric.gradient(r)))

        def precondition(residual):
            half = np.matmul(transposed, residual[..., None])
            return without_shift(np.matmul(factors, half)[..., 0])

        return precondition
