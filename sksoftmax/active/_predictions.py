"""The learner as a classifier: what the estimator predicts, what is known so far, routing."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sksoftmax.linear import MultinomialLogit

_PREDICTIONS = ("predict", "predict_proba", "predict_log_proba", "decision_function")


def _estimator_has(method: str) -> Any:
    def check(learner: Any) -> bool:
        getattr(getattr(learner, "estimator_", learner._inner()), method)  # its own AttributeError
        return True

    return check


class Predictions:
    """The part of an `EntropyActiveLearner` that predicts; it needs `estimator` and `_pool`."""

    estimator: Any
    _pool: Any
    _labeled: Any

    def _inner(self) -> Any:
        return MultinomialLogit() if self.estimator is None else self.estimator

    def _respond(self, method: str, X: Any, params: dict[str, Any]) -> np.ndarray:
        if not hasattr(self, "estimator_"):
            what = "is not fitted" if not hasattr(self, "history_") else "has no labels yet"
            raise NotFittedError(f"This {type(self).__name__} {what}: fit, teach or run it first.")
        if params and get_config()["enable_metadata_routing"]:
            params = dict(process_routing(self, method, **params).estimator[method])
        return getattr(self.estimator_, method)(X, **params)

    @available_if(_estimator_has("predict"))
    def predict(self, X: Any, **params: Any) -> np.ndarray:
        """Return the class that `estimator_` predicts.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Rows.
        **params : dict
            Metadata for the estimator's `predict`.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Labels from `classes_`.
        """
        return self._respond("predict", X, params)

    @available_if(_estimator_has("predict_proba"))
    def predict_proba(self, X: Any, **params: Any) -> np.ndarray:
        """Return the probabilities that `estimator_` gives to the classes seen so far.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Rows.
        **params : dict
            Metadata for the estimator's `predict_proba`.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of `classes_`.
        """
        return self._respond("predict_proba", X, params)

    @available_if(_estimator_has("predict_log_proba"))
    def predict_log_proba(self, X: Any, **params: Any) -> np.ndarray:
        """Return the logarithm of the probabilities that `estimator_` gives.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Rows.
        **params : dict
            Metadata for the estimator's `predict_log_proba`.

        Returns
        -------
        log_proba : ndarray of shape (n_samples, n_classes)
            In nats, in the order of `classes_`.
        """
        return self._respond("predict_log_proba", X, params)

    @available_if(_estimator_has("decision_function"))
    def decision_function(self, X: Any, **params: Any) -> np.ndarray:
        """Return the decision function of `estimator_`.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Rows.
        **params : dict
            Metadata for the estimator's `decision_function`.

        Returns
        -------
        decision : ndarray of shape (n_samples, n_classes) or (n_samples,)
            What the estimator returns.
        """
        return self._respond("decision_function", X, params)

    @property
    def classes_(self) -> np.ndarray:
        """The labels seen so far, sorted."""
        if not hasattr(self, "estimator_"):
            raise AttributeError("There are no labels yet.")
        return np.asarray(self.estimator_.classes_)

    @property
    def pool_indices_(self) -> np.ndarray:
        """Rows that can still be asked about."""
        check_is_fitted(self, "history_")
        return np.flatnonzero(self._pool.is_open)

    @property
    def labeled_indices_(self) -> np.ndarray:
        """Rows with a label, in the order in which they got it; -1 for rows from outside."""
        check_is_fitted(self, "history_")
        return self._labeled.index

    @property
    def n_labels_(self) -> int:
        """How many labels there are."""
        check_is_fitted(self, "history_")
        return len(self._labeled)

    def get_metadata_routing(self) -> MetadataRouter:
        """Return who gets which metadata: the estimator, in `fit` and in predictions.

        Returns
        -------
        routing : MetadataRouter
            The routing of scikit-learn's user guide.
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        for method in _PREDICTIONS:
            mapping.add(caller=method, callee=method)
        router = MetadataRouter(owner=self).add_self_request(self)
        return router.add(estimator=self._inner(), method_mapping=mapping)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]  # of the estimator's other bases
        tags.input_tags = get_tags(self._inner()).input_tags
        return tags
