"""MultinomialLogit beside each solver of LogisticRegression, to the same accuracy."""

import math
import time
import warnings
from functools import partial

import numpy as np
from sklearn.linear_model import LogisticRegression

from benchmarks.harness import FEWEST_ROUNDS, OutOfTime, budget, take_turns
from benchmarks.problems import badly_scaled, correlated, digits
from benchmarks.report import Ratio, Table
from sksoftmax import MultinomialLogit

TITLE = "Fits to the same accuracy"
THREADS = (1, 2)
ROUNDS = {"full": 5, "quick": 3, "tiny": 1}
TURNS = 20  # seconds
BUDGET = {"full": 30, "quick": 4, "tiny": 4}
WHAT = f"""Multinomial logistic regression with C = 1 until max|gradient| of the mean penalised
objective, in the original columns and with the intercept, is at most 1e-6 of its value at zero
(judged with NumPy and SciPy alone). Solvers stop by different rules, so each one, ours included,
first gets the loosest `tol` (to a quarter of a decade) that reaches this on the problem; the search
is not timed. A solver of which one fit took {BUDGET["full"]} seconds without getting there is
listed with the seconds of its search and the best gradient it stopped at before. Fits then take
turns, {ROUNDS["full"]} of them or, on slow problems, as many as begin within {TURNS} seconds (at
least {FEWEST_ROUNDS}); the promise is about scikit-learn's fastest solver."""
GRADIENT = 1e-6
PROBLEMS = {  # make the problem, the promised ratio
    "full": [(digits, 3), (partial(correlated, 100_000), 4), (partial(badly_scaled, 100_000), 15)],
    "quick": [(digits, 3), (partial(correlated, 10_000), 4), (partial(badly_scaled, 10_000), 15)],
    "tiny": [(partial(correlated, 200, 5, 3), 4)],
}
ENDLESS = 1_000_000  # iterations: only the tolerance or the budget ends a fit
SOLVERS = {
    "ours": partial(MultinomialLogit, max_iter=ENDLESS),
    "newton-cholesky": partial(LogisticRegression, solver="newton-cholesky", max_iter=ENDLESS),
    "newton-cg": partial(LogisticRegression, solver="newton-cg", max_iter=ENDLESS),
    "lbfgs": partial(LogisticRegression, solver="lbfgs", max_iter=ENDLESS),
}


def run(setting):
    """For each problem: find the tolerances, take turns, judge the answers, compare."""
    table = Table(
        ["problem", "solver", "tol", "iterations", "gradient", "wall s", "CPU s", "wall / ours"]
    )
    for make, promise in PROBLEMS[setting.size]:
        problem = make()
        known = setting.found.get(problem.name, {})
        tolerances = {
            solver: find_tolerance(problem, new, BUDGET[setting.size], known.get(solver))
            for solver, new in SOLVERS.items()
        }
        table.found[problem.name] = tolerances
        compare(table, problem, promise, tolerances, ROUNDS[setting.size])
    if setting.found:
        table.notes.append("A solver that did not get there on 1 thread was not tried again.")
    return table


def find_tolerance(problem, new, seconds, known=None):
    """The loosest tol that reaches the target, as dict(tol=...), or dict(reached=..., after=...).

    1. Powers of ten, from the gradient at zero downwards, until one reaches the target.
    2. The last step is halved twice, towards the loosest that still does.

    `known`, the answer on one thread, saves the search: only rounding may differ, so it is
    tightened until it holds, in triple the time (BLAS threads may wait for each other); where it
    says that there is no such tol, it is believed.
    """
    if known and "tol" not in known:
        return known
    seconds *= 3 if known else 1
    loosest = math.log10(known["tol"]) if known else math.floor(math.log10(problem.at_zero()[1]))
    best, start = math.inf, time.perf_counter()
    for exponent in loosest - (0.25 if known else 1.0) * np.arange(13):  # 1
        reached = gradient_reached(problem, new, exponent, seconds)
        if reached is None:
            break
        best = min(best, reached)
        if best <= GRADIENT:
            for step in () if known else (0.5, 0.25):  # 2
                looser = gradient_reached(problem, new, exponent + step, seconds)
                if looser is not None and looser <= GRADIENT:
                    exponent += step
            return {"tol": float(10**exponent)}
    return {"reached": best, "after": time.perf_counter() - start}


def gradient_reached(problem, new, exponent, seconds):
    """max|gradient| over its value at zero with tol = 10^exponent; None if out of time."""
    try:
        with budget(seconds):
            return relative_gradient(problem, fit(problem, new, 10.0**exponent))
    except OutOfTime:
        return None


def fit(problem, new, tol):
    """One fit, without warnings: the gradient is judged, whatever the solver thinks of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return new(tol=tol).fit(problem.X, problem.y)


def relative_gradient(problem, model):
    """max|gradient| over its value at zero."""
    return float(problem.judge(model.coef_, model.intercept_)[1] / problem.at_zero()[1])


def compare(table, problem, promise, tolerances, rounds):
    """Take turns among the solvers that get there, check their answers, add a row for each."""
    fits, models = {}, {}
    for solver, found in tolerances.items():
        if "tol" in found:
            fits[solver] = partial(keep, models, solver, problem, found["tol"])
    timings = take_turns(fits, rounds=rounds, warm=None, seconds=TURNS)
    gradients = {solver: relative_gradient(problem, model) for solver, model in models.items()}
    assert_same_optimum(problem, models, gradients)

    theirs = {solver: timing.wall for solver, timing in timings.items() if solver != "ours"}
    fastest = min(theirs, key=theirs.get, default=None)
    for solver, found in tolerances.items():
        if solver not in models:
            reached = f"{found['reached']:.0e}" if found["reached"] < math.inf else "-"
            stop = [f"not after {found['after']:.0f} s", "-", reached]
            table.add(problem.name, solver, *stop, "-", "-", "-")
            continue
        wall, n_iter = timings[solver].wall, np.max(models[solver].n_iter_)
        ratio = Ratio(wall / timings["ours"].wall, at_least=promise if solver == fastest else None)
        name = f"ours ({models[solver].solver_})" if solver == "ours" else solver
        numbers = [f"{found['tol']:.1e}", f"{n_iter}", f"{gradients[solver]:.0e}"]
        seconds = [f"{wall:.3f}", f"{timings[solver].cpu:.3f}"]
        table.add(problem.name, name, *numbers, *seconds, "-" if solver == "ours" else ratio)


def keep(models, solver, problem, tol):
    """The call that is timed; the fitted model is kept for the judge."""
    models[solver] = fit(problem, SOLVERS[solver], tol)


def assert_same_optimum(problem, models, gradients):
    """Every timed fit got there, and to the same objective: 1e-6 of the way from zero."""
    assert "ours" in models, f"MultinomialLogit did not reach the target on {problem.name}"
    late = {solver: gradient for solver, gradient in gradients.items() if gradient > GRADIENT}
    assert not late, f"{problem.name}: above the target gradient in the timed fits: {late}"
    values = {s: problem.judge(m.coef_, m.intercept_)[0] for s, m in models.items()}
    spread = max(values.values()) - min(values.values())
    assert spread <= 1e-6 * problem.at_zero()[0], f"{problem.name}: optima differ: {values}"
