"""Changing the layers of models between those of `torch.nn` and those of this package."""

from contextlib import contextmanager

from torch import nn

from ragged.layers import GRU, LSTM, RNN

_OURS = {nn.LSTM: LSTM, nn.GRU: GRU, nn.RNN: RNN}
_TORCH = {ours: torch for torch, ours in _OURS.items()}


def convert(model):
    """Makes each `nn.LSTM`, `nn.GRU` and `nn.RNN` of a model one of this package, in place.

    The modules, their parameters, hooks and optimisers stay the same objects. Subclasses that others have defined are
    left as they are.

    Returns:
        The model.

    Example:
        >>> import torch, ragged
        >>> model = ragged.convert(torch.nn.Sequential(torch.nn.LSTM(3, 4)))
        >>> type(model[0]) is ragged.LSTM
        True
    """
    return _change(model, _OURS)


def revert(model):
    """Undoes `convert`, for tools that ask whether the type of a module is `nn.LSTM`, such as dynamic quantisation.

    Returns:
        The model.
    """
    return _change(model, _TORCH)


def _change(model, classes):
    for module in model.modules():
        # Neither class has attributes of its own.
        if type(module) in classes:
            module.__class__ = classes[type(module)]
    return model


@contextmanager
def patch():
    """Within the context, `torch.nn.LSTM`, `GRU` and `RNN` are the classes of this package, for all threads.

    Models that are created in it keep their layers.

    Example:
        >>> import torch, ragged
        >>> with ragged.patch():
        ...     lstm = torch.nn.LSTM(3, 4)
        >>> type(lstm) is ragged.LSTM
        True
    """
    before = {torch.__name__: getattr(nn, torch.__name__) for torch in _OURS}
    for torch, ours in _OURS.items():
        setattr(nn, torch.__name__, ours)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(nn, name, value)
