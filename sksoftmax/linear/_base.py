"""What linear classifiers do alike: parameters, the way from a solution to a model, scores."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from sksoftmax import _kernel
from sksoftmax._estimator import (
    TellsItsVersion,
    check_choice,
    check_features,
    check_features_and_labels,
    check_finite,
    check_flag,
    check_integer,
    check_n_jobs,
    check_number,
    check_verbose,
    iteration_progress,
    warn_of_problems,
)
from sksoftmax._objective import linear_logits
from sksoftmax._solvers import SOLVERS
from sksoftmax._targets import Targets, check_mask, check_offset, encode_targets


class LinearClassifier(ClassifierMixin, TellsItsVersion, BaseEstimator):
    """Linear scores, one for each row of `coef_`: of two exclusive classes there is one."""

    def __init__(
        self,
        C: float = 1.0,
        *,
        fit_intercept: bool = True,
        class_weight: dict[Any, float] | str | None = None,
        label_smoothing: float = 0.0,
        logit_l2: float = 0.0,
        solver: str = "auto",
        tol: float = 1e-6,
        max_iter: int = 200,
        warm_start: bool = False,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.C = C
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.logit_l2 = logit_l2
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.verbose = verbose

    def decision_function(self, X: Any, *, offset: Any = None, mask: Any = None) -> np.ndarray:
        """Return the logits, or with two classes the score of the second class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        offset, mask : array-like of shape (n_samples, n_classes) or (n_classes,), default=None
            Added to the logits, and True where a class is available, as in `fit`.

        Returns
        -------
        decision : ndarray of shape (n_samples, n_classes) or (n_samples,)
            Logits, -inf for unavailable classes. With two classes the difference of the two logits,
            in favor of ``classes_[1]``: -inf if that class is unavailable, inf if only that one is
            available.
        """
        X, offset, mask = self._check_rows(X, offset, mask)
        scores = self._scores(X, offset, mask)
        if len(self.coef_) == 1:
            scores = scores[:, 0]
            if mask is not None:
                scores[~mask[:, 1]] = -np.inf
                scores[~mask[:, 0]] = np.inf
        elif mask is not None:
            scores[~mask] = -np.inf
        return scores

    def predict(self, X: Any, *, offset: Any = None, mask: Any = None) -> np.ndarray:
        """Return the most probable available class of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        offset, mask : array-like of shape (n_samples, n_classes) or (n_classes,), default=None
            Added to the logits, and True where a class is available, as in `fit`.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Labels from `classes_`; of tied classes the first.
        """
        decision = self.decision_function(X, offset=offset, mask=mask)
        codes = (decision > 0).astype(np.intp) if decision.ndim == 1 else decision.argmax(axis=1)
        return self.classes_[codes]

    def predict_proba(self, X: Any, *, offset: Any = None, mask: Any = None) -> np.ndarray:
        """Return the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        offset, mask : array-like of shape (n_samples, n_classes) or (n_classes,), default=None
            Added to the logits, and True where a class is available, as in `fit`.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of `classes_`; exactly 0 for unavailable classes.
        """
        return self._apply(_kernel.softmax, X, offset, mask)

    def predict_log_proba(self, X: Any, *, offset: Any = None, mask: Any = None) -> np.ndarray:
        """Return the log of the probability of each class.

        Computed from the logits, so it is finite where ``log(predict_proba)`` underflows to -inf.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        offset, mask : array-like of shape (n_samples, n_classes) or (n_classes,), default=None
            Added to the logits, and True where a class is available, as in `fit`.

        Returns
        -------
        log_proba : ndarray of shape (n_samples, n_classes)
            Log-probabilities in nats, in the order of `classes_`; -inf for unavailable classes.
        """
        return self._apply(_kernel.log_softmax, X, offset, mask)

    def score(
        self, X: Any, y: Any, sample_weight: Any = None, *, offset: Any = None, mask: Any = None
    ) -> float:
        """Return the accuracy of `predict` on (X, y).

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        offset, mask : array-like of shape (n_samples, n_classes) or (n_classes,), default=None
            Added to the logits, and True where a class is available, as in `fit`.

        Returns
        -------
        accuracy : float
            Weighted share of rows whose label is predicted.
        """
        from sklearn.metrics import accuracy_score

        labels = self.predict(X, offset=offset, mask=mask)
        return float(accuracy_score(y, labels, sample_weight=sample_weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # The steps of fit

    def _check_parameters(self) -> None:
        check_number(self.C, "C", "a positive number (np.inf: no penalty)", above=0, infinite=True)
        check_flag(self.fit_intercept, "fit_intercept")
        share = self.label_smoothing
        check_number(share, "label_smoothing", "a number in [0, 1)", at_least=0, below=1)
        check_number(self.logit_l2, "logit_l2", "a finite number >= 0", at_least=0)
        check_choice(self.solver, "solver", SOLVERS)
        check_number(self.tol, "tol", "a positive number", above=0)
        check_integer(self.max_iter, "max_iter", "an integer >= 1", at_least=1)
        check_flag(self.warm_start, "warm_start")
        _kernel.effective_n_threads(
            check_n_jobs(self.n_jobs)
        )  # raises where a number of threads makes no sense
        check_verbose(self.verbose)

    def _encode(self, X: Any, y: Any, class_weight: Any, **arguments: Any) -> tuple[Any, Targets]:
        """Check labels, or rows of probabilities, and what belongs to them."""
        if y is None and arguments["y_proba"] is not None:
            X = check_features(self, X, reset=True)
        else:
            X, y = check_features_and_labels(self, X, y)
        return X, encode_targets(X, y, class_weight=class_weight, **arguments)

    def _objective_options(self, targets: Targets) -> dict[str, Any]:
        return {
            "n_classes": len(targets.classes),
            "sample_weight": targets.sample_weight,
            "label_smoothing": float(self.label_smoothing),
            "logit_l2": float(self.logit_l2),
            "alpha": targets.ridge(float(self.C)),
            "offset": targets.offset,
            "mask": targets.mask,
            "fit_intercept": bool(self.fit_intercept),
            "n_threads": self.n_jobs,
        }

    def _run(self, solve: Any, objective: Any, classes: np.ndarray, **options: Any) -> Any:
        """Solve, with the parameters that every solver has, from the fit before if asked to."""
        with iteration_progress(self.verbose, type(self).__name__, int(self.max_iter)) as progress:
            return solve(
                objective,
                solver=self.solver,
                tol=float(self.tol),
                max_iter=int(self.max_iter),
                start=self._start(classes, (objective.n_outputs, objective.n_features)),
                progress=progress,
                **options,
            )

    def _start(
        self, classes: np.ndarray, shape: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Return the coefficients of the fit before, if they fit this one; None starts cold."""
        if not (self.warm_start and hasattr(self, "coef_")):
            return None
        if not np.array_equal(self.classes_, classes) or self.coef_.shape != shape:
            return None
        coef, intercept = self.coef_.astype(np.float64), self.intercept_.astype(np.float64)
        return coef, intercept if self.fit_intercept else 0.0 * intercept

    def _unpack(self, solution: Any, classes: np.ndarray, dtype: np.dtype) -> Self:
        self.classes_ = classes
        with np.errstate(over="ignore"):  # of float32: reported below
            self.coef_ = solution.coef.astype(dtype, copy=False)
            self.intercept_ = solution.intercept.astype(dtype, copy=False)
        self.n_iter_ = np.atleast_1d(solution.n_iter).astype(np.int32)
        self.solver_ = solution.solver
        self.objective_ = float(solution.value)
        check_finite(coef_=self.coef_, intercept_=self.intercept_, objective_=self.objective_)
        warn_of_problems(self, solution.problems, stacklevel=4)  # the line that called fit
        return self

    # The steps of prediction

    def _check_rows(
        self, X: Any, offset: Any, mask: Any
    ) -> tuple[Any, np.ndarray | None, np.ndarray | None]:
        check_is_fitted(self)
        X = check_features(self, X, reset=False)
        mask = check_mask(mask, self.classes_, X.shape[0])
        return X, check_offset(offset, self.classes_, X.shape[0], X.dtype, mask), mask

    def _scores(self, X: Any, offset: np.ndarray | None, mask: np.ndarray | None) -> np.ndarray:
        """Return linear scores plus offset, (n_samples, n_classes), or (n_samples, 1) for two."""
        with np.errstate(over="ignore", invalid="ignore"):  # reported below
            coef = self.coef_.astype(X.dtype, copy=False)
            intercept = self.intercept_.astype(X.dtype, copy=False)
            scores = linear_logits(X, coef, intercept, n_threads=self.n_jobs)
            if offset is not None:
                scores += offset if len(self.coef_) > 1 else offset[:, 1:] - offset[:, :1]
            if np.isfinite(scores.sum()):
                return scores
        wrong = ~np.isfinite(scores)
        harmful = wrong
        if mask is not None:
            harmful = wrong & (mask if scores.shape[1] > 1 else mask.all(axis=1, keepdims=True))
        if harmful.any():
            row = int(np.argmax(harmful.any(axis=1)))
            raise ValueError(
                f"X: the score of row {row} overflows {scores.dtype}: X, the coefficients or "
                "offset are too large."
            )
        scores[wrong] = 0  # of unavailable classes
        return scores

    def _logits(self, scores: np.ndarray) -> np.ndarray:
        """Return the logits (n_samples, n_classes) of which `predict_proba` is the softmax."""
        return np.concatenate([-scores / 2, scores / 2], axis=1) if len(self.coef_) == 1 else scores

    def _apply(self, verb: Any, X: Any, offset: Any, mask: Any) -> np.ndarray:
        """Apply a verb of the kernel to the logits."""
        X, offset, mask = self._check_rows(X, offset, mask)
        logits = self._logits(self._scores(X, offset, mask))
        return verb(logits, mask=mask, n_threads=self.n_jobs)
