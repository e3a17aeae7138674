"""Fits the parameters of a choice model: Newton's method, and what is wrong if anything is."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linprog

from sksoftmax._solvers import existence
from sksoftmax._solvers.blas import one_blas_thread
from sksoftmax._solvers.metric import Metric, inverse_factors
from sksoftmax._solvers.newton import ExactDirection, newton_steps
from sksoftmax._solvers.protocol import Control, Outcome, Point, Problem, follow

_EPS = float(np.finfo(np.float64).eps)
# A Newton step at the end that could still change a utility by this much: the curvature has
# vanished with the gradient, as it does along a direction of recession only.
_RECESSION = 0.1
# Utilities gained along a direction, relative to its largest possible gain: above the first an
# entry is separated, below minus the second it contradicts (the solver's own tolerance).
_GAIN, _LOSS = 1e-6, 1e-7
# Entries that the linear program sees at first.
_MOST_CONSTRAINTS = 20_000
# Components of null vectors below this are rounding.
_COMPONENT = 1e-6


@dataclass
class ChoiceFit:
    """What was found: params and is_estimable are (n_parameters,).

    `derivatives` are value, gradient and Hessian of the objective there, by all of theta.
    """

    params: np.ndarray
    is_estimable: np.ndarray
    derivatives: tuple[float, np.ndarray, np.ndarray]
    n_iter: int
    gradient_norm: float
    converged: bool
    problems: list[Problem] = field(default_factory=list)


def solve_choice(
    objective, *, free=None, values=None, tol=1e-8, max_iter=100, start=None, progress=None
) -> ChoiceFit:
    """Minimise a `UtilityObjective` over its free parameters.

    1. rank      the Hessian where all alternatives are equally likely tells which parameters the
                 data cannot tell apart; dependent ones are left out
    2. minimise  Newton's method from zero, or from the start where that is better
    3. diagnose  separation, no convergence
    4. spread    what was found over the dependent parameters too, so that the norm is smallest

    Parameters
    ----------
    objective : UtilityObjective
    free : bool ndarray (n_parameters,) or None
        Which parameters are free; the others keep their `values`.
    values : ndarray (n_parameters,) or None
        Of the parameters that are not free; zero where they are.
    tol : float
        Largest accepted entry of the gradient in the variables that the Hessian of step 1 makes
        round (about the square root of the distance to the minimum, in nats): units do not matter.
    max_iter : int
    start : ndarray (n_parameters,) or None
    progress : callable (n_iter, value, gradient_norm) or None
    """
    P = objective.n_parameters
    free = np.ones(P, dtype=bool) if free is None else free
    held = objective.pack(np.zeros(P) if values is None else np.where(free, 0.0, values))
    with one_blas_thread(), np.errstate(all="ignore"):
        search = _Search(objective, held)
        curvature = search.at(objective.zeros())[2]  # 1
        dependent = dependent_parameters(objective, curvature, np.flatnonzero(free))
        search.moving = moving = np.setdiff1d(np.flatnonzero(free), dependent)
        theta, outcome, norm = _minimise(search, curvature, tol, max_iter, start, progress)  # 2
        recession = _recession(search, outcome, theta)  # 3
        derivatives = search.at(theta)
        null = null_vectors(curvature, moving, dependent)
        theta = theta - _projection(null, objective.scale, theta)  # 4
    problems = _problems(recession, dependent, null, outcome, norm, tol, max_iter)
    lost = _components(np.hstack([null, recession]))
    return ChoiceFit(
        objective.unpack(theta),
        is_estimable=~lost,
        derivatives=derivatives,
        n_iter=max(1, outcome.n_iter),
        gradient_norm=norm,
        converged=outcome.status == "converged",
        problems=problems,
    )


class _Search:
    """The objective as a function of the moving parameters: value, gradient and Hessian come from
    one pass, as nearly every point that Newton's method tries is accepted."""

    n_outputs, ignores_shifts = 1, False

    def __init__(self, objective, held):
        self.objective, self.held = objective, held
        self.moving = np.arange(objective.n_parameters)
        self._last: tuple[bytes, tuple] | None = None

    @property
    def n_columns(self) -> int:
        return len(self.moving)

    def full(self, theta) -> np.ndarray:
        full = self.held.copy()
        full[0, self.moving] = theta[0]
        return full

    def at(self, full) -> tuple[float, np.ndarray, np.ndarray]:
        """Value and derivatives by all parameters."""
        if self._last is None or self._last[0] != full.tobytes():
            self._last = full.tobytes(), self.objective.derivatives(full)
        return self._last[1]

    def loss_gradient(self, theta) -> tuple[float, np.ndarray]:
        value, gradient, _ = self.at(self.full(theta))
        return value, gradient[:, self.moving]

    def hessian(self, theta) -> np.ndarray:
        return self.at(self.full(theta))[2][np.ix_(self.moving, self.moving)]

    def without_shift(self, theta) -> np.ndarray:
        return theta


def _minimise(search, curvature, tol, max_iter, start, progress):
    """Theta of all parameters, how it ended, and the norm of the gradient."""
    moving = search.moving
    if len(moving) == 0:
        value, gradient = search.loss_gradient(np.zeros((1, 0)))
        return search.held, Outcome(Point(np.zeros((1, 0)), value, gradient), 0, "converged"), 0.0
    metric = Metric(inverse_factors(curvature[np.ix_(moving, moving)])[None], None)
    bound = _separation_bound(search)
    control = Control(
        tol=tol,
        max_iter=max_iter,
        norm=metric.norm,
        hopeless=lambda value: value < bound,
        rounding=_EPS,
        progress=progress,
    )
    theta = _starting_point(search, start)
    direction = ExactDirection(search)
    outcome = follow(newton_steps(search, metric, theta, control, direction.steps), search)
    norm = metric.norm(outcome.point.gradient)
    if outcome.n_iter == 0 and progress is not None:
        progress(1, outcome.point.value, norm)
    return search.full(outcome.point.theta), outcome, norm


def _starting_point(search, start) -> np.ndarray:
    """The start, or zero where that is lower: old parameters may mean nothing for new data."""
    zeros = np.zeros((1, search.n_columns))
    if start is None:
        return zeros
    theta = search.objective.pack(start)[:, search.moving]
    return theta if search.loss_gradient(theta)[0] <= search.loss_gradient(zeros)[0] else zeros


# --- rank ---


def dependent_parameters(objective, curvature, candidates) -> np.ndarray:
    """Candidates whose x is a combination of the others', to rounding, in every difference."""
    square = curvature[np.ix_(candidates, candidates)]
    diagonal = np.diag(square)
    scale = _inverse_root(diagonal)
    rounding = _EPS * (len(candidates) + math.sqrt(objective.choices.n_cases))
    # Entries are rounded relative to their size, which is about 1.
    with np.errstate(divide="ignore"):
        tolerance = np.maximum(20 * rounding, (10 * _EPS * scale) ** 2)
    tolerance[diagonal == 0] = 1.0
    return candidates[existence.dependent(square * scale[:, None] * scale, tolerance, rounding)]


def null_vectors(curvature, kept, dependent) -> np.ndarray:
    """Directions of theta that change nothing: one per dependent parameter, (n_parameters, ..)."""
    null = np.zeros((len(curvature), len(dependent)))
    scale = _inverse_root(np.diag(curvature))
    correlation = curvature * scale[:, None] * scale
    null[dependent, np.arange(len(dependent))] = 1.0
    if len(kept) and len(dependent):
        null[kept] = -np.linalg.solve(
            correlation[np.ix_(kept, kept)], correlation[np.ix_(kept, dependent)]
        )
    return null * scale[:, None]


def _inverse_root(diagonal) -> np.ndarray:
    return 1.0 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))


def _projection(null, scale, theta) -> np.ndarray:
    """The part of theta in the span of the null vectors, orthogonally in b = theta scale."""
    if null.shape[1] == 0:
        return np.zeros_like(theta)
    in_params = null * scale[:, None]
    basis, _ = np.linalg.qr(in_params / np.abs(in_params).max(axis=0))
    return ((basis @ (basis.T @ (theta[0] * scale))) / scale)[None, :]


def _components(null) -> np.ndarray:
    """Which parameters take part in a direction."""
    if null.shape[1] == 0:
        return np.zeros(len(null), dtype=bool)
    return (np.abs(null) > _COMPONENT * np.abs(null).max(axis=0)).any(axis=1)


# --- separation ---


def _separation_bound(search) -> float:
    """A mean loss below this proves that every case gives its choice more than half, so that
    scaling the parameters up lowers every loss. With held or penalised parameters it proves
    nothing."""
    objective = search.objective
    if objective.ridge.any() or search.held.any():
        return -math.inf
    weight = objective.choices.weight
    smallest = 1.0 if weight is None else float(weight[weight > 0].min())
    return math.log(2) * smallest / objective.weight_sum


def _recession(search, outcome, theta) -> np.ndarray:
    """Directions along which the likelihood grows for ever, (n_parameters, n_directions).

    1. suspicion      Newton's next step would change a utility much, though the gradient vanished
    2. certificate    a linear program finds a direction d that never lowers the utility of a choice
                      relative to another entry: d' (x_chosen - x_j) >= 0, and > 0 for some
    3. span           without the entries that lose for ever, the parameters that nothing
                      determines any more are those that run away
    """
    objective = search.objective
    loose = search.moving[objective.ridge[search.moving] == 0]
    if len(loose) == 0 or not _is_suspect(search, outcome):  # 1
        return np.zeros((objective.n_parameters, 0))
    choices, kept = objective.choices, np.ones(objective.choices.n_entries, dtype=bool)
    if choices.weight is not None:
        kept &= choices.weight[choices.case_of_entry()] > 0
        kept[choices.chosen_entry()] = True
    separated = np.zeros(choices.n_entries, dtype=bool)
    while True:
        reduced = objective.with_choices(choices.keeping(kept))
        losing = _losing_entries(reduced, loose)  # 2
        if not losing.any():
            break
        lost = np.zeros(choices.n_entries, dtype=bool)
        lost[kept] = losing
        separated |= lost
        kept &= ~lost
    if not separated.any():
        return np.zeros((objective.n_parameters, 0))
    curvature = reduced.hessian(reduced.zeros())  # 3
    dependent = dependent_parameters(reduced, curvature, loose)
    return null_vectors(curvature, np.setdiff1d(loose, dependent), dependent)


def _is_suspect(search, outcome) -> bool:
    if outcome.status != "converged":
        return True
    step = ExactDirection(search)(outcome.point)
    if not 2 * np.abs(step).sum() > _RECESSION:  # no entry of x exceeds 1
        return False
    full = np.zeros_like(search.held)
    full[0, search.moving] = step[0]
    return bool(np.abs(search.objective.utilities(full)).max() > _RECESSION)


def _losing_entries(objective, loose) -> np.ndarray:
    """Entries that lose for ever along a direction of the loose parameters on which no choice
    loses to any entry, bool (n_entries,); none where there is no such direction.

    maximise sum_i g_i,  g_i = (x_chosen - x_i)' d / |x_chosen - x_i|_max,  g >= 0,  |d| <= 1

    Constraints are a sample of the entries at first; those that contradict the answer are added
    until none does.
    """
    rows = -objective.differences(slice(0, objective.choices.n_cases))[:, loose]
    differs = rows.any(axis=1)
    rows = rows[differs]
    rows /= np.abs(rows).max(axis=1, keepdims=True, initial=0.0)
    total, losing = rows.sum(axis=0), np.zeros(len(differs), dtype=bool)
    seen = np.zeros(len(rows), dtype=bool)
    seen[:: max(1, len(rows) // _MOST_CONSTRAINTS)] = True
    contradict = seen
    while total.any() and contradict.any():
        bounds = np.zeros(int(seen.sum()))
        found = linprog(-total / np.abs(total).max(), -rows[seen], bounds, bounds=(-1, 1))
        if found.x is None:
            return losing
        gains = rows @ found.x
        contradict = (gains < -_LOSS) & ~seen
        seen |= contradict
        losing[differs] = gains > _GAIN
    return losing


# --- what the user should know ---


def _problems(recession, dependent, null, outcome, norm, tol, max_iter) -> list[Problem]:
    problems = []
    if recession.shape[1]:
        problems.append(_separated(_positions(recession)))
    elif outcome.status == "separated":
        problems.append(_separated(tuple(range(len(recession)))))
    elif outcome.status != "converged":
        problems.append(_not_converged(outcome, norm, tol, max_iter))
    if len(dependent):
        problems.append(_rank_deficient(_positions(null)))
    return problems


def _positions(null) -> tuple[int, ...]:
    return tuple(int(k) for k in np.flatnonzero(_components(null)))


def _separated(parameters) -> Problem:
    return Problem(
        "separation",
        "Parameters {parameters} have no finite estimate: the likelihood grows for ever along "
        "some direction of them (perfect prediction), and the fit was stopped on its way to "
        "infinity. Their values mean nothing and have no standard errors; the other parameters "
        "are estimated as usual. Drop or merge what they belong to, or use a finite C.",
        parameters=parameters,
    )


def _rank_deficient(parameters) -> Problem:
    return Problem(
        "rank",
        "Parameters {parameters} are not identified: some combination of them changes no "
        "difference between alternatives (a constant for every alternative, an attribute that "
        "does not vary within a case, or collinear columns). Those of smallest norm were taken, "
        "without standard errors. Drop one of them, make one alternative the base, or use a "
        "finite C.",
        parameters=parameters,
    )


def _not_converged(outcome, norm, tol, max_iter) -> Problem:
    state = f"the largest entry of the scaled gradient is {norm:.2g}, tol={tol:.2g}"
    if outcome.status == "stalled":
        message = (
            f"The fit stopped after {outcome.n_iter} iterations because rounding hides any further "
            f"decrease: {state}. Use a larger tol."
        )
    else:
        message = (
            f"The fit did not converge within max_iter={max_iter} iterations: {state}. "
            "Increase max_iter or tol."
        )
    return Problem("not_converged", message)
