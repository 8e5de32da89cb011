"""Trained models on NumPy arrays, without PyTorch.

A model is a run of `ragged train`: its folder, or one of its checkpoints. Predictions have the bits of
`ragged predict`.

Example:
    >>> import numpy as np
    >>> from ragged.numpy import Model
    >>> model = Model.open("runs/gestures/1")  # doctest: +SKIP
    >>> outputs = model.predict([np.zeros((7, 12)), np.zeros((3, 12))])  # doctest: +SKIP
    >>> [model.label(y) for y in outputs]  # doctest: +SKIP
    ['rest', 'rest']
"""

import numpy as np

from ragged import _ragged
from ragged._ragged import Session

__all__ = ["Model", "Session", "softmax"]


class Model:
    """A trained model, which threads can share.

    Attributes:
        features: I, the number of features of a step.
        outputs: O, the number of outputs: one value or logit each.
        is_per_step: whether there are outputs for each step, and not for each sequence.
        labels: the labels of the classes in the order of the outputs; None for values.
        feature_names: the names of the features, if the training data had names; otherwise None.
    """

    def __init__(self, inner):
        self._inner = inner
        self.features = inner.features
        self.outputs = inner.outputs
        self.is_per_step = inner.is_per_step
        self.labels = inner.labels
        self.feature_names = inner.feature_names

    @classmethod
    def open(cls, path):
        """Reads the model of a run from its folder, or from a checkpoint. Of a folder, it takes the best epoch.

        Raises:
            OSError: if there is no file that can be read.
            ValueError: for a file that is no checkpoint, or not of a model that this package runs.
        """
        return cls(_ragged.Model.open(path))

    @classmethod
    def from_bytes(cls, checkpoint):
        """Reads the model from the bytes of a checkpoint. Raises ValueError for other or damaged bytes."""
        return cls(_ragged.Model.from_bytes(checkpoint))

    def predict(self, sequences):
        """Makes a prediction for each sequence. The prediction of one does not depend on the others.

        Args:
            sequences: arrays [T, I] of any lengths, also zero; missing values are NaN.

        Returns:
            A list of arrays of float32: [O] values or logits, or [T, O] if the model is per step.

        Raises:
            ValueError: for sequences of another shape, and for the first value or prediction that is not finite.
        """
        sequences = [self._rows(sequence, f"sequence {k}") for k, sequence in enumerate(sequences)]
        outputs = (np.frombuffer(b, np.float32).copy() for b in self._inner.predict(sequences))
        return [y.reshape(-1, self.outputs) if self.is_per_step else y for y in outputs]

    def session(self):
        """Returns a `Session` before its first step. Raises ValueError for a model that needs whole sequences."""
        return self._inner.session()

    def restore(self, saved):
        """Returns the `Session` that was saved by `Session.to_bytes`. Raises ValueError for one of another model."""
        return self._inner.restore(saved)

    def step(self, sessions, x):
        """Runs one step of each session.

        Args:
            sessions: S different sessions of this model.
            x: [S, I].

        Returns:
            The outputs [S, O] for all steps so far, and a dictionary with the reason for each index of a session that
            has refused its step, because a value is not finite. Such a session is unchanged, and its outputs are NaN.
        """
        x = self._rows(x, "x")
        if len(x) != len(sessions):
            raise ValueError(f"x: expected {len(sessions)} rows, one per session, got {len(x)}")
        y = np.full((len(sessions), self.outputs), np.nan, np.float32)
        refused = dict(self._inner.step(list(sessions), x, y))
        y[list(refused)] = np.nan
        return y, refused

    def label(self, outputs):
        """Returns the label of the largest of the outputs [O], or None if the model predicts values."""
        return None if self.labels is None else self.labels[int(np.argmax(outputs))]

    def _rows(self, values, name):
        rows = np.require(values, np.float64, ["C", "A", "W"])
        if rows.ndim != 2 or rows.shape[1] != self.features:
            raise ValueError(f"{name}: expected [.., {self.features}], got {list(rows.shape)}")
        return rows


def softmax(logits):
    """Returns the probabilities of logits [O], in double precision."""
    return np.array(_ragged.softmax(np.require(logits, np.float32, ["C", "A", "W"])))
