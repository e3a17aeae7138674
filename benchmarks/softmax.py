"""Softmax of (n_samples, n_classes) logits into an output that is already there."""

import numpy as np
import scipy.special

from benchmarks.harness import assert_agree, take_turns
from benchmarks.report import Ratio, Table
from sksoftmax.functional import softmax

TITLE = "Softmax into a preallocated output"
WHAT = """`np.copyto` moves the same bytes and computes nothing: it is the floor, always on one
thread. `scipy.special.softmax` takes no output and uses one thread; onnxruntime (float32) writes
through IO binding into the same array as we do, with its intra-op threads pinned. Times are
milliseconds, the shortest of 33 calls (with one thread CPU time); the ratio to scipy is its time
over ours, the others are ours over theirs."""
THREADS = (1, 2)
SHAPES = {
    "full": [(1_000_000, 10), (100_000, 100), (1_000, 10_000)],
    "quick": [(200_000, 10), (20_000, 100), (200, 10_000)],
    "tiny": [(300, 10), (40, 100)],
}
ROUNDS = {"full": 11, "quick": 5, "tiny": 1}
TOLERANCE = {"float32": {"rtol": 1e-5, "atol": 1e-9}, "float64": {"rtol": 1e-12, "atol": 1e-18}}
FASTER_THAN_SCIPY = {"float32": 8, "float64": 4}  # promised for 10 and for 100 classes


def run(setting):
    """Softmax beside a copy, scipy and onnxruntime, for each shape and dtype."""
    table = Table(
        [
            *("shape", "dtype", "copy", "ours", "scipy", "onnx"),
            *("scipy / ours", "ours / onnx", "ours / copy"),
        ]
    )
    for shape in SHAPES[setting.size]:
        for dtype in ("float32", "float64"):
            add_row(table, shape, dtype, setting)
    return table


def add_row(table, shape, dtype, setting):
    """Check that all agree, take turns, compare."""
    logits = np.random.default_rng(0).normal(scale=3.0, size=shape).astype(dtype)
    out = np.zeros_like(logits)
    calls = {
        "ours": lambda: softmax(logits, out=out),
        "scipy": lambda: scipy.special.softmax(logits, axis=1),
        "copy": lambda: np.copyto(out, logits),
    }
    expected = calls["scipy"]()
    if dtype == "float32":
        try:
            calls["onnx"] = onnxruntime_softmax(logits, out, setting.n_threads)
        except ImportError:
            table.notes = ["onnxruntime or onnx is not installed."]
    for tool in calls.keys() - {"scipy", "copy"}:
        out.fill(np.nan)
        calls[tool]()
        assert_agree(tool, out, expected, **TOLERANCE[dtype])

    timings = take_turns(calls, rounds=ROUNDS[setting.size], repeats=3)
    wall = {tool: timing.least(setting.n_threads) for tool, timing in timings.items()}
    scipy_promise = FASTER_THAN_SCIPY[dtype] if shape[1] <= 100 else None
    copy_promise = 2 if dtype == "float32" and shape[1] >= 100 else None
    table.add(
        f"{shape[0]:,} x {shape[1]:,}",
        dtype,
        *[f"{1e3 * wall[tool]:.2f}" if tool in wall else "-" for tool in table.columns[2:6]],
        Ratio(wall["scipy"] / wall["ours"], at_least=scipy_promise),
        Ratio(wall["ours"] / wall["onnx"], at_most=1.1) if "onnx" in wall else "-",
        Ratio(wall["ours"] / wall["copy"], at_most=copy_promise),
    )


def onnxruntime_softmax(logits, out, n_threads):
    """A function without arguments that runs a one-node model from `logits` straight into `out`."""
    import onnxruntime
    from onnx import TensorProto, helper

    info = [helper.make_tensor_value_info(n, TensorProto.FLOAT, logits.shape) for n in "xy"]
    node = helper.make_node("Softmax", ["x"], ["y"], axis=-1)
    model = helper.make_model(
        helper.make_graph([node], "softmax", info[:1], info[1:]),
        opset_imports=[helper.make_opsetid("", 13)],
        ir_version=8,
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    binding = session.io_binding()
    binding.bind_input("x", "cpu", 0, logits.dtype.type, logits.shape, logits.ctypes.data)
    binding.bind_output("y", "cpu", 0, out.dtype.type, out.shape, out.ctypes.data)
    return lambda: session.run_with_iobinding(binding)
