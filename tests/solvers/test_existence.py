"""Separation is reported where there is no maximum, and only there."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import optimize, sparse

from .cases import SOLVERS, Case, draw_labels, make_case


def kinds(fit):
    return [problem.kind for problem in fit.problems]


def is_separated(X, target, n_classes, mask=None):
    """Albert and Anderson (1984): do coefficients exist with z_y >= z_k for every row and class,
    not all equal? A linear programme, bounded."""
    n_samples = len(X)
    Z = np.hstack([X, np.ones((n_samples, 1))])
    margins = []
    for k in range(n_classes):
        others = target != k
        if mask is not None:
            others &= mask[:, k]
        index = np.flatnonzero(others)
        rows = np.zeros((len(index), n_classes, Z.shape[1]))
        rows[np.arange(len(index)), target[index]] = Z[index]
        rows[:, k] -= Z[index]
        margins.append(rows.reshape(len(index), n_classes * Z.shape[1]))
    margins = np.vstack(margins)
    best = optimize.linprog(
        -margins.mean(axis=0), A_ub=-margins, b_ub=np.zeros(len(margins)), bounds=(-1, 1)
    )
    return -best.fun > 1e-7


SIZES = [(12, 1), (20, 2), (30, 3), (60, 5), (200, 6)]


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("size", SIZES)
def test_separation_is_reported_exactly_where_a_linear_programme_finds_it(size, n_classes):
    """Small samples and strong signals: separated or nearly so, balanced or not."""
    found = {True: 0, False: 0}
    for signal in (1, 4, 12):
        for seed in range(8):
            rng = np.random.default_rng([n_classes, size[0], signal, seed])
            bias = np.zeros(n_classes)
            bias[0] = 2.0 * (seed % 3 == 0)
            case = make_case(rng, *size, n_classes, signal=signal, bias=bias)
            if len(np.unique(case.target)) < n_classes:
                continue
            truth = is_separated(case.X, case.target, n_classes)
            found[truth] += 1
            for solver in SOLVERS:
                fit = case.solve(solver)
                assert kinds(fit) == ["separation"] * truth, (signal, seed, solver)
                assert np.isfinite(fit.coef).all()
                assert fit.n_iter <= 60
    assert found[False] > 0


@pytest.mark.parametrize("n_classes", [2, 3])
def test_masks_count_when_separation_is_judged(n_classes):
    for seed in range(25):
        rng = np.random.default_rng(seed)
        case = make_case(rng, 25, 2, n_classes, signal=3)
        mask = rng.random((25, n_classes)) < 0.6
        mask[np.arange(25), case.target] = True
        if len(np.unique(case.target)) < n_classes or (mask.sum(axis=1) == 1).all():
            continue
        truth = is_separated(case.X, case.target, n_classes, mask)
        for solver in SOLVERS:
            fit = case.with_options(mask=mask).solve(solver)
            assert ("separation" in kinds(fit)) == truth, (seed, solver)


def separated_in_full(rng, n_classes):
    X = rng.standard_normal((150, 3))
    target = (X @ rng.standard_normal((3, n_classes))).argmax(axis=1)
    return Case(X, target, n_classes)


def separated_in_part(rng, n_classes):
    """A dummy variable that only one class has; the other columns do not separate."""
    X = np.column_stack([np.arange(300) % 3 == 0, rng.standard_normal((300, 2))]).astype(float)
    target = draw_labels(rng, np.zeros((300, n_classes)))
    target[X[:, 0] == 1] = n_classes - 1
    return Case(X, target, n_classes)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("build", [separated_in_full, separated_in_part])
@pytest.mark.parametrize("form", ["dense", "float32", "sparse", "badly scaled"])
def test_separated_classes_are_reported_soon(rng, build, n_classes, solver, form):
    case = build(rng, n_classes)
    X = {
        "dense": lambda X: X,
        "float32": lambda X: X.astype(np.float32),
        "sparse": sparse.csr_matrix,
        "badly scaled": lambda X: X * np.array([1e-3, 1.0, 1e3]),
    }[form](case.X)
    fit = Case(X, case.target, n_classes).solve(solver)
    assert kinds(fit) == ["separation"]
    assert fit.n_iter <= 60
    assert np.isfinite(fit.coef).all()
    assert np.isfinite(fit.intercept).all()
    message = fit.problems[0].message
    assert "separated" in message
    assert "C" in message


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(
    "options", [{"alpha": 1e-4}, {"logit_l2": 1e-3}, {"label_smoothing": 0.01}], ids=str
)
def test_whatever_bounds_the_coefficients_ends_the_report(rng, solver, options):
    for build in (separated_in_full, separated_in_part):
        fit = Case(*vars(build(rng, 3)).values()).with_options(**options).solve(solver)
        assert kinds(fit) == []
        assert fit.converged


@pytest.mark.parametrize("solver", SOLVERS)
def test_soft_targets_between_zero_and_one_have_an_optimum(rng, solver):
    case = separated_in_full(rng, 3)
    soft = 0.9 * np.eye(3)[case.target] + 0.1 * rng.dirichlet(np.ones(3), 150)
    assert kinds(Case(case.X, soft, 3).solve(solver)) == []


@pytest.mark.parametrize("solver", SOLVERS)
def test_targets_of_zeros_and_ones_are_as_separated_as_labels(rng, solver):
    for build in (separated_in_full, separated_in_part):
        case = build(rng, 3)
        assert kinds(Case(case.X, np.eye(3)[case.target], 3).solve(solver)) == ["separation"]


@pytest.mark.parametrize("solver", SOLVERS)
def test_rows_of_weight_zero_do_not_hide_separation(rng, solver):
    case = separated_in_full(rng, 3)
    target, weight = case.target.copy(), np.ones(150)
    target[:20], weight[:20] = (target[:20] + 1) % 3, 0.0
    fit = Case(case.X, target, 3, {"sample_weight": weight}).solve(solver)
    assert kinds(fit) == ["separation"]
    weight[:20] = 0.5
    assert kinds(Case(case.X, target, 3, {"sample_weight": weight}).solve(solver)) == []


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_offsets_that_know_the_answer_are_no_separation(rng, solver, n_classes):
    """The loss is small without any coefficient, but no coefficients separate the rows."""
    case = make_case(rng, 30, 2, n_classes, signal=0.3)
    assert not is_separated(case.X, case.target, n_classes)
    offset = 12.0 * np.eye(n_classes)[case.target]
    fit = case.with_options(offset=offset).solve(solver)
    assert kinds(fit) == []


@pytest.mark.parametrize("solver", SOLVERS)
def test_separation_beside_an_offset_is_reported(rng, solver):
    for build in (separated_in_full, separated_in_part):
        case = build(rng, 3)
        offset = rng.standard_normal((len(case.target), 3))
        assert kinds(case.with_options(offset=offset).solve(solver)) == ["separation"]


# --- classes without data ---


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_class_without_rows_is_reported_with_its_position(rng, solver):
    case = make_case(rng, 200, 3, 3)
    fit = Case(case.X, np.where(case.target == 2, 3, case.target), 5).solve(solver)
    assert kinds(fit) == ["separation"]
    assert "{classes}" in fit.problems[0].message
    assert fit.problems[0].classes == (2, 4)
    assert fit.n_iter <= 60
    # the other classes are estimated as without it
    rest = case.solve(solver)
    contrast = fit.coef[[1, 3]] - fit.coef[0]
    assert_allclose(contrast, rest.coef[1:] - rest.coef[0], atol=1e-4)
    assert (fit.intercept[[2, 4]] < fit.intercept[[0, 1, 3]].min() - 5).all()


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_class_of_weight_zero_is_as_absent(rng, solver):
    case = make_case(rng, 200, 3, 3)
    weight = np.where(case.target == 1, 0.0, 1.0)
    fit = case.with_options(sample_weight=weight).solve(solver)
    assert kinds(fit) == ["separation"]
    assert fit.problems[0].classes == (1,)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_single_class_is_reported_and_finite(rng, solver, n_classes):
    X = rng.standard_normal((50, 2))
    fit = Case(X, np.zeros(50, dtype=np.int64), n_classes).solve(solver)
    assert kinds(fit) == ["separation"]
    assert np.isfinite(fit.coef).all()
    with_ridge = Case(X, np.zeros(50, dtype=np.int64), n_classes, {"alpha": 1e-2}).solve(solver)
    assert kinds(with_ridge) == ["separation"]  # the penalty does not reach the intercept


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("options", [{"logit_l2": 1e-2}, {"label_smoothing": 0.1}], ids=str)
def test_a_class_without_rows_needs_no_report_where_its_logits_are_bounded(rng, solver, options):
    case = make_case(rng, 200, 3, 3)
    fit = Case(case.X, case.target, 5, options).solve(solver)
    assert kinds(fit) == []
    assert np.isfinite(fit.intercept).all()
