"""What the public functions refuse, and in which words: the argument, and the first bad row."""

import re

import numpy as np
import pytest

from sksoftmax.functional import (
    cross_entropy,
    cross_entropy_gradient,
    entropy,
    hessian_product,
    js_divergence,
    kl_divergence,
    log_softmax,
    logsumexp,
    softmax,
)

MAPS = [softmax, log_softmax, logsumexp, entropy]


def add_arguments(function, logits, **keywords):
    """Call a function on logits, with a harmless second argument where it needs one."""
    shape = np.shape(logits) if isinstance(logits, np.ndarray) else (1, 2)
    if function is hessian_product:
        return function(logits, np.zeros(shape), **keywords)
    if function in (cross_entropy, cross_entropy_gradient):
        return function(logits, np.zeros(shape[:-1], dtype=int), **keywords)
    return function(logits, **keywords)


ALL = [*MAPS, cross_entropy, cross_entropy_gradient, hessian_product]
all_functions = pytest.mark.parametrize("function", ALL, ids=lambda f: f.__name__)


@all_functions
@pytest.mark.parametrize(
    ("logits", "message"),
    [
        (np.zeros((0, 3)), r"logits.*\(0, 3\)"),
        (np.zeros((3, 0)), r"logits.*\(3, 0\)"),
        ([], "logits"),
        (1.0, "logits"),
        ([[1, 2], [3]], "logits"),
        ([["a", "b"]], "logits"),
        ([["1", "2"]], "logits"),
        ([[None, 1.0]], "logits"),
        ([[1j, 1.0]], "logits"),
        (np.array([[1j, 1.0]], dtype=object), "logits"),
        ([[object(), 1.0]], "logits"),
        (np.array([["2020-01-01"]], dtype="M8[D]"), "logits"),
        ({"a": 1}, "logits"),
        (np.ma.masked_array([[1.0, 2.0]], mask=[[True, False]]), "logits"),
        ([[10**400, 1]], "logits"),
    ],
)
def test_logits_are_arrays_of_real_numbers(function, logits, message):
    with pytest.raises((ValueError, TypeError), match=message):
        add_arguments(function, logits)


@all_functions
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_the_first_row_with_nan_or_infinity_is_named_by_its_index(function, wrong):
    one, two, four = np.zeros(3), np.zeros((5, 3)), np.zeros((2, 3, 4, 5))
    for array, where, named in (
        (one, (1,), "0"),
        (two, (3, 0), "3"),
        (four, (1, 2, 0, 4), r"(1, 2, 0)"),
    ):
        array[where] = wrong
        with pytest.raises(ValueError, match=f"^logits: row {re.escape(named)} "):
            add_arguments(function, array)


@pytest.mark.parametrize("function", MAPS, ids=lambda f: f.__name__)
def test_a_row_along_another_axis_is_named_with_a_colon(function):
    z = np.zeros((3, 4, 5))
    z[1, 2, 3] = np.nan
    for axis, named in ((0, "(:, 2, 3)"), (1, "(1, :, 3)"), (2, "(1, 2)"), (-3, "(:, 2, 3)")):
        with pytest.raises(ValueError, match=f"^logits: row {re.escape(named)} "):
            function(z, axis=axis)


@pytest.mark.parametrize("axis", [2, -3, 10**30, None, 1.0, "last", (0, 1)])
def test_the_axis_is_one_that_exists(axis):
    for function in MAPS:
        with pytest.raises((ValueError, TypeError), match="axis"):
            function(np.zeros((2, 3)), axis=axis)
    with pytest.raises((ValueError, TypeError), match="axis"):
        kl_divergence(np.eye(2), np.eye(2), axis=axis)


@all_functions
@pytest.mark.parametrize(
    "temperature", [-1, -np.inf, np.nan, [1.0, -1.0, np.nan], "hot", [1, 2], 1j]
)
def test_wrong_temperatures_are_rejected_by_name(function, temperature):
    with pytest.raises(ValueError, match=r"^temperature") as caught:
        add_arguments(function, np.zeros((3, 2)), temperature=temperature)
    if temperature == [1.0, -1.0, np.nan]:
        assert "row 1 " in str(caught.value)


@pytest.mark.parametrize("temperature", [0, np.inf, [1.0, 0.0], [1.0, np.inf]])
def test_losses_and_derivatives_have_no_limits_of_temperature(temperature):
    z = np.zeros((2, 3))
    for call in (
        lambda: logsumexp(z, temperature=temperature),
        lambda: cross_entropy(z, [0, 0], temperature=temperature),
        lambda: cross_entropy_gradient(z, [0, 0], temperature=temperature),
        lambda: hessian_product(z, z, temperature=temperature),
    ):
        with pytest.raises(ValueError, match=r"^temperature.*positive and finite"):
            call()


@pytest.mark.parametrize(
    "mask",
    [
        np.ones((3, 3), dtype=bool),
        np.ones((2, 4, 3), dtype=bool),
        [[2, 1, 0]],
        [[0.5, 1, 1]],
        [[np.nan, 1, 1]],
        "all",
        [[None, True, True]],
    ],
    ids=str,
)
def test_a_mask_holds_booleans_and_fits_the_logits(mask):
    with pytest.raises(ValueError, match=r"^mask"):
        softmax(np.zeros((2, 3)), mask=mask)


@all_functions
def test_a_row_without_an_available_class_is_named(function):
    z = np.zeros((4, 3))
    z[2] = -np.inf
    with pytest.raises(ValueError, match="row 2 "):
        add_arguments(function, z)
    with pytest.raises(ValueError, match=r"row 2 "):
        softmax(np.zeros((4, 3)), mask=np.arange(4)[:, None] != 2)


WRONG_TARGETS = [
    ([0, 3, 0], r"^target: row 1 is 3, not a class index from 0 to 2"),
    ([0, -1, 7], r"^target: row 1 is -1"),
    (np.array([0, 2**64 - 1, 0], dtype=np.uint64), r"^target: row 1 "),
    ([0, 10**30, 0], "^target"),
    ([0.0, 1.0, 2.0], "^target"),
    ([True, False, True], "^target"),
    (["a", "b", "c"], "^target"),
    ([0, 1], "^target"),
    ([[0], [1], [2]], "^target"),
    (0, "^target"),
    (np.zeros((3, 3)), r"^target: row 0 sums to 0"),
    ([[1, 0, 0], [0.5, 0.4, 0], [1, 0, 0]], r"^target: row 1 sums to 0.9"),
    ([[1, 0, 0], [1.5, -0.5, 0], [1, 0, 0]], r"^target: row 1 .*negative"),
    ([[1, 0, 0], [np.nan, 0.5, 0.5], [1, 0, 0]], r"^target: row 1 "),
    ([[1, 0, 0], [np.inf, 0, 0], [1, 0, 0]], r"^target: row 1 "),
    ([[1, 0, 0], [1 + 2e-6, 0, 0], [1, 0, 0]], r"^target: row 1 sums to 1.000002"),
    (np.array([[1, 0, 0], [1.0003, 0, 0], [1, 0, 0]], np.float32), r"^target: row 1 sums to 1.000"),
    ([[1, 0], [1, 0], [1, 0]], "^target"),
    (None, "^target"),
]  # fmt: skip


@pytest.mark.parametrize(("target", "message"), WRONG_TARGETS)
def test_a_target_is_class_indices_or_rows_of_probabilities(target, message):
    for function in (cross_entropy, cross_entropy_gradient):
        with pytest.raises(ValueError, match=message):
            function(np.zeros((3, 3)), target)


def test_a_target_on_an_unavailable_class_is_named_by_its_index():
    mask = np.ones((2, 3, 4), dtype=bool)
    mask[1, 1, 0] = False
    for target in (np.zeros((2, 3), dtype=int), np.eye(4)[np.zeros((2, 3), dtype=int)]):
        with pytest.raises(ValueError, match=r"^target: row \(1, 1\) "):
            cross_entropy(np.zeros((2, 3, 4)), target, mask=mask)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("sample_weight", [1, -1, np.nan], "^sample_weight: row 1 is negative"),
        ("sample_weight", [1, 1, np.nan], "^sample_weight: row 2 "),
        ("sample_weight", [1, np.inf, 1], "^sample_weight: row 1 is infinite"),
        ("sample_weight", [1, 1], "^sample_weight.*shape"),
        ("sample_weight", np.ones((3, 1)), "^sample_weight.*shape"),
        ("sample_weight", "balanced", "^sample_weight"),
        ("sample_weight", [0, 0, 0], "^sample_weight"),
        ("sample_weight", [1e308, 1e308, 1e308], "^sample_weight.*overflow"),
        ("class_weight", [1, 2], "^class_weight"),
        ("class_weight", [1, -2, 1], "^class_weight: class 1 "),
        ("class_weight", [1, np.nan, 1], "^class_weight: class 1 "),
        ("class_weight", {3: 1.0}, "^class_weight: 3 "),
        ("class_weight", {"a": 1.0}, "^class_weight: 'a' "),
        ("class_weight", {0: -1.0}, "^class_weight: class 0 "),
        ("class_weight", {0: "heavy"}, "^class_weight"),
        ("class_weight", {0: [1.0, 2.0]}, "^class_weight"),
        ("class_weight", "balanced", "^class_weight"),
        ("class_weight", [0, 1, 1], "weight"),
        ("label_smoothing", -0.1, "^label_smoothing"),
        ("label_smoothing", 1.0, "^label_smoothing"),
        ("label_smoothing", np.nan, "^label_smoothing"),
        ("label_smoothing", [0.1, 0.2], "^label_smoothing"),
        ("label_smoothing", None, "^label_smoothing"),
        ("logit_l2", -1e-9, "^logit_l2"),
        ("logit_l2", np.inf, "^logit_l2"),
        ("logit_l2", "small", "^logit_l2"),
        ("reduction", "average", "^reduction"),
        ("reduction", None, "^reduction"),
    ],
)
def test_wrong_arguments_of_the_loss_are_rejected_by_name(name, value, message):
    for function in (cross_entropy, cross_entropy_gradient):
        with pytest.raises(ValueError, match=message):
            function(np.zeros((3, 3)), [0, 0, 0], **{name: value})


def test_weights_that_overflow_float32_are_rejected():
    z = np.zeros((2, 3), dtype=np.float32)
    with pytest.raises(ValueError, match="sample_weight: row 1 overflows float32"):
        cross_entropy(z, [0, 0], sample_weight=[1, 1e300], reduction="sum")
    assert cross_entropy(z, [0, 0], sample_weight=[1, 1e300]) == pytest.approx(np.log(3))


@pytest.mark.parametrize(
    ("direction", "message"),
    [
        (np.zeros((2, 2)), "^direction.*shape"),
        (np.zeros(3), "^direction.*shape"),
        ([[0, 0, 0], [0, np.nan, 0]], "^direction: row 1 "),
        ([[0, 0, 0], [0, np.inf, 0]], "^direction: row 1 "),
        ([[0, 0, 0], [0, 1j, 0]], "^direction"),
    ],
)
def test_a_direction_is_finite_and_of_the_shape_of_the_logits(direction, message):
    with pytest.raises(ValueError, match=message):
        hessian_product(np.zeros((2, 3)), direction)


def test_a_direction_is_ignored_where_the_class_is_not_available():
    z = np.array([[0.0, 1.0, -np.inf, 2.0]])
    v = np.array([[1.0, 2.0, np.nan, np.inf]])
    mask = [True, True, True, False]
    np.testing.assert_allclose(
        hessian_product(z, v, mask=mask)[0], [*hessian_product(z[:, :2], v[:, :2])[0], 0, 0]
    )


@pytest.mark.parametrize(
    "out",
    [
        np.zeros((2, 4)),
        np.zeros(6),
        np.zeros((2, 3), dtype=np.float32),
        np.zeros((2, 3), dtype=">f8"),
        np.zeros((2, 3), dtype=int),
        [[0.0] * 3] * 2,
        np.broadcast_to(0.0, (2, 3)),  # read-only
        "here",
    ],
    ids=str,
)
def test_out_is_a_writable_array_of_the_shape_and_dtype_of_the_result(out):
    for function in (softmax, log_softmax):
        with pytest.raises((ValueError, TypeError), match=r"^out"):
            function(np.zeros((2, 3)), out=out)


@pytest.mark.parametrize("function", [kl_divergence, js_divergence])
@pytest.mark.parametrize(
    ("p", "q", "message"),
    [
        ([[0.5, 0.5], [0.5, 0.6]], [0.5, 0.5], "^p: row 1 sums to 1.1"),
        ([0.5, 0.5], [[0.5, 0.5], [1.5, -0.5]], "^q: row 1 .*negative"),
        ([np.nan, 1.0], [0.5, 0.5], "^p: row 0 "),
        ([0.5, 0.5], [0.2, 0.3, 0.5], "^p of shape"),
        ([], [], "^p"),
        (1.0, 1.0, "^p"),
        (["a"], [1.0], "^p"),
        ([1.0], None, "^q"),
    ],
)
def test_divergences_are_of_probabilities(function, p, q, message):
    with pytest.raises(ValueError, match=message):
        function(p, q)


@pytest.mark.parametrize("weights", [(1.0,), (0.5, 0.6), (-0.5, 1.5), (np.nan, 1), "ab", 0.5])
def test_weights_of_js_divergence_are_two_shares(weights):
    with pytest.raises(ValueError, match=r"^weights"):
        js_divergence([1.0], [1.0], weights=weights)


@pytest.mark.parametrize("temperature", [-1e-60, [-1e-60, 1.0], np.longdouble("-1e-4000")])
def test_a_negative_temperature_that_rounds_to_zero_is_negative(temperature):
    with pytest.raises(ValueError, match=r"temperature.* -"):
        softmax(np.zeros((2, 2), np.float32), temperature=temperature)


@pytest.mark.parametrize("temperature", [-0.0, [-0.0, 0.0]])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_temperature_of_minus_zero_is_zero(temperature, dtype):
    logits = np.array([[1, 2], [3, 3]], dtype)
    np.testing.assert_array_equal(softmax(logits, temperature=temperature), [[0, 1], [0.5, 0.5]])


def test_a_reduction_is_a_string():
    with pytest.raises(ValueError, match="reduction must be"):
        cross_entropy(np.zeros((2, 2)), [0, 1], reduction=np.array(["mean", "sum"]))


def test_rows_that_do_not_sum_to_one_are_told_what_to_do():
    with pytest.raises(ValueError, match=r"target: row 1 sums to 3; .*sample_weight"):
        cross_entropy(np.zeros((2, 2)), [[0.5, 0.5], [1, 2]])
