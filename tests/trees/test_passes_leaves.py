"""leaf_values: exact sums over the rows of a leaf, and the step that they give."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from .passes import CLASSES, leaf_values, make_problem

OPTIONS = [
    {},
    {"soft": True},
    {"weighted": True, "label_smoothing": 0.1},
    {"soft": True, "logit_l2": 0.03},
    {"label_smoothing": 0.2, "logit_l2": 0.01, "weighted": True},
]


def leaves_of(n_rows, n_leaves, seed=0):
    """Rows in the order of the leaves, one of them empty, some rows in no leaf."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(n_rows)[: max(1, n_rows * 3 // 4)]
    cuts = np.sort(rng.integers(len(rows) + 1, size=n_leaves - 2))
    return rows, np.concatenate([[0], cuts, [len(rows), len(rows)]])


def sums(problem, rows):
    """G and the curvature D without l2 in float64."""
    part = problem.take(rows)
    w = part.weights[:, None]
    D = (w * part.curvature()).sum(axis=0) + part.logit_l2 * w.sum()
    return (w * part.residual()).sum(axis=0), D


def step(G, D, learning_rate):
    """A diagonal Newton step, less its mean."""
    v = -learning_rate * G / D
    return v - v.mean()


@pytest.mark.parametrize("n_classes", CLASSES)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_values_are_a_centred_diagonal_newton_step(n_classes, options):
    problem = make_problem(90, n_classes, **options)
    rows, leaf_ptr = leaves_of(90, 4)
    found = leaf_values(problem, rows, leaf_ptr, l2=0.5, learning_rate=0.25)
    for value, (begin, end) in zip(found, pairwise(leaf_ptr), strict=True):
        if begin == end:
            assert_array_equal(value, 0)
            continue
        G, D = sums(problem, rows[begin:end])
        assert_allclose(value, step(G, D + 0.5, 0.25), atol=1e-5, rtol=1e-5)


def test_before_it_is_centred_the_step_minimises_its_quadratic_model():
    problem = make_problem(60, 9, logit_l2=0.1)
    rng = np.random.default_rng(2)
    G, D = sums(problem, np.arange(60))

    def model(v):
        return G @ v + (D + 1) @ v**2 / 2

    minimiser = -G / (D + 1)
    for size in (1e-3, 0.1, 1.0):
        for direction in rng.standard_normal((20, 9)):
            assert model(minimiser) < model(minimiser + size * direction)
    found = leaf_values(problem, np.arange(60), [0, 60], learning_rate=1.0)[0]
    assert_allclose(found, minimiser - minimiser.mean(), atol=2e-6)


def test_a_soft_row_is_its_labels_weighted_by_their_share():
    soft = make_problem(40, 4, soft=True)
    rows, classes = np.repeat(np.arange(40), 4), np.tile(np.arange(4), 40)
    hard = replace(
        soft.take(rows), target=classes, weight=soft.target[rows, classes].astype(np.float64)
    )
    expected = leaf_values(hard, np.arange(160), [0, 160])
    assert_allclose(leaf_values(soft, np.arange(40), [0, 40]), expected, atol=3e-6)


def test_values_lie_on_one_grid_so_that_their_sums_are_exact():
    problem = make_problem(200, 20)
    rows, leaf_ptr = leaves_of(200, 9)
    steps = leaf_values(problem, rows, leaf_ptr).astype(float) * 2.0**20
    assert_array_equal(steps, np.rint(steps))


@pytest.mark.parametrize("n_classes", CLASSES)
@pytest.mark.parametrize("learning_rate", [0.1, 1.0, 1000.0])
def test_the_values_of_a_leaf_sum_to_zero_exactly(n_classes, learning_rate):
    problem = make_problem(200, n_classes, scale=4.0)
    rows, leaf_ptr = leaves_of(200, 9)
    found = leaf_values(problem, rows, leaf_ptr, learning_rate=learning_rate)
    assert_array_equal(found.astype(np.float64).sum(axis=1), 0)
    assert_array_equal(found[:, ::-1].astype(np.float64).sum(axis=1), 0)


def test_a_leaf_without_rows_has_the_value_zero():
    problem = make_problem(10, 5)
    assert_array_equal(leaf_values(problem, [1, 2], [0, 0, 2, 2])[[0, 2]], 0)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("n_classes", [2, 5, 20, 150])
def test_neither_the_order_of_rows_nor_threads_change_a_bit(n_classes, options):
    problem = make_problem(2000, n_classes, **options)
    rng = np.random.default_rng(5)
    rows, leaf_ptr = leaves_of(2000, 6)
    shuffled = rows.copy()
    for begin, end in pairwise(leaf_ptr):
        shuffled[begin:end] = rng.permutation(rows[begin:end])
    expected = leaf_values(problem, rows, leaf_ptr)
    for n_threads in (1, 2, 5):
        found = leaf_values(problem, shuffled, leaf_ptr, n_threads=n_threads)
        assert_array_equal(found, expected)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("n_classes", [2, 5, 20, 150])
def test_an_integer_weight_is_the_row_repeated_bit_for_bit(n_classes, options):
    problem = make_problem(300, n_classes, **options | {"weighted": True})
    weight = np.random.default_rng(1).integers(0, 4, 300)
    problem = problem.take(np.arange(300))
    problem.weight[:] = weight
    rows, leaf_ptr = leaves_of(300, 5)
    expected = leaf_values(problem, rows, leaf_ptr)
    # Rows of the repeated problem, leaf by leaf.
    repeated = problem.take(np.repeat(np.arange(300), weight))
    repeated.weight[:] = 1
    first = np.concatenate([[0], np.cumsum(weight)])
    copies = [np.arange(first[row], first[row + 1]) for row in rows]
    sizes = np.concatenate([[0], np.cumsum(weight[rows])])
    found = leaf_values(repeated, np.concatenate(copies), sizes[leaf_ptr])
    assert_array_equal(found, expected)


def test_no_weight_and_a_weight_of_one_are_the_same():
    problem = make_problem(100, 20)
    weighted = make_problem(100, 20, weighted=True)
    weighted.weight[:] = 1
    rows, leaf_ptr = leaves_of(100, 4)
    expected = leaf_values(problem, rows, leaf_ptr)
    assert_array_equal(leaf_values(weighted, rows, leaf_ptr), expected)


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_the_scale_of_the_weights_is_no_matter(scale):
    problem = make_problem(500, 6, weighted=True)
    rows, leaf_ptr = leaves_of(500, 4)
    expected = leaf_values(problem, rows, leaf_ptr, l2=1.0)
    problem.weight[:] *= scale
    found = leaf_values(problem, rows, leaf_ptr, l2=scale)
    assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("n_classes", [2, 10, 100])
def test_a_wrong_and_certain_leaf_takes_no_more_than_the_learning_rate(n_classes):
    """The curvature does not vanish, |G_k| <= H_k: before it is centred no value is larger."""
    problem = make_problem(50, n_classes, scale=0.0)
    problem.logits[:, 0] = 80  # p = (1, 0, ...), and the target is another class
    problem.target[:] = 1
    found = leaf_values(problem, np.arange(50), [0, 50], l2=0.0, learning_rate=0.3)
    assert np.ptp(found) <= 0.6 + 1e-5
    assert found[0, 1] - found[0, 0] == pytest.approx(0.6, abs=1e-5)


def test_a_leaf_that_is_certain_and_right_stays_where_it_is():
    problem = make_problem(50, 4, scale=0.0)
    problem.logits[np.arange(50), problem.target] = 200
    found = leaf_values(problem, np.arange(50), [0, 50], l2=0.0)
    assert_array_equal(found, 0)


def test_logits_that_are_not_finite_are_an_error_that_names_the_row():
    problem = make_problem(50, 4)
    problem.logits[31, 2] = np.nan
    with pytest.raises(RuntimeError, match="logits: row 31 holds NaN"):
        leaf_values(problem, np.arange(50)[::-1], [0, 50])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"logits": np.zeros(11, np.float32)}, "logits: not a whole number"),
        ({"target_index": None}, "target: is needed"),
        ({"target_index": np.full(10, 4)}, "target_index: entry 0 is 4"),
        ({"target_proba": np.zeros(40, np.float32)}, "target: at most one"),
        ({"sample_weight": np.ones(3)}, "sample_weight: expected 10"),
        ({"sample_weight": np.zeros(10)}, "sample_weight: the sum"),
        ({"sample_weight": np.full(10, np.inf)}, "sample_weight: entry 0"),
        ({"label_smoothing": -0.5}, "label_smoothing"),
        ({"logit_l2": np.nan}, "logit_l2"),
        ({"l2": -1.0}, "l2"),
        ({"learning_rate": np.inf}, "learning_rate"),
        ({"rows": np.full(10, 10, np.int32)}, "rows: entry 0 is 10, accepted are 0..9"),
        ({"rows": np.full(10, -1, np.int32)}, "rows: entry 0 is -1"),
        ({"rows": np.zeros(9, np.int32)}, "leaf_ptr: must begin with 0 and end"),
        ({"leaf_ptr": np.array([0, 11])}, "leaf_ptr: must begin"),
        ({"leaf_ptr": np.array([1, 10])}, "leaf_ptr: must begin"),
        ({"leaf_ptr": np.array([0])}, "leaf_ptr: must begin"),
        ({"leaf_ptr": np.array([0, 7, 6, 10])}, "leaf_ptr: must not decrease"),
        ({"values": np.zeros(3, np.float32)}, "values: expected 4"),
        ({"n_threads": 0}, "n_threads"),
    ],
)
def test_the_door_names_the_argument(changes, message):
    with pytest.raises(ValueError, match=message):
        leaf_values(make_problem(10, 4), **{"rows": np.arange(10), "leaf_ptr": [0, 10]} | changes)
