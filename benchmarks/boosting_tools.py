"""Gradient boosting libraries behind one interface: fit with or without a validation set, predict.

Every tool keeps its own defaults; what is set here is what a comparison needs: the number of
iterations, when to stop, the threads, the seed, silence. Libraries are imported where they are
used, so each worker loads its own tool alone.
"""

import time
from importlib.util import find_spec

import numpy as np


class Tool:
    """A library. `fit` returns the fitted model; the other methods read it."""

    library = ""
    l2 = ""  # the name of its L2 penalty on leaf values
    l2_is_zero = False  # by default: then rare classes may make it diverge

    def __init__(self, n_classes, n_threads, seed):
        self.n_classes, self.n_threads, self.seed = n_classes, n_threads, seed

    @classmethod
    def is_installed(cls):
        """Whether the library can be imported."""
        return find_spec(cls.library) is not None

    def fit(self, X, y, *, n_iter, parameters=None):
        """Exactly `n_iter` iterations."""
        raise NotImplementedError

    def fit_until(self, X, y, X_val, y_val, *, n_iter, patience, seconds, parameters=None):
        """Until `patience` iterations brought no better validation loss, at most `n_iter`.

        The tools that can be asked to stop after `seconds` do, and keep what they have.
        """
        raise NotImplementedError

    def curve(self, model):
        """Validation log-loss after 1, 2, ... iterations."""
        raise NotImplementedError

    def predict_proba(self, model, X):
        """Probabilities (n_samples, n_classes)."""
        return model.predict_proba(X)


class Ours(Tool):
    """SoftmaxBoostingClassifier."""

    library = "sksoftmax"
    l2 = "l2_regularization"

    def new(self, n_iter, parameters, **stopping):
        """A classifier that stops as `stopping` says."""
        from sksoftmax import SoftmaxBoostingClassifier

        stopping = {"early_stopping": False} | stopping | (parameters or {})
        return SoftmaxBoostingClassifier(
            max_iter=n_iter, n_jobs=self.n_threads, random_state=self.seed, **stopping
        )

    def fit(self, X, y, *, n_iter, parameters=None):
        return self.new(n_iter, parameters).fit(X, y)

    def fit_until(self, X, y, X_val, y_val, *, n_iter, patience, seconds, parameters=None):
        model = self.new(n_iter, parameters, early_stopping=True, n_iter_no_change=patience)
        return model.fit(X, y, X_val=X_val, y_val=y_val)

    def curve(self, model):
        return [-score for score in model.validation_score_[1:]]  # the first is the baseline's


class LightGBM(Tool):
    """K trees per iteration; 31 leaves, learning rate 0.1."""

    library = "lightgbm"
    l2 = "reg_lambda"
    l2_is_zero = True

    def new(self, n_iter, parameters):
        """A silent classifier."""
        from lightgbm import LGBMClassifier

        return LGBMClassifier(
            n_estimators=n_iter,
            n_jobs=self.n_threads,
            random_state=self.seed,
            verbosity=-1,
            **(parameters or {}),
        )

    def fit(self, X, y, *, n_iter, parameters=None):
        return self.new(n_iter, parameters).fit(X, y)

    def fit_until(self, X, y, X_val, y_val, *, n_iter, patience, seconds, parameters=None):
        from lightgbm import early_stopping
        from lightgbm.callback import EarlyStopException

        deadline = time.perf_counter() + seconds

        def stop(env):
            if time.perf_counter() > deadline:
                raise EarlyStopException(env.iteration, env.evaluation_result_list)

        model = self.new(n_iter, parameters)
        callbacks = [early_stopping(patience, verbose=False), stop]
        return model.fit(X, y, eval_set=[(X_val, y_val)], callbacks=callbacks)

    def curve(self, model):
        return model.evals_result_["valid_0"]["multi_logloss"]

    def predict_proba(self, model, X):
        best = int(np.argmin(self.curve(model))) + 1 if model.evals_result_ else None
        return model.predict_proba(X, num_iteration=best)


class XGBoost(Tool):
    """K trees per iteration; depth 6, learning rate 0.3, L2 = 1."""

    library = "xgboost"
    l2 = "reg_lambda"
    multi_strategy = "one_output_per_tree"

    def new(self, n_iter, parameters, **stopping):
        """A silent classifier."""
        from xgboost import XGBClassifier

        return XGBClassifier(
            n_estimators=n_iter,
            n_jobs=self.n_threads,
            random_state=self.seed,
            multi_strategy=self.multi_strategy,
            verbosity=0,
            **stopping,
            **(parameters or {}),
        )

    def fit(self, X, y, *, n_iter, parameters=None):
        return self.new(n_iter, parameters).fit(X, y)

    def fit_until(self, X, y, X_val, y_val, *, n_iter, patience, seconds, parameters=None):
        from xgboost.callback import TrainingCallback

        class Stop(TrainingCallback):
            deadline = time.perf_counter() + seconds

            def after_iteration(self, model, epoch, evals_log):
                return time.perf_counter() > self.deadline

        model = self.new(
            n_iter,
            parameters,
            early_stopping_rounds=patience,
            eval_metric="mlogloss" if self.n_classes > 2 else "logloss",
            callbacks=[Stop()],
        )
        return model.fit(X, y, eval_set=[(X_val, y_val)], verbose=False)

    def curve(self, model):
        return next(iter(model.evals_result()["validation_0"].values()))


class XGBoostVector(XGBoost):
    """One tree with vector leaves per iteration; depth 6, learning rate 0.3, L2 = 1."""

    multi_strategy = "multi_output_tree"


class CatBoost(Tool):
    """One symmetric tree with vector leaves per iteration; depth 6, its own learning rate, L2 = 3.

    It chooses the learning rate by the size of the data and the number of iterations.
    """

    library = "catboost"
    l2 = "l2_leaf_reg"

    def new(self, n_iter, parameters):
        """A silent classifier that leaves no files."""
        from catboost import CatBoostClassifier

        return CatBoostClassifier(
            iterations=n_iter,
            thread_count=self.n_threads,
            random_seed=self.seed,
            loss_function="MultiClass",
            verbose=False,
            allow_writing_files=False,
            **(parameters or {}),
        )

    def fit(self, X, y, *, n_iter, parameters=None):
        return self.new(n_iter, parameters).fit(X, y)

    def fit_until(self, X, y, X_val, y_val, *, n_iter, patience, seconds, parameters=None):
        class Stop:
            deadline = time.perf_counter() + seconds

            def after_iteration(self, info):
                return time.perf_counter() < self.deadline

        model = self.new(n_iter, parameters)
        return model.fit(
            X, y, eval_set=(X_val, y_val), early_stopping_rounds=patience, callbacks=[Stop()]
        )

    def curve(self, model):
        return model.get_evals_result()["validation"]["MultiClass"]

    def predict_proba(self, model, X):
        return model.predict_proba(X, thread_count=self.n_threads)


class HistGradientBoosting(Tool):
    """scikit-learn's: K trees per iteration; 31 leaves, learning rate 0.1. It keeps every tree,
    also those after the best iteration, and cannot be asked to stop after a while."""

    library = "sklearn"
    l2 = "l2_regularization"
    l2_is_zero = True

    def new(self, n_iter, parameters, **stopping):
        """A classifier that stops as `stopping` says."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        stopping = {"early_stopping": False} | stopping | (parameters or {})
        return HistGradientBoostingClassifier(max_iter=n_iter, random_state=self.seed, **stopping)

    def fit(self, X, y, *, n_iter, parameters=None):
        return self.new(n_iter, parameters).fit(X, y)

    def fit_until(self, X, y, X_val, y_val, *, n_iter, patience, seconds, parameters=None):
        model = self.new(n_iter, parameters, early_stopping=True, n_iter_no_change=patience)
        return model.fit(X, y, X_val=X_val, y_val=y_val)

    def curve(self, model):
        return [-score for score in model.validation_score_[1:]]


TOOLS = {
    "ours": Ours,
    "LightGBM": LightGBM,
    "XGBoost": XGBoost,
    "XGBoost, vector leaves": XGBoostVector,
    "CatBoost": CatBoost,
    "HistGradientBoosting": HistGradientBoosting,
}
