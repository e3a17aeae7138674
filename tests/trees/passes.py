"""Problems for the tests of the passes, the door with defaults, and what float64 NumPy says."""

from dataclasses import dataclass, field, replace

import numpy as np

from sksoftmax import _kernel
from sksoftmax._trees import _core

# Around the vectors, the border between the kernel's two loop shapes, the two ways to project.
CLASSES = [2, 3, 8, 12, 13, 20, 33, 63, 64, 100, 1000]


@dataclass(frozen=True)
class Problem:
    """Logits and targets, and what the passes are told of them."""

    logits: np.ndarray
    target: np.ndarray
    weight: np.ndarray | None = None
    label_smoothing: float = 0.0
    logit_l2: float = 0.0
    extra: dict = field(default_factory=dict)

    @property
    def n_rows(self):
        return self.logits.shape[0]

    @property
    def n_classes(self):
        return self.logits.shape[1]

    @property
    def weights(self):
        return np.ones(self.n_rows) if self.weight is None else self.weight

    def arguments(self):
        hard = self.target.ndim == 1
        return {
            "n_classes": self.n_classes,
            "logits": self.logits.reshape(-1),
            "target_index": self.target if hard else None,
            "target_proba": None if hard else self.target.reshape(-1),
            "sample_weight": self.weight,
            "label_smoothing": self.label_smoothing,
            "logit_l2": self.logit_l2,
            "n_threads": 1,
        }

    def proba(self):
        return _kernel.softmax(self.logits.astype(np.float64))

    def residual(self):
        """What the kernel's gradient says in float64, without the weight."""
        return self.loss_gradient()[1]

    def smoothed(self):
        """The target that the residual is taken from, (n_rows, n_classes) float64."""
        K, s = self.n_classes, self.label_smoothing
        target = np.eye(K)[self.target] if self.target.ndim == 1 else self.target.astype(float)
        return (1 - s) * target + s / K

    def curvature(self):
        """|p - y| to be expected of a label drawn from the smoothed target."""
        p, q = self.proba(), self.smoothed()
        return p * (1 - q) + q * (1 - p)

    def loss_gradient(self):
        target = self.target if self.target.ndim == 1 else self.target.astype(np.float64)
        return _kernel.loss_gradient(
            self.logits.astype(np.float64),
            target,
            label_smoothing=self.label_smoothing,
            logit_l2=self.logit_l2,
        )

    def take(self, rows):
        weight = None if self.weight is None else self.weight[rows]
        return replace(self, logits=self.logits[rows], target=self.target[rows], weight=weight)


def make_problem(n_rows, n_classes, *, soft=False, weighted=False, seed=0, scale=2.0, **options):
    rng = np.random.default_rng(seed)
    logits = (scale * rng.standard_normal((n_rows, n_classes))).astype(np.float32)
    target = rng.integers(n_classes, size=n_rows)
    if soft:
        target = rng.dirichlet(np.full(n_classes, 0.3), size=n_rows).astype(np.float32)
    weight = rng.uniform(0, 3, n_rows) if weighted else None
    return Problem(logits, target, weight, **options)


def advance(problem, *, update=None, projection=None, has_curvature=False, **arguments):
    """The new logits, the gradient, the losses, their weighted sum, the largest |gradient|."""
    n, c = problem.n_rows, 0 if projection is None else projection.shape[1]
    leaf_of_row, leaf_values = (None, None) if update is None else update
    logits = problem.logits.copy()
    gradient = None if projection is None else np.full((n, c + has_curvature), np.nan, np.float32)
    loss = np.full(n, np.nan, np.float32)
    given = problem.arguments() | {
        "logits": logits.reshape(-1),
        "leaf_of_row": leaf_of_row,
        "leaf_values": None if leaf_values is None else leaf_values.reshape(-1),
        "projection": None if projection is None else projection.reshape(-1),
        "n_columns": c,
        "has_curvature": has_curvature,
        "gradient": None if gradient is None else gradient.reshape(-1),
        "loss": loss,
    }
    total, largest = _core.advance(**given | arguments)
    return logits, gradient, loss, total, largest


def leaf_values(problem, rows, leaf_ptr, **arguments):
    values = np.full((len(leaf_ptr) - 1, problem.n_classes), np.nan, np.float32)
    given = problem.arguments() | {
        "rows": np.asarray(rows, np.int32),
        "leaf_ptr": np.asarray(leaf_ptr, np.int64),
        "l2": 1.0,
        "learning_rate": 0.3,
        "values": values.reshape(-1),
    }
    _core.leaf_values(**given | arguments)
    return values


def records(gradient, *, weight=None, has_curvature=False, lanes=4, n_threads=1, **scales):
    n, width = gradient.shape
    out = np.full((n, lanes), -7, np.int32)
    scales = {"gradient_scale": 1.0, "curvature_scale": 1.0, "weight_scale": 1.0} | scales
    _core.records(
        gradient=gradient.reshape(-1),
        n_columns=width - has_curvature,
        has_curvature=has_curvature,
        sample_weight=weight,
        lanes=lanes,
        records=out.reshape(-1),
        n_threads=n_threads,
        **scales,
    )
    return out
