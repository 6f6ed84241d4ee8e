"""The stages of an evaluation: scorers, mixers on top of them, and their lines in the log.

This is the seam of both, in the order in which stages run. A scorer makes the rows of `score.py`, a mixer new nats of
what the rows of one scorer say; neither knows another. A scorer's rows are made once, for all stages that need them.
"""

import time
from collections.abc import Iterator

import numpy as np
import sentencepiece as spm
from torch import Tensor, nn

from toolkit.components.base.log import Log
from toolkit.components.base.native import compile_native
from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config
from toolkit.components.mixing.ppm_seed import SEED_SOURCE, mix_ppm_seed, seed_bytes, seed_strings
from toolkit.components.mixing.ppm_trie import compile_engine, mix_ppm_trie
from toolkit.components.mixing.trie import Trie, TrieFeed
from toolkit.components.scoring.roundtrip import roundtrip_rows, score_blocks
from toolkit.components.scoring.score import bits_per_byte, charge, score_line
from toolkit.components.scoring.sliding import sliding_rows
from toolkit.components.text.byte_tables import token_strings

PROGRESS_SECONDS = 5


def prepare_stages(cfg: Config) -> None:
    """Compile what the stages need, so that a machine without a compiler is known before the training is paid for."""
    if "ppm_seed" in cfg.evaluate.mixers:
        compile_native(SEED_SOURCE)
    if "ppm_trie" in cfg.evaluate.mixers:
        compile_engine(cfg)


def run_stages(
    cfg: Config,
    model: nn.Module,
    tokens: Tensor,  # int64[N], CPU
    target_bytes: np.ndarray,  # int64[N-1], the denominator
    tokenizer: spm.SentencePieceProcessor,
    ranks: Ranks,
    log: Log,
) -> None:
    """Run the recipe's stages on a decoded model and log a line for each; the last one is the headline."""
    begin = started = time.perf_counter()

    def report(label: str, nats: Tensor, num_bytes: np.ndarray = target_bytes) -> None:
        nonlocal started
        log(score_line(f"final_{cfg.quantize.symbols}_{label}", nats, num_bytes, started))
        started = time.perf_counter()

    def mix(scorer: str, label: str, rows: Iterator[tuple[int, Tensor, Tensor]]) -> None:
        """Score, and mix on top; mixers run on rank 0, as one table is enough for a machine's memory."""
        targets = tokens[1:].numpy()
        if "ppm_trie" in cfg.evaluate.mixers and f"{scorer}+ppm_trie" in cfg.evaluate.stages:
            feed = TrieFeed(Trie(token_strings(tokenizer), ranks.device), targets)
            rows = feed.tap(rows)
        nats = charge(scorer, rows, tokens, ranks)
        if scorer in cfg.evaluate.stages:
            report(label, nats)
        shown = started

        def progress(mixed: np.ndarray) -> None:
            """Log how far a mixer has come, every few seconds."""
            nonlocal shown
            now = time.perf_counter()
            if now > shown + PROGRESS_SECONDS:
                shown, done = now, target_bytes[: len(mixed)]
                speed = done.sum() / (now - started) / 1e6
                bpb, network_bpb = bits_per_byte(mixed, done), bits_per_byte(nats[: len(mixed)], done)
                log(f"mixed_bytes:{done.sum()} MB/s:{speed:.2f} bpb:{bpb:.4f} network_bpb:{network_bpb:.4f}")

        if "ppm_seed" in cfg.evaluate.mixers and f"{scorer}+ppm_seed" in cfg.evaluate.stages and ranks.is_main:
            strings = seed_strings(cfg, tokenizer)
            report(
                "ppm_seed" if len(cfg.evaluate.mixed) == 1 else f"{scorer}_ppm_seed",
                mix_ppm_seed(cfg, strings, targets, nats),
                seed_bytes(cfg, strings, targets, target_bytes),
            )
        if "ppm_trie" in cfg.evaluate.mixers and f"{scorer}+ppm_trie" in cfg.evaluate.stages:
            feed.gather(ranks)
            if ranks.is_main:
                report(
                    "ppm_trie" if len(cfg.evaluate.mixed) == 1 else f"{scorer}_ppm_trie",
                    mix_ppm_trie(cfg, targets, feed, progress),
                )

    if "roundtrip" in cfg.evaluate.mixed:
        mix("roundtrip", "roundtrip", roundtrip_rows(cfg, model, tokens, ranks))
    elif "roundtrip" in cfg.evaluate.scorers:
        report("roundtrip", score_blocks(cfg, model, tokens, ranks))
    if "sliding" in cfg.evaluate.mixed:
        mix("sliding", "sliding_window", sliding_rows(cfg, model, tokens, ranks))
    elif "sliding" in cfg.evaluate.scorers:
        report("sliding_window", charge("sliding", sliding_rows(cfg, model, tokens, ranks), tokens, ranks))
    log(f"total_eval_time:{started - begin:.1f}s")
