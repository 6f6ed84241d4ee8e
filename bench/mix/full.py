"""`python -m bench mix-full [TEXTS [FOLDER [MEGABYTES]]]`: the mixture at the length of the whole validation text.

Synthetic decisions: real text again and again with a fifth of its tokens replaced, so that contexts keep coming that
are new, and log-odds of a network that is often right. What it shows is seconds and memory; its score means nothing.
"""

import resource
import time
from pathlib import Path

import numpy as np
import torch

from bench.mix.network import ALONE
from bench.mix.text import build_data, long_text, read_dickens, split_dickens
from toolkit.components.config import Config
from toolkit.components.mixing.ppm_trie import mix_ppm_trie
from toolkit.components.mixing.trie import Trie, TrieFeed
from toolkit.components.text.byte_tables import byte_tables, count_target_bytes, load_tokenizer, token_strings
from toolkit.data.shards import token_stream
from toolkit.recipe import load_recipe

REPLACED = 0.2  # share of tokens
PIECE = 1 << 16  # targets whose log-odds are drawn at a time


def synthetic_tokens(
    tokens: np.ndarray, num_bytes: np.ndarray, wanted_bytes: int, rng: np.random.Generator
) -> np.ndarray:
    """int64[N]: `tokens` repeated up to `wanted_bytes`, some of them replaced by others of the text."""
    count = int(len(tokens) * wanted_bytes / num_bytes.sum())
    stream = np.resize(tokens, count).astype(np.int64)
    replaced = np.flatnonzero(rng.random(count, np.float32) < REPLACED)
    stream[replaced] = tokens[rng.integers(0, len(tokens), len(replaced))]
    return stream


def fill(feed: TrieFeed, targets: np.ndarray, rng: np.random.Generator) -> None:
    """Log-odds that lean to the outcome: 3 plus noise of 2 standard deviations."""
    begins, outcomes = feed.trie.begins, feed.trie.outcomes
    for first in range(0, len(targets), PIECE):
        part = targets[first : first + PIECE]
        begin, end = feed.starts[first], feed.starts[first + len(part)]
        lengths = begins[part + 1] - begins[part]
        places = np.repeat(begins[part] - feed.starts[first : first + len(part)], lengths) + np.arange(begin, end)
        leaning = 6 * outcomes[places].astype(np.float32) - 3
        feed.stretches[begin:end] = torch.from_numpy(leaning + 2 * rng.standard_normal(end - begin, np.float32))


def peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main(texts: str = "../shared/data", folder: str = "build/bench/mix", megabytes: str = "152") -> None:
    cfg = load_recipe(Path(__file__).with_name("network.toml"))
    dataset, tokenizer_path = Path(folder, cfg.data.dataset), Path(folder, cfg.data.tokenizer)
    build_data(*split_dickens(read_dickens(Path(texts))), cfg.model.vocab_size, dataset, tokenizer_path)
    tokenizer = load_tokenizer(tokenizer_path, cfg.model.vocab_size)
    rng = np.random.default_rng(0)
    tokens = token_stream(tokenizer, long_text(Path(texts)))
    num_bytes = count_target_bytes(byte_tables(tokenizer), tokens)
    targets = synthetic_tokens(tokens, num_bytes, int(1e6 * float(megabytes)), rng)
    feed = TrieFeed(Trie(token_strings(tokenizer), ALONE.device), targets)
    fill(feed, targets, rng)
    print(
        f"{megabytes} MB, {len(targets):,} targets, {len(feed.stretches):,} decisions, {peak_gib():.2f} GiB", flush=True
    )
    started = time.perf_counter()
    mix_ppm_trie(Config(), targets, feed)  # in tables for a text of this length
    seconds = time.perf_counter() - started
    print(f"mixed in {seconds:.1f} s, {seconds / float(megabytes):.2f} s/MB, peak {peak_gib():.2f} GiB")
