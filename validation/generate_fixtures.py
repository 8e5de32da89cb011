#!/usr/bin/env python3
"""Writes the PyTorch fixtures with which the Rust tests compare.

    pip install torch safetensors numpy pytorch-crf
    python validation/generate_fixtures.py

Layers, packing and checkpoints go to crates/ragged-models/tests, training runs to crates/ragged-train/tests.
One case is one .safetensors file. Its metadata key `case` is a JSON object with the options. Its tensors are the inputs,
PyTorch's results, and the gradients (`grad.*`) of the sum of all results, each weighted by its `cotangent.*`.
`cargo xtask conformance FOLDER` reads the files. The committed ones were written by PyTorch 2.15 with the seeds below.
"""
import json
import pathlib
from fnmatch import fnmatchcase

import torch
from safetensors.torch import save_file
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

CRATES = pathlib.Path(__file__).resolve().parent.parent / "crates"
DTYPES = {"f32": torch.float32, "f64": torch.float64}


def save(crate, name, case, tensors, folder="fixtures"):
    folder = CRATES / crate / "tests" / folder
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {key: value.detach().clone().contiguous() for key, value in tensors.items()}
    save_file(tensors, folder / f"{name}.safetensors", metadata={"case": json.dumps(case)})


MODULES = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn_tanh": torch.nn.RNN, "rnn_relu": torch.nn.RNN}


def layer(name, seed, *, layout, lengths, op="lstm", dtype="f64", input_size=3, hidden_size=5, state=False,
          batch_first=True, **options):
    """Writes one forward and backward pass of a layer; `lengths` are equal unless the layout is packed."""
    torch.manual_seed(seed)
    torch.set_default_dtype(DTYPES[dtype])
    if op.startswith("rnn"):
        options["nonlinearity"] = op.removeprefix("rnn_")
    net = MODULES[op](input_size, hidden_size, batch_first=batch_first, **options)
    batch, steps = len(lengths), max(lengths)
    shape = (batch, steps, input_size) if batch_first else (steps, batch, input_size)
    unbatched = layout == "unbatched"
    if unbatched:
        shape = (steps, input_size)
    rows = (net.num_layers * (2 if net.bidirectional else 1),)
    tensors = {"input": torch.randn(shape).requires_grad_()}
    initial = None
    if state:
        dims = rows if unbatched else (*rows, batch)
        tensors["h_0"] = torch.randn(*dims, net.proj_size or hidden_size).requires_grad_()
        initial = tensors["h_0"]
        if op == "lstm":
            tensors["c_0"] = torch.randn(*dims, hidden_size).requires_grad_()
            initial = tensors["h_0"], tensors["c_0"]
    leaves = dict(tensors) | dict(net.named_parameters())
    if layout == "packed":
        tensors["lengths"] = torch.tensor(lengths)
        packed = pack_padded_sequence(tensors["input"], tensors["lengths"], batch_first, enforce_sorted=False)
        output, last = net(packed, initial)
        output, _ = pad_packed_sequence(output, batch_first)
    else:
        output, last = net(tensors["input"], initial)
    h_n, c_n = last if op == "lstm" else (last, None)
    results = {"output": output, "h_n": h_n} | ({"c_n": c_n} if op == "lstm" else {})
    weights = {f"cotangent.{key}": torch.randn(value.shape) for key, value in results.items()}
    sum((results[key] * weights[f"cotangent.{key}"]).sum() for key in results).backward()
    grads = {f"grad.{key}": leaf.grad for key, leaf in leaves.items()}
    case = dict(op=op, layout=layout, dtype=dtype, input_size=input_size, hidden_size=hidden_size,
                num_layers=net.num_layers, bias=net.bias, bidirectional=net.bidirectional, proj_size=net.proj_size,
                batch_first=batch_first, enforce_sorted=False)
    save("ragged-models", name, case, leaves | tensors | results | weights | grads)


def packing(name, seed, lengths, *, trailing, batch_first=True, total_length=None, padding_value=0.0):
    """Writes a few sequences, padded, packed and unpacked."""
    torch.manual_seed(seed)
    torch.set_default_dtype(torch.float64)
    sequences = [torch.randn(length, *trailing) for length in lengths]
    padded = pad_sequence(sequences, batch_first, padding_value)
    packed = pack_padded_sequence(padded, torch.tensor(lengths), batch_first, enforce_sorted=False)
    unpacked, unpacked_lengths = pad_packed_sequence(packed, batch_first, padding_value, total_length)
    tensors = {f"sequence.{b}": sequence for b, sequence in enumerate(sequences)}
    tensors |= dict(lengths=torch.tensor(lengths), padded=padded, unpacked=unpacked, unpacked_lengths=unpacked_lengths,
                    padded_left=pad_sequence(sequences, batch_first, padding_value, padding_side="left"),
                    **packed._asdict())
    case = dict(op="pack", dtype="f64", batch=len(lengths), batch_first=batch_first, enforce_sorted=False,
                total_length=total_length, padding_value=padding_value)
    save("ragged-models", name, case, tensors)


def checkpoints(seed):
    """Writes the same weights in several forms: as a plain state dict and nested in a checkpoint."""
    torch.manual_seed(seed)
    torch.set_default_dtype(torch.float32)
    lstm = torch.nn.LSTM(2, 3, bidirectional=True)
    folder = CRATES / "ragged-models" / "tests" / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    save_file({key: value.detach().clone() for key, value in lstm.state_dict().items()}, folder / "lstm.safetensors")
    torch.save(lstm.state_dict(), folder / "lstm.pt")
    net = torch.nn.ModuleDict({"encoder": lstm, "head": torch.nn.Linear(6, 2)})
    rule = torch.optim.Adam(net.parameters())
    net["head"](lstm(torch.ones(4, 2))[0]).sum().backward()
    nested = {"epoch": 3, "model_state_dict": net.state_dict(), "optimizer_state_dict": rule.state_dict()}
    torch.save(nested, folder / "nested.pth")
    # Transposed storage, overlapping storage, a Parameter and half precision are all valid in a state dict.
    odd = {key: value.detach().t().contiguous().t() if value.dim() == 2 else value for key, value in
           lstm.state_dict().items()}
    odd["bias_ih_l0"] = torch.nn.Parameter(torch.arange(24.0)[::2])
    odd["bias_hh_l0"] = torch.arange(12).to(torch.float16) / 4
    torch.save(odd, folder / "odd.pt")
    torch.save({"epoch": 3}, folder / "nothing.pt")


def run(name, seed, *, model, optimizer, loss, clip_grad_norm=None, clip_grad_value=None, groups=(), ema=None,
        updates=5, input_size=2, hidden_size=4):
    """Writes a few updates of one of the two models: losses, gradient norms and the final parameters.

    `groups` are parameter groups with their own factor on the learning rate and their own weight decay; `ema` is the
    decay of an average of the weights, whose final value is written too.
    """
    torch.manual_seed(seed)
    torch.set_default_dtype(torch.float64)
    output_size = 1 if loss == "mse" else 3
    lstm = torch.nn.LSTM(input_size, hidden_size, batch_first=True)
    linear = torch.nn.Linear(hidden_size, output_size)
    net = torch.nn.ModuleDict({"lstm": lstm, "linear": linear})
    kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW,
            "rmsprop": torch.optim.RMSprop}[optimizer["name"]]
    named, parts = dict(net.named_parameters()), []
    for group in groups:
        names = [key for key in named if fnmatchcase(key, group["parameters"])]
        part = dict(params=[named.pop(key) for key in names], lr=optimizer["lr"] * group["lr_scale"])
        parts.append(part | {key: group[key] for key in group if key == "weight_decay"})
    parts.append(dict(params=list(named.values())))
    rule = kind(parts, **{key: value for key, value in optimizer.items() if key != "name"})
    average = ema and AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(ema))
    tensors = {f"init.{key}": value.detach().clone() for key, value in net.state_dict().items()}
    losses, norms = [], []
    for k in range(updates):
        lengths = torch.tensor([4, 1, 6, 3]) if model == "variable" else torch.full((4,), 6)
        x = torch.randn(4, 6, input_size) * (torch.arange(6) < lengths[:, None])[..., None]
        if model == "variable":
            packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            prediction = linear(lstm(packed)[1][0][-1])
        else:
            prediction = linear(lstm(x)[0][:, -1, :])
        y = x.sum(dim=(1, 2))[:, None] if loss == "mse" else torch.randint(output_size, (4,))
        value = getattr(torch.nn.functional, "mse_loss" if loss == "mse" else "cross_entropy")(prediction, y)
        rule.zero_grad()
        value.backward()
        norms.append(clip_grad_norm_(net.parameters(), clip_grad_norm or float("inf")))
        if clip_grad_value:
            clip_grad_value_(net.parameters(), clip_grad_value)
        rule.step()
        if ema:
            average.update_parameters(net)
        losses.append(value.detach())
        tensors |= {f"batch.{k}.input": x, f"batch.{k}.lengths": lengths, f"batch.{k}.target": y}
    tensors |= {"losses": torch.stack(losses), "grad_norms": torch.stack(norms)}
    tensors |= {f"final.{key}": value for key, value in net.state_dict().items()}
    if ema:
        tensors |= {f"ema.{key}": value for key, value in average.module.state_dict().items()}
    case = dict(op="train", dtype="f64", model=model, optimizer=optimizer, loss=loss, input_size=input_size,
                hidden_size=hidden_size, output_size=output_size, updates=updates, clip_grad_norm=clip_grad_norm,
                **(dict(clip_grad_value=clip_grad_value) if clip_grad_value else {}),
                **(dict(groups=list(groups)) if groups else {}), **(dict(ema=ema) if ema else {}))
    save("ragged-train", name, case, tensors)


def schedules(lr=0.2, steps=40):
    """Writes the learning rates, and scheduled momenta, of 40 updates with PyTorch's schedulers."""
    rules = torch.optim.lr_scheduler
    warm = lambda rule, after: rules.SequentialLR(
        rule, [rules.LinearLR(rule, 1 / 8, total_iters=8), after], milestones=[8])
    cases = [
        (dict(name="constant"), lambda rule: rules.ConstantLR(rule, factor=1.0)),
        (dict(name="step", step_size=7, gamma=0.3), lambda rule: rules.StepLR(rule, 7, 0.3)),
        (dict(name="exponential", gamma=0.9), lambda rule: rules.ExponentialLR(rule, 0.9)),
        (dict(name="cosine", min_lr=0.01), lambda rule: rules.CosineAnnealingLR(rule, steps, 0.01)),
        (dict(name="cosine", warmup=8),
         lambda rule: warm(rule, rules.CosineAnnealingLR(rule, steps - 8))),
        (dict(name="cosine", restart=5, restart_mult=2, min_lr=0.02),
         lambda rule: rules.CosineAnnealingWarmRestarts(rule, 5, 2, 0.02)),
        (dict(name="one-cycle", momentum=[0.85, 0.95]),
         lambda rule: rules.OneCycleLR(rule, lr, total_steps=steps)),
        (dict(name="one-cycle", pct_start=0.4, anneal="linear", div_factor=10, final_div_factor=100),
         lambda rule: rules.OneCycleLR(rule, lr, total_steps=steps, pct_start=0.4, anneal_strategy="linear",
                                       div_factor=10, final_div_factor=100, cycle_momentum=False)),
        (dict(name="one-cycle", three_phase=True, momentum=[0.8, 0.9]),
         lambda rule: rules.OneCycleLR(rule, lr, total_steps=steps, three_phase=True, base_momentum=0.8,
                                       max_momentum=0.9)),
        (dict(name="plateau", factor=0.5, patience=2, threshold=0.01, cooldown=1, min_lr=0.03),
         lambda rule: rules.ReduceLROnPlateau(rule, factor=0.5, patience=2, threshold=0.01, cooldown=1, min_lr=0.03)),
    ]
    torch.manual_seed(21)
    values = (1 / (1 + torch.arange(steps) / 5) + 0.05 * torch.rand(steps)).tolist()
    results = []
    for schedule, make in cases:
        rule = torch.optim.Adam([torch.zeros(1, requires_grad=True)], lr=lr)
        scheduler = make(rule)
        rates, momenta = [], []
        for value in values:
            rates.append(rule.param_groups[0]["lr"])
            momenta.append(rule.param_groups[0]["betas"][0])
            rule.step()
            scheduler.step(*([value] if schedule["name"] == "plateau" else []))
        results.append(dict(schedule=schedule, rates=rates) | (dict(momenta=momenta) if "momentum" in schedule else {}))
    text = json.dumps(dict(lr=lr, values=values, cases=results), indent=1)
    (CRATES / "ragged-train" / "tests" / "fixtures" / "schedules.json").write_text(text + "\n")


def losses(seed=81):
    """Writes values and gradients of PyTorch's losses in f64. NaN and -100 are missing targets, which are left out."""
    torch.manual_seed(seed)
    torch.set_default_dtype(torch.float64)
    F, rows = torch.nn.functional, 7
    x, y = 2 * torch.randn(rows, 3), 2 * torch.randn(rows, 3)
    y[2, 1] = y[4, 0] = float("nan")
    classes = torch.tensor([2, 0, -100, 1, 1, 0, 2])
    counts = torch.randint(6, (rows, 3)).double()
    labels = torch.randint(2, (rows, 3)).double()
    labels[1, 2] = 0.25
    large = torch.tensor([[800.0, -800.0, 40.0], [-1e4, 1e4, 0.0]])
    large_labels = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    pairs, weight, pos_weight = 2 * torch.randn(rows, 6), torch.tensor([0.5, 3.0, 1.25]), torch.tensor([2.0, 0.5, 3.0])
    known = lambda loss: lambda x, y: loss(x[~y.isnan()], y[~y.isnan()])

    def pinball(quantiles):
        def loss(x, y):
            x, q = x.reshape(*y.shape, len(quantiles)), torch.tensor(quantiles)
            excess = y[..., None] - x
            return torch.maximum(q * excess, (q - 1) * excess)[~y.isnan()].mean()
        return loss

    def gaussian(x, y):
        x = x.reshape(*y.shape, 2)
        mean, variance = x[..., 0], F.softplus(x[..., 1])
        return F.gaussian_nll_loss(mean[~y.isnan()], y[~y.isnan()], variance[~y.isnan()])

    cases = [
        (dict(name="mse"), x, y, known(F.mse_loss)),
        (dict(name="l1"), x, y, known(F.l1_loss)),
        (dict(name="huber", delta=0.7), x, y, known(lambda x, y: F.huber_loss(x, y, delta=0.7))),
        (dict(name="smooth-l1", beta=1.5), x, y, known(lambda x, y: F.smooth_l1_loss(x, y, beta=1.5))),
        (dict(name="smooth-l1", beta=0.0), x, y, known(lambda x, y: F.smooth_l1_loss(x, y, beta=0.0))),
        (dict(name="cross-entropy"), x, classes, F.cross_entropy),
        (dict(name="cross-entropy", weight=weight.tolist()), x, classes,
         lambda x, y: F.cross_entropy(x, y, weight=weight)),
        (dict(name="cross-entropy", label_smoothing=0.2), x, classes,
         lambda x, y: F.cross_entropy(x, y, label_smoothing=0.2)),
        (dict(name="cross-entropy", weight=weight.tolist(), label_smoothing=0.3), 50 * x, classes,
         lambda x, y: F.cross_entropy(x, y, weight=weight, label_smoothing=0.3)),
        (dict(name="bce"), x, labels, F.binary_cross_entropy_with_logits),
        (dict(name="bce", pos_weight=pos_weight.tolist()), x, labels,
         lambda x, y: F.binary_cross_entropy_with_logits(x, y, pos_weight=pos_weight)),
        (dict(name="bce"), large, large_labels, F.binary_cross_entropy_with_logits),
        (dict(name="poisson"), x, counts, F.poisson_nll_loss),
        (dict(name="poisson", log_input=False), x.abs(), counts,
         lambda x, y: F.poisson_nll_loss(x, y, log_input=False)),
        (dict(name="gaussian"), pairs, y, gaussian),
        (dict(name="gaussian"), 30 * pairs, y, gaussian),
        (dict(name="quantile", quantiles=[0.2, 0.9]), pairs, y, pinball([0.2, 0.9])),
    ]
    results = []
    number = lambda value: None if value != value or value == -100 else value
    for loss, x, y, compute in cases:
        x = x.clone().requires_grad_()
        value = compute(x, y)
        value.backward()
        results.append(dict(loss=loss, prediction=x.tolist(), value=value.item(), gradient=x.grad.tolist(),
                            target=[[number(v) for v in row] for row in y.reshape(len(y), -1).tolist()]))
    text = json.dumps(results, indent=1)
    (CRATES / "ragged-train" / "tests" / "fixtures" / "losses.json").write_text(text + "\n")


def heads(seed=83):
    """Writes values and gradients of weighted sums of PyTorch's losses over the columns of several heads, in f64. NaN and
    -100 are missing targets, which are left out."""
    torch.manual_seed(seed)
    torch.set_default_dtype(torch.float64)
    F, rows, nan = torch.nn.functional, 9, float("nan")
    activity = torch.tensor([2.0, 0, nan, 1, 1, 0, 2, nan, 0])
    speed, dose, load = 40 + 5 * torch.randn(rows), torch.randn(rows), 3 * torch.randn(rows)
    speed[1] = speed[2] = speed[5] = dose[0] = nan
    kind = torch.randint(2, (rows,)).double()
    weight, quantiles = torch.tensor([0.5, 3.0, 1.25]), torch.tensor([0.2, 0.9])
    scale = dict(mean=speed[~speed.isnan()].mean().item(), std=speed[~speed.isnan()].std(correction=0).item())

    def known(loss):
        return lambda x, y: loss(x[~y.isnan()], y[~y.isnan()])

    def classes(x, y, **options):
        return F.cross_entropy(x, torch.where(y.isnan(), -100, y).long(), **options)

    def pinball(x, y):
        excess = y[:, None] - x
        return torch.maximum(quantiles * excess, (quantiles - 1) * excess).mean()

    parts = [
        (dict(loss=dict(name="cross-entropy", weight=weight.tolist(), label_smoothing=0.1), weight=1.5), 3, activity, None,
         lambda x, y: classes(x, y, weight=weight, label_smoothing=0.1)),
        (dict(loss=dict(name="huber", delta=0.7), weight=0.5), 1, speed, scale,
         known(lambda x, y: F.huber_loss(x[:, 0], (y - scale["mean"]) / scale["std"], delta=0.7))),
        (dict(loss=dict(name="gaussian"), weight=0.25), 2, dose, None,
         known(lambda x, y: F.gaussian_nll_loss(x[:, 0], y, F.softplus(x[:, 1])))),
        (dict(loss=dict(name="cross-entropy"), weight=0.0), 2, kind, None, classes),
        (dict(loss=dict(name="quantile", quantiles=quantiles.tolist()), weight=2.0), 2, load, None, pinball),
    ]
    x = (2 * torch.randn(rows, sum(count for _, count, *_ in parts))).requires_grad_()
    number = lambda value: None if value != value else value
    columns, means, start = [], [], 0
    for head, count, target, scale, loss in parts:
        means.append(loss(x[:, start:start + count], target))
        start += count
        columns.append(dict(**head, outputs=count, scale=scale, mean=means[-1].item(),
                            target=[number(v) for v in target.tolist()]))
    value = sum(head["weight"] * mean for (head, *_), mean in zip(parts, means))
    value.backward()
    case = dict(prediction=x.tolist(), heads=columns, value=value.item(), gradient=x.grad.tolist())
    text = json.dumps([case], indent=1)
    (CRATES / "ragged-train" / "tests" / "fixtures" / "heads.json").write_text(text + "\n")


def metrics(seed=82):
    """Writes metrics of scikit-learn."""
    import numpy as np
    from sklearn import metrics as m
    rng = np.random.default_rng(seed)
    round_to = lambda values: np.round(values, 1)  # equal scores
    values, targets = rng.normal(size=(40, 2)), rng.normal(size=(40, 2))
    logits, classes = round_to(rng.normal(size=(60, 7))), rng.integers(7, size=60)
    two, which = round_to(rng.normal(size=(50, 2))), (rng.random(50) < 0.2).astype(int)
    scores, labels = round_to(rng.normal(size=(50, 3))), (rng.random((50, 3)) < 0.3).astype(int)
    softmax = lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True)
    guess = logits.argmax(1)
    cases = [
        dict(kind="values", prediction=values, target=targets, r2=m.r2_score(targets, values),
             mae=m.mean_absolute_error(targets, values), rmse=m.root_mean_squared_error(targets, values)),
        dict(kind="classes", prediction=logits, target=classes[:, None], accuracy=m.accuracy_score(classes, guess),
             balanced_accuracy=m.balanced_accuracy_score(classes, guess), f1=m.f1_score(classes, guess, average="macro"),
             auc=m.roc_auc_score(classes, softmax(logits), multi_class="ovr", average="macro")),
        dict(kind="classes", prediction=two, target=which[:, None], accuracy=m.accuracy_score(which, two.argmax(1)),
             auc=m.roc_auc_score(which, round_to(two[:, 1] - two[:, 0])),
             balanced_accuracy=m.balanced_accuracy_score(which, two.argmax(1))),
        dict(kind="labels", prediction=scores, target=labels, f1=m.f1_score(labels, scores > 0, average="macro"),
             f1_micro=m.f1_score(labels, scores > 0, average="micro"), accuracy=m.accuracy_score(labels, scores > 0),
             auc=m.roc_auc_score(labels, scores, average="macro")),
        dict(kind="quantiles", prediction=values, target=targets[:, :1],
             pinball=(m.mean_pinball_loss(targets[:, 0], values[:, 0], alpha=0.5)
                      + m.mean_pinball_loss(targets[:, 0], values[:, 1], alpha=0.9)) / 2,
             mae=m.mean_absolute_error(targets[:, 0], values[:, 0])),
    ]
    plain = lambda value: value.tolist() if hasattr(value, "tolist") else value
    cases = [{key: plain(value) for key, value in case.items()} for case in cases]
    (CRATES / "ragged-train" / "tests" / "fixtures" / "metrics.json").write_text(json.dumps(cases) + "\n")


def sequence_losses():
    """Writes CTC losses and a CRF of the package pytorch-crf. Packed data are in the order of a PackedSequence."""
    from torchcrf import CRF

    torch.set_default_dtype(torch.float64)
    torch.manual_seed(81)
    classes, lengths = 6, [7, 3, 9, 4, 1, 5]
    # Repeated labels, an empty target, and in the second case targets that are too long for their sequences.
    targets = {"possible": [[1, 1, 2], [3], [5, 4, 4, 4, 5], [], [2], [1, 2, 3, 4, 5]],
               "impossible": [[1, 1, 2, 2, 3], [3], [5, 4, 4, 4, 5], [], [2, 1], [1, 2, 3, 4, 5]]}
    tensors = {"lengths": torch.tensor(lengths)}
    for name, labels in targets.items():
        logits = (2 * torch.randn(len(lengths), max(lengths), classes)).requires_grad_()
        tensors[f"{name}.logits"] = logits
        for zero_infinity in (False, True):
            for reduction in ("none", "mean", "sum"):
                loss = torch.nn.functional.ctc_loss(
                    logits.log_softmax(-1).transpose(0, 1), torch.tensor(sum(labels, [])), torch.tensor(lengths),
                    torch.tensor([len(target) for target in labels]), reduction=reduction, zero_infinity=zero_infinity)
                logits.grad = None
                (loss * torch.arange(1.0, 1 + loss.numel()).reshape(loss.shape)).sum().backward()
                key = f"{name}.{'zero' if zero_infinity else 'infinity'}.{reduction}"
                tensors[key], tensors[f"{key}.grad"] = loss, logits.grad
    save("ragged-train", "ctc", dict(targets=targets), tensors, "loss_fixtures")

    torch.manual_seed(82)
    crf = CRF(classes, batch_first=True)
    emissions = (2 * torch.randn(len(lengths), max(lengths), classes)).requires_grad_()
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    tags = torch.randint(classes, mask.shape)
    losses = -crf(emissions, tags, mask=mask, reduction="none")
    (losses * torch.arange(1.0, 1 + len(lengths))).sum().backward()
    grads = {f"grad.{name}": parameter.grad for name, parameter in crf.named_parameters()}
    best = torch.tensor(sum(crf.decode(emissions, mask=mask), []))
    tensors = {"lengths": torch.tensor(lengths), "emissions": emissions, "grad.emissions": emissions.grad, "tags": tags,
               "losses": losses, "best": best}
    save("ragged-train", "crf", {}, tensors | dict(crf.named_parameters()) | grads, "loss_fixtures")


if __name__ == "__main__":
    layer("lstm-padded", 1, layout="padded", lengths=[4, 4], state=True)
    layer("lstm-padded-f32", 2, layout="padded", lengths=[6] * 3, dtype="f32", input_size=7, hidden_size=9)
    layer("lstm-packed", 3, layout="packed", lengths=[3, 1, 5, 3], state=True)
    layer("lstm-packed-deep", 4, layout="packed", lengths=[2, 6, 4], state=True, num_layers=2, bidirectional=True)
    layer("lstm-packed-f32", 5, layout="packed", lengths=[9, 2, 9, 5], dtype="f32", hidden_size=17, bidirectional=True)
    layer("lstm-packed-no-bias", 6, layout="packed", lengths=[1, 4], bias=False, num_layers=2)
    layer("lstm-unbatched", 7, layout="unbatched", lengths=[5], state=True, bidirectional=True)
    layer("lstm-time-first-projected", 8, layout="packed", lengths=[3, 5, 1], batch_first=False, state=True,
          num_layers=2, bidirectional=True, proj_size=2)
    for k, op in enumerate(["gru", "rnn_tanh", "rnn_relu"]):
        layer(f"{op}-packed-deep", 21 + k, op=op, layout="packed", lengths=[2, 6, 4], state=True, num_layers=2,
              bidirectional=True)
        layer(f"{op}-packed-f32", 31 + k, op=op, layout="packed", lengths=[9, 2, 9, 5], dtype="f32", hidden_size=17)
        layer(f"{op}-padded-no-bias", 41 + k, op=op, layout="padded", lengths=[4, 4], bias=False, batch_first=False)
        layer(f"{op}-unbatched", 51 + k, op=op, layout="unbatched", lengths=[5], state=True, bidirectional=True)
    packing("pack-numbers", 61, [3, 1, 4], trailing=())
    packing("pack-time-first", 62, [2, 5, 5, 1], trailing=(2, 3), batch_first=False, total_length=7, padding_value=-1.5)
    checkpoints(71)
    sgd, momentum = dict(name="sgd", lr=0.05), dict(name="sgd", lr=0.05, momentum=0.9)
    run("train-variable-sgd", 11, model="variable", optimizer=sgd | dict(weight_decay=0.1), loss="mse")
    run("train-fixed-momentum", 12, model="fixed", optimizer=momentum, loss="cross_entropy", clip_grad_norm=0.2)
    run("train-variable-nesterov", 13, model="variable", optimizer=momentum | dict(nesterov=True), loss="mse")
    run("train-variable-adam", 14, model="variable", optimizer=dict(name="adam", lr=0.01), loss="mse")
    run("train-fixed-adam-decay", 15, model="fixed", optimizer=dict(name="adam", lr=0.01, weight_decay=0.1),
        loss="cross_entropy")
    run("train-variable-adamw", 16, model="variable", optimizer=dict(name="adamw", lr=0.01, weight_decay=0.1),
        loss="cross_entropy", clip_grad_norm=1.0)
    run("train-variable-rmsprop", 17, model="variable", optimizer=dict(name="rmsprop", lr=0.01), loss="mse")
    run("train-fixed-rmsprop-all", 18, model="fixed", loss="cross_entropy",
        optimizer=dict(name="rmsprop", lr=0.01, alpha=0.9, eps=1e-6, weight_decay=0.1, momentum=0.8, centered=True))
    run("train-variable-dampening", 19, model="variable", optimizer=momentum | dict(dampening=0.4), loss="mse")
    run("train-variable-groups", 20, model="variable", loss="mse", clip_grad_value=0.3, ema=0.8,
        optimizer=dict(name="adamw", lr=0.02, weight_decay=0.1),
        groups=[dict(parameters="*bias*", lr_scale=1.0, weight_decay=0.0), dict(parameters="linear.*", lr_scale=0.5)])
    schedules()
    losses()
    heads()
    metrics()
    sequence_losses()
