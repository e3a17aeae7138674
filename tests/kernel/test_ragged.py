"""Rows of any length, stacked: the same verbs, the same laws."""

from dataclasses import replace

import numpy as np
import pytest

from sksoftmax import _kernel

from .cases import (
    ALL_OPTIONS,
    CLASSES,
    DTYPES,
    VERBS,
    Options,
    check_against_reference,
    check_within,
    error_bounds,
    make_problem,
    native,
    ragged,
)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("target", ["index", "proba"])
def test_every_combination_of_options_agrees_with_the_reference(dtype, target, rng):
    for options in ALL_OPTIONS:
        if options.target == target:
            lengths = rng.choice([1, 2, 3, 5, 8, 13, 17, 33], 7)
            check_against_reference(make_problem(rng, list(lengths), dtype, options))


@pytest.mark.parametrize("dtype", DTYPES)
def test_all_row_lengths_side_by_side_agree_with_the_reference(dtype, rng):
    for options in ALL_OPTIONS[::17]:
        lengths = rng.permutation(np.repeat(CLASSES, 2))
        check_against_reference(make_problem(rng, list(lengths), dtype, options))


@pytest.mark.parametrize("dtype", DTYPES)
def test_many_short_rows_agree_with_the_reference(dtype, rng):
    """Choice sets as they come: thousands of cases with a handful of alternatives."""
    options = Options("proba", unavailable="mask", temperature="rows", weighted=True)
    check_against_reference(make_problem(rng, list(rng.integers(1, 9, 3000)), dtype, options))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("n_classes", [1, 3, 12, 13, 40])
def test_rows_of_equal_length_give_what_the_dense_form_gives(dtype, verb, n_classes, rng):
    for options in ALL_OPTIONS[::23]:
        problem = make_problem(rng, (9, n_classes), dtype, options)
        bounds = error_bounds(problem)
        expected = native(verb, problem)
        for name, got in native(verb, ragged(problem)).items():
            exact = expected[name].astype(np.longdouble)
            check_within(got, exact, 2 * bounds[name], f"{verb}: {name}")


@pytest.mark.parametrize("verb", VERBS)
def test_a_masked_entry_is_an_absent_entry(verb, rng):
    """Taking the unavailable entries out of the stack changes nothing for the others."""
    for options in ALL_OPTIONS[::19]:
        options = replace(options, unavailable="both", target="proba")
        problem = make_problem(rng, [3, 1, 9, 20, 2], np.float64, options)
        available = problem.mask & (problem.logits != -np.inf)
        kept = np.add.reduceat(available.astype(np.int64), problem.row_ptr[:-1])
        shorter = replace(
            problem,
            logits=problem.logits[available],
            target=problem.target[available],
            direction=problem.direction[available],
            mask=None,
            row_ptr=np.concatenate([[0], np.cumsum(kept)]),
        )
        expected = native(verb, shorter)
        for name, got in native(verb, problem).items():
            got = got[available] if got.shape == problem.logits.shape else got
            np.testing.assert_allclose(got, expected[name], rtol=1e-12, atol=1e-14)


def test_the_log_probability_of_a_choice_is_minus_its_loss(rng):
    problem = make_problem(rng, [4, 2, 7, 31], np.float64)
    chosen = problem.row_ptr[:-1] + problem.target
    log_proba = _kernel.log_softmax(problem.logits, row_ptr=problem.row_ptr)
    losses = _kernel.loss(problem.logits, problem.target, row_ptr=problem.row_ptr)
    np.testing.assert_allclose(losses, -log_proba[chosen], rtol=1e-15)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("verb", ["softmax", "log_softmax"])
def test_the_result_goes_into_out_which_may_be_the_logits(dtype, verb, rng):
    problem = make_problem(rng, [4, 2, 7, 31], dtype)
    function = getattr(_kernel, verb)
    expected = function(problem.logits, row_ptr=problem.row_ptr)
    out = np.empty_like(problem.logits)
    assert function(problem.logits, row_ptr=problem.row_ptr, out=out) is out
    np.testing.assert_array_equal(out, expected)
    function(problem.logits, row_ptr=problem.row_ptr, out=problem.logits)
    np.testing.assert_array_equal(problem.logits, expected)


@pytest.mark.parametrize(
    "row_ptr",
    [
        np.array([1, 3, 6]),  # does not begin with 0
        np.array([0, 3, 5]),  # does not end with the number of entries
        np.array([0, 3, 7]),
        np.array([0, 4, 3, 6]),  # decreases
        np.array([0, 100, 6]),
        np.array([0, -1, 6]),
        np.array([0, 3, 3, 6]),  # a case without alternatives
        np.array([6]),
        np.array([], dtype=np.int64),
        np.array([[0, 6]]),
        np.array([0.0, 6.0]),
    ],
    ids=str,
)
def test_row_pointers_that_make_no_sense_are_rejected(row_ptr):
    with pytest.raises((ValueError, TypeError), match="row_ptr"):
        _kernel.softmax(np.zeros(6), row_ptr=row_ptr)


def test_a_choice_outside_its_own_case_is_rejected_by_row():
    """Position 2 exists in the first case but not in the second."""
    row_ptr = np.array([0, 3, 5, 9])
    with pytest.raises(ValueError, match=r"target.*row 1"):
        _kernel.loss(np.zeros(9), np.array([2, 2, 0]), row_ptr=row_ptr)


def test_errors_name_the_case_not_the_entry():
    logits = np.zeros(9)
    logits[7] = np.nan
    with pytest.raises(_kernel.RowError) as error:
        _kernel.entropy(logits, row_ptr=np.array([0, 3, 5, 9]))
    assert (error.value.argument, error.value.row) == ("logits", 2)
