"""Two gloo ranks against one: optimizer, clock, whole run. This file is also the program of each rank."""

import os
import re
import shutil
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.support.tiny_run import TinyRun
from toolkit.components import main as entry
from toolkit.components.base.ranks import Ranks, open_ranks
from toolkit.components.config import Config
from toolkit.components.mixing import trie
from toolkit.components.mixing.trie import Trie, TrieFeed
from toolkit.components.settings.optimizer import Optimizer
from toolkit.components.training.muon import Muon
from toolkit.recipe import load_recipe

STRINGS = [b"", b"a", b"ab", b"b", b"b", b"\xc3\xa9"]
FEED_LENGTHS = [1, 2, 3, 24, 37]  # from fewer windows than ranks to a short last one
SHAPES = [(4, 9), (6, 6), (12, 5)]  # more than ranks, not a multiple of them


def muon_weights(ranks: Ranks) -> list[Tensor]:
    """Three steps of Muon on the same gradients on every rank."""
    rng = torch.Generator().manual_seed(0)
    params = [torch.randn(shape, generator=rng) for shape in SHAPES]
    cfg = replace(Config(), optimizer=Optimizer(matrix_weight_decay=0.1, muon_row_normalize=True))
    muon = Muon(cfg, params, ranks)
    for _ in range(3):
        for param in params:
            param.grad = torch.randn(param.shape, generator=rng)
        muon.step()
    return params


def fed_stretches(ranks: Ranks, num_targets: int) -> Tensor:
    """Stretches after `gather`; windows of two targets are shared out as in `window_rows`."""
    rng = torch.Generator().manual_seed(num_targets)
    targets = torch.randint(len(STRINGS), (num_targets,), generator=rng)
    logits = torch.randn(num_targets, len(STRINGS), generator=rng)
    feed = TrieFeed(Trie(STRINGS, ranks.device), targets.numpy())
    ends = [rank * ((num_targets + 1) // 2) // ranks.world_size for rank in (ranks.rank, ranks.rank + 1)]
    for window in range(*ends):
        part = slice(2 * window, min(2 * window + 2, num_targets))
        feed.add(part.start, logits[part], targets[part])
    feed.gather(ranks)
    return feed.stretches


def work(recipe: str, out_dir: Path) -> None:
    """What each rank does: the pieces first, then the whole run."""
    ranks = open_ranks()
    mine = [torch.full((2, 3), float(ranks.rank + 1)), torch.tensor(10.0 * ranks.rank)]
    ranks.sum_all_(mine)
    ranks.barrier()
    trie.PIECE_DECISIONS = 5  # several of them to a share, the last one short
    stretches = [fed_stretches(ranks, num_targets) for num_targets in FEED_LENGTHS]
    torch.save({"sums": mine, "muon": muon_weights(ranks), "stretches": stretches}, out_dir / f"rank{ranks.rank}.pt")
    vars(entry)["open_ranks"] = lambda: ranks  # a process can join its group only once
    entry.main(load_recipe(recipe), __file__)
    threads = [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]
    assert not [name for name in threads if "gloo" in name]  # one left could abort the interpreter's exit


def run_ranks(
    world_size: int, recipe: Path, out_dir: Path, environment: dict[str, str]
) -> list[subprocess.CompletedProcess[str]]:
    """Start the ranks as torchrun would, and wait for each of them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    group = {"WORLD_SIZE": str(world_size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, str(recipe), str(out_dir)],
            env=dict(os.environ) | environment | group | {"RANK": str(rank), "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(world_size)
    ]
    outputs = [process.communicate(timeout=120) for process in processes]
    return [
        subprocess.CompletedProcess(process.args, process.returncode, *output)
        for process, output in zip(processes, outputs, strict=True)
    ]


def train_losses(log: Path) -> Tensor:
    return torch.tensor([float(loss) for loss in re.findall(r"train_loss: (\S+)", log.read_text())])


def test_two_ranks_do_what_one_does(tiny_run: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = tmp_path / "wide.toml"  # two micro-batches a rank, so that sums over ranks come in another order
    recipe.write_text(tiny_run.recipe.read_text().replace("micro_batches = 2", "micro_batches = 4"))
    environment = tiny_run.environment(tmp_path / "two")
    ranks = run_ranks(2, recipe, tmp_path, environment)
    assert [(rank.returncode, rank.stderr) for rank in ranks] == [(0, "")] * 2
    assert [rank.stdout for rank in ranks] == [(tmp_path / "two" / "train_seed42.log").read_text(), ""]

    first, second = (torch.load(tmp_path / f"rank{rank}.pt") for rank in (0, 1))
    assert torch.equal(first["sums"][0], torch.full((2, 3), 3.0))
    assert first["sums"][1] == 10
    alone = muon_weights(Ranks(0, 1, torch.device("cpu")))
    for i, param in enumerate(alone):
        assert torch.equal(first["muon"][i], second["muon"][i])
        torch.testing.assert_close(first["muon"][i], param, atol=1e-6, rtol=0)
    for num_targets, gathered in zip(FEED_LENGTHS, first["stretches"], strict=True):
        assert torch.equal(gathered, fed_stretches(Ranks(0, 1, torch.device("cpu")), num_targets))
    assert not second["stretches"][-1][:4].any()  # rank 1 holds no more than its share

    for name, value in (environment | {"RUN_DIR": str(tmp_path / "one")}).items():
        monkeypatch.setenv(name, value)
    entry.main(load_recipe(recipe), __file__)
    logs = [tmp_path / name / "train_seed42.log" for name in ("one", "two")]
    torch.testing.assert_close(train_losses(logs[0]), train_losses(logs[1]), atol=1e-5, rtol=0)
    assert len(train_losses(logs[0])) == 20
    final_bpb = [re.findall(r"^final_\S+ .* val_bpb:(\S+)", log.read_text(), re.MULTILINE) for log in logs]
    for one, two in zip(*final_bpb, strict=True):
        assert float(one) == pytest.approx(float(two), abs=2e-3)  # a weight may round to the neighbouring level


def test_a_rank_that_fails_alone_says_why_and_takes_the_other_along(tiny_run: TinyRun, tmp_path: Path) -> None:
    """A token that is none, in a window that one rank alone reads."""
    data = shutil.copytree(tiny_run.root / "datasets" / "tiny", tmp_path / "data")
    shard = data / "fineweb_train_000001.bin"
    tokens = np.memmap(shard, "<u2", "r+", 1024)
    tokens[300] = 65_535
    tokens.flush()
    environment = tiny_run.environment(tmp_path / "run", DATA_PATH=str(data), ITERATIONS="1000")
    ranks = run_ranks(2, tiny_run.recipe, tmp_path, environment)
    assert [rank.returncode for rank in ranks] == [1, 1]
    assert sorted(rank.stderr for rank in ranks)[0] == ""
    assert re.fullmatch(rf"error: {shard}: .*found 65535.*\n", sorted(rank.stderr for rank in ranks)[1])
    assert not (tmp_path / "run" / "final_model.ptz").exists()


if __name__ == "__main__":
    work(sys.argv[1], Path(sys.argv[2]))
