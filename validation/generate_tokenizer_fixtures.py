"""Writes small `tokenizer.json` files of every kind of model, and the ids that Python's `tokenizers` gives to texts.

    pip install tokenizers==0.23.3
    python validation/generate_tokenizer_fixtures.py

The files are committed, so that the tests need no Python. Training breaks ties by the order of hash tables, so a
second run may write other files; their ids belong to them.
"""

import json
import pathlib

import tokenizers
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

FOLDER = pathlib.Path(__file__).parent.parent / "crates/ragged-datasets/tests/tokenizers"

CORPUS = [
    "the film is a pleasant surprise, and the story is told with care.",
    "a dull film: the story is thin and the surprise is no surprise.",
    "caring actors make the pleasant parts pleasanter and the thin parts bearable.",
    "nobody told the actors that the story was unbearable.",
    "an unpleasant, careless and surprisingly dull retelling.",
] * 3

TEXTS = [
    "",
    " ",
    "the film is pleasant",
    "The FILM   is\tpleasanter.\n",
    "un caf\u00e9 tr\u00e8s agr\u00e9able",
    "un cafe\u0301 tre\u0300s",
    "\u65e5\u672c\u8a9e \u0441\u043b\u043e\u0432\u043e",
    "a film \U0001f600\U0001f44d\U0001f3fd!",
    "zyx 0123 q\u0000w",
    "the [MASK] is <extra> told",
    "[MASK]",
    "surprisinglyunbearablecarelessness" * 4,
    "don't -- stop",
    "\u200b\ufeff",
    "\u0130stanbul \ufb01lm \u1e9e",
]


def word_piece():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=60))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(
        CORPUS, trainers.WordPieceTrainer(vocab_size=90, special_tokens=special, show_progress=False)
    )
    ids = [(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ids)
    # Both must be left out by the reader.
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=8)
    return tokenizer


def byte_level_bpe():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, special_tokens=["<|end|>"], show_progress=False),
    )
    # Beyond the model's vocabulary; the white space around it belongs to it.
    tokenizer.add_tokens([AddedToken("<extra>", lstrip=True, rstrip=True)])
    return tokenizer


def bpe_with_unknown():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(
            vocab_size=80, special_tokens=["<pad>", "<unk>"], end_of_word_suffix="</w>", show_progress=False
        ),
    )
    return tokenizer


def unigram():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.train_from_iterator(
        CORPUS,
        trainers.UnigramTrainer(
            vocab_size=70, unk_token="<unk>", special_tokens=["<s>", "</s>", "<unk>"], show_progress=False
        ),
    )
    tokenizer.add_special_tokens(["[MASK]"])
    return tokenizer


def word_level():
    # Index 3 has no token.
    vocabulary = {"[UNK]": 2, "the": 0, "film": 1, "is": 4, "caf\u00e9": 5, "told": 6, ".": 7}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    results = {}
    for make in (word_piece, byte_level_bpe, bpe_with_unknown, unigram, word_level):
        tokenizer = make()
        name = make.__name__.replace("_", "-")
        (FOLDER / f"{name}.json").write_text(tokenizer.to_str(pretty=False) + "\n", encoding="utf-8")
        tokenizer.no_truncation()
        tokenizer.no_padding()
        vocabulary = tokenizer.get_vocab(with_added_tokens=True)
        results[name] = {
            "tokens": max(vocabulary.values()) + 1,
            "ids": [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS],
            "ids_with_special_tokens": [tokenizer.encode(text).ids for text in TEXTS],
        }
    expected = {"tokenizers": tokenizers.__version__, "texts": TEXTS, "results": results}
    (FOLDER / "expected.json").write_text(json.dumps(expected) + "\n", encoding="utf-8")


main()
