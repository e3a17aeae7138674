"""The log-likelihood of constants alone."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp

from sksoftmax.inference._constants import constants_loglik


def choices(rng, n_cases, n_alternatives, share_available=1.0):
    available = rng.random((n_cases, n_alternatives)) < share_available
    chosen = rng.integers(n_alternatives, size=n_cases)
    available[np.arange(n_cases), chosen] = True
    return chosen, available


def closed_form(chosen, weight):
    counts = np.bincount(chosen, weights=weight)
    counts = counts[counts > 0]
    return float(counts @ np.log(counts / counts.sum()))


def by_scipy(chosen, available, weight):
    rows = np.arange(len(chosen))

    def negative(constants):
        utility = np.where(available, np.append(0.0, constants), -np.inf)
        return -weight @ (utility[rows, chosen] - logsumexp(utility, axis=1))

    start = np.zeros(available.shape[1] - 1)
    return -minimize(negative, start, method="BFGS", options={"gtol": 1e-9}).fun


@pytest.mark.parametrize("weighted", [False, True])
def test_with_every_alternative_it_is_the_closed_form(rng, weighted):
    chosen, available = choices(rng, 300, 5)
    weight = rng.uniform(0.5, 3, 300) if weighted else None

    loglik, n_constants = constants_loglik(chosen, available, weight, n_alternatives=5)

    assert loglik == pytest.approx(closed_form(chosen, weight), rel=1e-13)
    assert constants_loglik(chosen, None, weight, n_alternatives=5)[0] == loglik
    assert n_constants == 4


def test_with_choice_sets_it_is_the_maximum_and_the_closed_form_is_not(rng):
    chosen, available = choices(rng, 400, 4, share_available=0.6)
    weight = rng.integers(1, 4, 400).astype(float)

    loglik, n_constants = constants_loglik(chosen, available, weight, n_alternatives=4)

    assert loglik == pytest.approx(by_scipy(chosen, available, weight), rel=1e-9)
    assert abs(loglik - closed_form(chosen, weight)) > 10
    assert n_constants == 3


def test_an_alternative_that_nobody_chose_is_as_good_as_unavailable(rng):
    chosen, available = choices(rng, 200, 3, share_available=0.7)
    wider = np.column_stack([available, np.ones(200, dtype=bool)])

    narrow = constants_loglik(chosen, available, None, n_alternatives=3)

    assert constants_loglik(chosen, wider, None, n_alternatives=4) == narrow


def test_groups_of_alternatives_that_never_meet_have_a_base_each(rng):
    first, second = rng.integers(2, size=50), 2 + rng.integers(2, size=70)
    available = np.zeros((120, 4), dtype=bool)
    available[:50, :2] = available[50:, 2:] = True

    loglik, n_constants = constants_loglik(
        np.concatenate([first, second]), available, None, n_alternatives=4
    )

    assert loglik == pytest.approx(closed_form(first, None) + closed_form(second - 2, None))
    assert n_constants == 2


def test_an_alternative_always_chosen_where_it_is_offered_costs_nothing(rng):
    """Its constant has no finite value; the log-likelihood has a limit."""
    chosen, available = choices(rng, 60, 3)
    available[:, 2] = chosen == 2

    loglik, _ = constants_loglik(chosen, available, None, n_alternatives=3)

    others = chosen[chosen < 2]
    assert loglik == pytest.approx(closed_form(others, None), abs=1e-9)


def test_rows_of_weight_zero_do_not_count(rng):
    chosen, available = choices(rng, 100, 3, share_available=0.7)
    weight = np.repeat([1.0, 0.0], 50)

    loglik, _ = constants_loglik(chosen, available, weight, n_alternatives=3)
    alone = constants_loglik(chosen[:50], available[:50], None, n_alternatives=3)[0]

    assert loglik == pytest.approx(alone, rel=1e-12)
