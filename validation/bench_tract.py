"""Compares the time of single steps in `ragged-kernels` with that in tract, on one thread.

    pip install numpy onnx
    python validation/bench_tract.py

Writes models of one step with the states as inputs and outputs, then runs `validation/tract`, which checks that both
compute the same and times both in turns. Times are medians in microseconds.
"""
import os
import pathlib
import subprocess
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROOT = pathlib.Path(__file__).resolve().parent
SIZES = [(16, 32), (32, 64), (64, 128), (128, 256), (256, 512)]
# The gates of PyTorch in the order of ONNX.
ORDER = {"lstm": [0, 3, 1, 2], "gru": [1, 0, 2]}


def write(folder, cell, input_size, hidden, layers):
    """Writes a model of one step and its weights."""
    random = np.random.default_rng(1)
    gates, nodes, weights, inputs, outputs = len(ORDER[cell]), [], [], ["x"], ["y"]
    shapes = {"x": [1, 1, input_size], "y": [1, 1, hidden]}
    order = lambda array: np.concatenate([np.split(array, gates)[k] for k in ORDER[cell]])
    below, parts = "x", ["h", "c"] if cell == "lstm" else ["h"]
    for layer in range(layers):
        size = input_size if layer == 0 else hidden
        draw = lambda *shape: (random.uniform(-1, 1, shape) / np.sqrt(hidden)).astype(np.float32)
        w, r = draw(gates * hidden, size), draw(gates * hidden, hidden)
        b = [draw(gates * hidden), draw(gates * hidden)]
        for name, array in [("weight_ih", w), ("weight_hh", r), ("bias_ih", b[0]), ("bias_hh", b[1])]:
            array.tofile(folder / f"{name}_l{layer}")
        for name, array in [("W", order(w)), ("R", order(r)), ("B", np.concatenate([order(b[0]), order(b[1])]))]:
            weights.append(numpy_helper.from_array(array[None], f"{name}{layer}"))
        before, after = [f"{part}{layer}" for part in parts], [f"{part}{layer}_n" for part in parts]
        shapes |= {name: [1, 1, hidden] for name in before + after}
        names = [below, f"W{layer}", f"R{layer}", f"B{layer}", "", *before]
        extra = {"linear_before_reset": 1} if cell == "gru" else {}
        nodes.append(helper.make_node(cell.upper(), names, ["", *after], hidden_size=hidden, **extra))
        below, inputs, outputs = after[0], inputs + before, outputs + after
    nodes.append(helper.make_node("Identity", [below], ["y"]))
    value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name])
    graph = helper.make_graph(nodes, "step", list(map(value, inputs)), list(map(value, outputs)), weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, folder / "model.onnx")


with tempfile.TemporaryDirectory() as folder:
    folders = []
    for cell, layers in [("lstm", 1), ("gru", 1), ("lstm", 2)]:
        for input_size, hidden in SIZES:
            folders.append(pathlib.Path(folder) / f"{cell}-{input_size}-{hidden}-{layers}")
            folders[-1].mkdir()
            write(folders[-1], cell, input_size, hidden, layers)
    program = ["cargo", "run", "--quiet", "--release", "--manifest-path", ROOT / "tract/Cargo.toml", "--", *folders]
    subprocess.run(program, check=True, env={**os.environ, "RAYON_NUM_THREADS": "1"})
