"""Prediction by fitted ensembles."""

from contextlib import ExitStack

from benchmarks.boosting_data import named
from benchmarks.boosting_tools import TOOLS
from benchmarks.boosting_worker import Worker, in_turns
from benchmarks.report import Ratio, Table

TITLE = "Boosting: prediction"
THREADS = (1, 2)
N_ITER = {"tiny": 5, "quick": 30, "full": 100, "long": 100}
N_SAMPLES = {"tiny": 200, "quick": 10_000, "full": 10_000, "long": 10_000}
SETS = {
    "tiny": [named(5, 500, 10)],
    "quick": [named(7, 10_000), named(20, 10_000)],
    "full": [named(3), named(7), named(20), named(100)],
    "long": [named(3), named(7), named(20), named(100)],
}
WHAT = f"""`predict_proba` of {N_SAMPLES["full"]:,} rows (float32, in memory) by models of
{N_ITER["full"]} iterations with each library's defaults. For 20 classes ours is to be 20 times as
fast as LightGBM, and nowhere slower than the other libraries with vector leaves. Times are medians
over turns, in milliseconds. Each tool has a process of its own. LightGBM and HistGradientBoosting
get an L2 penalty of 1: they do not diverge then, and their trees are no smaller."""
LIGHTGBM_PROMISE = {20: 20}  # by classes
VECTOR_LEAVES = ("XGBoost, vector leaves", "CatBoost")


def run(setting):
    """For each set: fit once, take turns in predicting."""
    table = Table(["data", "tool", "ms", "accuracy", "its ms / ours"])
    for tool in [tool for tool in TOOLS if not TOOLS[tool].is_installed()]:
        table.notes.append(f"{tool} is not installed.")
    for data in SETS[setting.size]:
        add_rows(table, data, setting)
    return table


def add_rows(table, data, setting):
    """One set."""
    with ExitStack() as stack:
        workers, fitted = {}, {}
        for tool in [tool for tool in TOOLS if TOOLS[tool].is_installed()]:
            worker = stack.enter_context(Worker(tool, data, 0, setting.n_threads))
            parameters = {TOOLS[tool].l2: 1.0} if TOOLS[tool].l2_is_zero else {}
            asked = {"n_iter": N_ITER[setting.size], "parameters": parameters}
            workers[tool], fitted[tool] = worker, worker.ask("fit", **asked)
            assert fitted[tool]["test"] < fitted[tool]["prior"], f"{tool} learnt nothing on {data}"
        asked = {"n_samples": N_SAMPLES[setting.size]}
        timed = in_turns("predict", {tool: (w, asked) for tool, w in workers.items()}, most=9)
    n_classes = int(data.split("-")[1])
    for tool, (_, timing) in timed.items():
        promise = LIGHTGBM_PROMISE.get(n_classes) if tool == "LightGBM" else None
        promise = 1 if tool in VECTOR_LEAVES else promise
        ratio = (
            "-" if tool == "ours" else Ratio(timing.wall / timed["ours"][1].wall, at_least=promise)
        )
        table.add(data, tool, f"{1e3 * timing.wall:.1f}", f"{fitted[tool]['accuracy']:.3f}", ratio)
