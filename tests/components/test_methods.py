"""Every quantizer by the list, through all that asks which one runs: from training data to a file and back."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.calibration import ALONE, noisy_model, random_shards
from toolkit.bundle.link.resolve import is_settings, read_folder
from toolkit.bundle.link.settings import cfg_uses
from toolkit.components.artifact.accounting import byte_shares
from toolkit.components.artifact.artifact import decode_artifact, encode_artifact
from toolkit.components.artifact.schemes import dequantize_weights, scheme_slots
from toolkit.components.base.failure import InputError
from toolkit.components.config import Config
from toolkit.components.model.gpt import GPT, parameter_kind
from toolkit.components.model.levels import stop_rounding
from toolkit.components.quantizing.methods import collect, quantize_model, quantize_weights
from toolkit.components.settings.artifact import Artifact
from toolkit.components.settings.method import PlannedTensor
from toolkit.components.settings.methods import METHODS
from toolkit.components.settings.model import Model
from toolkit.components.settings.quantize import Quantize
from toolkit.components.settings.tcq import Tcq
from toolkit.components.settings.train import Train
from toolkit.components.text.loader import make_loader
from toolkit.components.training.clock import TrainingClock

COMPONENTS = Path(__file__).parents[2] / "toolkit" / "components"
CFG = Config(
    model=Model(vocab_size=48, num_layers=2, model_dim=32, num_heads=4, num_kv_heads=2),
    train=Train(batch_tokens=256, seq_len=64, micro_batches=2),
    quantize=Quantize(calibration_batches=2, passthrough_max_numel=600),
    tcq=Tcq(rounding_loss=1e-4),
)
KINDS = {"symbols", "scales", "tables", "passthrough"}


@pytest.fixture(params=METHODS)
def cfg(request: pytest.FixtureRequest) -> Config:
    return replace(CFG, quantize=replace(CFG.quantize, method=request.param))


@pytest.fixture
def model(cfg: Config) -> GPT:
    return noisy_model(cfg)


def statistics(cfg: Config, model: GPT, folder: Path, lines: list[str]) -> Any:
    loader = make_loader(cfg, random_shards(cfg, folder), 0, 1, 0)
    return collect(cfg, model, loader, ALONE, TrainingClock(ALONE.device), lines.append)


def test_a_model_goes_into_a_file_and_comes_back(cfg: Config, model: GPT, tmp_path: Path) -> None:
    lines: list[str] = []
    state = model.state_dict()
    quantized = quantize_model(cfg, state, statistics(cfg, model, tmp_path, lines), 0, lines.append)
    assert quantized.keys() == state.keys()
    blob = encode_artifact(cfg, quantized)
    restored = dequantize_weights(cfg, decode_artifact(cfg, blob))
    for name, weight in dequantize_weights(cfg, quantized).items():
        assert torch.equal(restored[name], weight), name
        assert restored[name].dtype == torch.float32
        assert (weight - state[name]).norm() < 0.6 * state[name].norm() + 1e-6, name
    shares = byte_shares(cfg, quantized, len(blob))
    assert sum(shares.values()) == pytest.approx(len(blob))
    assert {name for name, _ in shares} == quantized.keys()
    assert {kind for _, kind in shares} <= KINDS
    model.load_state_dict(restored)
    stop_rounding(cfg, model)
    assert model(torch.zeros(1, 8, dtype=torch.int64)).isfinite().all()


def test_statistics_are_those_of_matrices_and_the_log_counts_them(cfg: Config, model: GPT, tmp_path: Path) -> None:
    lines: list[str] = []
    stats = statistics(cfg, model, tmp_path, lines)
    assert (stats is None) == (not lines)
    if lines:
        assert {name for name in stats if parameter_kind(name) == "scalar"} == set()
        assert lines[0] == "GPTQ:collecting Hessians from calibration data..."
        assert lines[1].startswith(f"GPTQ:collected {len(stats) * (2 if cfg.quantize.method == 'tcq' else 1)} Hessians")


def test_without_statistics_there_is_a_file_as_well(cfg: Config, model: GPT) -> None:
    quantized = quantize_weights(cfg, model.state_dict(), {})
    assert decode_artifact(cfg, encode_artifact(cfg, quantized)).keys() == quantized.keys()


def test_the_forecast_knows_what_becomes_symbols_and_what_is_stored_besides(
    cfg: Config, model: GPT, tmp_path: Path
) -> None:
    state = model.state_dict()
    quantized = quantize_weights(cfg, state, statistics(cfg, model, tmp_path, []))
    for name, tensor in quantized.items():
        assert tensor.scheme in scheme_slots(cfg, tensor.shape)
        planned = METHODS[cfg.quantize.method].planned_bits(
            cfg, PlannedTensor(name, parameter_kind(name), tuple(state[name].shape))
        )
        assert (planned is None) == (not tensor.side), name
        if planned is None:
            assert tensor.values.itemsize == (2 if tensor.values.ndim >= 2 else cfg.quantize.vector_bytes)
        elif cfg.quantize.storage != "points":  # the forecast has no codes of columns
            assert planned.side_bytes == sum(array.nbytes for array in tensor.side)


def test_coded_schemes_are_numbers_below_zero(cfg: Config) -> None:
    quantizing = {scheme for scheme in scheme_slots(cfg, (64, 64)) if scheme not in scheme_slots(cfg, (64,))}
    assert quantizing
    assert all((scheme < 0) == cfg.quantize.coded for scheme in quantizing)


def test_a_target_is_filled_or_refused(cfg: Config, model: GPT, tmp_path: Path) -> None:
    if not METHODS[cfg.quantize.method].fills_target:
        with pytest.raises(InputError, match=r'artifact.target_bytes: expected unset unless quantize.method = "tcq"'):
            replace(cfg, artifact=Artifact(target_bytes=20_000))
        return
    stats = statistics(cfg, model, tmp_path, [])
    cfg = replace(cfg, artifact=Artifact(target_bytes=20_000))
    quantized = quantize_model(cfg, model.state_dict(), stats, 6000, lambda line: None)
    assert 12_000 < len(encode_artifact(cfg, quantized)) <= 14_000


@pytest.mark.parametrize(
    ("setting", "seams"),
    [
        ("method", {"quantizing.methods", "model.levels"}),
        ("storage", {"artifact.schemes", "artifact.coders"}),
        ("compressor", {"artifact.compressor"}),
    ],
)
def test_only_the_seams_ask(setting: str, seams: set[str]) -> None:
    """Whoever adds a quantizer, a storage or a compressor finds all places in these files."""
    asking = {
        module.name
        for module in read_folder(COMPONENTS)
        for use in cfg_uses(module.tree)
        if use.fields == ("quantize", setting) and not is_settings(module.name)
    }
    assert asking == seams
