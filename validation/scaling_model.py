#!/usr/bin/env python3
"""Prints the extrapolation of docs/scaling.md: the share of compute in an update on several ranks.

    python validation/scaling_model.py

Each rank computes one shard on one core, and then exchanges with the others. The constants of the computer were measured
with `time_exchange` and training runs, those of the networks are assumed.
"""
from math import log2

# Parameters, and the seconds that one core takes for a shard.
MODELS = {"seed": (1_456, 0.25e-3), "mid": (330_241, 30e-3), "big": (1_577_473, 135e-3)}
# Seconds per message, and bytes per second in each direction.
NETWORKS = {"10 Gbit/s": (30e-6, 1.25e9), "100 Gbit/s": (2e-6, 12.5e9)}
# Bytes per second at which gradients are put into one vector and taken out again.
COPY = 2.0e9
# Messages to all ranks in an update (weights, losses and metrics, the wish to stop), and their bytes per rank.
GATHERS, SMALL = 3, 700
RANKS = (2, 4, 8, 16, 64, 256)


def exchange(parameters, ranks, latency, bandwidth):
    size, rounds = 4 * parameters, log2(ranks)
    tree = 2 * rounds * latency + 2 * (1 - 1 / ranks) * size / bandwidth
    return tree + size / COPY + GATHERS * (rounds * latency + SMALL * ranks / bandwidth)


print("| model | network |" + "".join(f" {ranks} ranks |" for ranks in RANKS))
print("|---|---|" + "---|" * len(RANKS))
for model, (parameters, compute) in MODELS.items():
    for network, (latency, bandwidth) in NETWORKS.items():
        times = [exchange(parameters, ranks, latency, bandwidth) for ranks in RANKS]
        cells = [f" {100 * compute / (compute + time):.0f} %, {1e3 * time:.2g} ms |" for time in times]
        print(f"| `{model}` | {network} |" + "".join(cells))
