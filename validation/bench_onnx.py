"""Compares the speed of `ragged-runtime` with that of ONNX Runtime, on exported models and one thread.

    cargo build --release -p ragged-cli
    cargo build --release -p ragged-runtime --example time_predictions
    python validation/bench_onnx.py target/release/ragged target/release/examples/time_predictions

Needs numpy and onnxruntime. Trains LSTMs of several sizes for one epoch on data of its own. Batches have B sequences of
T / 2 to T steps, which ONNX Runtime receives with padding. All times are medians in microseconds.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime

SIZES = [(64, 128), (128, 256), (256, 512)]
CELLS = [(1, 10), (1, 100), (8, 10), (8, 100), (64, 10), (64, 100)]
CONFIG = """name = "bench"
[model]
hidden_size = {hidden}
[data]
dataset = "data.jsonl"
[train]
epochs = 1
"""


def train(ragged: Path, folder: Path, features: int, hidden: int) -> None:
    """Trains a model in `folder`, and exports it."""
    rng = np.random.default_rng(0)
    with open(folder / "data.jsonl", "w") as file:
        for _ in range(20):
            sequence = rng.normal(size=(5, features)).round(2).tolist()
            target = float(rng.normal())
            file.write(json.dumps({"sequence": sequence, "target": target}) + "\n")
    (folder / "config.toml").write_text(CONFIG.format(hidden=hidden))
    for command in (["train", "--config", "config.toml"], ["export", "runs/bench/1", "model.onnx"]):
        subprocess.run([ragged, *command], cwd=folder, check=True, capture_output=True)


def median(call) -> float:
    """Returns the median time of a call, in microseconds."""
    begin, times = time.perf_counter(), []
    while time.perf_counter() < begin + 0.5 or len(times) < 5:
        start = time.perf_counter()
        call()
        times.append(1e6 * (time.perf_counter() - start))
    return float(np.median(times))


def time_onnx(model: Path, features: int) -> dict[str, float]:
    """Times ONNX Runtime: a step (a batch of one step), and every cell."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, ["CPUExecutionProvider"])
    found = {}
    for name, count, steps in [("step", 1, 1)] + [(f"{b}x{t}", b, t) for b, t in CELLS]:
        lengths = np.array([steps - k * steps // (2 * count) for k in range(count)])
        x = np.sin(0.37 * np.arange(count * steps * features)).astype(np.float32)
        inputs = {"x": x.reshape(count, steps, features), "lengths": lengths}
        found[name] = median(lambda: session.run(None, inputs))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ragged", type=Path)
    parser.add_argument("time_predictions", type=Path)
    arguments = parser.parse_args()
    ragged, ours = arguments.ragged.resolve(), arguments.time_predictions.resolve()
    print(f"{'I, H':>9} {'B x T':>8} {'ONNX Runtime':>13} {'ragged-runtime':>15} {'ratio':>6}")
    for features, hidden in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            train(ragged, Path(folder), features, hidden)
            theirs = time_onnx(Path(folder) / "model.onnx", features)
            command = [ours, Path(folder) / "runs/bench/1", *[f"{b}x{t}" for b, t in CELLS]]
            environment = {**os.environ, "RAYON_NUM_THREADS": "1"}
            output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
            times = dict(line.split() for line in output.stdout.splitlines())
        for name, peer in theirs.items():
            time_ours = float(times[name])
            size = f"{features}, {hidden}"
            print(f"{size:>9} {name:>8} {peer:13.1f} {time_ours:15.1f} {peer / time_ours:6.2f}")


if __name__ == "__main__":
    main()
