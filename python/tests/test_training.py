"""A training script of PyTorch that packs, with one changed line: the sums of sequences, as in the lecture."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn
from torch.nn.utils.rnn import pack_sequence

import ragged


class Model(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.lstm = layer(7, 15, batch_first=True)
        self.linear = nn.Linear(15, 1)

    def forward(self, packed):
        _, (h_n, _) = self.lstm(packed)
        return self.linear(h_n[-1])


def losses(layer):
    torch.manual_seed(1)
    sequences = [torch.rand(int(torch.randint(1, 51, ())), 7) for _ in range(320)]
    targets = torch.stack([s.sum() / 100 for s in sequences]).unsqueeze(1)
    model = Model(layer)
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    found = []
    for _ in range(3):
        for begin in range(0, 320, 32):
            packed = pack_sequence(sequences[begin : begin + 32], enforce_sorted=False)
            loss = nn.functional.mse_loss(model(packed), targets[begin : begin + 32])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            found.append(loss.item())
    return found


def test_the_losses_of_three_epochs_are_those_of_torch():
    assert losses(ragged.LSTM) == pytest.approx(losses(nn.LSTM), abs=1e-5)
