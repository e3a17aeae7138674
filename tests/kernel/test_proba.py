"""The verbs over probabilities: argmax, sum and minimum; entropy and squares; sums over bins."""

import numpy as np
import pytest

from sksoftmax import _kernel
from sksoftmax._kernel import _reference

from .cases import CLASSES, DTYPES, ROWS


def proba_rows(rng, n_rows, n_classes, dtype):
    return rng.dirichlet(np.ones(n_classes), size=n_rows).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", CLASSES)
def test_it_is_what_numpy_gives(rng, dtype, n_classes):
    for n_rows in ROWS:
        proba = proba_rows(rng, n_rows, n_classes, dtype)
        argmax, largest, total, smallest = _kernel.look_at_proba(proba)
        expected = _reference.look_at_proba(proba)

        np.testing.assert_array_equal(argmax, expected[0])
        np.testing.assert_array_equal(largest, expected[1])
        tolerance = n_classes * np.finfo(dtype).eps
        np.testing.assert_allclose(total, expected[2], rtol=tolerance)
        assert smallest == expected[3]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", CLASSES)
def test_ties_go_to_the_first(dtype, n_classes):
    for first in range(0, n_classes, max(1, n_classes // 5)):
        proba = np.zeros((3, n_classes), dtype)
        proba[:, first:] = 1

        assert _kernel.look_at_proba(proba)[0].tolist() == [first] * 3


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", CLASSES)
def test_one_bad_entry_shows_wherever_it_stands(rng, dtype, n_classes):
    for column in range(0, n_classes, max(1, n_classes // 7)):
        proba = proba_rows(rng, 70, n_classes, dtype)
        proba[65, column] = np.nan
        argmax, _, total, smallest = _kernel.look_at_proba(proba)
        assert np.isnan(total).nonzero()[0].tolist() == [65]
        assert 0 <= argmax[65] < n_classes
        assert smallest == np.nanmin(proba)

        proba[65, column] = -1e-30
        assert _kernel.look_at_proba(proba).smallest == proba[65, column]
        proba[65, column] = np.inf
        assert _kernel.look_at_proba(proba).total[65] == np.inf


def test_the_answer_does_not_depend_on_the_number_of_threads(rng):
    proba = proba_rows(rng, 5000, 30, np.float64)
    one, three = (_kernel.look_at_proba(proba, n_threads=n) for n in (1, 3))

    for a, b in zip(one, three, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("proba", "error"),
    [
        ([[0.5, 0.5]], TypeError),
        (np.ones((2, 2), np.int64), TypeError),
        (np.ones(3), ValueError),
        (np.ones((0, 3)), ValueError),
        (np.ones((4, 4)).T[:, ::2], ValueError),
    ],
)
def test_arrays_that_are_wrong(proba, error):
    with pytest.raises(error, match="proba"):
        _kernel.look_at_proba(proba)


# --- spread_of_proba ---


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", CLASSES)
def test_entropy_and_squares_are_those_of_numpy(rng, dtype, n_classes):
    for n_rows in ROWS:
        proba = proba_rows(rng, n_rows, n_classes, dtype)
        proba[0] = np.eye(1, n_classes, n_rows % n_classes)  # certain: zeros and a one
        spread = _kernel.spread_of_proba(proba)
        entropy, square = _reference.spread_of_proba(proba)

        np.testing.assert_allclose(spread.entropy, entropy, rtol=1e-14, atol=1e-15)
        np.testing.assert_allclose(spread.square, square, rtol=1e-14)
        assert spread.entropy[0] == 0


def test_tiny_probabilities_add_what_they_are_worth():
    for tiny in (1e-300, 1e-307, 5e-324):
        entropy = _kernel.spread_of_proba(np.array([[1.0, tiny]])).entropy[0]
        assert entropy == pytest.approx(-tiny * np.log(tiny), rel=1e-14, abs=1e-304)


# --- bin_proba ---


def some_edges(rng, kind, n_classes, n_bins):
    if kind == "uniform":
        return np.linspace(0, 1, n_bins + 1)
    edges = np.sort(rng.random((n_classes, n_bins + 1)) ** 3, axis=1)
    edges[:, n_bins // 2] = edges[:, n_bins // 2 - 1]  # an empty bin
    return np.sort(edges, axis=1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["uniform", "own"])
@pytest.mark.parametrize("n_classes", CLASSES)
def test_the_sums_over_bins_are_those_of_numpy(rng, dtype, kind, n_classes):
    for n_rows, n_bins in [(1, 2), (50, 1 + (kind == "own")), (700, 15)]:
        proba = proba_rows(rng, n_rows, n_classes, dtype)
        edges = some_edges(rng, kind, n_classes, n_bins)
        shared = edges if edges.ndim == 1 else edges[0]
        proba[n_rows // 2] = rng.choice(shared[:-1], n_classes).astype(dtype)  # on the edges
        proba[-1, -1] = 1
        hit = rng.integers(-1, n_classes, n_rows)
        for weight in (None, rng.uniform(0.5, 2, n_rows)):
            sums = _kernel.bin_proba(proba, hit, edges, weight=weight)
            expected = _reference.bin_proba(proba, hit, edges, weight)
            np.testing.assert_allclose(sums, expected, rtol=1e-13, atol=0)


def test_what_is_outside_the_edges_is_in_the_outermost_bins():
    proba = np.array([[-1e-300], [0.0], [1.0], [1.0 + 1e-9]])
    for edges in (np.linspace(0, 1, 4), np.array([0.2, 0.3, 0.4, 0.5])):
        sums = _kernel.bin_proba(proba, np.zeros(4, np.int64), edges)
        assert sums[0, :, 0].tolist() == [2, 0, 2]


@pytest.mark.parametrize("n_classes", [1, 3, 70])
def test_spread_and_bins_do_not_depend_on_the_number_of_threads(rng, n_classes):
    proba = proba_rows(rng, 200_000 // n_classes, n_classes, np.float64)
    hit, edges = np.zeros(len(proba), np.int64), np.linspace(0, 1, 16)
    bins = [_kernel.bin_proba(proba, hit, edges, n_threads=n) for n in (1, 3)]
    spreads = [_kernel.spread_of_proba(proba, n_threads=n) for n in (1, 3)]

    np.testing.assert_array_equal(*bins)
    np.testing.assert_array_equal(*spreads)


@pytest.mark.parametrize(
    ("hit", "weight", "error", "message"),
    [
        (np.zeros(2), None, TypeError, "hit"),
        (np.zeros(3, np.int64), None, ValueError, "hit"),
        (np.zeros(2, np.int64), np.ones(2, np.float32), TypeError, "weight"),
        (np.zeros(2, np.int64), np.ones(3), ValueError, "weight"),
    ],
)
def test_entries_that_are_wrong(hit, weight, error, message):
    with pytest.raises(error, match=message):
        _kernel.bin_proba(np.full((2, 2), 0.5), hit, np.linspace(0, 1, 3), weight=weight)
