"""Scripts in a fresh interpreter: what happens at import, after a fork, under another body."""

import os
import subprocess
import sys

TIMEOUT = 120  # seconds; only a hang takes that long


def clean_environment(**changes):
    """The environment without what pytest left in it and without a forced kernel."""
    drop = ("PYTEST_", "SKSOFTMAX_KERNEL", "OMP_NUM_THREADS")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(drop)}
    return environment | changes


def run_python(*arguments, cwd, timeout=TIMEOUT, **environment):
    """Run the interpreter outside the source tree (-P: the current folder is not imported from)."""
    return subprocess.run(
        [sys.executable, "-P", *arguments],
        cwd=cwd,
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def run_script(script, *, cwd, **environment):
    """The output of a script that must succeed."""
    done = run_python("-c", script, cwd=cwd, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout
