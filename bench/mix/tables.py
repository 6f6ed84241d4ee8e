"""`python -m bench mix [TEXTS [FOLDER]]`: scores, Kraft sums, speeds and the figure of the mixtures.

TEXTS holds dickens.zip (Silesia corpus), wikitext2_valid.txt and shakespeare.txt; FOLDER keeps data, network and
figure. The network is trained on the first call, which takes ten minutes of two quiet cores.
"""

import math
import resource
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.mix.figure import write_figure
from bench.mix.network import ALONE, network_on_text
from bench.mix.text import long_text, read_dickens, split_dickens, target_regions
from toolkit.components.byte_tables import byte_tables, count_target_bytes, token_strings
from toolkit.components.config import Config
from toolkit.components.evaluate import score_windows
from toolkit.components.inputs import Inputs
from toolkit.components.ppm_seed import mix_ppm_seed
from toolkit.components.ppm_trie import TrieMixer, mix_ppm_trie
from toolkit.components.trie import CLOSED, Trie, TrieFeed
from toolkit.data.shards import token_stream
from toolkit.probe.kraft import choose_targets, seed_sums, trie_sums
from toolkit.recipe import load_recipe

ENGINES = ("logistic", "linear")
GATES = ("v1", "v2", "strict", "documented")
KRAFT_POSITIONS = 40
LINEAR_MEGABYTES = (1, 2, 4, 8, 16)
PPMD_ORDERS = (5, 6, 8)


@dataclass(frozen=True)
class Stream:
    """The validation text as the network sees it."""

    targets: np.ndarray  # int64[n]
    target_bytes: np.ndarray  # int64[n]
    nats: Tensor  # float64[n], the network's
    feed: TrieFeed
    feed_seconds: float  # logits to stretches
    rows: dict[int, Tensor]  # logits [V] of a few targets


def with_engine(cfg: Config, engine: str) -> Config:
    return replace(cfg, ppm_trie=replace(cfg.ppm_trie, engine=engine))


def with_gate(cfg: Config, gate: str) -> Config:
    return replace(cfg, ppm_seed=replace(cfg.ppm_seed, gate=gate))


def timed(function: Callable[[], Tensor]) -> tuple[np.ndarray, float]:
    """A score's nats and its seconds."""
    started = time.perf_counter()
    nats = function()
    return nats.numpy(), time.perf_counter() - started


def score_network(cfg: Config, model: torch.nn.Module, inputs: Inputs, strings: list[bytes]) -> Stream:
    """Sliding windows over the validation text, the feed of the mixers taken on the way."""
    feed = TrieFeed(Trie(strings, ALONE.device), inputs.tokens[1:].numpy())
    chosen = choose_targets(inputs.tokenizer, inputs.tokens.numpy(), KRAFT_POSITIONS)
    rows: dict[int, Tensor] = {}
    seconds = 0.0

    def take(first: int, logits: Tensor, targets: Tensor) -> None:
        nonlocal seconds
        started = time.perf_counter()
        feed.add(first, logits, targets)
        seconds += time.perf_counter() - started
        for target in chosen:
            if first <= target < first + len(targets):
                rows[target] = logits[target - first].clone()

    nats = score_windows(cfg, model, inputs.tokens, ALONE, cfg.evaluate.stride, take)
    return Stream(inputs.tokens[1:].numpy(), inputs.target_bytes, nats, feed, seconds, rows)


def score_alone(cfg: Config, targets: np.ndarray, trie: Trie) -> Tensor:
    """Nats of the context model without a network, which leaves out what it has no say in.

    Every closed decision is even then and costs ln 2: where a document ends, and which of two equal pieces comes.
    """
    feed = TrieFeed(trie, targets)
    closed = np.add.reduceat(trie.partials[trie.nodes] == CLOSED, trie.begins[:-1], dtype=np.int64)
    return mix_ppm_trie(cfg, targets, feed) - torch.from_numpy(math.log(2) * closed[targets])


def stage_seconds(cfg: Config, targets: np.ndarray, feed: TrieFeed) -> dict[str, float]:
    """The mixture's two stages one after the other, which overlap in a run: contexts on all cores, and one mixer."""
    firsts = range(0, len(targets), cfg.ppm_trie.chunk_tokens)
    capacity = int(np.diff(feed.starts[[*firsts, len(targets)]]).max())
    mixer = TrieMixer(cfg, feed.trie, sum(len(feed.trie.strings[token]) or 1 for token in targets), capacity)
    nats, seconds = np.zeros(len(targets)), {"context passes": 0.0, "mixer, one thread": 0.0}
    with ThreadPoolExecutor() as pool:
        for first in firsts:
            started = time.perf_counter()
            mixer.look(mixer.chunks[0], targets[first : first + cfg.ppm_trie.chunk_tokens], pool.map)
            looked = time.perf_counter()
            mixer.mix(0, mixer.chunks[0], feed.stretches.numpy()[feed.starts[first] :], nats[first:])
            seconds["context passes"] += looked - started
            seconds["mixer, one thread"] += time.perf_counter() - looked
    return seconds


def print_scores(scores: dict[str, np.ndarray], stream: Stream, regions: dict[str, np.ndarray]) -> None:
    """Bits per byte of each score in each region, and its gain over the network."""
    print(f"{'bits per byte':<24}" + "".join(f"{name:>12}{'gain %':>8}" for name in regions))
    for name, nats in scores.items():
        cells = []
        for region in regions.values():
            bits = [
                n[region].sum() / math.log(2) / stream.target_bytes[region].sum() for n in (stream.nats.numpy(), nats)
            ]
            cells.append(f"{bits[1]:12.5f}{100 * (1 - bits[1] / bits[0]):8.2f}")
        print(f"{name:<24}" + "".join(cells))
    kept = ", ".join(f"{name} {stream.target_bytes[region].sum():,}" for name, region in regions.items())
    print(f"bytes: {kept}; a seed gate is no distribution, and its score no code length", flush=True)


def print_kraft_sums(cfg: Config, stream: Stream, strings: list[bytes]) -> None:
    """Z of the mixtures and of the seed's gates at the same targets."""
    print(f"sum over the vocabulary at {len(stream.rows)} targets")
    for engine in ENGINES:
        sums = trie_sums(with_engine(cfg, engine), stream.targets, stream.feed, stream.rows)
        print(f"{f'mixture, {engine}':<24}largest |Z - 1| {max(abs(z - 1) for z in sums.values()):.1e}", flush=True)
    for gate in GATES:
        sums = seed_sums(with_gate(cfg, gate), strings, stream.targets, stream.nats.numpy(), stream.rows)
        z = np.array(list(sums.values()))
        print(f"{f'seed, gate {gate}':<24}mean Z {z.mean():.3f} [{z.min():.3f}, {z.max():.3f}]", flush=True)


def print_ppmd(text: bytes, alone_bits: float, alone_seconds: float) -> None:
    """PPMd7 of several orders on the same bytes, against the context model alone."""
    print(f"{'without a network':<24}{'BPB':>9}{'s':>8}{'times':>8}")
    print(f"{'context model alone':<24}{alone_bits:9.4f}{alone_seconds:8.2f}")
    try:
        import pyppmd
    except ImportError:
        print("PPMd7: not measured; pip install pyppmd")
        return
    for order in PPMD_ORDERS:
        started = time.perf_counter()
        encoder = pyppmd.Ppmd7Encoder(order, 1 << 28)
        size = len(encoder.encode(text)) + len(encoder.flush())
        seconds = time.perf_counter() - started
        print(
            f"{f'PPMd7 order {order}':<24}{8 * size / len(text):9.4f}{seconds:8.2f}{alone_seconds / seconds:8.1f}",
            flush=True,
        )


def print_linearity(cfg: Config, texts: Path, inputs: Inputs, trie: Trie) -> None:
    """Seconds per MB of the context model alone over ever longer pieces of one text."""
    tokens = token_stream(inputs.tokenizer, long_text(texts))
    num_bytes = count_target_bytes(byte_tables(inputs.tokenizer), tokens).cumsum()
    print(f"{'MB of text':>10}{'s':>8}{'s/MB':>8}{'BPB':>9}{'peak GiB':>10}")
    for megabytes in LINEAR_MEGABYTES:
        count = int(np.searchsorted(num_bytes, 1_000_000 * megabytes))
        targets = tokens[1 : count + 1].astype(np.int64)
        nats, seconds = timed(lambda targets=targets: score_alone(cfg, targets, trie))  # type: ignore[misc]
        bits = nats.sum() / math.log(2) / num_bytes[count - 1]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"{megabytes:10}{seconds:8.1f}{1e6 * seconds / num_bytes[count - 1]:8.2f}{bits:9.4f}{peak:10.2f}",
            flush=True,
        )


def main(texts: str = "../shared/data", folder: str = "build/bench/mix") -> None:
    cfg = load_recipe(Path(__file__).with_name("network.toml"))
    train, val = split_dickens(read_dickens(Path(texts)))
    model, inputs = network_on_text(cfg, train, val, Path(folder))
    strings = token_strings(inputs.tokenizer)
    stream = score_network(cfg, model, inputs, strings)
    trie = stream.feed.trie
    scores = {"network alone": stream.nats.numpy()}
    seconds = {"rows to stretches": stream.feed_seconds}
    for engine in ENGINES:
        scores[f"mixture, {engine}"], seconds[engine] = timed(
            lambda engine=engine: mix_ppm_trie(with_engine(cfg, engine), stream.targets, stream.feed)  # type: ignore[misc]
        )
    scores["context model alone"], seconds["alone"] = timed(lambda: score_alone(cfg, stream.targets, trie))
    for gate in GATES:
        scores[f"seed, gate {gate}"], seconds[f"seed {gate}"] = timed(
            lambda gate=gate: mix_ppm_seed(with_gate(cfg, gate), strings, stream.targets, stream.nats)  # type: ignore[misc]
        )
    print_scores(scores, stream, target_regions(train, val, stream.target_bytes))
    print_kraft_sums(cfg, stream, strings)
    seconds |= stage_seconds(cfg, stream.targets, stream.feed)
    print("seconds per MB of text: " + ", ".join(f"{name} {value:.2f}" for name, value in seconds.items()), flush=True)
    print_ppmd(val, scores["context model alone"].sum() / math.log(2) / len(val), seconds["alone"])
    print_linearity(cfg, Path(texts), inputs, trie)
    figure = Path(folder, "mix.svg")
    write_figure(figure, scores["network alone"], scores["mixture, logistic"], stream.target_bytes, val)
    print(f"figure: {figure}")
