#!/usr/bin/env python3
"""Writes PyTorch's results for LSTMs and GRUs with layer normalisation, which torch.nn does not have.

    pip install torch safetensors numpy
    python validation/generate_layer_norm_fixtures.py

The layers are loops over the steps of each sequence, with torch.nn.functional.layer_norm and autograd. The files go to
crates/ragged-models/tests/layer_norm. The tensors of one are the parameters, the inputs, the results, and the gradients
(`grad.*`) of the sum of all results, each weighted by its `cotangent.*`.
"""
import pathlib

import torch
from safetensors.torch import save_file
from torch.nn.functional import layer_norm
from torch.nn.utils.rnn import pad_sequence

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "crates/ragged-models/tests/layer_norm"
I, H, L, D, LENGTHS = 3, 5, 2, 2, [2, 6, 0, 4]


def norm(sums, weight, bias):
    return layer_norm(sums, sums.shape, weight, bias)


def lstm(x, h, c, p):
    sums = norm(p["weight_ih"] @ x, p["ln_ih_weight"], p["bias_ih"])
    sums = sums + norm(p["weight_hh"] @ h, p["ln_hh_weight"], p["bias_hh"])
    i, f, g, o = sums.chunk(4)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(norm(c, p["ln_c_weight"], p["ln_c_bias"])), c


def gru(x, h, c, p):
    def sides(rows):
        return (norm(p["weight_ih"][rows] @ x, p["ln_ih_weight"][rows], p["bias_ih"][rows]),
                norm(p["weight_hh"][rows] @ h, p["ln_hh_weight"][rows], p["bias_hh"][rows]))
    ih, hh = sides(slice(0, 2 * H))
    r, z = torch.sigmoid(ih + hh).chunk(2)
    ih, hh = sides(slice(2 * H, None))
    n = torch.tanh(ih + r * hh)
    return (1 - z) * n + z * h, c


def case(name, seed, step, gates):
    torch.manual_seed(seed)
    torch.set_default_dtype(torch.float64)
    batch = len(LENGTHS)
    leaves = {"input": torch.randn(batch, max(LENGTHS), I), "h_0": torch.randn(L * D, batch, H)}
    if gates == 4:
        leaves["c_0"] = torch.randn(L * D, batch, H)
    for layer in range(L):
        for suffix in (f"_l{layer}", f"_l{layer}_reverse"):
            shapes = {"weight_ih": (gates * H, I if layer == 0 else D * H), "weight_hh": (gates * H, H),
                      "bias_ih": (gates * H,), "bias_hh": (gates * H,),
                      "ln_ih_weight": (gates * H,), "ln_hh_weight": (gates * H,)}
            if gates == 4:
                shapes |= {"ln_c_weight": (H,), "ln_c_bias": (H,)}
            for part, shape in shapes.items():
                value = torch.randn(shape) / 2
                leaves[part + suffix] = value + 1 if part.startswith("ln") and "weight" in part else value
    for leaf in leaves.values():
        leaf.requires_grad_()
    rows = [leaves["input"][b, :length].unbind() for b, length in enumerate(LENGTHS)]
    last = {"h_n": [], "c_n": []}
    for layer in range(L):
        outputs = [[None] * length for length in LENGTHS]
        for direction, suffix in enumerate((f"_l{layer}", f"_l{layer}_reverse")):
            p = {key.removesuffix(suffix): value for key, value in leaves.items() if key.endswith(suffix)}
            for b, length in enumerate(LENGTHS):
                h = leaves["h_0"][layer * D + direction, b]
                c = leaves["c_0"][layer * D + direction, b] if gates == 4 else None
                steps = range(length) if direction == 0 else reversed(range(length))
                for t in steps:
                    h, c = step(rows[b][t], h, c, p)
                    outputs[b][t] = [h] if direction == 0 else outputs[b][t] + [h]
                last["h_n"].append(h)
                last["c_n"].append(c)
        rows = [[torch.cat(parts) for parts in steps] for steps in outputs]
    padded = pad_sequence([torch.stack(steps) if steps else torch.zeros(0, D * H) for steps in rows], batch_first=True)
    results = {"output": padded, "h_n": torch.stack(last["h_n"]).view(L * D, batch, H)}
    if gates == 4:
        results["c_n"] = torch.stack(last["c_n"]).view(L * D, batch, H)
    cotangents = {f"cotangent.{key}": torch.randn_like(value) for key, value in results.items()}
    loss = sum((value * cotangents[f"cotangent.{key}"]).sum() for key, value in results.items())
    gradients = torch.autograd.grad(loss, list(leaves.values()))
    tensors = leaves | results | cotangents
    tensors |= {f"grad.{key}": gradient for key, gradient in zip(leaves, gradients)}
    tensors = {key: value.detach().clone().contiguous() for key, value in tensors.items()}
    tensors["lengths"] = torch.tensor(LENGTHS)
    FOLDER.mkdir(parents=True, exist_ok=True)
    save_file(tensors, FOLDER / f"{name}.safetensors")


if __name__ == "__main__":
    case("lstm", 1, lstm, 4)
    case("gru", 2, gru, 3)
