"""The quantizers of weights: the one place that knows them all.

To add one: a file beside this one with a function from a state dict to `QuantizedTensor`s of the matrices it makes into
symbols, a line in `quantize_weights`, and its facts in `settings/methods.py`. What else it needs, if anything, is a
line in the function here that is named for it. If no storage of `artifact/schemes.py` suits it, that takes a line too.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from toolkit.components.artifact.quantized import QuantizedTensor
from toolkit.components.base.native import compile_native
from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config
from toolkit.components.model.gpt import GPT
from toolkit.components.quantizing.fisher import collect_curvatures
from toolkit.components.quantizing.gptq import collect_hessians, gptq_matrices
from toolkit.components.quantizing.hybrid import level_matrices
from toolkit.components.quantizing.passthrough import with_passthrough
from toolkit.components.quantizing.percentile import percentile_matrices
from toolkit.components.quantizing.rounding import rounding_line
from toolkit.components.quantizing.tcq import trellis_matrices
from toolkit.components.quantizing.tcq_engine import TCQ_ENGINE
from toolkit.components.quantizing.tcq_fill import fill_target
from toolkit.components.setup.environment import Environment
from toolkit.components.text.loader import TokenLoader
from toolkit.components.training.clock import TrainingClock


def compile_quantizer(cfg: Config, env: Environment) -> None:
    """Compile what the method will need after training, so that a missing compiler costs none."""
    if cfg.quantize.method == "tcq" and cfg.tcq.engine == "native" and not env.eval_only:
        compile_native(TCQ_ENGINE)


def collect(
    cfg: Config,
    model: GPT,  # trained, not compiled
    loader: TokenLoader,  # of training data
    ranks: Ranks,
    clock: TrainingClock,  # that of training, which calibration is part of
    log: Callable[[str], None],
) -> Any:
    """What the method wants to know of matrices, by their weights' names: Hessians, curvatures or nothing (None)."""
    if cfg.quantize.method not in ("gptq", "tcq"):
        return None
    log("GPTQ:collecting Hessians from calibration data...")
    started = clock.read()
    stats: dict[str, Any]
    if cfg.quantize.method == "tcq":
        stats, each = collect_curvatures(cfg, model, loader, ranks), 2
    else:
        stats, each = collect_hessians(cfg, model, loader, ranks), 1
    log(f"GPTQ:collected {each * len(stats)} Hessians in {clock.read() - started:.1f}s")
    return stats


def quantize_weights(cfg: Config, state: dict[str, Tensor], stats: Any) -> dict[str, QuantizedTensor]:
    """Every tensor of a state dict in the form it is stored in, by the recipe's steps; `stats` of `collect`, or {}.

    A matrix without statistics is rounded to nearest, or stays fp16 under methods that cannot do without. Raises
    `InputError` with the tensor's name where a number is not finite, or too large for fp16.
    """
    if cfg.quantize.method == "gptq":
        matrices = gptq_matrices(cfg, state, stats)
    elif cfg.quantize.method == "percentile":
        matrices = percentile_matrices(cfg, state)
    elif cfg.quantize.method == "hybrid":
        matrices = level_matrices(cfg, state)
    elif cfg.quantize.method == "tcq":
        matrices = trellis_matrices(cfg, state, stats)
    return with_passthrough(cfg, matrices, state)


def quantize_model(
    cfg: Config,
    state: dict[str, Tensor],
    stats: Any,
    code_bytes: int,
    log: Callable[[str], None],
) -> dict[str, QuantizedTensor]:
    """`quantize_weights` for a run, whose log it tells; by steps that fill the target if the recipe has one."""
    if cfg.artifact.target_bytes:
        return fill_target(cfg, state, stats, code_bytes, log)
    quantized = quantize_weights(cfg, state, stats)
    if cfg.quantize.method == "gptq":
        log(rounding_line(quantized, len(stats)))
    if cfg.quantize.method == "percentile":
        log(rounding_line(quantized, 0))
    return quantized
