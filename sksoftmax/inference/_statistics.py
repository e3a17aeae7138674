"""Estimates, their errors, and how well the model fits: what a fit says of itself."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Self

import numpy as np
from scipy.special import ndtr, ndtri

from sksoftmax._estimator import check_number
from sksoftmax.inference._covariance import covariance_of, generalized_inverse
from sksoftmax.inference._estimate import Estimate
from sksoftmax.inference._warnings import warn_of_penalty, warn_of_sampling_weights


class FitStatistics:
    """The part of `LogitResults` that needs nothing but the estimate."""

    def __init__(
        self, estimate: Estimate, covariance: str = "hessian", small_sample: bool = True
    ) -> None:
        self._estimate = estimate
        self._covariance = covariance_of(estimate, covariance, small_sample)

    def with_covariance(self, covariance: str, *, small_sample: bool = True) -> Self:
        """Return the same estimate with standard errors of another kind; nothing is fitted again.

        Parameters
        ----------
        covariance : {"hessian", "bhhh", "robust", "cluster"}
            Inverse information; inverse outer product of the scores; sandwich of the two, without
            a small-sample factor; sandwich of scores summed over clusters.
        small_sample : bool, default=True
            Multiply that of clusters by G / (G - 1), G their number.

        Returns
        -------
        results : LogitResults

        Raises
        ------
        ValueError
            ``"cluster"`` without clusters, or ``"hessian"`` or ``"bhhh"`` with sampling weights.
        """
        return type(self)(self._estimate, covariance, small_sample)

    # --- the estimate -----------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all parameters, those that were held included."""
        return self._estimate.names

    @property
    def params(self) -> np.ndarray:
        """Their values, shape (n_names,)."""
        return self._estimate.params.copy()

    @property
    def is_free(self) -> np.ndarray:
        """Which of them were estimated, not held, bool of shape (n_names,)."""
        return self._estimate.is_free.copy()

    @property
    def is_estimable(self) -> np.ndarray:
        """Which of them the data determine, bool of shape (n_names,)."""
        return self._covariance.is_estimable.copy()

    @property
    def covariance_type(self) -> str:
        """The kind of covariance: "hessian", "bhhh", "robust" or "cluster"."""
        return self._covariance.kind

    @property
    def covariance(self) -> np.ndarray:
        """Covariance of the parameters that were estimated, shape (n_free, n_free).

        In the order of ``names``, those that were held left out; NaN for parameters that the data
        do not determine.
        """
        warn_of_penalty(self._estimate)
        known = self._covariance.is_estimable
        matrix = np.where(known[:, None] & known, self._covariance.matrix, np.nan)
        free = self._estimate.is_free
        return matrix[np.ix_(free, free)]

    @property
    def standard_errors(self) -> np.ndarray:
        """Of all parameters, shape (n_names,); NaN for those held and those not determined."""
        warn_of_penalty(self._estimate)
        return self._standard_errors

    @property
    def _standard_errors(self) -> np.ndarray:
        return np.where(self._estimate.is_free, self._covariance.standard_errors, np.nan)

    @property
    def z_values(self) -> np.ndarray:
        """(params - value under the null hypothesis) / standard_errors, shape (n_names,)."""
        warn_of_penalty(self._estimate)
        return self._z_values

    @property
    def _z_values(self) -> np.ndarray:
        distance = self._estimate.params - self._estimate.null_values
        with np.errstate(divide="ignore", invalid="ignore"):
            return distance / self._standard_errors

    @property
    def p_values(self) -> np.ndarray:
        """Two-sided, of the normal distribution, shape (n_names,)."""
        return 2 * ndtr(-np.abs(self.z_values))

    def confidence_intervals(self, confidence_level: float = 0.95) -> np.ndarray:
        """Return params -/+ the normal quantile times their standard errors.

        Parameters
        ----------
        confidence_level : float, default=0.95
            Between 0 and 1.

        Returns
        -------
        intervals : ndarray of shape (n_names, 2)
        """
        warn_of_penalty(self._estimate)
        half = normal_quantile(confidence_level) * self._standard_errors
        return self._estimate.params[:, None] + half[:, None] * np.array([-1.0, 1.0])

    # --- the fit ----------------------------------------------------------------------------------

    @property
    def n_cases(self) -> float:
        """Choices: the sum of frequency weights, or the rows of positive sampling weight."""
        return self._estimate.n_cases

    @property
    def n_forced(self) -> float:
        """Of them, cases with one available alternative: they tell nothing."""
        return self._estimate.n_forced

    @cached_property
    def n_parameters(self) -> int:
        """K, parameters that were estimated, less those that the data do not determine."""
        e = self._estimate
        _, null = generalized_inverse(e.information + e.penalty, e.is_free, e.n_cases)
        return int(e.is_free.sum()) - null.shape[1]

    @property
    def loglik(self) -> float:
        """Log-likelihood at the estimate, in nats, without any penalty."""
        return self._estimate.loglik

    @property
    def loglik_null(self) -> float:
        """Log-likelihood where available alternatives are equally probable."""
        return self._estimate.loglik_null

    @property
    def loglik_constants(self) -> float:
        """Log-likelihood of constants alone on the same choice sets; NaN without labels."""
        value = self._estimate.loglik_constants
        return math.nan if value is None else value

    @property
    def aic(self) -> float:
        """-2 loglik + 2 K."""
        self._warn_of_criteria()
        return self._aic

    @property
    def bic(self) -> float:
        """-2 loglik + K log(n_cases)."""
        self._warn_of_criteria()
        return self._bic

    @property
    def _aic(self) -> float:
        return -2 * self.loglik + 2 * self.n_parameters

    @property
    def _bic(self) -> float:
        return -2 * self.loglik + math.log(self.n_cases) * self.n_parameters

    def _warn_of_criteria(self) -> None:
        warn_of_penalty(self._estimate)
        warn_of_sampling_weights(self._estimate, "Information criteria")

    @property
    def mcfadden_r2(self) -> float:
        """1 - loglik / loglik_null."""
        return _share(self.loglik, self.loglik_null)

    @property
    def mcfadden_r2_constants(self) -> float:
        """1 - loglik / loglik_constants, what statsmodels and R's mlogit call pseudo R2."""
        return _share(self.loglik, self.loglik_constants)

    @property
    def adjusted_r2(self) -> float:
        """1 - (loglik - K) / loglik_null."""
        return _share(self.loglik - self.n_parameters, self.loglik_null)

    @property
    def adjusted_r2_constants(self) -> float:
        """1 - (loglik - K) / (loglik_constants - Kc), Kc the number of constants."""
        least = self.loglik_constants - self._estimate.n_constants
        return _share(self.loglik - self.n_parameters, least)

    @property
    def n_iter(self) -> int:
        """Iterations of the solver."""
        return self._estimate.n_iter

    @property
    def gradient_norm(self) -> float:
        """What the solver had left of the gradient, in its own scale."""
        return self._estimate.gradient_norm

    @property
    def converged(self) -> bool:
        """Did the solver reach its tolerance?"""
        return self._estimate.converged


def normal_quantile(confidence_level: float) -> float:
    """1.96 for 0.95; raise where the level is none."""
    accepted = "a number above 0 and below 1"
    level = check_number(confidence_level, "confidence_level", accepted, above=0, below=1)
    return float(ndtri(0.5 + level / 2))


def _share(loglik: float, least: float) -> float:
    """1 - loglik / least; NaN where nothing is to be explained."""
    return 1 - loglik / least if least < 0 else math.nan
