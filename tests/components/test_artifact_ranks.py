"""One checkpoint, calibrated on one rank and on two: the same artifact, byte for byte."""

import multiprocessing
from dataclasses import replace
from pathlib import Path

import torch
import torch.distributed as dist

from tests.components.calibration import noisy_model, random_shards
from toolkit.components.artifact import encode_artifact
from toolkit.components.config import Config, Model, Quantize, Train
from toolkit.components.fisher import collect_curvatures
from toolkit.components.gptq import collect_hessians
from toolkit.components.loader import make_loader
from toolkit.components.quantize import quantize_weights
from toolkit.components.ranks import Ranks
from toolkit.components.tcq_fill import tcq_artifact

GPTQ = Config(
    model=Model(vocab_size=48, num_layers=2, model_dim=32, num_heads=4, num_kv_heads=2),
    train=Train(batch_tokens=256, seq_len=64, micro_batches=2),
    quantize=Quantize(calibration_batches=3, passthrough_max_numel=600),
)
HYBRID, TCQ = (replace(GPTQ, quantize=replace(GPTQ.quantize, method=method)) for method in ("hybrid", "tcq"))


def artifacts(rank: int, world_size: int, paths: list[Path]) -> list[bytes]:
    """Of each scheme; the work of collecting is shared by the ranks."""
    ranks, model = Ranks(rank, world_size, torch.device("cpu")), noisy_model(GPTQ)
    hessians = collect_hessians(GPTQ, model, make_loader(GPTQ, paths, rank, world_size, 0), ranks)
    curvatures = collect_curvatures(TCQ, model, make_loader(TCQ, paths, rank, world_size, 0), ranks)
    state = model.state_dict()
    return [
        encode_artifact(GPTQ, quantize_weights(GPTQ, state, hessians)),
        encode_artifact(HYBRID, quantize_weights(HYBRID, state, {})),
        tcq_artifact(TCQ, state, curvatures, 0, print),
    ]


def artifacts_of_two(rank: int, meeting_point: str, paths: list[Path]) -> list[bytes]:
    dist.init_process_group("gloo", init_method=f"file://{meeting_point}", rank=rank, world_size=2)
    found = artifacts(rank, 2, paths)
    dist.destroy_process_group()
    return found


def test_the_number_of_ranks_decides_no_byte(tmp_path: Path) -> None:
    """Three batches: one rank has two, the other one."""
    paths = random_shards(GPTQ, tmp_path)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        arguments = [(rank, str(tmp_path / "meeting_point"), paths) for rank in range(2)]
        first, second = pool.starmap(artifacts_of_two, arguments, chunksize=1)
    assert first == second == artifacts(0, 1, paths)
