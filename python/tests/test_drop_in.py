"""What programs do with layers of `torch.nn`, they can do with these."""

import copy
import io
import pickle

import pytest

torch = pytest.importorskip("torch")

from torch import nn
from torch.nn.utils import parametrizations
from torch.nn.utils.rnn import PackedSequence, pack_sequence
from torch.utils.checkpoint import checkpoint

import ragged

CLASSES = [(ragged.LSTM, nn.LSTM), (ragged.GRU, nn.GRU), (ragged.RNN, nn.RNN)]


def same(a, b):
    torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def gradients(layer, x):
    layer.zero_grad()
    layer(x)[0].square().sum().backward()
    return [p.grad for p in layer.parameters()]


@pytest.fixture
def x():
    torch.manual_seed(0)
    return torch.randn(6, 4, 3)


@pytest.fixture
def layers():
    """A layer of this package, and one of PyTorch with the same parameters."""
    ours = ragged.LSTM(3, 5)
    theirs = nn.LSTM(3, 5)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def test_errors_are_those_of_torch():
    ours, theirs = ragged.LSTM(3, 5), nn.LSTM(3, 5)
    x = torch.zeros(6, 4, 3)
    h, c = torch.zeros(1, 4, 5), torch.zeros(1, 4, 5)
    bad = [
        (torch.zeros(6, 4, 2), None),
        (torch.zeros(3), None),
        (torch.zeros(1, 6, 4, 3), None),
        (x.double(), None),
        (x, (h[:, :3], c)),
        (x, (h, c[..., :4])),
        (x, (h[0], c[0])),
        (x, h),
        (torch.zeros(0, 4, 3), None),
    ]
    for input, hx in bad:
        assert ragged.why_not(ours, input, hx) is not None
        messages = []
        for layer in (ours, theirs):
            with pytest.raises(Exception) as error:
                layer(input, hx)
            messages.append((type(error.value), str(error.value).replace("ragged.layers.", "")))
        assert messages[0] == messages[1]
    # A batch without sequences is the result of PyTorch.
    assert ours(torch.zeros(6, 0, 3))[0].shape == theirs(torch.zeros(6, 0, 3))[0].shape
    with pytest.raises(ValueError, match="proj_size"):
        ragged.GRU(3, 5, proj_size=2)


def test_what_is_left_to_torch_says_why(x):
    lstm = ragged.LSTM(3, 5)
    gru = ragged.GRU(3, 5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert "autocast" in ragged.why_not(gru, x)
        assert gru(x)[0].shape == (6, 4, 5)
    assert "bfloat16" in ragged.why_not(copy.deepcopy(lstm).bfloat16(), x.bfloat16())
    assert gru.bfloat16()(x.bfloat16())[0].dtype == torch.bfloat16
    meta = ragged.LSTM(3, 5, device="meta")
    assert "device meta" in ragged.why_not(meta, x.to("meta"))
    assert meta(x.to("meta"))[0].shape == (6, 4, 5)
    assert "not a layer" in ragged.why_not(nn.LSTM(3, 5), x)

    reasons = []
    parameters = dict(lstm.named_parameters())

    def loss(parameters):
        reasons.append(ragged.why_not(lstm, x))
        return torch.func.functional_call(lstm, parameters, (x,))[0].sum()

    found = torch.func.grad(loss)(parameters)
    assert "torch.func" in reasons[0]
    same(found["weight_ih_l0"], gradient_of_sum(lstm, x))

    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode(allow_non_fake_inputs=True):
        assert "mode" in ragged.why_not(lstm, x)


def gradient_of_sum(lstm, x):
    return torch.autograd.grad(lstm(x)[0].sum(), lstm.weight_ih_l0)[0]


def test_copies_and_files(layers, x):
    ours, theirs = layers
    expected = ours(x)[0]
    assert torch.equal(copy.deepcopy(ours)(x)[0], expected)
    assert torch.equal(pickle.loads(pickle.dumps(ours))(x)[0], expected)
    file = io.BytesIO()
    torch.save(ours, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=False)
    assert type(loaded) is ragged.LSTM and torch.equal(loaded(x)[0], expected)
    file = io.BytesIO()
    torch.save(theirs.state_dict(), file)
    file.seek(0)
    loaded.load_state_dict(torch.load(file))
    same(loaded(x)[0], theirs(x)[0])


def test_modes_of_gradients(layers, x):
    ours, theirs = layers
    with torch.no_grad():
        assert not ours(x)[0].requires_grad
    with torch.inference_mode():
        output = ours(x)[0]
        assert output.is_inference()
    same(output, theirs(x)[0])
    for layer in layers:
        layer.requires_grad_(False)
        layer.bias_hh_l0.requires_grad_(True)
        layer(x)[0].sum().backward()
        assert layer.weight_ih_l0.grad is None
    same(ours.bias_hh_l0.grad, theirs.bias_hh_l0.grad)
    detached = ours(x)[0].detach()
    assert not detached.requires_grad


def test_inputs_that_are_not_contiguous(layers):
    ours, theirs = layers
    wide = torch.randn(4, 6, 6)
    for x in (wide[:, :, ::2].transpose(0, 1), wide[:, :, 3:], wide[:1, :, :3].expand(4, 6, 3)):
        assert ragged.why_not(ours, x) is None
        same(ours(x)[0], theirs(x)[0])
    hx = tuple(torch.randn(5, 4, 1).permute(2, 1, 0) for _ in range(2))
    x = torch.randn(6, 4, 3)
    same(ours(x, hx)[1], theirs(x, hx)[1])
    with torch.no_grad():
        for layer in layers:
            layer.weight_hh_l0 = nn.Parameter(theirs.weight_hh_l0.detach().t().contiguous().t())
    assert not ours.weight_hh_l0.is_contiguous()
    for a, b in zip(gradients(ours, x), gradients(theirs, x), strict=True):
        same(a, b)


def test_hooks_and_repeated_backward_passes(layers, x):
    ours, _ = layers
    calls = []
    ours.register_forward_hook(lambda *_: calls.append("forward"))
    ours.register_full_backward_hook(lambda *_: calls.append("backward"))
    ours.weight_ih_l0.register_hook(lambda gradient: calls.append("gradient"))
    loss = ours(x)[0].sum()
    loss.backward(retain_graph=True)
    first = ours.weight_ih_l0.grad.clone()
    loss.backward()
    assert torch.equal(ours.weight_ih_l0.grad, 2 * first)
    assert sorted(set(calls)) == ["backward", "forward", "gradient"]
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


def test_changes_in_place_are_detected(layers, x):
    ours, _ = layers
    output = ours(x)[0]
    with torch.no_grad():
        ours.weight_hh_l0.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()
    output = ours(x)[0]
    output.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()


def test_checkpointing_and_saved_tensor_hooks(layers, x):
    ours, _ = layers
    expected = gradients(ours, x)
    ours.zero_grad()
    checkpoint(lambda x: ours(x)[0], x.requires_grad_(), use_reentrant=False).square().sum().backward()
    for parameter, gradient in zip(ours.parameters(), expected):
        assert torch.equal(parameter.grad, gradient)
    ours.zero_grad()
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t.clone(), lambda t: t):
        loss = ours(x)[0].square().sum()
    loss.backward()
    for parameter, gradient in zip(ours.parameters(), expected):
        assert torch.equal(parameter.grad, gradient)


def test_parametrisations_and_functional_calls(layers, x):
    ours, theirs = layers
    replaced = {name: 2 * p for name, p in ours.state_dict().items()}
    same(torch.func.functional_call(ours, replaced, (x,))[0], torch.func.functional_call(theirs, replaced, (x,))[0])
    for layer in layers:
        parametrizations.weight_norm(layer, "weight_hh_l0")
    assert ragged.why_not(ours, x) is None
    with torch.no_grad():
        for layer in layers:
            layer.parametrizations.weight_hh_l0.original0.mul_(3)
    same(ours(x)[0], theirs(x)[0])
    for a, b in zip(gradients(ours, x), gradients(theirs, x), strict=True):
        same(a, b)


def test_parameters_in_two_places(x):
    ours, theirs = ragged.GRU(3, 5), nn.GRU(3, 5)
    theirs.load_state_dict(ours.state_dict())
    for layer in (ours, theirs):
        layer.bias_hh_l0 = layer.bias_ih_l0
    for a, b in zip(gradients(ours, x), gradients(theirs, x), strict=True):
        same(a, b)

    def penalty(layer):
        gradient = torch.autograd.grad(layer(x)[0].sum(), layer.bias_ih_l0, create_graph=True)[0]
        return torch.autograd.grad(gradient.square().sum(), layer.bias_ih_l0)[0]

    same(penalty(ours), penalty(theirs))


def test_a_gradient_penalty_has_its_gradient(x):
    """A gradient without a graph would be silently wrong."""
    ours, theirs = ragged.GRU(3, 5), nn.GRU(3, 5)
    theirs.load_state_dict(ours.state_dict())
    x.requires_grad_()

    def penalty(layer):
        layer.zero_grad()
        output = layer(x)[0].square().sum()
        gradient = torch.autograd.grad(output, x, create_graph=True)[0]
        assert gradient.requires_grad
        (output + gradient.square().sum()).backward()
        return [p.grad for p in layer.parameters()]

    for a, b in zip(penalty(ours), penalty(theirs), strict=True):
        same(a, b)


@pytest.mark.parametrize("ours, theirs", CLASSES)
def test_convert_and_revert(ours, theirs, x):
    model = nn.ModuleDict({"rnn": theirs(3, 5), "other": nn.ModuleList([nn.Linear(5, 1), theirs(3, 2)])})
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    rnn, names = model["rnn"], [name for name, _ in model.named_parameters()]
    expected = rnn(x)[0]
    assert ragged.convert(model) is model
    assert model["rnn"] is rnn and type(rnn) is ours and type(model["other"][1]) is ours
    assert [name for name, _ in model.named_parameters()] == names
    assert ragged.why_not(rnn, x) is None
    same(rnn(x)[0], expected)
    before = rnn.weight_ih_l0.detach().clone()
    rnn(x)[0].sum().backward()
    optimiser.step()
    assert not torch.equal(rnn.weight_ih_l0, before)
    assert type(ragged.revert(model)["rnn"]) is theirs
    assert type(ragged.convert(theirs(3, 5))) is ours

    class Custom(theirs):
        pass

    assert type(ragged.convert(Custom(3, 5))) is Custom


def test_patch():
    with ragged.patch():
        assert type(torch.nn.LSTM(3, 5)) is ragged.LSTM
        with ragged.patch():
            assert type(nn.GRU(3, 5)) is ragged.GRU
        assert nn.RNN is ragged.RNN
    assert type(nn.LSTM(3, 5)).__module__ == "torch.nn.modules.rnn"
    with pytest.raises(KeyError), ragged.patch():
        raise KeyError
    assert nn.LSTM is not ragged.LSTM


def test_a_packed_output_keeps_its_order(layers):
    ours, theirs = layers
    packed = pack_sequence([torch.randn(n, 3) for n in (2, 5, 3)], enforce_sorted=False)
    a, b = ours(packed)[0], theirs(packed)[0]
    assert isinstance(a, PackedSequence)
    for mine, other in zip(a[1:], b[1:]):
        assert torch.equal(mine, other)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tools_for_torch_layers_work_after_revert():
    model = ragged.convert(nn.Sequential(nn.LSTM(3, 5)))

    def quantised():
        return torch.ao.quantization.quantize_dynamic(model, {nn.LSTM}, dtype=torch.qint8)

    assert type(quantised()[0]) is ragged.LSTM
    ragged.revert(model)
    assert "quantized" in type(quantised()[0]).__module__
