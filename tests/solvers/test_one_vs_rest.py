"""Binary logits fitted in lock step: the optimum of each, and what is wrong with which class."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from sksoftmax._objective import LinearObjective, OneVsRestObjective
from sksoftmax._solvers import lockstep, solve_linear, solve_one_vs_rest

from .cases import SOLVERS, draw_labels

OPTIONS = {
    "ridge": {"alpha": 1e-3},
    "weak ridge": {"alpha": 1e-7},
    "no penalty": {},
    "smoothed": {"label_smoothing": 0.1},
    "logit_l2": {"logit_l2": 0.05},
    "no intercept": {"fit_intercept": False, "alpha": 1e-2},
}


def make_problem(rng, n_samples=400, n_features=5, n_classes=4, *, scale=1.0, signal=1.0):
    X = rng.standard_normal((n_samples, n_features)) * scale + 1
    coef = signal * rng.standard_normal((n_features, n_classes)) / (np.sqrt(n_features) * scale)
    return X, draw_labels(rng, X @ coef if np.ndim(scale) == 0 else (X * (1 / scale)) @ coef)


def objective_of(X, target, n_classes=4, **options):
    return OneVsRestObjective(X, target, n_classes=n_classes, n_threads=1, **options)


def binary(X, own, **options):
    return LinearObjective(X, own.astype(np.int64), n_classes=2, n_threads=1, **options)


def gradient_at(objective, fit):
    return objective.loss_gradient(objective.pack(fit.coef, fit.intercept))[1]


@pytest.mark.parametrize("storage", ["dense", "sparse"])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("options", OPTIONS)
def test_every_class_gets_the_optimum_of_its_own_binary_logit(rng, options, solver, storage):
    X, y = make_problem(rng)
    options = OPTIONS[options]
    objective = objective_of(X if storage == "dense" else sparse.csr_matrix(X), y, **options)
    fit = solve_one_vs_rest(objective, solver=solver, tol=1e-9)
    assert fit.problems == []
    assert fit.converged.all()
    assert np.abs(gradient_at(objective, fit)).max() < 1e-7
    for k in range(4):
        alone = solve_linear(binary(X, y == k, **options), tol=1e-9)
        assert_allclose(fit.coef[k], alone.coef[0], rtol=1e-6, atol=1e-7)
        assert_allclose(fit.intercept[k], alone.intercept[0], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("solver", ["auto", "lbfgs"])
def test_the_scales_of_the_columns_do_not_matter(rng, solver):
    X, y = make_problem(rng, n_features=8)
    scale = 10.0 ** rng.uniform(-4, 4, 8)
    plain = solve_one_vs_rest(objective_of(X, y), solver=solver, tol=1e-9)
    scaled = solve_one_vs_rest(objective_of(X * scale, y), solver=solver, tol=1e-9)
    assert_allclose(scaled.coef * scale, plain.coef, rtol=1e-6, atol=1e-8)
    assert np.abs(scaled.n_iter - plain.n_iter).max() <= 1


def test_a_class_that_has_converged_is_not_evaluated_again(rng, monkeypatch):
    """An easy class and a hard one: passes are counted per class."""
    X, _ = make_problem(rng, n_samples=300)
    easy = rng.random(300) < 0.5
    hard = X[:, 0] + 0.1 * rng.standard_normal(300) > 1
    target = np.column_stack([easy, hard]).astype(float)
    seen = []
    loss_gradient = OneVsRestObjective.loss_gradient

    def count(self, theta):
        seen.append(self.rows.outputs.tolist())
        return loss_gradient(self, theta)

    monkeypatch.setattr(OneVsRestObjective, "loss_gradient", count)
    fit = solve_one_vs_rest(objective_of(X, target, 2, alpha=1e-6), solver="lbfgs", tol=1e-8)
    assert fit.n_iter[0] < fit.n_iter[1]
    assert seen[0] == [0, 1]
    assert seen[-1] == [1]
    assert [0] not in seen


def test_nearly_separable_classes_go_on_with_newton_and_the_others_do_not(rng):
    X, _ = make_problem(rng, n_samples=500, n_features=30)
    hard = X @ rng.standard_normal(30) + 0.5 * rng.standard_normal(500) > 3
    target = np.column_stack([rng.random(500) < 0.5, hard]).astype(float)
    fit = solve_one_vs_rest(objective_of(X, target, 2, alpha=1e-10), tol=1e-10)
    assert fit.solver == "lbfgs, newton-cholesky"
    assert fit.converged.all()


def test_rounds_are_told_with_values_of_all_classes(rng):
    X, y = make_problem(rng)
    told = []
    fit = solve_one_vs_rest(objective_of(X, y), progress=lambda *what: told.append(what))
    assert [n_iter for n_iter, _, _ in told] == list(range(1, fit.n_iter.max() + 1))
    assert_allclose(told[-1][1], fit.value, rtol=1e-9)
    assert told[-1][2] <= 1e-6


def test_a_start_is_used_class_by_class_where_it_is_lower(rng):
    X, y = make_problem(rng)
    objective = objective_of(X, y)
    first = solve_one_vs_rest(objective)
    start = first.coef.copy(), first.intercept.copy()
    start[0][2] *= -50
    again = solve_one_vs_rest(objective, start=start)
    assert_array_equal(again.n_iter[[0, 1, 3]], 1)
    assert again.n_iter[2] > 2
    assert_allclose(again.coef, first.coef, rtol=1e-5, atol=1e-6)


# --- what is wrong, and with which class ---


@pytest.mark.parametrize("solver", SOLVERS)
def test_separated_classes_are_named_and_the_others_are_estimated(rng, solver):
    X, y = make_problem(rng, n_classes=3)
    X[:, 2] = np.where(y == 1, 2.0, 1.0) + 0.1 * rng.random(len(X))
    fit = solve_one_vs_rest(objective_of(X, y, 3), solver=solver)
    assert [(p.kind, p.classes) for p in fit.problems] == [("separation", (1,))]
    alone = solve_linear(binary(X, y == 0), tol=1e-8)
    assert_allclose(fit.coef[0], alone.coef[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("solver", SOLVERS)
def test_separation_by_a_column_that_some_rows_share_is_found(rng, solver):
    """Quasi-separation: rows at zero of the column are of either kind."""
    X, y = make_problem(rng, n_classes=3)
    X[:, 4] = (y == 2) * (rng.random(len(X)) < 0.3)
    fit = solve_one_vs_rest(objective_of(X, y, 3), solver=solver)
    assert fit.problems[0].kind == "separation"
    assert 2 in fit.problems[0].classes


def test_a_penalty_forbids_separation(rng):
    X, y = make_problem(rng, n_classes=3)
    X[:, 2] = y == 1
    assert solve_one_vs_rest(objective_of(X, y, 3, alpha=1e-6)).problems == []
    assert solve_one_vs_rest(objective_of(X, y, 3, label_smoothing=0.05)).problems == []


def test_classes_that_no_row_or_every_row_has_are_named(rng):
    X, y = make_problem(rng)
    target = np.column_stack([np.ones(400), y == 1, np.zeros(400)]).astype(float)
    fit = solve_one_vs_rest(objective_of(X, target, 3, alpha=1e-2))
    assert [(p.kind, p.classes) for p in fit.problems] == [("separation", (0, 2))]
    assert np.isfinite(fit.coef).all()
    assert fit.intercept[0] > 8
    assert fit.intercept[2] < -8
    smoothed = objective_of(X, target, 3, alpha=1e-2, label_smoothing=0.1)
    assert solve_one_vs_rest(smoothed).problems == []


def test_dependent_columns_get_the_smallest_norm(rng):
    X, y = make_problem(rng)
    X = np.column_stack([X, X[:, 0] + X[:, 1]])
    fit = solve_one_vs_rest(objective_of(X, y), tol=1e-9)
    assert fit.problems[-1].kind == "rank"
    assert_allclose(fit.coef @ [1, 1, 0, 0, 0, -1], 0, atol=1e-9)
    alone = solve_linear(binary(X, y == 3), tol=1e-9)
    assert_allclose(fit.coef[3], alone.coef[0], rtol=1e-6, atol=1e-7)


def test_too_few_iterations_name_the_classes(rng):
    X, y = make_problem(rng)
    fit = solve_one_vs_rest(objective_of(X, y), solver="lbfgs", max_iter=2)
    assert [(p.kind, p.classes) for p in fit.problems] == [("not_converged", (0, 1, 2, 3))]
    assert not fit.converged.any()


# --- lock step ---


class Quadratics:
    """f_k = (theta_k - c_k)^2, as the driver sees it; it notes who asks for what."""

    def __init__(self, centers, outputs=None, asked=None):
        self.centers = np.asarray(centers, dtype=float)
        self.outputs = list(range(len(centers))) if outputs is None else outputs
        self.asked = [] if asked is None else asked

    def of(self, outputs):
        return Quadratics(self.centers, outputs, self.asked)

    def loss_gradient(self, theta):
        self.asked.append(self.outputs)
        distance = theta[:, 0] - self.centers[self.outputs]
        return distance**2, 2 * distance[:, None]


def descend(n_steps):
    theta = np.zeros((1, 1))
    for _ in range(n_steps):
        _, gradient = yield "loss_gradient", theta
        theta = theta - gradient / 2
    return float(theta[0, 0])


def test_in_lockstep_each_asks_until_it_is_done():
    functions = Quadratics([3.0, 5.0, 7.0])
    found = lockstep.in_lockstep([descend(1), descend(3), descend(0)], functions)
    assert found == [3.0, 5.0, 0.0]
    assert functions.asked == [[0, 1], [1], [1]]
