"""Batches of recurrent reinforcement learning: sequences that begin anew where an episode starts."""

import torch
from torch.nn.utils.rnn import PackedSequence

from ragged import _ragged, kernels  # noqa: F401 (kernels looks up the exchange API)


def pack_at_starts(x, starts, states=None):
    """Cuts the steps of several environments where an episode starts, and packs the sequences.

    A recurrent layer then runs over all of them at once, where it would otherwise run step by step to set its states to
    zero at each start.

    Args:
        x: [T, B, F], T steps of B environments.
        starts: [T, B], true or 1 where a step is the first of an episode.
        states: the states [layers, B, ..] before the first step, a tensor or a tuple of them as the layer takes; zeros
            if None. An environment whose first step is a start does not use them.

    Returns:
        `Episodes`.

    Example:
        >>> import torch, ragged
        >>> lstm = ragged.LSTM(3, 4)
        >>> starts = torch.tensor([[True, False], [False, False], [True, False]])
        >>> episodes = ragged.pack_at_starts(torch.randn(3, 2, 3), starts)
        >>> output, states = lstm(episodes.packed, episodes.states)
        >>> episodes.unpack(output).shape, episodes.final(states)[0].shape
        (torch.Size([3, 2, 4]), torch.Size([1, 2, 4]))
    """
    if x.dim() != 3 or starts.shape != x.shape[:2] or x.numel() == 0:
        raise ValueError(
            f"pack_at_starts: expected x [T, B, F] and starts [T, B] with elements, got {list(x.shape)} "
            f"and {list(starts.shape)}"
        )
    return Episodes(x, starts, states)


class Episodes:
    """A batch that `pack_at_starts` has cut into episodes.

    Attributes:
        packed: a PackedSequence of the parts of episodes.
        states: their initial states, for the layer; None if no states were given.
    """

    def __init__(self, x, starts, states):
        steps, batch, features = x.shape
        self._shape = (steps, batch)
        rows, self._places = (torch.empty(steps * batch, dtype=torch.int64) for _ in range(2))
        cut = _ragged.cut_at_starts(starts.cpu().bool().contiguous(), rows, self._places)
        self._last = torch.tensor(cut["last"])
        data = x.reshape(-1, features).index_select(0, rows.to(x.device))
        order = (torch.tensor(cut[name]).to(x.device) for name in ("sorted_indices", "unsorted_indices"))
        self.packed = PackedSequence(data, torch.tensor(cut["batch_sizes"]), *order)
        environments, continues = torch.tensor(cut["environments"]), torch.tensor(cut["continues"])

        def select(state):
            state = state.index_select(1, environments.to(state.device))
            return state * continues.to(state).view(1, -1, 1)

        self.states = _map(select, states)

    def unpack(self, output):
        """Returns the outputs of a layer, a PackedSequence, in the order of the steps: [T, B, features]."""
        rows = output.data.index_select(0, self._places.to(output.data.device))
        return rows.view(*self._shape, -1)

    def final(self, states):
        """Returns the states after the last step of each environment, [layers, B, ..], from those of a layer."""
        return _map(lambda state: state.index_select(1, self._last.to(state.device)), states)


def _map(function, states):
    if states is None or isinstance(states, torch.Tensor):
        return None if states is None else function(states)
    return tuple(function(state) for state in states)
