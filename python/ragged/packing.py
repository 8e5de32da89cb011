"""`pack`: a packed batch from a padded one."""

import torch
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from ragged import _ragged, kernels
from ragged.support import about_mode, about_tensor


def pack(x, lengths, batch_first=True):
    """Packs a padded batch, as `pack_padded_sequence(x, lengths, batch_first, enforce_sorted=False)` does.

    Sorting, batch sizes and the copy are one call, which takes some microseconds. Tensors that it does not take, such
    as those of another device, are packed by PyTorch.

    Args:
        x: [B, T, F], or [T, B, F] unless `batch_first`. Other than with PyTorch, `batch_first` is the default.
        lengths: the number of steps of each sequence, a list or a tensor of integers, each from 1 to T.

    Returns:
        A PackedSequence, through which gradients reach `x`.

    Raises:
        ValueError: for a length out of range, which it names.

    Example:
        >>> import torch, ragged
        >>> ragged.pack(torch.tensor([[[1.0], [2.0]], [[3.0], [0.0]]]), [2, 1]).data
        tensor([[1.],
                [3.],
                [2.]])
    """
    if x.dim() != 3 or torch.compiler.is_compiling() or about_mode() or about_tensor("x", x):
        return pack_padded_sequence(x, torch.as_tensor(lengths), batch_first, enforce_sorted=False)
    lengths = lengths.tolist() if hasattr(lengths, "tolist") else list(lengths)
    order = _order(lengths)
    if x.requires_grad and torch.is_grad_enabled():
        data = _Pack.apply(x, lengths, batch_first, order)
    else:
        data, _ = _pack(x, lengths, batch_first, order)
    return PackedSequence(data, *order)


def _order(lengths):
    """Returns memory for batch_sizes, sorted_indices and unsorted_indices."""
    sizes = (max(lengths, default=0), len(lengths), len(lengths))
    return tuple(torch.empty(size, dtype=torch.int64) for size in sizes)


def _pack(x, lengths, batch_first, order):
    data = x.new_empty((sum(lengths), x.shape[2]))
    (x,) = kernels.readable(x.contiguous())
    return data, _ragged.pack(x, lengths, batch_first, data, order)


class _Pack(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, lengths, batch_first, order):
        data, batch = _pack(x, lengths, batch_first, order)
        ctx.arguments = (x.shape, batch, batch_first)
        return data

    @staticmethod
    def backward(ctx, d_data):
        return _Unpack.apply(d_data, *ctx.arguments), None, None, None


class _Unpack(torch.autograd.Function):
    """The transpose of packing, with zeros in the place of the padding."""

    @staticmethod
    def forward(ctx, data, shape, batch, batch_first):
        ctx.arguments = (batch, batch_first)
        padded = data.new_zeros(shape)
        _ragged.unpack(data.contiguous(), batch, batch_first, padded)
        return padded

    @staticmethod
    def backward(ctx, d_padded):
        batch, batch_first = ctx.arguments
        order = _order(batch.lengths)
        return _Pack.apply(d_padded, batch.lengths, batch_first, order), None, None, None
