"""Refits near the old optimum: the curvature that is kept, and what becomes of it."""

import copy

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from sksoftmax._solvers import linear as solving
from sksoftmax._solvers import solve_linear
from sksoftmax._solvers.curvature import Curvature, CurvatureMetric
from sksoftmax._solvers.metric import build_metric

from .cases import PROBLEMS, Case, make_case


@pytest.fixture(autouse=True)
def no_exact_newton(monkeypatch):
    """Else the small problems here form a Hessian in each step."""
    monkeypatch.setattr(solving, "pick_solver", lambda objective: "lbfgs")


def more_rows(rng, n_classes, n_more=10, **options):
    """A problem, and the same with a few more rows."""
    whole = make_case(rng, 400 + n_more, 6, n_classes, signal=2, alpha=1e-3, **options)
    return Case(whole.X[:400], whole.target[:400], n_classes, whole.options), whole


def refit(case, fit, **options):
    start = fit.coef, fit.intercept
    return solve_linear(case.objective, start=start, curvature=fit.curvature, **options)


@pytest.mark.parametrize("n_classes", [2, 5])
@pytest.mark.parametrize("kind", ["plain", "badly scaled", "everything", "no intercept"])
def test_the_variables_of_the_curvature_make_the_hessian_the_identity(rng, kind, n_classes):
    objective = PROBLEMS[kind](rng, n_classes).objective
    theta = rng.standard_normal((objective.n_outputs, objective.n_columns)) / 10
    metric = CurvatureMetric(Curvature.at(objective, theta), build_metric(objective))
    u, v = rng.standard_normal((2, *theta.shape))

    assert_allclose(metric.theta(metric.u(theta)), theta, rtol=1e-8, atol=1e-10)
    gradient = objective.loss_gradient(theta)[1]  # <gradient in u, u> = <gradient, theta(u)>
    assert_allclose(np.vdot(metric.gradient(gradient), u), np.vdot(gradient, metric.theta(u)))
    assert_allclose(
        metric.norm_in_u(metric.gradient(gradient)), metric.metric.norm(gradient), rtol=1e-8
    )
    without_shift = [objective.without_shift(metric.theta(part)) for part in (u, v)]
    u, v = (metric.u(part) for part in without_shift)
    product = objective.hessian_product(theta, without_shift[1])
    assert_allclose(np.vdot(without_shift[0], product), np.vdot(u, v), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("n_classes", [2, 3, 8])
def test_a_refit_reaches_the_optimum_in_a_few_passes(rng, n_classes):
    before, after = more_rows(rng, n_classes)
    first = refit(before, before.solve())
    assert first.curvature is not None

    fit = refit(after, first)
    best = after.solve(tol=1e-9)

    assert fit.converged
    assert fit.n_iter <= 5
    assert_allclose(fit.coef, best.coef, atol=1e-5)
    assert fit.curvature is first.curvature
    metric = build_metric(after.objective)
    assert metric.norm(after.gradient_at(fit)) <= 1e-6


def test_a_curvature_from_elsewhere_costs_iterations_and_is_dropped(rng):
    before, after = more_rows(rng, 4)
    fit = before.solve()
    curvature = refit(before, fit).curvature
    other = Curvature(curvature.factor, curvature.scale * 10.0 ** rng.uniform(-2, 2, 28), (4, 7))

    slow = solve_linear(after.objective, start=(fit.coef, fit.intercept), curvature=other)

    assert slow.converged
    assert slow.curvature is None
    assert_allclose(slow.coef, after.solve(tol=1e-9).coef, atol=1e-5)


def test_a_curvature_of_another_shape_is_formed_anew(rng):
    before, after = more_rows(rng, 3)
    fit = before.solve()
    start = fit.coef, fit.intercept
    other = Curvature(np.eye(2), np.ones(2), (1, 2))

    assert solve_linear(after.objective, start=start, curvature=other).curvature.shape == (3, 7)


def test_no_curvature_is_kept_where_it_costs_more_than_it_saves(rng, monkeypatch):
    _, after = more_rows(rng, 3)
    fit = after.solve()
    assert fit.curvature is None  # a first fit
    assert refit(Case(sparse.csr_matrix(after.X), after.target, 3), fit).curvature is None
    assert refit(after, fit, solver="lbfgs").curvature is None
    with monkeypatch.context() as patch:
        patch.setattr(solving, "MOST_KEPT_PARAMETERS", 20)
        assert refit(after, fit).curvature is None
    monkeypatch.setattr(solving, "pick_solver", lambda objective: "newton-cholesky")
    near = refit(after, fit)
    assert near.curvature is None
    assert near.solver == "newton-cholesky"


def test_max_iter_counts_the_iterations_of_a_refit(rng):
    before, after = more_rows(rng, 4)
    fit = refit(after, before.solve(), max_iter=1, tol=1e-12)

    assert fit.n_iter == 1
    assert fit.problems[0].kind == "not_converged"


def test_a_copied_model_shares_the_curvature_which_never_changes(rng):
    before, _ = more_rows(rng, 3)
    curvature = refit(before, before.solve()).curvature

    assert copy.deepcopy(curvature) is curvature
