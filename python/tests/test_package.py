"""The examples of the doc strings, the names, and what reads tensors without the exchange API."""

import doctest
import importlib
import subprocess
import sys

import pytest

import ragged

torch = pytest.importorskip("torch")

MODULES = ["conversion", "episodes", "layers", "numpy", "packing", "support"]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    if name == "numpy":
        pytest.importorskip("numpy")
    module = importlib.import_module(f"ragged.{name}")
    results = doctest.testmod(module)
    assert results.attempted > 0 and results.failed == 0


def test_every_name_is_loaded_and_documented():
    for name in ragged.__all__:
        assert getattr(ragged, name) and name in dir(ragged)
        assert name == "__version__" or getattr(ragged, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'missing'"):
        ragged.missing


OLD_TORCH = """
import torch
from ragged import _ragged
_ragged.use_exchange_api = lambda tensor_class: False
import ragged
lstm, x = ragged.LSTM(3, 5, dtype=torch.float64), torch.randn(4, 2, 3, dtype=torch.float64)
other = torch.nn.LSTM(3, 5, dtype=torch.float64)
other.load_state_dict(lstm.state_dict())
for layer in (lstm, other):
    layer(x)[0].square().sum().backward()
for a, b in zip(lstm.parameters(), other.parameters()):
    torch.testing.assert_close(a.grad, b.grad)
"""


def test_tensors_of_a_torch_without_the_exchange_api():
    subprocess.run([sys.executable, "-c", OLD_TORCH], check=True)
