"""Fits a linear softmax objective: picks a solver, runs it, says what is wrong if anything is."""

import math
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from sksoftmax._solvers import existence
from sksoftmax._solvers.blas import one_blas_thread
from sksoftmax._solvers.curvature import MOST_KEPT_PARAMETERS, Curvature, CurvatureMetric
from sksoftmax._solvers.lbfgs import lbfgs_steps
from sksoftmax._solvers.metric import build_metric
from sksoftmax._solvers.newton import (
    MOST_BLOCK_ENTRIES,
    ExactDirection,
    TruncatedDirection,
    newton_steps,
)
from sksoftmax._solvers.protocol import Control, Outcome, Point, Problem, Steps, follow

SOLVERS = ("auto", "lbfgs", "newton-cholesky", "newton-cg")
# "auto" hands over from lbfgs to newton-cg when it has not converged after this many iterations:
# nearly separable data, where curvature differs so much between rows that no fixed metric helps.
_PATIENCE = 40
# A refit that takes more iterations than the first gets a new curvature for the next refit; one
# that takes more than the second goes on like a first fit: its start was far away.
_FRESH, _NEAR = 12, 25
_MOST_EXACT_PARAMETERS = 3000
# More than this (3 GiB of Hessian) newton-cholesky refuses to form.
MOST_NEWTON_PARAMETERS = 20_000


@dataclass
class LinearFit:
    """`n_iter` and `converged` hold an entry per class where each has a minimum of its own."""

    coef: np.ndarray
    intercept: np.ndarray
    value: float
    n_iter: Any
    solver: str
    converged: Any
    problems: list[Problem] = field(default_factory=list)
    curvature: Curvature | None = None


def solve_linear(
    objective, *, solver="auto", tol=1e-6, max_iter=200, start=None, curvature=None, progress=None
) -> LinearFit:
    """Minimise a `LinearObjective`.

    1. metric    a change of variables from the columns' covariance; it also measures gradients
    2. rank      without a penalty: leave dependent columns out, take the smallest norm at the end
    3. minimise  by the solver asked for, or the one that should be fastest
    4. diagnose  separation, no convergence

    Parameters
    ----------
    objective : LinearObjective
    solver : {"auto", "lbfgs", "newton-cholesky", "newton-cg"}
    tol : float
        Largest accepted entry of the gradient in the metric's variables (about the square root
        of the distance to the minimum, in nats): the columns' units do not matter.
    max_iter : int
    start : (coef, intercept) or None
    curvature : Curvature or None
        What the fit that gave `start` kept.
    progress : callable (n_iter, value, gradient_norm) or None
    """
    if solver == "newton-cholesky":
        _check_hessian_fits(objective)
    with one_blas_thread(), np.errstate(all="ignore"):
        options = {"solver": solver, "tol": tol, "max_iter": max_iter, "progress": progress}
        solve = partial(_solve, curvature=curvature)
        return fit_independent_columns(solve, objective, start, options)


def fit_independent_columns(solve, objective, start, options) -> LinearFit:
    """Fit by solve(objective, metric, start, **options). Without a penalty, dependent columns are
    left out, and what the others found is spread over all columns so that its norm is smallest."""
    metric = build_metric(objective)  # 1
    dependent = existence.dependent_columns(objective, metric.curvature)  # 2
    if len(dependent) == 0:
        return solve(objective, metric, start, **options)
    kept = np.setdiff1d(np.arange(objective.n_features), dependent)
    part = objective.with_columns(kept)
    if len(kept) == 0:
        start = None
    if start is not None:
        start = np.asarray(start[0]).reshape(objective.n_outputs, -1)[:, kept], start[1]
    fit = solve(part, build_metric(part), start, **options)
    theta = existence.embed_smallest_norm(
        objective,
        metric.curvature,
        dependent,
        part.pack(fit.coef, fit.intercept),
    )
    fit.coef, fit.intercept = objective.unpack(theta)
    fit.problems.append(_rank_deficient(dependent))
    return fit


def _solve(objective, metric, start, *, solver, tol, max_iter, curvature, progress) -> LinearFit:
    theta, is_near = _starting_point(objective, start)
    bound = existence.separation_bound(objective)
    control = Control(
        tol=tol,
        max_iter=max_iter,
        norm=metric.norm,
        hopeless=lambda value: value < bound,
        rounding=float(np.finfo(objective.dtype).eps),
        progress=progress,
    )
    if solver == "auto" and is_near and _keeps_curvature(objective):
        outcome, name, curvature = _minimise_near(objective, metric, theta, control, curvature)
    else:
        curvature = None
        outcome, name = _minimise(objective, metric, theta, control, solver)  # 3
    if outcome.n_iter == 0 and progress is not None:
        progress(1, outcome.point.value, metric.norm(outcome.point.gradient))
    problems = _diagnose(objective, metric, outcome, solver, control)  # 4
    coef, intercept = objective.unpack(objective.without_shift(outcome.point.theta))
    return LinearFit(
        coef,
        intercept,
        value=outcome.point.value,
        n_iter=max(1, outcome.n_iter),
        solver=name,
        converged=outcome.status == "converged",
        problems=problems,
        curvature=curvature,
    )


def _starting_point(objective, start) -> tuple[np.ndarray, bool]:
    """The start, or zero where that is lower: old coefficients may mean nothing for new data.

    And whether it is the start.
    """
    zeros = objective.zeros()
    if start is None:
        return zeros, False
    theta = objective.without_shift(objective.pack(*start))
    value = objective.loss_gradient(theta)[0]
    is_near = value <= _value_at(objective, zeros)
    return (theta if is_near else zeros), bool(is_near)


def _value_at(objective, zeros) -> float:
    """The value at zero: log K where all logits are 0, without a pass."""
    if objective.rows.offset is None and objective.rows.mask is None:
        return math.log(objective.n_classes)
    return objective.loss_gradient(zeros)[0]


def pick_solver(objective) -> str:
    """The faster of exact Newton and L-BFGS, roughly: 8 iterations that form and factor the
    Hessian against 40 passes."""
    if objective.is_sparse or objective.n_outputs * objective.n_columns > _MOST_EXACT_PARAMETERS:
        return "lbfgs"
    one_pass, newton_step = _costs(objective)
    return "newton-cholesky" if 8 * (one_pass + newton_step) < 40 * one_pass else "lbfgs"


def _costs(objective) -> tuple[float, float]:
    """Seconds, roughly, of a pass and of forming and factoring the Hessian."""
    n, d, K = objective.n_samples, objective.n_columns, objective.n_outputs
    flop, call = 4e-11, 1.5e-4
    one_pass = 4 * n * d * K * flop + n * K * 3e-9 + call
    pairs = max(1, K * (K - 1) // 2)
    return one_pass, n * d**2 * pairs * flop + (K * d) ** 3 / 3 * flop + 2 * call


def _keeps_curvature(objective) -> bool:
    """Is a Hessian, formed once for several refits, cheaper than the passes that each one saves?

    Where it costs little anyway, every step of a refit forms its own.
    """
    if pick_solver(objective) == "newton-cholesky" or objective.is_sparse:
        return False
    if objective.n_outputs * objective.n_columns > MOST_KEPT_PARAMETERS:
        return False
    one_pass, newton_step = _costs(objective)
    return newton_step < _PATIENCE * one_pass


def _minimise_near(
    objective, metric, theta, control, curvature
) -> tuple[Outcome, str, Curvature | None]:
    """Refit near the old optimum.

    1. the curvature that the fit before kept, else that at the start
    2. L-BFGS in its variables
    3. a start that was far away after all: go on like a first fit
    """
    kept = curvature is not None and curvature.shape == theta.shape
    curvature = curvature if kept else Curvature.at(objective, theta)  # 1
    if curvature is None:
        return *_minimise(objective, metric, theta, control, "auto"), None
    near = replace(control, max_iter=min(_NEAR, control.max_iter))
    near_steps = lbfgs_steps(objective, CurvatureMetric(curvature, metric), theta, near)
    outcome = follow(near_steps, objective)  # 2
    spent = outcome.n_iter
    if outcome.status in ("converged", "separated") or spent >= control.max_iter:
        return outcome, "lbfgs", curvature if spent <= _FRESH else None
    rest = replace(
        control, max_iter=control.max_iter - spent, progress=_shifted(control.progress, spent)
    )
    outcome, name = _minimise(objective, metric, outcome.point.theta, rest, "auto")  # 3
    return replace(outcome, n_iter=spent + outcome.n_iter), name, None


def _minimise(objective, metric, theta, control, solver) -> tuple[Outcome, str]:
    names = _auto_solvers(objective, metric) if solver == "auto" else [solver]
    return follow(minimise_steps(objective, metric, theta, control, names), objective)


def minimise_steps(objective, metric, theta, control, names) -> Steps:
    """Run one solver after the other until one converges: each goes on where the one before
    stopped. The result is an `Outcome` and the name of the last that ran."""
    spent = 0
    for name in names:
        budget = control.max_iter - spent
        if name == "lbfgs" and name != names[-1]:
            budget = min(_PATIENCE, budget)
        step = replace(control, max_iter=budget, progress=_shifted(control.progress, spent))
        outcome = yield from _steps_of(name, objective, metric, theta, step)
        theta, spent = outcome.point.theta, spent + outcome.n_iter
        if outcome.status in ("converged", "separated") or spent >= control.max_iter:
            break
    return Outcome(outcome.point, spent, outcome.status), name


def _auto_solvers(objective, metric) -> list[str]:
    if pick_solver(objective) == "newton-cholesky":
        return ["newton-cholesky", "lbfgs"]
    blocks = objective.n_outputs * objective.n_columns**2
    has_blocks = metric.transform.ndim == 3 and blocks <= MOST_BLOCK_ENTRIES
    return ["lbfgs", "newton-cg"] if has_blocks else ["lbfgs"]


def _steps_of(name, objective, metric, theta, control) -> Steps:
    if name == "lbfgs":
        return lbfgs_steps(objective, metric, theta, control)
    exact = name == "newton-cholesky"
    direction = ExactDirection(objective) if exact else TruncatedDirection(objective, metric)
    return newton_steps(objective, metric, theta, control, direction.steps)


def _shifted(progress, spent):
    if progress is None or spent == 0:
        return progress
    return lambda n_iter, value, norm: progress(spent + n_iter, value, norm)


def _diagnose(objective, metric, outcome, solver, control) -> list[Problem]:
    problems = []
    unbounded = existence.is_unbounded_problem(objective)
    if outcome.status == "separated":
        problems.append(_SEPARATED)
    elif len(absent := existence.absent_classes(objective)):
        problems.append(_absent(absent))
    elif unbounded and outcome.status != "max_iter" and _recedes(objective, outcome.point.theta):
        problems.append(_SEPARATED)
    elif outcome.status != "converged":
        problems.append(not_converged(outcome, solver, control))
    return problems + rank_problems(objective, metric)


def rank_problems(objective, metric) -> list[Problem]:
    """What nobody looked at."""
    unknown = objective.penalty.alpha == 0 and metric.curvature is None
    return [_rank_unknown(objective)] if unknown else []


def _recedes(objective, theta) -> bool:
    """In float64: near a recession the curvature is below the rounding of float32."""
    exact = objective.in_float64()
    theta = exact.pack(*objective.unpack(theta))
    point = Point(theta, *exact.loss_gradient(theta))
    small = exact.n_outputs * exact.n_columns <= 300 and not exact.is_sparse
    newton = ExactDirection(exact) if small else TruncatedDirection(exact, build_metric(exact))
    return bool(existence.recedes(exact, newton, point))


_SEPARATED = Problem(
    "separation",
    "The classes are separated by the columns of X: without a penalty some coefficients have no "
    "finite estimate, and the fit was stopped on their way to infinity (their values, and "
    "probabilities near 0 and 1, mean nothing). Use a finite C (C=1e3 is a weak penalty), or "
    "remove or merge the columns or classes that are separated.",
)


def _absent(classes) -> Problem:
    return Problem(
        "separation",
        "No row has weight on class {classes}: the intercept, which has no penalty, has no finite "
        "estimate there and was stopped on its way to minus infinity, so the probability of that "
        "class is nearly 0, and how near means nothing. Leave the class out, or use "
        "label_smoothing or logit_l2, which keep its probability positive.",
        classes=tuple(int(k) for k in classes),
    )


def _rank_deficient(columns) -> Problem:
    return Problem(
        "rank",
        "Columns {columns} of X are constant, or linear combinations of other columns to working "
        "precision: without a penalty their coefficients are not determined, and those of "
        "smallest norm were taken. Drop these columns, or use a finite C.",
        tuple(int(j) for j in columns),
    )


def _rank_unknown(objective) -> Problem:
    return Problem(
        "rank",
        f"X has {objective.n_features} columns, too many to check for linear dependence: if some "
        "depend on others (with fewer rows than columns they do), coefficients are one of many "
        "solutions without a penalty. Use a finite C.",
    )


def not_converged(outcome, solver, control) -> Problem:
    """A minimiser gave up."""
    norm = control.norm(outcome.point.gradient)
    state = f"the largest entry of the scaled gradient is {norm:.2g}, tol={control.tol:.2g}"
    if outcome.status == "stalled":
        message = (
            f"The fit stopped after {outcome.n_iter} iterations because rounding hides any further "
            f"decrease: {state}. Use a larger tol, or float64 X if it is float32."
        )
    else:
        other = "" if solver == "auto" else ", or use solver='auto'"
        message = (
            f"The fit did not converge within max_iter={control.max_iter} iterations: {state}. "
            f"Increase max_iter or tol{other}."
        )
    return Problem("not_converged", message)


def _check_hessian_fits(objective) -> None:
    size = objective.n_outputs * objective.n_columns
    if size > MOST_NEWTON_PARAMETERS:
        raise ValueError(
            f"solver='newton-cholesky' would form a Hessian of {size} x {size} entries "
            f"({8 * size**2 / 2**30:.0f} GiB); accepted are up to {MOST_NEWTON_PARAMETERS} "
            "coefficients. Use solver='auto', 'lbfgs' or 'newton-cg'."
        )
