"""One checkpoint, calibrated on one rank and on two: the same artifact, byte for byte."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from tests.support.calibration import ALONE, noisy_model, on_two_ranks, random_shards
from toolkit.components.artifact.artifact import encode_artifact
from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config
from toolkit.components.quantizing.fisher import collect_curvatures
from toolkit.components.quantizing.gptq import collect_hessians
from toolkit.components.quantizing.methods import quantize_weights
from toolkit.components.settings.model import Model
from toolkit.components.settings.quantize import Quantize
from toolkit.components.settings.train import Train
from toolkit.components.text.loader import make_loader

GPTQ = Config(
    model=Model(vocab_size=48, num_layers=2, model_dim=32, num_heads=4, num_kv_heads=2),
    train=Train(batch_tokens=256, seq_len=64, micro_batches=2),
    quantize=Quantize(calibration_batches=3, passthrough_max_numel=600),
)
HYBRID, TCQ = (replace(GPTQ, quantize=replace(GPTQ.quantize, method=method)) for method in ("hybrid", "tcq"))


def artifacts(paths: list[Path], ranks: Ranks) -> list[bytes]:
    """Of each scheme; the work of collecting is shared by the ranks."""
    model, place = noisy_model(GPTQ), (ranks.rank, ranks.world_size, 0)
    hessians = collect_hessians(GPTQ, model, make_loader(GPTQ, paths, *place), ranks)
    curvatures = collect_curvatures(TCQ, model, make_loader(TCQ, paths, *place), ranks)
    state = model.state_dict()
    return [
        encode_artifact(GPTQ, quantize_weights(GPTQ, state, hessians)),
        encode_artifact(HYBRID, quantize_weights(HYBRID, state, {})),
        encode_artifact(TCQ, quantize_weights(TCQ, state, curvatures)),
    ]


def test_the_number_of_ranks_decides_no_byte(tmp_path: Path) -> None:
    """Three batches: one rank has two, the other one."""
    paths = random_shards(GPTQ, tmp_path)
    first, second = on_two_ranks(partial(artifacts, paths), tmp_path)
    assert first == second == artifacts(paths, ALONE)
