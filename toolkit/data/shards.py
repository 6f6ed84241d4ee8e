"""Writing token shards in the competition's format; `components/text/shards.py` reads them."""

from pathlib import Path

import numpy as np
import sentencepiece as spm

from toolkit.components.text.shards import SHARD_HEADER_INTS, SHARD_MAGIC, SHARD_VERSION
from toolkit.errors import GolfError
from toolkit.folders import write_atomically


def token_stream(tokenizer: spm.SentencePieceProcessor, documents: list[str]) -> np.ndarray:
    """BOS and the tokens of each document, one after the other, uint16[N]; there is no EOS."""
    rows = tokenizer.encode(documents, add_bos=True)
    return np.concatenate([np.array(row, np.uint16) for row in rows])


def write_shard(path: Path, tokens: np.ndarray) -> None:
    """Write one shard atomically. `GolfError` unless `tokens` is int[N] with N above 0 and values that fit uint16."""
    if tokens.ndim != 1 or not len(tokens) or not 0 <= tokens.min() <= tokens.max() < 1 << 16:
        raise GolfError(f"{path}: expected one row of at least one token id, each from 0 to 65535")
    header = np.zeros(SHARD_HEADER_INTS, "<i4")
    header[:3] = SHARD_MAGIC, SHARD_VERSION, len(tokens)
    write_atomically(path, header.tobytes() + tokens.astype("<u2").tobytes())


def write_shards(folder: Path, split: str, tokens: np.ndarray, shard_tokens: int) -> None:
    """Cut a stream into shards fineweb_{split}_000000.bin, ... of `shard_tokens`; documents straddle their ends."""
    for number, start in enumerate(range(0, len(tokens), shard_tokens)):
        write_shard(folder / f"fineweb_{split}_{number:06d}.bin", tokens[start : start + shard_tokens])
