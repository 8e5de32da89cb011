"""One layer and direction in graphs of `torch.compile`, as operators of PyTorch's dispatcher.

The names are those of eager mode: `batch` and `layer`. By default, `torch.compile` runs layers that are an `nn.LSTM`,
and so those of this package, outside its graphs; with `torch._dynamo.config.allow_rnn = True` they become part of them.
"""

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from ragged import kernels
from ragged._ragged import Batch
from ragged.support import about_sizes


def is_supported(module, input, hx):
    """Returns whether the operators take this call. `torch.export` keeps PyTorch's own, which need no ragged."""
    if torch.compiler.is_exporting() or torch.is_autocast_enabled("cpu"):
        return False
    packed = isinstance(input, PackedSequence)
    x = input.data if packed else input
    if x.device.type != "cpu" or x.dtype not in (torch.float32, torch.float64):
        return False
    # The batch size of a packed input is known only when the graph runs, and the operator checks the states.
    return packed or about_sizes(module, x, None, hx) is None


def batch(packed, rows, batch_size):
    """Returns the description of a batch as tensors and a number, which a graph can hold."""
    if packed is None:
        return None, None, batch_size
    order = packed.sorted_indices
    return packed.batch_sizes, order, packed.batch_sizes[0].item() if order is None else len(order)


def layer(mode, reverse, batch, x, h_0, c_0, weights):
    """Runs one layer and direction. See `kernels.forward` for the arguments. Returns output, h_n and c_n."""
    return run_layer(mode, reverse, *batch, x, h_0, c_0, *weights)[:3]


def _batch(batch_sizes, order, batch_size, rows):
    if batch_sizes is None:
        return Batch.padded(rows // batch_size, batch_size)
    return Batch(batch_sizes, order)


@torch.library.custom_op("ragged::layer", mutates_args=())
def run_layer(
    mode: str,
    reverse: bool,
    batch_sizes: Tensor | None,
    sorted_indices: Tensor | None,
    batch_size: int,
    x: Tensor,
    h_0: Tensor | None,
    c_0: Tensor | None,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor | None,
    bias_hh: Tensor | None,
    weight_hr: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Returns output, h_n, c_n (without elements unless the layer is an LSTM) and the tape."""
    batch = _batch(batch_sizes, sorted_indices, batch_size, x.shape[0])
    weights = (weight_ih, weight_hh, bias_ih, bias_hh, weight_hr)
    output, h_n, c_n, tape = kernels.forward(mode, reverse, batch, x, h_0, c_0, weights, save=True)
    return output, h_n, x.new_empty(0) if c_n is None else c_n, tape


@run_layer.register_fake
def _(mode, reverse, batch_sizes, sorted_indices, batch_size, x, h_0, c_0, *weights):
    rows, proj_size = x.shape[0], weights[1].shape[1]
    c_n = (batch_size, weights[0].shape[0] // 4) if mode == "LSTM" else (0,)
    tape = (rows, kernels.tape_len(mode, weights, x.dtype))
    sizes = (rows, proj_size), (batch_size, proj_size), c_n, tape
    return tuple(x.new_empty(size) for size in sizes)


@torch.library.custom_op("ragged::layer_backward", mutates_args=())
def run_layer_backward(
    mode: str,
    reverse: bool,
    batch_sizes: Tensor | None,
    sorted_indices: Tensor | None,
    batch_size: int,
    x: Tensor,
    h_0: Tensor | None,
    c_0: Tensor | None,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor | None,
    bias_hh: Tensor | None,
    weight_hr: Tensor | None,
    output: Tensor,
    tape: Tensor,
    d_output: Tensor | None,
    d_h_n: Tensor | None,
    d_c_n: Tensor | None,
    needed: list[bool],
) -> list[Tensor]:
    """Returns the gradients with respect to x, h_0, c_0 and the weights, without elements where not needed."""
    batch = _batch(batch_sizes, sorted_indices, batch_size, x.shape[0])
    weights = (weight_ih, weight_hh, bias_ih, bias_hh, weight_hr)
    found = kernels.backward(
        mode, reverse, batch, x, h_0, c_0, weights, (output, tape), (d_output, d_h_n, d_c_n), needed
    )
    return [x.new_empty(0) if gradient is None else gradient for gradient in found]


@run_layer_backward.register_fake
def _(mode, reverse, batch_sizes, sorted_indices, batch_size, x, h_0, c_0, *rest):
    weights, needed = rest[:5], rest[-1]
    inputs = (x, h_0, c_0, *weights)
    return [t.new_empty(t.shape) if n else x.new_empty(0) for t, n in zip(inputs, needed)]


def _setup_context(ctx, inputs, output):
    mode, reverse, batch_sizes, order, batch_size, *tensors = inputs
    ctx.set_materialize_grads(False)
    ctx.layer = (mode, reverse, batch_size)
    ctx.save_for_backward(batch_sizes, order, *tensors, output[0], output[3])


def _backward(ctx, d_output, d_h_n, d_c_n, _):
    mode, reverse, batch_size = ctx.layer
    batch_sizes, order, *tensors = ctx.saved_tensors
    needed = list(ctx.needs_input_grad[5:])
    d_c_n = d_c_n if mode == "LSTM" else None
    gradients = (d_output, d_h_n, d_c_n)
    found = run_layer_backward(mode, reverse, batch_sizes, order, batch_size, *tensors, *gradients, needed)
    return None, None, None, None, None, *(g if n else None for g, n in zip(found, needed))


run_layer.register_autograd(_backward, setup_context=_setup_context)
