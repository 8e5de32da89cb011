"""Settings of all tests."""

try:
    import torch
except ImportError:
    torch = None

if torch is not None:
    # Threads of PyTorch that wait spin, which delays all tests on a machine with other work.
    torch.set_num_threads(1)
