"""PyTorch's side of `cargo bench -p ragged-datasets`: measures how long epochs of batches take.

    python bench_loader.py DATA.npz BATCH_SIZE

Reads a number of epochs from each line of stdin and prints the seconds that they took. Every batch is
padded and packed, as a usual collate function does; the examples are tensors in memory.
"""
import sys
import time

import numpy as np
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence
from torch.utils.data import DataLoader

torch.set_num_threads(1)
file = np.load(sys.argv[1])
lengths = file["lengths"].tolist()
sequences = torch.from_numpy(file["values"]).split(lengths)
targets = torch.from_numpy(file["targets"])
examples = [(sequence.clone(), target.clone()) for sequence, target in zip(sequences, targets)]


def collate(batch):
    sequences, targets = zip(*batch)
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    padded = pad_sequence(sequences, batch_first=True)
    return pack_padded_sequence(padded, lengths, batch_first=True, enforce_sorted=False), torch.stack(targets)


loader = DataLoader(examples, batch_size=int(sys.argv[2]), shuffle=True, collate_fn=collate)
for line in sys.stdin:
    start = time.perf_counter()
    steps = sum(len(packed.data) for _ in range(int(line)) for packed, _ in loader)
    print(time.perf_counter() - start, flush=True)
