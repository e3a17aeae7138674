"""Tests of hypotheses: Wald, likelihood ratio, score, and Hausman and McFadden's of IIA."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import eigh
from scipy.special import chdtrc

from sksoftmax._targets import label_text
from sksoftmax.inference._covariance import Covariance, covariance_of, generalized_inverse
from sksoftmax.inference._estimate import Estimate
from sksoftmax.inference._restrictions import read_restrictions
from sksoftmax.inference._warnings import warn, warn_of_penalty, warn_of_sampling_weights

# What is left of a log-likelihood by stopping at the solver's tolerance, relative to its size.
_NOISE = 1e-9


@dataclass(frozen=True)
class HypothesisTest:
    """A statistic that is chi-square distributed if the hypothesis holds.

    Parameters
    ----------
    name : str
        Of the test.
    hypothesis : str
        What is tested.
    statistic : float
        NaN where the test has no answer.
    df : int
        Degrees of freedom.
    p_value : float
        Probability of a larger statistic under the hypothesis.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax import MultinomialLogit
    >>> X, y = load_iris(return_X_y=True)
    >>> results = MultinomialLogit(C=float("inf")).infer(X[50:, :2], y[50:])
    >>> results.wald_test("2:x0 = 0")
    Wald test of 2:x0 = 0: chi2(1) = 13.54, p < .001
    """

    name: str
    hypothesis: str
    statistic: float
    df: int
    p_value: float

    def __repr__(self) -> str:
        p = "p < .001" if self.p_value < 0.0005 else f"p = {self.p_value:.3f}"
        return f"{self.name} of {self.hypothesis}: chi2({self.df}) = {self.statistic:.4g}, {p}"


@dataclass(frozen=True, repr=False)
class IIATest(HypothesisTest):
    """Hausman and McFadden's test, and what it compared.

    Parameters
    ----------
    name, hypothesis, statistic, df, p_value
        As of every `HypothesisTest`; the statistic is NaN where the difference of the covariances
        is not positive definite.
    names : tuple of str
        Parameters that were compared; "a (rebased)" where a constant took the place of a base.
    difference : ndarray of shape (df,)
        Without the alternative minus with it.
    eigenvalues : ndarray of shape (df,)
        Of the difference of covariances relative to the larger, ascending: the statistic exists if
        all are positive. At most 1; the units of the parameters do not matter.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax import MultinomialLogit
    >>> X, y = load_iris(return_X_y=True)
    >>> results = MultinomialLogit(C=float("inf")).infer(X[:, 1:2], y)
    >>> test = results.hausman_mcfadden_test(X[:, 1:2], y, without=0)
    >>> test.df, test.names
    (2, ('2:x0 (rebased)', '2:intercept (rebased)'))
    """

    names: tuple[str, ...]
    difference: np.ndarray
    eigenvalues: np.ndarray

    def __repr__(self) -> str:
        if not np.isnan(self.statistic):
            return super().__repr__()
        shown = np.array2string(self.eigenvalues, precision=3)
        return f"{self.name} of {self.hypothesis}: no statistic, eigenvalues {shown}"


def chi_square_test(name: str, hypothesis: str, statistic: float, df: int) -> HypothesisTest:
    """The test with its p-value."""
    return HypothesisTest(name, hypothesis, statistic, df, float(chdtrc(df, statistic)))


def wald_test(
    estimate: Estimate, covariance: Covariance, restrictions: Any, value: Any
) -> HypothesisTest:
    """W = (R b - q)' (R V R')^-1 (R b - q).

    1. R and q from text or a matrix
    2. refuse what has no test: restrictions on parameters that are held or not determined, and more
       restrictions than the rank of R
    3. the statistic
    """
    warn_of_penalty(estimate)
    matrix, values, text = read_restrictions(restrictions, estimate.names, value)  # 1
    _check_testable(estimate, covariance, matrix)  # 2
    distance = matrix @ estimate.params - values
    variance = matrix @ covariance.matrix @ matrix.T
    _check_rank(variance, covariance)
    statistic = float(distance @ np.linalg.solve(variance, distance))  # 3
    return chi_square_test("Wald test", text, statistic, len(matrix))


def _check_testable(estimate: Estimate, covariance: Covariance, matrix: np.ndarray) -> None:
    free = matrix * estimate.is_free
    bad = np.flatnonzero(~covariance.determines(matrix))
    if len(bad):
        involved = np.flatnonzero(matrix[bad[0]] * ~covariance.is_estimable)
        shown = ", ".join(estimate.names[j] for j in involved)
        raise ValueError(f"restrictions: the data do not determine {shown}; nothing to test.")
    scale = np.where(covariance.standard_errors > 0, covariance.standard_errors, 1.0)
    rank = int(np.linalg.matrix_rank(free * np.nan_to_num(scale, nan=1.0)))
    if rank < len(matrix):
        held = [name for name, f in zip(estimate.names, estimate.is_free, strict=True) if not f]
        raise ValueError(
            f"restrictions: {len(matrix)} restrictions of rank {rank} on the estimated parameters; "
            "leave out those that follow from the others"
            + (
                f", or that concern only parameters that were held ({', '.join(held)})."
                if held
                else "."
            )
        )


def _check_rank(variance: np.ndarray, covariance: Covariance) -> None:
    """Few clusters give a covariance of low rank, which tests no more restrictions than that."""
    scale = 1 / np.sqrt(np.diag(variance))
    rank = int(np.linalg.matrix_rank(variance * scale[:, None] * scale, tol=1e-10))
    if rank < len(variance):
        raise ValueError(
            f"restrictions: {len(variance)} restrictions, but their {covariance.kind} covariance "
            f"has rank {rank}; test fewer of them, or use another covariance."
        )


def likelihood_ratio_test(general: Estimate, restricted: Estimate, df: int) -> HypothesisTest:
    """LR = 2 (loglik of the general model - loglik of the restricted one)."""
    for estimate in (general, restricted):
        warn_of_penalty(estimate)
    warn_of_sampling_weights(general, "Likelihood ratios")
    if general.data_key != restricted.data_key:
        raise ValueError(
            "restricted: it was fitted to other data (choices, choice sets or weights differ); "
            "a likelihood ratio compares two models of the same data."
        )
    if df <= 0:
        raise ValueError(
            f"restricted: it must have fewer parameters than this model; it has {-df} more. "
            "Call the method of the larger model."
        )
    statistic = 2 * (general.loglik - restricted.loglik)
    if statistic < -_NOISE * (1 + abs(general.loglik)):
        raise ValueError(
            f"restricted: its log-likelihood {restricted.loglik:.6g} is above that of this model, "
            f"{general.loglik:.6g}: it is not a special case of it, or a fit did not converge."
        )
    hypothesis = f"{df} restriction{'' if df == 1 else 's'}"
    return chi_square_test("Likelihood ratio test", hypothesis, max(statistic, 0.0), df)


def score_test(restricted: Estimate, general: Estimate, restricted_df: int) -> HypothesisTest:
    """LM = s' H^-1 s: score and information of the general model at the restricted estimate.

    1. the general model must contain the restricted one: same data, same log-likelihood there
    2. the statistic, over the parameters that are free in it and determined
    """
    warn_of_penalty(restricted)
    if restricted.weight_type == "sampling":
        raise ValueError(
            "score_test rests on the information matrix, which means nothing with "
            "weight_type='sampling'. Fit the larger model and use its wald_test."
        )
    if general.data_key != restricted.data_key:  # 1
        raise ValueError("X, y: not the data of the fit (choices, choice sets or weights differ).")
    if abs(general.loglik - restricted.loglik) > 1e-7 * (1 + abs(restricted.loglik)):
        raise ValueError(
            "utilities: with the added parameters at 0 the log-likelihood is "
            f"{general.loglik:.6g}, not the {restricted.loglik:.6g} of this model: the larger "
            "specification must contain this one, under the same names."
        )
    inverse, null = generalized_inverse(general.information, general.is_free, general.n_cases)
    df = int(general.is_free.sum()) - null.shape[1] - restricted_df
    if df <= 0:
        raise ValueError(f"utilities: the larger specification must add parameters; it adds {df}.")
    added = [name for name in general.names if name not in restricted.names]
    statistic = float(general.score @ inverse @ general.score)  # 2
    shown = ", ".join(f"{name} = 0" for name in added) or "the restrictions"
    return chi_square_test("Score test", shown, statistic, df)


def hausman_mcfadden_test(
    full: Estimate, X: Any, y: Any, sample_weight: Any, without: Any
) -> IIATest:
    """H = d' (V_subset - V_full)^-1 d, d the difference of what both fits determine.

    1. parameters of the subset that both fits determine, as rows R; where the subset lost the base
       of its constants, these are their differences to a new base
    2. eigenvalues of R (V_subset - V_full) R' relative to R V_subset R'
    3. the statistic where all are positive, else NaN: no absolute value, no pseudo-inverse
    """
    if full.weight_type == "sampling":
        raise ValueError(
            "hausman_mcfadden_test compares the covariances of an efficient estimator, which no "
            "weighted one with weight_type='sampling' is."
        )
    warn_of_penalty(full)
    subset = _without(full, X, y, sample_weight, without)
    full_covariance = covariance_of(full, "hessian")
    subset_covariance = covariance_of(subset, "hessian")
    rows, names = _contrasts(full, full_covariance, subset, subset_covariance)  # 1
    if not names:
        raise ValueError(
            f"without={label_text(without)}: the data without it determine no parameter of the "
            "model, so there is nothing to compare."
        )
    position = [full.names.index(name) for name in subset.names]
    wide = np.zeros((len(rows), len(full.names)))
    wide[:, position] = rows
    difference = rows @ subset.params - wide @ full.params
    larger = rows @ subset_covariance.matrix @ rows.T
    smaller = wide @ full_covariance.matrix @ wide.T
    eigenvalues = eigh(larger - smaller, larger, eigvals_only=True)  # 2
    statistic = p_value = np.nan
    if eigenvalues.min() > 1e-8:  # 3
        statistic = float(difference @ np.linalg.solve(larger - smaller, difference))
        p_value = float(chdtrc(len(rows), statistic))
    else:
        warn(
            "hausman_mcfadden_test: the difference of the covariances is not positive definite "
            f"(smallest relative eigenvalue {eigenvalues.min():.2g}), so there is no statistic."
        )
    hypothesis = f"independence of {label_text(without)}"
    return IIATest(
        "Hausman-McFadden test", hypothesis, statistic, len(rows), p_value,
        names, difference, eigenvalues,
    )  # fmt: skip


def _without(full: Estimate, X: Any, y: Any, sample_weight: Any, without: Any) -> Estimate:
    """The same model fitted without an alternative, to what must be the data of the fit."""
    classes = full.model.classes.tolist()
    if np.ndim(without) or without not in classes or len(classes) < 3:
        raise ValueError(
            f"without={label_text(without)} must be one of three alternatives or more; they are "
            f"{classes}."
        )
    params = dict(zip(full.names, full.params.tolist(), strict=True))
    again = full.model.evaluate(X, y, sample_weight, params=params)
    if again.data_key != full.data_key:
        raise ValueError("X, y: not the data of the fit (choices, choice sets or weights differ).")
    if abs(again.loglik - full.loglik) > 1e-7 * (1 + abs(full.loglik)):
        raise ValueError(
            f"X: not the data of the fit: the log-likelihood there is {again.loglik:.6g}, not the "
            f"{full.loglik:.6g} of this model."
        )
    return full.model.refit(X, y, sample_weight, without=without)


def _contrasts(
    full: Estimate, full_covariance: Covariance, subset: Estimate, subset_covariance: Covariance
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Rows of combinations of the subset's parameters that both fits determine, and their names.

    A null direction n of the subset has one parameter d of its own (generalized_inverse left it
    out). For another parameter i, b_i - n_i / n_d b_d does not change along it.
    """
    null = subset_covariance.null_space
    own = [_own_parameter(null, column) for column in range(null.shape[1])]
    position = [full.names.index(name) for name in subset.names]
    rows, names = [], []
    for i in np.flatnonzero(subset.is_free):
        if i in own:
            continue
        row = np.zeros(len(subset.names))
        row[i] = 1.0
        for column, d in enumerate(own):
            row[d] -= null[i, column] / null[d, column]
        wide = np.zeros(len(full.names))
        wide[position] = row
        both = subset_covariance.determines(row[None]) & full_covariance.determines(wide[None])
        if both[0]:
            rows.append(row)
            names.append(subset.names[i] + (" (rebased)" if np.count_nonzero(row) > 1 else ""))
    return np.array(rows).reshape(len(rows), len(subset.names)), tuple(names)


def _own_parameter(null: np.ndarray, column: int) -> int:
    """The parameter that moves along this null direction and along no other."""
    alone = (null[:, column] != 0) & (np.count_nonzero(null, axis=1) == 1)
    return int(np.flatnonzero(alone)[0])
