"""advance and records: from logits to the integers that histograms add up."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sksoftmax import _kernel

from .passes import CLASSES, advance, make_problem, records

EPS = float(np.finfo(np.float32).eps)
OPTIONS = [
    {},
    {"soft": True},
    {"weighted": True, "label_smoothing": 0.1},
    {"soft": True, "logit_l2": 0.03},
    {"label_smoothing": 0.2, "logit_l2": 0.01, "weighted": True},
]


def projection_of(n_classes, n_columns, seed=1):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n_classes, n_columns)).astype(np.float32)


def rounding(problem, projection):
    """A bound of the rounding of residual @ projection, per row and column."""
    size = np.abs(problem.residual()) + EPS * (1 + np.abs(problem.logits))
    return 16 * EPS * (1 + np.abs(problem.logits).max()) * size @ np.abs(projection)


# --- advance --------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", CLASSES)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_gradient_is_the_projected_residual_of_the_kernel(n_classes, options):
    problem = make_problem(37, n_classes, **options)
    projection = projection_of(n_classes, min(3, n_classes))
    logits, gradient, loss, total, largest = advance(problem, projection=projection)
    expected_loss, residual = problem.loss_gradient()
    assert_array_equal(logits, problem.logits)
    assert np.all(np.abs(gradient - residual @ projection) <= rounding(problem, projection))
    assert_allclose(loss, expected_loss, rtol=1e-5, atol=1e-6)
    assert total == pytest.approx(problem.weights @ loss.astype(float), rel=1e-12)
    assert largest == np.abs(gradient).max()


@pytest.mark.parametrize("n_classes", [2, 5, 20, 64, 100, 300])
def test_any_number_of_columns_is_projected(n_classes):
    problem = make_problem(21, n_classes)
    residual = problem.residual()
    for n_columns in {1, 2, 4, 5, 8, 9, 16, 17, n_classes - 1, n_classes}:
        if not 1 <= n_columns <= n_classes:
            continue
        projection = projection_of(n_classes, n_columns)
        _, gradient, *_ = advance(problem, projection=projection, has_curvature=True)
        expected = residual @ projection
        assert np.all(np.abs(gradient[:, :-1] - expected) <= rounding(problem, projection))


def test_the_largest_gradient_leaves_out_the_curvature():
    problem = make_problem(50, 10)
    projection = 1e-3 * projection_of(10, 2)
    _, gradient, *_, largest = advance(problem, projection=projection, has_curvature=True)
    assert largest == np.abs(gradient[:, :-1]).max() < gradient[:, -1].max()


@pytest.mark.parametrize("n_classes", CLASSES)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_curvature_of_a_row_is_half_the_sum_over_its_classes(n_classes, options):
    problem = make_problem(37, n_classes, **options)
    projection = projection_of(n_classes, 1)
    _, gradient, *_ = advance(problem, projection=projection, has_curvature=True)
    expected = problem.curvature().sum(axis=1) / 2
    assert_allclose(expected, 1 - (problem.proba() * problem.smoothed()).sum(axis=1), atol=1e-6)
    assert_allclose(gradient[:, 1], expected, rtol=1e-5, atol=2e-6)


def test_the_curvature_of_a_hard_label_is_its_residual_and_never_negative():
    problem = make_problem(300, 5, scale=12.0)
    projection = np.eye(5, dtype=np.float32)
    _, gradient, *_ = advance(problem, projection=projection, has_curvature=True)
    rows = np.arange(300)
    assert_array_equal(gradient[:, -1], -gradient[rows, problem.target])
    soft = make_problem(300, 5, soft=True, scale=30.0, label_smoothing=0.1)
    _, gradient, *_ = advance(soft, projection=projection, has_curvature=True)
    assert gradient[:, -1].min() >= 0


@pytest.mark.parametrize("n_classes", CLASSES)
def test_the_loss_and_the_residual_are_the_kernels_own_bits(n_classes):
    problem = make_problem(70, n_classes)
    expected, residual = _kernel.loss_gradient(problem.logits, problem.target)
    _, gradient, loss, *_ = advance(problem, projection=np.eye(n_classes, dtype=np.float32))
    assert_array_equal(loss, expected)
    assert_array_equal(gradient, residual)


@pytest.mark.parametrize("n_classes", CLASSES)
def test_logits_grow_by_the_values_of_their_leaf(n_classes):
    problem = make_problem(45, n_classes)
    rng = np.random.default_rng(3)
    leaves = rng.integers(6, size=45).astype(np.int32)
    values = rng.standard_normal((6, n_classes)).astype(np.float32)
    logits, _, loss, total, _ = advance(problem, update=(leaves, values))
    assert_array_equal(logits, problem.logits + values[leaves])
    assert_array_equal(loss, _kernel.loss(logits, problem.target))
    assert total == pytest.approx(loss.sum(dtype=float), rel=1e-12)


def test_without_a_target_only_the_logits_grow():
    problem = make_problem(45, 7)
    update = np.arange(45, dtype=np.int32) % 2, np.ones((2, 7), np.float32)
    nothing = dict.fromkeys(["target_index", "loss"])
    logits, *_, total, largest = advance(problem, update=update, **nothing)
    assert_array_equal(logits, problem.logits + 1)
    assert (total, largest) == (0, 0)


@pytest.mark.parametrize("n_rows", [1, 17, 1000])
@pytest.mark.parametrize("n_classes", [3, 20, 200])
def test_threads_do_not_change_a_bit(n_rows, n_classes):
    problem = make_problem(n_rows * 20, n_classes, weighted=True)
    projection = projection_of(n_classes, 2)
    one = advance(problem, projection=projection, has_curvature=True)
    for n_threads in (2, 3):
        more = advance(problem, projection=projection, has_curvature=True, n_threads=n_threads)
        for a, b in zip(one, more, strict=True):
            assert_array_equal(a, b)


def test_a_row_does_not_depend_on_its_neighbours():
    problem = make_problem(200, 20)
    projection = projection_of(20, 3)
    _, gradient, loss, *_ = advance(problem, projection=projection)
    for rows in ([0], [199], [3, 77, 150]):
        _, alone, alone_loss, *_ = advance(problem.take(rows), projection=projection)
        assert_array_equal(alone, gradient[rows])
        assert_array_equal(alone_loss, loss[rows])


@pytest.mark.parametrize(
    ("bad", "word"), [(np.nan, "NaN"), (np.inf, r"\+inf"), (-np.inf, "-inf at its target")]
)
@pytest.mark.parametrize("n_classes", [3, 20])
def test_logits_that_are_not_finite_are_an_error_that_names_the_row(n_classes, bad, word):
    problem = make_problem(100, n_classes)
    problem.logits[71, problem.target[71]] = bad
    with pytest.raises(RuntimeError, match=f"logits: row 71 holds {word}"):
        advance(problem, projection=projection_of(n_classes, 2))
    with pytest.raises(RuntimeError, match="logits: row 71"):
        advance(problem)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"logits": None}, "logits"),
        ({"logits": np.zeros(11, np.float32)}, "logits: not a whole number"),
        ({"n_classes": 1}, "n_classes"),
        ({"n_classes": 0}, "n_classes"),
        ({"target_index": np.zeros(5, np.int64)}, "target_index: expected 10 entries"),
        ({"target_index": np.full(10, 4)}, "target_index: entry 0 is 4, accepted are 0..3"),
        ({"target_index": np.full(10, -1)}, "target_index: entry 0 is -1"),
        ({"target_proba": np.zeros(40, np.float32)}, "target"),
        ({"sample_weight": np.ones(3)}, "sample_weight: expected 10"),
        ({"sample_weight": np.full(10, -1.0)}, "sample_weight: entry 0"),
        ({"sample_weight": np.full(10, np.nan)}, "sample_weight: entry 0"),
        ({"label_smoothing": 1.5}, "label_smoothing"),
        ({"logit_l2": -1.0}, "logit_l2"),
        ({"projection": np.zeros((3, 2), np.float32)}, "projection: expected 8"),
        ({"projection": None, "gradient": np.zeros(7, np.float32)}, "gradient: needed"),
        ({"n_columns": 0}, "n_columns"),
        ({"n_columns": 5}, "n_columns"),
        ({"gradient": np.zeros(7, np.float32)}, "gradient: expected 20"),
        ({"loss": np.zeros(7, np.float32)}, "loss: expected 10"),
        ({"n_threads": 0}, "n_threads"),
        ({"leaf_of_row": np.zeros(10, np.int32)}, "leaf_values: needed"),
    ],
)
def test_the_door_names_the_argument(changes, message):
    with pytest.raises(ValueError, match=message):
        advance(make_problem(10, 4), **{"projection": projection_of(4, 2)} | changes)


@pytest.mark.parametrize(
    ("leaf", "value", "message"),
    [
        (2, 0.0, "leaf_of_row: entry 9 is 2, accepted are 0..1"),
        (-1, 0.0, "leaf_of_row: entry 9 is -1"),
        (0, np.nan, "leaf_values: entry 7 is not finite"),
        (0, np.inf, "leaf_values: entry 7 is not finite"),
    ],
)
def test_bad_leaves_are_refused_before_a_logit_changes(leaf, value, message):
    problem = make_problem(10, 4)
    leaves, values = np.zeros(10, np.int32), np.ones((2, 4), np.float32)
    leaves[9], values[1, 3] = leaf, value
    logits = problem.logits.copy()
    with pytest.raises(ValueError, match=message):
        advance(problem, update=(leaves, values), logits=logits.reshape(-1))
    assert_array_equal(logits, problem.logits)


def test_another_dtype_is_refused():
    problem = make_problem(10, 4)
    with pytest.raises(TypeError):
        advance(problem, logits=problem.logits.astype(np.float64).reshape(-1))


# --- records --------------------------------------------------------------------------------------


def expected_records(gradient, weight, has_curvature, lanes, scales):
    n, width = gradient.shape
    columns = width - has_curvature
    expected = np.zeros((n, lanes))
    scale = np.full(width, scales[0])
    scale[columns:] = scales[1]
    expected[:, :width] = weight[:, None] * np.rint(gradient.astype(float) * scale)
    expected[:, width] = weight * scales[2]
    most = 2.0**31 - 1
    return np.rint(np.clip(expected, -most, most)).astype(np.int32)


@pytest.mark.parametrize("n_rows", [1, 2, 17, 1000])
@pytest.mark.parametrize(
    ("n_columns", "has_curvature", "lanes"),
    [(1, False, 4), (3, False, 4), (2, True, 4), (5, True, 8), (7, False, 8), (14, True, 16),
     (19, False, 32)],
)  # fmt: skip
@pytest.mark.parametrize("weighted", [False, True])
def test_records_are_the_scaled_gradients_times_the_weight(
    n_rows, n_columns, has_curvature, lanes, weighted
):
    rng = np.random.default_rng(n_rows)
    gradient = rng.standard_normal((n_rows, n_columns + has_curvature)).astype(np.float32)
    weight = rng.uniform(0, 2, n_rows) if weighted else None
    scales = 2.0**20, 2.0**18, 2.0**10
    names = ("gradient_scale", "curvature_scale", "weight_scale")
    found = records(
        gradient,
        weight=weight,
        has_curvature=has_curvature,
        lanes=lanes,
        **dict(zip(names, scales, strict=True)),
    )
    weights = np.ones(n_rows) if weight is None else weight
    assert_array_equal(found, expected_records(gradient, weights, has_curvature, lanes, scales))


def test_an_integer_weight_is_a_multiple_of_the_record():
    gradient = np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)
    one = records(gradient, gradient_scale=2.0**12)
    three = records(gradient, gradient_scale=2.0**12, weight=np.full(50, 3.0))
    assert_array_equal(three, 3 * one)


def test_what_an_int32_cannot_hold_is_its_end():
    gradient = np.array([[1e30, -1e30, 1.0]], np.float32)
    most = 2**31 - 1
    found = records(gradient, weight=np.array([1e20]), weight_scale=4.0)
    assert_array_equal(found, [[most, -most, most, most]])


def test_threads_do_not_change_the_records():
    gradient = np.random.default_rng(0).standard_normal((70000, 3)).astype(np.float32)
    one = records(gradient, gradient_scale=1000.0)
    assert_array_equal(records(gradient, gradient_scale=1000.0, n_threads=2), one)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lanes": 5}, "lanes"),
        ({"lanes": 0}, "lanes"),
        ({"gradient_scale": np.inf}, "gradient_scale"),
        ({"gradient_scale": np.nan}, "gradient_scale"),
        ({"curvature_scale": -1.0}, "curvature_scale"),
        ({"weight_scale": -1.0}, "weight_scale"),
        ({"weight": np.ones(3)}, "sample_weight: expected 4"),
        ({"weight": np.full(4, np.inf)}, "sample_weight: entry 0"),
        ({"n_threads": 0}, "n_threads"),
    ],
)
def test_the_door_of_records_names_the_argument(changes, message):
    with pytest.raises(ValueError, match=message):
        records(np.zeros((4, 3), np.float32), **changes)


def test_too_many_columns_for_the_lanes_are_refused():
    with pytest.raises(ValueError, match="n_columns"):
        records(np.zeros((4, 4), np.float32), lanes=4)
