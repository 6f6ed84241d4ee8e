"""Evaluation of a model on the validation stream: nats per target, and the stages of a recipe in log lines.

Bits per byte is the metric because it does not depend on the tokenizer: total nats over ln 2 times the bytes of text,
where a control token costs nats and brings no byte.
"""

import math
import time

import numpy as np
import sentencepiece as spm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.components.config import Config
from toolkit.components.log import Log
from toolkit.components.ranks import Ranks
from toolkit.components.windows import window_logits


def score_windows(
    cfg: Config,
    model: nn.Module,
    tokens: Tensor,  # int64[N], CPU
    ranks: Ranks,
    stride: int,
) -> Tensor:
    """Nats of every target as float64[N-1] on the CPU, bit-identical on all ranks."""
    nats = torch.zeros(len(tokens) - 1, dtype=torch.float64, device=ranks.device)
    for first, logits, targets in window_logits(cfg, model, tokens, ranks, stride):
        nats[first : first + len(targets)] = F.cross_entropy(logits, targets, reduction="none").double()
    return ranks.sum_(nats).cpu()


def score_blocks(cfg: Config, model: nn.Module, tokens: Tensor, ranks: Ranks) -> Tensor:
    """`score_windows` with windows that do not overlap."""
    return score_windows(cfg, model, tokens, ranks, cfg.train.seq_len)


def score_line(label: str, nats: Tensor, target_bytes: np.ndarray, started: float) -> str:
    """The log line of a score; `started` is the `time.perf_counter()` at which its work began."""
    val_bpb = nats.sum().item() / (math.log(2) * float(target_bytes.sum()))
    milliseconds = 1000 * (time.perf_counter() - started)
    return f"{label} val_loss:{nats.mean().item():.8f} val_bpb:{val_bpb:.8f} eval_time:{milliseconds:.0f}ms"


def run_stages(
    cfg: Config,
    model: nn.Module,
    tokens: Tensor,  # int64[N], CPU
    target_bytes: np.ndarray,  # int64[N-1], the denominator
    tokenizer: spm.SentencePieceProcessor,
    ranks: Ranks,
    log: Log,
) -> None:
    """Run the recipe's stages on a decoded model and log a line for each; the last line is the headline."""
    begin = started = time.perf_counter()
    if "roundtrip" in cfg.evaluate.stages:
        nats = score_blocks(cfg, model, tokens, ranks)
        log(score_line(f"final_int{cfg.quantize.matrix_bits}_roundtrip", nats, target_bytes, started))
    if "sliding" in cfg.evaluate.stages:
        started = time.perf_counter()
        nats = score_windows(cfg, model, tokens, ranks, cfg.evaluate.stride)
        log(score_line(f"final_int{cfg.quantize.matrix_bits}_sliding_window", nats, target_bytes, started))
    log(f"total_eval_time:{time.perf_counter() - begin:.1f}s")
