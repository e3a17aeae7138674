"""A process that owns one tool and one set of data, and does what it is asked.

One process per tool: libraries keep their threads, their caches and their peak of memory to
themselves, a fit that takes too long can be ended from outside, and timed calls of several tools
still take turns.
"""

import json
import os
import selectors
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

from benchmarks.boosting_data import split
from benchmarks.boosting_tools import TOOLS
from benchmarks.harness import OutOfTime, Timing

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
TINY = 1e-15  # probabilities below it count as this: LightGBM's own metric does so


class Worker:
    """The handle of the asking side: ``with Worker(...) as worker: worker.ask("fit", ...)``."""

    def __init__(self, tool, data, seed, n_threads, cap=3600):
        self.cap = cap
        self.name = f"{tool} on {data}, seed {seed}"
        limits = {name: str(n_threads) for name in THREAD_VARIABLES} | {
            "OMP_WAIT_POLICY": "passive",  # threads that wait must not slow down the others
            "PYTHONWARNINGS": "ignore",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", __name__, tool, data, f"{seed}", f"{n_threads}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | limits,
            cwd=Path(__file__).parents[1],
        )
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.selector.close()

    def ask(self, verb, **arguments):
        """The answer, a dict; `OutOfTime`, and the end of the process, after `cap` seconds."""
        request = json.dumps({"verb": verb, **arguments}) + "\n"
        self.process.stdin.write(request.encode())
        self.process.stdin.flush()
        if not self.selector.select(self.cap):
            self.process.kill()
            raise OutOfTime
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name}: the process ended early; its message is above")
        return json.loads(line)


def in_turns(verb, calls, *, seconds=20, most=5):
    """Ask A B A B ...; {tool: (its last answer, medians of its wall and CPU times)}.

    `calls` is {tool: (worker, arguments)}. Short calls are repeated, `most` times or until
    `seconds` have passed.
    """
    answers, spent = {}, {tool: [] for tool in calls}
    start = time.perf_counter()
    for _ in range(most):
        for tool, (worker, arguments) in calls.items():
            answers[tool] = worker.ask(verb, **arguments)
            spent[tool].append((answers[tool]["wall"], answers[tool]["cpu"]))
        if time.perf_counter() - start > seconds:
            break
    return {tool: (answers[tool], Timing.of(spent[tool])) for tool in calls}


class Desk:
    """The side that answers: each public method is a verb, its model is kept for the next."""

    def __init__(self, tool, data, seed, n_threads):
        self.split = split(data, int(seed))
        self.tool = TOOLS[tool](self.split.n_classes, int(n_threads), int(seed))
        self.model = None

    def curve(self, n_iter, patience, seconds, parameters=None):
        """Learn until it stops; the validation loss of every iteration, the judgement, the time."""
        s = self.split
        since = Since()
        self.model = self.tool.fit_until(
            *(s.X, s.y, s.X_val, s.y_val),
            n_iter=n_iter,
            patience=patience,
            seconds=seconds,
            parameters=parameters,
        )
        spent = since.taken()
        curve = [float(loss) for loss in self.tool.curve(self.model)]
        return {"curve": curve, "in_time": spent["wall"] < seconds} | spent | self.judge()

    def fit(self, n_iter, parameters=None, judged=True):
        """Exactly `n_iter` iterations; the time, and the judgement unless it is not wanted."""
        since = Since()
        self.model = self.tool.fit(self.split.X, self.split.y, n_iter=n_iter, parameters=parameters)
        spent = since.taken()
        return spent | (self.judge() if judged else {})

    def sizes(self):
        """How large the set is."""
        return {"n_samples": len(self.split.X), "n_classes": self.split.n_classes}

    def predict(self, n_samples):
        """Probabilities of `n_samples` rows from the model at hand; the time."""
        X = np.resize(self.split.X_test, (n_samples, self.split.X_test.shape[1]))
        since = Since()
        proba = self.tool.predict_proba(self.model, X)
        spent = since.taken()
        assert proba.shape == (n_samples, self.split.n_classes)
        return spent

    def judge(self):
        """Log-losses on the rows to stop by and on the rows to judge on, and accuracy there."""
        s = self.split
        validation, _ = judgement(self.tool.predict_proba(self.model, s.X_val), s.y_val)
        test, accuracy = judgement(self.tool.predict_proba(self.model, s.X_test), s.y_test)
        return {
            "validation": validation,
            "test": test,
            "accuracy": accuracy,
            "prior": s.prior_loss,
        }


def judgement(proba, y):
    """(log-loss, accuracy) of probabilities; they must be probabilities."""
    assert np.all(proba >= 0)
    assert np.allclose(proba.sum(axis=1), 1, atol=1e-4), "rows of predict_proba must sum to one"
    loss = -np.log(np.maximum(proba[np.arange(len(y)), y].astype(float), TINY)).mean()
    return float(loss), float(np.mean(proba.argmax(axis=1) == y))


class Since:
    """Wall time, CPU time and the peak of memory from here on."""

    def __init__(self):
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        self.memory = memory("VmRSS")
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def taken(self):
        """Seconds, and MiB at the peak beyond what was there at the start."""
        return {
            "wall": time.perf_counter() - self.wall,
            "cpu": time.process_time() - self.cpu,
            "memory": memory("VmHWM") - self.memory,
        }


def memory(which):
    """A line of /proc/self/status in MiB; NaN where there is no such file."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return float("nan")
    return int(status.split(f"{which}:")[1].split()[0]) / 1024


def serve(*arguments):
    """Answer one line of JSON with another until the input ends; libraries print elsewhere."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    desk = Desk(*arguments)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(getattr(desk, request.pop("verb"))(**request)), file=answers, flush=True)


if __name__ == "__main__":
    serve(*sys.argv[1:])
