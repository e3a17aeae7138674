"""Divergences of probabilities, which need no logits and no kernel."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import rel_entr

from sksoftmax._arrays import Floats, RowLayout, RowValues, as_floats
from sksoftmax._loss_arguments import probability_rows


def kl_divergence(p: ArrayLike, q: ArrayLike, *, axis: int = -1) -> RowValues:
    """Kullback-Leibler divergence ``sum_i p_i log(p_i / q_i)`` of probabilities, in nats.

    Parameters
    ----------
    p, q : array-like
        Probabilities (not logits) along ``axis``: non-negative, with sum 1. They are broadcast
        against each other.
    axis : int, default=-1
        The class axis of the broadcast arrays.

    Returns
    -------
    divergence : ndarray, broadcast shape without the class axis
        inf where p has a class that q excludes; a scalar for one-dimensional input.

    Raises
    ------
    ValueError
        Values that are no probabilities, with the first such row; shapes that do not fit.

    Notes
    -----
    Kullback and Leibler (1951), On information and sufficiency; terms by
    :func:`scipy.special.rel_entr`. Not symmetric in p and q.

    Examples
    --------
    >>> from sksoftmax.functional import kl_divergence
    >>> kl_divergence([[1.0, 0.0], [0.5, 0.5]], [0.5, 0.5])
    array([0.69314718, 0.        ])
    """
    p_rows, q_rows, layout = _two_distributions(p, q, axis)
    return layout.from_row_values(rel_entr(p_rows, q_rows).sum(axis=1))


def js_divergence(
    p: ArrayLike, q: ArrayLike, *, axis: int = -1, weights: ArrayLike | None = None
) -> RowValues:
    """Jensen-Shannon divergence of probabilities, in nats.

    With weights (a, b) and the mixture ``m = a p + b q``, it is ``a KL(p|m) + b KL(q|m)``: finite,
    and for the default weights symmetric and at most log 2.

    Parameters
    ----------
    p, q : array-like
        Probabilities (not logits) along ``axis``: non-negative, with sum 1. They are broadcast
        against each other.
    axis : int, default=-1
        The class axis of the broadcast arrays.
    weights : array-like of shape (2,), optional
        Weights of p and q: non-negative, with sum 1. (1/2, 1/2) by default.

    Returns
    -------
    divergence : ndarray, broadcast shape without the class axis
        A scalar for one-dimensional input. It is the square of
        :func:`scipy.spatial.distance.jensenshannon` for the default weights.

    Raises
    ------
    ValueError
        Values that are no probabilities, with the first such row; shapes that do not fit.

    Notes
    -----
    Lin (1991), Divergence measures based on the Shannon entropy, equation 5.1.

    Examples
    --------
    >>> from sksoftmax.functional import js_divergence
    >>> float(js_divergence([1.0, 0.0], [0.0, 1.0]))  # log 2
    0.6931471805599453
    """
    p_rows, q_rows, layout = _two_distributions(p, q, axis)
    a, b = _pair_of_weights(weights)
    mixture = a * p_rows + b * q_rows
    # Positive wherever p or q is, also after a weight of 0 or underflow, so that no term is inf.
    mixture = np.where(mixture > 0, mixture, np.maximum(p_rows, q_rows))
    divergence = a * rel_entr(p_rows, mixture).sum(axis=1)
    divergence += b * rel_entr(q_rows, mixture).sum(axis=1)
    return layout.from_row_values(divergence)


def _two_distributions(p: ArrayLike, q: ArrayLike, axis: int) -> tuple[Floats, Floats, RowLayout]:
    p_values, q_values = as_floats(p, "p"), as_floats(q, "q")
    try:
        shape = np.broadcast_shapes(p_values.shape, q_values.shape)
    except ValueError:
        raise ValueError(
            f"p of shape {p_values.shape} and q of shape {q_values.shape} do not broadcast"
        ) from None
    p_values, q_values = np.broadcast_to(p_values, shape), np.broadcast_to(q_values, shape)
    layout = RowLayout.of(p_values, axis, "p")
    return (
        probability_rows(p_values, "p", layout),
        probability_rows(q_values, "q", layout),
        layout,
    )


def _pair_of_weights(weights: ArrayLike | None) -> tuple[float, float]:
    if weights is None:
        return 0.5, 0.5
    pair = as_floats(weights, "weights")
    if pair.shape != (2,) or not (pair >= 0).all() or abs(pair.sum() - 1) > 1e-6:
        raise ValueError(f"weights must be two non-negative numbers with sum 1, got {weights!r}")
    return float(pair[0]), float(pair[1])
