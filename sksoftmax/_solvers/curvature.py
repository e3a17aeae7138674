"""What a refit keeps of the fits before: the factor of a Hessian near its start, as a metric.

After a few more rows the optimum is near the old one, and so is the Hessian H = L L' there. In
the variables u = L' theta the objective is then almost the function u'u / 2, and L-BFGS needs a few
passes only, without forming H again: forming it costs as much as dozens of passes.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cholesky, solve_triangular

from sksoftmax._solvers.metric import Metric
from sksoftmax._solvers.newton import hessian_steps
from sksoftmax._solvers.protocol import follow

# A model keeps (and pickles) up to so many parameters squared: 8 MiB.
MOST_KEPT_PARAMETERS = 1024


@dataclass(frozen=True)
class Curvature:
    """L with L L' = diag(scale) H diag(scale), H the Hessian (filled along its null space)."""

    factor: np.ndarray  # (n_outputs * n_columns,) twice, lower triangular
    scale: np.ndarray  # (n_outputs * n_columns,), 1 / sqrt(diagonal of H)
    shape: tuple[int, int]

    def __deepcopy__(self, memo) -> "Curvature":
        return self  # it never changes

    @classmethod
    def at(cls, objective, theta) -> "Curvature | None":
        """The curvature at theta; None where rounding leaves no positive definite Hessian."""
        hessian = follow(hessian_steps(objective, theta), objective)
        diagonal = np.diag(hessian)
        if not (np.isfinite(hessian).all() and (diagonal > 0).all()):
            return None
        scale = 1.0 / np.sqrt(diagonal)
        hessian *= scale[:, None] * scale
        try:
            factor = cholesky(hessian, lower=True, overwrite_a=True, check_finite=False)
        except LinAlgError:
            return None
        return cls(factor, scale, theta.shape)


class CurvatureMetric:
    """The variables u = L' theta for L-BFGS, and the norm of a gradient in another metric."""

    def __init__(self, curvature: Curvature, metric: Metric):
        self.curvature, self.metric = curvature, metric

    def theta(self, u: np.ndarray) -> np.ndarray:
        factor, scale, shape = self._parts()
        solved = solve_triangular(factor, u.ravel(), lower=True, trans=1, check_finite=False)
        return (scale * solved).reshape(shape)

    def gradient(self, gradient: np.ndarray) -> np.ndarray:
        factor, scale, shape = self._parts()
        scaled = scale * gradient.ravel()
        return solve_triangular(factor, scaled, lower=True, check_finite=False).reshape(shape)

    def u(self, theta: np.ndarray) -> np.ndarray:
        factor, scale, shape = self._parts()
        return (factor.T @ (theta.ravel() / scale)).reshape(shape)

    def norm_in_u(self, gradient: np.ndarray) -> float:
        """The norm of the other metric, of a gradient in u: `tol` means the same everywhere."""
        factor, scale, shape = self._parts()
        return self.metric.norm(((factor @ gradient.ravel()) / scale).reshape(shape))

    def _parts(self):
        return self.curvature.factor, self.curvature.scale, self.curvature.shape
