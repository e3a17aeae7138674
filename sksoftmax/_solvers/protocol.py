"""What solvers need of an objective, and what they return."""

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


class Objective(Protocol):
    """A smooth function of theta, shape (n_outputs, n_columns): what the minimisers ask for.

    The metric and the questions of existence (metric.py, existence.py, linear.py) are those of a
    `LinearObjective` and ask it for its covariance, weights and targets besides.
    """

    n_outputs: int
    n_columns: int

    def loss_gradient(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Value (inf where it overflows) and gradient, shape of theta."""
        ...

    def hessian_product(self, theta: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """Hessian at theta times a direction."""
        ...

    def hessian(self, theta: np.ndarray) -> np.ndarray:
        """The Hessian in the order of theta.ravel()."""
        ...

    def without_shift(self, theta: np.ndarray) -> np.ndarray:
        """theta without what changes no loss."""
        ...

    def class_curvature(self, theta: np.ndarray) -> np.ndarray:
        """Diagonal blocks of the Hessian, (n_outputs, n_columns, n_columns)."""
        ...


# A minimiser is a generator: it asks for a verb of the objective and is sent the answer. So it can
# be run on its own, or in lock step with others whose questions one read of the data answers.
Steps = Generator[tuple, Any, Any]


def ask(verb: str, *arguments: np.ndarray) -> Steps:
    """Ask for `objective.verb(*arguments)`."""
    return (yield verb, *arguments)


def follow(steps: Steps, objective: Objective) -> Any:
    """Run a minimiser on an objective; return its result."""
    answer = None
    while True:
        try:
            verb, *arguments = steps.send(answer)
        except StopIteration as done:
            return done.value
        answer = getattr(objective, verb)(*arguments)


@dataclass
class Point:
    """A place the solver has been."""

    theta: np.ndarray
    value: float
    gradient: np.ndarray


# Iterations without a decrease beyond rounding after which a solver stops.
_PATIENCE = 10


@dataclass
class Control:
    """When to stop, and whom to tell.

    `norm` measures a gradient without regard to the scale of the columns; `hopeless` tells from
    a value that there is no minimum; `rounding` is the relative noise of a value.
    """

    tol: float
    max_iter: int
    norm: Callable[[np.ndarray], float]
    hopeless: Callable[[float], bool]
    rounding: float
    progress: Callable[[int, float, float], None] | None = None
    best: float = math.inf
    idle: int = 0

    def report(self, n_iter: int, point: Point) -> str | None:
        """Tell the progress; return why to stop here, or None."""
        norm = self.norm(point.gradient)
        if self.progress is not None and n_iter > 0:
            self.progress(n_iter, point.value, norm)
        if norm <= self.tol:
            return "converged"
        if self.hopeless(point.value):
            return "separated"
        improves = point.value + self.rounding * abs(point.value) < self.best
        self.idle = 0 if improves else self.idle + 1
        self.best = min(self.best, point.value)
        if self.idle >= _PATIENCE:
            return "converged" if self.at_rounding(point) else "stalled"
        return None

    def at_rounding(self, point: Point) -> bool:
        """Can rounding alone explain what is left of the gradient?"""
        return self.norm(point.gradient) <= 100 * self.rounding


@dataclass
class Outcome:
    """Where a solver stopped, after how many iterations, and why.

    status: "converged", "separated", "stalled" (no step improves), or "max_iter".
    """

    point: Point
    n_iter: int
    status: str


@dataclass(frozen=True)
class Problem:
    """Something the user should know: kind is "separation", "rank" or "not_converged".

    `columns`, `classes` and `parameters` are positions of what the message is about; it then has a
    place "{columns}", "{classes}" or "{parameters}" for their names.
    """

    kind: str
    message: str
    columns: tuple[int, ...] | None = None
    classes: tuple[int, ...] | None = None
    parameters: tuple[int, ...] | None = None
