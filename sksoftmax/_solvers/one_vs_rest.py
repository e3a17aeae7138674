"""Fits the binary logits of one-vs-rest together: a minimiser for each class, in lock step."""

from functools import partial

import numpy as np

from sksoftmax._solvers import existence
from sksoftmax._solvers.blas import one_blas_thread
from sksoftmax._solvers.linear import (
    LinearFit,
    fit_independent_columns,
    minimise_steps,
    not_converged,
    rank_problems,
)
from sksoftmax._solvers.lockstep import in_lockstep
from sksoftmax._solvers.metric import build_metric
from sksoftmax._solvers.newton import (
    MOST_BLOCK_ENTRIES,
    ExactDirection,
    TruncatedDirection,
)
from sksoftmax._solvers.protocol import Control, Outcome, Point, Problem

# Blocks of the Hessian have at most this many columns where "auto" forms them.
_MOST_EXACT_COLUMNS = 1024


def solve_one_vs_rest(
    objective, *, solver="auto", tol=1e-6, max_iter=200, start=None, progress=None
) -> LinearFit:
    """Minimise every function of a `OneVsRestObjective`; parameters as in `solve_linear`.

    Metric, rank, minimisers and diagnosis are those of a single problem, class by class, only the
    passes over X are shared. `n_iter` and `converged` of the result have an entry per class.
    """
    with one_blas_thread(), np.errstate(all="ignore"):
        options = {"solver": solver, "tol": tol, "max_iter": max_iter, "progress": progress}
        return fit_independent_columns(_solve, objective, start, options)


def _solve(objective, metric, start, *, solver, tol, max_iter, progress) -> LinearFit:
    """A minimiser for each class, run in lock step, and what is wrong with any of them."""
    theta = _starting_points(objective, start)
    names = _auto_solvers(objective) if solver == "auto" else [solver]
    bounds = existence.separation_bound(objective)
    board = _Board(objective.n_outputs, progress)
    minimisers, controls = [], []
    for k in range(objective.n_outputs):
        own = metric.of(k)
        control = Control(
            tol=tol,
            max_iter=max_iter,
            norm=own.norm,
            hopeless=partial(np.greater, bounds[k]),
            rounding=float(np.finfo(objective.dtype).eps),
            progress=partial(board.note, k),
        )
        controls.append(control)
        minimisers.append(minimise_steps(objective.of([k]), own, theta[k : k + 1], control, names))
    results = in_lockstep(minimisers, objective, board.tell)
    outcomes = [outcome for outcome, _ in results]
    ran = {name for _, name in results}
    theta = np.concatenate([outcome.point.theta for outcome in outcomes])
    coef, intercept = objective.unpack(theta)
    return LinearFit(
        coef,
        intercept,
        value=float(sum(outcome.point.value for outcome in outcomes)),
        n_iter=np.array([max(1, outcome.n_iter) for outcome in outcomes]),
        solver=", ".join(name for name in names if name in ran),
        converged=np.array([outcome.status == "converged" for outcome in outcomes]),
        problems=_diagnose(objective, theta, outcomes, solver, controls)
        + rank_problems(objective, metric),
    )


def _starting_points(objective, start) -> np.ndarray:
    """For each class the start, or the log-odds of its share where that is lower."""
    constant = objective.log_odds()
    if start is None:
        return constant
    theta = objective.pack(*start)
    lower = objective.loss_gradient(theta)[0] <= objective.loss_gradient(constant)[0]
    return np.where(lower[:, None], theta, constant)


def _auto_solvers(objective) -> list[str]:
    """The faster of Newton and L-BFGS: some 6 iterations that form blocks against 13 passes."""
    d, K = objective.n_columns, objective.n_outputs
    exact = d <= _MOST_EXACT_COLUMNS and K * d**2 <= MOST_BLOCK_ENTRIES
    if not exact:
        return ["lbfgs", "newton-cg"]
    one_pass = 4 * d * 2.5e-11 + 3e-9  # seconds per row and output, measured
    block = d**2 * 4e-11
    if not objective.is_sparse and 6 * (block + one_pass) < 13 * one_pass:
        return ["newton-cholesky", "lbfgs"]
    return ["lbfgs", "newton-cholesky"]


class _Board:
    """Gathers the progress of all classes, and tells it once per round."""

    def __init__(self, n_outputs, progress):
        self.progress, self.told = progress, 0
        self.n_iter = np.zeros(n_outputs, dtype=int)
        self.values, self.norms = np.full(n_outputs, np.nan), np.zeros(n_outputs)

    def note(self, k, n_iter, value, norm):
        self.n_iter[k], self.values[k], self.norms[k] = n_iter, value, norm

    def tell(self):
        n_iter = int(self.n_iter.max())
        if self.progress is not None and n_iter > self.told:
            self.progress(n_iter, float(np.nansum(self.values)), float(self.norms.max()))
            self.told = n_iter


# What is wrong, and with which classes


def _diagnose(objective, theta, outcomes, solver, controls) -> list[Problem]:
    status = np.array([outcome.status for outcome in outcomes])
    constant = existence.constant_classes(objective)
    separated = (status == "separated") & ~constant
    if existence.is_unbounded_problem(objective):
        open_ = np.flatnonzero(~separated & ~constant & (status != "max_iter"))
        separated[open_] = _recede(objective, theta, open_)
    problems = []
    if constant.any():
        problems.append(_constant(np.flatnonzero(constant)))
    if separated.any():
        problems.append(_separated(np.flatnonzero(separated)))
    for wrong in ("stalled", "max_iter"):
        classes = np.flatnonzero((status == wrong) & ~constant & ~separated)
        if len(classes):
            problems.append(_not_converged(classes, outcomes, solver, controls))
    return problems


def _recede(objective, theta, outputs) -> np.ndarray:
    """`existence.recedes` for some of the classes, in float64."""
    if len(outputs) == 0:
        return np.zeros(0, dtype=bool)
    exact = objective.in_float64()
    theta = exact.pack(*objective.unpack(theta))[outputs]
    exact = exact.of(outputs)
    point = Point(theta, *exact.loss_gradient(theta))
    found = existence.recedes(exact, partial(_newton_directions, exact), point)
    return np.asarray(found)


def _newton_directions(objective, point) -> np.ndarray:
    d, steps = objective.n_columns, []
    small = d <= 300 and not objective.is_sparse
    metric = build_metric(objective)
    for k in range(objective.n_outputs):
        function = objective.of([k])
        own = Point(point.theta[k : k + 1], float(point.value[k]), point.gradient[k : k + 1])
        direction = (
            ExactDirection(function) if small else TruncatedDirection(function, metric.of(k))
        )
        steps.append(direction.steps(own))
    return np.concatenate(in_lockstep(steps, objective))


def _as_positions(classes) -> tuple[int, ...]:
    return tuple(int(k) for k in classes)


def _constant(classes) -> Problem:
    return Problem(
        "separation",
        "All rows agree about {classes}: either no row has weight on it, or all have. The "
        "intercept, which has no penalty, has no finite estimate there and was stopped on its way "
        "to infinity, so the probability is nearly 0 or 1, and how near means nothing. Leave the "
        "class out, or use label_smoothing or logit_l2.",
        classes=_as_positions(classes),
    )


def _separated(classes) -> Problem:
    return Problem(
        "separation",
        "The columns of X separate {classes} from the rest: without a penalty some coefficients "
        "have no finite estimate there, and the fit was stopped on their way to infinity (their "
        "values, and probabilities near 0 and 1, mean nothing). Use a finite C (C=1e3 is a weak "
        "penalty), or remove or merge the columns or classes that are separated.",
        classes=_as_positions(classes),
    )


def _not_converged(classes, outcomes: list[Outcome], solver, controls) -> Problem:
    """About the class that is farthest from its minimum."""
    norms = [controls[k].norm(outcomes[k].point.gradient) for k in classes]
    worst = classes[int(np.argmax(norms))]
    problem = not_converged(outcomes[worst], solver, controls[worst])
    message = f"{problem.message} (Classes against their rests: {{classes}}.)"
    return Problem(problem.kind, message, classes=_as_positions(classes))
