r"""Covariances of an estimate: four kinds, all from matrices that the fit keeps.

With the information H (minus the Hessian of the log-likelihood, plus the penalty's, if any), scores
:math:`g_u` of the units and weights :math:`w_u`::

    "hessian"    H^-1
    "bhhh"       B^-1                        B = sum_u w_u g_u g_u'
    "robust"     H^-1 M H^-1                 M = sum_u w_u g_u g_u'    (frequency weights)
                                             M = sum_u w_u^2 g_u g_u'  (sampling weights)
    "cluster"    G / (G - 1) H^-1 S H^-1     S = sum_c s_c s_c', s_c = sum of w_i g_i in cluster c

Parameters that are held have no part in it. Where the data do not determine all parameters, H is
singular: of the combinations that they do determine, any generalized inverse gives the covariance.
Here it inverts the largest well-conditioned part and is zero elsewhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import lapack

from sksoftmax._estimator import check_choice, check_flag
from sksoftmax.inference._estimate import Estimate

KINDS = ("hessian", "bhhh", "robust", "cluster")


@dataclass(frozen=True)
class Covariance:
    """The covariance of all P parameters, and of which combinations it is one.

    Attributes
    ----------
    kind : {"hessian", "bhhh", "robust", "cluster"}
    small_sample : bool
        Is the factor of the number of clusters in it?
    matrix : ndarray of shape (P, P)
        Zero for parameters that are held; a generalized inverse where the data do not determine all
        parameters.
    is_estimable : bool ndarray of shape (P,)
        Of each parameter: held, or determined by the data.
    null_space : ndarray of shape (P, n_null)
        Directions along which the log-likelihood does not change.
    """

    kind: str
    small_sample: bool
    matrix: np.ndarray
    is_estimable: np.ndarray
    null_space: np.ndarray

    @property
    def standard_errors(self) -> np.ndarray:
        """(P,): NaN for parameters that the data do not determine, 0 for those that are held."""
        return np.where(self.is_estimable, np.sqrt(np.diag(self.matrix)), np.nan)

    def determines(self, restrictions: np.ndarray) -> np.ndarray:
        """Which rows R of `restrictions` (r, P) have an estimate R params."""
        size = np.abs(restrictions) @ np.abs(self.null_space)
        moves = np.abs(restrictions @ self.null_space) > 1e-6 * np.maximum(size, 1e-300)
        separated = ~self.is_estimable & ~np.any(self.null_space, axis=1)
        return ~moves.any(axis=1) & ~np.any(restrictions[:, separated], axis=1)


def covariance_of(estimate: Estimate, kind: str, small_sample: bool = True) -> Covariance:
    """Return the covariance of a kind.

    Raises
    ------
    ValueError
        The kind is unknown, needs clusters that the fit had not, or makes no sense with sampling
        weights.
    """
    check_choice(kind, "covariance", KINDS)
    check_flag(small_sample, "small_sample")
    _check_kind(estimate, kind)
    free = estimate.is_free
    inverse, null_space = generalized_inverse(
        estimate.information + estimate.penalty, free, estimate.n_cases
    )
    if kind == "hessian":
        matrix = inverse
    elif kind == "bhhh":
        products = estimate.score_products + estimate.penalty
        matrix, null_space = generalized_inverse(products, free, estimate.n_cases)
    else:
        matrix = inverse @ _meat(estimate, kind, small_sample) @ inverse
    moved = np.any(null_space, axis=1)
    estimable = ~free | (estimate.is_estimable & ~moved)
    return Covariance(kind, small_sample, (matrix + matrix.T) / 2, estimable, null_space)


def _check_kind(estimate: Estimate, kind: str) -> None:
    if kind == "cluster":
        if estimate.cluster_products is None or estimate.n_clusters is None:
            raise ValueError(
                "covariance='cluster' needs clusters: name them in fit by groups= (or panel=)."
            )
        if estimate.n_clusters < 2:
            raise ValueError(
                "covariance='cluster' needs two clusters or more; groups= names one only."
            )
    if kind in ("hessian", "bhhh") and estimate.weight_type == "sampling":
        raise ValueError(
            f"covariance={kind!r} makes no sense with weight_type='sampling': these weights do not "
            "count rows. Use 'robust', or 'cluster' with groups=."
        )


def _meat(estimate: Estimate, kind: str, small_sample: bool) -> np.ndarray:
    if kind == "robust":
        sampling = estimate.weight_type == "sampling"
        return estimate.weighted_score_products if sampling else estimate.score_products
    products: Any = estimate.cluster_products
    n: Any = estimate.n_clusters
    return products * (n / (n - 1) if small_sample else 1.0)


def generalized_inverse(
    matrix: np.ndarray, is_free: np.ndarray, n_cases: float
) -> tuple[np.ndarray, np.ndarray]:
    """Invert the part of a positive semi-definite matrix that is free and of full rank.

    1. scale to a unit diagonal, so that the units of the parameters do not matter
    2. pivoted Cholesky: what it leaves below the rounding of a sum over the cases is dependent
    3. inverse of the independent part, zero elsewhere; the dependent ones span the null space

    Returns
    -------
    inverse : ndarray of shape (P, P)
    null_space : ndarray of shape (P, n_null)
        Entries below 1e-6 of a column's largest, in scaled units, are exactly 0.
    """
    size = len(matrix)
    diagonal = np.diag(matrix)
    varies = is_free & (diagonal > 0)
    use = np.flatnonzero(varies)
    inverse = np.zeros((size, size))
    scale = 1.0 / np.sqrt(np.where(varies, diagonal, 1.0))
    unit = matrix[np.ix_(use, use)] * scale[use, None] * scale[use]  # 1
    rounding = 20 * np.finfo(float).eps * (size + math.sqrt(max(n_cases, 1.0)))
    kept = dependent = np.empty(0, dtype=np.intp)
    if len(use):
        _, pivots, rank, _ = lapack.dpstrf(unit, lower=1, tol=rounding)  # 2
        kept, dependent = np.sort(pivots[:rank] - 1), np.sort(pivots[rank:] - 1)
        part = np.linalg.inv(unit[np.ix_(kept, kept)])  # 3
        inverse[np.ix_(use[kept], use[kept])] = part * scale[use[kept], None] * scale[use[kept]]
    flat = np.flatnonzero(is_free & ~varies)
    null_space = np.zeros((size, len(flat) + len(dependent)))
    null_space[flat, np.arange(len(flat))] = 1.0
    for column, position in enumerate(dependent, start=len(flat)):
        direction = np.zeros(len(use))
        direction[position] = 1.0
        direction[kept] = -part @ unit[kept, position]
        direction[np.abs(direction) < 1e-6 * np.abs(direction).max()] = 0.0
        null_space[use, column] = direction * scale[use]
    return inverse, null_space
