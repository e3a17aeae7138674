"""What the kernel refuses: rows that break a law, and arguments that are not what it takes."""

import pickle

import numpy as np
import pytest

from sksoftmax import _kernel
from sksoftmax._kernel import _reference

from .cases import DTYPES, VERBS, Problem

MODULES = [_kernel, _reference]
MODULE_IDS = ["native", "reference"]
N_ROWS = 40
ROW_LAWS = ["nan", "plus_inf", "no class: minus_inf", "no class: mask"]


def problem_with(dtype, n_classes, **changes):
    arguments = {
        "logits": np.zeros((N_ROWS, n_classes), dtype=dtype),
        "target": np.zeros(N_ROWS, dtype=np.int64),
        "direction": np.ones((N_ROWS, n_classes), dtype=dtype),
    }
    return Problem(**arguments | changes)


def row_error(module, verb, problem):
    with pytest.raises(_kernel.RowError) as caught:
        VERBS[verb](module, problem)
    return caught.value


@pytest.mark.parametrize("module", MODULES, ids=MODULE_IDS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [2, 12, 13, 40])
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("law", ROW_LAWS)
def test_the_first_row_that_breaks_a_law_is_named(module, dtype, n_classes, verb, law):
    for first in (0, 7, 16, N_ROWS - 1):
        problem = problem_with(dtype, n_classes, mask=np.ones((N_ROWS, n_classes), dtype=bool))
        for row in {first, N_ROWS - 1}:
            if law == "nan":
                problem.logits[row, -1] = np.nan
            elif law == "plus_inf":
                problem.logits[row, 0] = np.inf
            elif law == "no class: minus_inf":
                problem.logits[row] = -np.inf
            else:
                problem.mask[row] = False
        error = row_error(module, verb, problem)
        assert error.row == first
        assert error.argument in ("logits", "mask")
        assert str(error).startswith(f"{error.argument}: row {first} ")


@pytest.mark.parametrize("module", MODULES, ids=MODULE_IDS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [2, 12, 13, 40])
@pytest.mark.parametrize("verb", ["loss", "loss_gradient"])
@pytest.mark.parametrize("target", ["index", "proba"])
@pytest.mark.parametrize("by", ["mask", "minus_inf"])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_a_target_on_an_unavailable_class_is_an_error(
    module, dtype, n_classes, verb, target, by, label_smoothing
):
    mask = np.ones((N_ROWS, n_classes), dtype=bool)
    problem = problem_with(dtype, n_classes, mask=mask, label_smoothing=label_smoothing)
    if target == "proba":
        proba = np.zeros_like(problem.logits)
        proba[:, :2] = 0.5
        problem = problem_with(
            dtype, n_classes, mask=mask, target=proba, label_smoothing=label_smoothing
        )
    for row in (23, 31):
        if by == "mask":
            problem.mask[row, 0] = False
        else:
            problem.logits[row, 0] = -np.inf
    error = row_error(module, verb, problem)
    assert (error.argument, error.row) == ("target", 23)


@pytest.mark.parametrize("module", MODULES, ids=MODULE_IDS)
@pytest.mark.parametrize("n_classes", [2, 40])
@pytest.mark.parametrize("verb", ["loss", "loss_gradient"])
@pytest.mark.parametrize("index", [-1, -100, "n_classes", 2**40, np.iinfo(np.int64).min])
def test_a_target_that_is_no_class_is_an_error(module, n_classes, verb, index):
    target = np.zeros(N_ROWS, dtype=np.int64)
    target[[5, 9]] = n_classes if index == "n_classes" else index
    with pytest.raises(ValueError, match=r"target.*row 5"):
        VERBS[verb](module, problem_with(np.float64, n_classes, target=target))


@pytest.mark.parametrize("module", MODULES, ids=MODULE_IDS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("verb", VERBS)
def test_temperatures_outside_the_domain_of_a_verb_are_errors(module, dtype, verb):
    accepts_limits = verb in ("softmax", "log_softmax", "entropy")
    for wrong in (-1.0, -np.inf, np.nan, *(() if accepts_limits else (0.0, np.inf))):
        temperature = np.ones(N_ROWS, dtype=dtype)
        temperature[[11, 30]] = wrong
        error = row_error(module, verb, problem_with(dtype, 3, temperature=temperature))
        assert (error.argument, error.row) == ("temperature", 11)
        with pytest.raises(ValueError, match="temperature"):
            VERBS[verb](module, problem_with(dtype, 3, temperature=wrong))


def test_a_row_error_survives_pickling():
    """It crosses process borders in GridSearchCV."""
    error = pickle.loads(pickle.dumps(_kernel.RowError("mask", 3, "has no available class")))
    assert (error.argument, error.row, error.reason) == ("mask", 3, "has no available class")
    assert str(error) == "mask: row 3 has no available class"
    assert isinstance(error, ValueError)


# --- the door ---

GOOD = {
    "logits": np.zeros((4, 3)),
    "target": np.zeros(4, dtype=np.int64),
    "direction": np.zeros((4, 3)),
}
WRONG_ARRAYS = {
    "a list": [[0.0, 0.0, 0.0]] * 4,
    "integers": np.zeros((4, 3), dtype=np.int64),
    "half precision": np.zeros((4, 3), dtype=np.float16),
    "long double": np.zeros((4, 3), dtype=np.longdouble),
    "the other byte order": np.zeros((4, 3), dtype=">f8"),
    "columns first": np.zeros((4, 3), order="F"),
    "every other row": np.zeros((8, 3))[::2],
    "one dimension": np.zeros(12),
    "three dimensions": np.zeros((4, 3, 1)),
    "nothing": None,
}


@pytest.mark.parametrize("wrong", WRONG_ARRAYS)
@pytest.mark.parametrize("verb", VERBS)
def test_logits_are_contiguous_matrices_of_float32_or_float64(verb, wrong):
    with pytest.raises((ValueError, TypeError), match="logits"):
        VERBS[verb](_kernel, Problem(**GOOD | {"logits": WRONG_ARRAYS[wrong]}))


@pytest.mark.parametrize("shape", [(0, 3), (4, 0), (0, 0)])
@pytest.mark.parametrize("verb", VERBS)
def test_empty_batches_are_rejected(verb, shape):
    empty = np.zeros(shape)
    target = np.zeros(shape[0], dtype=np.int64)
    with pytest.raises(ValueError, match="logits"):
        VERBS[verb](_kernel, Problem(empty, target, empty))


WRONG_ARGUMENTS = [
    ("mask", np.ones((4, 2), dtype=bool)),
    ("mask", np.ones((3, 4), dtype=bool)),
    ("mask", np.ones((4, 3))),
    ("mask", np.ones((4, 3), dtype=bool, order="F")),
    ("mask", [[True] * 3] * 4),
    ("temperature", np.ones(3)),
    ("temperature", np.ones((4, 1))),
    ("temperature", np.ones(4, dtype=np.float32)),
    ("temperature", np.ones(8)[::2]),
    ("temperature", "hot"),
    ("sample_weight", np.ones(3)),
    ("sample_weight", np.ones((4, 1))),
    ("sample_weight", np.ones(4, dtype=np.float32)),
    ("sample_weight", np.ones(8)[::2]),
    ("sample_weight", [1.0] * 4),
    ("target", np.zeros(3, dtype=np.int64)),
    ("target", np.zeros((4, 1), dtype=np.int64)),
    ("target", np.zeros(4, dtype=np.int32)),
    ("target", np.zeros(4)),
    ("target", np.ones((4, 2))),
    ("target", np.ones((4, 3), dtype=np.float32)),
    ("target", np.ones((4, 3), order="F")),
    ("target", [0] * 4),
    ("target", None),
    ("label_smoothing", -0.1),
    ("label_smoothing", 1.5),
    ("label_smoothing", np.nan),
    ("logit_l2", -1.0),
    ("logit_l2", np.inf),
    ("logit_l2", np.nan),
    ("n_threads", 0),
    ("n_threads", 1.5),
    ("n_threads", "all"),
]


@pytest.mark.parametrize(("name", "value"), WRONG_ARGUMENTS)
def test_wrong_arguments_of_the_loss_are_rejected_by_name(name, value):
    arguments = {"target": GOOD["target"], name: value}
    for verb in (_kernel.loss, _kernel.loss_gradient):
        with pytest.raises(
            (ValueError, TypeError), match="n_jobs" if name == "n_threads" else name
        ):
            verb(GOOD["logits"], **arguments)


WRONG_OUTPUTS = {
    "another shape": np.zeros((4, 2)),
    "another dtype": np.zeros((4, 3), dtype=np.float32),
    "columns first": np.zeros((4, 3), order="F"),
    "strided": np.zeros((4, 6))[:, ::2],
    "a list": [[0.0] * 3] * 4,
}


@pytest.mark.parametrize("wrong", [*WRONG_OUTPUTS, "read-only"])
def test_outputs_that_cannot_hold_the_result_are_rejected(wrong):
    out = WRONG_OUTPUTS.get(wrong)
    if out is None:
        out = np.zeros((4, 3))
        out.setflags(write=False)
    z = GOOD["logits"]
    for verb in (_kernel.softmax, _kernel.log_softmax):
        with pytest.raises((ValueError, TypeError), match="out"):
            verb(z, out=out)
    with pytest.raises((ValueError, TypeError), match="gradient_out"):
        _kernel.loss_gradient(z, GOOD["target"], gradient_out=out)
    with pytest.raises((ValueError, TypeError), match="out"):
        _kernel.hessian_product(z, GOOD["direction"], out=out)


def test_derivatives_are_not_written_over_what_they_are_computed_from():
    z, v = np.zeros((4, 3)), np.ones((4, 3))
    with pytest.raises(ValueError, match="gradient_out"):
        _kernel.loss_gradient(z, GOOD["target"], gradient_out=z)
    for argument in (z, v):
        with pytest.raises(ValueError, match="out"):
            _kernel.hessian_product(z, v, out=argument)


@pytest.mark.parametrize("direction", [np.ones((4, 2)), np.ones(12), np.ones((4, 3), np.float32)])
def test_a_direction_of_another_kind_than_the_logits_is_rejected(direction):
    with pytest.raises((ValueError, TypeError), match="direction"):
        _kernel.hessian_product(GOOD["logits"], direction)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_sign_of_a_temperature_is_that_before_the_cast(dtype):
    logits = np.array([[1, 2]], dtype)
    for zero in (-0.0, np.array([-0.0], dtype)):
        np.testing.assert_array_equal(_kernel.softmax(logits, temperature=zero), [[0, 1]])
    with pytest.raises(_kernel.RowError, match="temperature: row 0 is -1e-60"):
        _kernel.softmax(logits, temperature=-1e-60)
