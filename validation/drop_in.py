"""Times training steps with the layers of the Python package `ragged` and with PyTorch's, in one run.

    python validation/drop_in.py [--threads 2] [--rounds 5] [--cpu] [SHAPE ...]

Needs torch and the package (`cargo xtask python` builds it). SHAPE is a name below; all by default. A step is that of
`cargo xtask bench`: pack, LSTM, linear layer, loss, backward pass, on f32. Each library runs in a process of its own,
one at a time, and both must agree on the loss. All times are medians in milliseconds; with --cpu and one thread, times
of the processor, for a machine that does other work.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time

# B, T, I, H, as in xtask/compare/src/bench/problem.rs.
SHAPES = {
    "seed": (64, 50, 7, 15),
    "seed100": (64, 50, 7, 100),
    "mid": (64, 50, 64, 256),
    "big": (32, 100, 256, 512),
    "long": (16, 1000, 16, 64),
    "b1": (1, 200, 64, 128),
}
MODES = ("packed", "padded")


def problem(shape, library):
    """Returns the step of each mode, which returns the loss."""
    import torch
    from torch import nn
    from torch.nn.utils.rnn import pack_padded_sequence

    import ragged

    batch, steps, features, hidden = shape
    torch.manual_seed(7)
    lengths = torch.randint(1, steps + 1, (batch,))
    lengths[batch // 2] = steps
    mask = torch.arange(steps) < lengths[:, None]
    x, target = torch.randn(batch, steps, features) * mask[..., None], torch.randn(batch, 1)
    lstm, linear = nn.LSTM(features, hidden, batch_first=True), nn.Linear(hidden, 1)
    if library == "ragged":
        ragged.convert(lstm)

    def packed():
        if library == "ragged":
            rows = ragged.pack(x, lengths)
        else:
            rows = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return linear(lstm(rows)[1][0][-1])

    def padded():
        return linear(lstm(x)[0][:, -1])

    def train(predict):
        lstm.zero_grad()
        linear.zero_grad()
        loss = nn.functional.mse_loss(predict(), target)
        loss.backward()
        return loss.item()

    return {"packed": lambda: train(packed), "padded": lambda: train(padded)}


def serve(library, threads, clock):
    """Answers each line of JSON [shape, mode] with the loss and the times of some steps."""
    import torch

    torch.set_num_threads(threads)
    problems = {}
    for line in sys.stdin:
        shape, mode = json.loads(line)
        if shape not in problems:
            problems[shape] = problem(SHAPES[shape], library)
        steps = problems[shape]
        steps[mode]()
        begin = clock()
        loss = steps[mode]()
        count = min(max(int(0.7 / (clock() - begin)), 3), 300)
        times = []
        for _ in range(count):
            begin = clock()
            steps[mode]()
            times.append(1e3 * (clock() - begin))
        print(json.dumps([loss, times]), flush=True)


class Worker:
    """A process with one of the libraries, stopped while the other runs: PyTorch's threads spin after a call."""

    def __init__(self, library, arguments):
        command = [sys.executable, __file__, "--serve", library, "--threads", str(arguments.threads)]
        command += ["--cpu"] if arguments.cpu else []
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, shape, mode):
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write(json.dumps([shape, mode]) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        self.process.send_signal(signal.SIGSTOP)
        return answer


def main(arguments):
    workers = {name: Worker(name, arguments) for name in ("ragged", "torch")}
    print(f"threads {arguments.threads}, OMP_WAIT_POLICY={os.environ.get('OMP_WAIT_POLICY', '')}")
    print("| shape | mode | ragged | torch | torch / ragged |\n|---|---|---|---|---|")
    try:
        for shape in arguments.shapes or SHAPES:
            for mode in MODES:
                times = {name: [] for name in workers}
                for _ in range(arguments.rounds):
                    losses = []
                    for name, worker in workers.items():
                        loss, found = worker.ask(shape, mode)
                        losses.append(loss)
                        times[name] += found
                    assert abs(losses[0] - losses[1]) < 1e-5 * max(1, abs(losses[1])), losses
                ours, theirs = (statistics.median(times[name]) for name in workers)
                print(f"| {shape} | {mode} | {ours:.2f} | {theirs:.2f} | {theirs / ours:.1f} |", flush=True)
    finally:
        for worker in workers.values():
            worker.process.kill()


parser = argparse.ArgumentParser()
parser.add_argument("shapes", nargs="*", choices=[[], *SHAPES])
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--cpu", action="store_true")
parser.add_argument("--serve", choices=["ragged", "torch"])
arguments = parser.parse_args()
if arguments.serve:
    serve(arguments.serve, arguments.threads, time.process_time if arguments.cpu else time.perf_counter)
else:
    main(arguments)
