"""Consumer surplus: what a change is worth in money, by the difference of logsums."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from sksoftmax import _kernel
from sksoftmax._targets import label_text
from sksoftmax.inference import _responses
from sksoftmax.inference._columns import as_rows, rows_of
from sksoftmax.inference._covariance import Covariance
from sksoftmax.inference._effects import check_weight, delta_errors
from sksoftmax.inference._estimate import Design, Estimate
from sksoftmax.inference._ratios import position_of
from sksoftmax.inference._warnings import warn_of_penalty


@dataclass(frozen=True)
class ConsumerSurplus:
    """Change of the expected maximal utility, in units of the price.

    Parameters
    ----------
    by_observation : ndarray of shape (n_samples,)
        (logsum with X_new - logsum with X) / -b_price; a gain is positive.
    average : float
        Their (weighted) mean.
    standard_error : float
        Of the mean, by the delta method.

    Examples
    --------
    >>> import numpy as np
    >>> from sksoftmax import MultinomialLogit
    >>> rng = np.random.default_rng(0)
    >>> price = rng.uniform(1, 3, size=(500, 1))
    >>> buys = rng.random(500) < 1 / (1 + np.exp(price[:, 0] - 2))
    >>> results = MultinomialLogit(C=float("inf")).infer(price, buys)
    >>> results.consumer_surplus(price, price - 1, price="True:x0", unpriced=[False])
    average change of consumer surplus 0.5385 (standard error 0.0278, 500 rows)
    """

    by_observation: np.ndarray
    average: float
    standard_error: float

    def __repr__(self) -> str:
        return (
            f"average change of consumer surplus {self.average:.4g} "
            f"(standard error {self.standard_error:.3g}, {len(self.by_observation):,} rows)"
        )


def consumer_surplus(
    estimate: Estimate,
    covariance: Covariance,
    X: Any,
    X_new: Any,
    price: str,
    unpriced: Collection[Any],
    sample_weight: Any,
) -> ConsumerSurplus:
    """d = (logsum_new - logsum) / -b, with dd/dtheta = (mean_p(Z)_new - mean_p(Z)) / -b
    and, for the price, d / -b besides.
    """
    warn_of_penalty(estimate)
    X, X_new = as_rows(X), as_rows(X_new)
    if X_new.shape[0] != X.shape[0]:
        raise ValueError(f"X_new has {X_new.shape[0]} rows, but X has {X.shape[0]}.")
    position = position_of(estimate, price)
    slope = -float(estimate.params[position])
    if not slope > 0:
        raise ValueError(
            f"price={price!r} has the coefficient {-slope:.4g}; only a negative one turns utility "
            "into money."
        )
    weight = check_weight(sample_weight, X.shape[0])
    change = np.empty(X.shape[0])
    jacobian = np.zeros(len(estimate.names))
    priced = np.zeros(len(estimate.model.classes), dtype=bool)
    for rows in _responses.blocks(X.shape[0], estimate.model):
        before = _responses.design_of(estimate.model, rows_of(X, rows))
        after = _responses.design_of(estimate.model, rows_of(X_new, rows))
        sums, means = _logsum(before, estimate.params)
        sums_new, means_new = _logsum(after, estimate.params)
        change[rows] = (sums_new - sums) / slope
        jacobian += weight[rows] @ (means_new - means) / slope
        jacobian[position] += weight[rows] @ change[rows] / slope
        for design in (before, after):
            priced |= design.values[:, :, position].any(axis=0)
    _check_priced(estimate, price, priced, unpriced)
    error = delta_errors(jacobian[None] / weight.sum(), covariance)
    return ConsumerSurplus(change, float(weight @ change / weight.sum()), float(error[0]))


def _logsum(design: Design, params: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log sum exp(V), (b,), and its derivative sum_k p_k Z_k, (b, P)."""
    logits = _responses.utilities(design, params)
    proba = _kernel.softmax(logits, mask=design.available)
    sums = _kernel.logsumexp(logits, mask=design.available)
    return sums, np.einsum("nj,njp->np", proba, design.values)


def _check_priced(
    estimate: Estimate, price: str, priced: np.ndarray, unpriced: Collection[Any]
) -> None:
    classes = estimate.model.classes.tolist()
    unknown = [label for label in unpriced if label not in classes]
    if unknown:
        raise ValueError(
            f"unpriced: {label_text(unknown[0])} is no alternative; they are {classes}."
        )
    missing = [k for k, has in zip(classes, priced, strict=True) if not has and k not in unpriced]
    if missing:
        shown = ", ".join(label_text(label) for label in missing)
        raise ValueError(
            f"price={price!r} does not enter the utility of {shown}: money is worth the same "
            "whatever is chosen only if one coefficient is common to all priced alternatives. Name "
            "those that cost nothing in unpriced=."
        )
