"""Choice problems for tests, wide and long, and what they are worth in plain NumPy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sksoftmax._kernel import _reference
from sksoftmax._objective import Choices, Terms


@dataclass(frozen=True)
class Problem:
    """Attributes x (n_cases, n_alternatives, n_parameters), and who chose what from what."""

    x: np.ndarray
    available: np.ndarray  # bool (n_cases, n_alternatives)
    chosen: np.ndarray  # number of the alternative
    weight: np.ndarray | None = None

    @property
    def wide(self) -> Choices:
        """One row per case: a column per alternative and parameter."""
        n, J, P = self.x.shape
        index = np.arange(J * P)
        terms = Terms(np.arange(0, J * P + 1, P), index % P, index, np.ones(J * P))
        values = np.where(self.available[:, :, None], self.x, np.nan).reshape(n, J * P)
        return Choices.wide(
            values, self.chosen, terms, P, available=self.available, weight=self.weight
        )

    @property
    def long(self) -> Choices:
        """One row per available alternative."""
        row_ptr = np.concatenate([[0], np.cumsum(self.available.sum(axis=1))])
        position = np.cumsum(self.available, axis=1)[np.arange(len(self.chosen)), self.chosen] - 1
        return Choices(
            self.x[self.available], row_ptr, position, self.x.shape[2], weight=self.weight
        )

    @property
    def largest(self) -> np.ndarray:
        return np.abs(self.x[self.available]).max(axis=0)

    @property
    def weights(self) -> np.ndarray:
        return np.ones(len(self.x)) if self.weight is None else self.weight


def make_problem(
    rng, n_cases, n_alternatives, n_parameters, *, ragged=False, weighted=False
) -> Problem:
    x = rng.standard_normal((n_cases, n_alternatives, n_parameters))
    available = np.ones((n_cases, n_alternatives), dtype=bool)
    if ragged:
        available = rng.random(available.shape) < 0.6
        available[np.arange(n_cases), rng.integers(n_alternatives, size=n_cases)] = True
    utility = np.where(available, x.sum(axis=2) + rng.gumbel(size=available.shape), -np.inf)
    weight = rng.integers(0, 4, n_cases).astype(float) if weighted else None
    return Problem(x, available, utility.argmax(axis=1), weight)


# --- the same in plain NumPy ---


def plain_proba(problem, params) -> np.ndarray:
    return _reference.softmax(problem.x @ params, mask=problem.available)


def plain_loss(problem, params) -> float:
    log_proba = _reference.log_softmax(problem.x @ params, mask=problem.available)
    return -float(problem.weights @ log_proba[np.arange(len(problem.x)), problem.chosen])


def plain_scores(problem, params) -> np.ndarray:
    """d log p_chosen / d params, case by case."""
    mean = np.einsum("nj,njk->nk", plain_proba(problem, params), problem.x)
    return problem.x[np.arange(len(problem.x)), problem.chosen] - mean


def plain_information(problem, params) -> np.ndarray:
    p = plain_proba(problem, params)
    mean = np.einsum("nj,njk->nk", p, problem.x)
    square = np.einsum("n,nj,njk,njl->kl", problem.weights, p, problem.x, problem.x, optimize=True)
    return square - np.einsum("n,nk,nl->kl", problem.weights, mean, mean)
