"""The log-loss of a fitted classifier as a scorer, for cross-validation and grid search."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.metadata_routing import UNUSED

from sksoftmax._targets import check_sample_weight, encode_proba


class LogLossScorer(BaseEstimator):
    r"""Negative mean log-loss of a fitted classifier, in nats: greater is better.

    The score of rows :math:`i` with labels :math:`y_i` and weights :math:`w_i` is

    .. math:: \frac{\sum_i w_i \log p_i(y_i)}{\sum_i w_i},

    and with soft targets :math:`q_i` (`y_proba`) the expectation :math:`\sum_k q_{ik} \log p_{ik}`
    takes the place of :math:`\log p_i(y_i)`.

    It differs from scikit-learn's ``"neg_log_loss"`` in three ways. The logarithms come from the
    classifier's ``predict_log_proba`` (from ``log(predict_proba)`` if it has none), so a row that
    is wrong with near certainty costs what it should instead of a clipped 36 nats. Columns are
    found through the classifier's ``classes_``, so a fold need not hold every class. And `offset`,
    `mask` and `y_proba` arrive under metadata routing.

    `log_loss_scorer` is an instance that is ready to use. Where weights, offsets, masks or soft
    targets are routed, request them on an instance of your own, since a request on
    `log_loss_scorer` would hold for everyone who uses it:
    ``LogLossScorer().set_score_request(sample_weight=True, mask=True)``.

    See Also
    --------
    sksoftmax.MultinomialLogit : Multinomial logistic regression with offsets and masks.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import cross_val_score
    >>> from sksoftmax import MultinomialLogit
    >>> from sksoftmax.metrics import log_loss_scorer
    >>> X, y = load_iris(return_X_y=True)
    >>> cross_val_score(MultinomialLogit(), X, y, scoring=log_loss_scorer).round(2)
    array([-0.15, -0.11, -0.19, -0.15, -0.11])
    """

    # scikit-learn reads requests off the signature of `score`; the estimator is no metadata.
    # Soft targets that are routed to `fit` alone leave the labels to scoring.
    __metadata_request__score = {"estimator": UNUSED, "y_proba": False}

    def score(
        self,
        estimator: Any,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        y_proba: Any = None,
        offset: Any = None,
        mask: Any = None,
    ) -> float:
        """Return the negative mean log-loss of `estimator` on (X, y).

        Parameters
        ----------
        estimator : fitted classifier
            It needs ``classes_`` and ``predict_log_proba`` or ``predict_proba``.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.
        y : array-like of shape (n_samples,), default=None
            Their labels. May be None if `y_proba` is given.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        y_proba : array-like of shape (n_samples, n_classes), default=None
            Soft targets, which win over `y`: rows of probabilities, columns in the order of the
            estimator's ``classes_`` or, of a data frame, named after them. Under metadata routing
            they arrive only if requested: ``set_score_request(y_proba=True)``.
        offset, mask : array-like of shape (n_samples, n_classes), default=None
            Passed to the estimator's ``predict_log_proba`` if given.

        Returns
        -------
        score : float
            At most 0. A label that the estimator does not know has probability zero: the score is
            then -inf, and a warning says so.
        """
        routed = {
            name: value for name, value in (("offset", offset), ("mask", mask)) if value is not None
        }
        log_proba = _predict_log_proba(estimator, X, routed)
        if y is None and y_proba is None:
            raise ValueError("Pass labels as y or rows of probabilities as y_proba.")
        weight = check_sample_weight(sample_weight, len(log_proba))[0]
        weight = np.ones(len(log_proba)) if weight is None else weight
        counted = weight > 0  # 0 * -inf is not a number
        if y_proba is None:
            log_likelihood = self._of_labels(log_proba, y, estimator, counted)
        else:
            proba = encode_proba(y_proba, np.asarray(estimator.classes_), len(log_proba))
            terms = np.multiply(proba, log_proba, where=proba > 0, out=np.zeros_like(proba))
            log_likelihood = terms.sum(axis=1)
        return float(np.average(log_likelihood[counted], weights=weight[counted]))

    __call__ = score

    def _of_labels(
        self, log_proba: np.ndarray, y: Any, estimator: Any, counted: np.ndarray
    ) -> np.ndarray:
        """Return the log-probability of each label, -inf (and a warning) for unknown ones."""
        y = column_or_1d(y)
        check_consistent_length(log_proba, y)
        position = {label: k for k, label in enumerate(np.asarray(estimator.classes_).tolist())}
        codes = np.array([position.get(label, -1) for label in y.tolist()])
        log_likelihood = np.where(codes < 0, -np.inf, log_proba[np.arange(len(codes)), codes])
        if (codes[counted] < 0).any():
            _warn_of_unknown_labels(y[(codes < 0) & counted], estimator)
        return log_likelihood

    def _accept_sample_weight(self) -> bool:
        """Tell scikit-learn, which asks if metadata routing is off, that weights are welcome."""
        return True


def _predict_log_proba(estimator: Any, X: Any, routed: dict[str, Any]) -> np.ndarray:
    if hasattr(estimator, "predict_log_proba"):
        return np.asarray(estimator.predict_log_proba(X, **routed), dtype=np.float64)
    proba = np.asarray(estimator.predict_proba(X, **routed), dtype=np.float64)
    with np.errstate(divide="ignore"):  # log(0) = -inf is the score of an impossible event
        return np.log(proba)


def _warn_of_unknown_labels(labels: np.ndarray, estimator: Any) -> None:
    unknown = sorted(set(labels.tolist()), key=str)
    warnings.warn(
        f"y holds labels {unknown} that the estimator did not see in fit (its classes_ are "
        f"{np.asarray(estimator.classes_).tolist()}), so the log-loss is infinite. Use stratified "
        "folds, or name all classes in fit if the estimator lets you (classes= of "
        "MultinomialLogit).",
        UserWarning,
        stacklevel=4,
    )


log_loss_scorer = LogLossScorer()
