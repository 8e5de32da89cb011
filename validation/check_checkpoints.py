#!/usr/bin/env python3
"""Checks that weights survive the way from PyTorch to ragged and back, through files.

    pip install torch safetensors numpy
    python validation/check_checkpoints.py

Needs cargo. For every kind of layer and several options, it saves a checkpoint with `torch.save` in which the layer is
under a key and a prefix, converts it with the example `checkpoint` of ragged-models, and loads the result with
`safetensors.torch.load_file` and a strict `load_state_dict`. Every weight must be equal. It then loads weights that ragged
initialised into PyTorch's layer, which must compute finite outputs with them.
"""
import json
import pathlib
import subprocess
import tempfile

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


if __name__ == "__main__":
    main()
