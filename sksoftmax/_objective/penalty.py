"""Penalties on coefficients: value, gradient and curvature, with their weight inside."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ridge:
    """alpha / 2 |coef|^2; the intercept, which the caller leaves out, is free."""

    alpha: float

    def value(self, coef: np.ndarray) -> float:
        if self.alpha == 0:
            return 0.0  # not 0 * inf, where the square overflows
        return 0.5 * self.alpha * float(np.vdot(coef, coef))

    def gradient(self, coef: np.ndarray) -> np.ndarray:
        return self.alpha * coef

    def row_values(self, coef: np.ndarray) -> np.ndarray:
        """The value of each row."""
        if self.alpha == 0:
            return np.zeros(len(coef))
        return self.alpha / 2 * np.einsum("kj,kj->k", coef, coef)
