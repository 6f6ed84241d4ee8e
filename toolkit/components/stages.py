"""The stages of an evaluation: what a recipe scores the decoded model with, and their lines in the log."""

import time

import numpy as np
import sentencepiece as spm
from torch import Tensor, nn

from toolkit.components.base.log import Log
from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config
from toolkit.components.mixing.ppm_seed import mix_ppm_seed, seed_strings
from toolkit.components.mixing.ppm_trie import mix_ppm_trie
from toolkit.components.mixing.trie import Trie, TrieFeed
from toolkit.components.scoring.score import bits_per_byte, score_blocks, score_line, score_windows
from toolkit.components.text.byte_tables import token_strings

PROGRESS_SECONDS = 5


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
