"""Every solver reaches the optimum that SciPy finds, whatever the problem is like."""

from functools import cache

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sksoftmax._solvers import linear as linear_solvers

from .cases import PROBLEMS, SOLVERS, Case, independent_optimum, make_case

CLASSES = [2, 3, 5]


@cache
def problem(kind: str, n_classes: int) -> tuple[Case, tuple]:
    case = PROBLEMS[kind](np.random.default_rng([7, n_classes]), n_classes)
    return case, independent_optimum(case)


def scores(case, coef, intercept):
    return np.asarray(case.X @ coef.T) + intercept


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("n_classes", CLASSES)
@pytest.mark.parametrize("kind", PROBLEMS)
def test_every_solver_reaches_the_optimum(kind, n_classes, solver):
    case, (coef, intercept, value) = problem(kind, n_classes)
    fit = case.solve(solver, tol=1e-9)
    assert fit.problems == []
    assert fit.converged
    # float32: the gradient is exact to about 1e-6, and curvature is what turns it into logits.
    logits_atol, value_atol = (1e-3, 1e-7) if kind == "float32" else (2e-6, 1e-12)
    assert_allclose(
        scores(case, fit.coef, fit.intercept), scores(case, coef, intercept), atol=logits_atol
    )
    assert fit.value <= value + value_atol
    size = np.abs(coef).max(axis=0)
    assert (np.abs(fit.coef - coef) <= 10 * logits_atol * size + logits_atol).all()
    # where shifts are free, both are of mean zero over the classes
    if "logit_l2" not in case.options:
        assert_allclose(fit.intercept, intercept, rtol=1e-4, atol=20 * logits_atol)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("n_classes", CLASSES)
@pytest.mark.parametrize("kind", PROBLEMS)
def test_the_default_tolerance_is_a_millionth_of_a_nat_or_better(kind, n_classes, solver):
    case, (_, _, value) = problem(kind, n_classes)
    fit = case.solve(solver)
    assert fit.problems == []
    assert fit.value - value < (1e-7 if kind == "float32" else 1e-9)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("kind", ["plain", "everything", "sparse", "float32", "no intercept"])
def test_what_is_returned_has_one_shape_and_dtype(kind, solver):
    for n_classes, n_outputs in [(2, 1), (3, 3)]:
        case, _ = problem(kind, n_classes)
        fit = case.solve(solver)
        assert fit.coef.shape == (n_outputs, case.X.shape[1])
        assert fit.intercept.shape == (n_outputs,)
        assert fit.coef.dtype == fit.intercept.dtype == np.float64
        assert isinstance(fit.value, float)
        assert fit.n_iter >= 1
        assert fit.solver == solver or solver == "auto"
        assert fit.solver in SOLVERS[1:]
        objective = case.objective
        value, _ = objective.loss_gradient(objective.pack(fit.coef, fit.intercept))
        assert_allclose(fit.value, value, rtol=1e-6 if kind == "float32" else 1e-12)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("alpha", [0.0, 1e-3])
def test_coefficients_sum_to_zero_over_three_or_more_classes(rng, solver, alpha):
    for n_classes in (3, 5):
        fit = make_case(rng, 300, 4, n_classes, alpha=alpha).solve(solver)
        assert_allclose(fit.coef.sum(axis=0), 0, atol=1e-14)
        assert_allclose(fit.intercept.sum(), 0, atol=1e-13)


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_intercept_alone_gives_the_shares_of_the_classes(rng, solver):
    target = rng.choice(4, p=[0.1, 0.2, 0.3, 0.4], size=500)
    case = Case(np.zeros((500, 1)), target, 4, {"alpha": 1.0})
    fit = case.solve(solver, tol=1e-10)
    shares = np.bincount(target) / 500
    assert_allclose(np.exp(fit.intercept) / np.exp(fit.intercept).sum(), shares, rtol=1e-7)
    assert_allclose(fit.coef, 0, atol=1e-12)


@pytest.mark.parametrize("solver", SOLVERS)
def test_one_row_and_one_column_are_enough(solver):
    for n_classes in (2, 3):
        fit = Case(np.ones((1, 1)), np.array([1]), n_classes, {"alpha": 0.5}).solve(solver)
        assert np.isfinite(fit.coef).all()
        assert fit.value < 1e-5


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_number_of_threads_does_not_change_a_bit(rng, solver):
    case = make_case(rng, 20_000, 20, 5, alpha=1e-4)
    one, two = (case.with_options(n_threads=n).solve(solver) for n in (1, 2))
    assert one.coef.tobytes() == two.coef.tobytes()
    assert one.n_iter == two.n_iter


# --- which solver auto picks ---


def test_auto_picks_newton_for_few_parameters_and_lbfgs_for_sparse_or_many(rng):
    few = make_case(rng, 1000, 5, 3, alpha=1e-3)
    assert few.solve().solver == "newton-cholesky"
    case, _ = problem("sparse", 3)
    assert case.solve().solver == "lbfgs"
    many = make_case(rng, 200, 60, 20, alpha=1e-1)
    assert linear_solvers.pick_solver(many.objective) == "lbfgs"


def test_auto_hands_over_when_lbfgs_takes_long(rng, monkeypatch):
    """The count of iterations goes on, and so does the progress."""
    monkeypatch.setattr(linear_solvers, "_PATIENCE", 3)
    monkeypatch.setattr(linear_solvers, "pick_solver", lambda objective: "lbfgs")
    case, (coef, *_) = problem("plain", 3)
    seen = []
    fit = case.solve(tol=1e-9, progress=lambda *report: seen.append(report))
    assert fit.solver == "newton-cg"
    assert fit.problems == []
    assert_allclose(fit.coef, coef, atol=1e-6)
    assert [n for n, *_ in seen] == list(range(1, fit.n_iter + 1))
    assert case.solve("lbfgs", tol=1e-9).solver == "lbfgs"
    # what was spent counts
    fit = case.solve(tol=1e-12, max_iter=4)
    assert fit.n_iter == 4
    assert [each.kind for each in fit.problems] == ["not_converged"]


# --- scale ---


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("n_classes", CLASSES)
@pytest.mark.parametrize("seed", range(3))
def test_stopping_does_not_depend_on_the_scales_of_the_columns(n_classes, solver, seed):
    rng = np.random.default_rng(seed)
    case = make_case(rng, 300, 8, n_classes)
    fit = case.solve(solver)
    for span in (1, 3, 6):
        scale = 10.0 ** rng.uniform(-span, span, 8)
        scaled = case.scaled(scale).solve(solver)
        assert scaled.problems == []
        assert abs(scaled.n_iter - fit.n_iter) <= 1
        assert_allclose(scaled.coef * scale, fit.coef, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("solver", ["auto", "lbfgs"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("alpha", [0.0, 1e-6, 1e-3])
def test_badly_scaled_columns_cost_no_iterations(n_classes, solver, alpha, dtype):
    """With a ridge the problem is another one after scaling; its conditioning is not."""
    rng = np.random.default_rng(n_classes)
    case = make_case(rng, 400, 10, n_classes, alpha=alpha)
    well = case.solve(solver).n_iter
    for _ in range(3):
        X = (case.X * 10.0 ** rng.uniform(-3, 3, 10)).astype(dtype)
        fit = Case(X, case.target, n_classes, case.options).solve(solver)
        assert fit.problems == []
        assert fit.n_iter <= well + 6


@pytest.mark.parametrize("solver", SOLVERS)
def test_neither_the_units_nor_the_origin_of_columns_matter(rng, solver):
    case = make_case(rng, 300, 4, 3)
    fit = case.solve(solver, tol=1e-9)
    moved = Case(case.X + np.array([0.0, 10.0, -1e3, 1e6]), case.target, 3).solve(solver, tol=1e-9)
    assert moved.problems == []
    assert abs(moved.n_iter - fit.n_iter) <= 1
    assert_allclose(moved.coef, fit.coef, atol=1e-6)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_tolerance_below_rounding_ends_at_rounding(rng, solver):
    """No step improves any more, and what is left of the gradient is noise: that is convergence."""
    case = make_case(rng, 300, 4, 3, alpha=1e-2)
    for dtype in (np.float32, np.float64):
        fit = Case(case.X.astype(dtype), case.target, 3, case.options).solve(solver, tol=1e-30)
        assert fit.problems == []
        assert fit.n_iter < 100
