"""Time until the log-loss is as low as LightGBM's best."""

import math

import numpy as np

from benchmarks import boosting_data
from benchmarks.boosting_data import named
from benchmarks.boosting_worker import Worker, in_turns
from benchmarks.report import Ratio, Table

TITLE = "Boosting: time to LightGBM's best log-loss"
THREADS = (1, 2)
MOST = 300  # iterations of LightGBM
PATIENCE = 50
L2 = (0, 1)  # of LightGBM; the better one counts
OURS = {}  # parameters that are not the defaults
ENDLESS = 3000  # iterations of ours: the goal or the patience ends them
CAP = {"tiny": 10, "quick": 10, "full": 120, "long": 1200}  # seconds of a search
SMALL = ["digits", "soybean", "satimage", "pendigits", "letter"]
LARGE = [named(3), named(7), named(20), named(100)]
WIDE = ["omniglot", named(1000, 50_000, 20)]
SETS = {
    "tiny": [named(5, 500, 10)],
    "quick": ["digits", "satimage", named(7, 10_000), named(20, 10_000)],
    "full": [*SMALL, *LARGE],
    "long": [*SMALL, *LARGE, *WIDE],
}
WHAT = f"""V is LightGBM's validation log-loss at its best iteration of up to {MOST} (learning rate
0.1, 31 leaves, the better of lambda_l2 = {L2[0]} and {L2[1]}, patience {PATIENCE}); its time is
that of a fit of so many iterations. Ours is the time of a fit of as many iterations as the
validation loss needs to reach V. Both fits are without validation data; the search for the numbers
of iterations is not timed. Each set is cut 60:20:20 by the seed into rows to learn from, to stop
by and to test on; numbers are means over three seeds, or one (synthetic data; with `LONG=1` only
from 100 classes on), ratios are medians. A search of LightGBM is ended after {CAP["full"]}
seconds ({CAP["long"]} with `LONG=1`), V is then the best so far. Each tool has a process of its
own; they take turns."""


def run(setting):
    """For each set: find V and both numbers of iterations, take turns, compare."""
    table = Table(
        [
            *("data", "classes", "reached", "V", "LightGBM it.", "ours it."),
            *(
                "LightGBM test",
                "ours test",
                "LightGBM s",
                "ours s",
                "in CPU time",
                "LightGBM / ours",
            ),
        ]
    )
    absent = boosting_data.missing(SETS[setting.size])
    if absent:
        table.notes.append(f"Not measured, the file is not here: {', '.join(absent)}.")
    for data in SETS[setting.size]:
        if data not in absent:
            add_row(table, data, setting)
    return table


def promise(n_classes):
    """1.5 up to 7 classes, 4 for 10, 8 for 20, 20 from 100 on; log-linear between."""
    known = {7: 1.5, 10: 4, 20: 8, 100: 20}
    return math.exp(np.interp(np.log(n_classes), np.log(list(known)), np.log(list(known.values()))))


def add_row(table, data, setting):
    """One set: all seeds, one row."""
    n_classes = boosting_data.n_classes(data)
    seeds = boosting_data.seeds(data, setting.size)
    measured = []
    for seed in seeds:
        key = f"{data} {seed}"
        pair = [
            Worker(tool, data, seed, setting.n_threads, cap=1.5 * CAP[setting.size] + 60)
            for tool in ("LightGBM", "ours")
        ]
        with pair[0] as theirs, pair[1] as ours:
            goal = setting.found.get(key) or find_goal(theirs, ours, CAP[setting.size])
            table.found[key] = goal
            measured.append(goal | measure(theirs, ours, goal))
            if not goal["in_time"]:
                table.notes.append(f"{data}: LightGBM was ended after {CAP[setting.size]} s.")
    reached = [m for m in measured if m["ours_n_iter"]]
    ratio, by_cpu = (float(np.median([m[key] for m in measured])) for key in ("ratio", "by_cpu"))
    mean = {key: np.mean([m[key] for m in measured]) for key in ("V", "n_iter", "test", "wall")}
    ours = {
        key: np.mean([m[key] for m in reached]) if reached else math.nan
        for key in ("ours_n_iter", "ours_test", "ours_wall")
    }
    table.add(
        *(data, n_classes, f"{len(reached)} of {len(measured)}", f"{mean['V']:.4f}"),
        *(f"{mean['n_iter']:.0f}", f"{ours['ours_n_iter']:.0f}"),
        *(f"{mean['test']:.4f}", f"{ours['ours_test']:.4f}"),
        *(f"{mean['wall']:.3f}", f"{ours['ours_wall']:.3f}"),
        Ratio(by_cpu),
        Ratio(ratio, at_least=round(promise(n_classes), 1)),
    )
    for m in measured:
        if not m["ours_n_iter"]:
            table.notes.append(f"{data}: V = {m['V']:.4f}, ours reached {m['ours_best']:.4f}.")


def find_goal(theirs, ours, seconds):
    """V, LightGBM's number of iterations and L2, our number of iterations (0: not reached)."""
    goal = {"V": math.inf}
    for l2 in L2:
        arguments = {"n_iter": MOST, "patience": PATIENCE, "seconds": seconds}
        found = theirs.ask("curve", **arguments, parameters={"reg_lambda": l2})
        V, n_iter = min(found["curve"]), int(np.argmin(found["curve"])) + 1
        if goal["V"] > V:
            goal = {"V": V, "n_iter": n_iter, "l2": l2, "in_time": found["in_time"]}
    arguments = {"n_iter": ENDLESS, "patience": PATIENCE, "seconds": seconds}
    found = ours.ask("curve", **arguments, parameters=OURS)
    below = np.flatnonzero(np.array(found["curve"]) <= goal["V"])
    return goal | {
        "ours_n_iter": int(below[0]) + 1 if len(below) else 0,
        "ours_best": min(found["curve"]),
    }


def measure(theirs, ours, goal):
    """Take turns; ratio 0 where V was not reached."""
    asked = {"n_iter": goal["n_iter"], "parameters": {"reg_lambda": goal["l2"]}}
    calls = {"LightGBM": (theirs, asked)}
    if goal["ours_n_iter"]:
        calls["ours"] = (ours, {"n_iter": goal["ours_n_iter"], "parameters": OURS})
    timed = in_turns("fit", calls)
    answers = {tool: answer for tool, (answer, _) in timed.items()}
    assert answers["LightGBM"]["validation"] <= 1.02 * goal["V"], "LightGBM did not repeat its fit"
    theirs, mine = timed["LightGBM"][1], timed["ours"][1] if goal["ours_n_iter"] else None
    found = {"wall": theirs.wall, "test": answers["LightGBM"]["test"], "ratio": 0.0, "by_cpu": 0.0}
    if mine:
        again = answers["ours"]["validation"] <= goal["V"] * (1 + 1e-6)
        assert again, "ours did not repeat its fit"
        found |= {"ours_wall": mine.wall, "ours_test": answers["ours"]["test"]}
        found |= {"ratio": theirs.wall / mine.wall, "by_cpu": theirs.cpu / mine.cpu}
    return found
