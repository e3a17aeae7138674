"""New rows of large entropy near the data: the search, whatever the classifier.

The objective of a row x, in nats::

    J(x) = H(softmax(z(x))) - plausibility * d^2(x)

with d the distance to the nearest row of the data (`_columns`), in units of the median distance of
a row to its nearest neighbor: at d = 1 a row is as near to the data as they are to each other.
While a row is searched for from a seed, the distance to that seed stands for d: it is never
smaller. Found rows are compared by J.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.metrics import euclidean_distances

from sksoftmax._estimator import check_integer, check_number
from sksoftmax.active._columns import Columns, nearest_distances
from sksoftmax.active._diversity import greedy_centers
from sksoftmax.active._responses import Classifier, entropies
from sksoftmax.active._rows import like, stacked, take
from sksoftmax.active._synthesis_linear import affine_logits, climb
from sksoftmax.active._synthesis_segments import best_on_segments
from sksoftmax.active._synthesis_trees import climb_splits
from sksoftmax.boosting import SoftmaxBoostingClassifier

_REFERENCE = 2000  # rows of the data that distances are measured to
_SAME = 1e-6  # a distance below which rows are the same, beyond the rounding of distances
_NEIGHBORS = 500  # rows whose nearest neighbor is looked for
_LEAST_SEEDS, _SEEDS = 12, 4  # seeds: at least so many, and so many for each row asked for


@dataclass(frozen=True)
class Landscape:
    """What is climbed: the classifier's entropy as a function of floats, and the data.

    Attributes
    ----------
    columns : Columns
    classifier : Classifier
    data : float ndarray of shape (n_reference, n_features)
    low, high : float ndarrays of shape (n_features,)
    cost : float, nats per squared distance in standard deviations: plausibility / unit^2
    unit : float, the median distance of a row to its nearest neighbor
    """

    columns: Columns
    classifier: Classifier
    data: np.ndarray
    low: np.ndarray
    high: np.ndarray
    cost: float
    unit: float

    def logits(self, values: np.ndarray) -> np.ndarray:
        """Return the logits of rows of floats."""
        return self.classifier.logits(self.columns.to_rows(values))

    def entropy(self, values: np.ndarray) -> np.ndarray:
        """Return the entropy of rows of floats, in nats."""
        return entropies(self.logits(values))

    def objective(self, values: np.ndarray) -> np.ndarray:
        """Return J with the distance to the nearest row of the data."""
        points, data = self.columns.embed(values), self.columns.embed(self.data)
        distance = nearest_distances(points, data)
        return self.entropy(values) - self.cost * distance**2

    def objective_from(self, seed: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return J with the distance to the seed."""
        moved = self.columns.embed(values) - self.columns.embed(seed[None])
        return self.entropy(values) - self.cost * (moved**2).sum(axis=1)

    def valid(self, values: np.ndarray) -> np.ndarray:
        """Return values within bounds, whole and known where they must be."""
        return self.columns.valid(np.clip(values, self.low, self.high))


def synthesize(
    learner: Any, n_queries: int, bounds: Any, plausibility: float, X_reference: Any
) -> Any:
    """Make rows of large J.

    1. the landscape, learnt from some rows of the data
    2. seeds: rows of large entropy that differ from each other
    3. climb from each seed, by what the classifier is
    4. the best of them that are not too close to each other
    """
    check_integer(n_queries, "n_queries", "an integer >= 1", at_least=1)
    check_number(plausibility, "plausibility", "a finite number >= 0 (nats)", at_least=0)
    if len(learner.classes_) < 2:
        raise ValueError("synthesize needs labels of at least two classes; query and teach first.")
    rng = np.random.default_rng([learner._seed, learner._n_rounds, 2])
    landscape = _landscape(learner, bounds, float(plausibility), X_reference, rng)  # 1
    seeds = _seeds(landscape, max(_LEAST_SEEDS, _SEEDS * n_queries))  # 2
    found = landscape.valid(_climber(learner.estimator_, landscape)(seeds))  # 3
    return landscape.columns.to_rows(_spread(landscape, found, seeds, n_queries))  # 4


def _landscape(
    learner: Any, bounds: Any, plausibility: float, X_reference: Any, rng: np.random.Generator
) -> Landscape:
    data = _data(learner, X_reference, rng)
    boosting = _boosting(learner.estimator_)
    coded = None if boosting is None or hasattr(data, "columns") else boosting.is_categorical_
    columns = Columns.learn(data, categorical=coded)
    low, high = _check_bounds(bounds, columns)
    values = columns.to_floats(data)
    classifier = Classifier(learner.estimator_, data)
    unit = _typical_distance(columns.embed(values))
    return Landscape(columns, classifier, values, low, high, plausibility / unit**2, unit)


def _data(learner: Any, X_reference: Any, rng: np.random.Generator) -> Any:
    """Return rows of the data, not too many: those given, or of the pool and the labeled."""
    pool = learner._pool.X
    if len(pool.shape) != 2 or sparse.issparse(pool):
        kind = "sparse" if sparse.issparse(pool) else "of one dimension"
        raise ValueError(
            f"synthesize makes rows of dense features, but X of fit is {kind}; use X.toarray()."
        )
    if X_reference is not None:
        rows = learner._check_rows(like(pool, X_reference), reset=False)
        return _some(rows, _REFERENCE, rng)
    outside = np.flatnonzero(learner._labeled.index < 0)
    part = _some(pool, _REFERENCE, rng)
    return stacked(part, take(learner._labeled.X, outside)) if len(outside) else part


def _some(X: Any, n: int, rng: np.random.Generator) -> Any:
    if X.shape[0] <= n:
        return X
    return take(X, np.sort(rng.choice(X.shape[0], n, replace=False)))


def _check_bounds(bounds: Any, columns: Columns) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and largest value of each column; categories have their codes."""
    low, high = columns.low.copy(), columns.high.copy()
    if bounds is None:
        return low, high
    try:
        given = [np.broadcast_to(np.asarray(part, dtype=float), low.shape) for part in bounds]
        below, above = given
    except (TypeError, ValueError):
        raise ValueError(
            f"bounds must be a pair (low, high) of numbers or arrays of {len(low)} numbers; "
            f"got {bounds!r}."
        ) from None
    if not (below <= above).all():
        raise ValueError(f"bounds: low is above high in column {int(np.argmin(below <= above))}.")
    numbers = ~columns.is_category
    low[numbers], high[numbers] = below[numbers], above[numbers]
    return low, high


def _seeds(landscape: Landscape, n: int) -> np.ndarray:
    """Return rows of the data: of the most uncertain ones, those that differ most."""
    entropy = landscape.entropy(landscape.data)
    order = np.argsort(-entropy, kind="stable")[: 5 * n]
    points = landscape.columns.embed(landscape.data[order])
    n = min(n, len(order))
    far = np.full(len(order), np.inf)
    values = landscape.data[order[greedy_centers(points, n, far, first=0)]]
    return np.where(np.isnan(values), landscape.columns.center, values)


def _boosting(estimator: Any) -> SoftmaxBoostingClassifier | None:
    """Return the boosted trees, also under a temperature."""
    inner = getattr(estimator, "estimator_", estimator)
    return inner if isinstance(inner, SoftmaxBoostingClassifier) else None


def _climber(estimator: Any, landscape: Landscape) -> Callable[[np.ndarray], np.ndarray]:
    """Return what climbs from seeds: by the gradient, over splits, or on segments."""
    boosting = _boosting(estimator)
    if boosting is not None:
        return lambda seeds: climb_splits(landscape, boosting.split_values(), seeds)
    affine = affine_logits(landscape)
    if affine is not None:
        return lambda seeds: climb(landscape, *affine, seeds)
    return lambda seeds: best_on_segments(landscape, seeds)


def _spread(landscape: Landscape, found: np.ndarray, seeds: np.ndarray, n: int) -> np.ndarray:
    """Return the n best by J, not much closer to each other than rows of the data are, if possible.

    Where searches end at the same point, rows on the way to it, and their seeds, stand in; rows of
    the data only where there is nothing else.
    """
    seeds = landscape.valid(seeds)
    found = np.vstack([found, landscape.valid(0.5 * (seeds + found)), seeds])
    worth, points = landscape.objective(found), landscape.columns.embed(found)
    is_new = nearest_distances(points, landscape.columns.embed(landscape.data)) > _SAME
    order = np.argsort(-worth, kind="stable")
    # At last rows of the data, and equal rows.
    wishes = [(order[is_new[order]], least) for least in (0.5 * landscape.unit, _SAME)]
    wishes += [(order, least) for least in (0.5 * landscape.unit, _SAME, -1.0)]
    chosen: list[int] = []
    for rows, least in wishes:
        for i in rows.tolist():
            if len(chosen) == n:
                break
            distance = np.linalg.norm(points[chosen] - points[i], axis=1)
            if i not in chosen and (not chosen or distance.min() > least):
                chosen.append(i)
    chosen = sorted(chosen, key=lambda i: -worth[i])
    return found[chosen]


def _typical_distance(points: np.ndarray) -> float:
    """Return the median distance of a point to its nearest neighbor, equal ones left out.

    1, a standard deviation, where there are no others.
    """
    points = np.unique(points, axis=0)
    if len(points) < 2:
        return 1.0
    distances = euclidean_distances(points[:_NEIGHBORS], points)
    np.fill_diagonal(distances, np.inf)
    return float(np.median(distances.min(axis=1)))
