"""Rows of large entropy where logits are linear in the features: z(x) = W x + b.

The point nearest to x0 at which all K classes are equally probable solves C (W x + b) = 0, with
C = I - 1 1' / K, at the smallest change of x in standard deviations (S, diagonal)::

    x = x0 - S (C W S)^+ C (W x0 + b)

Where K - 1 exceeds the number of features, or bounds or a penalty forbid that point, the objective
is maximized by L-BFGS-B from it and from x0, with the gradient of the entropy in the logits::

    dH/dz = -p (log p + H)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import minimize

from sksoftmax import _kernel
from sksoftmax.active._responses import entropies

_CHECKED, _TOLERANCE = 64, 1e-8


def entropy_gradient(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return H in nats, and dH/dz = -p (log p + H), of each row of finite logits."""
    log_p, entropy = _kernel.log_softmax(logits), entropies(logits)
    return entropy, -np.exp(log_p) * (log_p + entropy[:, None])


def affine_logits(landscape: Any) -> tuple[np.ndarray, np.ndarray] | None:
    """Return (W, b) if the logits are z = W x + b up to a shift of each row, else None.

    Read off at the center and one standard deviation from it along each feature, then checked on
    rows of the data.
    """
    columns = landscape.columns
    if columns.is_category.any() or not columns.takes_fractions:
        return None
    center, scale = columns.center, columns.scale
    probes = np.vstack([center, center + np.diag(scale)])
    logits = landscape.classifier.logits(columns.in_container(probes))
    values = landscape.data[np.isfinite(landscape.data).all(axis=1)][:_CHECKED]
    if not len(values) or not np.isfinite(logits).all():
        return None
    logits = _centered(logits)
    W = (logits[1:] - logits[0]).T / scale
    b = logits[0] - W @ center
    expected = landscape.logits(values)
    if not np.isfinite(expected).all():
        return None
    expected = _centered(expected)
    wrong = np.abs(values @ W.T + b - expected).max()
    return (W, b) if wrong <= _TOLERANCE * max(1.0, np.abs(expected).max()) else None


def _centered(logits: np.ndarray) -> np.ndarray:
    return logits - logits.mean(axis=1, keepdims=True)


def nearest_uniform_point(
    W: np.ndarray, b: np.ndarray, x0: np.ndarray, scale: np.ndarray
) -> np.ndarray:
    """Return the x nearest to x0, in units of `scale`, at which the logits W x + b are equal.

    The least-squares one if there is none (more classes than features allow).
    """
    logits = W @ x0 + b
    centered = W - W.mean(axis=0)
    change, *_ = np.linalg.lstsq(centered * scale, logits - logits.mean(), rcond=None)
    return x0 - scale * change


def climb(landscape: Any, W: np.ndarray, b: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Return, for each seed, the x that maximizes H - plausibility * d^2 from the seed."""
    scale, n_features = landscape.columns.scale, W.shape[1]
    weight = landscape.cost / n_features
    slopes = W * scale  # in v = (x - seed) / scale
    found = []
    for seed in np.clip(seeds, landscape.low, landscape.high):
        logits = W @ seed + b

        def loss(v: np.ndarray, logits: np.ndarray = logits) -> tuple[float, np.ndarray]:
            entropy, gradient = entropy_gradient((logits + slopes @ v)[None])
            value = weight * float(v @ v) - float(entropy[0])
            return value, 2 * weight * v - gradient[0] @ slopes

        low, high = (landscape.low - seed) / scale, (landscape.high - seed) / scale
        uniform = (nearest_uniform_point(W, b, seed, scale) - seed) / scale
        ends = []
        for start in (uniform, np.zeros(n_features)):
            start = np.clip(start, low, high)
            result = minimize(
                loss, start, jac=True, method="L-BFGS-B", bounds=np.column_stack([low, high]),
                options={"maxiter": 200, "ftol": 1e-14, "gtol": 1e-9},
            )  # fmt: skip
            ends.append(min((loss(start)[0], 0, start), (result.fun, 1, result.x)))
        _, _, v = min(ends, key=lambda end: end[0])
        found.append(seed + scale * v)
    return np.array(found)
