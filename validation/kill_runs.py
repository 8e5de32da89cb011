"""Kills training runs with SIGKILL at random moments and compares what the resumed runs write, byte by byte.

    python validation/kill_runs.py PATH/TO/ragged [--configurations 20] [--kills 200] [--seed 0]

Needs only the standard library. Each configuration is drawn at random: cell, layers, directions, dropout, readout,
truncated backpropagation, length buckets, workers, accumulation, averaged weights, schedule, optimiser, early
stopping, checkpoints, and data with an undefined metric or a validation loss that is not finite. The exit code is 1
if any file differs or any run fails.
"""

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FILES = ["metrics.jsonl", "last.safetensors", "best.safetensors"]


def table(rng, kind):
    """Returns a table of 40 sequences: ordinary, with equal targets, or with one extreme value."""
    lines = ["series_id,x,y,target"]
    for k in range(40):
        for _ in range(rng.randint(2, 12)):
            x = "3e38" if kind == "extreme" and k == 7 else f"{rng.random():.4f}"
            target = "0.5" if kind == "constant" else f"{k % 7 / 7:.4f}"
            lines.append(f"s{k},{x},{rng.random():.4f},{target}")
    return "\n".join(lines) + "\n"


def configuration(rng, folder, number):
    """Returns a configuration as TOML and a description of it."""
    source = rng.choice(["sums", "sums", "ordinary", "constant", "extreme"])
    model = {"hidden_size": rng.randint(2, 9), "num_layers": rng.randint(1, 2)}
    train = {"epochs": rng.randint(4, 12), "lr": rng.choice([0.01, 0.002])}
    data, checkpoint = {"workers": rng.randint(0, 2)}, {"keep": rng.randint(1, 3)}
    model["cell"] = "rnn" if source == "extreme" else rng.choice(["lstm", "gru", "rnn"])
    if source == "extreme":
        model["nonlinearity"] = "relu"
    elif rng.random() < 0.3:
        model["bidirectional"] = True
    if rng.random() < 0.5:
        model["dropout"] = model["head_dropout"] = 0.2
    if rng.random() < 0.4:
        model["readout"] = rng.choice(["mean", "max", "last"])
    if source == "sums":
        sums = {"num_samples": 60, "seq_length": 12, "input_size": 2, "held_out": 20}
        if rng.random() < 0.3:
            sums["redraw"] = True
    else:
        (folder / f"table{number}.csv").write_text(table(rng, source))
        data["dataset"] = f"table{number}.csv"
        data["valid_fraction"] = 0.25
        if source == "extreme":
            data["transforms"] = []
    if not model.get("bidirectional") and rng.random() < 0.3:
        train["bptt_steps"] = 3
    if rng.random() < 0.5:
        train["batch_size"] = rng.randint(3, 9)
    else:
        train["max_tokens"] = rng.randint(30, 60)
    if rng.random() < 0.5:
        data["bucket_size"] = 16
    if rng.random() < 0.3:
        train["accumulate"] = 2
    if rng.random() < 0.4:
        train["ema_decay"] = 0.9
    if rng.random() < 0.5:
        train["early_stopping"] = {"patience": rng.randint(3, 9)}
    train["schedule"] = {"name": rng.choice(["constant", "cosine", "plateau"])}
    if train["schedule"]["name"] == "plateau":
        train["schedule"]["patience"] = 1
    train["optimizer"] = {"name": rng.choice(["adam", "adamw", "sgd", "rmsprop"])}
    if rng.random() < 0.7:
        checkpoint["every_steps"] = rng.randint(1, 4)

    def value(v):
        if isinstance(v, dict):
            return "{ " + ", ".join(f"{key} = {value(item)}" for key, item in v.items()) + " }"
        return json.dumps(v)

    sections = {"model": model, "data": data, "train": train, "checkpoint": checkpoint}
    text = f"name = \"kill\"\nseed = {rng.randint(0, 99)}\n"
    for name, section in sections.items():
        text += f"[{name}]\n" + "".join(f"{key} = {value(v)}\n" for key, v in section.items())
    if source == "sums":
        text += "[data.sums]\n" + "".join(f"{key} = {value(v)}\n" for key, v in sums.items())
    return text, source


def content(run):
    files = FILES + sorted(f"top/{path.name}" for path in (run / "top").glob("*"))
    summary = json.loads((run / "summary.json").read_text())
    summary.pop("seconds")
    return {name: (run / name).read_bytes() for name in files if (run / name).exists()}, summary


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("ragged", type=lambda path: str(Path(path).resolve()))
    parser.add_argument("--configurations", type=int, default=20)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng, wrong, kills, refused = random.Random(args.seed), 0, 0, 0
    folder = Path(tempfile.mkdtemp())
    number = done = 0
    while done < args.configurations:
        number += 1
        text, source = configuration(rng, folder, number)
        config = folder / f"{number}.toml"
        config.write_text(text)
        train = [args.ragged, "train", "--config", config.name, "--out"]

        def run(command):
            return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

        whole = f"whole{number}"
        start = time.time()
        process = run(train + [whole])
        error = process.communicate()[1].decode()
        seconds = time.time() - start
        if process.returncode:
            # A combination that is refused, or a training that fails, is not a subject.
            refused += 1
            print(f"{number}: {source}: refused: {error.strip().splitlines()[-1][:100]}")
            continue
        done += 1
        expected = content(folder / whole)
        share = args.kills * done // args.configurations
        attempt = 0
        while kills < share:
            attempt += 1
            name = f"run{number}-{attempt}"
            moments = 0
            while True:
                resume = (folder / name).exists()
                process = run([args.ragged, "train", "--resume", name] if resume else train + [name])
                if kills < share and moments < 4:
                    time.sleep(rng.uniform(0, seconds * 0.9))
                    process.send_signal(signal.SIGKILL)
                error = process.communicate()[1].decode()
                if process.returncode == -signal.SIGKILL:
                    kills += 1
                    moments += 1
                    continue
                if process.returncode or content(folder / name) != expected:
                    wrong += 1
                    print(f"{number}: {source}: {moments} kills: {error.strip()[-200:] or 'other bytes'}\n{text}")
                break
            shutil.rmtree(folder / name)
        print(f"{number}: {source}: {kills} kills, {wrong} wrong")
    shutil.rmtree(folder)
    print(f"{done} configurations, {refused} refused, {kills} kills, {wrong} wrong")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
