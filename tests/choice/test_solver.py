"""Newton's method for choices: the optimum, and what is said where there is none."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize

from sksoftmax._objective import Choices, UtilityObjective
from sksoftmax._solvers import solve_choice

from .cases import make_problem, plain_loss, plain_scores


def objective_of(problem, **options):
    return UtilityObjective(problem.wide, largest=problem.largest, **options)


def kinds(fit):
    return [problem.kind for problem in fit.problems]


def with_x(problem, *columns):
    """The problem with columns (n_cases, n_alternatives) appended to its attributes."""
    return replace(problem, x=np.concatenate([problem.x, np.stack(columns, axis=2)], axis=2))


@pytest.mark.parametrize("kind", [{}, {"ragged": True, "weighted": True}])
def test_the_optimum_is_that_of_a_general_minimiser(rng, kind):
    problem = make_problem(rng, 300, 4, 3, **kind)
    fit = solve_choice(objective_of(problem))
    found = minimize(lambda b: plain_loss(problem, b), np.zeros(3), method="BFGS", tol=1e-6)
    assert_allclose(fit.params, found.x, rtol=1e-4)
    assert_allclose(problem.weights @ plain_scores(problem, fit.params), 0, atol=1e-6)
    assert fit.converged
    assert fit.is_estimable.all()
    assert not fit.problems
    assert 3 <= fit.n_iter <= 8


def test_units_of_columns_do_not_matter(rng):
    problem, units = make_problem(rng, 200, 4, 3, ragged=True), np.array([1e-7, 3.0, 1e9])
    fit = solve_choice(objective_of(problem))
    scaled = solve_choice(objective_of(replace(problem, x=problem.x * units)))
    assert_allclose(scaled.params * units, fit.params, rtol=1e-10)
    assert scaled.n_iter == fit.n_iter


def test_the_order_of_alternatives_does_not_matter(rng):
    problem, order = make_problem(rng, 200, 4, 3, ragged=True), np.array([2, 0, 3, 1])
    fit = solve_choice(objective_of(problem))
    permuted = replace(
        problem,
        x=problem.x[:, order],
        available=problem.available[:, order],
        chosen=np.argsort(order)[problem.chosen],
    )
    assert_allclose(solve_choice(objective_of(permuted)).params, fit.params, rtol=1e-12)


def test_weights_equal_repeated_cases(rng):
    problem = make_problem(rng, 200, 4, 3, ragged=True, weighted=True)
    again = np.repeat(np.arange(200), problem.weight.astype(int))
    repeated = replace(
        problem,
        x=problem.x[again],
        available=problem.available[again],
        chosen=problem.chosen[again],
        weight=None,
    )
    fits = [solve_choice(objective_of(each)) for each in (problem, repeated)]
    assert_allclose(fits[0].params, fits[1].params, rtol=1e-12)


def test_a_start_is_used_where_it_is_better_than_zero(rng):
    objective = objective_of(make_problem(rng, 300, 4, 3))
    fit = solve_choice(objective)
    again = solve_choice(objective, start=fit.params)
    assert again.n_iter == 1
    assert_allclose(again.params, fit.params, rtol=1e-8)
    lost = solve_choice(objective, start=np.full(3, 1e6))
    assert_allclose(lost.params, fit.params, rtol=1e-8)


def test_held_parameters_keep_their_values(rng):
    problem = make_problem(rng, 300, 4, 3)
    free = np.array([True, False, True])
    fit = solve_choice(objective_of(problem), free=free, values=np.array([9.0, -0.5, 9.0]))
    assert fit.params[1] == -0.5
    score = plain_scores(problem, fit.params).sum(axis=0)
    assert_allclose(score[free], 0, atol=1e-6)
    assert abs(score[1]) > 1
    everything = solve_choice(
        objective_of(problem), free=np.zeros(3, dtype=bool), values=fit.params
    )
    assert_array_equal(everything.params, fit.params)
    assert everything.converged


def test_the_penalty_shrinks_what_it_is_on(rng):
    problem = make_problem(rng, 300, 4, 3)
    alpha = np.array([0.0, 0.5, 0.0])
    fit = solve_choice(objective_of(problem, alpha=alpha))
    score = plain_scores(problem, fit.params).mean(axis=0)
    assert_allclose(score, alpha * fit.params, atol=1e-8)


# --- rank ---


def test_collinear_parameters_get_the_smallest_norm_and_the_others_their_own(rng):
    problem = make_problem(rng, 300, 4, 2)
    plain = solve_choice(objective_of(problem))
    twice = with_x(problem, 2 * problem.x[:, :, 1])  # b_1 + 2 b_2 is what the data tell
    fit = solve_choice(objective_of(twice))
    assert kinds(fit) == ["rank"]
    assert fit.problems[0].parameters == (1, 2)
    assert_array_equal(fit.is_estimable, [True, False, False])
    b = plain.params[1]
    assert_allclose(fit.params, [plain.params[0], b / 5, 2 * b / 5], rtol=1e-8)


@pytest.mark.parametrize("size", [1.0, 1e9, 1e-9])
def test_what_does_not_vary_within_a_case_is_not_identified(rng, size):
    problem = make_problem(rng, 300, 4, 2)
    income = np.repeat(size * rng.random((300, 1)), 4, axis=1)
    fit = solve_choice(objective_of(with_x(problem, income)))
    assert fit.problems[0].parameters == (2,)
    assert fit.params[2] == 0
    assert_allclose(fit.params[:2], solve_choice(objective_of(problem)).params, rtol=1e-10)


def test_rounding_of_large_values_is_no_information(rng):
    """income + age - age is income but for rounding: 1e-5 here, and no attribute."""
    problem = make_problem(rng, 300, 4, 2)
    common = np.repeat(1e11 * rng.random((300, 1)), 4, axis=1)
    noisy = common + rng.random((300, 4)) * np.spacing(common)
    fit = solve_choice(objective_of(with_x(problem, noisy)))
    assert fit.problems[0].parameters == (2,)


def test_a_penalty_identifies_collinear_parameters(rng):
    problem = make_problem(rng, 300, 4, 2)
    twice = with_x(problem, problem.x[:, :, 1])
    fit = solve_choice(objective_of(twice, alpha=np.full(3, 0.01)))
    assert not fit.problems
    assert_allclose(fit.params[1], fit.params[2], rtol=1e-8)


def test_nothing_is_identified_where_nobody_has_a_choice(rng):
    problem = make_problem(rng, 10, 3, 2)
    alone = np.zeros((10, 3), dtype=bool)
    alone[np.arange(10), problem.chosen] = True
    fit = solve_choice(objective_of(replace(problem, available=alone)))
    assert kinds(fit) == ["rank"]
    assert not fit.is_estimable.any()
    assert_array_equal(fit.params, 0)


# --- separation ---


def test_complete_separation_leaves_nothing_to_estimate(rng):
    problem = make_problem(rng, 100, 3, 2)
    problem = replace(problem, chosen=(problem.x @ [1.0, -2.0]).argmax(axis=1))
    fit = solve_choice(objective_of(problem))
    assert kinds(fit) == ["separation"]
    assert fit.problems[0].parameters == (0, 1)
    assert not fit.is_estimable.any()
    assert np.isfinite(fit.params).all()


def test_an_attribute_that_predicts_perfectly_is_named_and_the_others_are_estimated(rng):
    """Whoever has the attribute chooses it: without those entries the rest is as it is."""
    problem = make_problem(rng, 400, 3, 2)
    sure = np.zeros((400, 3))
    rows = rng.random(400) < 0.2
    sure[rows, problem.chosen[rows]] = 1.0
    fit = solve_choice(objective_of(with_x(problem, sure)))
    assert kinds(fit) == ["separation"]
    assert fit.problems[0].parameters == (2,)
    assert_array_equal(fit.is_estimable, [True, True, False])
    rest = replace(
        problem,
        x=problem.x[~rows],
        available=problem.available[~rows],
        chosen=problem.chosen[~rows],
    )
    assert_allclose(fit.params[:2], solve_choice(objective_of(rest)).params, rtol=1e-5)


def test_the_constants_of_alternatives_nobody_chose_run_away(rng):
    problem = make_problem(rng, 500, 4, 2)
    kept = problem.chosen < 2
    problem = replace(
        problem,
        x=problem.x[kept],
        available=problem.available[kept],
        chosen=problem.chosen[kept],
    )
    constants = [np.tile(np.arange(4) == j, (kept.sum(), 1)).astype(float) for j in (1, 2, 3)]
    fit = solve_choice(objective_of(with_x(problem, *constants)))
    assert kinds(fit) == ["separation"]
    assert fit.problems[0].parameters == (3, 4)
    assert_array_equal(fit.is_estimable, [True, True, True, False, False])
    assert (fit.params[3:] < -10).all()


def test_rows_without_weight_do_not_hide_separation(rng):
    problem = make_problem(rng, 200, 3, 2)
    best = (problem.x @ [1.0, -2.0]).argmax(axis=1)
    weight = (best == problem.chosen).astype(float)
    fit = solve_choice(objective_of(replace(problem, weight=weight)))
    assert kinds(fit) == ["separation"]


def test_a_held_parameter_does_not_hide_separation(rng):
    problem = make_problem(rng, 200, 3, 2)
    problem = replace(problem, chosen=(problem.x @ [1.0, 0.0]).argmax(axis=1))
    fit = solve_choice(
        objective_of(problem), free=np.array([True, False]), values=np.array([0.0, 0.25])
    )
    assert kinds(fit) == ["separation"]
    assert fit.problems[0].parameters == (0,)


def test_a_penalty_on_everything_keeps_estimates_finite(rng):
    problem = make_problem(rng, 100, 3, 2)
    problem = replace(problem, chosen=(problem.x @ [1.0, -2.0]).argmax(axis=1))
    fit = solve_choice(objective_of(problem, alpha=np.full(2, 1e-4)))
    assert not fit.problems
    assert fit.converged
    assert fit.is_estimable.all()


@pytest.mark.parametrize("share", [1e-2, 1e-3])
def test_a_rare_choice_is_no_separation(rng, share):
    n = int(2 / share)
    problem = make_problem(rng, n, 3, 2)
    chosen = np.where(np.arange(n) < 2, 2, problem.chosen % 2)
    constant = np.tile([0.0, 0.0, 1.0], (n, 1))
    fit = solve_choice(objective_of(with_x(replace(problem, chosen=chosen), constant)))
    assert not fit.problems
    assert fit.is_estimable.all()


def test_the_fit_says_that_it_needs_more_iterations(rng):
    fit = solve_choice(objective_of(make_problem(rng, 300, 4, 3)), max_iter=2)
    assert kinds(fit) == ["not_converged"]
    assert not fit.converged
    assert "max_iter=2" in fit.problems[0].message


def test_progress_is_told(rng):
    told = []
    fit = solve_choice(
        objective_of(make_problem(rng, 300, 4, 3)), progress=lambda *values: told.append(values)
    )
    assert [n for n, _, _ in told] == list(range(1, fit.n_iter + 1))
    assert told[-1][1] == fit.derivatives[0]


def test_the_fit_has_the_same_bits_for_any_number_of_threads(rng):
    problem = make_problem(rng, 20_000, 5, 8, ragged=True)
    fits = [solve_choice(objective_of(problem, n_threads=n)) for n in (1, 2)]
    assert_array_equal(fits[0].params, fits[1].params)


def test_long_data_are_fitted_alike(rng):
    problem = make_problem(rng, 300, 5, 3, ragged=True)
    long = problem.long
    assert isinstance(long, Choices)
    assert_array_equal(
        solve_choice(UtilityObjective(long)).params, solve_choice(objective_of(problem)).params
    )


def test_a_search_for_separation_ends_where_differences_are_tiny(rng):
    """Rows of one sign and of very different sizes: what is lost is judged by each row's own."""
    problem = make_problem(rng, 4, 2, 2)
    x = np.zeros((4, 2, 2))
    x[np.arange(4), problem.chosen] = [[1.0, 0.0], [1e-8, 0.0], [0.0, 1.0], [0.0, 1e-9]]
    fit = solve_choice(objective_of(replace(problem, x=x)))
    assert kinds(fit) == ["separation"]
    assert not fit.is_estimable.any()
