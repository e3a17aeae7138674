"""The public functions against SciPy, scikit-learn and their own definitions."""

import numpy as np
import pytest
from scipy import special
from scipy.spatial.distance import jensenshannon
from sklearn.metrics import log_loss

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

DTYPES = [np.float32, np.float64]
# Any number of dimensions, the class axis anywhere, both sides of the kernel's loop border.
SHAPES_AND_AXES = [
    ((5,), 0),
    ((40,), -1),
    ((7, 3), 1),
    ((7, 3), 0),
    ((30, 20), -2),
    ((2, 3, 4), 0),
    ((2, 3, 4), 1),
    ((2, 30, 4), -2),
    ((2, 3, 40), -1),
    ((2, 1, 3, 2, 5), 2),
]
all_shapes = pytest.mark.parametrize(("shape", "axis"), SHAPES_AND_AXES)
all_dtypes = pytest.mark.parametrize("dtype", DTYPES)


def tolerance(dtype):
    return {"rtol": 100 * np.finfo(dtype).eps, "atol": 10 * np.finfo(dtype).eps}


def random_logits(rng, shape, dtype=np.float64):
    return (3 * rng.standard_normal(shape)).astype(dtype)


def random_proba(rng, shape, axis=-1):
    values = rng.random(shape)
    return values / values.sum(axis=axis, keepdims=True)


# --- SciPy as the oracle ---


@all_dtypes
@all_shapes
def test_softmax_and_its_logarithm_agree_with_scipy(shape, axis, dtype, rng):
    z = random_logits(rng, shape, dtype)
    for got, expected in (
        (softmax(z, axis=axis), special.softmax(z, axis=axis)),
        (log_softmax(z, axis=axis), special.log_softmax(z, axis=axis)),
    ):
        assert got.shape == shape
        assert got.dtype == dtype
        assert got.flags.c_contiguous
        np.testing.assert_allclose(got, expected, **tolerance(dtype))


@all_dtypes
@all_shapes
def test_logsumexp_and_entropy_agree_with_scipy(shape, axis, dtype, rng):
    z = random_logits(rng, shape, dtype)
    p = special.softmax(z.astype(np.float64), axis=axis)
    for got, expected in (
        (logsumexp(z, axis=axis), special.logsumexp(z, axis=axis)),
        (entropy(z, axis=axis), special.entr(p).sum(axis=axis)),
    ):
        assert np.shape(got) == np.shape(expected)
        assert got.dtype == dtype
        np.testing.assert_allclose(got, expected, **tolerance(dtype))


@all_shapes
def test_a_mask_agrees_with_scipys_weights_of_zero(shape, axis, rng):
    z = random_logits(rng, shape)
    mask = rng.random(shape) < 0.6
    np.put_along_axis(mask, np.argmax(z, axis=axis, keepdims=True), True, axis=axis)
    expected = special.softmax(np.where(mask, z, -np.inf), axis=axis)
    np.testing.assert_allclose(softmax(z, mask=mask, axis=axis), expected, rtol=1e-13)
    expected = special.logsumexp(z, b=mask, axis=axis)
    np.testing.assert_allclose(logsumexp(z, mask=mask, axis=axis), expected, rtol=1e-13, atol=1e-15)


@all_shapes
def test_divergences_agree_with_scipy(shape, axis, rng):
    p, q = random_proba(rng, shape, axis), random_proba(rng, shape, axis)
    expected = special.rel_entr(p, q).sum(axis=axis)
    np.testing.assert_allclose(kl_divergence(p, q, axis=axis), expected, rtol=1e-12, atol=1e-15)
    expected = jensenshannon(p, q, axis=axis) ** 2
    got = js_divergence(p, q, axis=axis)
    assert np.shape(got) == np.shape(expected)
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-15)


# --- scikit-learn as the oracle ---


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_classes", [2, 5, 30])
def test_the_mean_agrees_with_sklearns_log_loss(n_classes, weighted, rng):
    z = random_logits(rng, (200, n_classes))
    y = rng.integers(n_classes, size=200)
    weight = rng.uniform(0, 3, 200) if weighted else None
    expected = log_loss(y, softmax(z), sample_weight=weight, labels=np.arange(n_classes))
    assert cross_entropy(z, y, sample_weight=weight) == pytest.approx(expected, rel=1e-12)


def test_class_weights_agree_with_sklearns_log_loss_of_weighted_samples(rng):
    z, y = random_logits(rng, (200, 4)), rng.integers(4, size=200)
    weight, per_class = rng.uniform(0, 3, 200), np.array([0.5, 0.0, 2.0, 1.0])
    expected = log_loss(y, softmax(z), sample_weight=weight * per_class[y], labels=range(4))
    for class_weight in (per_class, list(per_class), {0: 0.5, 1: 0, 2: 2.0}):
        got = cross_entropy(z, y, sample_weight=weight, class_weight=class_weight)
        assert got == pytest.approx(expected, rel=1e-12)


# --- cross-entropy by its own definition ---


def definition(z, q, weight, temperature, available, logit_l2):
    """w * (-sum q log p + logit_l2 / 2 sum z^2), written once more, with SciPy."""
    log_p = special.log_softmax(np.where(available, z, -np.inf) / temperature[..., None], axis=-1)
    cross = -(q * np.where(q > 0, log_p, 0)).sum(axis=-1)
    return weight * (cross + logit_l2 / 2 * (np.where(available, z, 0) ** 2).sum(axis=-1))


@pytest.mark.parametrize("leading", [(), (9,), (2, 3)])
@pytest.mark.parametrize("n_classes", [4, 30])
@pytest.mark.parametrize("soft", [False, True])
def test_everything_at_once_is_what_the_docstring_says(leading, n_classes, soft, rng):
    """Class weight of soft targets before smoothing, smoothing over available classes, l2 on z."""
    shape = (*leading, n_classes)
    z, e, l2 = random_logits(rng, shape), 0.2, 0.1
    y = rng.integers(n_classes, size=leading)
    available = (rng.random(shape) < 0.7) | (np.arange(n_classes) == y[..., None])
    one_hot = (np.arange(n_classes) == y[..., None]).astype(float)
    target, q = y, one_hot
    if soft:
        target = q = random_proba(rng, shape) * available + one_hot
        target = q = q / q.sum(axis=-1, keepdims=True)
    temperature, weight = rng.uniform(0.5, 2, leading), rng.uniform(0.5, 2, leading)
    per_class = rng.uniform(0.5, 2, n_classes)
    w = weight * (q @ per_class)
    smoothed = (1 - e) * q + e * available / available.sum(axis=-1, keepdims=True)
    losses = definition(z, smoothed, w, temperature, available, l2)
    keywords = {
        "sample_weight": weight,
        "class_weight": per_class,
        "label_smoothing": e,
        "temperature": temperature,
        "mask": available,
        "logit_l2": l2,
    }
    for reduction, expected in (
        ("none", losses),
        ("sum", losses.sum()),
        ("mean", losses.sum() / w.sum()),
    ):
        got = cross_entropy(z, target, **keywords, reduction=reduction)
        np.testing.assert_allclose(got, expected, rtol=1e-12)
        assert np.shape(got) == np.shape(expected)
        value, gradient = cross_entropy_gradient(z, target, **keywords, reduction=reduction)
        np.testing.assert_array_equal(value, got)
        p = special.softmax(np.where(available, z, -np.inf) / temperature[..., None], axis=-1)
        raw = (p - smoothed) / temperature[..., None] + l2 * np.where(available, z, 0)
        raw *= w[..., None] / (w.sum() if reduction == "mean" else 1)
        np.testing.assert_allclose(gradient, raw, rtol=1e-11, atol=1e-14)
        assert gradient.shape == shape
        assert (gradient[~available] == 0).all()


def test_the_hessian_product_is_that_of_the_summed_loss(rng):
    z, v = random_logits(rng, (2, 5, 4)), rng.standard_normal((2, 5, 4))
    y, weight = rng.integers(4, size=(2, 5)), rng.uniform(0, 2, (2, 5))
    temperature = rng.uniform(0.5, 2, (2, 5))
    keywords = {"sample_weight": weight, "temperature": temperature}

    def gradient(logits):
        return cross_entropy_gradient(logits, y, reduction="sum", **keywords)[1]

    quotient = (gradient(z + 1e-5 * v) - gradient(z - 1e-5 * v)) / 2e-5
    np.testing.assert_allclose(hessian_product(z, v, **keywords), quotient, rtol=1e-6, atol=1e-9)


def test_sums_are_floats_and_taken_in_float64(rng):
    z, y = random_logits(rng, (20_000, 3), np.float32), rng.integers(3, size=20_000)
    for reduction in ("mean", "sum"):
        got = cross_entropy(z, y, reduction=reduction)
        assert type(got) is float
        expected = cross_entropy(z.astype(np.float64), y, reduction=reduction)
        assert got == pytest.approx(expected, rel=2e-7)
    assert cross_entropy(z, y, reduction="none").dtype == np.float32


def test_a_weight_of_two_is_a_duplicated_row_and_zero_a_missing_one(rng):
    z, y = random_logits(rng, (6, 4)), rng.integers(4, size=6)
    repeats = np.array([2, 1, 0, 3, 1, 0])
    for reduction in ("mean", "sum"):
        got = cross_entropy(z, y, sample_weight=repeats, reduction=reduction)
        expected = cross_entropy(z.repeat(repeats, 0), y.repeat(repeats), reduction=reduction)
        assert got == pytest.approx(expected, rel=1e-14)


def test_only_a_mean_needs_a_positive_weight():
    arguments = ([[0.0, 1.0]], [0])
    keywords = {"sample_weight": [0.0]}
    assert cross_entropy(*arguments, **keywords, reduction="sum") == 0
    np.testing.assert_array_equal(cross_entropy(*arguments, **keywords, reduction="none"), [0])
    with pytest.raises(ValueError, match="weight"):
        cross_entropy(*arguments, **keywords)
    with pytest.raises(ValueError, match="weight"):
        cross_entropy_gradient(*arguments, class_weight=[0, 1])


def test_probabilities_that_are_rounded_are_normalized():
    """Residual rows sum to zero although the target sums to 1 + 3e-7."""
    target = np.array([[0.3333334, 0.3333334, 0.3333335]])
    _, gradient = cross_entropy_gradient([[1.0, 2.0, 0.5]], target)
    assert abs(gradient.sum()) < 1e-16
    rounded = random_proba(np.random.default_rng(0), (50, 100)).astype(np.float32)
    cross_entropy(np.zeros((50, 100)), rounded)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint64, np.float16, np.float32])
def test_one_hot_rows_of_any_dtype_are_probabilities(dtype, rng):
    z, y = random_logits(rng, (8, 5)), rng.integers(5, size=8)
    one_hot = np.eye(5, dtype=dtype)[y]
    expected = cross_entropy(z, y)
    assert cross_entropy(z, one_hot) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint64, ">i4"])
def test_indices_of_any_integer_dtype_are_classes(dtype, rng):
    z, y = random_logits(rng, (8, 5)), rng.integers(5, size=8)
    assert cross_entropy(z, y.astype(dtype)) == cross_entropy(z, y)
    assert cross_entropy(z, list(y)) == cross_entropy(z, y)
    assert cross_entropy(z, y.astype(object)) == cross_entropy(z, y)


def test_the_loss_of_p_within_1e20_of_one_is_1e20():
    """log1p, not log: nothing is lost next to 1."""
    z = np.array([[0.0, np.log(1e-20)]])
    assert cross_entropy(z, [0]) == pytest.approx(1e-20, rel=1e-13)
    assert cross_entropy_gradient(z, [0])[1][0, 0] == pytest.approx(-1e-20, rel=1e-13)
    assert log_softmax(z)[0, 0] == pytest.approx(-1e-20, rel=1e-13)


# --- temperature ---


@all_shapes
def test_a_temperature_per_row_comes_in_either_shape(shape, axis, rng):
    z = random_logits(rng, shape)
    kept = rng.uniform(0.5, 2, np.delete(shape, axis))
    expanded = np.expand_dims(kept, axis)
    expected = special.softmax(z / expanded, axis=axis)
    for temperature in (kept, expanded, expanded.tolist()):
        got = softmax(z, temperature=temperature, axis=axis)
        np.testing.assert_allclose(got, expected, rtol=1e-12)
    entropies = entropy(z / expanded, axis=axis)
    np.testing.assert_allclose(entropy(z, temperature=kept, axis=axis), entropies, rtol=1e-10)


def test_temperatures_broadcast_over_leading_dimensions(rng):
    z = random_logits(rng, (2, 3, 4))
    for temperature in (
        np.array([0.5, 1, 2]),
        np.array([[[0.5]], [[2.0]]]),
        np.array([[0.5], [2]]),
    ):
        full = np.broadcast_to(
            temperature.squeeze(-1) if temperature.ndim == 3 else temperature, (2, 3)
        )
        expected = special.softmax(z / full[..., None], axis=-1)
        np.testing.assert_allclose(softmax(z, temperature=temperature), expected, rtol=1e-12)


def test_zero_and_infinite_temperatures_are_exact_limits():
    z = [[1.0, 1.0, 0.0], [0.0, -np.inf, 3.0]]
    np.testing.assert_array_equal(softmax(z, temperature=0), [[0.5, 0.5, 0], [0, 0, 1]])
    np.testing.assert_array_equal(softmax(z, temperature=[np.inf, np.inf])[1], [0.5, 0, 0.5])
    np.testing.assert_allclose(entropy(z, temperature=0), [np.log(2), 0], rtol=1e-15)
    np.testing.assert_allclose(entropy(z, temperature=np.inf), np.log([3, 2]), rtol=1e-15)
    np.testing.assert_array_equal(log_softmax(z, temperature=0)[1], [-np.inf, -np.inf, 0])


# --- dtypes and memory ---


@pytest.mark.parametrize(
    "dtype", [bool, np.int32, np.uint8, np.float16, np.longdouble, ">f8", object]
)
def test_other_real_dtypes_are_computed_in_float64(dtype):
    z = np.array([[0, 1, 1], [1, 0, 0]]).astype(dtype)
    got = softmax(z)
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got, softmax(z.astype(np.float64)))


def test_float32_of_the_other_byte_order_stays_float32():
    z = np.array([[0, 1, 2]], dtype=">f4")
    assert softmax(z).dtype == np.float32
    assert softmax(z).dtype.isnative


LAYOUTS = {
    "Fortran order": np.asfortranarray,
    "strided": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "reversed": lambda a: a[::-1].copy()[::-1],
    "read-only": lambda a: np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape),
    "unaligned": lambda a: np.frombuffer(b"x" + a.tobytes(), a.dtype, offset=1).reshape(a.shape),
    "nested lists": lambda a: a.tolist(),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_memory_layout_of_the_arguments_does_not_matter(layout, rng):
    change = LAYOUTS[layout]
    z, v = random_logits(rng, (9, 14)), rng.standard_normal((9, 14))
    q, weight, temperature = random_proba(rng, (9, 14)), rng.uniform(1, 2, 9), rng.uniform(1, 2, 9)
    mask = rng.random((9, 14)) < 2
    keywords = {"sample_weight": weight, "temperature": temperature, "mask": mask}
    changed = {name: change(values) for name, values in keywords.items()}
    np.testing.assert_array_equal(softmax(change(z)), softmax(z))
    value, gradient = cross_entropy_gradient(z, q, **keywords)
    got_value, got_gradient = cross_entropy_gradient(change(z), change(q), **changed)
    assert got_value == value
    np.testing.assert_array_equal(got_gradient, gradient)
    np.testing.assert_array_equal(
        hessian_product(change(z), change(v), **changed), hessian_product(z, v, **keywords)
    )


def test_arguments_are_never_modified(rng):
    arrays = {
        "logits": random_logits(rng, (9, 14)),
        "target": random_proba(rng, (9, 14)),
        "sample_weight": rng.uniform(1, 2, 9),
        "class_weight": rng.uniform(1, 2, 14),
        "temperature": rng.uniform(1, 2, 9),
        "mask": np.ones((9, 14), dtype=bool),
    }
    before = {name: values.copy() for name, values in arrays.items()}
    cross_entropy_gradient(**arrays)
    softmax(arrays["logits"], temperature=arrays["temperature"], mask=arrays["mask"])
    hessian_product(arrays["logits"], arrays["target"])
    js_divergence(arrays["target"], arrays["target"])
    for name, values in arrays.items():
        np.testing.assert_array_equal(values, before[name])


@all_dtypes
@all_shapes
@pytest.mark.parametrize("function", [softmax, log_softmax])
def test_the_result_goes_into_out(function, shape, axis, dtype, rng):
    z = random_logits(rng, shape, dtype)
    expected = function(z, axis=axis)
    outputs = [np.empty(shape, dtype), np.empty(shape, dtype, order="F"), z.copy()]
    outputs.append(np.empty((*shape[:-1], 2 * shape[-1]), dtype)[..., ::2])
    for out in outputs:
        assert function(z, axis=axis, out=out) is out
        np.testing.assert_array_equal(out, expected)
    assert function(z, axis=axis, out=z) is z  # in place
    np.testing.assert_array_equal(z, expected)


@pytest.mark.parametrize("n_classes", [3, 30])
def test_out_may_overlap_the_arguments_anyhow(n_classes, rng):
    buffer = rng.standard_normal((11, n_classes))
    for take, put in ((slice(0, 10), slice(1, 11)), (slice(1, 11), slice(0, 10))):
        work = buffer.copy()
        expected = softmax(work[take])
        softmax(work[take], out=work[put])
        np.testing.assert_array_equal(work[put], expected)
    square = rng.standard_normal((n_classes, n_classes))
    expected = softmax(square.T)
    softmax(square.T, out=square)
    np.testing.assert_array_equal(square, expected)
    work = rng.uniform(1, 2, (n_classes, n_classes))
    expected = softmax(buffer[:1].repeat(n_classes, 0), temperature=work[:, 0])
    softmax(buffer[:1].repeat(n_classes, 0), temperature=work[:, 0], out=work)
    np.testing.assert_array_equal(work, expected)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("n_classes", [3, 30])
def test_a_failing_call_in_place_leaves_the_logits_alone(axis, n_classes, rng):
    z = rng.standard_normal((n_classes, n_classes))
    z[-1, -1] = np.nan
    before = z.copy()
    with pytest.raises(ValueError, match=f"row .*{n_classes - 1}"):
        softmax(z, axis=axis, out=z)
    np.testing.assert_array_equal(z, before)


# --- divergences ---


def test_divergences_broadcast_and_reach_their_extremes():
    p, q = np.array([1.0, 0.0]), np.array([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]])
    np.testing.assert_allclose(kl_divergence(p, q), [np.inf, 0, np.log(2)], rtol=1e-15)
    np.testing.assert_allclose(js_divergence(p, q)[:2], [np.log(2), 0], rtol=1e-15)
    assert kl_divergence(p, p) == 0
    assert np.ndim(js_divergence(p, p)) == 0


def test_weighted_js_divergence_is_the_entropy_gain_of_the_mixture(rng):
    p, q = random_proba(rng, (5, 4)), random_proba(rng, (5, 4))
    for a in (0.25, 0.5, 0.9):
        mixture = a * p + (1 - a) * q
        h = [special.entr(each).sum(axis=1) for each in (mixture, p, q)]
        expected = h[0] - a * h[1] - (1 - a) * h[2]
        np.testing.assert_allclose(js_divergence(p, q, weights=[a, 1 - a]), expected, atol=1e-14)
    np.testing.assert_array_equal(js_divergence(p, q, weights=(0, 1)), np.zeros(5))
    np.testing.assert_array_equal(js_divergence([1.0, 0], [0, 1.0], weights=(1, 0)), 0)


def test_js_divergence_is_finite_for_subnormal_probabilities():
    tiny = np.finfo(float).smallest_subnormal
    assert js_divergence([1.0, tiny], [1.0, 0.0]) == pytest.approx(0, abs=1e-300)


@pytest.mark.parametrize(("dtype", "gaps"), [(np.float32, (87, 100)), (np.float64, (700, 740))])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_mean_of_tiny_losses_is_relatively_accurate(dtype, gaps, weighted):
    rows = 100_000
    gap = np.linspace(*gaps, rows).astype(dtype)
    logits = np.stack([np.zeros(rows, dtype), gap], axis=1)
    weight = np.linspace(1e-3, 1e3, rows) if weighted else None
    loss = cross_entropy(logits, np.ones(rows, int), sample_weight=weight)
    with_gradient, _ = cross_entropy_gradient(logits, np.ones(rows, int), sample_weight=weight)
    exact = float(np.average(np.exp(-gap.astype(np.longdouble)), weights=weight))
    np.testing.assert_allclose([loss, with_gradient], exact, rtol=1e-3, atol=0)


@pytest.mark.parametrize("scale", [1e-300, 1e-50, 1.0, 1e37, 1e300])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_mean_loss_does_not_notice_the_scale_of_the_weights(dtype, scale):
    rng = np.random.default_rng(0)
    logits, target = rng.normal(size=(20, 3)).astype(dtype), rng.integers(0, 3, 20)
    weight = np.append(rng.random(19) + 0.1, 0)
    loss, gradient = cross_entropy_gradient(logits, target, sample_weight=scale * weight)
    expected = cross_entropy_gradient(logits, target, sample_weight=weight)
    np.testing.assert_allclose(loss, expected[0], rtol=1e-14)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-5)
    each = cross_entropy_gradient(logits, target, reduction="none")[1]
    np.testing.assert_allclose(
        gradient, each * (weight / weight.sum())[:, None], rtol=1e-5, atol=1e-12
    )
