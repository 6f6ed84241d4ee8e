"""Writing shards: the format as numpy reads it, and what cannot be written."""

from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.components.text.shards import find_shards, read_shard, read_tokens
from toolkit.data.shards import write_shard, write_shards
from toolkit.errors import GolfError


@settings(deadline=None)
@given(tokens=st.lists(st.integers(0, 65_535), min_size=1, max_size=50))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, tokens: list[int]) -> None:
    path = tmp_path_factory.getbasetemp() / "round_trip.bin"
    write_shard(path, np.array(tokens))
    header = np.fromfile(path, "<i4", 256)
    assert header.tolist() == [20240520, 1, len(tokens), *[0] * 253]
    assert np.fromfile(path, "<u2", offset=1024).tolist() == tokens
    assert read_shard(path).tolist() == tokens


def test_a_stream_is_cut_into_shards(tmp_path: Path) -> None:
    stream = np.arange(25, dtype=np.uint16)
    write_shards(tmp_path, "train", stream, 10)
    paths = find_shards(tmp_path, "train")
    assert [path.name for path in paths] == [f"fineweb_train_{number:06d}.bin" for number in range(3)]
    assert [len(read_shard(path)) for path in paths] == [10, 10, 5]
    assert (read_tokens(paths, 25) == stream).all()


@pytest.mark.parametrize("tokens", [[], [65_536], [-1], [[1, 2]]])
def test_refuses_tokens_that_are_no_shard(tokens: list[object], tmp_path: Path) -> None:
    path = tmp_path / "fineweb_val_000000.bin"
    with pytest.raises(GolfError, match=r"val_000000.bin: expected one row of at least one token id"):
        write_shard(path, np.array(tokens, np.int64))
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "fineweb_val_000000.bin"
    write_shard(path, np.array([1, 2, 3]))
    monkeypatch.setattr("os.fsync", Mock(side_effect=OSError("no space left")))
    with pytest.raises(OSError, match="no space left"):
        write_shard(path, np.array([4]))
    assert read_shard(path).tolist() == [1, 2, 3]
