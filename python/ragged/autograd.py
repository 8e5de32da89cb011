"""One layer and direction in eager mode, as a function of autograd."""

import torch
from torch import _VF

from ragged import kernels


def layer(mode, reverse, batch, x, h_0, c_0, weights):
    """Runs one layer and direction. See `kernels.forward` for the arguments. Returns output, h_n and c_n."""
    if torch.is_grad_enabled():
        for tensor in (x, h_0, c_0, *weights):
            if tensor is not None and tensor.requires_grad:
                return Layer.apply(mode, reverse, batch, x, h_0, c_0, *weights)
    return kernels.forward(mode, reverse, batch, x, h_0, c_0, weights, save=False)[:3]


class Layer(torch.autograd.Function):
    """One layer and direction."""

    @staticmethod
    def forward(ctx, mode, reverse, batch, x, h_0, c_0, *weights):
        output, h_n, c_n, tape = kernels.forward(mode, reverse, batch, x, h_0, c_0, weights, save=True)
        ctx.set_materialize_grads(False)
        ctx.layer = (mode, reverse, batch)
        # The tape is saved like the other tensors: as an attribute of ctx, it would live as long as the loss.
        ctx.save_for_backward(x, h_0, c_0, *weights, output, tape)
        return output, h_n, c_n

    @staticmethod
    def backward(ctx, *output_gradients):
        *inputs, output, tape = ctx.saved_tensors
        needed = ctx.needs_input_grad[3:]
        if torch.is_grad_enabled():
            # The gradients need a graph of their own (`create_graph=True`), which the kernels do not have.
            found = gradients_with_graph(*ctx.layer, inputs, output_gradients, needed)
        else:
            x, h_0, c_0, *weights = inputs
            found = kernels.backward(*ctx.layer, x, h_0, c_0, weights, (output, tape), output_gradients, needed)
        return None, None, None, *found


def gradients_with_graph(mode, reverse, batch, inputs, output_gradients, needed):
    """Computes the gradients by PyTorch's own operations, so that they can be differentiated."""
    with torch.enable_grad():
        # Views, since one tensor may be in two places, whose gradients are different.
        inputs = [None if t is None else t.view_as(t) for t in inputs]
        outputs = layer_of_torch(mode, reverse, batch, *inputs)
        used = [(o, g) for o, g in zip(outputs, output_gradients) if g is not None]
        wanted = [k for k, n in enumerate(needed) if n and inputs[k] is not None]
        found = torch.autograd.grad(
            [output for output, _ in used],
            [inputs[k] for k in wanted],
            [gradient for _, gradient in used],
            create_graph=True,
            allow_unused=True,
        )
    by_index = dict(zip(wanted, found))
    return [by_index.get(k) for k in range(len(inputs))]


def layer_of_torch(mode, reverse, batch, x, h_0, c_0, *weights):
    """Runs one layer and direction by PyTorch. Returns what `layer` returns."""
    batch_sizes = torch.tensor(batch.batch_sizes)
    order = torch.tensor(batch.sorted_indices)
    hidden_size, proj_size = weights[0].shape[0] // kernels.GATES[mode], weights[1].shape[1]
    if h_0 is None:
        h_0 = x.new_zeros(batch.batch_size, proj_size)
    states = [h_0]
    if mode == "LSTM":
        states.append(x.new_zeros(batch.batch_size, hidden_size) if c_0 is None else c_0)
    # PyTorch runs the reverse direction only together with the other one.
    directions = 2 if reverse else 1
    states = [s.index_select(0, order).expand(directions, -1, -1) for s in states]
    functions = {"LSTM": _VF.lstm, "GRU": _VF.gru, "RNN_TANH": _VF.rnn_tanh, "RNN_RELU": _VF.rnn_relu}
    output, *states = functions[mode](
        x,
        batch_sizes,
        states if mode == "LSTM" else states[0],
        [w for w in weights if w is not None] * directions,
        weights[2] is not None,
        1,  # layers
        0.0,  # dropout
        False,  # training
        reverse,
    )
    back = torch.argsort(order)
    h_n, *c_n = (s[-1].index_select(0, back) for s in states)
    return output[:, -proj_size:], h_n, *c_n
