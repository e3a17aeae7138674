"""The choice objective: values and derivatives, from wide data and from long."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sksoftmax._objective import Choices, Terms, UtilityObjective

from .cases import (
    make_problem,
    plain_information,
    plain_loss,
    plain_scores,
)

# Cases, alternatives, parameters: around the vectors and tiles of every body; a block and more.
SHAPES = [(1, 2, 1), (7, 3, 4), (50, 12, 8), (50, 13, 9), (40, 30, 25), (3000, 4, 17), (3, 5000, 3)]
KINDS = [{}, {"ragged": True}, {"ragged": True, "weighted": True}]


def objectives(problem, **options):
    """The same problem wide, wide with adjacent rows (column-major), and long."""
    wide = problem.wide
    column_major = replace(wide, values=np.asfortranarray(wide.values))
    for choices in (wide, column_major, problem.long):
        yield UtilityObjective(choices, largest=problem.largest, **options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_value_and_derivatives_are_those_of_plain_numpy(rng, shape, kind):
    problem = make_problem(rng, *shape, **kind)
    params = rng.standard_normal(shape[2]) / np.sqrt(shape[2])
    scores, total = plain_scores(problem, params), problem.weights.sum()
    if total == 0:
        return
    near = {"rtol": 1e-11, "atol": 1e-11 * total}
    for objective in objectives(problem, n_threads=1):
        theta = objective.pack(params)
        value, gradient, hessian = objective.derivatives(theta)
        assert_allclose(value * total, plain_loss(problem, params), **near)
        information = plain_information(problem, params)
        for known in (None, (value, gradient, hessian)):
            loglik, score, found = objective.likelihood(theta, known)
            assert_allclose(loglik, -plain_loss(problem, params), **near)
            assert_allclose(score, problem.weights @ scores, **near)
            assert_allclose(found, information, **near)
        in_theta = information * objective.scale[:, None] * objective.scale / total
        assert_allclose(hessian, in_theta, rtol=1e-11, atol=1e-11)
        assert_allclose(objective.loss_gradient(theta)[1], gradient, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("kind", KINDS)
def test_scores_and_their_products_are_those_of_plain_numpy(rng, kind):
    problem = make_problem(rng, 700, 5, 6, **kind)
    params = rng.standard_normal(6)
    expected = plain_scores(problem, params)
    for objective in objectives(problem):
        theta = objective.pack(params)
        rows = np.vstack([block for _, block in objective.scores(theta)])
        assert_allclose(rows, expected, rtol=1e-11, atol=1e-13)
        products = np.einsum("n,nk,nl->kl", problem.weights, expected, expected)
        assert_allclose(objective.score_products(theta), products, rtol=1e-11, atol=1e-9)
        weight = rng.random(700)
        products = np.einsum("n,nk,nl->kl", weight, expected, expected)
        assert_allclose(objective.score_products(theta, weight), products, rtol=1e-11, atol=1e-9)


def test_scores_come_in_pieces_that_cover_the_cases(rng, monkeypatch):
    monkeypatch.setattr("sksoftmax._objective.utilities._CHUNK", 12)
    objective = UtilityObjective(make_problem(rng, 11, 3, 4, ragged=True).long)
    pieces = list(objective.scores(objective.zeros()))
    assert [(cases.start, cases.stop) for cases, _ in pieces] == [(0, 3), (3, 6), (6, 9), (9, 11)]
    monkeypatch.undo()
    whole = next(objective.scores(objective.zeros()))[1]
    assert_array_equal(np.vstack([rows for _, rows in pieces]), whole)


def test_gradient_and_hessian_are_those_of_finite_differences(rng):
    problem = make_problem(rng, 60, 5, 4, ragged=True, weighted=True)
    alpha = np.array([0.0, 0.5, 0.0, 0.25])
    objective = UtilityObjective(problem.wide, largest=problem.largest, alpha=alpha)
    theta, step = objective.pack(rng.standard_normal(4)), 1e-6
    _, gradient, hessian = objective.derivatives(theta)
    for k in range(4):
        h = objective.zeros()
        h[0, k] = step
        up, down = objective.loss_gradient(theta + h), objective.loss_gradient(theta - h)
        assert_allclose((up[0] - down[0]) / (2 * step), gradient[0, k], rtol=1e-7, atol=1e-9)
        assert_allclose((up[1] - down[1])[0] / (2 * step), hessian[k], rtol=1e-7, atol=1e-8)


def test_the_penalty_is_that_of_the_parameters_in_their_units(rng):
    problem, alpha = make_problem(rng, 50, 3, 2), np.array([0.0, 0.125])
    params = np.array([1.0, 3e-4])
    problem = replace(problem, x=problem.x * [1.0, 1e3])
    plain = UtilityObjective(problem.long)
    penalised = UtilityObjective(problem.long, alpha=alpha)
    theta = plain.pack(params)
    more = penalised.loss_gradient(theta)[0] - plain.loss_gradient(theta)[0]
    assert_allclose(more, 0.125 / 2 * 3e-4**2, rtol=1e-6)
    for ours, theirs in zip(plain.likelihood(theta), penalised.likelihood(theta), strict=True):
        assert_allclose(ours, theirs, rtol=1e-9)


def test_utilities_and_differences_are_relative_to_the_chosen_one(rng):
    problem = make_problem(rng, 20, 4, 3, ragged=True)
    own = problem.x[np.arange(20), problem.chosen]
    expected = (problem.x - own[:, None, :])[problem.available]
    params = rng.standard_normal(3)
    for objective in objectives(problem):
        theta = objective.pack(params)
        assert_allclose(objective.utilities(theta), expected @ params, rtol=1e-12, atol=1e-12)
        rows = objective.differences(slice(0, 20)) / objective.scale
        assert_allclose(rows, expected, rtol=1e-14)
        first = problem.available[:5].sum()
        assert_allclose(objective.differences(slice(0, 5)) / objective.scale, expected[:first])


def test_what_alternatives_have_in_common_has_exactly_no_influence(rng):
    problem = make_problem(rng, 30, 4, 3)
    common = np.round(rng.standard_normal((30, 1, 3)) * 2**20)  # exact sums
    x = np.round(problem.x * 2**10) / 2**10
    theta = rng.standard_normal((1, 3))
    answers = []
    for moved in (x, x + common):
        objective = UtilityObjective(replace(problem, x=moved).long, largest=np.ones(3))
        value, gradient, hessian = objective.derivatives(theta)
        answers.append(np.concatenate([[value], gradient[0], hessian.ravel()]))
    assert_array_equal(*answers)


def test_units_far_beyond_the_square_root_of_float64_do_no_harm(rng):
    problem = make_problem(rng, 40, 3, 2)
    plain = UtilityObjective(problem.long)
    units = np.array([1e200, 1e-200])
    scaled = UtilityObjective(replace(problem, x=problem.x * units).long)
    params = np.array([0.5, -0.25])
    expected = plain.derivatives(plain.pack(params))
    value, gradient, hessian = scaled.derivatives(scaled.pack(params / units))
    ratio = scaled.scale / plain.scale * units
    assert_allclose(value, expected[0], rtol=1e-13)
    assert_allclose(gradient[0], expected[1][0] * ratio, rtol=1e-11)
    assert_allclose(hessian, expected[2] * ratio[:, None] * ratio, rtol=1e-11)


@pytest.mark.parametrize("kind", KINDS)
def test_the_answers_have_the_same_bits_for_any_number_of_threads(rng, kind):
    problem = make_problem(rng, 20_000, 5, 12, **kind)
    answers = []
    for n_threads in (1, 2, 3):
        for choices in (problem.wide, problem.long):
            objective = UtilityObjective(choices, largest=problem.largest, n_threads=n_threads)
            value, gradient, hessian = objective.derivatives(np.full((1, 12), 0.5))
            products = objective.score_products(np.full((1, 12), 0.5))
            parts = [[value], gradient[0], hessian.ravel(), products.ravel()]
            answers.append(np.concatenate(parts))
    for answer in answers[1:]:
        assert_array_equal(answer, answers[0])  # wide and long too: the same entries


def test_constants_and_factors_enter_as_terms_say(rng):
    """V_0 = a + 2 b x_0, V_1 = b x_1."""
    values = rng.standard_normal((30, 2))
    chosen = rng.integers(2, size=30)
    terms = Terms(
        np.array([0, 2, 3]), np.array([0, 1, 1]), np.array([-1, 0, 1]), np.array([1.0, 2, 1])
    )
    objective = UtilityObjective(
        Choices.wide(values, chosen, terms, 2), largest=np.array([1.0, 5.0])
    )
    utility = np.column_stack([0.5 + 2 * 0.3 * values[:, 0], 0.3 * values[:, 1]])
    own = utility[np.arange(30), chosen]
    expected = (np.logaddexp.reduce(utility, axis=1) - own).sum()
    assert_allclose(objective.loss(objective.pack([0.5, 0.3])), expected, rtol=1e-13)


def test_an_overflowing_utility_makes_the_value_infinite(rng):
    objective = UtilityObjective(make_problem(rng, 10, 3, 2).long)
    assert objective.loss_gradient(np.full((1, 2), 1.7e308))[0] == np.inf


def test_a_case_with_one_alternative_says_nothing(rng):
    problem = make_problem(rng, 10, 3, 2)
    alone = np.zeros((10, 3), dtype=bool)
    alone[np.arange(10), problem.chosen] = True
    objective = UtilityObjective(replace(problem, available=alone).long)
    value, gradient, hessian = objective.derivatives(np.ones((1, 2)))
    assert value == 0
    assert not gradient.any()
    assert not hessian.any()


def test_keeping_some_entries_leaves_a_smaller_problem(rng):
    problem = make_problem(rng, 50, 5, 3, ragged=True)
    fewer = problem.available & (rng.random((50, 5)) < 0.5)
    fewer[np.arange(50), problem.chosen] = True
    smaller, theta = replace(problem, available=fewer), rng.standard_normal((1, 3))
    for choices, expected in ((problem.wide, smaller.wide), (problem.long, smaller.long)):
        kept = choices.keeping(fewer[problem.available])
        objective = UtilityObjective(kept, largest=problem.largest)
        same = UtilityObjective(expected, largest=problem.largest)
        assert objective.loss(theta) == same.loss(theta)


GOOD = make_problem(np.random.default_rng(0), 6, 3, 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"chosen": np.full(6, 3)}, "chosen: outside the case"),
        ({"chosen": np.full(6, -1)}, "chosen: outside the case"),
        ({"row_ptr": np.arange(7)}, "values: one row per entry"),
        ({"row_ptr": np.array([0, 3, 3, 9, 12, 15, 18])}, "row_ptr: a case has no entries"),
        ({"row_ptr": np.array([1, 3, 6, 9, 12, 15, 18])}, "row_ptr: must begin with 0"),
        ({"weight": np.ones(5)}, "weight: expected 6 entries, got 5"),
        ({"values": np.ones((18, 3))}, "values: one row per entry"),
    ],
)
def test_the_door_refuses_long_data_that_do_not_fit_together(changes, message):
    choices = replace(GOOD.long, **changes)
    with pytest.raises(ValueError, match=message):
        UtilityObjective(choices, largest=np.ones(2)).loss(np.ones((1, 2)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parameter": np.full(6, -1)}, "a parameter or column outside"),
        ({"column": np.full(6, 6)}, "a parameter or column outside"),
        ({"ptr": np.array([0, 2, 4, 5])}, "term_ptr: must span the terms"),
        ({"ptr": np.array([0, 4, 2, 6])}, "term_ptr: must not decrease"),
    ],
)
def test_the_door_refuses_terms_outside_the_data(changes, message):
    wide = GOOD.wide
    choices = replace(wide, terms=replace(wide.terms, **changes))
    with pytest.raises(ValueError, match=message):
        UtilityObjective(choices, largest=np.ones(2)).loss(np.ones((1, 2)))


def test_the_door_refuses_availability_that_disagrees_with_the_row_pointers():
    available = GOOD.available.copy()
    available[2, 0] = False
    choices = replace(GOOD.wide, available=available)
    with pytest.raises(ValueError, match="row_ptr: disagrees with available"):
        UtilityObjective(choices, largest=np.ones(2)).loss(np.ones((1, 2)))
