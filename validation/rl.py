"""Times RecurrentPPO of sb3-contrib with PyTorch's LSTM and with `ragged`, step by step and packed.

    python validation/rl.py [--steps 4096]

Needs the Python package, sb3-contrib and its dependencies. Trains CartPole with 8 environments on one thread, each
variant from the same seed. `train` is the processor time of the optimisation, without the collection of steps. The
checksum is the sum of the absolute values of all parameters in the end; it agrees as far as rounding allows.
"""

import argparse
import time

import ragged
import torch
from sb3_contrib import RecurrentPPO
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from stable_baselines3.common.env_util import make_vec_env

STEP_BY_STEP = RecurrentActorCriticPolicy._process_sequence


def packed_at_starts(features, lstm_states, episode_starts, lstm):
    """The recipe: takes the place of `RecurrentActorCriticPolicy._process_sequence`."""
    batch = lstm_states[0].shape[1]
    x = features.reshape(batch, -1, lstm.input_size).swapaxes(0, 1)
    starts = episode_starts.reshape(batch, -1).swapaxes(0, 1)
    episodes = ragged.pack_at_starts(x, starts, lstm_states)
    output, states = lstm(episodes.packed, episodes.states)
    return episodes.unpack(output).transpose(0, 1).flatten(0, 1), episodes.final(states)


def run(steps, ours, packed):
    """Returns the seconds of training and in all, and the checksum."""
    process = packed_at_starts if packed else STEP_BY_STEP
    RecurrentActorCriticPolicy._process_sequence = staticmethod(process)
    environments = make_vec_env("CartPole-v1", 8, seed=0)
    model = RecurrentPPO("MlpLstmPolicy", environments, n_steps=128, batch_size=256, n_epochs=5, seed=0)
    if ours:
        ragged.convert(model.policy)
    training, train = 0.0, model.train

    def timed():
        nonlocal training
        begin = time.process_time()
        train()
        training += time.process_time() - begin

    model.train = timed
    begin = time.process_time()
    model.learn(steps)
    total = time.process_time() - begin
    return training, total, sum(p.abs().sum().item() for p in model.policy.parameters())


parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=4096)
steps = parser.parse_args().steps
torch.set_num_threads(1)
print("| LSTM | sequences | train (CPU s) | all (CPU s) | checksum |\n|---|---|---|---|---|")
for name, ours, packed in (
    ("torch", False, False),
    ("ragged", True, False),
    ("torch", False, True),
    ("ragged", True, True),
):
    training, total, checksum = run(steps, ours, packed)
    how = "packed" if packed else "step by step"
    print(f"| {name} | {how} | {training:.2f} | {total:.2f} | {checksum:.3f} |", flush=True)
