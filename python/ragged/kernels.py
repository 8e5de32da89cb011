"""One layer and direction on tensors: the calls of the kernels, for eager mode and for compiled graphs."""

import torch

from ragged import _ragged

HAS_EXCHANGE_API = _ragged.use_exchange_api(torch.Tensor)

GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


def readable(*tensors):
    """Returns the tensors as the kernels read them. Older versions of PyTorch have no exchange API; their tensors are
    read through `__dlpack__`, which refuses those that need gradients."""
    if HAS_EXCHANGE_API:
        return tensors
    return tuple(None if t is None else t.detach() for t in tensors)


def tape_len(mode, weights, dtype):
    """Returns the elements of the tape per packed row."""
    hidden_size = weights[0].shape[0] // GATES[mode]
    proj_size = 0 if weights[4] is None else weights[1].shape[1]
    return _ragged.tape_len(mode, hidden_size, proj_size, dtype == torch.float64)


def forward(mode, reverse, batch, x, h_0, c_0, weights, save):
    """Runs the forward pass.

    Args:
        batch: the `_ragged.Batch` of the packed rows.
        x: [N, I].
        h_0, c_0: [B, P] and [B, H], in the caller's order, or None.
        weights: weight_ih, weight_hh, bias_ih, bias_hh and weight_hr; what the layer does not have is None.
        save: whether to make a tape for `backward`.

    Returns:
        output [N, P], h_n [B, P], c_n [B, H] or None, and the tape or None.
    """
    rows, batch_size = x.shape[0], batch.batch_size
    output = x.new_empty((rows, weights[1].shape[1]))
    h_n = x.new_empty((batch_size, weights[1].shape[1]))
    c_n = x.new_empty((batch_size, weights[0].shape[0] // 4)) if mode == "LSTM" else None
    tape = x.new_empty((rows, tape_len(mode, weights, x.dtype))) if save else None
    threads = torch.get_num_threads()
    x, h_0, c_0, *weights = readable(x, h_0, c_0, *weights)
    outputs = (output, h_n, c_n, tape)
    _ragged.forward(mode, reverse, threads, batch, x, (h_0, c_0), tuple(weights), outputs)
    return outputs


def backward(mode, reverse, batch, x, h_0, c_0, weights, saved, output_gradients, needed):
    """Runs the backward pass.

    Args:
        saved: the output and the tape of the forward pass; the other arguments are those of `forward`.
        output_gradients: the gradients with respect to output, h_n and c_n; None stands for zeros.
        needed: whether the gradients with respect to x, h_0, c_0 and each weight are needed.

    Returns:
        The gradients in the order of `needed`, None where they are not.
    """
    inputs = (x, h_0, c_0, *weights)
    found = [t.new_empty(t.shape) if n and t is not None else None for t, n in zip(inputs, needed)]
    dx, dh_0, dc_0, *d_weights = found
    output_gradients = tuple(None if g is None else g.contiguous() for g in output_gradients)
    x, h_0, c_0, *weights = readable(*inputs)
    saved = readable(*saved)
    threads = torch.get_num_threads()
    _ragged.backward(
        mode, reverse, threads, batch, x, (h_0, c_0), tuple(weights), saved, output_gradients,
        (dx, *d_weights, dh_0, dc_0),
    )  # fmt: skip
    return found
