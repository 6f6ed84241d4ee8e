"""Byte counting against the text itself, and the tokenizers that the recipe cannot use."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import sentencepiece as spm
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.components.base.failure import InputError
from toolkit.components.text.byte_tables import byte_tables, count_target_bytes, load_tokenizer, token_strings
from toolkit.data.tokenizer import train_tokenizer

VOCAB_SIZE = 320
BOS = 1
WORDS = ["the quick brown fox, 1234 jumps over it", "über für grün", "def f(x): return x ** 2 # why"]
BARE_MARKER_PIECE = b"\x0a\x03\xe2\x96\x81"  # in the model file: field 1 of a piece, three bytes, U+2581


@pytest.fixture(scope="module")
def model() -> bytes:
    return train_tokenizer([" ".join(WORDS) + f" word{i}" for i in range(50)], VOCAB_SIZE)


@pytest.fixture(scope="module")
def tokenizer(model: bytes) -> spm.SentencePieceProcessor:
    return spm.SentencePieceProcessor(model_proto=model)


texts = st.lists(
    st.one_of(st.sampled_from(WORDS), st.text(max_size=20), st.sampled_from("😀🏽‍🚀 \t\n\u3000ﬁ½①é漢"))
).map("".join)


@settings(deadline=None)
@given(documents=st.lists(texts, min_size=1, max_size=4))
def test_counts_the_bytes_of_the_normalised_text(tokenizer: spm.SentencePieceProcessor, documents: list[str]) -> None:
    """Any text: emoji through byte fallback, joined letters, odd spaces. BOS stands before each document."""
    stream = np.array([id for document in documents for id in tokenizer.encode(document, add_bos=True)], np.uint16)
    normalised = [tokenizer.normalize(document).replace("\u2581", " ").encode() for document in documents]
    counts = count_target_bytes(byte_tables(tokenizer), stream)
    assert counts.dtype == np.int64
    assert counts.shape == (len(stream) - 1,)
    assert counts.sum() == sum(map(len, normalised))
    assert not counts[stream[1:] == BOS].any()
    strings = token_strings(tokenizer)
    assert b"".join(strings[id] for id in stream) == b"".join(normalised)


@settings(deadline=None)
@given(ids=st.lists(st.integers(0, VOCAB_SIZE - 1), min_size=2, max_size=50))
def test_counts_any_sequence_of_ids(tokenizer: spm.SentencePieceProcessor, ids: list[int]) -> None:
    """A piece counts the bytes it adds to the text; its space only where a piece with text stands before it."""
    strings = token_strings(tokenizer)
    expected = []
    for previous, target in itertools.pairwise(ids):
        space = tokenizer.id_to_piece(target).startswith("\u2581") and not strings[previous]
        expected.append(len(strings[target]) - space)
    assert count_target_bytes(byte_tables(tokenizer), np.array(ids, np.uint16)).tolist() == expected


def test_tables_by_kind_of_piece(tokenizer: spm.SentencePieceProcessor) -> None:
    tables = byte_tables(tokenizer)
    strings = token_strings(tokenizer)
    for id in range(4):  # pad, BOS, EOS, unknown
        assert (tables.base[id], tables.space[id], tables.boundary[id], strings[id]) == (0, False, True, b"")
    for byte in range(256):
        id = tokenizer.piece_to_id(f"<0x{byte:02X}>")
        assert (tables.base[id], tables.space[id], tables.boundary[id]) == (1, False, False)
        assert strings[id] == bytes([byte])
    for piece, base, space, string in [("▁", 0, True, b" "), ("▁w", 1, True, b" w"), ("ü", 2, False, "ü".encode())]:
        id = tokenizer.piece_to_id(piece)
        assert id != tokenizer.unk_id()
        assert (tables.base[id], tables.space[id], tables.boundary[id], strings[id]) == (base, space, False, string)


def test_loads_the_recipes_tokenizer(model: bytes, tmp_path: Path) -> None:
    path = tmp_path / "demo.model"
    path.write_bytes(model)
    assert load_tokenizer(path, VOCAB_SIZE).encode("the quick", out_type=str)


def test_refuses_another_vocabulary(model: bytes, tmp_path: Path) -> None:
    path = tmp_path / "demo.model"
    path.write_bytes(model)
    with pytest.raises(InputError, match=r"demo.model: expected model.vocab_size = 1024 pieces, found 320"):
        load_tokenizer(path, 1024)


@pytest.mark.parametrize("content", [b"", b"not a model\n" * 100, b"\0" * 1000, None])
def test_refuses_a_foreign_or_missing_file(content: bytes | None, tmp_path: Path) -> None:
    found = "no file" if content is None else "other content"
    path = tmp_path / "demo.model"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=rf"demo.model: expected a SentencePiece model, found {found}; "):
        load_tokenizer(path, VOCAB_SIZE)


def test_refuses_a_model_cut_short(model: bytes, tmp_path: Path) -> None:
    path = tmp_path / "demo.model"
    path.write_bytes(model[: len(model) // 2])
    with pytest.raises(InputError, match=r"demo.model: expected "):
        load_tokenizer(path, VOCAB_SIZE)


def test_refuses_a_vocabulary_without_the_bare_word_marker(model: bytes, tmp_path: Path) -> None:
    assert model.count(BARE_MARKER_PIECE) == 1
    path = tmp_path / "crafted.model"
    path.write_bytes(model.replace(BARE_MARKER_PIECE, BARE_MARKER_PIECE[:-1] + b"\x82"))
    with pytest.raises(
        InputError, match=r"crafted.model: expected the bare word marker U\+2581 as a token, found none"
    ):
        load_tokenizer(path, VOCAB_SIZE)
