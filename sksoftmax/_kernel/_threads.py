"""How many threads: decided here, for every floor.

``None`` means as many as OpenMP would use (so ``OMP_NUM_THREADS``, ``threadpool_limits`` and
joblib's workers are honoured), but never more than this process may run on: its CPU affinity and
its cgroup quota. An explicit number wins over OpenMP's, capped by the affinity.
"""

import math
import os
from functools import lru_cache

from sksoftmax._kernel import _core


def effective_n_threads(n_threads: int | None = None) -> int:
    """Return the number of threads to use, at least 1.

    Parameters
    ----------
    n_threads : int or None
        None: OpenMP's limit, capped by affinity and cgroup quota. A positive number: that many,
        capped by the affinity. A negative number counts from the affinity: -1 is all of it.

    Raises
    ------
    ValueError
        If `n_threads` is 0 or not an integer.
    """
    cpus = _affinity()
    if n_threads is None:
        return max(1, min(_core.max_threads(), cpus, _cgroup_cpus()))
    if isinstance(n_threads, bool) or not hasattr(n_threads, "__index__") or n_threads == 0:
        raise ValueError(
            f"n_jobs={n_threads!r}: expected None, a positive integer, or a negative one that "
            "counts back from the CPUs of this process (-1 uses all of them)"
        )
    wanted = int(n_threads)
    return max(1, min(wanted, cpus) if wanted > 0 else cpus + 1 + wanted)


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@lru_cache(maxsize=1)
def _cgroup_cpus() -> int:
    """CPUs that the cgroup's quota pays for, rounded up (v2, then v1); no quota: the machine's."""
    quota = _read("/sys/fs/cgroup/cpu.max")
    if quota is None:
        parts = [
            _read("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"),
            _read("/sys/fs/cgroup/cpu/cpu.cfs_period_us"),
        ]
        quota = None if None in parts else f"{parts[0]} {parts[1]}"
    try:
        limit, period = (int(word) for word in (quota or "max").split())
    except ValueError:  # "max 100000": no quota
        return os.cpu_count() or 1
    return max(1, math.ceil(limit / period)) if limit > 0 else os.cpu_count() or 1


def _read(path: str) -> str | None:
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return None
