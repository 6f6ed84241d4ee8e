"""Loaders. Token k of the training stream is k itself, so that a batch shows where it was read."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.components.base.failure import InputError
from toolkit.components.config import Config
from toolkit.components.settings.data import Data
from toolkit.components.settings.evaluate import Evaluate
from toolkit.components.settings.model import Model
from toolkit.components.settings.train import Train
from toolkit.components.text.coprime import BlockOrder, coprime_steps
from toolkit.components.text.loader import make_loader
from toolkit.data.shards import write_shard

LENGTHS = [2000, 17, 4000, 16, 1234]  # in between a shard of one block and one too short for any
SEQ_LEN = 16
MICRO_BATCHES = 4
SEQUENCES = 3  # of a micro-batch
KINDS = ["contiguous", "coprime"]


def config(
    kind: str, *, sequences: int = SEQUENCES, micro_batches: int = MICRO_BATCHES, vocab_size: int = 8192
) -> Config:
    train = Train(
        batch_tokens=sequences * micro_batches * SEQ_LEN,
        seq_len=SEQ_LEN,
        micro_batches=micro_batches,
    )
    return Config(model=Model(vocab_size=vocab_size), data=Data(loader=kind), train=train, evaluate=Evaluate(stride=8))


def write_stream(folder: Path, lengths: list[int]) -> list[Path]:
    stream = np.arange(sum(lengths))
    paths = [folder / f"fineweb_train_{number:06d}.bin" for number in range(len(lengths))]
    for path, tokens in zip(paths, np.split(stream, np.cumsum(lengths)[:-1]), strict=True):
        write_shard(path, tokens)
    return paths


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_stream(tmp_path_factory.mktemp("stream"), LENGTHS)


def read_batches(
    cfg: Config, paths: list[Path], count: int, rank: int = 0, world_size: int = 1, seed: int = 1
) -> np.ndarray:
    """Windows of a rank's micro-batches, [count, b, seq_len + 1]; checks shape, dtype and the shift on the way."""
    loader = make_loader(cfg, paths, rank, world_size, seed)
    windows = []
    for _ in range(count):
        x, y = loader.next_batch()
        assert x.shape == y.shape == (SEQUENCES, SEQ_LEN)
        assert str(x.dtype) == str(y.dtype) == "torch.int64"
        assert (x[:, 1:] == y[:, :-1]).all()
        windows.append(np.concatenate([x.numpy(), y.numpy()[:, -1:]], axis=1))
    return np.stack(windows)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("world_size", [2, 4])
def test_ranks_share_out_what_one_rank_reads(kind: str, world_size: int, paths: list[Path]) -> None:
    steps = 5
    alone = read_batches(config(kind), paths, steps * MICRO_BATCHES)
    shared = [
        read_batches(config(kind), paths, steps * MICRO_BATCHES // world_size, rank, world_size)
        for rank in range(world_size)
    ]
    assert (np.stack(shared, axis=1).reshape(alone.shape) == alone).all()


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_gives_the_same_stream(kind: str, paths: list[Path]) -> None:
    first, again, other = (read_batches(config(kind), paths, 40, seed=seed) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first == other).all() == (kind == "contiguous")


def test_contiguous_reads_the_stream_in_slices_with_one_token_over(paths: list[Path]) -> None:
    """B0: each micro-batch takes the next b * seq_len + 1 tokens, on past shard ends and round to the beginning."""
    total = sum(LENGTHS)
    span = SEQUENCES * SEQ_LEN + 1
    calls = 3 * total // span
    expected = np.arange(calls * span).reshape(calls, span) % total
    found = read_batches(config("contiguous"), paths, calls)
    assert (found[:, :, :-1].reshape(calls, -1) == expected[:, :-1]).all()
    assert (found[:, :, 1:].reshape(calls, -1) == expected[:, 1:]).all()


def test_coprime_windows_stay_in_their_shard(paths: list[Path]) -> None:
    windows = read_batches(config("coprime"), paths, 300).reshape(-1, SEQ_LEN + 1)
    assert (np.diff(windows) == 1).all()
    ends = np.cumsum(LENGTHS)
    shards = np.searchsorted(ends, windows, side="right")
    assert (shards == shards[:, :1]).all()
    assert set(shards[:, 0].tolist()) == {0, 1, 2, 4}


@settings(deadline=None, max_examples=200)
@given(seq_len=st.integers(1, 40), extra=st.integers(1, 2000), seed=st.integers(0, 2**32), offset=st.integers(0, 10**9))
def test_coprime_order_visits_each_block_once_an_epoch(seq_len: int, extra: int, seed: int, offset: int) -> None:
    length = seq_len + extra
    order = BlockOrder(offset, length, seq_len, np.random.default_rng(seed))
    for _epoch in range(2):
        first = order.take()
        starts = np.array([first, *[order.take() for _ in range(order.left)]]) - offset
        assert order.left == 0
        assert 0 <= order.phase < seq_len
        blocks, phases = np.divmod(starts - order.phase, seq_len)
        assert sorted(blocks.tolist()) == list(range(order.blocks))
        assert not phases.any()
        assert starts.max() + seq_len + 1 <= length < starts.max() + 2 * seq_len + 1
        assert len(set(np.diff(blocks) % order.blocks)) <= 1


def test_coprime_batches_come_to_draw_on_more_shards() -> None:
    cfg = config("coprime", sequences=64 // MICRO_BATCHES)
    lengths = [100] * 50
    steps = list(islice(coprime_steps(cfg, lengths, seed=1), 1801))
    shards = [len(np.unique(step // 100)) for step in steps]
    assert shards[0] == 8
    assert shards[900] == 20
    assert shards[1800] == 32
    assert all(step.shape == (MICRO_BATCHES, 16) for step in steps)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lengths", [[SEQ_LEN * SEQUENCES * MICRO_BATCHES // 2], [SEQ_LEN] * 50])
def test_refuses_less_than_one_batch(kind: str, lengths: list[int], tmp_path: Path) -> None:
    paths = write_stream(tmp_path, lengths)
    if kind == "contiguous" and len(lengths) > 1:  # short shards are no hindrance to a stream
        assert read_batches(config(kind), paths, 1).shape[0] == 1
        return
    with pytest.raises(
        InputError, match=r"expected at least one batch, 12 sequences of train.seq_len = 16 .* found \d"
    ):
        make_loader(config(kind), paths, 0, 1, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_one_batch_is_enough(kind: str, tmp_path: Path) -> None:
    sequences = SEQUENCES * MICRO_BATCHES
    paths = write_stream(tmp_path, [sequences * SEQ_LEN + (MICRO_BATCHES if kind == "contiguous" else SEQ_LEN)])
    assert len(np.unique(read_batches(config(kind), paths, MICRO_BATCHES)[:, :, 0])) == sequences


@pytest.mark.parametrize("kind", KINDS)
def test_refuses_ids_outside_the_vocabulary(kind: str, paths: list[Path]) -> None:
    with pytest.raises(InputError, match=r"train_\d+.bin: expected ids below model.vocab_size = 1000, found \d+"):
        read_batches(config(kind, vocab_size=1000), paths, 100)


def test_refuses_a_damaged_shard_before_training(paths: list[Path], tmp_path: Path) -> None:
    cut = tmp_path / "fineweb_train_000005.bin"
    cut.write_bytes(paths[0].read_bytes()[:-2])
    with pytest.raises(InputError, match=r"train_000005.bin: expected 1024 \+ 2N bytes"):
        make_loader(config("coprime"), [*paths, cut], 0, 1, 1)
