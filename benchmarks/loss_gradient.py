"""Cross-entropy of each row and its gradient in the logits."""

import numpy as np
from sklearn._loss import HalfMultinomialLoss

from benchmarks.harness import assert_agree, take_turns
from benchmarks.report import Ratio, Table
from sksoftmax import _kernel
from sksoftmax.functional import cross_entropy_gradient

TITLE = "Loss and gradient"
WHAT = """The cross-entropy of each row and its gradient in the logits, beside
`HalfMultinomialLoss.loss_gradient`, the loop under scikit-learn's `LogisticRegression` and
`HistGradientBoostingClassifier`. Once into arrays that are there already (for us the kernel verb
under the public function), once as a user calls it, with new arrays for each call
(`functional.cross_entropy_gradient(..., reduction="none")`). Times are milliseconds, the shortest
of 22 calls (with one thread CPU time)."""
THREADS = (1, 2)
SHAPES = {
    "full": [(1_000_000, 10), (100_000, 100)],
    "quick": [(200_000, 10), (20_000, 100)],
    "tiny": [(300, 10), (40, 100)],
}
ROUNDS = {"full": 11, "quick": 5, "tiny": 1}
TOLERANCE = {"float32": {"rtol": 1e-4, "atol": 1e-6}, "float64": {"rtol": 1e-10, "atol": 1e-14}}
FASTER = {"float32": 9, "float64": 5}


def run(setting):
    """Loss and gradient beside scikit-learn's, for each shape and dtype."""
    table = Table(["shape", "dtype", "output", "ours", "sklearn", "sklearn / ours"])
    for shape in SHAPES[setting.size]:
        for dtype in ("float32", "float64"):
            add_rows(table, shape, dtype, setting)
    return table


def add_rows(table, shape, dtype, setting):
    """Check that both tools agree, take turns, compare."""
    n_samples, n_classes = shape
    rng = np.random.default_rng(0)
    logits = rng.normal(scale=3.0, size=shape).astype(dtype)
    target = rng.integers(n_classes, size=n_samples)
    target_as_float = target.astype(dtype)  # what scikit-learn's loop takes
    loss_out, gradient_out = np.zeros(n_samples, dtype), np.zeros(shape, dtype)
    sklearn_loss = HalfMultinomialLoss(n_classes=n_classes).loss_gradient
    n_threads = setting.n_threads
    calls = {
        "ours, there": lambda: _kernel.loss_gradient(logits, target, gradient_out=gradient_out),
        "sklearn, there": lambda: sklearn_loss(
            target_as_float, logits, None, loss_out, gradient_out, n_threads
        ),
        "ours, new": lambda: cross_entropy_gradient(logits, target, reduction="none"),
        "sklearn, new": lambda: sklearn_loss(target_as_float, logits, n_threads=n_threads),
    }
    expected = calls["sklearn, new"]()
    for tool in calls:
        for theirs, ours in zip(calls[tool](), expected, strict=True):
            assert_agree(tool, theirs, ours, **TOLERANCE[dtype])

    timings = take_turns(calls, rounds=ROUNDS[setting.size], repeats=2)
    for output in ("there", "new"):
        ours = timings[f"ours, {output}"].least(n_threads)
        theirs = timings[f"sklearn, {output}"].least(n_threads)
        table.add(
            f"{n_samples:,} x {n_classes}",
            dtype,
            output,
            f"{1e3 * ours:.2f}",
            f"{1e3 * theirs:.2f}",
            Ratio(theirs / ours, at_least=FASTER[dtype]),
        )
