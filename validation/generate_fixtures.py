#!/usr/bin/env python3
"""Write the small PyTorch fixtures that the Rust tests compare with.

    pip install torch safetensors numpy
    python validation/generate_fixtures.py

Layer cases go to crates/ragged-models/tests/fixtures, training runs to crates/ragged-train/tests/fixtures.
One case is one .safetensors file: its metadata key `case` is a JSON object with the options, its tensors are the
inputs, PyTorch's results and PyTorch's gradients (`grad.*`) of the sum of all results, each weighted by its
`cotangent.*`. The committed files came from PyTorch 2.15 with the seeds below.
"""
import json
import pathlib

import torch
from safetensors.torch import save_file
from torch.nn.utils import clip_grad_norm_
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

CRATES = pathlib.Path(__file__).resolve().parent.parent / "crates"
DTYPES = {"f32": torch.float32, "f64": torch.float64}


def save(crate, name, case, tensors):
    folder = CRATES / crate / "tests" / "fixtures"
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {key: value.detach().clone().contiguous() for key, value in tensors.items()}
    save_file(tensors, folder / f"{name}.safetensors", metadata={"case": json.dumps(case)})


def layer(name, seed, *, layout, lengths, dtype="f64", input_size=3, hidden_size=5, state=False, **options):
    """One forward and backward pass of nn.LSTM; `lengths` are the packed ones, or all equal."""
    torch.manual_seed(seed)
    torch.set_default_dtype(DTYPES[dtype])
    lstm = torch.nn.LSTM(input_size, hidden_size, batch_first=True, **options)
    batch, steps = len(lengths), max(lengths)
    shape = (steps, input_size) if layout == "unbatched" else (batch, steps, input_size)
    rows = lstm.num_layers * (2 if lstm.bidirectional else 1)
    tensors = {"input": torch.randn(shape).requires_grad_()}
    initial = None
    if state:
        dims = (rows, hidden_size) if layout == "unbatched" else (rows, batch, hidden_size)
        tensors |= {key: torch.randn(dims).requires_grad_() for key in ("h_0", "c_0")}
        initial = tensors["h_0"], tensors["c_0"]
    leaves = dict(tensors) | dict(lstm.named_parameters())
    if layout == "packed":
        tensors["lengths"] = torch.tensor(lengths)
        packed = pack_padded_sequence(tensors["input"], tensors["lengths"], True, enforce_sorted=False)
        output, (h_n, c_n) = lstm(packed, initial)
        output, _ = pad_packed_sequence(output, True)
    else:
        output, (h_n, c_n) = lstm(tensors["input"], initial)
    results = {"output": output, "h_n": h_n, "c_n": c_n}
    weights = {f"cotangent.{key}": torch.randn(value.shape) for key, value in results.items()}
    sum((results[key] * weights[f"cotangent.{key}"]).sum() for key in results).backward()
    grads = {f"grad.{key}": leaf.grad for key, leaf in leaves.items()}
    case = dict(op="lstm", layout=layout, dtype=dtype, input_size=input_size, hidden_size=hidden_size,
                num_layers=lstm.num_layers, bias=lstm.bias, bidirectional=lstm.bidirectional)
    save("ragged-models", name, case, leaves | tensors | results | weights | grads)


def run(name, seed, *, model, optimizer, loss, clip_grad_norm=None, updates=5, input_size=2, hidden_size=4):
    """A few updates of one of the two models: losses, gradient norms and the final parameters."""
    torch.manual_seed(seed)
    torch.set_default_dtype(torch.float64)
    output_size = 1 if loss == "mse" else 3
    lstm = torch.nn.LSTM(input_size, hidden_size, batch_first=True)
    linear = torch.nn.Linear(hidden_size, output_size)
    net = torch.nn.ModuleDict({"lstm": lstm, "linear": linear})
    kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[optimizer["name"]]
    rule = kind(net.parameters(), **{key: value for key, value in optimizer.items() if key != "name"})
    tensors = {f"init.{key}": value.detach().clone() for key, value in net.state_dict().items()}
    losses, norms = [], []
    for k in range(updates):
        lengths = torch.tensor([4, 1, 6, 3]) if model == "variable" else torch.full((4,), 6)
        x = torch.randn(4, 6, input_size) * (torch.arange(6) < lengths[:, None])[..., None]
        if model == "variable":
            packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            prediction = linear(lstm(packed)[1][0][-1])
        else:
            prediction = linear(lstm(x)[0][:, -1, :])
        y = x.sum(dim=(1, 2))[:, None] if loss == "mse" else torch.randint(output_size, (4,))
        value = getattr(torch.nn.functional, "mse_loss" if loss == "mse" else "cross_entropy")(prediction, y)
        rule.zero_grad()
        value.backward()
        norms.append(clip_grad_norm_(net.parameters(), clip_grad_norm or float("inf")))
        rule.step()
        losses.append(value.detach())
        tensors |= {f"batch.{k}.input": x, f"batch.{k}.lengths": lengths, f"batch.{k}.target": y}
    tensors |= {"losses": torch.stack(losses), "grad_norms": torch.stack(norms)}
    tensors |= {f"final.{key}": value for key, value in net.state_dict().items()}
    case = dict(op="train", model=model, optimizer=optimizer, loss=loss, input_size=input_size,
                hidden_size=hidden_size, output_size=output_size, updates=updates, clip_grad_norm=clip_grad_norm)
    save("ragged-train", name, case, tensors)


if __name__ == "__main__":
    layer("lstm-padded", 1, layout="padded", lengths=[4, 4], state=True)
    layer("lstm-padded-f32", 2, layout="padded", lengths=[6] * 3, dtype="f32", input_size=7, hidden_size=9)
    layer("lstm-packed", 3, layout="packed", lengths=[3, 1, 5, 3], state=True)
    layer("lstm-packed-deep", 4, layout="packed", lengths=[2, 6, 4], state=True, num_layers=2, bidirectional=True)
    layer("lstm-packed-f32", 5, layout="packed", lengths=[9, 2, 9, 5], dtype="f32", hidden_size=17, bidirectional=True)
    layer("lstm-packed-no-bias", 6, layout="packed", lengths=[1, 4], bias=False, num_layers=2)
    layer("lstm-unbatched", 7, layout="unbatched", lengths=[5], state=True, bidirectional=True)
    sgd, momentum = dict(name="sgd", lr=0.05), dict(name="sgd", lr=0.05, momentum=0.9)
    run("train-variable-sgd", 11, model="variable", optimizer=sgd | dict(weight_decay=0.1), loss="mse")
    run("train-fixed-momentum", 12, model="fixed", optimizer=momentum, loss="cross_entropy", clip_grad_norm=0.2)
    run("train-variable-nesterov", 13, model="variable", optimizer=momentum | dict(nesterov=True), loss="mse")
    run("train-variable-adam", 14, model="variable", optimizer=dict(name="adam", lr=0.01), loss="mse")
    run("train-fixed-adam-decay", 15, model="fixed", optimizer=dict(name="adam", lr=0.01, weight_decay=0.1),
        loss="cross_entropy")
    run("train-variable-adamw", 16, model="variable", optimizer=dict(name="adamw", lr=0.01, weight_decay=0.1),
        loss="cross_entropy", clip_grad_norm=1.0)
