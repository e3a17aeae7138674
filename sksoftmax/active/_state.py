"""What a learner knows, and the steps by which it changes: each replaces, none alters in place."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.utils import check_random_state
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.validation import check_is_fitted, has_fit_parameter, validate_data

from sksoftmax._estimator import (
    check_choice,
    check_flag,
    check_integer,
    check_n_jobs,
    check_verbose,
)
from sksoftmax._targets import check_mask, encode_labels
from sksoftmax.active._criteria import BALD, check_criterion, disagreement_of, scores_of
from sksoftmax.active._diversity import DIVERSITIES, best_rows, diverse_rows, first_rows
from sksoftmax.active._labels import refuse_only_nan
from sksoftmax.active._loop import Costs, labels_for
from sksoftmax.active._refit import columns_of, fit_model
from sksoftmax.active._responses import Classifier
from sksoftmax.active._rows import LabeledRows, Pool, as_rows, like, same_rows, take
from sksoftmax.active._stopping import Look, check_stopping


class LearnerState:
    """The state of an `EntropyActiveLearner` and what changes it.

    Attributes
    ----------
    _pool : Pool
    _labeled : LabeledRows
    _classes : ndarray or None, names of the columns of masks
    _seed : int
    _n_rounds : int, how often labels came
    _is_stale : bool, whether labels came after the last fit
    _look : Look or None, what the model said of the pool in the round before
    """

    estimator: Any
    criterion: Any
    history_: list[dict[str, Any]]

    _pool: Pool
    _labeled: LabeledRows
    _classes: np.ndarray | None
    _seed: int
    _n_rounds: int
    _is_stale: bool
    _look: Look | None

    # Doors

    def _check_parameters(self) -> None:
        given = vars(self)
        if self.estimator is not None and not hasattr(self.estimator, "fit"):
            raise TypeError(f"estimator must be a classifier or None; got {self.estimator!r}.")
        check_criterion(self.criterion)
        for name in ("batch_size", "n_initial"):
            check_integer(given[name], name, "an integer >= 1", at_least=1)
        if given["diversity"] is not None:
            check_choice(given["diversity"], "diversity", DIVERSITIES)
        check_stopping(given["stopping"])
        check_flag(given["calibrate"], "calibrate")
        check_choice(given["refit"], "refit", ("warm", "cold"))
        check_n_jobs(given["n_jobs"])
        check_verbose(given["verbose"])

    def _check_rows(self, X: Any, *, reset: bool) -> Any:
        """Return X as rows can be taken from it; its values are checked by the estimator."""
        if np.ma.isMaskedArray(X):
            raise ValueError("X is a masked array, whose mask would be lost; fill the gaps.")
        X = as_rows(X)
        if not X.shape:
            raise ValueError(f"X must be a table with a row for each sample; got {X.item()!r}.")
        if not X.shape[0]:
            raise ValueError(f"X: found array with 0 sample(s) (shape={X.shape}).")
        validate_data(self, X, reset=reset, skip_check_array=True)
        return X

    def _fit_params(self, X: Any, sample_weight: Any, params: dict[str, Any]) -> dict[str, Any]:
        """Return what the estimator's `fit` takes, by name, with an entry for each row of X."""
        inner = self._inner()  # type: ignore[attr-defined]
        weighted: dict[str, Any] = {}
        if sample_weight is not None:
            weight = np.asarray(sample_weight, dtype=np.float64)
            weight = np.full(X.shape[0], weight) if weight.ndim == 0 else weight
            if weight.shape != (X.shape[0],):
                raise ValueError(
                    f"sample_weight must have shape ({X.shape[0]},), one weight for each row; "
                    f"got {weight.shape}."
                )
            weighted["sample_weight"] = weight
        if get_config()["enable_metadata_routing"]:
            return dict(process_routing(self, "fit", **weighted, **params).estimator.fit)
        if weighted and not has_fit_parameter(inner, "sample_weight"):
            warnings.warn(
                f"{type(inner).__name__}.fit takes no sample_weight: the weights are not used.",
                UserWarning,
                stacklevel=4,
            )
            weighted = {}
        return weighted | params

    def _check_mask(self, mask: Any, n_rows: int) -> np.ndarray | None:
        if mask is None:
            return None
        if self._classes is None:
            raise ValueError("mask needs classes in fit, the names of its columns.")
        return check_mask(mask, self._classes, n_rows)

    # Changes

    def _start(self, X: Any, y: Any, fit_params: dict[str, Any], mask: Any, classes: Any) -> None:
        """Forget everything; take a pool and the labels that are there."""
        n_rows = X.shape[0]
        labels, known = np.empty(0), np.zeros(n_rows, dtype=bool)
        if y is not None:
            labels, known = labels_for(y, n_rows, self.unlabeled)  # type: ignore[attr-defined]
            refuse_only_nan(y, known, self.unlabeled)  # type: ignore[attr-defined]
        self._classes = None
        if classes is not None:
            self._classes, _ = encode_labels(labels, classes, columns=mask)
        elif mask is not None and len(labels):
            self._classes = np.unique(labels)
        mask = self._check_mask(mask, n_rows)
        self._seed = int(check_random_state(vars(self)["random_state"]).randint(2**31 - 1))
        self._pool = Pool(X, np.ones(n_rows, dtype=bool), fit_params, mask)
        self._labeled = self._pool.labeled(labels, np.flatnonzero(known), LabeledRows())
        self._check_classes(self._labeled)
        self._pool = self._pool.without(np.flatnonzero(known))
        self._n_rounds, self._is_stale, self._look = 0, True, None
        self.history_, self.stop_reason_, self.cost_ = [], None, 0.0
        vars(self).pop("estimator_", None)

    def _check_classes(self, labeled: LabeledRows) -> None:
        if self._classes is not None:
            columns_of(np.unique(labeled.y), self._classes)

    def _refit(self) -> None:
        """Fit the estimator on the labels that there are."""
        if len(self._labeled):
            given = vars(self)
            self.estimator_, temperature = fit_model(
                self._inner(),  # type: ignore[attr-defined]
                self._labeled,
                self._classes,
                getattr(self, "estimator_", None),
                warm=given["refit"] == "warm",
                calibrate=given["calibrate"],
                seed=[self._seed, self._n_rounds],
            )
            self._complete_record(
                {"n_classes": len(self.estimator_.classes_)}
                | ({"temperature": temperature} if given["calibrate"] else {})
            )
        self._is_stale = False

    def _learn(self, indices: Any, y: Any, **record: Any) -> None:
        """Take labels of pool rows: all of them, or none if anything is wrong."""
        index = self._check_indices(indices)
        labels, known = labels_for(y, len(index), self.unlabeled)  # type: ignore[attr-defined]
        labeled = self._pool.labeled(labels, index[known], self._labeled)
        self._check_classes(labeled)
        self._labeled, self._pool = labeled, self._pool.without(index)
        self._record(index, labels, known, record)

    def _learn_outside(
        self, X: Any, y: Any, sample_weight: Any, mask: Any, params: dict[str, Any]
    ) -> None:
        """Take labels of rows that are not of the pool."""
        X = like(self._pool.X, X)
        n_rows = X.shape[0]
        labels, known = labels_for(y, n_rows, self.unlabeled)  # type: ignore[attr-defined]
        params = self._params_of_new_rows(n_rows, sample_weight, params)
        if mask is None and self._pool.mask is not None:
            mask = np.ones((n_rows, self._pool.mask.shape[1]), dtype=bool)
        outside = Pool(X, np.ones(n_rows, dtype=bool), params, self._check_mask(mask, n_rows))
        labeled = outside.labeled(labels, np.flatnonzero(known), self._labeled)
        self._check_classes(labeled)
        index = labeled.index.copy()
        index[len(self._labeled) :] = -1
        self._labeled = LabeledRows(labeled.X, labeled.y, index, labeled.params, labeled.mask)
        self._record(np.full(n_rows, -1), labels, known, {})

    def _params_of_new_rows(
        self, n_rows: int, sample_weight: Any, params: dict[str, Any]
    ) -> dict[str, Any]:
        names = set(self._pool.params) | set(self._labeled.params)
        if sample_weight is not None and "sample_weight" not in names:
            raise ValueError("sample_weight: fit was given none, so new rows have none either.")
        if "sample_weight" in names:
            weight = np.ones(n_rows) if sample_weight is None else np.asarray(sample_weight, float)
            params = params | {"sample_weight": weight}
        if set(params) != names:
            raise ValueError(
                f"New rows need the metadata that fit was given, {sorted(names)}; "
                f"got {sorted(params)}."
            )
        return params

    def _check_indices(self, indices: Any) -> np.ndarray:
        index = np.asarray(indices)
        if index.ndim != 1 or (len(index) and index.dtype.kind not in "iu"):
            raise ValueError(f"indices must be row numbers in one dimension; got {indices!r}.")
        index = index.astype(np.intp)
        outside = (index < 0) | (index >= len(self._pool))
        if outside.any():
            raise ValueError(
                f"indices: {index[outside][0]} is not a row of the pool; its rows are 0 to "
                f"{len(self._pool) - 1}."
            )
        if len(np.unique(index)) < len(index):
            raise ValueError("indices names a row twice.")
        closed = ~self._pool.is_open[index]
        if closed.any():
            raise ValueError(f"indices: row {index[closed][0]} has left the pool already.")
        return index

    def _record(
        self, index: np.ndarray, labels: np.ndarray, known: np.ndarray, record: dict[str, Any]
    ) -> None:
        """Begin the record of a round."""
        given: list[Any] = [None] * len(index)
        for place, label in zip(np.flatnonzero(known).tolist(), labels.tolist(), strict=True):
            given[place] = label
        self.cost_ = self.cost_ + float(record.pop("cost", len(index)))
        begun = {
            "indices": index.tolist(),
            "labels": given,
            "scores": np.asarray(record.pop("scores", np.full(len(index), np.nan))).tolist(),
            "n_labels": len(self._labeled),
            "cost": self.cost_,
        }
        self.history_ = [*self.history_, begun | record]
        self._n_rounds, self._is_stale = self._n_rounds + 1, True

    def _complete_record(self, found: dict[str, Any]) -> None:
        if self.history_:
            self.history_ = [*self.history_[:-1], self.history_[-1] | found]

    def _take_pool(self, X_pool: Any) -> None:
        """Let X_pool be the pool: the first one, the same (nothing changes), or another."""
        if X_pool is None:
            check_is_fitted(self, "history_")
        elif not hasattr(self, "history_"):
            self.fit(X_pool)  # type: ignore[attr-defined]
        elif not same_rows(self._pool.X, as_rows(X_pool)):
            X = self._check_rows(like(self._pool.X, X_pool), reset=False)
            params = self._params_of_new_rows(X.shape[0], None, {})
            mask = self._pool.mask
            mask = None if mask is None else np.ones((X.shape[0], mask.shape[1]), dtype=bool)
            self._pool = Pool(X, np.ones(X.shape[0], dtype=bool), params, mask)
            old, outside = self._labeled, np.full(len(self._labeled), -1)
            self._labeled = LabeledRows(old.X, old.y, outside, old.params, old.mask)
            self._look = None

    # Queries

    def _query(
        self, X_pool: Any, n_queries: int | None, mask: Any, params: dict[str, Any]
    ) -> tuple[np.ndarray, np.ndarray]:
        self._check_parameters()
        if n_queries is not None:
            check_integer(n_queries, "n_queries", "None or an integer >= 1", at_least=1)
        if X_pool is not None:
            X = self._check_rows(X_pool, reset=False)
            pool = Pool(X, np.ones(X.shape[0], dtype=bool), {}, self._check_mask(mask, X.shape[0]))
        elif mask is not None:
            raise ValueError("mask of the pool's rows is that of fit; pass it with X_pool.")
        elif self._pool.is_open.any():
            pool = self._pool
        else:
            raise ValueError("The pool is empty: every row has been asked about; pass X_pool.")
        return self._select(pool, n_queries, params, None, 0.0)

    def _choose(self, costs: Costs) -> tuple[np.ndarray, np.ndarray]:
        """Choose rows that can be paid for."""
        indices, scores = self._select(self._pool, None, {}, costs, self.cost_)
        kept = costs.affordable(indices, self.cost_)
        return kept, scores[np.isin(indices, kept)]

    def _select(
        self,
        pool: Pool,
        n_queries: int | None,
        params: dict[str, Any],
        costs: Costs | None,
        spent: float,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return rows and scores: the first ones while nothing is known, then the best."""
        given = vars(self)
        rng = np.random.default_rng([self._seed, self._n_rounds])
        is_open = pool.is_open
        dear = None if costs is None else costs.leaves_out(spent)
        if dear is not None:
            is_open = is_open & ~dear
            if not is_open.any():
                return np.empty(0, dtype=np.intp), np.empty(0)
        if not hasattr(self, "estimator_"):
            n = given["n_initial"] if n_queries is None else n_queries
            rows = first_rows(given["diversity"], is_open, n, pool.X, rng)
            return rows, np.full(len(rows), np.nan)
        n = given["batch_size"] if n_queries is None else n_queries
        scores = self._scores(pool, is_open, params)
        worth = scores if dear is None or costs is None else scores / costs.each
        if given["diversity"] is None:
            rows = best_rows(worth, n, rng)
        else:
            rows = diverse_rows(given["diversity"], worth, n, pool.X, self._labeled.X, rng)
        return rows, scores[rows]

    def _scores(self, pool: Pool, is_open: np.ndarray, params: dict[str, Any]) -> np.ndarray:
        """Return the score of each row, -inf for those that are not open.

        Slices of all rows cost less than a copy of the open ones, until these are few.
        """
        mask, X = self._known_mask(pool.mask), pool.X
        chosen = None if 2 * is_open.sum() >= len(pool) or params else np.flatnonzero(is_open)
        if chosen is not None:
            X, mask = take(X, chosen), None if mask is None else mask[chosen]
        if self.criterion == "bald" or isinstance(self.criterion, BALD):
            found = self._disagreement(X, mask, params)
        else:
            found = scores_of(self.criterion, self._classifier(X, params), X, mask, params)
        if chosen is None:
            found[~is_open] = -np.inf
            return found
        scores = np.full(len(pool), -np.inf)
        scores[chosen] = found
        return scores

    def _disagreement(self, X: Any, mask: np.ndarray | None, params: dict[str, Any]) -> np.ndarray:
        criterion = BALD() if self.criterion == "bald" else self.criterion
        seed = [self._seed, self._n_rounds, 1]
        members = criterion.members(
            self._inner(),  # type: ignore[attr-defined]
            self._labeled,
            self._classes,
            seed,
            vars(self)["n_jobs"],
        )
        return disagreement_of(members, np.unique(self._labeled.y), X, mask, params)

    def _classifier(self, X: Any, params: dict[str, Any] | None = None) -> Classifier:
        return Classifier(self.estimator_, X, params)

    def _known_mask(self, mask: np.ndarray | None) -> np.ndarray | None:
        """Return the columns of the classes that the estimator knows."""
        if mask is None or not hasattr(self, "estimator_"):
            return None
        return mask[:, columns_of(np.asarray(self.estimator_.classes_), self._classes)]
