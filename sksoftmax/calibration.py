"""Post-hoc calibration: one temperature for the logits of any classifier."""

from __future__ import annotations

import math
import warnings
from typing import Any, Self

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import accuracy_score
from sklearn.model_selection import check_cv
from sklearn.utils import check_consistent_length, get_tags, indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, has_fit_parameter, validate_data

from sksoftmax import _kernel
from sksoftmax._estimator import TellsItsVersion, check_choice, restores_on_failure
from sksoftmax._responses import (
    RESPONSES,
    Fold,
    Responses,
    check_classifier,
    check_frozen,
    columns_of_labels,
    float_weight,
    log_of_zero,
    of_estimator,
    of_given,
    of_known_labels,
    out_of_fold,
    params_without_routing,
    refuse_masked_arrays,
    refuse_other_order,
    response_name,
    row_errors,
)
from sksoftmax._solvers.temperature import TemperatureFit, TemperatureProblem
from sksoftmax._solvers.temperature_search import search_temperature
from sksoftmax._targets import encode_labels
from sksoftmax.linear import MultinomialLogit

__all__ = ["TemperatureScaling"]

_PREDICTIONS = ("predict", "predict_proba", "predict_log_proba", "decision_function", "score")


class TemperatureScaling(ClassifierMixin, MetaEstimatorMixin, TellsItsVersion, BaseEstimator):
    r"""Calibrated probabilities: divide the logits of a classifier by one temperature.

    With logits :math:`z_i` (from a classifier, or given), labels :math:`y_i` and weights
    :math:`w_i`, the temperature minimizes the log-loss of :math:`p_i = \mathrm{softmax}(z_i / T)`:

    .. math:: \min_{T > 0} \; -\sum_i w_i \log p_{i, y_i},

    a convex problem in :math:`1 / T` [1]_. The order of the classes, and so `predict`, stays as it
    is. At the optimum the mean entropy of the :math:`p_i` equals their mean log-loss: the model is
    as uncertain as it is surprised.

    Parameters
    ----------
    estimator : classifier or None, default=None
        The classifier to calibrate; None stands for `MultinomialLogit`. A
        :class:`~sklearn.frozen.FrozenEstimator` is fitted already: all rows of `fit` go into the
        temperature, in no folds. Must be None unless ``input="features"``.
    input : {"features", "logits", "proba"}, default="features"
        What `X` is: features for the estimator, or itself logits or probabilities, one column per
        class. It is never guessed from the values. Logits of -inf mark classes that are not
        available; a single column of logits is the score of the second of two classes.
    response_method : str, default="auto"
        Which method of the estimator gives the logits: "decision_function", "predict_log_proba" or
        "predict_proba"; "auto" takes the first there is, in this order. Two-class scores z of
        ``decision_function`` mean the logits (0, z), so that a calibrated model has T = 1. Of
        probabilities the logarithm is taken as they are; those of exactly 0 are read as half the
        smallest positive one seen in `fit`.
    objective : {"nll", "brier", "ece"}, default="nll"
        What to minimize: the log-loss, or within a factor of 4 of its optimum the Brier score or
        the expected calibration error (top label, 15 bins of equal width). Prefer "nll": the ECE
        has many local minima, and a small one does not mean good probabilities.
    cv : int, splitter or iterable, default=5
        Folds for an estimator that is not frozen: each row's logits come from a clone fitted
        without it, one temperature is fitted on all of them, and `estimator_` on all rows.
    n_jobs : int or None, default=None
        Number of folds fitted at once, in joblib's meaning.

    Attributes
    ----------
    temperature_ : float
        T. Above 1 the classifier was overconfident, below 1 too modest. inf if the logits say
        nothing about the labels (`status_`): all available classes are then equally probable.
    temperature_interval_ : tuple of two floats
        95 % interval, from the sandwich variance of log T. NaN unless `status_` is "converged" and
        `objective` is "nll". With `cv` it takes the out-of-fold logits as given.
    status_ : {"converged", "uninformative", "separable", "bounded"}
        "uninformative": no positive temperature is better than T = inf (labels are random, or in
        the wrong order). "separable": every label has the largest logit of its row, and the
        log-loss falls as T -> 0; T minimizes it for labels smoothed by 1 / (n + K), with n the sum
        of weights and K the number of classes. "bounded": the Brier score or calibration error
        (`objective`) is smallest at the end of its search, where T stops.
    classes_ : ndarray of shape (n_classes,)
        The labels.
    estimator_ : classifier or None
        The estimator fitted on all rows; None if `X` is logits or probabilities.
    n_iter_ : int
        Passes over the logits.
    n_features_in_ : int
        Number of columns of `X`, if the estimator knows it.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if all are strings.

    See Also
    --------
    sklearn.calibration.CalibratedClassifierCV : Sigmoid and isotonic calibration.
    sksoftmax.functional.softmax : Softmax with a temperature.

    Notes
    -----
    A :class:`~sklearn.exceptions.ConvergenceWarning` says that `status_` is not "converged". A
    weight of 2 counts a row twice in the temperature, but as one observation in its interval.

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger (2017). On calibration of modern neural
       networks. ICML, 1321-1330.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sksoftmax import MultinomialLogit, TemperatureScaling
    >>> X, y = load_digits(return_X_y=True)
    >>> model = TemperatureScaling(MultinomialLogit()).fit(X, y)
    >>> round(model.temperature_, 1)  # it was overconfident
    2.2

    Logits from elsewhere, here of two rows and three classes; one of them is not in `y`:

    >>> logits = [[2.0, 1.0, 0.0], [0.0, 3.0, 1.0], [1.0, 0.5, 0.0]]
    >>> model = TemperatureScaling(input="logits")
    >>> model = model.fit(logits, ["a", "b", "b"], classes=["a", "b", "c"])
    >>> model.predict_proba([[2.0, 1.0, 0.0]]).round(2)
    array([[0.83, 0.14, 0.02]])
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        input: str = "features",
        response_method: str = "auto",
        objective: str = "nll",
        cv: Any = 5,
        n_jobs: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.input = input
        self.response_method = response_method
        self.objective = objective
        self.cv = cv
        self.n_jobs = n_jobs

    @restores_on_failure
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, classes: Any = None, **params: Any
    ) -> Self:
        """Fit the temperature, and the estimator unless it is frozen.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or (n_samples, n_classes)
            What `input` says.
        y : array-like of shape (n_samples,)
            Labels of any type.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights, not all zero: of the temperature, and of the estimator if it takes
            them.
        classes : array-like of shape (n_classes,), default=None
            All labels there are, if `y` lacks some: sorted, the names of the columns of logits or
            probabilities. With an estimator they are passed on to its `fit`.
        **params : dict
            Metadata for the estimator's `fit` and response method (such as `mask`), and for the
            splitter (such as `groups`, under metadata routing).

        Returns
        -------
        self : TemperatureScaling
            The fitted model.

        Raises
        ------
        ValueError
            An argument is out of its range: the message names it, and the first row at fault.
        """
        self._check_parameters()
        if self.input == "features":
            found, target, weight = self._fit_estimator(X, y, sample_weight, classes, params)
        else:
            found, target = self._check_given(X, y, classes, params)
            weight = float_weight(sample_weight, len(target))
        self._log_of_zero = log_of_zero(found.smallest)
        logits = found.read_zeros(self._log_of_zero)
        with row_errors(self.input):
            fit = TemperatureProblem(logits, target, weight).solve()
        return self._unpack(fit, logits, target, weight)

    def predict(self, X: Any, **params: Any) -> np.ndarray:
        """Return the class with the largest logit, before it is divided by the temperature.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or (n_samples, n_classes)
            What `input` says.
        **params : dict
            Metadata for the estimator's response method.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Labels from `classes_`; of tied classes the first.
        """
        logits = self._logits("predict", X, params)
        self._refuse_bad_rows(logits)
        return self.classes_[logits.argmax(axis=1)]

    def predict_proba(self, X: Any, **params: Any) -> np.ndarray:
        """Return calibrated probabilities, softmax of the logits divided by the temperature.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or (n_samples, n_classes)
            What `input` says.
        **params : dict
            Metadata for the estimator's response method.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of `classes_`; exactly 0 where a logit is -inf.
        """
        return self._apply(_kernel.softmax, "predict_proba", X, params)

    def predict_log_proba(self, X: Any, **params: Any) -> np.ndarray:
        """Return the logarithm of the calibrated probabilities, computed from the logits.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or (n_samples, n_classes)
            What `input` says.
        **params : dict
            Metadata for the estimator's response method.

        Returns
        -------
        log_proba : ndarray of shape (n_samples, n_classes)
            In nats, in the order of `classes_`; -inf where a logit is.
        """
        return self._apply(_kernel.log_softmax, "predict_log_proba", X, params)

    def decision_function(self, X: Any, **params: Any) -> np.ndarray:
        """Return the logits divided by the temperature; of two classes their difference.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or (n_samples, n_classes)
            What `input` says.
        **params : dict
            Metadata for the estimator's response method.

        Returns
        -------
        decision : ndarray of shape (n_samples, n_classes) or (n_samples,)
            Logits, all 0 at T = inf and -inf for unavailable classes.
        """
        logits = self._logits("decision_function", X, params)
        self._refuse_bad_rows(logits)
        if len(self.classes_) == 2:
            logits = logits[:, 1] - logits[:, 0]
        scaled = np.zeros_like(logits)
        with np.errstate(over="ignore"):
            np.divide(logits, self.temperature_, out=scaled, where=np.isfinite(logits))
        return np.where(np.isfinite(logits), scaled, logits)

    def score(self, X: Any, y: Any, sample_weight: Any = None, **params: Any) -> float:
        """Return the accuracy of `predict`, which no temperature changes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or (n_samples, n_classes)
            What `input` says.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        **params : dict
            Metadata for the estimator's response method, as in `predict`.

        Returns
        -------
        accuracy : float
            Share of the weight of the rows that are predicted right.
        """
        return float(accuracy_score(y, self.predict(X, **params), sample_weight=sample_weight))

    def get_metadata_routing(self) -> MetadataRouter:
        """Return who gets which metadata: the estimator, its response method, the splitter.

        Returns
        -------
        routing : MetadataRouter
            The routing of scikit-learn's user guide.
        """
        router = MetadataRouter(owner=self).add_self_request(self)
        if self.input != "features":
            return router
        estimator = self._inner()
        method = response_name(estimator, self.response_method)
        mapping = MethodMapping().add(caller="fit", callee="fit").add(caller="fit", callee=method)
        for caller in _PREDICTIONS:
            mapping.add(caller=caller, callee=method)
        router.add(estimator=estimator, method_mapping=mapping)
        splitting = MethodMapping().add(caller="fit", callee="split")
        return router.add(splitter=check_cv(self.cv), method_mapping=splitting)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        if self.input == "features":
            inner = get_tags(self._inner())
            tags.input_tags.sparse = inner.input_tags.sparse
            tags.input_tags.allow_nan = inner.input_tags.allow_nan
        return tags

    # The steps of fit

    def _check_parameters(self) -> None:
        check_choice(self.input, "input", ("features", "logits", "proba"))
        check_choice(self.response_method, "response_method", ("auto", *RESPONSES))
        check_choice(self.objective, "objective", ("nll", "brier", "ece"))
        if self.input != "features" and self.estimator is not None:
            raise ValueError(
                f"estimator must be None with input={self.input!r}: X holds {self.input} already; "
                f"got {self.estimator!r}. To calibrate the estimator, use input='features'."
            )

    def _inner(self) -> Any:
        return MultinomialLogit() if self.estimator is None else check_classifier(self.estimator)

    def _fit_estimator(
        self, X: Any, y: Any, sample_weight: Any, classes: Any, params: dict[str, Any]
    ) -> tuple[Responses, np.ndarray, np.ndarray | None]:
        """Fit the estimator; return logits, their labels as columns, and weights.

        1. fit a clone on all rows; it says which classes there are
        2. the logits of all rows if it is frozen, else those of each fold without its rows
        3. leave out rows whose label their fold did not know
        """
        refuse_masked_arrays(y=y)
        X, y = indexable(X, validate_data(self, X="no_validation", y=y))
        check_classification_targets(y)
        check_consistent_length(X, y)
        weight = float_weight(sample_weight, len(y))
        fold = self._fold(weight, classes, params)
        frozen = isinstance(fold.estimator, FrozenEstimator)
        if frozen:
            check_frozen(fold.estimator)
        self.estimator_ = clone(fold.estimator)  # 1
        if not frozen:
            self.estimator_.fit(X, y, **fold.fit_params)
        self.classes_ = np.asarray(self.estimator_.classes_)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.estimator_, name):
                setattr(self, name, getattr(self.estimator_, name))
        target = columns_of_labels(y, self.classes_)
        if frozen:  # 2
            arguments = (self.classes_, fold.method, fold.response_params)
            return of_estimator(self.estimator_, X, *arguments), target, weight
        cv = check_cv(self.cv, y, classifier=True)
        splits = list(cv.split(X, y, **fold.split_params))
        found, rows = out_of_fold(fold, self.classes_, X, y, splits, self.n_jobs)
        target, weight = target[rows], None if weight is None else weight[rows]
        return of_known_labels(found, target, weight, self.classes_)  # 3

    def _fold(self, weight: Any, classes: Any, params: dict[str, Any]) -> Fold:
        """Return the estimator and what its methods and the splitter are given."""
        estimator = self._inner()
        method = response_name(estimator, self.response_method)
        weighted = {} if weight is None else {"sample_weight": weight}
        split: dict[str, Any] = {}
        if get_config()["enable_metadata_routing"]:
            routed = process_routing(self, "fit", **weighted, **params)
            fit, response = dict(routed.estimator.fit), dict(routed.estimator[method])
            split = dict(routed.splitter.split)
        else:
            fit, response = params_without_routing(estimator, method, weighted, params)
        if classes is not None and not isinstance(estimator, FrozenEstimator):
            if not has_fit_parameter(estimator, "classes"):
                raise ValueError(
                    f"classes: {type(estimator).__name__}.fit does not take them; leave them out, "
                    "or use input='logits' or 'proba'."
                )
            fit["classes"] = classes
        return Fold(estimator, method, fit, response, split)

    def _check_given(
        self, X: Any, y: Any, classes: Any, params: dict[str, Any]
    ) -> tuple[Responses, np.ndarray]:
        """Return given logits or probabilities as logits, and the column of each label."""
        self._refuse_params("fit", params)
        refuse_masked_arrays(X=X, y=y)
        names = getattr(X, "columns", None)
        X, y = validate_data(self, X, y, **_CHECKS)
        check_classification_targets(y)
        n_columns = 2 if self.input == "logits" and X.shape[1] == 1 else X.shape[1]
        self.classes_, target = encode_labels(y, classes, columns=X)
        if len(self.classes_) != n_columns:
            raise ValueError(
                f"X has {X.shape[1]} columns, but there are {len(self.classes_)} classes: "
                f"{self.classes_.tolist()}. If y lacks a class, name all of them in classes=."
            )
        if names is not None:
            refuse_other_order([str(name) for name in names], self.classes_)
        self.estimator_ = None
        return of_given(self.input, X), target

    def _refuse_params(self, caller: str, params: dict[str, Any]) -> None:
        if params:
            raise TypeError(
                f"{caller} got {sorted(params)}, for which there is no estimator with "
                f"input={self.input!r}."
            )

    def _unpack(
        self, fit: TemperatureFit, logits: np.ndarray, target: np.ndarray, weight: Any
    ) -> Self:
        self.status_: str = fit.status
        self.temperature_, self.n_iter_ = fit.temperature, fit.n_iter
        self.temperature_interval_ = fit.interval
        if self.objective != "nll":
            self.temperature_interval_ = (math.nan, math.nan)
            if fit.status == "converged":
                self.temperature_, self.status_ = search_temperature(
                    self.objective, fit.temperature, logits, target, weight, None
                )
        if self.status_ != "converged":
            warnings.warn(_WARNINGS[self.status_], ConvergenceWarning, stacklevel=4)
        return self

    # The steps of prediction

    def _logits(self, caller: str, X: Any, params: dict[str, Any]) -> np.ndarray:
        """Return the logits of X before the temperature, (n_samples, n_classes)."""
        check_is_fitted(self, "temperature_")
        if self.input == "features":
            method = response_name(self.estimator_, self.response_method)
            routed = self._routed(caller, method, params)
            found = of_estimator(self.estimator_, X, self.classes_, method, routed)
        else:
            self._refuse_params(caller, params)
            refuse_masked_arrays(X=X)
            found = of_given(self.input, validate_data(self, X, reset=False, **_CHECKS))
        return np.ascontiguousarray(found.read_zeros(self._log_of_zero))

    def _routed(self, caller: str, method: str, params: dict[str, Any]) -> dict[str, Any]:
        if params and get_config()["enable_metadata_routing"]:
            return dict(process_routing(self, caller, **params).estimator[method])
        return params

    def _apply(self, verb: Any, caller: str, X: Any, params: dict[str, Any]) -> np.ndarray:
        logits = self._logits(caller, X, params)
        with row_errors(self.input):
            return verb(logits, temperature=self.temperature_)

    def _refuse_bad_rows(self, logits: np.ndarray) -> None:
        """Raise where a row holds NaN or +inf, or has no available class."""
        if not np.isfinite(logits.max(axis=1)).all():
            with row_errors(self.input):
                _kernel.entropy(logits)


# What is given as X: logits of -inf are fine, and the solver names the row of anything else.
_CHECKS = {"dtype": [np.float64, np.float32], "order": "C", "ensure_all_finite": False}

_WARNINGS = {
    "uninformative": (
        "No positive temperature is better than T = inf: the logits say nothing about the labels "
        "(random labels, columns in another order than the classes, or logits of the wrong sign). "
        "predict_proba is uniform."
    ),
    "separable": (
        "Every label has the largest logit of its row, so the log-loss falls as T -> 0; "
        "temperature_ is that for smoothed labels. Calibrate on more rows, or on rows that the "
        "classifier was not fitted on."
    ),
    "bounded": (
        "The objective still improves at the end of its search, a factor of 4 from the temperature "
        "of the log-loss, and temperature_ stops there. Prefer objective='nll'."
    ),
}
