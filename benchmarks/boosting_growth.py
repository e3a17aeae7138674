"""Cost of an iteration: at a thousand classes, and how time and memory grow."""

import math

from benchmarks.boosting_data import named
from benchmarks.boosting_worker import Worker
from benchmarks.report import Ratio, Table

TITLE = "Boosting: cost of an iteration"
THREADS = (1,)
BASE = {"n_samples": 50_000, "n_features": 50, "n_classes": 20, "leaves": 31}
VARIED = {  # each number in turn takes these values, the others stay
    "n_samples": (12_500, 50_000, 200_000),
    "n_features": (12, 50, 200),
    "n_classes": (3, 20, 100, 1000),
    "leaves": (15, 31, 127),
}
SMALL = {"n_samples": 10_000, "n_features": 20, "n_classes": 7, "leaves": 31}
POINTS = {
    "tiny": [({"n_samples": 300, "n_features": 5, "n_classes": 3, "leaves": 7}, None)],
    "quick": [
        (SMALL, None),
        (SMALL | {"n_samples": 40_000}, None),
        (SMALL | {"n_classes": 100}, None),
    ],
}
POINTS["full"] = [(BASE, None)] + [
    (BASE | {name: value}, 60 if (name, value) == ("n_classes", 1000) else None)
    for name, values in VARIED.items()
    for value in values
    if value != BASE[name]
]
POINTS["long"] = POINTS["full"]
LEAVES = {"LightGBM": "num_leaves", "ours": "max_leaf_nodes"}
FEW = 1  # iterations of the shorter fit
SECONDS = {"tiny": 0.1, "quick": 2, "full": 6, "long": 30}  # that the longer one may take, about
WHAT = f"""CPU time, on one thread. Per iteration: the difference of two fits over that of their
numbers of iterations, so binning is not in it; "start" is what is left of the shorter fit. 60 of
100 rows are learnt from. Memory is the peak of the process in its first fit, beyond what the data
took. One of {BASE["n_samples"]:,} rows, {BASE["n_features"]} features, {BASE["n_classes"]} classes
and {BASE["leaves"]} leaves is changed at a time; LightGBM gets lambda_l2 = 1."""


def run(setting):
    """Ours and LightGBM at every point."""
    table = Table(
        [
            "changed",
            *("rows", "features", "classes", "leaves", "LightGBM ms/it.", "ours ms/it."),
            *("LightGBM start s", "ours start s", "LightGBM MiB", "ours MiB"),
            "LightGBM / ours",
        ]
    )
    for point, promise in POINTS[setting.size]:
        costs = {tool: cost(tool, point, setting) for tool in LEAVES}
        theirs, ours = costs["LightGBM"], costs["ours"]
        table.add(
            changed(point),
            *(f"{point[name]:,}" for name in BASE),
            *(f"{1e3 * cost['iteration']:.1f}" for cost in (theirs, ours)),
            *(f"{cost['start']:.2f}" for cost in (theirs, ours)),
            *(f"{cost['memory']:.0f}" for cost in (theirs, ours)),
            Ratio(theirs["iteration"] / ours["iteration"], at_least=promise),
        )
    return table


def changed(point):
    """What of `point` is not as in the base, in words."""
    names = zip(point, ("rows", "features", "classes", "leaves"), strict=True)
    return ", ".join(f"{point[n]:,} {word}" for n, word in names if point[n] != BASE[n]) or "base"


def cost(tool, point, setting):
    """Seconds of an iteration and of the start, and memory in MiB."""
    data = named(point["n_classes"], point["n_samples"], point["n_features"])
    parameters = {LEAVES[tool]: point["leaves"]}
    if tool == "LightGBM":
        parameters["reg_lambda"] = 1.0
    with Worker(tool, data, 0, setting.n_threads) as worker:
        first = worker.ask("fit", n_iter=FEW, parameters=parameters, judged=False)
        few = worker.ask("fit", n_iter=FEW, parameters=parameters, judged=False)
        some = worker.ask("fit", n_iter=FEW + 4, parameters=parameters, judged=False)
        guess = max((some["cpu"] - few["cpu"]) / 4, 1e-5)
        n_iter = FEW + max(4, math.ceil(min(SECONDS[setting.size] / guess, 100)))
        many = worker.ask("fit", n_iter=n_iter, parameters=parameters)
        assert many["test"] < many["prior"], f"{tool} learnt nothing on {data}"
    iteration = (many["cpu"] - few["cpu"]) / (n_iter - FEW)
    start = few["cpu"] - FEW * iteration
    return {"iteration": iteration, "start": start, "memory": first["memory"]}
