"""Limited-memory BFGS in the variables of a metric."""

from collections import deque
from dataclasses import replace

import numpy as np

from sksoftmax._solvers.line_search import search_line
from sksoftmax._solvers.protocol import Control, Outcome, Point, Steps, ask

_MEMORY = 20


class InMetric:
    """An objective as a function of u, theta = T u less its mean over the classes.

    The metric may differ between classes and then mixes a common shift into its steps. Taking the
    shift out makes the objective flat along it, instead of as weakly curved as the penalty is.
    """

    def __init__(self, objective, metric):
        self.objective, self.metric = objective, metric

    def ask(self, verb, u) -> Steps:
        """Ask for the loss at u and its gradient in u."""
        value, gradient = yield from ask(verb, self.theta(u))
        return value, self.metric.gradient(self.objective.without_shift(gradient))

    def theta(self, u):
        return self.objective.without_shift(self.metric.theta(u))


def lbfgs_steps(objective, metric, theta, control: Control) -> Steps:
    """Minimise from theta; the result is an `Outcome` (Nocedal & Wright 2006, algorithm 7.5).

    1. direction = -H gradient, H from the last steps (two-loop recursion)
    2. a step that decreases and flattens (line_search)
    3. remember how the gradient changed along it

    In the metric the first direction, the negative gradient, is already close to a Newton step.
    The gradients that `control.norm` measures here are already in u.
    """
    function = InMetric(objective, metric)
    in_u = replace(control, norm=metric.norm_in_u)
    u = metric.u(theta)
    point = Point(u, *(yield from function.ask("loss_gradient", u)))
    pairs: deque = deque(maxlen=_MEMORY)
    status, n_iter = in_u.report(0, point), 0
    while status is None and n_iter < control.max_iter:
        direction = -_inverse_hessian_product(point.gradient, pairs)  # 1
        new = yield from search_line(  # 2
            point, direction, rounding=control.rounding, evaluate=function.ask
        )
        if new is None and pairs:
            pairs.clear()  # rounding may have spoilt the memory: once more from the gradient
            continue
        if new is None:
            status = "converged" if in_u.at_rounding(point) else "stalled"
            break
        step, change = new.theta - point.theta, new.gradient - point.gradient  # 3
        if (curvature := float(np.vdot(step, change))) > 0:
            pairs.append((step, change, curvature))
        point, n_iter = new, n_iter + 1
        status = in_u.report(n_iter, point)
    theta = function.theta(point.theta)
    point = Point(theta, *(yield from ask("loss_gradient", theta)))
    return Outcome(point, n_iter, status or "max_iter")


def _inverse_hessian_product(gradient, pairs):
    """The two-loop recursion, scaled by the last pair."""
    product = gradient.copy()
    weights = []
    for step, change, curvature in reversed(pairs):
        weight = np.vdot(step, product) / curvature
        product -= weight * change
        weights.append(weight)
    if pairs:
        _, change, curvature = pairs[-1]
        product *= curvature / np.vdot(change, change)
    for (step, change, curvature), weight in zip(pairs, reversed(weights), strict=True):
        product += (weight - np.vdot(change, product) / curvature) * step
    return product
