"""The problems that the fits are measured on, and an outsider's judgement of an answer."""

from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax
from sklearn.datasets import load_digits
from sklearn.preprocessing import StandardScaler


@dataclass(frozen=True)
class Problem:
    """Multinomial logistic regression with C = 1: minimise the mean cross-entropy plus ridge.

    value(coef) = mean_i loss_i + alpha / 2 |coef|^2,  alpha = 1 / (C n_samples)
    """

    name: str
    X: np.ndarray
    y: np.ndarray

    def judge(self, coef, intercept):
        """(value, max|gradient|) at a solution, in original columns, the intercept included.

        1. log p    = log softmax(X coef' + intercept)
        2. value    = -mean_i log p_{i, y_i} + alpha / 2 |coef|^2
        3. residual = (p - y) / n_samples
        4. gradient = residual' (X, 1) + alpha (coef, 0)

        SciPy's softmax and NumPy only: the judge is not one of the contestants.
        """
        n_samples = len(self.y)
        rows, alpha = np.arange(n_samples), 1.0 / n_samples
        log_proba = log_softmax(self.X @ coef.T + intercept, axis=1)  # 1
        value = -log_proba[rows, self.y].mean() + alpha / 2 * np.sum(coef**2)  # 2
        residual = np.exp(log_proba)
        residual[rows, self.y] -= 1.0
        residual /= n_samples  # 3
        gradient = residual.T @ self.X + alpha * coef  # 4
        return value, max(np.abs(gradient).max(), np.abs(residual.sum(axis=0)).max())

    def at_zero(self):
        """(value, max|gradient|) where all parameters are zero: the yardstick."""
        n_classes = self.y.max() + 1
        return self.judge(np.zeros((n_classes, self.X.shape[1])), np.zeros(n_classes))


def digits():
    """1797 handwritten digits of 8 x 8 raw pixels: separable, three columns constant."""
    return Problem("digits, raw pixels", *load_digits(return_X_y=True))


def correlated(n_samples, n_features=50, n_classes=10):
    """Standardised AR(0.5) columns, labels drawn from a softmax of moderate size."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, n_features))
    for j in range(1, n_features):
        X[:, j] = 0.5 * X[:, j - 1] + np.sqrt(0.75) * X[:, j]
    X = StandardScaler().fit_transform(X)
    logits = X @ rng.normal(scale=0.2, size=(n_classes, n_features)).T
    y = np.argmax(logits + rng.gumbel(size=logits.shape), axis=1)
    return Problem(f"{n_samples:,} x {n_features}, standardised", X, y)


def badly_scaled(n_samples):
    """The same with each column multiplied by 10^U(-3, 3)."""
    easy = correlated(n_samples)
    factors = 10 ** np.random.default_rng(1).uniform(-3, 3, size=easy.X.shape[1])
    return Problem(
        f"{n_samples:,} x {len(factors)}, columns x 10^U(-3,3)", easy.X * factors, easy.y
    )
