"""One BLAS thread for what solvers ask of LAPACK."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from threading import Lock

from threadpoolctl import ThreadpoolController


@lru_cache(maxsize=1)
def _blas_controller() -> ThreadpoolController:
    """Looking for the loaded libraries takes milliseconds: once."""
    return ThreadpoolController()


_limits_blas = Lock()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """One BLAS thread: the passes bring their own, and small products must not wake others.

    The limit is the process's. Of several Python threads that fit at once one sets it and the same
    one restores it: two that overlapped would restore each other's limit.
    """
    if not _limits_blas.acquire(blocking=False):
        yield
        return
    try:
        with _blas_controller().limit(limits=1, user_api="blas"):
            yield
    finally:
        _limits_blas.release()
