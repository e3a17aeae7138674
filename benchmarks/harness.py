"""The rules every part shares: turns, medians, budgets, agreement before comparison."""

import signal
import time
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Setting:
    """What one process of a part is asked to measure."""

    n_threads: int = 1
    size: str = "full"  # or "quick" (a minute), "long" (hours), "tiny" (tests: no times of worth)
    found: dict = field(default_factory=dict)  # what this part learnt at the last thread setting


@dataclass(frozen=True)
class Timing:
    """Medians over all timed calls, in seconds; CPU time is summed over threads."""

    wall: float
    cpu: float


def take_turns(calls, *, rounds, repeats=1, warm=0.03, pause=0.05):
    """Time ``calls`` (a dict of name: function without arguments) A B A B ... for `rounds` rounds.

    A turn is a pause, so that threads which another tool left spinning go to sleep; then calls
    that are not counted, at least one and for at least `warm` seconds (None: no such call), which
    wake this tool's own threads, the caches and the clock; then `repeats` timed calls.
    Returns name: `Timing`.
    """
    seconds = {name: [] for name in calls}
    for _ in range(rounds):
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
                seconds[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {name: Timing(*np.median(taken, axis=0)) for name, taken in seconds.items()}


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
