#!/usr/bin/env python3
"""Reads the event files of a run with TensorBoard and compares them with the run's metrics.jsonl.

    pip install tensorboard
    python validation/check_tensorboard.py runs/variable-sums/1

Every metric of every epoch must appear exactly once, at the step of the epoch's last update, even if the run was
interrupted and resumed. The same holds for the loss, gradient norm and learning rate of every update.
"""
import json
import pathlib
import struct
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def single(number):
    """Rounds a number to 32 bits."""
    return struct.unpack("f", struct.pack("f", number))[0]


def main(run):
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    tags = set(events.Tags()["scalars"])
    seen = {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in tags}

    compared = 0
    for part in ("train", "valid"):
        for key in records[0].get(part, {}):
            want = [(r["updates"], single(r[part][key])) for r in records if r[part][key] is not None]
            got = seen[f"{part}/{key}"]
            assert got == want, f"{part}/{key}: {got[:3]} ... of {len(got)}, want {want[:3]} ... of {len(want)}"
            compared += len(want)
    updates = list(range(1, records[-1]["updates"] + 1))
    for tag in ("update/loss", "update/grad_norm", "update/lr"):
        steps = [step for step, _ in seen[tag]]
        assert steps == updates, f"{tag}: {len(steps)} steps from {steps[:1]} to {steps[-1:]}, want {len(updates)}"
    files = len(list((run / "tensorboard").iterdir()))
    print(f"{compared} metrics of {len(records)} epochs and {len(updates)} updates agree, read from {files} files; "
          f"tags: {', '.join(sorted(tags))}")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
