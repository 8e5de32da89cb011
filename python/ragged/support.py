"""Which calls the kernels do, and why the others are left to PyTorch."""

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

_PLAIN = (torch.Tensor, nn.Parameter)
_DTYPES = (torch.float32, torch.float64)


def why_not(module, input, hx=None):
    """Says why a call of a recurrent layer is left to PyTorch's own implementation.

    Args:
        module: an `LSTM`, `GRU` or `RNN`.
        input: what it would be called with, a tensor or a PackedSequence.
        hx: the initial states, if any.

    Returns:
        The reason, or None if the kernels of this package compute the call.

    Example:
        >>> import torch, ragged
        >>> lstm = ragged.LSTM(3, 4)
        >>> ragged.why_not(lstm, torch.zeros(5, 2, 3))
        >>> ragged.why_not(lstm.bfloat16(), torch.zeros(5, 2, 3, dtype=torch.bfloat16))
        'the dtype of the input is torch.bfloat16, not float32 or float64'
    """
    from ragged.layers import OnKernels

    if not isinstance(module, OnKernels):
        return f"{type(module).__name__} is not a layer of ragged (ragged.convert makes it one)"
    packed = isinstance(input, PackedSequence)
    x = input.data if packed else input
    return (
        about_mode()
        or about_tensor("the input", x)
        or _about_states(module, hx, x)
        or _about_weights(module, x)
        or about_sizes(module, x, input if packed else None, hx)
    )


def about_mode():
    if torch.is_autocast_enabled("cpu"):
        return "autocast is on, in which PyTorch chooses the dtype"
    if torch._C._functorch.peek_interpreter_stack() is not None:
        return "a transform of torch.func is active"
    if torch._C._len_torch_dispatch_stack():
        return "a dispatch mode is active, such as that of fake tensors"
    if torch._C._get_tracing_state() is not None:
        return "torch.jit.trace is recording"
    return None


def about_tensor(name, x):
    if type(x) not in _PLAIN:
        return f"{name} is a {type(x).__name__}, not a plain tensor"
    if x.device.type != "cpu":
        return f"{name} is on the device {x.device}, not on the CPU"
    if x.dtype not in _DTYPES:
        return f"the dtype of {name} is {x.dtype}, not float32 or float64"
    if x.layout is not torch.strided or x.is_neg():
        return f"{name} is not a plain array of its values"
    return None


def _about_states(module, hx, x):
    if hx is None:
        return None
    states = hx if module.mode == "LSTM" else (hx,)
    if not isinstance(states, (tuple, list)) or len(states) != (2 if module.mode == "LSTM" else 1):
        return "the initial states are not what the layer expects"
    for state in states:
        reason = about_tensor("an initial state", state)
        if reason is not None:
            return reason
        if state.dtype != x.dtype:
            return "an initial state has another dtype than the input"
    return None


def _about_weights(module, x):
    for names in module._all_weights:
        for name in names:
            weight = module._parameters.get(name)
            if weight is None:
                weight = getattr(module, name, None)
            if type(weight) not in _PLAIN or weight.dtype != x.dtype or not weight.is_cpu:
                return f"{name} is not a plain tensor of the dtype and device of the input"
    return None


def about_sizes(module, x, packed, hx):
    """Sizes that do not fit are left to PyTorch, which raises its own error."""
    dims = x.dim()
    if dims != 2 and (packed is not None or dims != 3):
        return "the input has a number of dimensions that the layer does not take"
    if x.shape[-1] != module.input_size:
        return "the input has another number of features than the layer"
    if x.numel() == 0:
        return "the input has no elements"
    if packed is not None:
        batch = int(packed.batch_sizes[0])
    elif dims == 2:
        batch = None
    else:
        batch = x.shape[0 if module.batch_first else 1]
    if hx is None:
        return None
    h_0, *c_0 = hx if module.mode == "LSTM" else (hx,)
    layers = module.num_layers * (2 if module.bidirectional else 1)
    middle = () if batch is None else (batch,)
    if h_0.shape != (layers, *middle, module.proj_size or module.hidden_size):
        return "the initial states have other sizes than the layer expects"
    if c_0 and c_0[0].shape != (layers, *middle, module.hidden_size):
        return "the initial states have other sizes than the layer expects"
    return None
