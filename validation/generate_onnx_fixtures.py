#!/usr/bin/env python3
"""Writes the fixtures of ONNX Runtime with which the Rust tests compare the cells that PyTorch does not have.

    pip install onnx onnxruntime numpy safetensors
    python validation/generate_onnx_fixtures.py

One case is one .safetensors file in crates/ragged-models/tests/onnx: the parameters of a layer under the names of
ragged, the padded input, its lengths, the initial states, and the outputs and final states of ONNX Runtime. The
committed files were written by ONNX Runtime 1.32 with the seeds below.
"""
import pathlib

import numpy as np
import onnxruntime
from onnx import TensorProto, helper
from safetensors.numpy import save_file

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "crates/ragged-models/tests/onnx"
INPUTS, HIDDEN, LENGTHS, SUFFIXES = 3, 5, [6, 1, 4], ["_l0", "_l0_reverse"]


def gates(values, order):
    """Puts the rows of the gates into another order."""
    return np.concatenate([np.split(values, len(order))[gate] for gate in order])


def run(operator, inputs, outputs, **attributes):
    """Runs one operator, whose inputs may be absent, and returns its outputs."""
    given = {name: value for name, value in inputs.items() if value is not None}
    names = [name if name in given else "" for name in inputs]
    types = {np.dtype("f"): TensorProto.FLOAT, np.dtype("i"): TensorProto.INT32}
    info = [helper.make_tensor_value_info(name, types[v.dtype], v.shape) for name, v in given.items()]
    node = helper.make_node(operator, names, outputs, hidden_size=HIDDEN, **attributes)
    results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    graph = helper.make_graph([node], operator, info, results)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, given)


def peephole_lstm(seed):
    rng = np.random.default_rng(seed)
    draw = lambda *shape: rng.uniform(-0.8, 0.8, shape).astype("f")
    tensors = {"input": draw(len(LENGTHS), max(LENGTHS), INPUTS), "lengths": np.array(LENGTHS)}
    tensors |= {name: draw(2, len(LENGTHS), HIDDEN) for name in ("h_0", "c_0")}
    shapes = {"weight_ih": (4 * HIDDEN, INPUTS), "weight_hh": (4 * HIDDEN, HIDDEN)}
    shapes |= {"bias_ih": (4 * HIDDEN,), "bias_hh": (4 * HIDDEN,)}
    shapes |= {name: (HIDDEN,) for name in ("weight_ci", "weight_cf", "weight_co")}
    for suffix in SUFFIXES:
        tensors |= {name + suffix: draw(*shape) for name, shape in shapes.items()}
    # The gates of ONNX are i, o, f, c; its peepholes are those of i, o, f.
    weight = lambda name: np.stack([gates(tensors[name + suffix], [0, 3, 1, 2]) for suffix in SUFFIXES])
    peepholes = [[tensors[name + suffix] for name in ("weight_ci", "weight_co", "weight_cf")] for suffix in SUFFIXES]
    inputs = {
        "X": tensors["input"].swapaxes(0, 1),
        "W": weight("weight_ih"),
        "R": weight("weight_hh"),
        "B": np.concatenate([weight("bias_ih"), weight("bias_hh")], 1),
        "sequence_lens": tensors["lengths"].astype("i"),
        "initial_h": tensors["h_0"],
        "initial_c": tensors["c_0"],
        "P": np.stack([np.concatenate(parts) for parts in peepholes]),
    }
    y, h_n, c_n = run("LSTM", inputs, ["Y", "Y_h", "Y_c"], direction="bidirectional")
    # [T, D, B, H] to [B, T, D H].
    output = y.transpose(2, 0, 1, 3).reshape(len(LENGTHS), max(LENGTHS), 2 * HIDDEN)
    tensors |= {"output": output, "h_n": h_n, "c_n": c_n}
    return {name: np.ascontiguousarray(value) for name, value in tensors.items()}


def reset_before_gru(seed):
    rng = np.random.default_rng(seed)
    draw = lambda *shape: rng.uniform(-0.8, 0.8, shape).astype("f")
    tensors = {"input": draw(len(LENGTHS), max(LENGTHS), INPUTS), "lengths": np.array(LENGTHS)}
    tensors["h_0"] = draw(2, len(LENGTHS), HIDDEN)
    shapes = {"weight_ih": (3 * HIDDEN, INPUTS), "weight_hh": (3 * HIDDEN, HIDDEN)}
    shapes |= {"bias_ih": (3 * HIDDEN,), "bias_hh": (3 * HIDDEN,)}
    for suffix in SUFFIXES:
        tensors |= {name + suffix: draw(*shape) for name, shape in shapes.items()}
    # The gates of ONNX are z, r, h.
    weight = lambda name: np.stack([gates(tensors[name + suffix], [1, 0, 2]) for suffix in SUFFIXES])
    inputs = {
        "X": tensors["input"].swapaxes(0, 1),
        "W": weight("weight_ih"),
        "R": weight("weight_hh"),
        "B": np.concatenate([weight("bias_ih"), weight("bias_hh")], 1),
        "sequence_lens": tensors["lengths"].astype("i"),
        "initial_h": tensors["h_0"],
    }
    y, h_n = run("GRU", inputs, ["Y", "Y_h"], direction="bidirectional", linear_before_reset=0)
    output = y.transpose(2, 0, 1, 3).reshape(len(LENGTHS), max(LENGTHS), 2 * HIDDEN)
    tensors |= {"output": output, "h_n": h_n}
    return {name: np.ascontiguousarray(value) for name, value in tensors.items()}


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    save_file(peephole_lstm(1), FOLDER / "peephole-lstm.safetensors")
    save_file(reset_before_gru(2), FOLDER / "reset-before-gru.safetensors")
