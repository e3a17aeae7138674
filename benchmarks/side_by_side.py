"""Two fits at once in two processes, beside the same two one after the other."""

import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from benchmarks.report import Ratio, Table

TITLE = "Side by side"
WHAT = """Two processes with two threads each fit the same problem (100,000 x 50, 10 classes), at
once and one after the other. Both have started, made their data and fitted once before a clock
runs. A library whose threads wait politely needs about the same time either way, even where the
four threads outnumber the cores, as in `GridSearchCV(n_jobs=-1)`."""
THREADS = (2,)
ROUNDS = {"full": 7, "quick": 3, "tiny": 1}
N_SAMPLES = {"full": 100_000, "quick": 20_000, "tiny": 200}
N_FITS = {"full": 5, "quick": 10, "tiny": 1}  # in a row, so that starting together is negligible


def run(setting):
    """Take turns between "one after the other" and "at once", compare the medians."""
    table = Table(["fits in each process", "one after the other, s", "at once, s", "ratio"])
    arguments = [str(N_SAMPLES[setting.size]), str(N_FITS[setting.size])]
    after, at_once = [], []
    with ExitStack() as stack:
        pair = [stack.enter_context(Fitter(arguments)) for _ in range(2)]
        answers = [fitter.wait() for fitter in pair]  # both are ready
        assert answers[0] == answers[1], f"the two processes disagree: {answers}"
        for _ in range(ROUNDS[setting.size]):
            after.append(seconds(lambda: [fitter.go().wait() for fitter in pair]))
            at_once.append(seconds(lambda: [f.wait() for f in [f.go() for f in pair]]))
    after, at_once = np.median(after), np.median(at_once)
    ratio = Ratio(at_once / after, at_most=1.3)
    table.add(arguments[1], f"{after:.3f}", f"{at_once:.3f}", ratio)
    return table


def seconds(call):
    """Wall time of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


class Fitter:
    """A process that fits once, says so, and fits again `n_fits` times whenever it is told."""

    def __init__(self, arguments):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.side_by_side", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[1],
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()  # the end of its input is the end of the process
        self.process.wait()
        self.process.stdout.close()

    def go(self):
        """Start the fits, do not wait."""
        print("go", file=self.process.stdin, flush=True)
        return self

    def wait(self):
        """The line it prints when done: the objective it reached."""
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("a fitting process ended early; its message is above")
        return line


def serve(n_samples, n_fits):
    """What a `Fitter` runs: fit, say the objective, wait for a line, and so on."""
    from benchmarks.problems import correlated
    from sksoftmax import MultinomialLogit

    problem = correlated(n_samples)
    model = MultinomialLogit().fit(problem.X, problem.y)
    print(model.objective_, flush=True)
    for _ in sys.stdin:
        for _ in range(n_fits):
            model.fit(problem.X, problem.y)
        print(model.objective_, flush=True)


if __name__ == "__main__":
    serve(*map(int, sys.argv[1:]))
