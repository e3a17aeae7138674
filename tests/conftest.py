"""What every test shares: one BLAS thread per worker, reproducible hypothesis, a generator."""

import os

# Workers share the machine, and a BLAS pool per worker would make them wait for each other. Only
# OpenBLAS, and before NumPy is imported: the threads of our own kernel (OMP_NUM_THREADS) are what
# some tests are about.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# derandomize: the same cases on every machine, so that a red run is red for everybody;
# SKSOFTMAX_HYPOTHESIS=explore looks for new ones. No deadline: machines are shared.
COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("suite", derandomize=True, **COMMON)
settings.register_profile("explore", max_examples=1000, print_blob=True, **COMMON)
settings.load_profile(os.environ.get("SKSOFTMAX_HYPOTHESIS", "suite"))


@pytest.fixture
def rng():
    """A generator seeded the same for every test."""
    return np.random.default_rng(20260101)
