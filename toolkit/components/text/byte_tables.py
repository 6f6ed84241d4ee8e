"""How many bytes of text a token stands for: the denominator of bits per byte.

Bytes are those of the text as SentencePiece normalised it. A word marker (U+2581) in front of a piece is a space of one
byte, except after a token that stands for no text (BOS and other control tokens), where no space was written.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sentencepiece as spm

from toolkit.components.base.failure import InputError

WORD_MARKER = "\u2581"


@dataclass(frozen=True)
class ByteTables:
    """bytes(y | previous x) = base[y] + (space[y] and not boundary[x]), for ids x and y."""

    base: np.ndarray  # int64[V]: UTF-8 bytes without a leading word marker; 0 for pieces without text
    space: np.ndarray  # bool[V]: the piece begins with the word marker
    boundary: np.ndarray  # bool[V]: control, unknown or unused


def load_tokenizer(path: Path, vocab_size: int) -> spm.SentencePieceProcessor:
    """Read a SentencePiece model; `InputError` for a file that is none, or whose vocabulary the recipe cannot use.

    The bare word marker must be a token of its own: a vocabulary crafted without it inflates the byte count
    (openai/parameter-golf issue #897).
    """
    tokenizer = spm.SentencePieceProcessor()
    try:
        tokenizer.LoadFromSerializedProto(path.read_bytes())
    except (OSError, RuntimeError):
        found = "other content" if path.is_file() else "no file"
        raise InputError(f"{path}: expected a SentencePiece model, found {found}; TOKENIZER_PATH names it") from None
    if len(tokenizer) != vocab_size:
        raise InputError(
            f"{path}: expected model.vocab_size = {vocab_size} pieces, found {len(tokenizer)}; TOKENIZER_PATH names it"
        )
    if not byte_tables(tokenizer).space[tokenizer.piece_to_id(WORD_MARKER)]:
        raise InputError(f"{path}: expected the bare word marker U+2581 as a token, found none; bytes would be wrong")
    return tokenizer


def is_textless(tokenizer: spm.SentencePieceProcessor, token: int) -> bool:
    """Control, unknown and unused pieces stand for no text."""
    return tokenizer.is_control(token) or tokenizer.is_unknown(token) or tokenizer.is_unused(token)


def byte_tables(tokenizer: spm.SentencePieceProcessor) -> ByteTables:
    """Tables over the vocabulary, by id."""
    size = len(tokenizer)
    tables = ByteTables(np.zeros(size, np.int64), np.zeros(size, bool), np.ones(size, bool))
    for token in range(size):
        if is_textless(tokenizer, token):
            continue
        tables.boundary[token] = False
        piece = tokenizer.id_to_piece(token)
        tables.space[token] = piece.startswith(WORD_MARKER)
        tables.base[token] = 1 if tokenizer.is_byte(token) else len(piece.removeprefix(WORD_MARKER).encode())
    return tables


def count_target_bytes(tables: ByteTables, tokens: np.ndarray) -> np.ndarray:
    """Bytes of each target tokens[1:] after its predecessor, int64[N-1], for tokens uint16[N]."""
    return tables.base[tokens[1:]] + (tables.space[tokens[1:]] & ~tables.boundary[tokens[:-1]])


def token_strings(tokenizer: spm.SentencePieceProcessor) -> list[bytes]:
    """Bytes of each piece: a word marker is 0x20, a byte-fallback piece its byte, a piece without text is empty."""
    strings = []
    for token in range(len(tokenizer)):
        piece = "" if is_textless(tokenizer, token) else tokenizer.id_to_piece(token)
        if tokenizer.is_byte(token):
            strings.append(bytes([int(piece[1:-1], 16)]))  # such as <0x0A>
        else:
            strings.append(piece.replace(WORD_MARKER, " ").encode())
    return strings
