"""Checks that pyarrow, pandas and polars read the Parquet files that `ragged convert` writes.

    pip install pyarrow pandas polars
    python validation/check_parquet.py target/debug/ragged

Sequences are drawn at random and written as JSON lines, which `ragged convert` turns into Parquet. Every value, name and
target must come back from the three libraries.
"""

import json
import math
import pathlib
import random
import subprocess
import sys
import tempfile

import pandas
import polars
import pyarrow.parquet as pq

RAGGED = pathlib.Path(sys.argv[1]).resolve()


def number(rng):
    kind = rng.random()
    if kind < 0.1:
        return None
    # Values that 32 bits hold, so that they are written in 32 bits.
    return rng.randrange(-(2**20), 2**20) / 64 if kind < 0.9 else rng.randrange(-5, 5)


def draw(rng):
    """Lines, and the columns that a table of them has."""
    features = [f"f{k} é" for k in range(rng.randrange(1, 4))]
    kind = rng.choice(["class", "value", "step class", "step value", "none"])
    tokens = rng.random() < 0.4
    lines, columns = [], {"series_id": []} | {name: [] for name in features}
    if tokens:
        columns["tokens"] = []
    if kind != "none":
        columns["target"] = []
    for index in range(rng.randrange(3, 30)):
        length = rng.randrange(0, 9) if index else 1
        sequence = {name: [number(rng) for _ in range(length)] for name in features}
        line = {"id": f"s {index}", "sequence": sequence}
        if tokens:
            line["tokens"] = [rng.choice(["door", "", "窓", "a b"]) for _ in range(length)]
        names = ["walk", "run", "é"]
        if kind == "class":
            line["target"] = rng.choice(names)
        elif kind == "value":
            line["target"] = rng.randrange(1000) / 8 + 2
        elif kind == "step class":
            line["target"] = [rng.choice(names) for _ in range(length)]
        elif kind == "step value":
            line["target"] = [[rng.randrange(1000) / 8 + 2] for _ in range(length)]
        lines.append(line)
        columns["series_id"].append(line["id"])
        for name in features:
            columns[name].append([math.nan if v is None else float(v) for v in sequence[name]])
        if tokens:
            columns["tokens"].append(line["tokens"])
        if kind == "step value":
            columns["target"].append([value[0] for value in line["target"]])
        elif kind != "none":
            columns["target"].append(line["target"])
    return lines, columns


def plain(value):
    """Lists and texts of Python, with one NaN."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list):
        return [plain(item) for item in value]
    return "nan" if isinstance(value, float) and math.isnan(value) else value


def main():
    rng = random.Random(7)
    with tempfile.TemporaryDirectory() as folder:
        source, target = pathlib.Path(folder, "in.jsonl"), pathlib.Path(folder, "out.parquet")
        for index in range(60):
            lines, columns = draw(rng)
            source.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
            subprocess.run([RAGGED, "convert", source, target], check=True, capture_output=True)
            expected = {name: plain(values) for name, values in columns.items()}
            table = pq.read_table(target)
            frame = pandas.read_parquet(target)
            frame = {name: [plain(value) for value in frame[name]] for name in frame}
            found = {
                "pyarrow": {name: plain(table[name].to_pylist()) for name in table.column_names},
                "pandas": frame,
                "polars": {c.name: plain(c.to_list()) for c in polars.read_parquet(target)},
            }
            for library, got in found.items():
                assert got == expected, (index, library, got, expected)
    print("60 files: pyarrow, pandas and polars read what was written")


if __name__ == "__main__":
    main()
