"""Outputs, states and gradients are those of PyTorch's own layers, for all options."""

import itertools

import pytest

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported")
torch = pytest.importorskip("torch")

from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence

import ragged

LAYERS = [
    (ragged.LSTM, {}),
    (ragged.LSTM, {"proj_size": 3}),
    (ragged.GRU, {}),
    (ragged.RNN, {}),
    (ragged.RNN, {"nonlinearity": "relu"}),
]
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}


def pair(cls, *args, dtype=torch.float64, **options):
    """A layer of this package and one of PyTorch with the same parameters."""
    torch.manual_seed(1)
    ours = cls(*args, dtype=dtype, **options)
    theirs = cls.__mro__[2](*args, dtype=dtype, **options)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def states(layer, batch, dtype):
    """Initial states [layers, B, ..] that need gradients; without B where it is None."""
    layers = layer.num_layers * (2 if layer.bidirectional else 1)
    middle = () if batch is None else (batch,)

    def state(size):
        return torch.randn(layers, *middle, size, dtype=dtype, requires_grad=True)

    h_0 = state(layer.proj_size or layer.hidden_size)
    return (h_0, state(layer.hidden_size)) if layer.mode == "LSTM" else h_0


def flat(result):
    """The tensors of a layer's result."""
    if result is None or isinstance(result, torch.Tensor):
        return [] if result is None else [result]
    if isinstance(result, nn.utils.rnn.PackedSequence):
        return [result.data]
    return [tensor for part in result for tensor in flat(part)]


def check(ours, theirs, make_input, hx, dtype):
    """Compares results, strides and all gradients."""
    assert ragged.why_not(ours, make_input()[1], hx) is None
    found = []
    for layer in (ours, theirs):
        layer.zero_grad()
        leaf, input = make_input()
        torch.manual_seed(5)
        outputs = flat(layer(input, hx))
        weights = [torch.arange(o.numel(), dtype=dtype).sin().view(o.shape) for o in outputs]
        loss = sum((o * w).sum() for o, w in zip(outputs, weights))
        leaves = [leaf, *flat(hx), *layer.parameters()]
        gradients = torch.autograd.grad(loss, leaves)
        found.append((outputs, gradients))
    for mine, theirs in zip(*found):
        for a, b in zip(mine, theirs, strict=True):
            assert (a.shape, a.stride(), a.dtype) == (b.shape, b.stride(), b.dtype)
            torch.testing.assert_close(a, b, atol=TOLERANCE[dtype], rtol=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("cls, extra", LAYERS)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_all_options(cls, extra, bidirectional, num_layers, dtype):
    for bias, batch_first, with_states in itertools.product([True, False], repeat=3):
        ours, theirs = pair(
            cls, 5, 9, num_layers, dtype=dtype, bias=bias, batch_first=batch_first,
            bidirectional=bidirectional, **extra,
        )  # fmt: skip

        def leaf(*shape):
            torch.manual_seed(2)
            return torch.randn(*shape, dtype=dtype, requires_grad=True)

        def packed():
            x = leaf(4, 6, 5)
            return x, pack_padded_sequence(x, [2, 6, 1, 6], True, enforce_sorted=False)

        def padded():
            x = leaf(4, 6, 5)
            return x, x

        def unbatched():
            x = leaf(6, 5)
            return x, x

        for make_input, batch in [(packed, 4), (padded, 4 if batch_first else 6), (unbatched, None)]:
            hx = states(ours, batch, dtype) if with_states else None
            check(ours, theirs, make_input, hx, dtype)


def test_wide_inputs_and_sorted_batches():
    for cls, extra in LAYERS:
        ours, theirs = pair(cls, 40, 33, **extra)

        def sorted_batch():
            torch.manual_seed(2)
            x = torch.randn(9, 40, dtype=torch.float64, requires_grad=True)
            return x, pack_sequence([x[:5], x[5:8], x[8:]])

        check(ours, theirs, sorted_batch, None, torch.float64)


def test_dropout_has_the_masks_of_the_same_seed():
    for packed in (True, False):
        ours, theirs = pair(ragged.LSTM, 5, 9, 3, dropout=0.4, bidirectional=True, batch_first=True)

        def make_input():
            x = torch.ones(4, 6, 5, dtype=torch.float64, requires_grad=True)
            if not packed:
                return x, x
            return x, pack_padded_sequence(x, [2, 6, 1, 6], True, enforce_sorted=False)

        check(ours, theirs, make_input, None, torch.float64)
        assert not torch.equal(*(ours(make_input()[1])[1][0] for _ in range(2)))
        ours.eval()
        assert torch.equal(*(ours(make_input()[1])[1][0] for _ in range(2)))


def test_initialisation_and_state_dicts():
    for cls, extra in LAYERS:
        torch.manual_seed(3)
        ours = cls(3, 5, 2, bidirectional=True, **extra)
        torch.manual_seed(3)
        theirs = cls.__mro__[2](3, 5, 2, bidirectional=True, **extra)
        assert list(ours.state_dict()) == list(theirs.state_dict())
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert torch.equal(a, b)
        ours.load_state_dict(theirs.state_dict())
        assert repr(ours) == repr(theirs)


def test_gradients_that_are_not_needed_are_not_computed():
    ours, theirs = pair(ragged.LSTM, 3, 4)
    for layer in (ours, theirs):
        layer.weight_hh_l0.requires_grad_(False)
        layer.bias_ih_l0.requires_grad_(False)
        layer(torch.ones(2, 2, 3, dtype=torch.float64))[0].sum().backward()
    assert ours.weight_hh_l0.grad is None and ours.bias_ih_l0.grad is None
    torch.testing.assert_close(ours.weight_ih_l0.grad, theirs.weight_ih_l0.grad)


def test_gradcheck():
    for cls, extra in LAYERS:
        torch.manual_seed(4)
        layer = cls(2, 4, dtype=torch.float64, bidirectional=True, **extra)
        x = torch.randn(3, 4, 2, dtype=torch.float64, requires_grad=True)
        hx = states(layer, 3, torch.float64)

        def run(x, *hx):
            packed = pack_padded_sequence(x, [2, 4, 1], True, enforce_sorted=False)
            return tuple(flat(layer(packed, hx if len(hx) == 2 else hx[0])))

        assert torch.autograd.gradcheck(run, (x, *flat(hx)))
        if extra.get("nonlinearity") != "relu":
            assert torch.autograd.gradgradcheck(run, (x, *flat(hx)))
