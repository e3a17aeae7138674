"""look_at_proba: argmax, sum and minimum in one read."""

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
