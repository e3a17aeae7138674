"""One-vs-rest: a binary logit for each class, fitted together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

import numpy as np
from scipy.special import expit, log_expit
from sklearn.utils.validation import check_is_fitted

from sksoftmax._class_weights import given_weights
from sksoftmax._estimator import check_features, restores_on_failure
from sksoftmax._indicators import encode_indicators, is_indicator_table
from sksoftmax._objective import OneVsRestObjective
from sksoftmax._solvers import solve_one_vs_rest
from sksoftmax._targets import Targets
from sksoftmax.linear._base import LinearClassifier

__all__ = ["OneVsRestLogit"]


class OneVsRestLogit(LinearClassifier):
    r"""One-vs-rest logistic regression: for each class a binary logit against all others.

    The score of class k is :math:`z_k = w_k x + b_k + o_k`, and `fit` minimizes for every class

    .. math::

        \frac{1}{\sum_i w_i} \sum_i w_{ik} \Big[ -q_{ik} \log \sigma(z_{ik})
        - (1 - q_{ik}) \log \sigma(-z_{ik}) + \frac{\lambda}{4} z_{ik}^2 \Big]
        + \frac{1}{2 C \sum_i w_i} \|w_k\|^2

    with :math:`\sigma(z) = 1 / (1 + e^{-z})`, targets :math:`q_{ik}` (1 if row i has class k, else
    0) and weights of rows :math:`w_{ik}`. These are K separate fits of
    :class:`~sklearn.linear_model.LogisticRegression` with the same `C`, but all of them are
    evaluated in one read of `X`, each takes steps of its own, and a class that has converged costs
    nothing more.

    There are two kinds of `y`:

    - **Labels**, one per row: the classes exclude each other. `predict_proba` divides the K
      probabilities by their sum; they were not fitted to sum to one, which
      :class:`MultinomialLogit` is. With two classes there is one binary logit, the same as there.
    - **An indicator matrix** of 0 and 1 with a column per class (multilabel): a row may have
      several classes, or none. Then one-vs-rest is the right model, `predict_proba` returns each
      probability as it is, and `predict` an indicator matrix.

    Parameters
    ----------
    C : float, default=1.0
        Inverse strength of the ridge penalty, positive. ``np.inf`` is maximum likelihood.
    fit_intercept : bool, default=True
        Whether to fit an (unpenalized) intercept.
    class_weight : dict, "balanced" or None, default=None
        ``"balanced"``: in the problem of each class, the class and its rest weigh the same, a row
        ``total / (2 * count)``, as for separate fits. A dictionary ``{label: weight}`` weighs, of
        labels, a row by its class in all problems, and of an indicator matrix the rows that have a
        class in the problem of that class; labels left out weigh 1.
    label_smoothing : float, default=0.0
        Share :math:`\epsilon` in [0, 1) of each target that is spread evenly over its two sides:
        :math:`(1 - \epsilon) q + \epsilon / 2`.
    logit_l2 : float, default=0.0
        Strength :math:`\lambda \ge 0` of a penalty on the scores (offset included), which stand for
        the logits :math:`\pm z / 2` of two classes.
    solver : {"auto", "lbfgs", "newton-cholesky", "newton-cg"}, default="auto"
        As for :class:`MultinomialLogit`; the Hessian has a block of its own for each class. "auto"
        picks "newton-cholesky" for few features, else "lbfgs", and goes on with
        "newton-cholesky" (for many features "newton-cg") where a class converges slowly.
    tol : float, default=1e-6
        Accuracy at which to stop, positive; it does not depend on the scales of the features.
    max_iter : int, default=200
        Largest number of iterations of each class.
    warm_start : bool, default=False
        Whether to start at the fit before, if it had the same classes and number of features.
    n_jobs : int or None, default=None
        Number of threads; -1 means all processors. None lets the kernel choose (it honors
        ``OMP_NUM_THREADS`` and threadpoolctl). The result does not depend on it.
    verbose : int, default=0
        If positive, show each iteration: in a tqdm bar if tqdm is installed, else in plain lines.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted; of an indicator matrix the names of its columns, in their order, or
        0, 1, ..., n_classes - 1.
    multilabel_ : bool
        Whether `y` was an indicator matrix.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Coefficients, in the dtype of `X`; one row, of ``classes_[1]``, for labels of two classes.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Intercepts, zero without `fit_intercept`.
    n_iter_ : ndarray of shape (1,) or (n_classes,)
        Number of iterations of each class.
    solver_ : str
        The solver that found the minima; of several classes there may be two, "lbfgs,
        newton-cholesky".
    objective_ : float
        The sum over the classes of the minima above, in nats per unit of weight.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if all are strings.

    See Also
    --------
    MultinomialLogit : One model of all classes, for classes that exclude each other.
    sksoftmax.OneVsRestComparator : Both on the same data, and what the difference is.
    sklearn.multiclass.OneVsRestClassifier : One-vs-rest of any binary classifier.

    Notes
    -----
    A :class:`~sklearn.exceptions.ConvergenceWarning` names the classes that something is wrong
    with: those that features separate from the rest, so that without penalty no maximum exists;
    those that no row has, or every row, whose intercept has no finite optimum at any `C`; and
    those that did not converge.

    `predict_proba` for labels is the softmax of :math:`\log \sigma(z_k)`: also where every
    probability underflows its rows sum to one, without a padded denominator.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax import OneVsRestLogit
    >>> X, y = load_iris(return_X_y=True)
    >>> model = OneVsRestLogit(C=10.0).fit(X, y)
    >>> model.predict(X[:2])
    array([0, 0])
    >>> model.score(X, y)
    0.9666666666666667

    The probabilities against the rest were not fitted to sum to one; `predict_proba` divides by
    their sum:

    >>> model.binary_proba(X[70:71]).round(2)
    array([[0.  , 0.16, 0.54]])
    >>> model.predict_proba(X[70:71]).round(2)
    array([[0.  , 0.23, 0.77]])

    Rows that have several labels, or none:

    >>> model = OneVsRestLogit(C=10.0).fit([[0], [1], [2], [3]], [[0, 0], [1, 0], [1, 1], [1, 1]])
    >>> model.predict([[0], [3]])
    array([[0, 0],
           [1, 1]])
    """

    @restores_on_failure
    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        y_proba: Any = None,
        offset: Any = None,
        mask: Any = None,
        classes: Any = None,
    ) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : {array-like, sparse matrix} of shape (n_samples,) or (n_samples, n_classes)
            Labels of any type, or an indicator matrix of 0 and 1, whose columns are named by those
            of a data frame, or by `classes`. May be None if `y_proba` is given.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights, not all zero; a weight of 2 equals a duplicated row.
        y_proba : array-like of shape (n_samples, n_classes), default=None
            Soft targets for classes that exclude each other: rows of probabilities, as for
            :class:`MultinomialLogit`. The target of each problem is a column.
        offset : array-like of shape (n_samples, n_classes) or (n_classes,), default=None
            Added to the scores (for labels of two classes, the difference of its columns to the
            one score). One row stands for all rows.
        mask : array-like of bool of shape (n_samples, n_classes) or (n_classes,), default=None
            False where a row takes no part in the problem of a class: it was not available to the
            row, or of an indicator matrix it is not known whether the row has it. With labels of
            two classes a row takes part if both were available.
        classes : array-like of shape (n_classes,), default=None
            All labels there are, sorted, needed if the data may lack one; of an indicator matrix
            the names of its columns.

        Returns
        -------
        self : OneVsRestLogit
            The fitted model.

        Raises
        ------
        ValueError
            An argument is out of its range: the message names it, and the first row at fault.
            A `fit` that fails, or is interrupted by Ctrl-C, leaves the model as it was.
        """
        self._check_parameters()
        arguments = {
            "sample_weight": sample_weight,
            "offset": offset,
            "mask": mask,
            "classes": classes,
        }
        self.multilabel_ = y is not None and is_indicator_table(y)
        if not self.multilabel_:
            class_weight = None if self._is_balanced() else self.class_weight
            X, targets = self._encode(X, y, class_weight, y_proba=y_proba, **arguments)
        elif y_proba is None:
            X = check_features(self, X, reset=True)
            targets = encode_indicators(X, y, **arguments)
        else:
            raise ValueError(
                "y_proba holds probabilities of classes that exclude each other, but y is an "
                "indicator matrix: pass one of them."
            )
        return self._unpack(self._solve(X, targets), targets.classes, X.dtype)

    def binary_proba(self, X: Any, *, offset: Any = None, mask: Any = None) -> np.ndarray:
        r"""Return for each class the probability against the rest, as it was fitted.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        offset, mask : array-like of shape (n_samples, n_classes) or (n_classes,), default=None
            Added to the scores, and True where a class is available, as in `fit`.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            :math:`\sigma(z_k)`; rows need not sum to one. Exactly 0 for unavailable classes.
            For labels of two classes the same as `predict_proba`.
        """
        return self._binary(expit, X, offset, mask)

    def predict(self, X: Any, *, offset: Any = None, mask: Any = None) -> np.ndarray:
        """Return the class with the largest score, or which classes are more likely than not.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        offset, mask : array-like of shape (n_samples, n_classes) or (n_classes,), default=None
            Added to the scores, and True where a class is available, as in `fit`.

        Returns
        -------
        labels : ndarray of shape (n_samples,), or of int and shape (n_samples, n_classes)
            Labels from `classes_`, of tied classes the first. After `fit` to an indicator matrix 1
            where the score of a class is positive, else 0.
        """
        check_is_fitted(self)
        if not self.multilabel_:
            return super().predict(X, offset=offset, mask=mask)
        return (self.decision_function(X, offset=offset, mask=mask) > 0).astype(np.int64)

    def predict_proba(self, X: Any, *, offset: Any = None, mask: Any = None) -> np.ndarray:
        """Return the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        offset, mask : array-like of shape (n_samples, n_classes) or (n_classes,), default=None
            Added to the scores, and True where a class is available, as in `fit`.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            `binary_proba` divided by its sum over the classes; after `fit` to an indicator matrix
            `binary_proba` itself. In the order of `classes_`; exactly 0 for unavailable classes.
        """
        check_is_fitted(self)
        if self.multilabel_:
            return self.binary_proba(X, offset=offset, mask=mask)
        return super().predict_proba(X, offset=offset, mask=mask)

    def predict_log_proba(self, X: Any, *, offset: Any = None, mask: Any = None) -> np.ndarray:
        """Return the log of `predict_proba`, computed from the scores: finite where that is 0.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        offset, mask : array-like of shape (n_samples, n_classes) or (n_classes,), default=None
            Added to the scores, and True where a class is available, as in `fit`.

        Returns
        -------
        log_proba : ndarray of shape (n_samples, n_classes)
            Log-probabilities in nats, in the order of `classes_`; -inf for unavailable classes.
        """
        check_is_fitted(self)
        if self.multilabel_:
            return self._binary(log_expit, X, offset, mask)
        return super().predict_log_proba(X, offset=offset, mask=mask)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    # The steps of fit

    def _is_balanced(self) -> bool:
        return isinstance(self.class_weight, str) and self.class_weight == "balanced"

    def _solve(self, X: Any, targets: Targets) -> Any:
        sides = {}
        if self.multilabel_ and self.class_weight is not None and not self._is_balanced():
            sides["positive_weight"] = self._hit_weights(targets, X.dtype)
        one_logit = not self.multilabel_ and len(targets.classes) == 2
        options = self._objective_options(_of_two(targets) if one_logit else targets)
        objective = OneVsRestObjective(X, targets.target, **sides, **options)
        if self._is_balanced():
            objective = objective.balanced()
        if one_logit:
            objective = objective.of([1])
        return self._run(solve_one_vs_rest, objective, targets.classes)

    def _hit_weights(self, targets: Targets, dtype: np.dtype) -> np.ndarray:
        """Return the weights of rows that have a class, in the problem of that class."""
        with np.errstate(over="ignore"):
            weights = given_weights(self.class_weight, targets.classes).astype(dtype)
        if not np.isfinite(weights).all():
            raise ValueError(f"class_weight: a weight overflows {dtype}.")
        return weights

    # The steps of prediction

    def _logits(self, scores: np.ndarray) -> np.ndarray:
        return super()._logits(scores) if len(self.coef_) == 1 else log_expit(scores)

    def _binary(self, function: Any, X: Any, offset: Any, mask: Any) -> np.ndarray:
        """Apply a function to the score of each class against the rest; -inf: not available."""
        X, offset, mask = self._check_rows(X, offset, mask)
        scores = self._scores(X, offset, mask)
        if len(self.coef_) == 1:
            scores = np.concatenate([-scores, scores], axis=1)
        if mask is not None:
            if len(self.coef_) == 1:  # a class that is the only one is certain
                scores[~mask[:, ::-1]] = np.inf
            scores[~mask] = -np.inf
        return function(scores)


def _of_two(targets: Targets) -> Targets:
    """Offset and mask of two classes as the one score of the second class sees them."""
    offset, mask = targets.offset, targets.mask
    if offset is not None:
        offset = np.column_stack([np.zeros(len(offset)), offset[:, 1] - offset[:, 0]])
    if mask is not None:
        mask = np.repeat(mask.all(axis=1, keepdims=True), 2, axis=1)
    return replace(targets, offset=offset, mask=mask)
