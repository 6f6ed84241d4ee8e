"""Token shards in the competition's format: a 1024-byte header of 256 int32, then N tokens as uint16, little-endian."""

from pathlib import Path

import numpy as np

from toolkit.components.base.failure import InputError
from toolkit.components.config import Config

SHARD_MAGIC = 20240520  # header[0]; header[1] is the version, header[2] the number of tokens, the rest is 0
SHARD_VERSION = 1
SHARD_HEADER_INTS = 256


def find_shards(data_path: Path, split: str) -> list[Path]:
    """Shards of "train" or "val" in a folder, in the order of their names; `InputError` if there are none."""
    paths = sorted(data_path.glob(f"fineweb_{split}_*.bin"))
    if not paths:
        raise InputError(f"{data_path}: expected shards fineweb_{split}_*.bin, found none; DATA_PATH names the folder")
    return paths


def read_shard(path: Path) -> np.ndarray:
    """Tokens of a shard as a read-only memory map, uint16[N].

    Raises `InputError` unless magic and version match and the file holds exactly the tokens that its header announces.
    """
    header = np.fromfile(path, "<i4", SHARD_HEADER_INTS)
    found = header[:2].tolist() if len(header) == SHARD_HEADER_INTS else "a file shorter than the header"
    if found != [SHARD_MAGIC, SHARD_VERSION]:
        raise InputError(f"{path}: expected a shard, magic and version [{SHARD_MAGIC}, {SHARD_VERSION}], found {found}")
    num_tokens = int(header[2])
    num_bytes = path.stat().st_size
    if num_tokens < 1 or num_bytes != header.nbytes + 2 * num_tokens:
        raise InputError(
            f"{path}: expected 1024 + 2N bytes for the N = {num_tokens} tokens of its header (at least 1), "
            f"found {num_bytes} bytes; fetch or build it again"
        )
    return np.memmap(path, "<u2", "r", header.nbytes, (num_tokens,))


def check_token_ids(tokens: np.ndarray, vocab_size: int, path: Path) -> None:
    """`InputError` unless every id is below the vocabulary's size; such ids would crash a GPU far from their cause."""
    if tokens.max() >= vocab_size:
        raise InputError(
            f"{path}: expected ids below model.vocab_size = {vocab_size}, found {tokens.max()}; "
            "the shard is of another tokenizer"
        )


def require_batch(cfg: Config, num_windows: int) -> None:
    """`InputError` unless the shards hold the sequences of one step."""
    needed = cfg.train.batch_tokens // cfg.train.seq_len
    if num_windows < needed:
        raise InputError(
            f"training shards: expected at least one batch, {needed} sequences of train.seq_len = {cfg.train.seq_len} "
            f"tokens, found {num_windows}; add shards or lower train.batch_tokens"
        )


def read_tokens(paths: list[Path], vocab_size: int) -> np.ndarray:
    """All tokens of the shards, one after the other, uint16[N]; ids are checked and N is at least 2."""
    shards = [read_shard(path) for path in paths]
    for path, shard in zip(paths, shards, strict=True):
        check_token_ids(shard, vocab_size, path)
    tokens = np.concatenate(shards)
    if len(tokens) < 2:
        raise InputError(f"{paths[0]}: expected at least 2 tokens, a context and its target, found {len(tokens)}")
    return tokens
