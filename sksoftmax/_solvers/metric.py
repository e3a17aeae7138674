"""A change of variables in which the linear objective is nearly round.

At the class shares pi the Hessian's block of class k is about h_k G + alpha I, with
h_k = pi_k (1 - pi_k) + logit_l2, G the weighted covariance of the columns (1 for the intercept).
With its Cholesky factor, (h_k G + alpha I) = L_k L_k', the variables u_k = L_k' theta_k have a
Hessian near the identity whatever the scales and correlations of the columns. The objective is the
same function, so its optimum does not move: only the path to it becomes short.

Wide or sparse problems use the diagonal of G instead of G.
"""

from dataclasses import dataclass

import numpy as np

# A factor costs n d^2 once: worth it up to this many columns. Per class up to this many entries.
MOST_WHITENED_COLUMNS = 1024
MOST_FACTOR_ENTRIES = 4_000_000
# Without a penalty the rank of X matters: its Gram matrix is formed up to this many columns.
MOST_RANKED_COLUMNS = 4096
# Relative ridge that keeps the factor of a rank-deficient covariance finite. The metric is only a
# change of variables: this changes no optimum.
_JITTER = 1e-11


@dataclass
class Metric:
    """theta_k = T_k u_k; T_k = L_k'^-1 dense, or a vector when diagonal."""

    transform: np.ndarray  # (n_outputs or 1, d, d) or (n_outputs, d)
    curvature: np.ndarray | None  # G, when it was formed

    def theta(self, u: np.ndarray) -> np.ndarray:
        if self.transform.ndim == 2:
            return self.transform * u
        return np.matmul(self.transform, u[..., None])[..., 0]

    def gradient(self, gradient: np.ndarray) -> np.ndarray:
        """The gradient in u: T' times the gradient in theta."""
        if self.transform.ndim == 2:
            return self.transform * gradient
        return np.matmul(gradient[..., None, :], self.transform)[..., 0, :]

    def u(self, theta: np.ndarray) -> np.ndarray:
        if self.transform.ndim == 2:
            return theta / self.transform
        return np.linalg.solve(self.transform, theta[..., None])[..., 0]

    def of(self, output: int) -> "Metric":
        """The metric of one output alone."""
        own = slice(output, output + 1) if len(self.transform) > 1 else slice(0, 1)
        return Metric(self.transform[own], self.curvature)

    def norm(self, gradient: np.ndarray) -> float:
        """Largest entry of the gradient in u: free of the columns' units."""
        return self.norm_in_u(self.gradient(gradient))

    def norm_in_u(self, gradient: np.ndarray) -> float:
        """The same of a gradient that is in u already."""
        return float(np.abs(gradient).max())


def build_metric(objective) -> Metric:
    """The metric of a linear objective, whitening where that is affordable."""
    curvature = objective.typical_curvature()
    ridge = np.full(objective.n_columns, objective.penalty.alpha)
    ridge[objective.n_features :] = 0.0
    if objective.n_columns > MOST_WHITENED_COLUMNS:
        checks_rank = objective.penalty.alpha == 0 and objective.n_columns <= MOST_RANKED_COLUMNS
        diagonal = curvature[:, None] * objective.variances() + ridge
        gram = objective.gram() if checks_rank else None
        return Metric(1.0 / np.sqrt(_positive(diagonal)), gram)
    gram = objective.gram()
    if objective.n_outputs * objective.n_columns**2 > MOST_FACTOR_ENTRIES:
        curvature = curvature.mean(keepdims=True)
    blocks = curvature[:, None, None] * gram + np.diag(ridge)
    return Metric(inverse_factors(blocks, rounding_jitter(objective)), gram)


def rounding_jitter(objective) -> float:
    """Relative ridge that covers the rounding of curvature summed in float32."""
    return 0.0 if objective.dtype == np.float64 else 10 * float(np.finfo(objective.dtype).eps)


def inverse_factors(blocks: np.ndarray, least_jitter: float = 0.0) -> np.ndarray:
    """T (.., d, d) with T T' = block^-1, for positive semidefinite blocks; scaled to unit diagonal
    first, so that columns of any scale keep their accuracy."""
    if not np.isfinite(blocks).all():
        raise ValueError(
            "X: products of its columns overflow; divide its largest columns by a constant"
        )
    scale = 1.0 / np.sqrt(_positive(np.einsum("...ii->...i", blocks)))
    correlation = blocks * scale[..., :, None] * scale[..., None, :]
    identity = np.eye(blocks.shape[-1])
    for jitter in (max(_JITTER, least_jitter), 1e-8, 1e-4, 1.0):
        try:
            factor = np.linalg.cholesky(correlation + jitter * identity)
            break
        except np.linalg.LinAlgError:
            continue
    return scale[..., :, None] * np.swapaxes(np.linalg.inv(factor), -1, -2)


def _positive(diagonal: np.ndarray) -> np.ndarray:
    """Zero entries (constant columns without a penalty) get the scale 1."""
    return np.where(diagonal > 0, diagonal, 1.0)
