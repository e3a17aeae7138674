"""What inference knows of a fit, and what it asks of a model: the protocol of this floor.

An estimator below or above never appears here: it builds an `Estimate` and hands it to
`LogitResults`. Derivatives are those of the log-likelihood, summed over the data with their weights
and without any penalty, at the estimate.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

WeightType = Literal["frequency", "sampling"]


class Design(NamedTuple):
    """Rows as a model that is linear in its parameters sees them.

    The utilities of row n are ``values[n] @ params + offset[n]``.
    """

    values: np.ndarray  # (n, J, P): dV_nj / d parameter; 0 where unavailable
    available: np.ndarray  # bool (n, J)
    offset: np.ndarray | float = 0.0  # (n, J), for models whose utilities have a part without one


class LogitModel(Protocol):
    """A fitted model as a function of parameters and data: its specification, but no data."""

    @property
    def name(self) -> str:
        """As it is shown: "ConditionalLogit"."""
        ...

    @property
    def classes(self) -> np.ndarray:
        """Labels of the J alternatives, in the order of `Design`."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Of the P parameters, fixed ones included, in the order of `Design`."""
        ...

    def design(self, X: Any) -> Design:
        """New rows; linear in each column of X."""
        ...

    def refit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        without: Any = None,
    ) -> Estimate:
        """The same specification fitted to these data; `without` takes an alternative away.

        Without it means: its utility and its choosers' rows are gone, and so are parameters that
        entered no other utility. Parameters may lose their identification (a constant for every
        alternative that is left): `Estimate.is_estimable` says so, without a warning.
        """
        ...

    def evaluate(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        params: Mapping[str, float],
        utilities: Any = None,
    ) -> Estimate:
        """What a fit would return at these values, without iterating.

        `utilities` replaces the specification; parameters without a value are at their null value.
        `Estimate.loglik_constants` may be None here.
        """
        ...


@dataclass(frozen=True)
class Estimate:
    """All that is known of a fit once its data are gone.

    Attributes
    ----------
    names : tuple of str
        All P parameters, in the order of `params`.
    params : ndarray of shape (P,)
    is_free : bool ndarray of shape (P,)
        False where a value was held.
    is_estimable : bool ndarray of shape (P,)
        False where the data do not determine the parameter (collinear, or without a finite
        estimate); its standard error is NaN then, and that of no other parameter.
    null_values : ndarray of shape (P,)
        Values under the hypothesis of no effect: 0 in a logit.
    score : ndarray of shape (P,)
        Gradient of sum_i w_i loglik_i. At a maximum that is free of penalties: nearly 0, apart
        from parameters that are held.
    information : ndarray of shape (P, P)
        Minus its Hessian; with the rows of parameters that are held.
    penalty : ndarray of shape (P, P)
        Hessian of the penalty on the same scale; 0 for maximum likelihood.
    score_products : ndarray of shape (P, P)
        sum_u w_u g_u g_u', u the unit of estimation: a case, or the panel where one is given.
    weighted_score_products : ndarray of shape (P, P)
        sum_u w_u^2 g_u g_u'.
    cluster_products : ndarray of shape (P, P), or None without clusters
        sum_c s_c s_c' with s_c = sum of w_i g_i over the rows of cluster c.
    n_clusters : int, or None
    weight_type : {"frequency", "sampling"}
    n_cases : float
        Sum of the weights (frequency), or the number of rows of positive weight (sampling).
    n_forced : float
        Of them: cases with a single available alternative.
    loglik, loglik_null : float
        At `params`, and where all available alternatives of a case are equally probable.
    loglik_constants : float, or None
        With constants alone, on the same availability (`constants_loglik`); None where alternatives
        have no labels.
    n_constants : int
        Constants that this fit has; 0 without it.
    n_iter : int
    gradient_norm : float
        Largest entry of the gradient of the mean objective, in the solver's units.
    converged : bool
    data_key : str
        Digest of choices, availability and weights (`data_key`): equal for equal data.
    n_alternatives : int
        J; of the largest choice set where alternatives have no labels.
    model : LogitModel
    """

    names: tuple[str, ...]
    params: np.ndarray
    is_free: np.ndarray
    is_estimable: np.ndarray
    null_values: np.ndarray
    score: np.ndarray
    information: np.ndarray
    penalty: np.ndarray
    score_products: np.ndarray
    weighted_score_products: np.ndarray
    cluster_products: np.ndarray | None
    n_clusters: int | None
    weight_type: WeightType
    n_cases: float
    n_forced: float
    loglik: float
    loglik_null: float
    loglik_constants: float | None
    n_constants: int
    n_iter: int
    gradient_norm: float
    converged: bool
    data_key: str
    n_alternatives: int
    model: LogitModel

    @property
    def is_penalized(self) -> bool:
        """Was anything added to the likelihood?"""
        return bool(np.any(self.penalty))


def data_key(
    chosen: np.ndarray,
    available: np.ndarray | None,
    weight: np.ndarray | None,
    *,
    n_alternatives: int,
) -> str:
    """Digest of what was chosen from what, in the order of the rows.

    Parameters
    ----------
    chosen : int ndarray of shape (n_cases,)
        Positions of the chosen alternatives.
    available : bool ndarray of shape (n_cases, n_alternatives), or row pointers of stacked cases
        None, like True everywhere: every case had all alternatives.
    weight : ndarray of shape (n_cases,), or None, like 1 everywhere
    n_alternatives : int
    """
    everything = available is None or (available.dtype == bool and available.all())
    alike = weight is None or (weight == 1).all()
    digest = hashlib.blake2b(str(n_alternatives).encode(), digest_size=16)
    for part in (
        np.asarray(chosen, dtype=np.int64),
        np.empty(0) if everything else np.asarray(available),
        np.empty(0) if alike else np.asarray(weight, dtype=np.float64),
    ):
        digest.update(f"{part.dtype}{part.shape}".encode() + part.tobytes())
    return digest.hexdigest()
