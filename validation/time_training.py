#!/usr/bin/env python3
"""Trains the same run in ragged and then in PyTorch, and compares the wall times.

    pip install torch safetensors numpy tensorboard
    python validation/time_training.py configs/sum-variable.toml --target r2=0.99
    python validation/time_training.py configs/japanese-vowels.toml --target accuracy=0.95 \\
        data.dir=data data.valid_fraction=0.2
    python validation/time_training.py configs/polarity.toml --target accuracy=0.7 data.dataset=polarity_TRAIN.jsonl

Both sides use the same model, initial weights, optimiser, learning rates, examples and batch order, which
`cargo run --example export_run` writes. Both train with as many threads as the machine has and evaluate the validation
data after every epoch. The time of ragged includes checkpoints and metrics. The data for PyTorch is in memory before its
clock starts, and its import is not counted. The last metrics of both sides are printed; they should be similar. Dropout
draws other masks on both sides. With `[model.characters]`, PyTorch reads the characters of every word of a batch, as its
users do; ragged reads each distinct word once.
"""
import argparse
import json
import pathlib
import subprocess
import tempfile
import time
from itertools import accumulate

import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Characters(torch.nn.Module):
    """Reads words character by character and returns the final states."""

    def __init__(self, section, table):
        super().__init__()
        self.embedding = torch.nn.Embedding(*table)
        self.lstm = torch.nn.LSTM(table[1], section["hidden_size"], bidirectional=section["bidirectional"])

    def forward(self, words):
        lengths = [len(word) for word in words]
        packed = pack_padded_sequence(self.embedding(pad_sequence(words)), lengths, enforce_sorted=False)
        return torch.cat(list(self.lstm(packed)[1][0]), dim=-1)


class TokenModel(torch.nn.Module):
    """Embeddings of words, and of their characters if configured; then the layer, the readout and the head."""

    def __init__(self, section, shapes, outputs):
        super().__init__()
        tokens, self.steps = section["embedding"], section.get("readout")
        self.embedding = torch.nn.Embedding(*shapes["embedding.weight"])
        self.embedding_dropout, self.word_dropout = torch.nn.Dropout(tokens["dropout"]), tokens["word_dropout"]
        features = shapes["embedding.weight"][1]
        self.inner = None
        if characters := section.get("characters"):
            self.inner = Characters(characters, shapes["inner.embedding.weight"])
            features += characters["hidden_size"] * (1 + characters["bidirectional"])
        hidden, self.directions = section["hidden_size"], 1 + section["bidirectional"]
        self.lstm = torch.nn.LSTM(features, hidden, section["num_layers"], batch_first=True,
                                  bidirectional=section["bidirectional"])
        self.dropout = torch.nn.Dropout(section["head_dropout"])
        self.linear = torch.nn.Linear(hidden * self.directions, outputs)

    def forward(self, sequences, lengths, per_step):
        ids = torch.cat([ids for ids, _ in sequences])
        if self.training and self.word_dropout > 0:
            ids = ids.masked_fill(torch.rand(ids.shape) < self.word_dropout, 0)
        rows = self.embedding(ids)
        if self.inner is not None:
            rows = torch.cat([rows, self.inner([word for _, words in sequences for word in words])], dim=-1)
        padded = pad_sequence(self.embedding_dropout(rows).split(lengths.tolist()), batch_first=True)
        packed = pack_padded_sequence(padded, lengths, batch_first=True, enforce_sorted=False)
        output, (h_n, _) = self.lstm(packed)
        if per_step:
            padded, _ = pad_packed_sequence(output, batch_first=True)
            rows = torch.cat([row[:length] for row, length in zip(padded, lengths)])
        elif self.steps == "max":
            rows = pad_packed_sequence(output, batch_first=True, padding_value=-torch.inf)[0].amax(1)
        else:
            rows = torch.cat(list(h_n[-self.directions:]), dim=-1)
        return self.linear(self.dropout(rows))


class Model(torch.nn.Module):
    def __init__(self, section, features, outputs):
        super().__init__()
        self.variable = section["kind"] == "variable"
        hidden, self.directions = section["hidden_size"], 1 + section["bidirectional"]
        self.lstm = torch.nn.LSTM(features, hidden, section["num_layers"], bias=section["bias"], batch_first=True,
                                  dropout=section["dropout"], bidirectional=section["bidirectional"])
        self.dropout = torch.nn.Dropout(section["head_dropout"])
        self.linear = torch.nn.Linear(hidden * self.directions, outputs)

    def forward(self, sequences, lengths, per_step):
        if not self.variable:
            return self.linear(self.dropout(self.lstm(torch.stack(sequences))[0][:, -1]))
        padded = pad_sequence(sequences, batch_first=True)
        packed = pack_padded_sequence(padded, lengths, batch_first=True, enforce_sorted=False)
        h_n = self.lstm(packed)[1][0]
        return self.linear(self.dropout(torch.cat(list(h_n[-self.directions:]), dim=-1)))


def batches(path):
    tensors = load_file(path)
    lengths = tensors["lengths"].tolist()
    sequences, targets = tensors["values"].split(lengths), tensors["targets"]
    if tensors["ids"].shape[1] > 0:
        ids = tensors["ids"][:, 0].split(lengths)
        words = tensors["characters"].split(tensors["spelled_lengths"].tolist())
        starts = accumulate(lengths, initial=0)
        sequences = [(row, words[start:start + len(row)]) for row, start in zip(ids, starts)]
    per_step = len(targets) != len(lengths)
    targets = targets.split(lengths) if per_step else targets.split(1)
    start = 0
    for size in tensors["batches"].tolist():
        rows = slice(start, start + size)
        yield list(sequences[rows]), tensors["lengths"][rows], torch.cat(targets[rows]), per_step
        start += size


def score(model, data, classes):
    """Returns R2, or the accuracy for classes."""
    model.eval()
    with torch.inference_mode():
        predictions = torch.cat([model(sequences, lengths, per_step) for sequences, lengths, _, per_step in data])
    model.train()
    targets = torch.cat([target for _, _, target, _ in data])
    if classes:
        return (predictions.argmax(1) == targets).double().mean().item()
    errors = (predictions.double() - targets.double()).square().sum()
    return (1 - errors / (targets.double() - targets.double().mean()).square().sum()).item()


def train_pytorch(folder, target):
    run = json.loads((folder / "run.json").read_text())
    config, classes = run["config"]["train"], run["classes"]
    initial, section = load_file(folder / "initial.safetensors"), run["config"]["model"]
    if run["vocabularies"]:
        model = TokenModel(section, {name: tensor.shape for name, tensor in initial.items()}, run["outputs"])
    else:
        model = Model(section, run["features"], run["outputs"])
    model.load_state_dict(initial)
    options = {key: value for key, value in config["optimizer"].items() if key != "name"}
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD,
            "rmsprop": torch.optim.RMSprop}[config["optimizer"]["name"]]
    optimizer = kind(model.parameters(), lr=config["lr"], **options)
    loss = torch.nn.functional.cross_entropy if classes else torch.nn.functional.mse_loss
    valid = list(batches(folder / "valid.safetensors")) if (folder / "valid.safetensors").exists() else None
    rates = iter(run["rates"])
    seconds, reached, last = 0.0, None, None
    for epoch in range(config["epochs"]):
        data = list(batches(folder / f"epoch-{epoch}.safetensors"))
        start = time.perf_counter()
        for sequences, lengths, target_values, per_step in data:
            lr, momentum = next(rates)
            group = optimizer.param_groups[0]
            group["lr"] = lr
            if momentum is not None:
                group["betas"] = (momentum, group["betas"][1])
            optimizer.zero_grad()
            loss(model(sequences, lengths, per_step), target_values).backward()
            if config["clip_grad_norm"] > 0:
                torch.nn.utils.clip_grad_norm_(model.parameters(), config["clip_grad_norm"])
            optimizer.step()
        if valid:
            last = score(model, valid, classes)
        seconds += time.perf_counter() - start
        if reached is None and last is not None and last >= target:
            reached = seconds
    return seconds, reached, last


def train_ours(config, overrides, folder, metric, target):
    sets = [word for pair in overrides for word in ("--set", pair)]
    subprocess.run(["cargo", "xtask", "train", "--config", config, "--out", folder, *sets], cwd=ROOT, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds = json.loads((folder / "summary.json").read_text())["seconds"]
    record = json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])
    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    if "valid" not in record:
        return seconds, None, None
    end = max(event.wall_time for event in events.Scalars("train/loss"))
    times = [event.wall_time for event in events.Scalars(f"valid/{metric}") if event.value >= target]
    # The run's own clock also covers the test and the plots, which follow its last event.
    reached = seconds - (end - min(times)) if times else None
    return seconds, reached, record["valid"][metric]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("config")
    parser.add_argument("--target", required=True, metavar="METRIC=VALUE")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    args = parser.parse_intermixed_args()
    metric, target = args.target.split("=")
    build = ["cargo", "build", "--release", "--package", "xtask", "--package", "ragged-train", "--example", "export_run",
             "--bin", "xtask"]
    subprocess.run(build, cwd=ROOT, check=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        export = ["cargo", "run", "--quiet", "--release", "--package", "ragged-train", "--example", "export_run", "--"]
        subprocess.run([*export, args.config, folder, *args.overrides], cwd=ROOT, check=True)
        ours = train_ours(args.config, args.overrides, folder / "run", metric, float(target))
        theirs = train_pytorch(folder, float(target))
    show = lambda number: "-" if number is None else f"{number:.2f} s"
    print(f"{args.config}, {torch.get_num_threads()} threads, PyTorch {torch.__version__}")
    print(f"{'':10}{'whole run':>12}{f'to {args.target}':>20}{f'last {metric}':>16}")
    for name, (whole, reached, last) in (("ragged", ours), ("PyTorch", theirs)):
        print(f"{name:10}{show(whole):>12}{show(reached):>20}{'-' if last is None else f'{last:.4f}':>16}")
    ratio = f"PyTorch's time over ours: {theirs[0] / ours[0]:.2f}"
    if ours[1] and theirs[1]:
        ratio += f", to the target {theirs[1] / ours[1]:.2f}"
    print(ratio)


if __name__ == "__main__":
    main()
