"""Maximum likelihood inference for the multinomial logit: from a fit to `LogitResults`.

A multinomial logit has one row of coefficients per class too many. Here the base class has none:
its utility is 0 (plus its offset), and the others' parameters are differences to it,

    V_ik = x_i' B_k + b_k for the other classes k,    names "k:feature" and "k:intercept".

The sums over the data are in _likelihood.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from sksoftmax._estimator import check_choice, check_features, warn_of_problems
from sksoftmax.inference import LogitResults
from sksoftmax.inference._estimate import Design, Estimate, WeightType
from sksoftmax.linear._likelihood import Likelihood, Maximum, parameter_names


class InfersByLikelihood:
    """Gives an estimator of a linear softmax model the method `infer`."""

    def infer(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        base: Any = None,
        covariance: str = "hessian",
        groups: Any = None,
        weight_type: WeightType = "frequency",
        offset: Any = None,
        mask: Any = None,
    ) -> LogitResults:
        """Fit the model to these data and return its statistics, as econometricians report them.

        The fit is that of the parameters of this estimator, by Newton's method to rounding; the
        estimator itself, fitted or not, does not change. For maximum likelihood set ``C=np.inf``:
        inference from a penalized fit warns.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Labels. Soft targets have no likelihood and are not accepted.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights, not all zero.
        base : label, default=None
            The class without parameters; None is the first of the sorted classes. It changes no
            probability.
        covariance : {"hessian", "bhhh", "robust", "cluster"}, default="hessian"
            Of the standard errors; ``results.with_covariance`` gives the others without a refit.
        groups : array-like of shape (n_samples,), default=None
            Clusters of rows, for "cluster".
        weight_type : {"frequency", "sampling"}, default="frequency"
            A frequency weight of 2 is a row that occurs twice. Sampling weights correct for unequal
            chances to be in the sample: standard errors do not change if all are multiplied by 10,
            and need "robust" or "cluster". `class_weight` multiplies sampling weights only.
        offset, mask : array-like of shape (n_samples, n_classes) or (n_classes,), default=None
            As in `fit`. The results remember neither, so what needs new rows (elasticities,
            marginal effects, surplus, score test and Hausman-McFadden test) refuses.

        Returns
        -------
        results : LogitResults
            Parameters are named ``"label:feature"`` and ``"label:intercept"``, in the order of the
            classes.

        Raises
        ------
        ValueError
            An argument is out of its range, or the estimator has `label_smoothing`, `logit_l2` or,
            with frequency weights, `class_weight`: then there is no likelihood to infer from.
        """
        check_choice(weight_type, "weight_type", ("frequency", "sampling"))
        _check_has_likelihood(self, weight_type)
        likelihood = Likelihood.of(
            self, X, y, sample_weight, weight_type, groups=groups, offset=offset, mask=mask
        )
        classes = likelihood.targets.classes
        others = [k for k in range(len(classes)) if k != _base_position(base, classes)]
        maximum = likelihood.maximize(others)
        warn_of_problems(likelihood.worker, maximum.problems, stacklevel=2)
        model = LinearModel(
            likelihood.worker, classes, tuple(others), weight_type, offset is None and mask is None
        )
        return LogitResults(likelihood.estimate(maximum, model), covariance)


def _check_has_likelihood(estimator: Any, weight_type: str) -> None:
    estimator._check_parameters()
    for name in ("label_smoothing", "logit_l2"):
        if getattr(estimator, name) > 0:
            raise ValueError(
                f"infer needs a likelihood: {name} must be 0; got {getattr(estimator, name)!r}."
            )
    if estimator.class_weight is not None and weight_type == "frequency":
        raise ValueError(
            "infer takes class_weight only with weight_type='sampling': weights of classes do not "
            f"count rows; got class_weight={estimator.class_weight!r}."
        )


def _base_position(base: Any, classes: np.ndarray) -> int:
    labels = classes.tolist()
    if base is None:
        return 0
    if np.ndim(base) or base not in labels:
        raise ValueError(f"base={base!r} is no label of y; they are {labels}.")
    return labels.index(base)


@dataclass(frozen=True)
class LinearModel:
    """The `LogitModel` of a multinomial logit: what it is, without the data.

    Attributes
    ----------
    worker : estimator
        An unfitted copy that knows the features.
    classes : ndarray of shape (n_classes,)
    parametrized : tuple of int
        Classes that have parameters: all but the base.
    weight_type : {"frequency", "sampling"}
    rows_suffice : bool
        False: fitted with an offset or mask, which new rows would need too.
    """

    worker: Any
    classes: np.ndarray
    parametrized: tuple[int, ...]
    weight_type: WeightType
    rows_suffice: bool

    @property
    def name(self) -> str:
        return type(self.worker).__name__

    @property
    def names(self) -> tuple[str, ...]:
        return parameter_names(self.worker, self.classes[[*self.parametrized]])

    def design(self, X: Any) -> Design:
        """dV_k / dB_k = x and dV_k / db_k = 1, and nothing else."""
        self._check_rows_suffice()
        X = check_features(self.worker, X, reset=False)
        X = np.asarray(X.toarray() if sparse.issparse(X) else X, dtype=np.float64)
        if self.worker.fit_intercept:
            X = np.column_stack([X, np.ones(len(X))])
        n_columns = X.shape[1]
        values = np.zeros((len(X), len(self.classes), n_columns * len(self.parametrized)))
        for position, k in enumerate(self.parametrized):
            values[:, k, position * n_columns : (position + 1) * n_columns] = X
        return Design(values, np.ones(values.shape[:2], dtype=bool))

    def refit(self, X: Any, y: Any, sample_weight: Any = None, *, without: Any = None) -> Estimate:
        likelihood = self._likelihood(X, y, sample_weight)
        kept = [k for k, label in enumerate(self.classes.tolist()) if label != without]
        likelihood = likelihood.of_classes(kept)
        parametrized = [kept.index(k) for k in self.parametrized if k in kept]
        maximum = likelihood.maximize(parametrized)
        model = LinearModel(
            likelihood.worker, self.classes[kept], tuple(parametrized), self.weight_type, True
        )
        return likelihood.estimate(maximum, model)

    def evaluate(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        params: Mapping[str, float],
        utilities: Any = None,
    ) -> Estimate:
        """X may have more columns than the fit had: a larger specification."""
        if utilities is not None:
            raise ValueError(
                "utilities: a multinomial logit has none; pass an X with further columns."
            )
        likelihood = self._likelihood(X, y, sample_weight)
        model = replace(self, worker=likelihood.worker)
        values = np.array([params.get(name, 0.0) for name in model.names])
        values = values.reshape(len(self.parametrized), -1)
        maximum = Maximum(values, n_iter=0, converged=True, problems=())
        return likelihood.estimate(maximum, model)

    def _likelihood(self, X: Any, y: Any, sample_weight: Any) -> Likelihood:
        self._check_rows_suffice()
        return Likelihood.of(
            self.worker, X, y, sample_weight, self.weight_type, classes=self.classes
        )

    def _check_rows_suffice(self) -> None:
        if not self.rows_suffice:
            raise ValueError(
                "The model was inferred with an offset or mask, which the rows of X do not bring: "
                "for choice sets and attributes of alternatives use ConditionalLogit."
            )
