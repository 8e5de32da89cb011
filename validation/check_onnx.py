"""Exports trained models to ONNX, runs them with ONNX Runtime and compares with the predictions of ragged.

    pip install onnx onnxruntime numpy
    python validation/check_onnx.py PATH/TO/ragged [--configurations 60] [--seed 0] [--keep DIR]

Each configuration is drawn at random: cell, layers, directions, merging, readout, biases, initial states, averaged
weights, transforms, losses, and data with targets of every kind, missing values, values that need 64 bits and sequences
without steps. It is trained for a few epochs. ONNX Runtime then gets the test sequences in their order, in batches of
random sizes whose padding is NaN or very large. The exit code is 1 if a model is refused or any prediction differs by
more than 1e-5, relative to the largest prediction where that is above 1.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

TOLERANCE = 1e-5
READOUTS = ["final", "last", "first", "mean", "max", "sum"]


def toml(value):
    """Writes a value as TOML on one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(v)}" for key, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(toml(v) for v in value) + "]"
    return json.dumps(value)


def draw_transforms(rng, missing):
    """Returns a list of transforms after which no value is missing."""
    def transform():
        return rng.choice([
            {"name": "standardize"},
            {"name": "min-max"},
            {"name": "min-max", "low": -1.5, "high": 2.0},
            {"name": "clip", "low": -0.7, "high": 0.9},
            {"name": "difference"},
            {"name": "forward-fill"},
            {"name": "missing-indicator"},
            {"name": "mean-fill"},
            {"name": "truncate", "max_length": rng.randint(1, 6), "keep": rng.choice(["first", "last"])},
        ])

    transforms = [transform() for _ in range(rng.randint(0, 4))]
    if missing:
        transforms.insert(rng.randint(0, len(transforms)), {"name": "mean-fill"})
    return transforms


class Case:
    """A configuration with its data."""

    def __init__(self, rng):
        self.cell = rng.choice(["lstm", "gru", "rnn"])
        self.fixed = rng.random() < 0.15
        self.targets = rng.choice(["classes", "values", "step-classes", "step-values"])
        if self.fixed and self.targets.startswith("step"):
            self.targets = self.targets.removeprefix("step-")
        self.features, self.outputs = rng.randint(1, 4), rng.randint(2, 4)
        self.missing, self.exact = rng.random() < 0.4, rng.random() < 0.15
        self.empty = not self.fixed and rng.random() < 0.7
        self.length = rng.randint(1, 9)
        self.transforms = draw_transforms(rng, self.missing)
        if self.exact:
            # Times have to be scaled: their squares would be too large.
            self.transforms.append({"name": "standardize"})
        model = {"kind": "fixed" if self.fixed else "variable", "cell": self.cell}
        model["hidden_size"], model["num_layers"] = rng.randint(1, 17), rng.randint(1, 3)
        model["bidirectional"] = rng.random() < 0.5
        model["merge"] = rng.choice(["concat", "sum", "mean"])
        model["bias"] = rng.random() < 0.8
        model["trainable_state"] = rng.random() < 0.5
        model["dropout"] = rng.choice([0.0, 0.2])
        if self.cell == "lstm":
            model["peepholes"] = rng.random() < 0.5
        if self.cell == "gru":
            model["reset_after"] = rng.random() < 0.5
        if self.cell == "rnn":
            model["nonlinearity"] = rng.choice(["tanh", "relu"])
        if not self.targets.startswith("step"):
            model["readout"] = rng.choice(READOUTS)
        data = {"dataset": "train.jsonl", "transforms": self.transforms}
        data["valid_fraction"] = rng.choice([0.0, 0.25])
        train = {"epochs": 3, "batch_size": 8, "lr": 0.02, "ema_decay": rng.choice([0.0, 0.9])}
        self.loss = "cross-entropy"
        if self.targets.endswith("values"):
            self.loss = rng.choice(["mse", "gaussian", "quantile", "poisson", "bce"])
            train["loss"] = self.loss
        self.sections = {"model": model, "data": data, "train": train}
        self.seed = rng.randint(0, 1000)

    def config(self):
        lines = [f'name = "onnx"\nseed = {self.seed}']
        for name, section in self.sections.items():
            lines += [f"[{name}]"] + [f"{key} = {toml(value)}" for key, value in section.items()]
        return "\n".join(lines) + "\n"

    def describe(self):
        model = self.sections["model"]
        words = [self.cell, f"{model['num_layers']}x{model['hidden_size']}", self.targets]
        words.append(f"readout {model.get('readout', 'steps')}")
        words += [f"merge {model['merge']}"] if model["bidirectional"] else []
        words += [model["nonlinearity"]] if "nonlinearity" in model else []
        words += [name for name in ("trainable_state", "peepholes") if model.get(name)]
        words += [word for word in ("fixed", "missing", "exact", "empty") if getattr(self, word)]
        words += [] if model["bias"] else ["no bias"]
        words += [self.loss]
        words += [] if model.get("reset_after", True) else ["reset before"]
        return " ".join(words + [transform["name"] for transform in self.transforms])

    def sequences(self, rng, count):
        """Returns sequences `[length, features]`, among them many of equal lengths."""
        sequences = []
        for k in range(count):
            length = self.length if self.fixed else rng.randint(0 if self.empty else 1, self.length)
            if self.empty and k in (1, 2):
                length = 0
            values = np.array([[rng.gauss(0.3, 1.0) for _ in range(self.features)] for _ in range(length)])
            values = values.reshape(length, self.features).astype("f").astype("d")
            if self.exact:
                values[:, 0] = 1.7e9 + 60.0 * np.arange(length) + rng.randint(0, 5000)
            if self.missing:
                hole = [[rng.random() < 0.3 for _ in range(self.features)] for _ in range(length)]
                values[np.array(hole, bool).reshape(values.shape)] = np.nan
            sequences.append(values)
        return sequences

    def target(self, rng, k, length):
        label = lambda: f"class {rng.randint(1, self.outputs)}"
        value = {"poisson": lambda: rng.randint(0, 6), "bce": lambda: rng.randint(0, 1)}.get(
            self.loss, lambda: round(rng.gauss(300.0, 50.0), 4))
        values = lambda: [value() for _ in range(self.outputs)]
        if self.targets == "classes":
            return f"class {k % self.outputs + 1}"
        if self.targets == "values":
            return values()
        return [label() if self.targets == "step-classes" else values() for _ in range(length)]

    def write(self, path, rng, sequences, with_targets):
        lines = []
        for k, sequence in enumerate(sequences):
            steps = [[None if np.isnan(v) else v for v in step] for step in sequence.tolist()]
            line = {"sequence": steps}
            if with_targets:
                line["target"] = self.target(rng, k, len(steps))
            lines.append(json.dumps(line) + "\n")
        path.write_text("".join(lines))


def ragged(binary, folder, *words):
    result = subprocess.run([binary, *map(str, words)], cwd=folder, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"ragged {words[0]}: {result.stderr.strip()}")
    return result.stdout


def predictions_of_ragged(folder):
    """Returns the numbers of each line: a row, or one row per step."""
    found = []
    for line in (folder / "predicted.jsonl").read_text().splitlines():
        line = json.loads(line)
        rows = line["values"] if "values" in line else line["probabilities"]
        if isinstance(rows, dict):
            rows = list(rows.values())
        elif rows and isinstance(rows[0], dict):
            rows = [list(row.values()) for row in rows]
        found.append(np.array(rows, "d"))
    return found


def predictions_of_onnx(rng, session, sequences, features, per_step, kept):
    """Returns the predictions for the sequences, in batches of random sizes with useless padding."""
    dtype = "d" if session.get_inputs()[0].type == "tensor(double)" else "f"
    found, at = [], 0
    while at < len(sequences):
        batch = sequences[at:at + rng.randint(1, 7)]
        at += len(batch)
        lengths = np.array([len(sequence) for sequence in batch], "i8")
        longest = lengths.max() + rng.choice([0, 0, 2])
        x = np.full((len(batch), longest, features), rng.choice([0.0, np.nan, 1e30]), dtype)
        for row, sequence in zip(x, batch):
            row[:len(sequence)] = sequence
        (prediction,) = session.run(None, {"x": x, "lengths": lengths})
        for row, length in zip(prediction, lengths):
            if per_step:
                length = min(length, kept)
                assert not row[length:].any(), "a prediction after the end of a sequence is not zero"
                row = row[:length]
            found.append(row.astype("d"))
    # Sequences without steps as a batch of their own, whose time axis has no element.
    empty = [k for k, sequence in enumerate(sequences) if len(sequence) == 0]
    if empty:
        x, lengths = np.zeros((len(empty), 0, features), dtype), np.zeros(len(empty), "i8")
        (prediction,) = session.run(None, {"x": x, "lengths": lengths})
        for k, row in zip(empty, prediction):
            assert row.shape == found[k].shape and np.allclose(row, found[k], 1e-6, 0), "another result without a time step"
    return found


def check(binary, case, rng, folder):
    """Returns the largest difference, relative to the largest prediction where that is above 1."""
    train, test = case.sequences(rng, 40), case.sequences(rng, 25)
    case.write(folder / "train.jsonl", rng, train, True)
    case.write(folder / "test.jsonl", rng, test, False)
    (folder / "config.toml").write_text(case.config())
    ragged(binary, folder, "train", "--config", "config.toml", "--out", "run")
    ragged(binary, folder, "predict", "run", "test.jsonl", "--output", "predicted.jsonl")
    ragged(binary, folder, "export", "run", "model.onnx")

    model = onnx.load(folder / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    metadata = {prop.key: prop.value for prop in model.metadata_props}
    assert metadata["prediction_per"] == ("step" if case.targets.startswith("step") else "sequence"), metadata
    assert ("labels" in metadata) == case.targets.endswith("classes"), metadata
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    kept = min((t["max_length"] for t in case.transforms if t["name"] == "truncate"), default=case.length)
    want = predictions_of_ragged(folder)
    per_step = case.targets.startswith("step")
    got = predictions_of_onnx(rng, session, test, case.features, per_step, kept)
    assert len(want) == len(got) == len(test)
    for w, g in zip(want, got):
        assert w.size == g.size, f"{g.shape}, expected {w.shape}"
    want, got = (np.concatenate([row.reshape(-1) for row in rows]) for rows in (want, got))
    if not want.size:
        return 0.0
    difference = np.abs(want - got).max()
    assert np.isfinite(difference), "a prediction is not finite"
    return difference / max(1.0, np.abs(want).max())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ragged", type=Path)
    parser.add_argument("--configurations", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a new folder for the files, to look at them afterwards")
    args = parser.parse_args()
    onnxruntime.set_default_logger_severity(3)
    differences, failures = [], 0
    with tempfile.TemporaryDirectory() as temporary:
        for number in range(args.configurations):
            rng = random.Random(f"{args.seed} {number}")
            case = Case(rng)
            folder = (args.keep or Path(temporary)) / str(number)
            folder.mkdir(parents=True)
            try:
                difference = check(args.ragged.resolve(), case, rng, folder)
                word = "same  " if difference <= TOLERANCE else "DIFFER"
                differences.append((difference, number))
                print(f"{word} {difference:.1e}  {number}: {case.describe()}", flush=True)
                failures += difference > TOLERANCE
            except Exception as error:
                failures += 1
                print(f"FAILED {number}: {case.describe()}: {error}", flush=True)
    if differences:
        worst, number = max(differences)
        print(f"largest difference {worst:.1e}, in configuration {number}")
    print(f"{args.configurations - failures} of {args.configurations} configurations agree")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
