"""The demo's data as a whole: real corpus, real tokenizer, real shards."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from toolkit.components.base.failure import InputError
from toolkit.components.config import Config
from toolkit.components.settings.data import Data
from toolkit.components.text.byte_tables import byte_tables, count_target_bytes, load_tokenizer
from toolkit.components.text.loader import make_loader
from toolkit.components.text.shards import find_shards, read_tokens
from toolkit.data.corpus import embedded_corpus
from toolkit.data.demo import build_demo_data
from toolkit.errors import GolfError
from toolkit.recipe import load_recipe

CFG = load_recipe("demo")
BOS = 1


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    build_demo_data(CFG, root)
    return root


def dataset(root: Path) -> Path:
    return root / "datasets" / CFG.data.dataset


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def needs_build(cfg: Config, root: Path) -> bool:
    """Whether a build starts; it is stopped at its first step."""

    def stop(step: str, share: float) -> None:
        if share < 1:
            raise KeyboardInterrupt

    try:
        build_demo_data(cfg, root, stop)
    except KeyboardInterrupt:
        return True
    return False


def test_validation_is_the_held_out_text(root: Path) -> None:
    val, _ = embedded_corpus()
    tokenizer = load_tokenizer(root / "tokenizers" / CFG.data.tokenizer, CFG.model.vocab_size)
    tokens = read_tokens(find_shards(dataset(root), "val"), CFG.model.vocab_size)
    documents = np.split(tokens, np.flatnonzero(tokens == BOS))[1:]
    normalised = [tokenizer.normalize(document).replace("\u2581", " ") for document in val]
    assert [tokenizer.decode(document[1:].tolist()) for document in documents] == normalised
    assert all(document[0] == BOS for document in documents)
    counted = count_target_bytes(byte_tables(tokenizer), tokens).sum()
    assert counted == sum(len(text.encode()) for text in normalised)
    assert 2.0 < counted / (len(tokens) - 1) < 2.6


def test_training_shards_feed_the_recipes_loader(root: Path) -> None:
    paths = find_shards(dataset(root), "train")
    tokens = read_tokens(paths, CFG.model.vocab_size)
    assert len(paths) > 4
    assert len(tokens) > 2_000_000
    assert (tokens == BOS).sum() == len(embedded_corpus()[1])
    x, y = make_loader(CFG, paths, rank=1, world_size=2, seed=42).next_batch()
    train = CFG.train
    assert x.shape == y.shape == (train.batch_tokens // (train.micro_batches * train.seq_len), train.seq_len)


def test_whole_data_are_reused(root: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    steps: list[tuple[str, float]] = []
    build_demo_data(CFG, root, lambda step, share: steps.append((step, share)))
    assert steps == [("data ready", 1.0)]
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_interrupted_and_damaged_data_are_built_again(root: Path) -> None:
    whole = contents(root)
    shard = find_shards(dataset(root), "train")[-1]
    shard.write_bytes(shard.read_bytes()[:-1] + b"\xff")
    (root / "tokenizers" / CFG.data.tokenizer).unlink()
    damaged = contents(root)

    def interrupt(step: str, share: float) -> None:
        if step == "writing shards":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_demo_data(CFG, root, interrupt)
    assert contents(root) == damaged
    shares: list[float] = []
    build_demo_data(CFG, root, lambda step, share: shares.append(share))
    assert contents(root) == whole
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)


def test_a_shard_too_many_is_noticed(root: Path) -> None:
    assert not needs_build(CFG, root)
    stray = dataset(root) / "fineweb_train_000099.bin"
    stray.write_bytes(b"")
    assert needs_build(CFG, root)
    stray.unlink()
    assert not needs_build(CFG, root)


def test_another_vocabulary_means_another_build(root: Path) -> None:
    assert needs_build(replace(CFG, model=replace(CFG.model, vocab_size=512)), root)


@pytest.mark.parametrize(
    "name", [f"datasets/{CFG.data.dataset}/fineweb_val_000000.bin", f"tokenizers/{CFG.data.tokenizer}"]
)
def test_data_of_others_are_left_alone(name: str, tmp_path: Path) -> None:
    foreign = tmp_path / name
    foreign.parent.mkdir(parents=True)
    foreign.write_bytes(b"not ours")
    with pytest.raises(
        GolfError, match="expected nothing or data of an earlier demo, found data that the demo did not write"
    ):
        build_demo_data(CFG, tmp_path)
    assert contents(tmp_path) == {name: b"not ours"}


@pytest.mark.parametrize("name", ["", "..", "../fineweb10B_sp1024", "/data"])
def test_names_are_no_paths(name: str) -> None:
    with pytest.raises(InputError, match=r"data.dataset: expected a plain name, no path, found"):
        Data(dataset=name)
