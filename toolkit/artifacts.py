"""Artifacts and checkpoints as tools read them: with the recipe that lies beside them, and what their symbols hold.

An artifact says which recipe wrote it, but not what that recipe is; `recipe.toml` of the build or record it lies in
does. Nothing is executed: artifacts hold numbers, and checkpoints are read by torch as weights alone.
"""

import pickle
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from toolkit.components.artifact.accounting import byte_shares
from toolkit.components.artifact.artifact import ARTIFACT_MAGIC, decode_artifact, encode_artifact
from toolkit.components.artifact.coders import split_stream
from toolkit.components.artifact.quantized import QuantizedTensor
from toolkit.components.artifact.schemes import tensor_symbols
from toolkit.components.config import Config
from toolkit.components.quantizing.methods import quantize_weights
from toolkit.errors import GolfError
from toolkit.folders import ARTIFACT_NAME, RECIPE_NAME
from toolkit.recipe import load_recipe

if TYPE_CHECKING:
    from torch import Tensor

_LAYER = re.compile(r"blocks\.(\d+)\.(.+)")


@dataclass(frozen=True)
class StoredModel:
    """A model's tensors as its artifact holds them, and the artifact."""

    path: Path
    cfg: Config
    tensors: dict[str, QuantizedTensor]
    blob: bytes

    @property
    def artifact_bytes(self) -> int:
        return len(self.blob)

    def shares(self) -> dict[tuple[str, str], float]:
        """Bytes by tensor and kind, as `byte_shares` has them, but true to the size of the coded stream as well."""
        shares = byte_shares(self.cfg, self.tensors, self.artifact_bytes)
        coded = {key for key in shares if key[1] == "symbols" and self.tensors[key[0]].scheme < 0}
        coded_bytes = len(split_stream(self.blob)[1]) if coded else 0
        for keys, size in ((coded, coded_bytes), (shares.keys() - coded, self.artifact_bytes - coded_bytes)):
            total = sum(shares[key] for key in keys)
            shares |= {key: shares[key] * size / total for key in keys if total}
        return shares


@dataclass(frozen=True)
class TensorEntropy:
    """Bits a weight of one tensor's symbols."""

    name: str
    weights: int
    levels: int  # symbols in use
    entropy_bits: float  # H(W)
    delta_bits: float | None  # H of the difference to the same matrix one layer earlier; None where there is none
    stored_bits: float  # symbols alone

    @property
    def gap_bits(self) -> float:
        return self.stored_bits - self.entropy_bits


def open_model(path: Path, recipe: str | None = None) -> StoredModel:
    """Read an artifact, a checkpoint or the folder of a run; without `recipe`, the nearest `recipe.toml` above holds.

    A checkpoint is a state dict that torch has saved; it is quantized as the recipe says, without calibration.
    """
    if path.is_dir():
        path = _artifact_in(path)
    cfg = load_recipe(recipe or _recipe_above(path))
    blob = path.read_bytes()
    if blob.startswith(ARTIFACT_MAGIC):
        return StoredModel(path, cfg, decode_artifact(cfg, blob), blob)
    tensors = quantize_weights(cfg, _read_checkpoint(path), {})
    return StoredModel(path, cfg, tensors, encode_artifact(cfg, tensors))


def entropies(model: StoredModel) -> list[TensorEntropy]:
    """Entropies of all tensors that have symbols, in order of name."""
    shares = model.shares()
    rows = []
    for name, tensor in sorted(model.tensors.items()):
        if tensor.side:
            before = _layer_before(model.tensors, name)
            symbols = tensor_symbols(model.cfg, tensor)
            delta = symbols.astype(int) - tensor_symbols(model.cfg, before) if before else None
            rows.append(
                TensorEntropy(
                    name=name,
                    weights=symbols.size,
                    levels=len(np.unique(symbols)),
                    entropy_bits=_entropy_bits(symbols),
                    delta_bits=None if delta is None else _entropy_bits(delta),
                    stored_bits=8 * shares[name, "symbols"] / symbols.size,
                )
            )
    return rows


def _entropy_bits(symbols: np.ndarray) -> float:
    counts = np.unique(symbols, return_counts=True)[1]
    return float(-(counts * np.log2(counts / symbols.size)).sum() / symbols.size)


def _layer_before(tensors: dict[str, QuantizedTensor], name: str) -> QuantizedTensor | None:
    match = _LAYER.fullmatch(name)
    before = tensors.get(f"blocks.{int(match[1]) - 1}.{match[2]}") if match else None
    return before if before and before.shape == tensors[name].shape else None


def _artifact_in(folder: Path) -> Path:
    path = folder / ARTIFACT_NAME
    if not path.is_file():
        raise GolfError(f"{folder}: expected {ARTIFACT_NAME} of a run, found none; name a run's folder, or the file")
    return path


def _recipe_above(path: Path) -> Path:
    for folder in path.resolve().parents:
        if (folder / RECIPE_NAME).is_file():
            return folder / RECIPE_NAME
    raise GolfError(f"{path}: expected {RECIPE_NAME} in a folder above, found none; name the recipe with --recipe")


def _read_checkpoint(path: Path) -> dict[str, "Tensor"]:
    import torch

    if not zipfile.is_zipfile(path):
        raise GolfError(f"{path}: expected an artifact or a state dict saved by torch, found a different kind of file")
    try:
        state: object = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError) as error:
        text = str(error).split("\n", 1)[0]
        raise GolfError(f"{path}: expected a state dict saved by torch, found: {text}") from None
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise GolfError(f"{path}: expected a state dict of tensors, found {type(state).__name__}")
    return state
