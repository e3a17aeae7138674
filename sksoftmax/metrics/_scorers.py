"""The calibration error of a fitted classifier, for ``scoring=``."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import UNUSED

from sksoftmax.metrics._calibration_error import expected_calibration_error


class CalibrationErrorScorer(BaseEstimator):
    """Negative expected calibration error of a fitted classifier: greater is better.

    Columns are found through the classifier's ``classes_``, so a fold need not hold every class,
    where ``make_scorer(expected_calibration_error, response_method="predict_proba",
    greater_is_better=False)`` needs folds that do.

    A calibration error alone rewards a model that knows nothing and says so. Choose models by their
    log-loss (`LogLossScorer`), and watch this beside it: ``scoring={"loss": log_loss_scorer,
    "ece": calibration_error_scorer}, refit="loss"``.

    `calibration_error_scorer` is an instance with the defaults, ready to use. To route weights,
    request them on an instance of your own:
    ``CalibrationErrorScorer().set_score_request(sample_weight=True)``.

    Parameters
    ----------
    n_bins : int, default=15
        See `expected_calibration_error`, also for the others.
    strategy : {"uniform", "quantile"}, default="uniform"
        Bins of equal width or of equal weight.
    kind : {"top_label", "classwise"}, default="top_label"
        Whose calibration.
    norm : {"l1", "l2", "max"}, default="l1"
        How gaps become one number.
    debias : bool, default=False
        Whether an estimate of the upward bias is subtracted.

    See Also
    --------
    expected_calibration_error : The function behind it.
    LogLossScorer : The log-loss, by which to choose.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sksoftmax import MultinomialLogit
    >>> from sksoftmax.metrics import calibration_error_scorer, log_loss_scorer
    >>> X, y = load_iris(return_X_y=True)
    >>> scoring = {"loss": log_loss_scorer, "ece": calibration_error_scorer}
    >>> grid = {"C": [0.1, 1, 10]}
    >>> search = GridSearchCV(MultinomialLogit(), grid, scoring=scoring, refit="loss")
    >>> search.fit(X, y).cv_results_["mean_test_ece"].round(2)
    array([-0.2 , -0.1 , -0.05])
    """

    # scikit-learn reads requests off the signature of `score`; the estimator is no metadata.
    __metadata_request__score = {"estimator": UNUSED}

    def __init__(
        self,
        n_bins: int = 15,
        strategy: str = "uniform",
        kind: str = "top_label",
        norm: str = "l1",
        debias: bool = False,
    ) -> None:
        self.n_bins = n_bins
        self.strategy = strategy
        self.kind = kind
        self.norm = norm
        self.debias = debias

    def score(self, estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the negative calibration error of `estimator` on (X, y).

        Parameters
        ----------
        estimator : fitted classifier
            It needs ``classes_`` and ``predict_proba``.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.
        y : array-like of shape (n_samples,)
            Their labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        score : float
            Between -1 and 0.
        """
        if not hasattr(estimator, "predict_proba"):
            raise TypeError(
                f"The calibration error needs probabilities, but {type(estimator).__name__} has no "
                "predict_proba."
            )
        error = expected_calibration_error(
            y,
            np.asarray(estimator.predict_proba(X)),
            labels=np.asarray(estimator.classes_),
            sample_weight=sample_weight,
            **self.get_params(),
        )
        return -error

    __call__ = score

    def _accept_sample_weight(self) -> bool:
        """Tell scikit-learn, which asks if metadata routing is off, that weights are welcome."""
        return True


calibration_error_scorer = CalibrationErrorScorer()
