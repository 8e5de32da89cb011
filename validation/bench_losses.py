"""Times PyTorch's CTC loss and embedding, and pytorch-crf, for `cargo xtask bench --losses`: forward and backward.

    pip install torch pytorch-crf

Reads lines of JSON, `{"loss": "ctc", "iterations": 5}`, and answers each with the times of the iterations in milliseconds.
"""
import json
import sys
import time

import torch


def ctc(batch=32, steps=500, classes=64, labels=50):
    logits = torch.randn(steps, batch, classes, requires_grad=True)
    targets = torch.randint(1, classes, (batch, labels))
    lengths = torch.full((batch,), steps), torch.full((batch,), labels)
    return [logits], lambda: torch.nn.functional.ctc_loss(logits.log_softmax(-1), targets, *lengths)


def crf(batch=32, steps=384, tags=17):
    from torchcrf import CRF

    layer = CRF(tags, batch_first=True)
    emissions = torch.randn(batch, steps, tags, requires_grad=True)
    truth = torch.randint(tags, (batch, steps))
    return [emissions, *layer.parameters()], lambda: -layer(emissions, truth)


def embed(steps=1600, vocabulary=10_000, size=64):
    layer = torch.nn.Embedding(vocabulary, size)
    ids = torch.arange(steps) * 7919 % vocabulary
    return [layer.weight], lambda: layer(ids).sum()


def main():
    torch.set_num_threads(int(sys.argv[1]))
    torch.manual_seed(1)
    losses = {}
    for line in sys.stdin:
        request = json.loads(line)
        name = request["loss"]
        if name not in losses:
            losses[name] = {"ctc": ctc, "crf": crf, "embed": embed}[name]()
        leaves, loss = losses[name]
        times = []
        for _ in range(request["iterations"]):
            start = time.perf_counter()
            for leaf in leaves:
                leaf.grad = None
            loss().backward()
            times.append(1e3 * (time.perf_counter() - start))
        print(json.dumps(times), flush=True)


if __name__ == "__main__":
    main()
