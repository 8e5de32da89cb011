"""PyTorch's side of `cargo xtask bench --pytorch`: reads one request per line, answers each with a line of JSON.

    python bench_pytorch.py THREADS [ftz]

`ftz` sets the flushing of denormals before the first thread starts. Requests:
    {"file": PATH, "layers": L, "bidirectional": bool}      loads data and weights; answers the losses of both modes
    {"mode": "packed" | "padded", "pass": "train" | "infer", "iterations": n}      answers the milliseconds of each
"""
import json
import sys
import time

import torch
from torch.nn.utils.rnn import pack_padded_sequence

if "ftz" in sys.argv[2:]:
    torch.set_flush_denormal(True)
torch.set_num_threads(int(sys.argv[1]))


class Model(torch.nn.Module):
    def __init__(self, tensors, layers, bidirectional):
        super().__init__()
        hidden, inputs = tensors["lstm.weight_hh_l0"].shape[1], tensors["lstm.weight_ih_l0"].shape[1]
        self.lstm = torch.nn.LSTM(inputs, hidden, layers, batch_first=True, bidirectional=bidirectional)
        self.linear = torch.nn.Linear(hidden * (1 + bidirectional), 1)
        self.load_state_dict({k: v for k, v in tensors.items() if k.startswith(("lstm.", "linear."))})
        self.directions = 1 + bidirectional

    def forward(self, x, lengths, packed):
        if not packed:
            return self.linear(self.lstm(x)[0][:, -1, :])
        rows = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        h_n = self.lstm(rows)[1][0]
        return self.linear(torch.cat(list(h_n[-self.directions:]), dim=-1))


def loss(packed):
    return torch.nn.functional.mse_loss(model(x, lengths, packed), target)


def train(packed):
    model.zero_grad(set_to_none=True)
    loss(packed).backward()


def infer(packed):
    with torch.inference_mode():
        model(x, lengths, packed)


for line in sys.stdin:
    request = json.loads(line)
    if "file" in request:
        from safetensors.torch import load_file

        tensors = load_file(request["file"])
        model = Model(tensors, request["layers"], request["bidirectional"])
        x, lengths, target = tensors["x"], tensors["lengths"], tensors["target"]
        answer = {"version": torch.__version__, "packed": loss(True).item(), "padded": loss(False).item()}
    else:
        run, packed = {"train": train, "infer": infer}[request["pass"]], request["mode"] == "packed"
        times = []
        for _ in range(request["iterations"]):
            start = time.perf_counter()
            run(packed)
            times.append(1e3 * (time.perf_counter() - start))
        answer = {"ms": times}
    print(json.dumps(answer), flush=True)
