"""What a user gets without tuning: every library with its defaults and early stopping."""

import math

import numpy as np

from benchmarks import boosting_data
from benchmarks.boosting_data import named
from benchmarks.boosting_tools import TOOLS
from benchmarks.boosting_worker import Worker
from benchmarks.harness import OutOfTime
from benchmarks.report import Ratio, Table

TITLE = "Boosting: defaults against defaults"
THREADS = (2,)
MOST = {"tiny": 20, "quick": 300, "full": 1000, "long": 1000}  # iterations
PATIENCE = 20
CAP = {"tiny": 20, "quick": 10, "full": 60, "long": 1200}  # seconds of a fit
REAL = ["digits", "soybean", "satimage", "pendigits", "letter"]
SETS = {
    "tiny": [named(5, 500, 10)],
    "quick": ["digits", "satimage", named(7, 10_000)],
    "full": [*REAL, named(3), named(7), named(20), named(100)],
    "long": [*REAL, "omniglot", named(3), named(7), named(20), named(100)],
}
WITHIN = 1.01
NUMBERS = ("n_iter", "validation", "test", "accuracy", "wall")
WHAT = f"""Each library with its own defaults, except that all stop by the same validation rows:
after {PATIENCE} iterations without a better validation loss, at most {MOST["full"]}. Where
LightGBM's or HistGradientBoosting's default diverges (its validation loss rises above that of the
class frequencies), the fit is repeated with an L2 penalty of 1 and that one is listed; so is its
time. Numbers are means over three seeds, or one (synthetic data; with `LONG=1` only from 100
classes on); times include binning and validation. After {CAP["full"]} seconds ({CAP["long"]} with
`LONG=1`) a fit is asked to stop and its best iteration counts; HistGradientBoosting cannot be
asked, and is ended. Ours is to be within 1 % of the lowest test log-loss of the others."""


def run(setting):
    """For each set: every tool that is installed; ours beside the best of the others."""
    losses = ["validation", "test", "accuracy"]
    table = Table(["data", "tool", "iterations", *losses, "wall s", "note", "test / best peer's"])
    names = SETS[setting.size]
    absent = boosting_data.missing(names)
    if absent:
        table.notes.append(f"Not measured, the file is not here: {', '.join(absent)}.")
    for tool in [tool for tool in TOOLS if not TOOLS[tool].is_installed()]:
        table.notes.append(f"{tool} is not installed.")
    for data in [name for name in names if name not in absent]:
        add_rows(table, data, setting)
    return table


def add_rows(table, data, setting):
    """One set: a row per tool, means over the seeds."""
    seeds = boosting_data.seeds(data, setting.size)
    tools = [tool for tool in TOOLS if TOOLS[tool].is_installed()]
    fits = {tool: [fit(tool, data, seed, setting) for seed in seeds] for tool in tools}
    means = {tool: mean(of_tool) for tool, of_tool in fits.items()}
    best = min((m["test"] for tool, m in means.items() if tool != "ours"), default=math.nan)
    for tool, m in means.items():
        ratio = Ratio(m["test"] / best, at_most=WITHIN if tool == "ours" else None)
        losses = [f"{m['validation']:.4f}", f"{m['test']:.4f}", f"{m['accuracy']:.4f}"]
        if m["test"] == math.inf:
            losses, ratio = ["-"] * 3, "-"
        table.add(data, tool, f"{m['n_iter']:.0f}", *losses, f"{m['wall']:.2f}", m["note"], ratio)


def mean(fits):
    """Means over seeds, and the notes that any of them carries."""
    means = {key: np.mean([fit[key] for fit in fits]) for key in NUMBERS}
    return means | {"note": ", ".join(sorted({note for fit in fits for note in fit["notes"]}))}


def fit(tool, data, seed, setting):
    """One fit with defaults; a second with L2 = 1 where the first diverged."""
    seconds = CAP[setting.size]
    with Worker(tool, data, seed, setting.n_threads, cap=1.5 * seconds + 60) as worker:
        asked = {"n_iter": MOST[setting.size], "patience": PATIENCE, "seconds": seconds}
        notes = []
        try:
            found = worker.ask("curve", **asked)
            if TOOLS[tool].l2_is_zero and diverged(found):
                notes.append("L2 = 1")
                found = worker.ask("curve", **asked, parameters={TOOLS[tool].l2: 1.0})
        except OutOfTime:
            notes = [f"ended after {worker.cap:.0f} s"]
            return dict.fromkeys(NUMBERS, math.inf) | {"notes": notes}
    assert found["test"] < found["prior"], f"{tool} learnt nothing on {data}"
    notes += [] if found["in_time"] else [f"stopped at {seconds} s"]
    return found | {"n_iter": int(np.argmin(found["curve"])) + 1, "notes": notes}


def diverged(found):
    """Whether the validation loss rose above that of the class frequencies."""
    curve = np.array(found["curve"])
    return not np.isfinite(curve).all() or bool(curve[curve.argmin() :].max() > found["prior"])
