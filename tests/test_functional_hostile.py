"""Hostile input to the public functions ends in an answer or in a clear error, never otherwise.

Hypothesis draws arrays of every kind people pass by mistake: NaN, infinities, empty, one row, one
class, any axis, Fortran order, read-only, strided, objects, lists, scalars, other dtypes, wrong
shapes. The law: either a ValueError or TypeError whose text names an argument, or an answer of the
promised shape and dtype whose numbers make sense; the input is unchanged, and nothing warns.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

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

ARGUMENTS = (
    "logits", "target", "temperature", "mask", "axis", "out", "sample_weight", "class_weight",
    "label_smoothing", "logit_l2", "reduction", "direction", "weights", "p", "q",
)  # fmt: skip
REFUSED = object()

floats = st.one_of(
    st.floats(-100, 100),
    st.floats(width=32),
    st.floats(),
    st.sampled_from([0.0, -0.0, 1e308, -1e308, 5e-324, -np.inf, np.inf, np.nan]),
)
ordinary = st.floats(-50, 50, width=32)
junk = st.one_of(
    st.none(),
    st.text(max_size=3),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.complex_numbers(),
    st.lists(st.one_of(st.floats(), st.none(), st.text(max_size=2)), max_size=4),
    st.dictionaries(st.integers(-1, 3), st.floats(), max_size=3),
    st.builds(object),
)
weights = st.one_of(st.floats(0.1, 10), st.floats(0.1, 10), st.floats(0, 100))
shapes = st.one_of(
    arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=20),
    arrays.array_shapes(min_dims=2, max_dims=3, min_side=2, max_side=6),
    arrays.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=5),
    arrays.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=5),
    arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
    st.sampled_from([(1, 1), (1, 3000), (300, 1), (2, 0), (0, 2), (70, 13)]),
)
dtypes = st.sampled_from(
    ["f4", "f8", "f8", ">f4", ">f8", "f2", "g", "i1", "i8", "u8", "?", "O", "c16", "U3", "M8[s]"]
)


@st.composite
def hostile_arrays(draw, shape=None, elements=None):
    """An array in some dtype and memory layout, a list, or a scalar."""
    if shape is None:
        shape = draw(shapes)
    if elements is None:
        elements = draw(st.sampled_from([ordinary, ordinary, ordinary, floats]))
    values = draw(arrays.arrays(np.float64, shape, elements=elements, fill=elements))
    dtype = draw(st.one_of(st.sampled_from(["f4", "f8"]), st.sampled_from(["f4", "f8"]), dtypes))
    with np.errstate(all="ignore"):
        values = values.astype(dtype)
    layout = draw(st.sampled_from(["C", "C", "F", "strided", "reversed", "read-only", "list"]))
    if layout == "F":
        values = np.asfortranarray(values)
    elif layout == "strided" and values.ndim:
        values = np.repeat(values, 2, axis=-1)[..., ::2]
    elif layout == "reversed" and values.ndim:
        values = values[::-1]
    elif layout == "read-only":
        values = values.copy()
        values.setflags(write=False)
    elif layout == "list":
        return values.tolist()
    return values


def related(draw, shape, *, elements, proper):
    """An argument that mostly fits the shape, sometimes has another, sometimes is junk."""
    kind = draw(st.sampled_from([*5 * ["fits"], "other shape", "junk", "absent"]))
    if kind == "fits":
        return draw(
            arrays.arrays(np.float64, shape, elements=proper, fill=st.one_of(st.just(1.0), proper))
        )
    if kind == "other shape":
        return draw(hostile_arrays(elements=elements))
    return draw(junk) if kind == "junk" else None


@st.composite
def shape_arguments(draw, shape, *, with_axis):
    """temperature, mask and axis."""
    keywords = {}
    axis = -1
    if with_axis:
        axis = draw(st.one_of(st.integers(-len(shape), max(0, len(shape) - 1)), st.integers(-9, 9)))
        keywords["axis"] = axis
    row_shape = list(shape)
    if -len(shape) <= axis < len(shape):
        del row_shape[axis]
    proper = st.one_of(st.floats(0.1, 10), st.floats(1e-9, 1e9))
    extremes = [0.0, np.inf, -1.0, np.nan]
    if with_axis:  # derivatives divide by T^2, which then leaves the range of floating point
        extremes += [5e-324, 1e-200, 1.7e308]
    limits = st.one_of(proper, proper, st.sampled_from(extremes))
    if draw(st.booleans()):
        temperature = related(draw, tuple(row_shape), elements=limits, proper=proper)
        keywords["temperature"] = draw(limits) if temperature is None else temperature
    if draw(st.booleans()):
        elements = st.sampled_from([True, True, True, True, False])
        fitting = arrays.arrays(bool, shape, elements=elements, fill=st.just(True))
        keywords["mask"] = draw(st.one_of(fitting, fitting, hostile_arrays(), junk))
    return keywords


@st.composite
def targets(draw, shape):
    row_shape, n_classes = shape[:-1], max(1, shape[-1] if shape else 1)
    kind = draw(st.sampled_from([*4 * ["index"], *3 * ["proba"], "bad index", "any", "junk"]))
    if kind == "index":
        return draw(arrays.arrays(np.int64, row_shape, elements=st.integers(0, n_classes - 1)))
    if kind == "proba":
        shares = st.one_of(st.floats(0.1, 1), st.floats(0, 1))
        proba = draw(arrays.arrays(np.float64, shape, elements=shares, fill=st.just(0.5)))
        with np.errstate(all="ignore"):
            return proba / proba.sum(axis=-1, keepdims=True) if shape else proba
    if kind == "bad index":
        integers = st.integers(-(2**63), 2**63 - 1)
        return draw(arrays.arrays(np.int64, row_shape, elements=integers))
    return draw(hostile_arrays() if kind == "any" else junk)


def outcome(function, *arguments, **keywords):
    """The answer, or REFUSED after a ValueError or TypeError that names an argument."""
    inputs = [*arguments, *(value for name, value in keywords.items() if name != "out")]
    inputs = [array for array in inputs if isinstance(array, np.ndarray) and array.dtype != "O"]
    before = [array.tobytes() for array in inputs]
    message = None
    try:
        answer = function(*arguments, **keywords)
    except (ValueError, TypeError) as error:
        answer, message = REFUSED, str(error)
    assert message is None or message.startswith(ARGUMENTS), message
    assert [array.tobytes() for array in inputs] == before
    return answer


def result_dtype(*arguments):
    return np.float32 if np.asarray(arguments[0]).dtype in ("f4", ">f4") else np.float64


@pytest.mark.parametrize("function", [softmax, log_softmax])
@settings(max_examples=250)
@given(st.data())
def test_softmax_gives_probabilities_or_a_clear_error(function, data):
    logits = data.draw(hostile_arrays())
    keywords = data.draw(shape_arguments(np.shape(logits), with_axis=True))
    got = outcome(function, logits, **keywords)
    if got is REFUSED:
        return
    assert got.shape == np.shape(logits)
    assert got.dtype == result_dtype(logits)
    proba = np.exp(got.astype(np.float64)) if function is log_softmax else got
    assert (proba >= 0).all()
    totals = proba.sum(axis=keywords.get("axis", -1), dtype=np.float64)
    # exp(log p) loses |log p| roundings of log p.
    np.testing.assert_allclose(totals, 1, atol=2e-5 if got.dtype == np.float32 else 1e-13)


@pytest.mark.parametrize("function", [logsumexp, entropy])
@settings(max_examples=150)
@given(st.data())
def test_row_values_are_numbers_or_a_clear_error(function, data):
    logits = data.draw(hostile_arrays())
    keywords = data.draw(shape_arguments(np.shape(logits), with_axis=True))
    got = outcome(function, logits, **keywords)
    if got is REFUSED:
        return
    axis = keywords.get("axis", -1)
    assert np.shape(got) == tuple(np.delete(np.shape(logits), axis))
    assert got.dtype == result_dtype(logits)
    assert not np.isnan(got).any()
    if function is entropy:
        largest = np.log(np.shape(logits)[axis])
        assert (got >= 0).all()
        assert (got <= largest + 1e-5).all()


@pytest.mark.parametrize("function", [cross_entropy, cross_entropy_gradient])
@settings(max_examples=300)
@given(st.data())
def test_the_loss_is_a_number_or_a_clear_error(function, data):
    logits = data.draw(hostile_arrays())
    shape = np.shape(logits)
    keywords = data.draw(shape_arguments(shape, with_axis=False))
    weight = related(data.draw, shape[:-1], elements=floats, proper=weights)
    keywords["sample_weight"] = weight
    if data.draw(st.booleans()):
        keywords["class_weight"] = related(data.draw, shape[-1:], elements=floats, proper=weights)
    if data.draw(st.booleans()):
        keywords["label_smoothing"] = data.draw(
            st.one_of(st.floats(0, 0.99), st.floats(0, 0.99), junk)
        )
    if data.draw(st.booleans()):
        keywords["logit_l2"] = data.draw(st.one_of(st.floats(0, 10), st.floats(0, 10), junk))
    keywords["reduction"] = data.draw(st.sampled_from([*3 * ["mean", "sum", "none"], "all"]))
    got = outcome(function, logits, data.draw(targets(shape)), **keywords)
    if got is REFUSED:
        return
    value, gradient = got if function is cross_entropy_gradient else (got, None)
    assert np.shape(value) == (shape[:-1] if keywords["reduction"] == "none" else ())
    if np.abs(np.nan_to_num(np.asarray(logits, dtype=np.float64), posinf=0, neginf=0)).max() < 1e6:
        assert (np.asarray(value) >= 0).all()
        if gradient is not None:
            assert gradient.shape == shape
            assert np.isfinite(gradient).all()


@settings(max_examples=150)
@given(st.data())
def test_the_hessian_product_is_finite_or_a_clear_error(data):
    logits = data.draw(hostile_arrays())
    shape = np.shape(logits)
    keywords = data.draw(shape_arguments(shape, with_axis=False))
    direction = related(data.draw, shape, elements=floats, proper=st.floats(-100, 100))
    keywords["sample_weight"] = related(data.draw, shape[:-1], elements=floats, proper=weights)
    got = outcome(hessian_product, logits, direction, **keywords)
    if got is not REFUSED:
        assert got.shape == shape
        assert got.dtype == result_dtype(logits)
        assert not np.isnan(got).any()


@pytest.mark.parametrize("function", [kl_divergence, js_divergence])
@settings(max_examples=100)
@given(st.data())
def test_divergences_are_non_negative_or_a_clear_error(function, data):
    shape = data.draw(shapes)
    p, q = data.draw(targets(shape)), data.draw(targets(shape))
    keywords = {}
    if data.draw(st.booleans()):
        keywords["axis"] = data.draw(st.integers(-3, 3))
    if function is js_divergence and data.draw(st.booleans()):
        keywords["weights"] = data.draw(st.one_of(st.just((0.25, 0.75)), hostile_arrays(), junk))
    got = outcome(function, p, q, **keywords)
    if got is not REFUSED:
        assert (np.asarray(got) >= -1e-6).all()


@settings(max_examples=100)
@given(st.data())
def test_any_object_as_any_argument_is_refused_or_understood(data):
    good = {"logits": np.zeros((2, 3)), "target": np.zeros(2, dtype=int)}
    optional = [
        "sample_weight",
        "class_weight",
        "label_smoothing",
        "temperature",
        "mask",
        "logit_l2",
    ]
    name = data.draw(st.sampled_from([*good, *optional, "reduction"]))
    outcome(cross_entropy_gradient, **good | {name: data.draw(junk)})
    outcome(softmax, good["logits"], out=data.draw(st.one_of(hostile_arrays(shape=(2, 3)), junk)))


@settings(max_examples=50)
@given(st.integers(1, 300_000), st.sampled_from(["f4", "f8"]), ordinary)
def test_any_number_of_classes_works(n_classes, dtype, value):
    logits = np.full((1, n_classes), value, dtype=dtype)
    relative = 8 * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(softmax(logits), 1 / n_classes, rtol=relative)
    assert cross_entropy(logits, [n_classes - 1]) == pytest.approx(
        np.log(n_classes), rel=relative, abs=0
    )
