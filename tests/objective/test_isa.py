"""Every body of the passes that this CPU can run passes the same tests, with the same answers."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sksoftmax._kernel import kernel_info

HERE = Path(__file__).parent
ACTIVE, AVAILABLE = kernel_info()["name"], kernel_info()["available"]

# Shapes around the tiles, all passes, both dtypes: one flat vector of answers.
ANSWERS = """
import sys
import numpy as np
from sksoftmax._kernel import kernel_info
from sksoftmax._objective import LinearObjective, linear_logits

assert kernel_info()["name"] == sys.argv[1]
rng = np.random.default_rng(1)
answers = {"float32": [], "float64": []}
for n, d, K in [(1, 1, 2), (49, 8, 2), (117, 17, 3), (1000, 9, 11)]:
    for dtype in answers:
        X, y = rng.standard_normal((n, d)).astype(dtype), rng.integers(K, size=n)
        weight = rng.uniform(0.5, 2, n).astype(dtype)
        objective = LinearObjective(X, y, n_classes=K, sample_weight=weight, alpha=0.1)
        theta = rng.standard_normal((objective.n_outputs, d + 1))
        value, gradient = objective.loss_gradient(theta)
        answers[dtype] += [[value], gradient, objective.hessian_product(theta, theta)]
        answers[dtype] += [objective.hessian(theta), objective.class_curvature(theta)]
        answers[dtype] += [objective.gram(), linear_logits(X, theta[:, :-1], theta[:, -1])]
flat = {k: np.concatenate([np.ravel(v) for v in parts]) for k, parts in answers.items()}
np.savez(sys.argv[2], **flat)
"""


def run_body(body, *arguments, cwd, timeout=600):
    drop = ("PYTEST_", "SKSOFTMAX_KERNEL")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(drop)}
    done = subprocess.run(
        [sys.executable, "-P", *arguments],
        cwd=cwd,
        env=environment | {"SKSOFTMAX_KERNEL": body},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.skipif("SKSOFTMAX_KERNEL" in os.environ, reason="one body is forced: it is under test")
@pytest.mark.parametrize("body", [name for name in AVAILABLE if name != ACTIVE])
def test_another_body_passes_the_numerical_tests(body, tmp_path):
    pytest_again = ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--import-mode=importlib"]
    files = [str(HERE / f"test_{name}.py") for name in ("derivatives", "rows", "one_vs_rest")]
    files.append(str(HERE.parent / "choice" / "test_objective.py"))
    assert " passed" in run_body(body, *pytest_again, *files, cwd=tmp_path)


@pytest.mark.skipif("SKSOFTMAX_KERNEL" in os.environ, reason="one body is forced: it is under test")
def test_all_bodies_agree_to_rounding(tmp_path):
    answers = {}
    for body in AVAILABLE:
        run_body(body, "-c", ANSWERS, body, str(tmp_path / body), cwd=tmp_path)
        answers[body] = np.load(tmp_path / f"{body}.npz")
    for body in AVAILABLE:
        for dtype in ("float32", "float64"):
            eps = np.finfo(dtype).eps
            expected = answers[AVAILABLE[0]][dtype]
            assert_allclose(answers[body][dtype], expected, rtol=200 * eps, atol=100 * eps)
