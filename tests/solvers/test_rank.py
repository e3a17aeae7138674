"""Dependent columns without a penalty: the solution of smallest norm, and their names."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from .cases import SOLVERS, Case, make_case

N = 300
EXTRA = {
    "a sum": lambda X: X[:, :1] - 2 * X[:, 1:2],
    "a copy in other units": lambda X: 1000 * X[:, 2:3] + 1,
    "zeros": lambda X: np.zeros((N, 1)),
    "ones": lambda X: np.ones((N, 1)),
    "a constant that is rounded": lambda X: np.full((N, 1), 3.7),
    "a large constant": lambda X: np.full((N, 1), 1e6 + 0.1),
    "a small constant": lambda X: np.full((N, 1), 3e-9),
    "several": lambda X: np.hstack(
        [X[:, :2] @ [[1.0], [3.0]], 1e-3 * (X[:, 2:3] - 5), np.full((N, 1), 0.1), X[:, 3:]]
    ),
}
FORMS = ["float64", "float32", "sparse", "sparse float32"]


def with_extra_columns(case, extra, form):
    """The case with more columns, and those columns in float64."""
    X = np.hstack([case.X, EXTRA[extra](case.X)])
    X = X.astype(np.float32 if "float32" in form else np.float64)
    stored = sparse.csr_matrix(X) if "sparse" in form else X
    return Case(stored, case.target, case.n_classes, case.options), X.astype(float)


def rank_of(X):
    centred = X - X.mean(axis=0)
    spread = np.sqrt((centred**2).mean(axis=0))
    constant = spread < 1e-6 * np.abs(X).max(axis=0, initial=0.0)
    constant |= spread == 0
    return np.linalg.matrix_rank(centred[:, ~constant] / spread[~constant], tol=1e-3)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("extra", EXTRA)
def test_dependent_columns_are_named_and_get_the_solution_of_smallest_norm(
    rng, extra, n_classes, form, solver
):
    small = make_case(rng, N, 4, n_classes)
    full_rank = small.solve("newton-cholesky", tol=1e-9)
    case, X = with_extra_columns(small, extra, form)
    fit = case.solve(solver)

    assert [problem.kind for problem in fit.problems] == ["rank"]
    problem = fit.problems[0]
    dropped = list(problem.columns)
    assert dropped == sorted(set(dropped))
    assert len(dropped) == X.shape[1] - 4
    assert rank_of(np.delete(X, dropped, axis=1)) == 4
    message = problem.message.format(columns="a, b")
    assert "Columns a, b of X" in message

    exact = "float32" not in form
    logits = X @ fit.coef.T + fit.intercept
    expected = small.X @ full_rank.coef.T + full_rank.intercept
    assert_allclose(logits, expected, atol=2e-5 if exact else 1e-3)
    # The smallest norm: nothing of the coefficients lies in the null space of the columns.
    centred = X - X.mean(axis=0)
    centred[:, (np.abs(centred) <= 1e-6 * np.abs(X).max(axis=0)).all(axis=0)] = 0
    units = np.where(centred.any(axis=0), centred.std(axis=0), 1)
    _, sizes, right = np.linalg.svd(centred, full_matrices=False)
    rows = right[sizes > (1e-9 if exact else 1e-7) * sizes[0]]
    assert len(rows) == 4
    assert_allclose(
        fit.coef @ rows.T @ rows * units, fit.coef * units, atol=1e-6 if exact else 1e-3
    )
    assert fit.n_iter <= 60


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_solution_of_smallest_norm_is_the_projection_of_any_other(rng, n_classes, solver):
    small = make_case(rng, N, 4, n_classes)
    mix = rng.standard_normal((4, 9))
    X = small.X @ mix
    fit = Case(X, small.target, n_classes).solve(solver, tol=1e-9)
    full_rank = small.solve(solver, tol=1e-9)
    any_other = full_rank.coef @ np.linalg.pinv(mix).T
    assert_allclose(fit.coef, any_other @ np.linalg.pinv(X) @ X, atol=1e-7)
    assert len(fit.problems[0].columns) == 5


@pytest.mark.parametrize("solver", SOLVERS)
def test_more_columns_than_rows_have_an_optimum_with_soft_targets(rng, solver):
    X, target = rng.standard_normal((20, 50)), rng.dirichlet(np.ones(3), size=20)
    fit = Case(X, target, 3).solve(solver, tol=1e-9)
    assert [problem.kind for problem in fit.problems] == ["rank"]
    assert len(fit.problems[0].columns) == 50 - 19
    # As many free directions as rows: the probabilities are the targets.
    logits = X @ fit.coef.T + fit.intercept
    expected = np.log(target)
    centre = lambda z: z - z.mean(axis=1, keepdims=True)  # noqa: E731 (one line, used twice)
    assert_allclose(centre(logits), centre(expected), atol=1e-5)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", [0.0, 1.0, 3.7])
def test_constant_columns_alone_leave_the_intercept(rng, value, form, solver):
    target = rng.choice(3, p=[0.2, 0.3, 0.5], size=N)
    X = np.full((N, 2), value, dtype=np.float32 if "float32" in form else np.float64)
    fit = Case(sparse.csr_matrix(X) if "sparse" in form else X, target, 3).solve(solver)
    assert [(problem.kind, problem.columns) for problem in fit.problems] == [("rank", (0, 1))]
    assert_allclose(fit.coef, 0, atol=1e-12)
    shares = np.bincount(target) / N
    expected = np.log(shares) - np.log(shares).mean()
    assert_allclose(fit.intercept, expected, atol=1e-4 if "float32" in form else 1e-5)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_constant_column_without_an_intercept_is_no_problem(rng, solver):
    small = make_case(rng, N, 4, 3)
    X = np.hstack([small.X, np.full((N, 1), 3.7)])
    fit = Case(X, small.target, 3, {"fit_intercept": False}).solve(solver, tol=1e-9)
    assert fit.problems == []
    expected = small.solve(solver, tol=1e-9)
    assert_allclose(fit.coef[:, :4], expected.coef, atol=1e-7)
    assert_allclose(3.7 * fit.coef[:, 4], expected.intercept, atol=1e-7)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("extra", EXTRA)
@pytest.mark.parametrize("form", FORMS)
def test_with_a_ridge_dependent_columns_are_no_problem(rng, solver, extra, form):
    case, _ = with_extra_columns(make_case(rng, N, 4, 3, alpha=1e-3), extra, form)
    fit = case.solve(solver)
    assert fit.n_iter <= 60
    if (form, extra) == ("sparse float32", "a large constant") and fit.problems:
        # Uncentred products with 1e6 are known to 0.06 in float32; saying so is right, too.
        assert "float64" in fit.problems[0].message
    else:
        assert fit.problems == []


@pytest.mark.parametrize("solver", SOLVERS)
def test_strong_correlation_is_not_dependence(rng, solver):
    """Columns that differ in the sixth digit are two columns."""
    small = make_case(rng, N, 4, 3)
    X = np.hstack([small.X, small.X[:, :1] + 1e-5 * rng.standard_normal((N, 1))])
    fit = Case(X, small.target, 3).solve(solver)
    assert fit.problems == []


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_column_that_hardly_varies_around_a_large_mean_is_not_constant(rng, solver):
    small = make_case(rng, N, 4, 3)
    moved = Case(small.X * [1, 1e-3, 1, 1] + [0, 1e5, 0, 0], small.target, 3)
    fit = moved.solve(solver)
    assert fit.problems == []
    expected = small.solve(solver).coef * [1, 1e3, 1, 1]
    assert_allclose(fit.coef, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("sparse_X", [False, True])
def test_one_column_per_level_beside_an_intercept_is_always_noticed(rng, sparse_X):
    for _ in range(25):
        n, levels = int(rng.integers(200, 4000)), int(rng.integers(2, 30))
        X = np.eye(levels)[rng.integers(0, levels, n)]
        X = sparse.csr_matrix(X) if sparse_X else X
        fit = Case(X, rng.integers(0, 3, n), 3).solve("auto")
        assert [problem.kind for problem in fit.problems] == ["rank"]
        assert len(fit.problems[0].columns) == 1
        assert abs(fit.coef.sum(axis=1)).max() < 1e-6  # smallest norm
