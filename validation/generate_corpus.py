"""Writes the files with which the readers of ragged-datasets are tested.

    python validation/generate_corpus.py

Needs numpy from PyPI. Writes valid `.npz` files as numpy writes them, and invalid files of every format:
truncated, with wrong headers, or with values that are not allowed. The tests state the expected result of
each file.
"""

import io
import json
import struct
import zipfile
from pathlib import Path

import numpy as np

CORPUS = Path(__file__).parent.parent / "crates/ragged-datasets/tests/corpus"


def put(name, content):
    (CORPUS / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def npz(name, compressed=False, **arrays):
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, **arrays)
    put(name, buffer.getvalue())
    return buffer.getvalue()


def raw_npz(name, **members):
    """Writes an .npz archive whose members are the given bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, value in members.items():
            archive.writestr(f"{key}.npy", value)
    put(name, buffer.getvalue())


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def header(text, data=b"", version=1, length=None):
    body = text.encode() + b"\n"
    size = struct.pack("<H" if version == 1 else "<I", len(body) if length is None else length)
    return b"\x93NUMPY" + bytes([version, 0]) + size + body + data


def tensors(name, entries, data=b"", length=None):
    text = json.dumps(entries).encode()
    put(name, struct.pack("<Q", len(text) if length is None else length) + text + data)


def text_files():
    put("ts-empty.ts", "")
    put("ts-header-only.ts", "@classLabel true a b\n@data\n")
    put("ts-truncated.ts", "@univariate false\n@dimensions 2\n@classLabel true a b\n@data\n1,2:3,4:a\n1,2:3")
    put("ts-wrong-dimensions.ts", "@dimensions 3\n@classLabel true a\n@data\n1:2:a\n")
    put("ts-wrong-length.ts", "@equalLength true\n@seriesLength 3\n@data\n1,2\n")
    put("ts-bad-number.ts", "@data\n1,2,zwei\n")
    put("ts-too-large.ts", "@data\n1,2e39\n")
    put("ts-bad-utf8.ts", b"@classLabel true a\n@data\n1,2:\xff\n")
    put("ts-utf16.ts", "@data\n1,2\n".encode("utf-16"))
    put("ts-huge-dimensions.ts", "@dimensions 18446744073709551615\n@data\n1,2\n")
    put("ts-unknown-label.ts", "@classLabel true a b\n@data\n1:c\n")
    put("ts-crlf-bom.ts", b"\xef\xbb\xbf@classLabel true a b\r\n@data\r\n1,2:a\r\n3:b\r\n")

    put("csv-empty.csv", "")
    put("csv-header-only.csv", "series_id,x\n")
    put("csv-truncated.csv", "series_id,time,x,target\na,0,1,k\na,1")
    put("csv-wrong-count.csv", "series_id,x\na,1\na,1,2\n")
    put("csv-bad-number.csv", "series_id,x\na,1\na,zwei\n")
    put("csv-bad-utf8.csv", b"series_id,x,target\na,1,\xff\n")
    put("csv-open-quote.csv", 'series_id,x\na,"1\na,2\n')
    put("csv-same-time.csv", "series_id,time,x\na,0,1\nb,0,1\na,0,2\n")
    put("csv-crlf-bom.csv", b"\xef\xbb\xbfseries_id,x,target\r\na,1,k\r\nb,2,l\r\na,3,k\r\n")

    put("jsonl-empty.jsonl", "")
    put("jsonl-truncated.jsonl", '{"sequence": [[1, 2], [3, 4]]}\n{"sequence": [[1, 2], [3')
    put("jsonl-wrong-width.jsonl", '{"sequence": [[1, 2], [3]]}\n')
    put("jsonl-bad-number.jsonl", '{"sequence": [[1, "2"]]}\n')
    put("jsonl-nan.jsonl", '{"sequence": [[1, NaN]]}\n')
    put("jsonl-deep.jsonl", '{"sequence": [1], "target": ' + "[" * 5000 + "]" * 5000 + "}\n")
    put("jsonl-bad-utf8.jsonl", b'{"sequence": [1], "target": "\xff"}\n')
    put("jsonl-array.jsonl", "[[1, 2], [3, 4]]\n")
    put("jsonl-crlf-bom.jsonl", b'\xef\xbb\xbf{"sequence": [1, 2]}\r\n\r\n{"sequence": [3]}\r\n')


def numpy_files():
    values = np.arange(12, dtype=np.float64).reshape(6, 2) / 4
    values[1, 0] = np.nan
    lengths = np.array([3, 0, 2, 1])
    good = dict(values=values, lengths=lengths, targets=np.array([1, 0, 1, 2]))
    labels = np.array(["b", "é", "long label"])
    whole = npz("numpy-f64.npz", **good, labels=labels)
    npz("numpy-compressed.npz", compressed=True, **good, labels=labels)
    npz("numpy-f16-u8.npz", values=values.astype("f2"), lengths=lengths.astype("u1"), targets=labels[[1, 0, 1, 2]])
    npz("numpy-big-endian.npz", values=values.astype(">f4"), lengths=lengths.astype(">i2"), targets=labels.astype(">U10")[[1, 0, 1, 2]])
    npz("numpy-fortran.npz", values=np.asfortranarray(values), offsets=np.array([0, 3, 3, 5, 6]), targets=np.array([1.5, 2, -1, 0]))
    npz("numpy-steps.npz", values=np.arange(6, dtype="i4"), lengths=lengths, targets=np.array([0, 1, 1, 0, 2, 1]), labels=labels)

    put("npz-empty.npz", b"")
    put("npz-truncated.npz", whole[: len(whole) // 2])
    put("npz-not-a-zip.npz", npy(values))
    damaged = bytearray(whole)
    damaged[whole.index(b"NUMPY") + 130] ^= 1
    put("npz-damaged.npz", bytes(damaged))
    raw_npz("npz-huge-shape.npz", values=header("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 1000000000), }"), lengths=npy(lengths))
    raw_npz("npz-lying-shape.npz", values=header("{'descr': '<f4', 'fortran_order': False, 'shape': (250000000, 4), }", b"\0" * 64), lengths=npy(lengths))
    raw_npz("npz-short-shape.npz", values=header("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }", b"\0" * 64), lengths=npy(lengths))
    raw_npz("npz-huge-header.npz", values=header("{}", version=2, length=4_000_000_000), lengths=npy(lengths))
    raw_npz("npz-bad-header.npz", values=header("{'descr': '<f4', 'shape': (1, 1)"), lengths=npy(lengths))
    raw_npz("npz-bad-version.npz", values=header("{}", version=9), lengths=npy(lengths))
    npz("npz-object.npz", values=np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f4")]), lengths=np.array([1]))
    npz("npz-complex.npz", values=np.array([[1j]]), lengths=np.array([1]))
    npz("npz-no-lengths.npz", values=values)
    npz("npz-both.npz", values=values, lengths=lengths, offsets=np.array([0, 6]))
    npz("npz-wrong-sum.npz", values=values, lengths=np.array([3, 4]))
    npz("npz-overflow.npz", values=values, lengths=np.array([2**62, 2**62, 2**62, 2**62, 6], dtype="i8"))
    npz("npz-negative.npz", values=values, lengths=np.array([8, -2]))
    npz("npz-falling-offsets.npz", values=values, offsets=np.array([0, 4, 2, 6]))
    npz("npz-infinite.npz", values=np.array([[1.0], [np.inf]]), lengths=np.array([2]))
    npz("npz-label-out-of-range.npz", values=values, lengths=lengths, targets=np.array([0, 1, 2, 3]), labels=labels)
    npz("npz-wrong-targets.npz", values=values, lengths=lengths, targets=np.array([0, 1, 2]))
    npz("npz-unknown.npz", values=values, lengths=lengths, sizes=lengths)


def safetensors_files():
    values = np.arange(6, dtype="<f4").tobytes()
    lengths = np.array([1, 2], dtype="<i8").tobytes()
    v = {"dtype": "F32", "shape": [3, 2], "data_offsets": [0, 24]}
    n = {"dtype": "I64", "shape": [2], "data_offsets": [24, 40]}
    tensors("st-good.safetensors", {"values": v, "lengths": n}, values + lengths)
    put("st-empty.safetensors", b"")
    tensors("st-truncated.safetensors", {"values": v, "lengths": n}, values)
    tensors("st-huge-header.safetensors", {"values": v, "lengths": n}, values + lengths, length=2**63)
    tensors("st-huge-shape.safetensors", {"values": {**v, "shape": [2**62, 2**62]}, "lengths": n}, values + lengths)
    tensors("st-lying-offsets.safetensors", {"values": {**v, "data_offsets": [0, 2**40]}, "lengths": n}, values + lengths)
    tensors("st-bad-labels.safetensors", {"__metadata__": {"labels": "a, b"}, "values": v, "lengths": n}, values + lengths)
    tensors("st-bad-dtype.safetensors", {"values": {**v, "dtype": "F8_E4M3", "shape": [12, 2]}, "lengths": n}, values + lengths)
    put("st-bad-json.safetensors", struct.pack("<Q", 8) + b"{'bad'} ")


if __name__ == "__main__":
    CORPUS.mkdir(parents=True, exist_ok=True)
    text_files()
    numpy_files()
    safetensors_files()
