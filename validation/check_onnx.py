"""Exports trained models to ONNX, runs them with ONNX Runtime and compares with the predictions of ragged.

    pip install onnx onnxruntime numpy
    python validation/check_onnx.py PATH/TO/ragged [--configurations 60] [--seed 0] [--keep DIR]

Each configuration is drawn at random: cell, layers, directions, merging, readout, attention, biases, initial states,
averaged weights, transforms, losses, and data with targets of every kind, one or several of them, missing values, values
that need 64 bits, sequences without steps, tokens, categories per step and static columns. It is trained for a few
epochs. ONNX Runtime then gets the test sequences in their order, in batches of random sizes whose padding is NaN, very
large or no index of a vocabulary. The exit code is 1 if a model is refused or any prediction differs by more than 1e-5,
relative to the largest prediction where that is above 1.
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
READOUTS = ["final", "last", "first", "mean", "max", "sum", "attention"]
WORDS = ["to", "be", "or", "not", "sleep", "Dream"]


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
        # Sequences of features, lists of tokens, or tables, which may have all kinds of columns.
        self.form = rng.choice(["features", "features", "tokens", "table", "table"])
        table = self.form == "table"
        self.categories = rng.randint(0, 2) if table else int(self.form == "tokens")
        self.static_numbers, self.static_categories = (rng.randint(0, 2) if table else 0 for _ in range(2))
        self.heads = table and rng.random() < 0.5
        self.fixed = self.form == "features" and rng.random() < 0.15
        self.targets = rng.choice(["classes", "values", "step-classes", "step-values"])
        if self.fixed and self.targets.startswith("step"):
            self.targets = self.targets.removeprefix("step-")
        self.features, self.outputs = rng.randint(1, 4), rng.randint(2, 4)
        if self.form == "tokens" or self.categories and rng.random() < 0.3:
            self.features = 0
        self.missing, self.exact = rng.random() < 0.4, self.features > 0 and rng.random() < 0.15
        self.empty = not self.fixed and not table and rng.random() < 0.7
        # A table whose series have one step each does not say whether its targets are per step.
        self.length = rng.randint(2 if table else 1, 9)
        self.transforms = draw_transforms(rng, self.missing)
        if not self.features:
            self.transforms = [t for t in self.transforms if t["name"] == "truncate"]
        if self.exact:
            # Times have to be scaled: their squares would be too large.
            self.transforms.append({"name": "standardize"})
        model = {"kind": "fixed" if self.fixed else "variable", "cell": self.cell}
        model["hidden_size"], model["num_layers"] = rng.randint(1, 17), rng.randint(1, 3)
        model["bidirectional"] = rng.random() < 0.5
        model["merge"] = rng.choice(["concat", "sum", "mean"])
        model["bias"] = rng.random() < 0.8
        model["trainable_state"] = rng.random() < 0.5
        if self.static_numbers + self.static_categories:
            model["static"] = rng.choice(["head", "state"])
            model["static_size"] = rng.randint(1, 5)
            model["trainable_state"] &= model["static"] == "head"
        model["dropout"] = rng.choice([0.0, 0.2])
        if self.cell == "lstm":
            model["peepholes"] = rng.random() < 0.5
        if self.cell == "gru":
            model["reset_after"] = rng.random() < 0.5
        if self.cell == "rnn":
            model["nonlinearity"] = rng.choice(["tanh", "relu"])
        if not self.targets.startswith("step"):
            model["readout"] = rng.choice(READOUTS)
            if model["readout"] == "attention":
                model["attention"] = {"size": rng.randint(1, 9), "heads": rng.randint(1, 3)}
        self.suffix = "csv" if table else "jsonl"
        data = {"dataset": f"train.{self.suffix}", "transforms": self.transforms}
        if table:
            types = {name: "static-number" if name.startswith("size") else "static-category"
                     for name in self.static_columns()}
            types |= {f"word{k}": "category" for k in range(self.categories)}
            targets = ["activity", "speed"] if self.heads else ["target"]
            types |= {"activity": "target-category", "speed": "target-number"} if self.heads else {}
            data["read"] = {"csv": {"types": types, "targets": targets}}
            if not self.heads and self.targets.endswith("values"):
                # One column of 0 and 1 would be classes.
                data["read"]["task"] = self.targets.replace("values", "regression")
                self.outputs = 1
        if self.categories and rng.random() < 0.5:
            data["vocabulary"] = {"lowercase": True}
        data["valid_fraction"] = rng.choice([0.0, 0.25])
        train = {"epochs": 3, "batch_size": 8, "lr": 0.02, "ema_decay": rng.choice([0.0, 0.9])}
        self.loss = "cross-entropy"
        sections = {}
        if self.heads:
            self.loss = rng.choice(["mse", "gaussian", "quantile"])
            sections["train.heads.speed"] = {"loss": self.loss}
        elif self.targets.endswith("values"):
            self.loss = rng.choice(["mse", "gaussian", "quantile", "poisson", "bce"])
            train["loss"] = self.loss
        if self.categories:
            sections["model.embedding"] = {"size": rng.randint(1, 6)}
        self.sections = {"model": model, "data": data, "train": train} | sections
        self.seed = rng.randint(0, 1000)

    def config(self):
        lines = [f'name = "onnx"\nseed = {self.seed}']
        for name, section in self.sections.items():
            lines += [f"[{name}]"] + [f"{key} = {toml(value)}" for key, value in section.items()]
        return "\n".join(lines) + "\n"

    def static_columns(self):
        """Returns the names of the static columns, the numbers first."""
        return [f"size{k}" for k in range(self.static_numbers)] + [f"place{k}" for k in range(self.static_categories)]

    def describe(self):
        model = self.sections["model"]
        words = [self.cell, f"{model['num_layers']}x{model['hidden_size']}", self.form, self.targets]
        words += [f"{self.categories} token columns"] if self.categories else []
        words += [f"{model['static']} {' '.join(self.static_columns())}"] if self.static_columns() else []
        words += ["several heads"] if self.heads else []
        words.append(f"readout {model.get('readout', 'steps')}")
        words += [f"merge {model['merge']}"] if model["bidirectional"] else []
        words += [model["nonlinearity"]] if "nonlinearity" in model else []
        words += [name for name in ("trainable_state", "peepholes") if model.get(name)]
        words += [word for word in ("fixed", "missing", "exact", "empty") if getattr(self, word)]
        words += [] if model["bias"] else ["no bias"]
        words += [self.loss]
        words += [] if model.get("reset_after", True) else ["reset before"]
        return " ".join(words + [transform["name"] for transform in self.transforms])

    def words(self, rng, length, unknown):
        """Returns tokens `[length, columns]`."""
        known = WORDS + (["unheard", "BE"] if unknown else [])
        return [[rng.choice(known) for _ in range(self.categories)] for _ in range(length)]

    def statics(self, rng, unknown):
        """Returns the numbers, of which some are missing, and the categories of a sequence."""
        numbers = [rng.choice([round(rng.gauss(500, 200), 2), float("nan")]) for _ in range(self.static_numbers)]
        known = ["north", "south", "east"] + (["nowhere"] if unknown else [])
        return numbers, [rng.choice(known) for _ in range(self.static_categories)]

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

    def write(self, path, rng, sequences, words, statics, with_targets):
        if self.form == "table":
            return self.write_table(path, rng, sequences, words, statics, with_targets)
        lines = []
        for k, sequence in enumerate(sequences):
            steps = [[None if np.isnan(v) else v for v in step] for step in sequence.tolist()]
            line = {"sequence": steps} if self.form == "features" else {"tokens": [word for (word,) in words[k]]}
            if with_targets:
                line["target"] = self.target(rng, k, len(steps))
            lines.append(json.dumps(line) + "\n")
        path.write_text("".join(lines))

    def write_table(self, path, rng, sequences, words, statics, with_targets):
        names = [f"x{k}" for k in range(self.features)] + [f"word{k}" for k in range(self.categories)]
        names += self.static_columns()
        names += (["activity", "speed"] if self.heads else ["target"]) if with_targets else []
        rows = [",".join(["series_id", *names])]
        cell = lambda v: "" if isinstance(v, float) and np.isnan(v) else str(v)
        for k, sequence in enumerate(sequences):
            per_step = self.targets.startswith("step")
            value = {"poisson": lambda: rng.randint(0, 6), "bce": lambda: rng.randint(0, 1)}.get(
                self.loss, lambda: round(rng.gauss(300.0, 50.0), 4))
            several = lambda t: [f"class {(k + t) % self.outputs + 1}", value()]
            one = lambda t: [several(t)[0] if self.targets.endswith("classes") else value()]
            targets = several if self.heads else one
            fixed = targets(0)
            for t, step in enumerate(sequence.tolist()):
                cells = [f"s{k}", *map(cell, step), *words[k][t], *map(cell, statics[k][0]), *statics[k][1]]
                cells += map(str, targets(t) if per_step else fixed) if with_targets else []
                rows.append(",".join(cells))
        path.write_text("\n".join(rows) + "\n")


def ragged(binary, folder, *words):
    result = subprocess.run([binary, *map(str, words)], cwd=folder, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"ragged {words[0]}: {result.stderr.strip()}")
    return result.stdout


def predictions_of_ragged(folder, heads):
    """Returns the numbers of each line for each output: a row, or one row per step."""
    found = []
    for line in (folder / "predicted.jsonl").read_text().splitlines():
        line = json.loads(line)
        parts = [line["heads"][name] for name in heads] if heads else [line]
        rows = []
        for part in parts:
            part = part["values"] if "values" in part else part["probabilities"]
            if isinstance(part, dict):
                part = list(part.values())
            elif part and isinstance(part[0], dict):
                part = [list(row.values()) for row in part]
            rows.append(np.array(part, "d"))
        found.append(rows)
    return found


def indices(vocabularies, rows):
    """Returns the index of each text of rows, whose columns have a vocabulary each."""
    found = []
    for row in rows:
        found.append([])
        for vocabulary, text in zip(vocabularies, row):
            text = text.lower() if vocabulary["lowercase"] else text
            known = vocabulary["tokens"]
            found[-1].append(known.index(text) if text in known[1:] else vocabulary["unknown"])
    return found


class Feeds:
    """Makes the inputs of a graph from sequences with their tokens and static values."""

    def __init__(self, case, session, metadata):
        self.case, self.inputs = case, {given.name: given.type for given in session.get_inputs()}
        self.tokens = json.loads(metadata.get("vocabularies", "[]"))
        self.categories = json.loads(metadata.get("static_categories", "[]"))
        assert (len(self.tokens), len(self.categories)) == (case.categories, case.static_categories), metadata

    def make(self, rng, sequences, words, statics, longest):
        """Returns the inputs of a batch, which is padded with useless values."""
        case, batch = self.case, len(sequences)
        feeds = {"lengths": np.array([len(sequence) for sequence in sequences], "i8")}
        if case.features:
            dtype = "d" if self.inputs["x"] == "tensor(double)" else "f"
            x = np.full((batch, longest, case.features), rng.choice([0.0, np.nan, 1e30]), dtype)
            for row, sequence in zip(x, sequences):
                row[:len(sequence)] = sequence
            feeds["x"] = x
        if case.categories:
            ids = np.full((batch, longest, case.categories), rng.choice([0, -7, 10**9]), "i8")
            for row, tokens in zip(ids, words):
                row[:len(tokens)] = np.array(indices(self.tokens, tokens), "i8").reshape(-1, case.categories)
            feeds["tokens"] = ids[:, :, 0] if case.categories == 1 else ids
        if case.static_numbers:
            feeds["static_numbers"] = np.array([numbers for numbers, _ in statics], "d")
        if case.static_categories:
            categories = indices(self.categories, [categories for _, categories in statics])
            feeds["static_categories"] = np.array(categories, "i8")
        assert feeds.keys() == self.inputs.keys(), f"inputs {list(self.inputs)}, expected {list(feeds)}"
        return feeds


def predictions_of_onnx(rng, session, feeds, examples, per_step, kept):
    """Returns the predictions for the sequences, in batches of random sizes with useless padding."""
    found, at = [], 0
    while at < len(examples):
        batch = examples[at:at + rng.randint(1, 7)]
        at += len(batch)
        sequences, words, statics = zip(*batch)
        longest = max(map(len, sequences)) + rng.choice([0, 0, 2])
        outputs = session.run(None, feeds.make(rng, sequences, words, statics, longest))
        for k, sequence in enumerate(sequences):
            rows, length = [output[k] for output in outputs], min(len(sequence), kept)
            for row in rows if per_step else []:
                assert not row[length:].any(), "a prediction after the end of a sequence is not zero"
            found.append([(row[:length] if per_step else row).astype("d") for row in rows])
    # Sequences without steps as a batch of their own, whose time axis has no element.
    empty = [k for k, example in enumerate(examples) if len(example[0]) == 0]
    if empty:
        outputs = session.run(None, feeds.make(rng, *zip(*(examples[k] for k in empty)), 0))
        for at, k in enumerate(empty):
            for row, before in zip((output[at] for output in outputs), found[k], strict=True):
                same = row.shape == before.shape and np.allclose(row, before, 1e-6, 0)
                assert same, "another result without a time step"
    return found


def check(binary, case, rng, folder):
    """Returns the largest difference, relative to the largest prediction where that is above 1."""
    examples = {}
    for part, count in [("train", 40), ("test", 25)]:
        sequences = case.sequences(rng, count)
        words = [case.words(rng, len(sequence), part == "test") for sequence in sequences]
        statics = [case.statics(rng, part == "test") for _ in sequences]
        case.write(folder / f"{part}.{case.suffix}", rng, sequences, words, statics, part == "train")
        examples[part] = list(zip(sequences, words, statics))
    test = examples["test"]
    (folder / "config.toml").write_text(case.config())
    ragged(binary, folder, "train", "--config", "config.toml", "--out", "run")
    ragged(binary, folder, "predict", "run", f"test.{case.suffix}", "--output", "predicted.jsonl")
    ragged(binary, folder, "export", "run", "model.onnx")

    model = onnx.load(folder / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    metadata = {prop.key: prop.value for prop in model.metadata_props}
    per_step = case.targets.startswith("step")
    assert metadata["prediction_per"] == ("step" if per_step else "sequence"), metadata
    assert ("labels" in metadata) == (case.targets.endswith("classes") and not case.heads), metadata
    heads = json.loads(metadata.get("heads", "[]"))
    assert [head["name"] for head in heads] == (["activity", "speed"] if case.heads else []), metadata
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    assert names == ([head["output"] for head in heads] or ["prediction"]), names
    kept = min((t["max_length"] for t in case.transforms if t["name"] == "truncate"), default=case.length)
    want = predictions_of_ragged(folder, [head["name"] for head in heads])
    got = predictions_of_onnx(rng, session, Feeds(case, session, metadata), test, per_step, kept)
    assert len(want) == len(got) == len(test)
    worst = 0.0
    for want, got in zip(zip(*want), zip(*got), strict=True):
        for w, g in zip(want, got):
            assert w.size == g.size, f"{g.shape}, expected {w.shape}"
        want, got = (np.concatenate([row.reshape(-1) for row in rows]) for rows in (want, got))
        if not want.size:
            continue
        difference = np.abs(want - got).max()
        assert np.isfinite(difference), "a prediction is not finite"
        worst = max(worst, difference / max(1.0, np.abs(want).max()))
    return worst


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
