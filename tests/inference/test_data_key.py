"""The digest that tells whether two models saw the same data."""

import numpy as np
import pytest

from sksoftmax.inference._estimate import data_key

CHOSEN = np.array([0, 2, 1])
AVAILABLE = np.array([[1, 1, 1], [0, 1, 1], [1, 1, 0]], dtype=bool)


def key(chosen=CHOSEN, available=AVAILABLE, weight=None, n_alternatives=3):
    return data_key(chosen, available, weight, n_alternatives=n_alternatives)


def test_equal_data_have_equal_keys_whatever_their_integers():
    assert key() == key(CHOSEN.astype(np.int32), AVAILABLE.copy(), np.ones(3))


def test_no_mask_is_a_mask_of_true():
    assert key(available=None) == key(available=np.ones((3, 3), dtype=bool))


@pytest.mark.parametrize(
    "other",
    [
        {"chosen": np.array([0, 1, 1])},
        {"available": None},
        {"weight": np.array([1.0, 2.0, 1.0])},
        {"n_alternatives": 4},
        {"available": np.array([0, 3, 5, 7])},
    ],
)
def test_other_data_have_another_key(other):
    assert key(**other) != key()
