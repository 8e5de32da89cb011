"""`torch.compile`, the operators of its graphs, and `torch.export`."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence

import ragged
from ragged import compiled

LAYERS = [(ragged.LSTM, {"proj_size": 2}), (ragged.LSTM, {}), (ragged.GRU, {}), (ragged.RNN, {})]


@pytest.fixture
def allow_rnn():
    """Lets graphs contain recurrent layers."""
    torch._dynamo.reset()
    with torch._dynamo.config.patch(allow_rnn=True):
        yield


def gradients(function, layer, *inputs):
    layer.zero_grad()
    function(*inputs).square().sum().backward()
    return [p.grad.clone() for p in layer.parameters()]


@pytest.mark.parametrize("cls, extra", LAYERS)
@pytest.mark.parametrize("backend", ["aot_eager"])
def test_one_graph(allow_rnn, cls, extra, backend):
    torch.manual_seed(0)
    layer = cls(3, 5, 2, batch_first=True, bidirectional=True, **extra)

    def padded(x):
        return layer(x)[0] * 2

    def packed(data, batch_sizes, order, back):
        return layer(PackedSequence(data, batch_sizes, order, back))[0].data * 2

    x = torch.randn(4, 6, 3)
    batch = pack_sequence([torch.randn(n, 3) for n in (2, 4, 1)], enforce_sorted=False)
    for function, inputs in ((padded, (x,)), (packed, tuple(batch))):
        graph = torch.compile(function, fullgraph=True, backend=backend)
        torch.testing.assert_close(graph(*inputs), function(*inputs))
        for a, b in zip(gradients(graph, layer, *inputs), gradients(function, layer, *inputs)):
            torch.testing.assert_close(a, b)
        with torch.no_grad():
            torch.testing.assert_close(graph(*inputs), function(*inputs))


def test_graphs_of_several_lengths(allow_rnn):
    layer = ragged.LSTM(3, 5)
    graph = torch.compile(lambda x: layer(x)[0], fullgraph=True, backend="aot_eager", dynamic=True)
    for steps in (4, 7, 9):
        x = torch.randn(steps, 2, 3)
        torch.testing.assert_close(graph(x), layer(x)[0])


def test_states_of_other_sizes_are_the_errors_of_torch(allow_rnn):
    layer, x = ragged.GRU(3, 5), torch.randn(4, 2, 3)
    graph = torch.compile(lambda x, h: layer(x, h)[0], backend="aot_eager")
    h = torch.randn(1, 2, 5)
    torch.testing.assert_close(graph(x, h), layer(x, h)[0])
    with pytest.raises(RuntimeError, match="Expected hidden size"):
        graph(x, h[:, :1])


def test_the_layers_run_outside_of_graphs_by_default():
    torch._dynamo.reset()
    layer = ragged.LSTM(3, 5)
    model = torch.compile(nn.Sequential(layer), backend="aot_eager")
    x = torch.randn(4, 2, 3)
    torch.testing.assert_close(model(x)[0], layer(x)[0])


@pytest.mark.parametrize("cls, extra", LAYERS)
def test_the_operators_keep_the_rules(cls, extra):
    layer = cls(3, 5, dtype=torch.float64, **extra)
    *weights, weight_hr = (*layer.parameters(), None)[: 5 if extra else 6]
    if not extra:
        weights, weight_hr = list(layer.parameters()), None
    batch = pack_sequence([torch.randn(n, 3, dtype=torch.float64) for n in (2, 4, 1)], enforce_sorted=False)
    data = batch.data.requires_grad_()
    for batch_arguments, rows in (
        ((batch.batch_sizes, batch.sorted_indices, 3), data),
        ((None, None, 2), data[:6].detach().requires_grad_()),
    ):
        size = batch_arguments[2]
        h_0 = torch.randn(size, weights[1].shape[1], dtype=torch.float64, requires_grad=True)
        c_0 = torch.randn(size, 5, dtype=torch.float64, requires_grad=True)
        c_0 = c_0 if layer.mode == "LSTM" else None
        arguments = (layer.mode, True, *batch_arguments, rows, h_0, c_0, *weights, weight_hr)
        torch.library.opcheck(compiled.run_layer, arguments)


def test_double_backward_in_graphs_is_an_error(allow_rnn):
    layer = ragged.LSTM(3, 5)
    graph = torch.compile(lambda x: layer(x)[0], fullgraph=True, backend="aot_eager")
    x = torch.randn(4, 2, 3, requires_grad=True)
    gradient = torch.autograd.grad(graph(x).sum(), x, create_graph=True)[0]
    with pytest.raises(RuntimeError):
        gradient.sum().backward()


def test_exported_programs_have_the_operators_of_torch():
    layer = ragged.LSTM(3, 5)
    x = torch.randn(4, 2, 3)
    program = torch.export.export(layer, (x,))
    names = {str(node.target) for node in program.graph.nodes}
    assert not any("ragged" in name for name in names)
    torch.testing.assert_close(program.module()(x)[0], layer(x)[0])
