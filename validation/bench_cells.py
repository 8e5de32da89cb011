"""Times a loop of PyTorch over layer-normalised cells, forward and backward, for `cargo xtask bench --cells`.

    pip install torch

The batch is padded, and a step is what one writes with torch.nn.LSTMCell and LayerNorm. Reads lines of JSON,
`{"cell": "lstm", "iterations": 5}`, and answers each with the times of the iterations in milliseconds.
"""
import json
import sys
import time

import torch
from torch import nn

B, T, I, H = 64, 50, 64, 256


class LayerNormLSTMCell(nn.Module):
    def __init__(self):
        super().__init__()
        self.ih, self.hh = nn.Linear(I, 4 * H, bias=False), nn.Linear(H, 4 * H, bias=False)
        self.ln_ih, self.ln_hh, self.ln_c = nn.LayerNorm(4 * H), nn.LayerNorm(4 * H), nn.LayerNorm(H)

    def forward(self, x, state):
        h, c = state
        i, f, g, o = (self.ln_ih(self.ih(x)) + self.ln_hh(self.hh(h))).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(self.ln_c(c))
        return h, c


class LayerNormGRUCell(nn.Module):
    def __init__(self):
        super().__init__()
        self.ih, self.hh = nn.Linear(I, 3 * H, bias=False), nn.Linear(H, 3 * H, bias=False)
        self.ln_ih, self.ln_hh = nn.LayerNorm(2 * H), nn.LayerNorm(2 * H)
        self.ln_in, self.ln_hn = nn.LayerNorm(H), nn.LayerNorm(H)

    def forward(self, x, state):
        h, _ = state
        a, u = self.ih(x).split([2 * H, H], 1)
        b, v = self.hh(h).split([2 * H, H], 1)
        r, z = torch.sigmoid(self.ln_ih(a) + self.ln_hh(b)).chunk(2, 1)
        n = torch.tanh(self.ln_in(u) + r * self.ln_hn(v))
        return (1 - z) * n + z * h, h


def main():
    torch.set_num_threads(int(sys.argv[1]))
    torch.manual_seed(1)
    x = torch.randn(B, T, I)
    lengths = torch.tensor([(B - b) * T // B for b in range(B)]).clamp(min=1)
    cells = {}
    for line in sys.stdin:
        request = json.loads(line)
        name = request["cell"]
        if name not in cells:
            cells[name] = {"lstm": LayerNormLSTMCell, "gru": LayerNormGRUCell}[name]()
        cell = cells[name]
        times = []
        for _ in range(request["iterations"]):
            start = time.perf_counter()
            cell.zero_grad()
            state, outputs = (torch.zeros(B, H), torch.zeros(B, H)), []
            for t in range(T):
                state = cell(x[:, t], state)
                outputs.append(state[0])
            last = torch.stack(outputs, 1)[torch.arange(B), lengths - 1]
            last.sum().backward()
            times.append(1e3 * (time.perf_counter() - start))
        print(json.dumps(times), flush=True)


if __name__ == "__main__":
    main()
