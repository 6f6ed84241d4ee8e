"""The text of `bench mix`: dickens of the Silesia corpus, cut into training text and validation documents.

Line ends are LF. Training text is the first 9,000,000 bytes, validation the last 1,000,000, cut into documents of about
4 kB; the two overlap by 8 kB, which the figures without repeats leave out.
"""

import io
import zipfile
from pathlib import Path

import numpy as np
import sentencepiece as spm

from toolkit.data.corpus import embedded_corpus
from toolkit.data.shards import token_stream, write_shards
from toolkit.errors import GolfError

TRAIN_BYTES = 9_000_000
VAL_BYTES = 1_000_000
DOCUMENT_BYTES = 4_000  # at least, up to the end of the paragraph
SHARD_TOKENS = 250_000
REPEAT_BYTES = 32  # bytes in a repeat of this length are left out of the figures without repeats


def read_dickens(folder: Path) -> bytes:
    """The whole text with LF ends; `GolfError` where the archive is missing."""
    path = folder / "dickens.zip"
    if not path.is_file():
        raise GolfError(f"{path}: expected dickens of the Silesia corpus as a zip archive, found none; name its folder")
    with zipfile.ZipFile(path) as archive:
        return archive.read("dickens").replace(b"\r\n", b"\n")


def split_dickens(text: bytes) -> tuple[bytes, bytes]:
    """Training and validation text."""
    return text[:TRAIN_BYTES], text[-VAL_BYTES:]


def long_text(folder: Path) -> list[str]:
    """At least 16 MB of real text, each document once: dickens, WikiText-2, Shakespeare, Python's standard library."""
    val, train = embedded_corpus()
    prose = [(folder / name).read_text(encoding="utf-8") for name in ("wikitext2_valid.txt", "shakespeare.txt")]
    return [read_dickens(folder).decode("latin-1"), *prose, *val, *train]


def cut_documents(text: str) -> list[str]:
    """Documents that end with a paragraph; put together they are the text."""
    documents = []
    while text:
        end = text.find("\n\n", DOCUMENT_BYTES) + 2
        documents.append(text[:end] if end > 1 else text)
        text = text[len(documents[-1]) :]
    return documents


def train_tokenizer(lines: list[str], vocab_size: int) -> bytes:
    """A SentencePiece BPE model: identity normaliser, so that no byte is lost, and a dummy prefix."""
    model = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=model,
        model_type="bpe",
        vocab_size=vocab_size,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        add_dummy_prefix=True,
        character_coverage=0.9999,
        num_threads=1,
        minloglevel=2,
    )
    return model.getvalue()


def build_data(train: bytes, val: bytes, vocab_size: int, dataset: Path, tokenizer_path: Path) -> None:
    """Tokenizer and shards, where they are not yet there."""
    if tokenizer_path.is_file():
        return
    dataset.mkdir(parents=True, exist_ok=True)
    train_text = train.decode("latin-1")  # all but eight bytes are ASCII
    model = train_tokenizer(train_text.split("\n"), vocab_size)
    tokenizer = spm.SentencePieceProcessor(model_proto=model)
    val_tokens = token_stream(tokenizer, cut_documents(val.decode("latin-1")))
    write_shards(dataset, "val", val_tokens, len(val_tokens))
    write_shards(dataset, "train", token_stream(tokenizer, [train_text]), SHARD_TOKENS)
    tokenizer_path.write_bytes(model)


def repeats(train: bytes, val: bytes) -> np.ndarray:
    """bool[n] by byte of `val`: it lies in REPEAT_BYTES that stand in `train` or begin earlier in `val`."""
    seen = {train[i : i + REPEAT_BYTES] for i in range(len(train) - REPEAT_BYTES + 1)}
    repeated = np.zeros(len(val), bool)
    for i in range(len(val) - REPEAT_BYTES + 1):
        window = val[i : i + REPEAT_BYTES]
        if window in seen:
            repeated[i : i + REPEAT_BYTES] = True
        seen.add(window)
    return repeated


def target_regions(train: bytes, val: bytes, target_bytes: np.ndarray) -> dict[str, np.ndarray]:
    """bool[n] by name: all targets; those without a byte in a repeat; these again between 12 kB and 600 kB.

    The last is prose in the style of the training text, far from the overlap with it and before its licence comes.
    """
    ends = target_bytes.cumsum()
    starts = ends - target_bytes
    repeated = np.concatenate(([0], repeats(train, val).cumsum()))
    clean = repeated[starts] == repeated[ends]
    return {
        "whole": np.ones(len(ends), bool),
        "no repeats": clean,
        "12k..600k": clean & (starts >= 12_000) & (ends <= 600_000),
    }
