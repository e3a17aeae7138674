"""The change of variables, and the directions of Newton's method."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from sksoftmax._solvers import metric as metrics
from sksoftmax._solvers.metric import build_metric, inverse_factors
from sksoftmax._solvers.newton import ExactDirection, TruncatedDirection
from sksoftmax._solvers.protocol import Point

from .cases import PROBLEMS, SOLVERS, Case, make_case


def point_of(objective, theta):
    return Point(theta, *objective.loss_gradient(theta))


@pytest.fixture(params=["whitened", "one factor for all classes", "diagonal"])
def kind_of_metric(request, monkeypatch):
    """What is built for problems of moderate size, many classes, and many columns."""
    if request.param == "diagonal":
        monkeypatch.setattr(metrics, "MOST_WHITENED_COLUMNS", 2)
    elif request.param.startswith("one"):
        monkeypatch.setattr(metrics, "MOST_FACTOR_ENTRIES", 10)
    return request.param


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("storage", ["dense", "sparse"])
def test_the_norm_of_a_gradient_does_not_depend_on_the_scales(
    rng, kind_of_metric, n_classes, storage
):
    """The gradient by a column in other units is in other units; the norm is not."""
    case = make_case(rng, 200, 5, n_classes)
    scale = 10.0 ** rng.uniform(-6, 6, 5)
    norms = []
    for units in (np.ones(5), scale):
        scaled = case.scaled(units)
        if storage == "sparse":
            scaled = replace(scaled, X=sparse.csr_matrix(scaled.X))
        objective = scaled.objective
        theta = objective.zeros()
        theta[:, :5] += np.arange(theta[:, :5].size).reshape(-1, 5) / 10 / units
        norms.append(build_metric(objective).norm(objective.loss_gradient(theta)[1]))
    assert_allclose(*norms, rtol=1e-9)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_the_variables_are_what_they_are_said_to_be(rng, kind_of_metric, n_classes, alpha):
    case = PROBLEMS["badly scaled"](rng, n_classes).with_options(alpha=alpha)
    objective = case.objective
    metric = build_metric(objective)
    theta = rng.standard_normal((objective.n_outputs, objective.n_columns))
    assert_allclose(metric.theta(metric.u(theta)), theta, rtol=1e-9)
    # <gradient in u, u> = <gradient, theta(u)>
    u, gradient = rng.standard_normal(theta.shape), rng.standard_normal(theta.shape)
    assert_allclose(
        np.vdot(metric.gradient(gradient), u), np.vdot(gradient, metric.theta(u)), rtol=1e-9
    )
    assert metric.transform.ndim == (2 if kind_of_metric == "diagonal" else 3)


@pytest.mark.parametrize("alpha", [0.0, 1e-3, 10.0])
def test_curvature_in_the_metric_is_near_one_at_equal_shares(rng, alpha):
    """At zero coefficients and equal shares the Hessian's class blocks are what is factored."""
    case = make_case(rng, 400, 5, 4, alpha=alpha).scaled(10.0 ** np.arange(-2.0, 3.0))
    target = np.arange(400) % 4
    objective = replace(case, target=target).objective
    metric = build_metric(objective)
    blocks = objective.class_curvature(objective.zeros())
    T = metric.transform
    whitened = np.swapaxes(T, 1, 2) @ blocks @ T
    assert_allclose(whitened, np.broadcast_to(np.eye(6), whitened.shape), atol=1e-6)


def test_all_metrics_lead_to_the_same_optimum(rng, kind_of_metric):
    for kind in ("plain", "imbalanced", "everything", "large means"):
        case = PROBLEMS[kind](rng, 3)
        expected = case.solve("newton-cholesky", tol=1e-9)
        for solver in SOLVERS:
            fit = case.solve(solver, tol=1e-7)
            assert fit.problems == []
            assert_allclose(fit.coef, expected.coef, atol=2e-5)


def test_inverse_factors_invert(rng):
    A = rng.standard_normal((3, 6, 20)) * 10.0 ** np.arange(-3.0, 3.0)[:, None]
    blocks = A @ np.swapaxes(A, 1, 2)
    T = inverse_factors(blocks)
    whitened = np.swapaxes(T, 1, 2) @ blocks @ T
    assert_allclose(whitened, np.broadcast_to(np.eye(6), whitened.shape), atol=1e-7)


@pytest.mark.parametrize("rank", [0, 1, 3])
def test_inverse_factors_of_deficient_blocks_are_finite(rng, rank):
    A = rng.standard_normal((2, 5, rank))
    T = inverse_factors(A @ np.swapaxes(A, 1, 2))
    assert np.isfinite(T).all()
    assert (np.abs(np.linalg.det(T)) > 0).all()


def test_products_of_columns_that_overflow_are_an_error_that_says_so(rng):
    for X, dtype in [(1e160, np.float64), (1e30, np.float32)]:
        case = make_case(rng, 50, 2, 3, alpha=1e-3).scaled(np.array([X, 1.0]))
        objective = replace(case, X=case.X.astype(dtype)).objective
        with pytest.raises(ValueError, match=r"X: products of its columns overflow"):
            build_metric(objective)


# --- directions ---


@pytest.mark.parametrize("kind", PROBLEMS)
@pytest.mark.parametrize("n_classes", [2, 4])
def test_the_exact_direction_solves_newtons_equation(rng, kind, n_classes):
    case = PROBLEMS[kind](rng, n_classes)
    objective = case.objective
    theta = 0.1 * rng.standard_normal(objective.zeros().shape)
    if kind == "badly scaled":
        theta[:, :-1] /= np.sqrt(objective.variances()[:-1])
    theta = objective.without_shift(theta)
    point = point_of(objective, theta)
    direction = ExactDirection(objective)(point)
    product = objective.hessian_product(theta, direction)
    atol = (1e-4 if kind == "float32" else 1e-8) * np.abs(point.gradient).max(axis=0)
    assert (np.abs(product + point.gradient) <= atol).all()
    assert np.vdot(direction, point.gradient) < 0


@pytest.mark.parametrize("kind", PROBLEMS)
@pytest.mark.parametrize("n_classes", [2, 4])
def test_the_truncated_direction_comes_as_close_as_it_promises(rng, kind, n_classes):
    """First to a quarter, in the norm of its preconditioner; and it descends."""
    case = PROBLEMS[kind](rng, n_classes)
    objective = case.objective
    point = point_of(objective, objective.zeros())
    direction = TruncatedDirection(objective, build_metric(objective))(point)
    assert np.vdot(direction, point.gradient) < 0
    exact = ExactDirection(objective)(point)
    error = direction - exact
    # in the norm of the Hessian, whose square is what the quadratic model loses
    lost = np.vdot(error, objective.hessian_product(point.theta, error))
    whole = np.vdot(exact, objective.hessian_product(point.theta, exact))
    assert lost <= 0.3 * whole


@pytest.mark.parametrize("n_classes", [3, 5])
def test_no_direction_has_a_part_along_the_free_shift(rng, n_classes):
    objective = make_case(rng, 200, 4, n_classes, alpha=1e-3).objective
    point = point_of(objective, objective.zeros())
    for direction in (
        ExactDirection(objective)(point),
        TruncatedDirection(objective, build_metric(objective))(point),
    ):
        assert_allclose(direction.sum(axis=0), 0, atol=1e-12)


def test_more_parameters_than_rows_still_have_a_direction(rng):
    case = Case(rng.standard_normal((5, 20)), np.array([0, 1, 2, 0, 1]), 3)
    objective = case.objective
    point = point_of(objective, objective.zeros())
    direction = ExactDirection(objective)(point)
    assert np.isfinite(direction).all()
    assert np.vdot(direction, point.gradient) < 0
