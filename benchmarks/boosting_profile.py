"""Where the time of an iteration goes, and how far each part is from what bounds it."""

import re
import sys
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.boosting_data import named, split
from benchmarks.harness import take_turns
from benchmarks.report import Table

TITLE = "Boosting: where the time goes"
THREADS = (1,)
DATA = {
    "tiny": named(5, 500, 10),
    "quick": named(20, 10_000),
    "full": named(20),
    "long": named(20),
}
N_ITER = {"tiny": 5, "quick": 30, "full": 50, "long": 100}
WHAT = f"""A fit of {N_ITER["full"]} iterations with the defaults on 30,000 rows, 50 features and 20
classes, without validation rows. The calls into the native code are timed from outside, in CPU
time, which on one thread is the same and hardly depends on what else the machine does. Growing a
tree is divided by growing the last tree again from a quarter of its rows: what is in proportion to
the rows that histograms take in is theirs (with the partition of rows), what is in proportion to
the nodes is the search's (with the subtraction of siblings). Bounds: an exp costs what
`functional.softmax` takes for one in cache; bytes move at the speed of `np.copyto`; a row enters a
feature's histogram with one store, one per cycle of the clock in /proc/cpuinfo."""
WHAT_IT_IS = {
    "cut_column": "cuts between bins",
    "bin_columns": "bins of X",
    "advance": "update, softmax, residual, sketch",
    "records": "records",
    "leaf_values": "leaf values",
    "walk": "walk of rows out of the bag",
}


def run(setting):
    """Time the parts of a fit."""
    from sksoftmax import SoftmaxBoostingClassifier

    s, n_iter = split(DATA[setting.size], 0), N_ITER[setting.size]
    model = SoftmaxBoostingClassifier(
        max_iter=n_iter, early_stopping=False, random_state=0, n_jobs=setting.n_threads
    )
    model.fit(s.X, s.y)  # wakes everything
    with timed_native_calls() as calls:
        start = time.process_time()
        model.fit(s.X, s.y)
        total = time.process_time() - start
    assert model.score(s.X_test, s.y_test) > 2 / s.n_classes, "the model learnt nothing"
    table = Table(["part", "share", "ms/it.", "units/it.", "ns/unit", "bound ms/it.", "over bound"])
    shape = Shape(s, model, calls)
    grow = divided(calls)
    seconds = {name: calls.seconds[name] for name in WHAT_IT_IS if calls.seconds[name] > 0}
    seconds |= {name: share * calls.seconds["grow"] for name, share in grow.items()}
    seconds["all else, Python"] = total - sum(seconds.values())
    for name, spent in sorted(seconds.items(), key=lambda item: -item[1]):
        table.add(
            WHAT_IT_IS.get(name, name), f"{spent / total:.0%}", *shape.cells(name, spent / n_iter)
        )
    table.notes.append(f"{1e3 * total / n_iter:.2f} ms per iteration in all, {shape.about}.")
    return table


class NativeCalls:
    """Stands for the native module: adds up the seconds of each function."""

    def __init__(self, core):
        self.core, self.seconds, self.counts = core, Counter(), Counter()
        self.grow_arguments, self.trees = None, []

    def __getattr__(self, name):
        function = getattr(self.core, name)
        if not callable(function):
            return function

        def timed(*args, **kwargs):
            if name == "grow":
                self.grow_arguments = kwargs | {"rows": kwargs["rows"].copy()}
            start = time.process_time()
            answer = function(*args, **kwargs)
            self.seconds[name] += time.process_time() - start
            self.counts[name] += 1
            if name == "grow":
                self.trees.append(rows_summed(kwargs["nodes"], answer[0]))
            return answer

        return timed


@contextmanager
def timed_native_calls():
    """Put `NativeCalls` in the place of the trees' native module, wherever it is used."""
    from sksoftmax._trees import _core

    users = [
        module
        for name, module in sys.modules.items()
        if name.startswith("sksoftmax") and getattr(module, "_core", None) is _core
    ]
    calls = NativeCalls(_core)
    for module in users:
        module._core = calls
    try:
        yield calls
    finally:
        for module in users:
            module._core = _core


def rows_summed(node_bytes, n_nodes):
    """Rows that went into histograms: all into the root's, then those of the lighter child."""
    from sksoftmax._trees._nodes import NODE

    nodes = node_bytes.view(NODE)[:n_nodes]
    left = nodes["left"][nodes["left"] > 0]
    weight = nodes["weight"]  # of a row: 1
    return weight[0] + np.minimum(weight[left], weight[left + 1]).sum(), n_nodes


def divided(calls):
    """Shares of growing that go with rows and with nodes."""
    arguments, (all_rows, all_nodes) = calls.grow_arguments, calls.trees[-1]
    few = arguments["rows"][::4].copy()

    def grow(rows):
        return calls.core.grow(**(arguments | {"rows": rows.copy()}))

    n_nodes = grow(few)[0]
    few_rows, _ = rows_summed(arguments["nodes"], n_nodes)
    both = {"all": lambda: grow(arguments["rows"]), "few": lambda: grow(few)}
    wall = {name: timing.cpu for name, timing in take_turns(both, rounds=7).items()}
    system = np.array([[all_rows, all_nodes], [few_rows, n_nodes]], dtype=float)
    of_row, of_node = np.linalg.solve(system, [wall["all"], wall["few"]])
    rows, nodes = max(of_row * all_rows, 0.0), max(of_node * all_nodes, 0.0)
    return {"histograms": rows / (rows + nodes), "split search": nodes / (rows + nodes)}


class Shape:
    """Sizes of the fit, and the bounds that follow from them."""

    def __init__(self, data, model, calls):
        self.n, self.d, self.n_classes = len(data.X), data.X.shape[1], data.n_classes
        arguments = calls.grow_arguments
        self.in_bag = len(arguments["rows"])
        self.columns, self.lanes = arguments["n_columns"], arguments["lanes"]
        self.rows_summed, self.n_nodes = np.mean(calls.trees, axis=0)
        self.codes = int(np.sum(arguments["n_bins"])) + self.d
        self.about = (
            f"{self.in_bag:,} rows in the bag, {self.columns} columns in {self.lanes} lanes, "
            f"{(self.n_nodes + 1) / 2:.0f} leaves, {self.rows_summed / self.in_bag:.1f} times "
            "all rows summed per tree"
        )
        exp, byte, cycle = seconds_of_exp(self.n_classes), seconds_of_byte(), seconds_of_cycle()
        n, K = self.n, self.n_classes
        moved = {  # bytes per iteration, beyond what the caches keep
            "advance": n * (8 * K + 4 * self.columns + 12),
            "records": n * (4 * self.columns + 4 * self.lanes),
            "leaf_values": self.in_bag * (4 * K + 12),
        }
        self.bound = {name: bytes_ * byte for name, bytes_ in moved.items()}
        self.bound["advance"] = max(self.bound["advance"], n * K * exp)
        self.bound["leaf_values"] = max(self.bound["leaf_values"], self.in_bag * K * exp)
        self.bound["histograms"] = self.rows_summed * self.d * cycle
        self.units = {
            "advance": n * K,
            "records": n,
            "leaf_values": self.in_bag * K,
            "histograms": self.rows_summed * self.d,
            "split search": self.n_nodes * self.codes,
        }

    def cells(self, name, seconds):
        """ms, units, ns per unit, bound in ms, times the bound."""
        cells = [f"{1e3 * seconds:.2f}"]
        units, bound = self.units.get(name), self.bound.get(name)
        cells += [f"{units:,.0f}", f"{1e9 * seconds / units:.2f}"] if units else ["-", "-"]
        return cells + ([f"{1e3 * bound:.2f}", f"{seconds / bound:.1f}x"] if bound else ["-", "-"])


def seconds_of_exp(n_classes):
    """Of one entry of a softmax in float32 that stays in cache."""
    from sksoftmax.functional import softmax

    logits = np.random.default_rng(0).normal(size=(4000, n_classes)).astype(np.float32)
    out = np.empty_like(logits)
    return take_turns({"": lambda: softmax(logits, out=out)}, rounds=9)[""].cpu / logits.size


def seconds_of_byte():
    """Of reading or writing one, in arrays that no cache holds."""
    source = np.ones(1 << 24)
    out = np.empty_like(source)
    copy = take_turns({"": lambda: np.copyto(out, source)}, rounds=5)[""].cpu
    return copy / (2 * source.nbytes)


def seconds_of_cycle():
    """Of one cycle of the clock; 3 GHz where the system does not say."""
    try:
        found = re.search(r"cpu MHz\s*: ([\d.]+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return 1e-6 / float(found[1]) if found else 1 / 3e9
