"""The expected calibration error of given probabilities, beside netcal."""

import importlib
from functools import partial

import numpy as np

from benchmarks.harness import assert_agree, take_turns
from benchmarks.report import Ratio, Table
from sksoftmax.functional import softmax
from sksoftmax.metrics import calibration_report, expected_calibration_error

TITLE = "Expected calibration error"
WHAT = """`expected_calibration_error` with 15 bins of equal width, which also checks that rows are
probabilities, beside netcal's `ECE(15).measure`, which does not; `np.sum` of the probabilities, one
read of the same memory, is the floor. The report is `calibration_report`: ten metrics with their
intervals. Times are milliseconds."""
THREADS = (1,)
SHAPES = {
    "full": [(10_000, 10), (100_000, 10), (100_000, 100)],
    "quick": [(10_000, 10), (20_000, 100)],
    "tiny": [(300, 5)],
}
ROUNDS = {"full": 11, "quick": 5, "tiny": 1}
FASTER = 10  # promised for 100,000 x 100


def run(setting):
    """Check that both agree, take turns, compare."""
    table = Table(
        ["shape", "dtype", "sum", "ours", "netcal", "report", "netcal / ours", "ours / sum"]
    )
    try:
        netcal = importlib.import_module("netcal.metrics").ECE(15)
    except ImportError as error:
        netcal, table.notes = None, [f"netcal is left out: {error}"]
    for shape in SHAPES[setting.size]:
        for dtype in ("float32", "float64"):
            add_row(table, shape, dtype, netcal, ROUNDS[setting.size])
    return table


def add_row(table, shape, dtype, netcal, rounds):
    """One shape and dtype."""
    rng = np.random.default_rng(0)
    logits = rng.normal(scale=2.0, size=shape)
    y = (logits + rng.gumbel(size=shape)).argmax(axis=1)
    y_proba = softmax(1.5 * logits).astype(dtype)
    calls = {
        "sum": y_proba.sum,
        "ours": partial(expected_calibration_error, y, y_proba),
        "report": partial(calibration_report, y, y_proba),
    }
    if netcal is not None:
        calls["netcal"] = partial(netcal.measure, y_proba, y)
        assert_agree("netcal", calls["netcal"](), calls["ours"](), rtol=0, atol=1e-12)
    timings = take_turns(calls, rounds=rounds, repeats=3)
    wall = {tool: timing.wall for tool, timing in timings.items()}
    promised = FASTER if shape == (100_000, 100) else None
    table.add(
        f"{shape[0]:,} x {shape[1]}",
        dtype,
        *[f"{1e3 * wall[tool]:.2f}" if tool in wall else "-" for tool in table.columns[2:6]],
        Ratio(wall["netcal"] / wall["ours"], at_least=promised) if "netcal" in wall else "-",
        Ratio(wall["ours"] / wall["sum"]),
    )
