"""Evaluation of a model on the validation stream: nats per target, and the stages of a recipe in log lines.

Bits per byte is the metric because it does not depend on the tokenizer: total nats over ln 2 times the bytes of text,
where a control token costs nats and brings no byte.
"""

import math
import time
from collections.abc import Callable

import numpy as np
import sentencepiece as spm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.components.byte_tables import token_strings
from toolkit.components.config import Config
from toolkit.components.log import Log
from toolkit.components.ppm_seed import mix_ppm_seed, seed_strings
from toolkit.components.ppm_trie import mix_ppm_trie
from toolkit.components.ranks import Ranks
from toolkit.components.trie import Trie, TrieFeed
from toolkit.components.windows import window_logits

PROGRESS_SECONDS = 5


def score_windows(
    cfg: Config,
    model: nn.Module,
    tokens: Tensor,  # int64[N], CPU
    ranks: Ranks,
    stride: int,
    take: Callable[[int, Tensor, Tensor], None] | None = None,
) -> Tensor:
    """Nats of every target as float64[N-1] on the CPU, bit-identical on all ranks.

    `take` is given what `window_logits` yields, so that a mixer need not run the network again.
    """
    nats = torch.zeros(len(tokens) - 1, dtype=torch.float64, device=ranks.device)
    for first, logits, targets in window_logits(cfg, model, tokens, ranks, stride):
        nats[first : first + len(targets)] = F.cross_entropy(logits, targets, reduction="none").double()
        if take:
            take(first, logits, targets)
    return ranks.sum_(nats).cpu()


def score_blocks(cfg: Config, model: nn.Module, tokens: Tensor, ranks: Ranks) -> Tensor:
    """`score_windows` with windows that do not overlap."""
    return score_windows(cfg, model, tokens, ranks, cfg.train.seq_len)


def bits_per_byte(nats: Tensor | np.ndarray, target_bytes: np.ndarray) -> float:
    """The metric: all nats over all bytes."""
    return nats.sum().item() / (math.log(2) * float(target_bytes.sum()))


def score_line(label: str, nats: Tensor, target_bytes: np.ndarray, started: float) -> str:
    """The log line of a score; `started` is the `time.perf_counter()` at which its work began."""
    val_bpb = bits_per_byte(nats, target_bytes)
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
    """Run the recipe's stages on a decoded model and log a line for each; the last one is the headline.

    The mixers go by the sliding windows' scores, which are made once, in the first stage that needs them.
    """
    begin = started = time.perf_counter()

    def report(stage: str, nats: Tensor, num_bytes: np.ndarray = target_bytes) -> None:
        nonlocal started
        log(score_line(f"final_{cfg.quantize.symbols}_{stage}", nats, num_bytes, started))
        started = time.perf_counter()

    if "roundtrip" in cfg.evaluate.stages:
        report("roundtrip", score_blocks(cfg, model, tokens, ranks))
    targets, take = tokens[1:].numpy(), None
    if "ppm_trie" in cfg.evaluate.stages:
        feed = TrieFeed(Trie(token_strings(tokenizer), ranks.device), targets)
        take = feed.add
    if "sliding" in cfg.evaluate.stages or "ppm_seed" in cfg.evaluate.stages or "ppm_trie" in cfg.evaluate.stages:
        nats = score_windows(cfg, model, tokens, ranks, cfg.evaluate.stride, take)
    if "sliding" in cfg.evaluate.stages:
        report("sliding_window", nats)
    if "ppm_seed" in cfg.evaluate.stages and ranks.is_main:  # one table is enough for a machine's memory
        strings = seed_strings(cfg, tokenizer)
        counted = target_bytes
        if cfg.ppm_seed.spelling == "names":
            counted = np.array([len(text) for text in strings])[targets]
        report("ppm_seed", mix_ppm_seed(cfg, strings, targets, nats), counted)
    if "ppm_trie" in cfg.evaluate.stages:
        feed.gather(ranks)
        if ranks.is_main:
            shown = started

            def progress(mixed: np.ndarray) -> None:
                """Log how far the mixer has come, every few seconds."""
                nonlocal shown
                now = time.perf_counter()
                if now > shown + PROGRESS_SECONDS:
                    shown, done = now, target_bytes[: len(mixed)]
                    speed = done.sum() / (now - started) / 1e6
                    bpb, network_bpb = bits_per_byte(mixed, done), bits_per_byte(nats[: len(mixed)], done)
                    log(f"mixed_bytes:{done.sum()} MB/s:{speed:.2f} bpb:{bpb:.4f} network_bpb:{network_bpb:.4f}")

            report("ppm_trie", mix_ppm_trie(cfg, targets, feed, progress))
    log(f"total_eval_time:{started - begin:.1f}s")
