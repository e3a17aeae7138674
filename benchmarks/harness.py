"""The rules every part shares: turns, medians, budgets, agreement before comparison."""

import math
import signal
import time
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

FEWEST_ROUNDS = 3  # a median of fewer is none


@dataclass(frozen=True)
class Setting:
    """What one process of a part is asked to measure."""

    n_threads: int = 1
    size: str = "full"  # or "quick" (a minute), "long" (hours), "tiny" (tests: no times of worth)
    found: dict = field(default_factory=dict)  # what this part learnt at the last thread setting


@dataclass(frozen=True)
class Timing:
    """Over all timed calls, in seconds: medians, and the shortest; CPU is summed over threads.

    Calls of a few milliseconds are compared by the shortest (`least`): other work on the machine,
    which takes a core away for as long, does not reach it.
    """

    wall: float
    cpu: float
    shortest_wall: float
    shortest_cpu: float

    @classmethod
    def of(cls, calls):
        """From a list of (wall, CPU)."""
        return cls(*np.median(calls, axis=0), *np.min(calls, axis=0))

    def least(self, n_threads):
        """The shortest call: with one thread in CPU time, which waits for nobody."""
        return self.shortest_cpu if n_threads == 1 else self.shortest_wall


def take_turns(calls, *, rounds, repeats=1, warm=0.03, pause=0.05, seconds=math.inf):
    """Time ``calls`` (a dict of name: function without arguments) A B A B ... for `rounds` rounds.

    A turn is a pause, so that threads which another tool left spinning go to sleep; then calls
    that are not counted, at least one and for at least `warm` seconds (None: no such call), which
    wake this tool's own threads, the caches and the clock; then `repeats` timed calls.
    After `seconds` no new round begins, but for the first `FEWEST_ROUNDS`.
    Returns name: `Timing`.
    """
    taken, start = {name: [] for name in calls}, time.perf_counter()
    for number in range(rounds):
        if number >= FEWEST_ROUNDS and time.perf_counter() - start > seconds:
            break
        for name, call in calls.items():
            time.sleep(pause)
            awake = time.perf_counter() + (0 if warm is None else warm)
            while warm is not None:
                call()
                if time.perf_counter() >= awake:
                    break
            for _ in range(repeats):
                wall, cpu = time.perf_counter(), time.process_time()
                call()
                taken[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {name: Timing.of(each) for name, each in taken.items()}


class OutOfTime(Exception):
    """The budget of a fit is spent."""


@contextmanager
def budget(seconds):
    """Raise `OutOfTime` in the body once `seconds` have passed (main thread, POSIX)."""

    def stop(*_):
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def assert_agree(tool, theirs, ours, *, rtol, atol):
    """Raise unless `tool` computed what sksoftmax computed: no ratio between different answers."""
    message = f"{tool} and sksoftmax disagree, so their times are not compared"
    np.testing.assert_allclose(theirs, ours, rtol=rtol, atol=atol, err_msg=message)
