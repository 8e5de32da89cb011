"""Compares the .ts reader with aeon's, by a checksum over all values and labels of real files.

    python validation/check_readers.py PATH.ts...

Needs aeon from PyPI, which includes some data sets of the archive (aeon/datasets/data). Prints one line per
file; the exit code is 1 if any file differs. aeon refuses `@timeStamps true`, so this script parses such
files itself.
"""

import hashlib
import re
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
from aeon.datasets import load_from_ts_file


def with_timestamps(path):
    """Returns the values and labels of a file with one dimension of (time,value) pairs."""
    series, labels = [], []
    for line in Path(path).read_text().split("@data")[1].strip().splitlines():
        values, label = line.rsplit(":", 1)
        series.append([[float(v) for v in re.findall(r",([^,()]+)\)", values)]])
        labels.append(label)
    return [np.array(s) for s in series], np.array(labels)


def fingerprint(path):
    """Returns the checksum that `InMemory::fingerprint` describes."""
    if re.search(r"@timestamps\s+true", Path(path).read_text(), re.IGNORECASE):
        series, labels = with_timestamps(path)
    else:
        series, labels = load_from_ts_file(str(path), return_type="np-list")
    # aeon converts labels to lower case; the header has the original spelling.
    declared = re.search(r"@classlabel\s+true\s+(.*)", Path(path).read_text(), re.IGNORECASE)
    spelling = {label.lower(): label for label in declared[1].split()} if declared else {}
    total = hashlib.sha256()
    for values, label in zip(series, labels):
        values = np.atleast_2d(np.asarray(values)).T.astype("<f4")  # [steps, dimensions]
        values = np.where(np.isnan(values), np.float32(np.nan), values)
        total.update(struct.pack("<Q", len(values)) + np.ascontiguousarray(values, "<f4").tobytes())
        if isinstance(label, str):
            total.update(spelling[label.lower()].encode() + b"\n")
        else:
            total.update(struct.pack("<f", label))
    return total.hexdigest()


def ours(path):
    command = ["cargo", "run", "--quiet", "-p", "ragged-datasets", "--example", "inspect", "--", str(path)]
    out = subprocess.run(command, capture_output=True, text=True)
    if out.returncode:
        return out.stderr.strip()
    return next(line.split()[1] for line in out.stdout.splitlines() if line.startswith("sha256"))


def main(paths):
    wrong = 0
    for path in paths:
        theirs, own = fingerprint(path), ours(path)
        wrong += theirs != own
        print("same  " if theirs == own else "DIFFER", theirs[:16], own[:16] if theirs == own else own, path)
    print(f"{len(paths) - wrong} of {len(paths)} files agree")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
