"""Threads, forked processes, distributed training, and memory."""

import os
import resource
import subprocess
import sys
import threading
import time

import pytest

torch = pytest.importorskip("torch")

from torch.nn.utils.rnn import pack_sequence

import ragged


def run_python(code, **variables):
    """Runs a program in a process of its own, and returns what it prints."""
    command = [sys.executable, "-c", code]
    options = {"check": True, "capture_output": True, "text": True, "timeout": 100}
    return subprocess.run(command, env={**os.environ, **variables}, **options).stdout


def test_results_do_not_depend_on_the_number_of_threads():
    lstm, x = ragged.LSTM(32, 64), torch.randn(20, 16, 32)
    before, found = torch.get_num_threads(), []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        lstm.zero_grad()
        output = lstm(x)[0]
        output.sum().backward()
        found.append([output, *(p.grad for p in lstm.parameters())])
    torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other))


def test_other_threads_of_python_run_meanwhile():
    lstm, x = ragged.LSTM(128, 256), torch.randn(100, 64, 128)
    ticks, done = [], threading.Event()

    def tick():
        while not done.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    thread = threading.Thread(target=tick)
    thread.start()
    with torch.no_grad():
        begin = time.perf_counter()
        lstm(x)
        end = time.perf_counter()
    done.set()
    thread.join()
    assert sum(begin < t < end for t in ticks) >= 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_forked_processes_run_layers():
    lstm, x = ragged.LSTM(32, 64), torch.randn(20, 16, 32)
    expected = lstm(x)[0].detach()
    for _ in range(10):
        child = os.fork()
        if child == 0:
            with torch.no_grad():
                os._exit(0 if torch.equal(lstm(x)[0], expected) else 1)
        deadline = time.time() + 20
        while (result := os.waitpid(child, os.WNOHANG)) == (0, 0):
            assert time.time() < deadline, "the child hangs"
            time.sleep(0.005)
        assert result[1] == 0


class Sums(torch.utils.data.Dataset):
    """A data set whose examples a layer computes."""

    def __init__(self):
        self.lstm = ragged.LSTM(3, 4)

    def __len__(self):
        return 8

    def __getitem__(self, index):
        with torch.no_grad():
            return self.lstm(torch.full((5, 3), float(index)))[0].sum()


@pytest.mark.skipif(sys.platform != "linux", reason="workers are not forked")
def test_workers_of_a_data_loader_run_layers():
    data = Sums()
    data[0]
    loader = torch.utils.data.DataLoader(data, batch_size=4, num_workers=2, multiprocessing_context="fork")
    found = torch.cat(list(loader))
    torch.testing.assert_close(found, torch.stack([data[k] for k in range(8)]))


DISTRIBUTED = """
import os, sys, torch, ragged
import torch.distributed as dist
from torch import nn

def run(rank, port):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    dist.init_process_group("gloo", rank=rank, world_size=2)
    torch.manual_seed(0)
    lstm = ragged.LSTM(3, 5)
    model = nn.parallel.DistributedDataParallel(lstm)
    x = torch.randn(6, 4, 3)
    model(x[:, 2 * rank : 2 * rank + 2])[0].sum().backward()
    alone = ragged.LSTM(3, 5)
    alone.load_state_dict(lstm.state_dict())
    (alone(x)[0].sum() / 2).backward()
    for a, b in zip(lstm.parameters(), alone.parameters()):
        torch.testing.assert_close(a.grad, b.grad)
    dist.destroy_process_group()

import socket
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    port = s.getsockname()[1]
child = os.fork()
run(int(child != 0), port)
if child:
    assert os.waitpid(child, 0)[1] == 0
    print("done")
else:
    os._exit(0)
"""


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch.distributed is not available")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_distributed_training_with_two_processes():
    assert run_python(DISTRIBUTED).strip() == "done"


def memory():
    """The present memory of this process in MB."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6


HELD = """
import resource, torch, ragged

def memory():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6

lstm, x = ragged.LSTM(64, 128), torch.randn(50, 32, 64)

def step():
    loss = lstm(x)[0].square().mean()
    loss.backward()
    return loss

held = [step() for _ in range(10)]
before = memory()
held += [step() for _ in range(100)]
print(memory() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_losses_that_are_held_hold_no_tapes():
    # With this setting, glibc returns large blocks to the system at once, which takes its heap out of the measurement.
    # A tape of this layer has 4 MB.
    assert float(run_python(HELD, MALLOC_MMAP_THRESHOLD_="65536")) < 5


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow():
    lstm = ragged.GRU(3, 8)
    packed = pack_sequence([torch.randn(n, 3) for n in (2, 5, 3)], enforce_sorted=False)

    def steps(count):
        for _ in range(count):
            lstm.zero_grad()
            lstm(packed)[0].data.sum().backward()
        return memory()

    before = steps(2000)
    assert steps(10000) - before < 1
