"""How many threads run, and that nobody can tell from the results."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from sksoftmax import _kernel
from sksoftmax._kernel import _core, effective_n_threads

from .cases import ALL_OPTIONS, DTYPES, VERBS, assert_identical, make_problem, native
from .processes import run_script

# Above the size where threads engage, with a last block that is not full.
SHAPES = {
    "few classes": (40_007, 10),
    "many classes": (4_003, 100),
    "very many classes": (67, 20_000),
    "ragged": [1, 5, 2, 12, 40, 3, 7] * 6_001,
}
SAY_THREADS = (
    "from sksoftmax._kernel import effective_n_threads as f; print(f(), f(1), f(7), f(-1))"
)

needs_openmp = pytest.mark.skipif(
    _core.max_threads() >= 1 << 20, reason="built without OpenMP, whose settings are then unknown"
)


@pytest.fixture
def any_number_of_threads(monkeypatch):
    """As many threads as asked for, also on a machine with fewer CPUs."""
    monkeypatch.setattr(_kernel, "effective_n_threads", lambda n_threads: n_threads)


@pytest.mark.usefixtures("any_number_of_threads")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_results_are_bit_identical_for_any_number_of_threads(dtype, shape, rng):
    for options in ALL_OPTIONS[5::53]:
        problem = make_problem(rng, SHAPES[shape], dtype, options)
        for verb in VERBS:
            one = native(verb, problem.with_threads(1))
            for n_threads in (2, 4):
                assert_identical(native(verb, problem.with_threads(n_threads)), one)


@pytest.mark.usefixtures("any_number_of_threads")
@pytest.mark.parametrize("shape", ["few classes", "many classes"])
def test_the_first_bad_row_is_named_whichever_thread_finds_one_first(shape, rng):
    problem = make_problem(rng, SHAPES[shape], np.float64)
    rows = problem.n_rows * np.array([1, 2, 3]) // 4
    problem.logits[rows, 0] = np.nan
    for verb in VERBS:
        for n_threads in (1, 2, 4):
            with pytest.raises(_kernel.RowError) as caught:
                native(verb, problem.with_threads(n_threads))
            assert caught.value.row == rows[0]


def test_calls_from_several_python_threads_do_not_disturb_each_other(rng):
    problems = [make_problem(rng, (20_000 + i, 5 + i), np.float64) for i in range(8)]
    expected = [native("loss_gradient", problem) for problem in problems]
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(native, "loss_gradient", problem) for problem in 3 * problems]
        for future, each in zip(futures, 3 * expected, strict=True):
            assert_identical(future.result(), each)


def test_an_explicit_number_wins_but_for_the_affinity():
    n_cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert 1 <= effective_n_threads() <= n_cpus
    assert effective_n_threads(1) == 1
    assert effective_n_threads(10_000) == n_cpus
    assert effective_n_threads(-1) == n_cpus
    assert effective_n_threads(-10_000) == 1
    assert effective_n_threads(np.int64(1)) == 1


@pytest.mark.parametrize("wrong", [0, 1.0, "two", True])
def test_a_number_of_threads_that_makes_no_sense_is_an_error(wrong):
    with pytest.raises(ValueError, match="n_jobs"):
        effective_n_threads(wrong)


@needs_openmp
def test_the_default_honours_openmp_and_an_explicit_number_overrules_it(tmp_path):
    default, one, seven, everything = run_script(
        SAY_THREADS, cwd=tmp_path, OMP_NUM_THREADS="1"
    ).split()
    assert (default, one) == ("1", "1")
    assert seven == str(effective_n_threads(7))
    assert everything == str(effective_n_threads(-1))


@needs_openmp
def test_threadpool_limits_are_honoured():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    with threadpoolctl.threadpool_limits(1):
        assert effective_n_threads() == 1


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no CPU affinity")
def test_no_more_threads_than_cpus_of_this_process(tmp_path):
    script = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); " + SAY_THREADS
    assert run_script(script, cwd=tmp_path, OMP_NUM_THREADS="8").split() == ["1"] * 4
