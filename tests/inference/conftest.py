"""A conditional logit in plain NumPy, written apart from the package: model, fit and oracle."""

import numpy as np
import pandas as pd
import pytest

from sksoftmax.inference import LogitResults
from sksoftmax.inference._constants import constants_loglik
from sksoftmax.inference._estimate import Design, Estimate, data_key


class PlainLogit:
    """utilities: {label: {parameter: column or number}}; availability: {label: column}."""

    name = "PlainLogit"

    def __init__(self, utilities, availability=None, fixed=None):
        self.utilities, self.availability = utilities, availability or {}
        self.fixed = fixed or {}
        self.classes = np.array(sorted(utilities))
        self.names = tuple(dict.fromkeys(p for k in utilities for p in utilities[k]))

    def design(self, X):
        values = np.zeros((len(X), len(self.classes), len(self.names)))
        available = np.ones(values.shape[:2], dtype=bool)
        for j, label in enumerate(self.classes):
            for name, term in self.utilities[label].items():
                column = (
                    X[term].to_numpy(float, na_value=np.nan)
                    if isinstance(term, str)
                    else float(term)
                )
                values[:, j, self.names.index(name)] = column
            if label in self.availability:
                available[:, j] = X[self.availability[label]].to_numpy(float) > 0
        values[~available] = 0.0
        return Design(values, available)

    def log_proba(self, X, params):
        values, available, _ = self.design(X)
        V = np.where(available, values @ params, -np.inf)
        V = V - V.max(axis=1, keepdims=True)
        return V - np.log(np.exp(V).sum(axis=1, keepdims=True))

    def proba(self, X, params):
        return np.exp(self.log_proba(X, params))

    def loglik(self, X, y, params, weight=None):
        rows = np.arange(len(X))
        own = self.log_proba(X, params)[rows, np.searchsorted(self.classes, y)]
        return float(own @ (np.ones(len(X)) if weight is None else weight))

    def fit(
        self,
        X,
        y,
        sample_weight=None,
        *,
        groups=None,
        weight_type="frequency",
        ridge=0.0,
        covariance="hessian",
    ):
        """A `LogitResults` at the maximum."""
        params = np.array([float(self.fixed.get(name, 0.0)) for name in self.names])
        free = np.array([name not in self.fixed for name in self.names])
        for _ in range(60):
            e = self.estimate(X, y, sample_weight, params)
            score = (e.score - ridge * params)[free]
            curvature = (e.information + ridge * np.eye(len(free)))[np.ix_(free, free)]
            step = np.linalg.lstsq(curvature, score, rcond=1e-12)[0]
            params[free] += step
            if np.abs(step).max(initial=0) < 1e-12:
                break
        estimate = self.estimate(X, y, sample_weight, params, groups, weight_type, ridge)
        return LogitResults(estimate, covariance)

    def estimate(
        self, X, y, sample_weight, params, groups=None, weight_type="frequency", ridge=0.0
    ):
        n, weight = len(X), np.ones(len(X)) if sample_weight is None else np.asarray(sample_weight)
        values, available, _ = self.design(X)
        chosen = np.searchsorted(self.classes, y)
        p = self.proba(X, params)
        mean = np.einsum("nj,njp->np", p, values)
        g = values[np.arange(n), chosen] - mean
        spread = values - mean[:, None]
        information = np.einsum("n,nj,njp,njq->pq", weight, p, spread, spread, optimize=True)
        clustered = None
        if groups is not None:
            sums = pd.DataFrame(g * weight[:, None]).groupby(np.asarray(groups)).sum().to_numpy()
            clustered = sums.T @ sums
        counted = weight if weight_type == "frequency" else (weight > 0).astype(float)
        sizes = available.sum(axis=1)
        constants, n_constants = constants_loglik(
            chosen, available, weight, n_alternatives=len(self.classes)
        )
        P = len(self.names)
        return Estimate(
            names=self.names,
            params=params.copy(),
            is_free=np.array([name not in self.fixed for name in self.names]),
            is_estimable=np.ones(P, dtype=bool),
            null_values=np.zeros(P),
            score=weight @ g,
            information=information,
            penalty=ridge * np.eye(P),
            score_products=(g * weight[:, None]).T @ g,
            weighted_score_products=(g * weight[:, None] ** 2).T @ g,
            cluster_products=clustered,
            n_clusters=None if groups is None else len(np.unique(groups)),
            weight_type=weight_type,
            n_cases=float(counted.sum()),
            n_forced=float(counted[sizes == 1].sum()),
            loglik=self.loglik(X, y, params, weight),
            loglik_null=-float(weight @ np.log(sizes)),
            loglik_constants=constants,
            n_constants=n_constants,
            n_iter=5,
            gradient_norm=1e-12,
            converged=True,
            data_key=data_key(chosen, available, weight, n_alternatives=len(self.classes)),
            n_alternatives=len(self.classes),
            model=self,
        )

    def refit(self, X, y, sample_weight=None, *, without=None):
        kept = {label: terms for label, terms in self.utilities.items() if label != without}
        rows = np.asarray(y) != without
        weight = None if sample_weight is None else np.asarray(sample_weight)[rows]
        model = PlainLogit(kept, self.availability, self.fixed)
        return model.fit(X[rows], np.asarray(y)[rows], weight)._estimate

    def evaluate(self, X, y, sample_weight=None, *, params, utilities=None):
        model = self if utilities is None else PlainLogit(utilities, self.availability, self.fixed)
        values = np.array([params.get(name, 0.0) for name in model.names])
        return model.estimate(X, y, sample_weight, values)


def travel(n=500, seed=1):
    """A frame of attributes and availability, and what was chosen."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "bus_time": rng.uniform(0.5, 3, n),
            "car_time": rng.uniform(0.3, 2, n),
            "train_time": rng.uniform(0.4, 2.5, n),
            "bus_cost": rng.uniform(0.5, 2, n),
            "car_cost": rng.uniform(1, 4, n),
            "train_cost": rng.uniform(1, 3, n),
            "train_open": (rng.random(n) < 0.8).astype(int),
            "car_open": (rng.random(n) < 0.9).astype(int),
            "income": rng.lognormal(0, 0.5, n),
            "retired": (rng.random(n) < 0.3).astype(int),
        }
    )
    model = PlainLogit(utilities(), AVAILABILITY)
    true = np.array([-1.1, -0.8, 0.4, 0.5, 0.6, -0.4])
    V = model.log_proba(X, true)
    choice = (V + rng.gumbel(size=V.shape)).argmax(axis=1)
    return X, model.classes[choice]


def utilities():
    return {
        "bus": {"b_time": "bus_time", "b_cost": "bus_cost"},
        "car": {"b_time": "car_time", "b_cost": "car_cost", "asc_car": 1, "b_income": "income"},
        "train": {
            "b_time": "train_time",
            "b_cost": "train_cost",
            "asc_train": 1,
            "b_retired": "retired",
        },
    }


AVAILABILITY = {"train": "train_open", "car": "car_open"}


@pytest.fixture(scope="session")
def plain_logit():
    """The class, to make other models of."""
    return PlainLogit


@pytest.fixture(scope="session")
def choices():
    """X, y."""
    return travel()


@pytest.fixture(scope="session")
def specification():
    """A function that returns a fresh copy of the utilities."""
    return utilities


@pytest.fixture(scope="session")
def model():
    return PlainLogit(utilities(), AVAILABILITY)


@pytest.fixture(scope="session")
def results(model, choices):
    return model.fit(*choices)
