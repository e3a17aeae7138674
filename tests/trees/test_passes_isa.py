"""Every body of the passes that this CPU can run passes the same tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sksoftmax._kernel import kernel_info

HERE = Path(__file__).parent
ACTIVE, AVAILABLE = kernel_info()["name"], kernel_info()["available"]


@pytest.mark.skipif("SKSOFTMAX_KERNEL" in os.environ, reason="one body is forced: it is under test")
@pytest.mark.parametrize("body", [name for name in AVAILABLE if name != ACTIVE])
def test_another_body_passes_the_numerical_tests(body, tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    pytest_again = ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--import-mode=importlib"]
    files = [str(HERE / f"test_{name}.py") for name in ("passes", "passes_leaves")]
    done = subprocess.run(
        [sys.executable, "-P", *pytest_again, *files],
        cwd=tmp_path,
        env=environment | {"SKSOFTMAX_KERNEL": body},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
