"""Trained models on arrays, against what `ragged predict` has written; see the tests of the crate ragged-runtime."""

import json
from pathlib import Path

import pytest

np = pytest.importorskip("numpy")

from ragged.numpy import Model, softmax

FIXTURES = Path(__file__).parents[2] / "crates/ragged-runtime/tests/fixtures"


@pytest.fixture
def model():
    return Model.open(FIXTURES / "small-model.safetensors")


def lines(name):
    return [json.loads(line) for line in (FIXTURES / name).read_text().splitlines()]


@pytest.fixture
def sequences(model):
    rows = (np.array(line["sequence"], dtype=float) for line in lines("sequences.jsonl"))
    return [row.reshape(-1, model.features) for row in rows]


def test_predictions_are_those_of_the_trainer(model, sequences):
    predictions = model.predict(sequences)
    for y, expected in zip(predictions, lines("predictions.jsonl"), strict=True):
        assert y.dtype == np.float32 and y.shape == (model.outputs,)
        assert model.label(y) == expected["label"]
        probabilities = [expected["probabilities"][label] for label in model.labels]
        assert np.allclose(softmax(y), probabilities, atol=1e-5)


def test_steps_have_the_bits_of_whole_sequences(model, sequences):
    for sequence, expected in zip(sequences, model.predict(sequences)):
        session = model.session()
        for number, step in enumerate(sequence):
            assert session.steps == number
            before = session.copy()
            y, refused = model.step([session], step[None])
            assert not refused
            assert np.array_equal(model.step([model.restore(before.to_bytes())], step[None])[0], y)
        if len(sequence):
            assert np.array_equal(y[0], expected)


def test_a_refused_step_stops_its_own_session_only(model, sequences):
    sequence = max(sequences, key=len)
    bad = np.full_like(sequence[0], np.inf)
    first, second = model.session(), model.session()
    y, refused = model.step([first, second], np.stack([bad, sequence[0]]))
    assert list(refused) == [0] and "inf" in refused[0]
    assert np.isnan(y[0]).all() and np.isfinite(y[1]).all()
    assert (first.steps, second.steps) == (0, 1)


def test_errors_name_what_is_wrong(model, tmp_path):
    with pytest.raises(ValueError, match=rf"sequence 1: expected \[.., {model.features}\], got \[2, 9\]"):
        model.predict([np.zeros((1, model.features)), np.zeros((2, 9))])
    with pytest.raises(ValueError, match="x: expected 1 rows"):
        model.step([model.session()], np.zeros((2, model.features)))
    with pytest.raises(OSError):
        Model.open(tmp_path / "missing")
    with pytest.raises(ValueError):
        Model.from_bytes(b"no checkpoint")
    session = model.session()
    with pytest.raises(Exception, match="borrow"):
        model.step([session, session], np.zeros((2, model.features)))


def test_the_package_needs_torch_only_for_its_layers(tmp_path):
    import subprocess
    import sys

    code = "import sys; sys.modules['torch'] = None; import ragged.numpy; ragged.__version__"
    subprocess.run([sys.executable, "-c", code], check=True)
