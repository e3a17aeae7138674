"""OneVsRestLogit beside OneVsRestClassifier(LogisticRegression()), to the same gradient."""

import warnings
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.special import expit, log_expit
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from benchmarks.fit import BUDGET, ENDLESS, GRADIENT, find_tolerance, relative_gradient
from benchmarks.harness import take_turns
from benchmarks.problems import Problem, correlated
from benchmarks.report import Ratio, Table
from sksoftmax import OneVsRestLogit

TITLE = "One-vs-rest"
THREADS = (1,)
PROMISE = 3
WHAT = """K binary logits with C = 1, standardised AR(0.5) columns, labels drawn from a softmax,
until max|gradient| of the mean penalised objectives, over all classes and columns and with the
intercepts, is at most 1e-6 of its value at zero (judged with NumPy and SciPy alone). Each tool
first gets the loosest `tol` (to a quarter of a decade) that reaches this; the search is not timed.
All end at the same optimum. The promise is about `OneVsRestClassifier(LogisticRegression())`; with
`newton-cholesky` scikit-learn is another tool."""
SIZES = {  # n_samples, n_features, n_classes
    "full": [(50_000, 50, 10), (50_000, 50, 100)],
    "quick": [(5_000, 50, 10), (5_000, 50, 30)],
    "tiny": [(300, 5, 3)],
}
ROUNDS = {"full": 3, "quick": 3, "tiny": 1}


@dataclass(frozen=True)
class OneVsRestProblem(Problem):
    """For each class: minimise the mean binary cross-entropy plus ridge, alpha = 1 / n_samples."""

    def judge(self, coef, intercept):
        """(summed value, largest |gradient| over the classes), as for a softmax problem."""
        n_samples = len(self.y)
        alpha, scores = 1.0 / n_samples, self.X @ coef.T + intercept
        own = self.y[:, None] == np.arange(len(coef))
        value = -log_expit(np.where(own, scores, -scores)).sum() / n_samples
        value += alpha / 2 * np.sum(coef**2)
        residual = (expit(scores) - own) / n_samples
        gradient = residual.T @ self.X + alpha * coef
        return value, max(np.abs(gradient).max(), np.abs(residual.sum(axis=0)).max())


class Separate(OneVsRestClassifier):
    """scikit-learn's fits, with their coefficients side by side."""

    def __init__(self, tol=1e-4, solver="lbfgs"):
        self.tol, self.solver = tol, solver
        super().__init__(LogisticRegression(tol=tol, solver=solver, max_iter=ENDLESS))

    @property
    def coef_(self):
        return np.vstack([fit.coef_ for fit in self.estimators_])

    @property
    def intercept_(self):
        return np.hstack([fit.intercept_ for fit in self.estimators_])

    @property
    def n_iter_(self):
        return np.hstack([fit.n_iter_ for fit in self.estimators_])


TOOLS = {
    "ours": partial(OneVsRestLogit, max_iter=ENDLESS),
    "LogisticRegression()": Separate,
    "newton-cholesky": partial(Separate, solver="newton-cholesky"),
}


def run(setting):
    """For each size: find the tolerances, take turns, judge the answers, compare."""
    table = Table(["n", "d", "K", "tool", "tol", "iterations", "gradient", "CPU s", "CPU / ours"])
    for n_samples, n_features, n_classes in SIZES[setting.size]:
        softmax = correlated(n_samples, n_features, n_classes)
        problem = OneVsRestProblem(softmax.name, softmax.X, softmax.y)
        tolerances = {
            tool: find_tolerance(problem, new, BUDGET[setting.size])["tol"]
            for tool, new in TOOLS.items()
        }
        models = {}
        calls = {
            tool: partial(keep, models, tool, problem, tol) for tool, tol in tolerances.items()
        }
        timings = take_turns(calls, rounds=ROUNDS[setting.size], warm=None)
        assert_same_optimum(problem, models)
        for tool, model in models.items():
            ratio = Ratio(
                timings[tool].cpu / timings["ours"].cpu,
                at_least=PROMISE if tool == "LogisticRegression()" else None,
            )
            name = f"ours ({model.solver_})" if tool == "ours" else tool
            gradient = f"{relative_gradient(problem, model):.0e}"
            numbers = [f"{tolerances[tool]:.1e}", f"{model.n_iter_.mean():.1f}", gradient]
            size = [f"{n_samples:,}", f"{n_features}", f"{n_classes}"]
            shown = "-" if tool == "ours" else ratio
            table.add(*size, name, *numbers, f"{timings[tool].cpu:.3f}", shown)
    return table


def keep(models, tool, problem, tol):
    """The call that is timed; the fitted model is kept for the judge."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        models[tool] = TOOLS[tool](tol=tol).fit(problem.X, problem.y)


def assert_same_optimum(problem, models):
    """Every timed fit got there, with the same coefficients to what the gradient leaves open."""
    for tool, model in models.items():
        assert relative_gradient(problem, model) <= GRADIENT, tool
        np.testing.assert_allclose(model.coef_, models["ours"].coef_, atol=1e-3, err_msg=tool)
