"""Writes small Parquet files of many kinds, and their content as JSON lines.

    pip install pyarrow==26.0.1 pandas==3.0.6 polars==2.1.0
    python validation/generate_parquet_fixtures.py

The files are committed, so that the tests need no Python. Each `NAME.parquet` has the sequences of `NAME.jsonl`, which
is written from the same Python lists. Those in `bad` are refused.
"""

import datetime
import json
import math
import pathlib
from decimal import Decimal

import pandas
import polars
import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = pathlib.Path(__file__).parent.parent / "crates/ragged-datasets/tests/parquet"
BAD = FOLDER / "bad"


def lines(name, rows):
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (FOLDER / f"{name}.jsonl").write_text(text, encoding="utf-8")


def write(name, table, **options):
    options = {"compression": "snappy", **options}
    pq.write_table(table, FOLDER / f"{name}.parquet", **options)


def sequences(seed, count=7):
    """Sequences of 0 to 5 steps of two features with values that 32 bits hold."""
    state = seed
    result = []
    for index in range(count):
        rows = []
        for _ in range((index * 3 + seed) % 6):
            state = (state * 1103515245 + 12345) % 2**31
            rows.append([(state % 2000 - 1000) / 8, (state // 2000 % 512) / 64])
        result.append(rows)
    return result


def list_form():
    data = sequences(1)
    speed = [[row[0] for row in rows] for rows in data]
    height = [[row[1] for row in rows] for rows in data]
    target = ["walk" if index % 3 else "run" for index in range(len(data))]
    ids = [f"s{index}" for index in range(len(data))]
    expected = [
        {"id": i, "sequence": {"speed": s, "height": h}, "target": t}
        for i, s, h, t in zip(ids, speed, height, target, strict=True)
    ]
    lines("list", expected)
    table = pa.table({"series_id": ids, "speed": speed, "height": height, "target": target})
    write("list", table, row_group_size=2)
    # The same with other types: dictionaries, large lists and texts, fixed widths, 64 bits.
    types = {
        "height": pa.large_list(pa.float64()),
        "target": pa.dictionary(pa.int32(), pa.large_string()),
        "speed": pa.list_(pa.decimal128(12, 3)),
        "series_id": pa.large_string(),
    }
    decimals = [[Decimal(value) for value in row] for row in speed]
    columns = {"height": height, "target": target, "speed": decimals, "series_id": ids}
    lines("list-types", expected)
    other = pa.table({name: pa.array(values, types[name]) for name, values in columns.items()})
    write("list-types", other, compression="gzip", data_page_version="2.0")
    # As polars writes it.
    frame = polars.DataFrame({"series_id": ids, "speed": speed, "height": height, "target": target})
    lines("polars", expected)
    frame.write_parquet(FOLDER / "polars.parquet", compression="lz4")


def steps():
    """Targets for each step, and tokens next to numbers."""
    data = sequences(4)
    x = [[row[0] for row in rows] for rows in data]
    words = [["door" if value > 0 else "window" for value in row] for row in x]
    target = [["A" if value > 10 else "B" for value in row] for row in x]
    rows = zip(x, words, target, strict=True)
    lines("steps", [{"sequence": {"x": a}, "tokens": w, "target": t} for a, w, t in rows])
    write("steps", pa.table({"x": x, "tokens": words, "target": target}), row_group_size=3)
    value = [[[v / 4] for v in row] for row in x]
    lines("step-values", [{"sequence": {"x": a}, "target": t} for a, t in zip(x, value, strict=True)])
    flat = [[v[0] for v in row] for row in value]
    write("step-values", pa.table({"x": pa.array(x, pa.list_(pa.float32())), "target": flat}))


def long_form():
    """Rows in no order of series, with times, nulls and integers."""
    data = [rows for rows in sequences(2) if rows]
    rows = []
    for index, steps in enumerate(data):
        for t, (speed, height) in enumerate(steps):
            missing = (index + t) % 4 == 3
            rows.append((f"s{index}", t, speed, None if missing else int(height * 64), 0.5 * index))
    rows.sort(key=lambda row: (row[1] % 2, row[0], -row[1]))
    order = list(dict.fromkeys(row[0] for row in rows))
    expected = []
    for name in order:
        mine = sorted((row for row in rows if row[0] == name), key=lambda row: row[1])
        sequence = {"speed": [row[2] for row in mine], "count": [row[3] for row in mine]}
        expected.append({"id": name, "sequence": sequence, "target": mine[0][4]})
    lines("long", expected)
    lines("long-pandas", expected)
    begin = datetime.datetime(2024, 3, 31, 23, 30)
    names = ["series_id", "time", "speed", "count", "target"]
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    times = [begin + datetime.timedelta(microseconds=t) for t in columns["time"]]
    types = {
        "series_id": pa.array(columns["series_id"], pa.dictionary(pa.int8(), pa.string())),
        "time": pa.array(times, pa.timestamp("us", tz="UTC")),
        "speed": pa.array(columns["speed"], pa.float16()),
        "count": pa.array(columns["count"], pa.uint16()),
        "target": pa.array(columns["target"], pa.float64()),
    }
    write("long", pa.table(types), row_group_size=5)
    frame = pandas.DataFrame({**columns, "time": pandas.to_datetime(times)})
    frame["count"] = frame["count"].astype("Int64")
    # Its index is written as a column, since it is not a range.
    frame.index = list(range(len(frame), 0, -1))
    frame.to_parquet(FOLDER / "long-pandas.parquet", compression="snappy", engine="pyarrow")


def texts():
    texts = ["a pleasant film .", "a dull film", "", "told with care"]
    labels = ["pos", "neg", "neg", "pos"]
    lines("texts", [{"text": a, "target": b} for a, b in zip(texts, labels, strict=True)])
    write("texts", pa.table({"text": texts, "target": labels}))


def bad():
    BAD.mkdir(exist_ok=True)

    def write(name, columns, **options):
        options = {"compression": "none", **options}
        pq.write_table(pa.table(columns), BAD / f"{name}.parquet", **options)

    numbers = [[1.0, 2.0], [3.0]]
    write("map", {"x": numbers, "extra": pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int64()))})
    write("struct", {"x": numbers, "extra": [{"a": 1}, {"a": 2}]})
    write("nested-list", {"x": [[[1.0]], [[2.0]]]})
    write("binary", {"x": numbers, "extra": [[b"\x00"], [b"\xff"]]})
    write("date-feature", {"x": [datetime.date(2024, 1, 1)] * 2, "y": [1.0, 2.0]})
    write("null-in-list", {"y": [[1.0, 2.0], [3.0]], "x": [[1.0, 2.0], [None]]})
    write("null-list", {"y": [[1.0, 2.0], [3.0]], "x": [[1.0, 2.0], None]})
    write("unequal-lists", {"x": numbers, "y": [[1.0, 2.0], [3.0, 4.0]]})
    write("text-in-series", {"series_id": ["a", "b"], "x": [1.0, 2.0], "y": ["1", "2"]})
    write("infinite", {"x": [[1.0], [math.inf]]})
    write("no-name", {"series_id": ["a", None], "x": [1.0, 2.0]})
    write("same-time", {"series_id": ["a", "a"], "time": [4, 4], "x": [1.0, 2.0]})
    write("no-rows", {"x": pa.array([], pa.float64())})
    write("one-target", {"x": numbers, "target_a": [1.0, 2.0], "target_b": numbers})
    write("zstd", {"x": numbers}, compression="zstd")
    whole = (FOLDER / "list.parquet").read_bytes()
    (BAD / "truncated.parquet").write_bytes(whole[: len(whole) // 2])
    (BAD / "empty.parquet").write_bytes(b"")
    damaged = bytearray(whole)
    damaged[4:60] = bytes(56)
    (BAD / "damaged.parquet").write_bytes(damaged)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    list_form()
    steps()
    long_form()
    texts()
    bad()
