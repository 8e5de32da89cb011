#!/usr/bin/env python3
"""Checks that weights survive the way from PyTorch to ragged and back, through files.

    pip install torch safetensors numpy
    python validation/check_checkpoints.py

Needs cargo. For every kind of layer and several options, it saves a checkpoint with `torch.save` in which the layer is
under a key and a prefix, converts it with the example `checkpoint` of ragged-models, and loads the result with
`safetensors.torch.load_file` and a strict `load_state_dict`. Every weight must be equal. It then loads weights that ragged
initialised into PyTorch's layer, which must compute finite outputs with them.

The weights of one LSTM are also saved in every form that a state dict may have: with each pickle protocol, as parameters
with and without attributes, as tensors of a subclass, with the negative bit, as views, and by a big-endian machine.
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import zipfile

import torch
from safetensors.torch import load_file

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXAMPLE = ["cargo", "run", "--quiet", "--package", "ragged-models", "--example", "checkpoint", "--"]
MODULES = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}
OPTIONS = [dict(), dict(num_layers=2, bidirectional=True), dict(bias=False, num_layers=3)]


def convert(source, target, kind, options, *place):
    config = json.dumps(dict(input_size=4, hidden_size=6, **options))
    subprocess.run([*EXAMPLE, str(source), str(target), kind, config, *place], check=True, cwd=ROOT,
                   stdout=subprocess.DEVNULL)
    return load_file(target)


class Marked(torch.Tensor):
    """A subclass without methods of its own."""


def with_attribute(value):
    parameter = torch.nn.Parameter(value)
    parameter.partition_dim = 0
    return parameter


def strided(value):
    wide = torch.zeros(*value.shape, 3)
    wide[..., 1] = value
    return wide[..., 1]


# Every form has the same values.
FORMS = {
    "parameter": torch.nn.Parameter,
    "parameter with an attribute": with_attribute,
    "subclass": lambda value: value.as_subclass(Marked),
    "parameter of a subclass": lambda value: torch.nn.Parameter(value.as_subclass(Marked)),
    "negative bit": lambda value: torch._neg_view(value.neg()),
    "imaginary part of a conjugate": lambda value: torch.complex(torch.zeros_like(value), -value).conj().imag,
    "transposed": lambda value: value.t().contiguous().t(),
    "strided": strided,
    "double precision": torch.Tensor.double,
}


def turned(source, target):
    """Copies a checkpoint of 4-byte elements as a machine of the other byte order would have written it."""
    order = {"little": b"big", "big": b"little"}[sys.byteorder]
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if "/data/" in name:
                data = b"".join(data[k:k + 4][::-1] for k in range(0, len(data), 4))
            new.writestr(name, order if name.endswith("/byteorder") else data)


def forms(folder):
    """Saves the weights of one layer in all forms."""
    layer = torch.nn.LSTM(4, 6)
    state = layer.state_dict()
    state["bias_hh_l0"] = torch.tensor(0.25).expand(24)
    path = folder / "form.pt"

    def check(what, path=path):
        back = convert(path, folder / "back.safetensors", "lstm", {})
        assert back.keys() == state.keys() and all(torch.equal(back[key], state[key]) for key in state), what

    for protocol in range(2, 6):
        torch.save(state, path, pickle_protocol=protocol)
        check(f"protocol {protocol}")
        turned(path, folder / "turned.pt")
        check(f"other byte order, protocol {protocol}", folder / "turned.pt")
        for what, form in FORMS.items():
            torch.save({key: form(value) for key, value in state.items()}, path, pickle_protocol=protocol)
            check(f"{what}, protocol {protocol}")
    return 4 * (2 + len(FORMS))


def main():
    folder = pathlib.Path(tempfile.mkdtemp())
    count = 0
    for kind, module in MODULES.items():
        extra = [dict(proj_size=3, bidirectional=True)] if kind == "lstm" else []
        for options in OPTIONS + extra:
            layer = module(4, 6, **options)
            net = torch.nn.ModuleDict({"encoder": layer, "head": torch.nn.Linear(6, 2)})
            torch.save({"epoch": 1, "model_state_dict": net.state_dict()}, folder / "checkpoint.pth")
            back = convert(folder / "checkpoint.pth", folder / "back.safetensors", kind, options,
                           "model_state_dict", "encoder.")
            want = {key: value.clone() for key, value in layer.state_dict().items()}
            assert back.keys() == want.keys(), (kind, options)
            assert all(torch.equal(back[key], want[key]) for key in want), (kind, options)
            layer.load_state_dict(convert("-", folder / "fresh.safetensors", kind, options))
            output = layer(torch.randn(5, 2, 4))[0]
            assert output.isfinite().all() and not torch.equal(layer.state_dict()["weight_ih_l0"], want["weight_ih_l0"])
            count += 1
    print(f"{count} layers converted to ragged and back: every weight is equal")
    print(f"{forms(folder)} forms of one layer read: every weight is equal")


if __name__ == "__main__":
    main()
