"""The claims of docs/theory.rst that no other test is about."""

import numpy as np

from sksoftmax import functional as F

Z = np.array([1.3, -0.4, 0.0, 2.1])


def test_softmax_maximises_mean_logit_plus_temperature_times_entropy(rng):
    T = 0.7
    best = T * F.logsumexp(Z, temperature=T)
    p = F.softmax(Z, temperature=T)
    np.testing.assert_allclose(p @ Z + T * F.entropy(Z, temperature=T), best)
    for q in rng.dirichlet(np.ones(4), size=200):
        assert q @ Z + T * F.entropy(np.log(q)) < best


def test_the_mean_logit_grows_with_the_inverse_temperature_by_its_variance():
    beta, h = 1.4, 1e-5
    mean = [F.softmax(Z, temperature=1 / b) @ Z for b in (beta - h, beta + h)]
    p = F.softmax(Z, temperature=1 / beta)
    variance = p @ Z**2 - (p @ Z) ** 2
    np.testing.assert_allclose((mean[1] - mean[0]) / (2 * h), variance, rtol=1e-8)


def test_the_largest_of_logits_plus_gumbel_noise_has_softmax_probabilities(rng):
    n = 200_000
    winners = (Z + rng.gumbel(size=(n, 4))).argmax(axis=1)
    p = F.softmax(Z)
    share = np.bincount(winners, minlength=4) / n
    assert (np.abs(share - p) < 5 * np.sqrt(p * (1 - p) / n)).all()


def test_masking_a_class_keeps_the_ratios_of_the_others():
    p = F.softmax(Z)
    without = F.softmax(Z, mask=[True, True, False, True])
    np.testing.assert_allclose(without[[0, 1, 3]] / without[0], p[[0, 1, 3]] / p[0])
    np.testing.assert_allclose(without, np.where([1, 1, 0, 1], p, 0) / (1 - p[2]))


def test_the_exact_newton_step_of_a_leaf_sums_to_zero(rng):
    p = F.softmax(rng.standard_normal((30, 4)))
    q = np.eye(4)[rng.integers(0, 4, 30)]
    G = (p - q).sum(axis=0)
    H = np.diag(p.sum(axis=0)) - p.T @ p
    assert abs(np.linalg.solve(H + 0.5 * np.eye(4), -G).sum()) < 1e-12
