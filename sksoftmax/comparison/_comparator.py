"""A classifier that fits a softmax and a one-vs-rest model to the same data, and compares them."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.model_selection import check_cv
from sklearn.utils import check_consistent_length, check_random_state, get_tags, indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted

from sksoftmax._estimator import (
    TellsItsVersion,
    check_choice,
    check_features,
    check_integer,
    check_labels,
    restores_on_failure,
)
from sksoftmax._responses import columns_of_labels
from sksoftmax._targets import check_mask, check_offset, check_sample_weight
from sksoftmax.comparison._coupling import drop_classes, residual_shares
from sksoftmax.comparison._efficiency import bootstrap_efficiency
from sksoftmax.comparison._measures import compare_decisions, compare_metrics, total_mass
from sksoftmax.comparison._pair import (
    Pair,
    Predicted,
    Rows,
    class_weights,
    is_balanced,
    joined,
    nameless,
    one_vs_rest_like,
    predict_pair,
)
from sksoftmax.comparison._report import ComparisonReport
from sksoftmax.linear import MultinomialLogit
from sksoftmax.metrics._bins import Binning
from sksoftmax.metrics._estimates import check_confidence_level

_USES = ("softmax", "one_vs_rest")
_METHODS = ("fit", "predict", "predict_proba", "predict_log_proba", "decision_function", "score")


class OneVsRestComparator(ClassifierMixin, MetaEstimatorMixin, TellsItsVersion, BaseEstimator):
    """A softmax and a one-vs-rest model of the same data, and what the difference is.

    `fit` fits :class:`MultinomialLogit` and :class:`OneVsRestLogit` with the same parameters, so
    with the same penalty, to the same rows. It predicts with the one that `use` names. `report`
    says what the coupling of the classes by the softmax buys: the quality of the probabilities
    with paired differences, how far the probabilities of one-vs-rest are from summing to one, how
    far its log-odds are from linear and from independent of other classes, and how precise both
    models are where the softmax is true.

    Parameters
    ----------
    estimator : MultinomialLogit, default=None
        The softmax model, unfitted, whose parameters one-vs-rest gets too. None is
        ``MultinomialLogit()``.
    use : {"softmax", "one_vs_rest"}, default="softmax"
        Whose predictions `predict` and its relatives return; it may be changed after `fit`.

    Attributes
    ----------
    softmax_ : MultinomialLogit
        The fitted softmax model.
    one_vs_rest_ : OneVsRestLogit
        The fitted one-vs-rest model. ``class_weight="balanced"`` became a dictionary, so that rows
        weigh what they weigh for the softmax: both see the same data.
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if all are strings.

    See Also
    --------
    OneVsRestLogit : One-vs-rest alone; also for rows with several labels.
    sksoftmax.comparison.ComparisonReport : What `report` returns.

    Notes
    -----
    Of two classes both are the same binary logit, and the report says so. (A softmax with a row of
    coefficients for each of two classes, which nobody needs, equals the binary logit with twice the
    `C`: its penalty is spread over two rows.)

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax import OneVsRestComparator
    >>> X, y = load_iris(return_X_y=True)
    >>> comparator = OneVsRestComparator().fit(X, y)
    >>> comparator.predict_proba(X[70:71]).round(2)
    array([[0.  , 0.44, 0.56]])
    >>> comparator.set_params(use="one_vs_rest").predict_proba(X[70:71]).round(2)
    array([[0.  , 0.31, 0.69]])
    >>> report = comparator.report(X, y, cv=5, n_bootstrap=0)
    >>> report["nll"].difference.low > 0  # one-vs-rest loses
    True
    """

    def __init__(self, estimator: Any = None, *, use: str = "softmax") -> None:
        self.estimator = estimator
        self.use = use

    @restores_on_failure
    def fit(self, X: Any, y: Any, sample_weight: Any = None, **params: Any) -> Self:
        """Fit both models.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Labels. An indicator matrix has nothing to compare: use :class:`OneVsRestLogit`.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights, for both models.
        **params : dict
            `offset`, `mask`, `y_proba` and `classes` for both models. With metadata routing
            enabled those that `estimator` requests.

        Returns
        -------
        self : OneVsRestComparator
            The fitted model.

        Raises
        ------
        TypeError
            `estimator` is no `MultinomialLogit`.
        ValueError
            What the models raise: the message names the argument, and the first row at fault.
        """
        check_choice(self.use, "use", _USES)
        params = self._routed("fit", params)
        self.softmax_ = clone(self._template()).fit(X, y, sample_weight, **params)
        self.classes_ = self.softmax_.classes_
        one_vs_rest = one_vs_rest_like(self.softmax_)
        if is_balanced(self.softmax_):
            if params.get("y_proba") is not None:
                raise ValueError(
                    "class_weight='balanced' counts labels, which y_proba replaces: pass the "
                    "weights as a dictionary."
                )
            weights = self._labels(X, y, sample_weight)
            one_vs_rest.set_params(class_weight=class_weights(*weights, self.classes_))
        self.one_vs_rest_ = one_vs_rest.fit(X, y, sample_weight, **params)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.softmax_, name):
                setattr(self, name, getattr(self.softmax_, name))
            elif hasattr(self, name):
                delattr(self, name)
        return self

    def predict(self, X: Any, **params: Any) -> np.ndarray:
        """Return the most probable class of each row, by the model that `use` names.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        **params : dict
            `offset` and `mask`, as for the models.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Labels from `classes_`; of tied classes the first.
        """
        return self._ask("predict", X, params)

    def predict_proba(self, X: Any, **params: Any) -> np.ndarray:
        """Return the probability of each class, by the model that `use` names.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        **params : dict
            `offset` and `mask`, as for the models.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of `classes_`; rows sum to one.
        """
        return self._ask("predict_proba", X, params)

    def predict_log_proba(self, X: Any, **params: Any) -> np.ndarray:
        """Return the log of the probability of each class, by the model that `use` names.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        **params : dict
            `offset` and `mask`, as for the models.

        Returns
        -------
        log_proba : ndarray of shape (n_samples, n_classes)
            Log-probabilities in nats, in the order of `classes_`.
        """
        return self._ask("predict_log_proba", X, params)

    def decision_function(self, X: Any, **params: Any) -> np.ndarray:
        """Return the scores of the classes, by the model that `use` names.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        **params : dict
            `offset` and `mask`, as for the models.

        Returns
        -------
        decision : ndarray of shape (n_samples, n_classes) or (n_samples,)
            Scores; of two classes that of the second.
        """
        return self._ask("decision_function", X, params)

    def score(self, X: Any, y: Any, sample_weight: Any = None, **params: Any) -> float:
        """Return the accuracy of `predict` on (X, y).

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        **params : dict
            `offset` and `mask`, as for the models.

        Returns
        -------
        accuracy : float
            Weighted share of rows whose label is predicted.
        """
        check_is_fitted(self)
        return self._model().score(X, y, sample_weight, **self._routed("score", params))

    def report(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        cv: Any = None,
        groups: Any = None,
        offset: Any = None,
        mask: Any = None,
        n_bootstrap: int = 100,
        max_dropped: int = 5,
        n_bins: int = 15,
        confidence_level: float = 0.95,
        random_state: Any = None,
    ) -> ComparisonReport:
        """Compare the two models on data.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Labels, among `classes_`.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.
        cv : int, splitter or iterable, default=None
            None judges the fitted models, which is honest on rows that they have not seen.
            Otherwise both models are fitted anew in each fold, and judged on the rows left out; a
            row may be left out once.
        groups : array-like of shape (n_samples,), default=None
            For the splitter `cv`.
        offset, mask : array-like of shape (n_samples, n_classes) or (n_classes,), default=None
            As in `fit`.
        n_bootstrap : int, default=100
            How often labels are drawn from the fitted softmax, and both models fitted to them, to
            see how precise each is where the softmax is true; 0 leaves it out.
        max_dropped : int, default=5
            How many classes, the largest, are left out one after the other to see how the log-odds
            of the others change; each costs a fit of both models.
        n_bins : int, default=15
            Number of bins of the calibration error.
        confidence_level : float, default=0.95
            Level of the intervals.
        random_state : int, RandomState or None, default=None
            Of all draws.

        Returns
        -------
        report : ComparisonReport
            It prints as a table; ``report.plot()`` is a picture, ``report.to_frame()`` a data
            frame.

        Raises
        ------
        ValueError
            An argument is out of its range, or `cv` leaves a row out twice.
        """
        check_is_fitted(self)
        z = check_confidence_level(confidence_level)
        binning = Binning.of(n_bins, "uniform")
        n_bootstrap = _count(n_bootstrap, "n_bootstrap", "0 or an integer >= 2")
        max_dropped = _count(max_dropped, "max_dropped", "an integer >= 0", least=0)
        rng = np.random.default_rng(_seed(random_state))
        rows = self._rows(X, y, sample_weight, offset, mask)
        pair = Pair(nameless(self.softmax_), nameless(self.one_vs_rest_))
        judged = predict_pair(pair, rows) if cv is None else self._out_of_fold(rows, cv, groups)
        several = len(self.classes_) > 2
        return ComparisonReport(
            classes=self.classes_,
            n_samples=len(judged.target),
            is_cross_validated=cv is not None,
            confidence_level=float(confidence_level),
            metrics=compare_metrics(judged, binning, z, rng),
            mass=total_mass(judged),
            decisions=compare_decisions(judged, z),
            coupling=residual_shares(rows, pair.log_proba(rows)) if several else None,
            dropped=drop_classes(pair, rows, max_dropped) if several and max_dropped else None,
            efficiency=(
                bootstrap_efficiency(pair, rows, n_bootstrap, rng)
                if several and n_bootstrap
                else None
            ),
        )

    def get_metadata_routing(self) -> MetadataRouter:
        """Return who gets which metadata: weights both models, the rest what `estimator` requests.

        Returns
        -------
        routing : MetadataRouter
            The routing of scikit-learn's user guide.
        """
        mapping = MethodMapping()
        for method in _METHODS:
            mapping.add(caller=method, callee=method)
        router = MetadataRouter(owner=self).add_self_request(self)
        return router.add(estimator=self._template(), method_mapping=mapping)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = get_tags(self._template()).input_tags.sparse
        return tags

    # The steps of fit and of prediction

    def _template(self) -> Any:
        return MultinomialLogit() if self.estimator is None else self.estimator

    def _routed(self, caller: str, params: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(self._template(), MultinomialLogit):
            raise TypeError(
                f"estimator must be a MultinomialLogit or None; got {self.estimator!r}. What comes "
                "before it belongs into a pipeline around the comparator."
            )
        if params and get_config()["enable_metadata_routing"]:
            routed = dict(process_routing(self, caller, **params).estimator[caller])
            routed.pop("sample_weight", None)  # has an argument of its own
            return routed
        return params

    def _model(self) -> Any:
        return (
            self.softmax_
            if check_choice(self.use, "use", _USES) == "softmax"
            else (self.one_vs_rest_)
        )

    def _ask(self, method: str, X: Any, params: dict[str, Any]) -> np.ndarray:
        check_is_fitted(self)
        return getattr(self._model(), method)(X, **self._routed(method, params))

    def _labels(self, X: Any, y: Any, sample_weight: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the column of each label, and weights."""
        n_samples = X.shape[0] if hasattr(X, "shape") else len(X)
        y = check_labels(self.softmax_, y, n_samples)
        weight, exponent = check_sample_weight(sample_weight, n_samples)
        weight = None if weight is None else np.ldexp(weight, exponent)
        return columns_of_labels(y, self.classes_), weight

    # The steps of a report

    def _rows(self, X: Any, y: Any, sample_weight: Any, offset: Any, mask: Any) -> Rows:
        X, y = indexable(X, y)
        check_consistent_length(X, y)
        X = check_features(self.softmax_, X, reset=False)
        target, weight = self._labels(X, y, sample_weight)
        mask = check_mask(mask, self.classes_, X.shape[0])
        given = {
            "sample_weight": weight,
            "offset": check_offset(offset, self.classes_, X.shape[0], X.dtype, mask),
            "mask": mask,
        }
        extra = {name: value for name, value in given.items() if value is not None}
        return Rows(X, self.classes_[target], target, self.classes_, extra)

    def _out_of_fold(self, rows: Rows, cv: Any, groups: Any) -> Predicted:
        """Return what clones say about the rows that they were not fitted to."""
        splitter, parts, tested = check_cv(cv, rows.y, classifier=True), [], []
        for train, test in splitter.split(rows.X, rows.y, groups):
            pair = Pair(clone(self.softmax_), clone(self.one_vs_rest_)).fit(rows.take(train))
            parts.append(predict_pair(pair, rows.take(test)))
            tested.append(np.arange(len(rows.y))[test])
        counts = np.bincount(np.concatenate(tested), minlength=len(rows.y))
        if counts.max() > 1:
            raise ValueError(
                f"cv leaves out row {int(counts.argmax())} {int(counts.max())} times; each row may "
                "be left out once, because its losses count as one observation."
            )
        return joined(parts)


def _count(value: Any, name: str, accepted: str, least: int = 2) -> int:
    number = check_integer(value, name, accepted, at_least=0)
    if 0 < number < least:
        raise ValueError(f"{name} must be {accepted}; got {value!r}.")
    return number


def _seed(random_state: Any) -> int:
    return int(check_random_state(random_state).randint(2**31 - 1))
