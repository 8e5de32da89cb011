"""`LSTM`, `GRU` and `RNN`, in place of those of `torch.nn`."""

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from ragged import autograd, compiled
from ragged._ragged import Batch
from ragged.support import why_not


class OnKernels(nn.Module):
    """The forward method of a recurrent layer of `torch.nn`, by the kernels of this package.

    What they do not do is left to the class of `torch.nn`; so are arguments that do not fit, for its errors.
    """

    def forward(self, input, hx=None):
        if torch.compiler.is_compiling():
            if compiled.is_supported(self, input, hx):
                return _run(self, input, hx, compiled)
            return super().forward(input, hx)
        if why_not(self, input, hx) is not None:
            return super().forward(input, hx)
        return _run(self, input, hx, _Eager)


class LSTM(OnKernels, nn.LSTM):
    """A `torch.nn.LSTM`, with its arguments, parameters and results. `ragged.why_not` says when it is not faster.

    Example:
        >>> import torch, ragged
        >>> lstm = ragged.LSTM(7, 15, batch_first=True)
        >>> packed = ragged.pack(torch.randn(3, 4, 7), [3, 2, 4])
        >>> output, (h_n, c_n) = lstm(packed)
        >>> h_n.shape
        torch.Size([1, 3, 15])
    """


class GRU(OnKernels, nn.GRU):
    """A `torch.nn.GRU`, with its arguments, parameters and results. See `LSTM`."""


class RNN(OnKernels, nn.RNN):
    """A `torch.nn.RNN`, with its arguments, parameters and results. See `LSTM`."""


class _Eager:
    """The layers of eager mode; the module `compiled` has the same two functions for graphs."""

    layer = staticmethod(autograd.layer)

    @staticmethod
    def batch(packed, rows, batch_size):
        if packed is None:
            return Batch.padded(rows.shape[0] // batch_size, batch_size)
        return Batch(packed.batch_sizes, packed.sorted_indices)


def _run(module, input, hx, mode):
    """Runs all layers over packed rows [N, I]; a padded batch is packed rows of equal lengths."""
    packed = input if isinstance(input, PackedSequence) else None
    steps, batch_size = None, None
    if packed is not None:
        rows = packed.data
    elif input.dim() == 2:
        rows, batch_size = input, 1
    else:
        by_time = input.transpose(0, 1) if module.batch_first else input
        steps, batch_size = by_time.shape[:2]
        rows = by_time.reshape(-1, module.input_size)
    batch = mode.batch(packed, rows, batch_size)
    states = _initial_states(module, hx, unbatched=packed is None and steps is None)
    rows, final = _run_layers(module, rows, states, mode, batch)

    if packed is not None:
        output = PackedSequence(rows, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)
    elif steps is None:
        output, final = rows, tuple(state.squeeze(1) for state in final)
    else:
        output = rows.view(steps, batch_size, -1)
        output = output.transpose(0, 1) if module.batch_first else output
    return output, final if module.mode == "LSTM" else final[0]


def _run_layers(module, rows, states, mode, batch):
    """Returns the rows after all layers, and the final states [layers and directions, B, ..]."""
    directions = 2 if module.bidirectional else 1
    dropout = module.dropout if module.training else 0.0
    finals = []
    for number in range(module.num_layers):
        if number > 0 and dropout > 0:
            rows = torch.dropout(rows, dropout, True)
        rows, outputs = rows.contiguous(), []
        for direction in range(directions):
            k = number * directions + direction
            h_0, c_0 = (None if s is None else s[k].contiguous() for s in states)
            weights = _weights(module, k)
            output, *final = mode.layer(module.mode, direction == 1, batch, rows, h_0, c_0, weights)
            outputs.append(output)
            finals.append(final)
        rows = outputs[0] if directions == 1 else torch.cat(outputs, 1)
    finals = [final[: 2 if module.mode == "LSTM" else 1] for final in finals]
    if len(finals) == 1:
        return rows, tuple(state.unsqueeze(0) for state in finals[0])
    return rows, tuple(torch.stack(states) for states in zip(*finals))


def _initial_states(module, hx, unbatched):
    h_0, c_0 = (None, None) if hx is None else hx if module.mode == "LSTM" else (hx, None)
    if unbatched and hx is not None:
        return h_0.unsqueeze(1), None if c_0 is None else c_0.unsqueeze(1)
    return h_0, c_0


def _weights(module, k):
    """Returns weight_ih, weight_hh, bias_ih, bias_hh and weight_hr of a layer and direction, None where it has none."""
    parameters, weights = module._parameters, []
    for name in module._all_weights[k]:
        # A parameter that a parametrisation or `functional_call` has replaced is an attribute.
        weight = parameters.get(name)
        weights.append((getattr(module, name) if weight is None else weight).contiguous())
    if not module.bias:
        weights[2:2] = (None, None)
    if not module.proj_size:
        weights.append(None)
    return weights
