"""Shards: what the reader accepts, what it refuses and in which words."""

from pathlib import Path

import numpy as np
import pytest

from toolkit.components.base.failure import InputError
from toolkit.components.text.shards import find_shards, read_shard, read_tokens

VOCAB_SIZE = 1024


def shard_bytes(tokens: list[int], magic: int = 20240520, version: int = 1, num_tokens: int | None = None) -> bytes:
    """A shard written by hand, so that the reader is not tested against our own writer."""
    header = [magic, version, len(tokens) if num_tokens is None else num_tokens, *[0] * 253]
    return np.array(header, "<i4").tobytes() + np.array(tokens, "<u2").tobytes()


def test_reads_the_tokens_in_place(tmp_path: Path) -> None:
    path = tmp_path / "fineweb_val_000000.bin"
    path.write_bytes(shard_bytes([1, 65_535, 256, 0]))
    tokens = read_shard(path)
    assert tokens.dtype == np.uint16
    assert tokens.tolist() == [1, 65_535, 256, 0]
    assert isinstance(tokens, np.memmap)
    assert not tokens.flags.writeable


def test_shards_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    for number in (10, 2, 0):
        (tmp_path / f"fineweb_train_{number:06d}.bin").write_bytes(shard_bytes([number, number + 1]))
    (tmp_path / "fineweb_val_000000.bin").write_bytes(shard_bytes([7, 7]))
    paths = find_shards(tmp_path, "train")
    assert [path.name for path in paths] == [f"fineweb_train_{number:06d}.bin" for number in (0, 2, 10)]
    assert read_tokens(paths, VOCAB_SIZE).tolist() == [0, 1, 2, 3, 10, 11]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "found a file shorter than the header"),
        (shard_bytes([])[:1000], "found a file shorter than the header"),
        (b"#!/usr/bin/env python\n" * 100, r"magic and version \[20240520, 1\], found \["),
        (shard_bytes([1, 2], magic=20240521), r"found \[20240521, 1\]"),
        (shard_bytes([1, 2], version=2), r"found \[20240520, 2\]"),
        (shard_bytes([1, 2, 3])[:-1], r"N = 3 tokens .* found 1029"),
        (shard_bytes([1, 2, 3], num_tokens=4), r"N = 4 tokens .* found 1030"),
        (shard_bytes([1, 2, 3]) + b"\0", r"N = 3 tokens .* found 1031"),
        (shard_bytes([1, 2, 3], num_tokens=2**31 - 1), r"N = 2147483647 tokens"),
        (shard_bytes([]), r"N = 0 tokens of its header \(at least 1\)"),
        (shard_bytes([1, 2], num_tokens=-2), r"N = -2 tokens"),
    ],
)
def test_refuses_what_is_no_whole_shard(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "fineweb_train_000000.bin"
    path.write_bytes(content)
    with pytest.raises(InputError, match=expected) as error:
        read_shard(path)
    assert str(error.value).startswith(f"{path}: expected ")
    assert "\n" not in str(error.value)


def test_refuses_ids_outside_the_vocabulary(tmp_path: Path) -> None:
    for number, tokens in enumerate([[1, VOCAB_SIZE - 1], [1, VOCAB_SIZE]]):
        (tmp_path / f"fineweb_val_{number:06d}.bin").write_bytes(shard_bytes(tokens))
    paths = find_shards(tmp_path, "val")
    assert read_tokens(paths[:1], VOCAB_SIZE).tolist() == [1, VOCAB_SIZE - 1]
    with pytest.raises(InputError, match=r"val_000001.bin: expected ids below model.vocab_size = 1024, found 1024"):
        read_tokens(paths, VOCAB_SIZE)


def test_refuses_a_validation_without_a_target(tmp_path: Path) -> None:
    path = tmp_path / "fineweb_val_000000.bin"
    path.write_bytes(shard_bytes([1]))
    with pytest.raises(InputError, match="expected at least 2 tokens, a context and its target, found 1"):
        read_tokens([path], VOCAB_SIZE)


@pytest.mark.parametrize("folder", ["empty", "absent"])
def test_names_the_folder_without_shards(tmp_path: Path, folder: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=rf"{folder}: expected shards fineweb_val_\*.bin, found none"):
        find_shards(tmp_path / folder, "val")
