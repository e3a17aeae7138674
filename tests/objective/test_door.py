"""The native door: arrays of a wrong size, dtype or content are errors, never crashes."""

import subprocess
import sys

import numpy as np
import pytest

from sksoftmax._objective import _core
from sksoftmax._objective._passes import _PASS_NUMBER

N, D, K = 6, 3, 4
PACKED = (D + 1) * (D + 2) // 2
SUMS = {
    "logits": None,
    "loss_gradient": K * (D + 1),
    "hessian_product": K * (D + 1),
    "moments": D + 1,
    "gram": (D + 1) ** 2,
    "class_curvature": K * (D + 1) ** 2,
    "pair_curvature": K * (K - 1) // 2 * PACKED,
}
SPARSE_PASSES = ["logits", "loss_gradient", "hessian_product"]


SIGMOID_PASSES = ["loss_gradient", "hessian_product", "class_curvature"]


def good_arguments(name, dtype=np.float64, *, sparse=False, sigmoid=False):
    own_losses = K if sigmoid and name == "loss_gradient" else 0
    arguments = {
        "pass_": _PASS_NUMBER[name],
        "sigmoid": sigmoid,
        "n_rows": N,
        "n_features": D,
        "intercept": True,
        "n_classes": K,
        "n_outputs": K,
        "X": None if sparse else np.ones(N * D, dtype=dtype),
        "values": np.ones(8, dtype=dtype) if sparse else None,
        "columns32": np.array([0, 1, 2, 0, 1, 2, 0, 2], dtype=np.int32) if sparse else None,
        "columns64": None,
        "row_ptr": np.array([0, 3, 3, 4, 6, 6, 8]) if sparse else None,
        "center": None if sparse else np.zeros(D, dtype=dtype),
        "coef": np.ones(K * (D + 1), dtype=dtype),
        "direction": None,
        "offset": np.zeros(N * K, dtype=dtype),
        "mask": np.ones(N * K, dtype=np.uint8),
        "weight": np.ones(N, dtype=dtype),
        "target_index": None,
        "target_proba": None,
        "label_smoothing": 0.0,
        "logit_l2": 0.0,
        "classes": np.arange(K) if sigmoid else None,
        "positive_weight": np.ones(K, dtype=dtype) if sigmoid else None,
        "negative_weight": np.ones(K, dtype=dtype) if sigmoid else None,
        "sums": None if SUMS[name] is None else np.zeros(SUMS[name] + own_losses),
        "rows_out": np.zeros(N * K, dtype=dtype) if name == "logits" else None,
        "n_threads": 1,
    }
    if name == "loss_gradient":
        arguments["target_index"] = np.array([0, 1, 2, 3, 0, 1])
    if name == "hessian_product":
        arguments["direction"] = np.ones(K * (D + 1), dtype=dtype)
    return arguments


def refused(arguments, match=None, **changes):
    with pytest.raises((ValueError, TypeError), match=match):
        _core.run(**arguments | changes)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", SUMS)
def test_good_arguments_are_taken(name, dtype):
    for sigmoid in [False, True] if name in SIGMOID_PASSES else [False]:
        assert np.isfinite(_core.run(**good_arguments(name, dtype, sigmoid=sigmoid)))
        if name in SPARSE_PASSES:
            arguments = good_arguments(name, dtype, sparse=True, sigmoid=sigmoid)
            assert np.isfinite(_core.run(**arguments))


@pytest.mark.parametrize("change", [-1, 1, 1000, "empty"])
@pytest.mark.parametrize("name", SUMS)
def test_arrays_of_a_wrong_size_are_errors(name, change):
    arguments = good_arguments(name)
    for key, value in arguments.items():
        if isinstance(value, np.ndarray):
            wrong = np.zeros(0 if change == "empty" else len(value) + change, dtype=value.dtype)
            refused(arguments, **{key: wrong})


@pytest.mark.parametrize("change", [-1, 1, 1000, "empty"])
@pytest.mark.parametrize("name", SIGMOID_PASSES)
def test_arrays_of_a_wrong_size_are_errors_for_sigmoids_too(name, change):
    arguments = good_arguments(name, sigmoid=True)
    for key, value in arguments.items():
        if isinstance(value, np.ndarray):
            wrong = np.zeros(0 if change == "empty" else len(value) + change, dtype=value.dtype)
            refused(arguments, **{key: wrong})


@pytest.mark.parametrize("index", [-1, K, 2**31, 2**62, -(2**63)])
@pytest.mark.parametrize("name", SIGMOID_PASSES)
def test_an_output_that_is_no_class_is_an_error(name, index):
    for position in (0, K - 1):
        classes = np.arange(K)
        classes[position] = index
        refused(good_arguments(name, sigmoid=True), match="classes", classes=classes)


def test_sigmoids_need_their_classes_and_have_no_pairs():
    refused(good_arguments("loss_gradient", sigmoid=True), match="n_outputs", classes=None)
    refused(good_arguments("pair_curvature"), match="pass", sigmoid=True, classes=np.arange(K))


@pytest.mark.parametrize("change", [-1, 1, 1000, "empty"])
@pytest.mark.parametrize("name", SPARSE_PASSES)
def test_sparse_arrays_of_a_wrong_size_are_errors(name, change):
    arguments = good_arguments(name, sparse=True)
    for key in ("values", "columns32", "row_ptr", "coef"):
        value = arguments[key]
        wrong = np.zeros(0 if change == "empty" else len(value) + change, dtype=value.dtype)
        refused(arguments, **{key: wrong})


@pytest.mark.parametrize("name", SUMS)
def test_arrays_of_a_wrong_dtype_or_layout_are_errors(name):
    arguments = good_arguments(name)
    other = {np.dtype(float): np.float32, np.dtype(np.int64): np.int32, np.dtype(np.uint8): float}
    for key, value in arguments.items():
        if isinstance(value, np.ndarray):
            refused(arguments, **{key: value.astype(other[value.dtype])})
            refused(
                arguments,
                **{key: value.astype(value.dtype.newbyteorder(">"))}
                if value.itemsize > 1
                else {key: value.astype(np.float16)},
            )
            refused(arguments, **{key: np.zeros(2 * len(value), dtype=value.dtype)[::2]})
            refused(arguments, **{key: value.reshape(1, -1)})
            refused(arguments, **{key: value.tolist()})
            refused(arguments, **{key: "nonsense"})


@pytest.mark.parametrize("name", SUMS)
def test_what_a_pass_needs_must_be_given(name):
    arguments = good_arguments(name)
    refused(arguments, match="X", X=None)
    if name not in ("moments", "gram"):
        refused(arguments, match="coef", coef=None)
    refused(arguments, match="out", sums=None, rows_out=None)
    if name == "hessian_product":
        refused(arguments, match="direction", direction=None)
    if name == "loss_gradient":
        refused(arguments, match="target", target_index=None)
        refused(arguments, match="target", target_proba=np.full(N * K, 0.25))


@pytest.mark.parametrize("name", SUMS)
def test_results_are_not_written_into_read_only_arrays(name):
    arguments = good_arguments(name)
    key = "rows_out" if name == "logits" else "sums"
    out = np.zeros_like(arguments[key])
    out.setflags(write=False)
    refused(arguments, **{key: out})
    assert (out == 0).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"pass_": -1},
        {"pass_": 7},
        {"n_rows": 0},
        {"n_rows": -1},
        {"n_rows": 2**62},
        {"n_features": 0},
        {"n_features": -1},
        {"n_features": 2**62},
        {"n_features": 2**61, "n_classes": 2**61, "n_outputs": 2**61},
        {"n_classes": 0, "n_outputs": 0},
        {"n_classes": -4, "n_outputs": -4},
        {"n_classes": 2**62, "n_outputs": 2**62},
        {"n_outputs": 1},
        {"n_outputs": 3},
        {"n_threads": 0},
        {"n_threads": -1},
        {"n_rows": 1.5},
        {"n_rows": 2**64},
        {"n_rows": None},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", SUMS)
def test_sizes_that_make_no_sense_are_errors(name, changes):
    refused(good_arguments(name), **changes)


# n_rows * n_features wraps around to 0 or a little more.
WRAPPING_SIZES = """
import sys
import numpy as np
from sksoftmax._objective import _core

for n_rows, n_features in [(2**62, 4), (2**32, 2**32), (2**63 // 3 + 3, 3), (2**60, 16)]:
    wrapped = n_rows * n_features % 2**64
    arguments = dict.fromkeys(sys.argv[1].split(",")) | {
        "pass_": 3,
        "sigmoid": False,
        "n_rows": n_rows,
        "n_features": n_features,
        "intercept": False,
        "n_classes": 1,
        "n_outputs": 1,
        "label_smoothing": 0.0,
        "logit_l2": 0.0,
        "n_threads": 1,
        "X": np.zeros(wrapped if wrapped < 1000 else 0),
        "sums": np.zeros(min(n_features, 1000)),
    }
    try:
        _core.run(**arguments)
    except (ValueError, TypeError):
        continue
    raise AssertionError((n_rows, n_features))
"""


def test_products_of_sizes_that_overflow_are_not_mistaken_for_small_ones(tmp_path):
    """In a process of its own, which alone ends if memory is read that is not there."""
    names = ",".join(good_arguments("moments"))
    script = [sys.executable, "-P", "-c", WRAPPING_SIZES, names]
    done = subprocess.run(script, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:] or f"ended by signal {-done.returncode}"


@pytest.mark.parametrize("index", [-1, K, 2**31, 2**62, -(2**63)])
@pytest.mark.parametrize("sparse", [False, True])
def test_a_target_that_is_no_class_is_an_error(index, sparse):
    arguments = good_arguments("loss_gradient", sparse=sparse)
    for row in (0, N - 1):
        target = arguments["target_index"].copy()
        target[row] = index
        refused(arguments, match="target", target_index=target)


@pytest.mark.parametrize("name", SPARSE_PASSES)
@pytest.mark.parametrize("width", [32, 64])
def test_a_column_index_outside_the_matrix_is_an_error(name, width):
    arguments = good_arguments(name, sparse=True)
    for index in [-1, D, 2**31 - 1, -(2**31)] + [2**62, -(2**63)] * (width == 64):
        for entry in (0, 7):
            columns = arguments["columns32"].astype(f"int{width}")
            columns[entry] = index
            changes = {"columns32": None, f"columns{width}": columns}
            refused(arguments, match="column", **changes)


@pytest.mark.parametrize("name", SPARSE_PASSES)
@pytest.mark.parametrize(
    "row_ptr",
    [
        [0, 3, 2, 4, 6, 6, 8],
        [1, 3, 3, 4, 6, 6, 8],
        [0, 3, 3, 4, 6, 6, 7],
        [0, 3, 3, 4, 6, 6, 9],
        [0, 3, 3, 400, 6, 6, 8],
        [0, -3, 3, 4, 6, 6, 8],
        [0, 2**62, 3, 4, 6, 6, 8],
        [-1, 3, 3, 4, 6, 6, 8],
    ],
    ids=str,
)
def test_row_pointers_span_the_entries_and_do_not_decrease(name, row_ptr):
    arguments = good_arguments(name, sparse=True)
    refused(arguments, match="row pointers", row_ptr=np.array(row_ptr))


def test_a_matrix_is_dense_or_sparse_and_has_indices_of_one_width():
    arguments = good_arguments("loss_gradient", sparse=True)
    columns = arguments["columns32"]
    refused(arguments, match="X", columns64=columns.astype(np.int64))
    refused(arguments, match="X", columns32=None)
    refused(arguments, match="X", row_ptr=None)
    refused(arguments, match="X", values=None)


@pytest.mark.parametrize("name", [name for name in SUMS if name not in SPARSE_PASSES])
def test_passes_over_products_of_columns_need_dense_rows(name):
    refused(good_arguments(name, sparse=True), match="dense")


def test_arguments_are_named():
    with pytest.raises(TypeError):
        _core.run(*good_arguments("gram").values())
    with pytest.raises(TypeError):
        _core.run()
