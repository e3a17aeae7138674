"""On the way to the optimum: where solvers start, what they tell, and when they give up."""

import threading

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from threadpoolctl import threadpool_info, threadpool_limits

from sksoftmax._solvers import solve_linear
from sksoftmax._solvers.metric import build_metric

from .cases import PROBLEMS, SOLVERS, Case, make_case


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("kind", ["plain", "badly scaled", "everything", "sparse", "no intercept"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_start_at_the_optimum_stays_there(rng, kind, n_classes, solver):
    case = PROBLEMS[kind](rng, n_classes)
    best = case.solve(solver, tol=1e-8)
    fit = case.solve(solver, start=(best.coef, best.intercept))
    assert fit.n_iter == 1  # none, and at least one is reported
    assert fit.problems == []
    assert_allclose(fit.coef, best.coef, rtol=1e-9, atol=1e-12)
    assert_allclose(fit.intercept, best.intercept, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_start_near_the_optimum_saves_iterations(rng, solver):
    case = make_case(rng, 500, 8, 4, signal=3, alpha=1e-3)
    cold = case.solve(solver)
    near = case.with_options(alpha=1.01e-3).solve(solver, start=(cold.coef, cold.intercept))
    assert near.n_iter < cold.n_iter


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("alpha", [0.0, 1e-6, 1e-2])
def test_a_common_shift_of_the_start_does_not_matter(rng, solver, alpha):
    case = make_case(rng, 300, 4, 3, alpha=alpha)
    best = case.solve(solver, tol=1e-8)
    start = best.coef + rng.standard_normal(4), best.intercept + 3.0
    fit = case.solve(solver, start=start)
    assert fit.problems == []
    assert fit.n_iter <= 2
    assert_allclose(fit.coef, best.coef, atol=1e-6)
    assert_allclose(fit.value, best.value, rtol=1e-9)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("far", [1.0, 30.0, 1e4])
def test_a_start_far_away_leads_to_the_same_optimum(rng, solver, far):
    for n_classes, n_outputs in [(2, 1), (3, 3)]:
        case = make_case(rng, 300, 4, n_classes, alpha=1e-3)
        best = case.solve(solver, tol=1e-8)
        start = (far * rng.standard_normal((n_outputs, 4)), far * rng.standard_normal(n_outputs))
        fit = case.solve(solver, start=start)
        assert fit.problems == []
        assert_allclose(fit.coef, best.coef, atol=1e-4)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_start_is_not_written_to(rng, solver):
    case = make_case(rng, 100, 4, 3, alpha=1e-3)
    start = (np.ones((3, 4)), np.ones(3))  # a common shift of the classes, too
    for array in start:
        array.setflags(write=False)
    assert case.solve(solver, start=start).converged


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("kind", ["plain", "imbalanced", "wide", "everything"])
def test_progress_is_told_once_per_iteration(rng, kind, solver):
    case = PROBLEMS[kind](rng, 3)
    seen = []
    fit = case.solve(solver, progress=lambda *report: seen.append(report))
    counts, values, norms = zip(*seen, strict=True)
    assert list(counts) == list(range(1, fit.n_iter + 1))
    assert (np.diff(values) <= 1e-12).all()
    assert_allclose(values[-1], fit.value, rtol=1e-9)
    assert norms[-1] <= 1e-6
    assert all(norm > 1e-6 for norm in norms[:-1])
    # listening changes nothing
    assert case.solve(solver).coef.tobytes() == fit.coef.tobytes()


@pytest.mark.parametrize("solver", SOLVERS)
def test_progress_is_told_even_when_nothing_is_left_to_do(rng, solver):
    case = make_case(rng, 300, 4, 3, alpha=1e-3)
    best = case.solve(solver, tol=1e-8)
    seen = []
    case.solve(
        solver, start=(best.coef, best.intercept), progress=lambda *report: seen.append(report)
    )
    assert [n for n, *_ in seen] == [1]


@pytest.mark.parametrize("solver", SOLVERS)
def test_what_progress_raises_ends_the_fit(rng, solver):
    def stop(n_iter, value, norm):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_case(rng, 300, 4, 3, alpha=1e-3).solve(solver, progress=stop)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("max_iter", [1, 2])
def test_too_few_iterations_are_reported(rng, solver, max_iter):
    case = make_case(rng, 300, 6, 3, signal=4, alpha=1e-4)
    seen = []
    fit = case.solve(solver, max_iter=max_iter, progress=lambda *report: seen.append(report))
    assert [problem.kind for problem in fit.problems] == ["not_converged"]
    assert not fit.converged
    assert fit.n_iter == max_iter == len(seen)
    message = fit.problems[0].message
    assert f"max_iter={max_iter}" in message
    assert ("solver='auto'" in message) == (solver != "auto")
    assert fit.problems[0].columns is None
    # but what was reached is returned
    assert fit.value < case.solve(solver, max_iter=1, tol=100.0).value + 1e-12


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_gradient_at_the_end_is_below_the_tolerance(rng, solver):
    for tol in (1e-3, 1e-6, 1e-9):
        case = make_case(rng, 300, 6, 3, alpha=1e-4)
        fit = case.solve(solver, tol=tol)
        norm = build_metric(case.objective).norm(case.gradient_at(fit))
        assert fit.converged
        assert norm <= 1.5 * tol


def test_an_objective_is_as_it_was_after_a_fit(rng):
    case = make_case(rng, 300, 4, 3, alpha=1e-3)
    objective = case.objective
    first = solve_linear(objective)
    again = solve_linear(objective)
    assert first.coef.tobytes() == again.coef.tobytes()
    assert first.n_iter == again.n_iter


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("size", [1e150, 1e160])
def test_columns_whose_products_overflow_are_an_error_or_an_answer(rng, solver, size):
    """And no warning from NumPy: the estimator says what is wrong with coefficients of NaN."""
    case = make_case(rng, 100, 3, 3, alpha=1e-3).scaled(np.array([1.0, size, 1.0]))
    try:
        fit = case.solve(solver)
    except ValueError as error:
        assert "X" in str(error)
    else:
        assert fit.coef.shape == (3, 3)


def test_newton_refuses_a_hessian_that_does_not_fit(rng):
    rows, columns = np.arange(50), 200 * np.arange(50)
    X = sparse.csr_matrix((rng.standard_normal(50), (rows, columns)), (50, 10_000))
    case = Case(X, np.arange(50) % 3, 3, {"alpha": 1.0})
    with pytest.raises(ValueError, match=r"newton-cholesky.*30003 x 30003.*Use solver='auto'"):
        case.solve("newton-cholesky")


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_start_that_is_worse_than_zero_is_not_taken(rng, solver):
    case = make_case(rng, 300, 4, 3)
    optimum = case.solve(solver)
    start = (1e12 * optimum.coef, 1e12 * optimum.intercept)
    again = case.solve(solver, start=start)
    assert again.problems == []
    assert again.value == pytest.approx(optimum.value, rel=1e-9)


def test_fits_in_several_threads_leave_the_blas_as_they_found_it(rng):
    case = make_case(rng, 2000, 20, 4)
    with threadpool_limits(2, user_api="blas"):
        workers = [threading.Thread(target=case.solve, args=("newton-cholesky",)) for _ in range(6)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        limits = {info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"}
    assert limits == {2}
