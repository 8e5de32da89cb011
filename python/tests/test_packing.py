"""`pack` and `pack_at_starts`."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

import ragged


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64])
@pytest.mark.parametrize("batch_first", [True, False])
def test_pack_is_that_of_torch(batch_first, dtype):
    x = torch.arange(5 * 5 * 3).view(5, 5, 3).to(dtype)
    for lengths in ([2, 5, 1, 5, 3], torch.tensor([1, 1, 1, 1, 1])):
        expected = pack_padded_sequence(x, torch.as_tensor(lengths), batch_first, enforce_sorted=False)
        found = ragged.pack(x, lengths, batch_first)
        assert torch.equal(found.data, expected.data) and found.data.dtype == dtype
        assert torch.equal(found.batch_sizes, expected.batch_sizes)
        # Sequences of equal lengths keep their order, which PyTorch does not promise.
        lengths = torch.as_tensor(lengths)
        assert torch.equal(lengths[found.sorted_indices], lengths.sort(descending=True)[0])
        unpacked = nn.utils.rnn.pad_packed_sequence(found, batch_first)[0]
        again = ragged.pack(unpacked, lengths, batch_first)
        assert torch.equal(again.data, found.data)


def test_gradients_of_pack():
    x = torch.randn(3, 4, 2, dtype=torch.float64, requires_grad=True)
    for batch_first, lengths in ((True, [2, 4, 1]), (False, [3, 1, 2, 3])):

        def run(x):
            return ragged.pack(x, lengths, batch_first).data

        assert torch.autograd.gradcheck(run, x)
        assert torch.autograd.gradgradcheck(run, x)


def test_bad_lengths_are_named():
    x = torch.zeros(2, 3, 1)
    for lengths, text in (
        ([3], "lengths: expected 2, one per sequence, got 1"),
        ([1, 0], r"lengths\[1\]: expected 1 to 3, the steps of x, got 0"),
        ([4, 1], r"lengths\[0\]: expected 1 to 3, the steps of x, got 4"),
    ):
        with pytest.raises(ValueError, match=text):
            ragged.pack(x, lengths)
    with pytest.raises((OverflowError, TypeError)):
        ragged.pack(x, [-1, 1])
    with pytest.raises(TypeError):
        ragged.pack(x, [1.5, 1])


@pytest.mark.parametrize("cls", [ragged.LSTM, ragged.GRU])
def test_episodes_have_the_results_of_single_steps(cls):
    torch.manual_seed(0)
    steps, batch = 7, 4
    layer = cls(3, 5, 2, dtype=torch.float64)
    x = torch.randn(steps, batch, 3, dtype=torch.float64, requires_grad=True)
    starts = torch.rand(steps, batch) < 0.3
    starts[0] = torch.tensor([True, False, True, False])
    sizes = 2 if cls is ragged.LSTM else 1
    initial = tuple(torch.randn(2, batch, 5, dtype=torch.float64, requires_grad=True) for _ in range(sizes))

    def layer_of(input, states):
        output, states = layer(input, states if sizes == 2 else states[0])
        return output, states if sizes == 2 else (states,)

    outputs, states = [], initial
    for t in range(steps):
        states = tuple(s * (~starts[t]).view(1, -1, 1) for s in states)
        output, states = layer_of(x[t : t + 1], states)
        outputs.append(output)
    expected = [torch.cat(outputs), *states]

    for mask in (starts, starts.float()):
        episodes = ragged.pack_at_starts(x, mask, initial)
        output, states = layer_of(episodes.packed, episodes.states)
        found = [episodes.unpack(output), *episodes.final(states)]
        for a, b in zip(found, expected, strict=True):
            torch.testing.assert_close(a, b, atol=1e-12, rtol=1e-12)
        leaves = [x, *initial, *layer.parameters()]
        for a, b in zip(
            torch.autograd.grad(sum(t.square().sum() for t in found), leaves),
            torch.autograd.grad(sum(t.square().sum() for t in expected), leaves, retain_graph=True),
        ):
            torch.testing.assert_close(a, b, atol=1e-12, rtol=1e-12)


def test_episodes_without_states_begin_with_zeros():
    x, starts = torch.randn(3, 2, 3), torch.zeros(3, 2)
    lstm = ragged.LSTM(3, 4)
    episodes = ragged.pack_at_starts(x, starts)
    output, states = lstm(episodes.packed, episodes.states)
    torch.testing.assert_close(episodes.unpack(output), lstm(x)[0])
    with pytest.raises(ValueError, match="expected x"):
        ragged.pack_at_starts(x, starts[:2])
