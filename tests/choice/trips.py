"""Trips by train, plane or car as `ConditionalLogit` meets them, and a fit of them."""

import numpy as np
import pandas as pd

from sksoftmax import ConditionalLogit

UTILITIES = {
    "train": {"asc_train": 1, "time": "train_time", "cost": "train_cost"},
    "sm": {"time": "sm_time", "cost": "sm_cost"},
    "car": {"asc_car": 1, "time": "car_time", "cost": "car_cost", "income": "income"},
}
AVAILABILITY = {"train": "train_open", "car": "car_open"}


def trips(rng, n=400):
    """(X, y): a frame with attributes, availability, and what no model needs."""
    X = pd.DataFrame({f"{a}_{x}": rng.random(n) for a in UTILITIES for x in ("time", "cost")})
    X["income"] = rng.random(n)
    X["train_open"] = (rng.random(n) < 0.8).astype(int)
    X["car_open"] = rng.random(n) < 0.9
    X["person"] = [f"p{i}" for i in rng.integers(n // 4, size=n)]
    utility = np.column_stack(
        [
            0.5 - X["car_time"] - 2 * X["car_cost"] + X["income"],
            -X["sm_time"] - 2 * X["sm_cost"],
            -0.5 - X["train_time"] - 2 * X["train_cost"],
        ]
    ) + rng.gumbel(size=(n, 3))
    utility[~X["car_open"], 0] = utility[X["train_open"] == 0, 2] = -np.inf
    return X, np.array(["car", "sm", "train"])[utility.argmax(axis=1)]


def fitted(rng, **options):
    X, y = trips(rng)
    return X, y, ConditionalLogit(UTILITIES, availability=AVAILABILITY, **options).fit(X, y)


def errors_of(model, kind="hessian", **how):
    """Standard errors of all parameters."""
    return model.results_.with_covariance(kind, **how).standard_errors
