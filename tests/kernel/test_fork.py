"""A process that has used threads may fork, and its children may use threads."""

import multiprocessing

import pytest

from .processes import run_script

pytestmark = pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="the system cannot fork"
)

# More threads than CPUs are asked for, so that there are several even on one CPU.
PREPARE = """
import multiprocessing, os, signal, sys, time
import numpy as np
from sksoftmax import _kernel

_kernel.effective_n_threads = lambda n_threads=None: 4
logits = np.random.default_rng(0).standard_normal((50_000, 10))
target = np.zeros(50_000, dtype=np.int64)

def work(_=None):
    return _kernel.loss_gradient(logits, target)[1].sum(axis=0).tobytes()

expected = work()
"""

FORK = """
child = os.fork()
if child == 0:
    os._exit(0 if work() == expected else 7)
deadline = time.monotonic() + 60
while time.monotonic() < deadline:
    pid, status = os.waitpid(child, os.WNOHANG)
    if pid:
        assert os.waitstatus_to_exitcode(status) == 0, status
        assert work() == expected
        print("done")
        sys.exit()
    time.sleep(0.01)
os.kill(child, signal.SIGKILL)
sys.exit("the child hangs")
"""

POOL = """
with multiprocessing.get_context("fork").Pool(2) as pool:
    results = pool.map_async(work, range(6)).get(timeout=60)
assert results == [expected] * 6
assert work() == expected
print("done")
"""

GRANDCHILD = """
def with_a_pool_of_its_own():
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.map_async(work, [0]).get(timeout=60) == [expected]
    sys.exit(0 if work() == expected else 7)

process = multiprocessing.get_context("fork").Process(target=with_a_pool_of_its_own)
process.start()
process.join(60)
assert process.exitcode == 0, process.exitcode
print("done")
"""


@pytest.mark.parametrize("script", [FORK, POOL, GRANDCHILD], ids=["fork", "pool", "grandchild"])
def test_a_child_of_a_process_that_used_threads_completes(script, tmp_path):
    assert run_script(PREPARE + script, cwd=tmp_path).strip() == "done"
