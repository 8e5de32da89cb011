"""Recurrent layers for PyTorch on the CPU, and trained models for NumPy.

`LSTM`, `GRU` and `RNN` are subclasses of PyTorch's and take their place: same arguments, parameters, results and
errors. On packed sequences they are several times as fast. `convert` changes the layers of a model, `patch` those that
a script creates, and `why_not` says why a call is left to PyTorch's own layer. `pack` makes a packed batch,
`pack_at_starts` one of the episodes of reinforcement learning.

`ragged.numpy` runs models that were trained with the Rust crates, without PyTorch.
"""

from importlib import import_module as _import_module

from ragged._ragged import __version__

# Loaded at their first use, since importing torch takes seconds and `ragged.numpy` does not need it.
_MODULES = {
    "LSTM": "ragged.layers",
    "GRU": "ragged.layers",
    "RNN": "ragged.layers",
    "why_not": "ragged.support",
    "convert": "ragged.conversion",
    "revert": "ragged.conversion",
    "patch": "ragged.conversion",
    "pack": "ragged.packing",
    "pack_at_starts": "ragged.episodes",
    "Episodes": "ragged.episodes",
}

__all__ = [*_MODULES, "__version__"]


def __getattr__(name):
    if name not in _MODULES:
        raise AttributeError(f"module 'ragged' has no attribute {name!r}")
    value = getattr(_import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted([*globals(), *_MODULES])
