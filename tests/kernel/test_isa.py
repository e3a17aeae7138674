"""Every body of the kernel that this CPU can run passes the same tests."""

import os
from pathlib import Path

import pytest

from sksoftmax import _kernel

from .processes import run_python, run_script

HERE = Path(__file__).parent
NUMERICAL_TESTS = ["exp", "softmax", "loss", "ragged", "laws", "errors", "proba"]
ACTIVE, AVAILABLE = _kernel.kernel_info()["name"], _kernel.kernel_info()["available"]

SAY_NAME = "from sksoftmax._kernel import kernel_info; print(kernel_info()['name'])"


def test_the_baseline_runs_everywhere():
    assert "baseline" in AVAILABLE
    assert ACTIVE in AVAILABLE


@pytest.mark.skipif("SKSOFTMAX_KERNEL" in os.environ, reason="one body is forced: it is under test")
@pytest.mark.parametrize("body", [name for name in AVAILABLE if name != ACTIVE])
def test_another_body_passes_the_numerical_tests(body, tmp_path):
    files = [str(HERE / f"test_{name}.py") for name in NUMERICAL_TESTS]
    pytest_again = ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--import-mode=importlib"]
    done = run_python(*pytest_again, *files, cwd=tmp_path, timeout=600, SKSOFTMAX_KERNEL=body)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert " passed" in done.stdout


@pytest.mark.parametrize("body", AVAILABLE)
def test_the_environment_variable_forces_a_body(body, tmp_path):
    assert run_script(SAY_NAME, cwd=tmp_path, SKSOFTMAX_KERNEL=body).strip() == body


def test_without_the_variable_or_with_an_empty_one_the_best_body_runs(tmp_path):
    best = run_script(SAY_NAME, cwd=tmp_path)
    assert run_script(SAY_NAME, cwd=tmp_path, SKSOFTMAX_KERNEL="") == best
    assert best.strip() == AVAILABLE[0]


def test_an_unknown_body_is_an_import_error_that_says_what_is_accepted(tmp_path):
    done = run_python("-c", "import sksoftmax._kernel", cwd=tmp_path, SKSOFTMAX_KERNEL="nonsense")
    assert done.returncode == 1
    last_line = done.stderr.strip().splitlines()[-1]
    assert last_line.startswith("ImportError")
    assert "SKSOFTMAX_KERNEL=nonsense" in last_line
    for body in AVAILABLE:
        assert body in last_line
