"""`python -m bench weights [TEXTS [FOLDER]]`: bytes against loss, for the block matrices and for the whole network.

TEXTS and FOLDER are those of `bench mix`, whose network is trained on the first call of either. Bytes are those of
real files; the loss is the divergence from the float network, in bits per byte of the validation text.
"""

import time
from collections.abc import Callable
from dataclasses import astuple, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import brotli
import numpy as np
import torch
from torch import Tensor

from bench.mix.network import ALONE, network_on_text
from bench.mix.text import read_dickens, split_dickens
from bench.weights.figure import write_figure
from bench.weights.judge import Judge, Loss
from toolkit.components.artifact.artifact import decode_artifact, encode_artifact
from toolkit.components.artifact.quantized import QuantizedTensor
from toolkit.components.artifact.schemes import dequantize_weights
from toolkit.components.config import Config
from toolkit.components.quantizing.fisher import Curvature, collect_curvatures
from toolkit.components.quantizing.gptq import collect_hessians, inverse_factor
from toolkit.components.quantizing.methods import quantize_model, quantize_weights
from toolkit.components.quantizing.tcq import Lattice, loss_step, make_lattice, octave_codes, on_grid, trellis_tensors
from toolkit.components.settings.hybrid import Hybrid
from toolkit.components.text.loader import make_loader
from toolkit.recipe import load_recipe

CALIBRATION_BATCHES = 64
SMALLEST_MATRIX = 8192
RECORDS_SIGMAS = (10.0, 12.85, 16.0, 20.0, 25.0, 31.0)
ROUNDING_LOSSES = (0.01, 0.02, 0.04, 0.08)
PART_LOSSES = (0.02, 0.06)
COMPARED = (0.01, 0.02)  # bits per byte
RECORDS_COARSER = (1.0, 1.5, 2.25)  # than the records' steps
HYBRID_LEVELS = (64, 32, 16)  # of all matrices alike, besides those of #1465 by class
TARGETS = (1.0, 0.9, 0.8, 0.7, 0.6)  # of the bytes that the records' steps take


@dataclass(frozen=True)
class Point:
    """One file."""

    setting: float
    num_bytes: int
    loss: Loss
    seconds: float  # from curvature or Hessian to the file


@dataclass(frozen=True)
class Network:
    """A trained network with what its quantizers want to know; statistics are those of its training data."""

    cfg: Config
    state: dict[str, Tensor]
    hessians: dict[str, Tensor]
    curvatures: dict[str, Curvature]
    judge: Judge

    @property
    def blocks(self) -> dict[str, Tensor]:
        return {name: self.state[name] for name in self.curvatures if name.startswith("blocks.")}


def with_method(cfg: Config, method: str, **tcq: Any) -> Config:
    return replace(cfg, quantize=replace(cfg.quantize, method=method), tcq=replace(cfg.tcq, **tcq))


def read_network(texts: Path, folder: Path) -> Network:
    cfg = load_recipe(Path(__file__).parent.with_name("mix") / "network.toml")
    model, inputs = network_on_text(cfg, *split_dickens(read_dickens(texts)), folder)
    quantize = replace(cfg.quantize, passthrough_max_numel=SMALLEST_MATRIX, calibration_batches=CALIBRATION_BATCHES)
    cfg = replace(cfg, quantize=quantize)
    loaders = (make_loader(cfg, inputs.train_paths, 0, 1, 1) for _ in range(2))
    started = time.perf_counter()
    hessians = collect_hessians(cfg, model, next(loaders), ALONE)
    between = time.perf_counter()
    curvatures = collect_curvatures(cfg, model, next(loaders), ALONE)
    seconds = between - started, time.perf_counter() - between
    print(f"statistics: {seconds[0]:.1f} s for inputs alone, {seconds[1]:.1f} s for inputs and gradients", flush=True)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    return Network(
        cfg, state, hessians, curvatures, Judge(model, cfg.train.seq_len, inputs.tokens, inputs.target_bytes)
    )


def measure(network: Network, cfg: Config, setting: float, quantize: Callable[[], dict[str, QuantizedTensor]]) -> Point:
    """The file of some tensors, and the network's loss with them."""
    started = time.perf_counter()
    quantized = quantize()
    num_bytes = len(encode_artifact(cfg, quantized))
    seconds = time.perf_counter() - started
    return Point(setting, num_bytes, network.judge.loss(dequantize_weights(cfg, quantized)), seconds)


def records_points(network: Network, all_sigmas: tuple[float, ...]) -> list[Point]:
    """GPTQ int6, steps of k deviations / 31, brotli."""
    points = []
    for sigmas in all_sigmas:
        cfg = with_method(network.cfg, "gptq")
        cfg = replace(cfg, quantize=replace(cfg.quantize, matrix_clip_sigmas=sigmas))
        quantize = partial(quantize_weights, cfg, network.blocks, network.hessians)
        points.append(measure(network, cfg, sigmas, quantize))
    return points


def tcq_points(network: Network, losses: tuple[float, ...], **tcq: Any) -> list[Point]:
    """The trellis coder in the recipe's way, but for settings."""
    cfg = with_method(network.cfg, "tcq", **tcq)
    lattices = {name: make_lattice(cfg, weight, network.curvatures[name]) for name, weight in network.blocks.items()}
    return lattice_points(network, cfg, lattices, [loss_step(loss, num_weights(lattices)) for loss in losses])


def num_weights(lattices: dict[str, Lattice]) -> int:
    return sum(lattice.weights.size for lattice in lattices.values())


def lattice_points(network: Network, cfg: Config, lattices: dict[str, Lattice], steps: list[float]) -> list[Point]:
    return [measure(network, cfg, step, partial(trellis_tensors, cfg, lattices, step)) for step in steps]


def records_grid(cfg: Config, weight: Tensor, curvature: Curvature) -> Lattice:
    """Steps of each row in proportion to its deviation, whatever the loss feels."""
    columns = inverse_factor(curvature.inputs, cfg.tcq.input_damping).numpy()
    rows = inverse_factor(curvature.outputs, cfg.tcq.output_damping).numpy()
    row_codes, scale = octave_codes(weight.double().std(1).numpy())
    return on_grid(cfg, weight, columns, rows, row_codes, np.zeros(len(columns), np.int8), scale)


def records_grid_points(network: Network) -> list[Point]:
    cfg = with_method(network.cfg, "tcq")
    lattices = {name: records_grid(cfg, weight, network.curvatures[name]) for name, weight in network.blocks.items()}
    return lattice_points(network, cfg, lattices, [16 / 31, 25 / 31])


def brotli_points(network: Network, points: list[Point]) -> list[Point]:
    """The same as `points` of the trellis coder, with brotli instead of tables and rANS."""
    cfg = with_method(network.cfg, "tcq")
    lattices = {name: make_lattice(cfg, weight, network.curvatures[name]) for name, weight in network.blocks.items()}
    found = []
    for point in points:
        tensors = trellis_tensors(cfg, lattices, point.setting)
        symbols = [(tensor.values >> 1).clip(-128, 127).astype(np.int8) for tensor in tensors.values()]
        codes = [tensor.side[i] for tensor in tensors.values() for i in (1, 3)]
        data = b"".join(array.tobytes() for array in [*symbols, *codes])
        found.append(replace(point, num_bytes=len(brotli.compress(data, quality=11, lgwin=24)) + 4 * len(tensors)))
    return found


def bytes_at(points: list[Point], divergence: float) -> float:
    """Bytes at a loss, by a line through the two points around it over the logarithm of the loss."""
    ordered = sorted(points, key=lambda point: point.loss.divergence)
    logs = np.log([point.loss.divergence for point in ordered])
    sizes = [point.num_bytes for point in ordered]
    right = int(np.searchsorted(logs, np.log(divergence)).clip(1, len(logs) - 1))
    slope = (sizes[right] - sizes[right - 1]) / (logs[right] - logs[right - 1])
    return float(sizes[right] + slope * (np.log(divergence) - logs[right]))


def print_points(title: str, points: list[Point], weights: int) -> None:
    for point in points:
        print(
            f"{title:<34}{point.setting:12.4g}{point.num_bytes:11,}{8 * point.num_bytes / weights:8.3f}"
            f"{point.loss.divergence:10.5f}{point.loss.bpb:10.5f}{point.seconds:8.1f}",
            flush=True,
        )


def print_gains(schemes: dict[str, list[Point]], against: str) -> None:
    """Bytes at equal loss beside those of one scheme."""
    print(f"\n{'bytes at equal divergence':<34}" + "".join(f"{loss:>11}{'%':>8}" for loss in COMPARED))
    for name, points in schemes.items():
        cells = []
        for loss in COMPARED:
            base = bytes_at(schemes[against], loss)
            cells.append(f"{bytes_at(points, loss):11,.0f}{100 * (bytes_at(points, loss) / base - 1):8.1f}")
        print(f"{name:<34}" + "".join(cells), flush=True)


def compare_files(network: Network) -> None:
    """Files of the whole network: int6 and brotli in coarser and coarser steps, HybridQuant without its training, the
    trellis coder in given sizes."""
    print(f"\n{'whole network':<28}{'target':>10}{'bytes':>10}{'KL':>10}{'dBPB':>10}{'encode s':>10}{'decode s':>10}")
    sizes = []
    for coarser in RECORDS_COARSER:
        cfg = with_method(network.cfg, "gptq")
        sigmas = {key: coarser * getattr(cfg.quantize, key) for key in ("matrix_clip_sigmas", "embed_clip_sigmas")}
        cfg = replace(cfg, quantize=replace(cfg.quantize, **sigmas))
        quantize = partial(quantize_weights, cfg, network.state, network.hessians)
        sizes.append(print_file(network, cfg, f"int6+brotli, steps x{coarser:g}", quantize))
    for hybrid in (Hybrid(), *(Hybrid(*[levels] * len(fields(Hybrid))) for levels in HYBRID_LEVELS)):
        cfg = replace(with_method(network.cfg, "hybrid"), hybrid=hybrid)
        title = "hybrid+rans, " + "/".join(map(str, sorted(set(astuple(hybrid)))))
        print_file(network, cfg, title, partial(quantize_weights, cfg, network.state, {}))
    for share in TARGETS:
        cfg = with_method(network.cfg, "tcq")
        cfg = replace(cfg, artifact=replace(cfg.artifact, target_bytes=round(share * sizes[0])))
        attempts: list[str] = []
        quantize = partial(quantize_model, cfg, network.state, network.curvatures, 0, attempts.append)
        print_file(network, cfg, f"tcq+rans at {100 * share:.0f} %", quantize)
        print(f"  {len(attempts)} attempts", flush=True)


def print_file(network: Network, cfg: Config, title: str, quantize: Callable[[], dict[str, QuantizedTensor]]) -> int:
    """A line of `compare_files`, and the file's size."""
    started = time.perf_counter()
    blob = encode_artifact(cfg, quantize())
    encoded = time.perf_counter()
    quantized = decode_artifact(cfg, blob)
    seconds = f"{encoded - started:10.1f}{time.perf_counter() - encoded:10.1f}"
    loss = network.judge.loss(dequantize_weights(cfg, quantized))
    target = f"{cfg.artifact.target_bytes or '':>10}"
    print(f"{title:<28}{target}{len(blob):10,}{loss.divergence:10.5f}{loss.bpb:10.5f}{seconds}", flush=True)
    return len(blob)


def main(texts: str = "../shared/data", folder: str = "build/bench/mix") -> None:
    torch.manual_seed(0)
    network = read_network(Path(texts), Path(folder))
    weights = sum(weight.numel() for weight in network.blocks.values())
    print(f"block matrices, {weights:,} weights\n{'':<34}{'setting':>12}{'bytes':>11}{'b/w':>8}{'KL':>10}{'dBPB':>10}")
    records, trellis = "GPTQ int6 k*std, brotli", "tcq, 8 states"
    makers: dict[str, Callable[[], list[Point]]] = {
        records: lambda: records_points(network, RECORDS_SIGMAS),
        trellis: lambda: tcq_points(network, ROUNDING_LOSSES),
        "tcq, 4 states": lambda: tcq_points(network, PART_LOSSES, states=4),
        "tcq, 32 states": lambda: tcq_points(network, PART_LOSSES, states=32),
        "without the trellis": lambda: tcq_points(network, PART_LOSSES, states=1),
        "without feedback along rows": lambda: tcq_points(network, PART_LOSSES, two_sided=False),
        "without allocation (k*std steps)": lambda: records_grid_points(network),
        "without the coder (brotli)": lambda: brotli_points(network, schemes[trellis][1:3]),
    }
    schemes: dict[str, list[Point]] = {}
    for name, make in makers.items():
        schemes[name] = make()
        print_points(name, schemes[name], weights)
    print_gains(schemes, records)
    figure = Path(folder, "weights.svg")
    curves = {
        name: [(point.num_bytes, point.loss.divergence) for point in schemes[name]] for name in (records, trellis)
    }
    write_figure(figure, curves)
    print(f"figure: {figure}")
    compare_files(network)
