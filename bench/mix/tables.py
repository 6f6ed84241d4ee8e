"""`python -m bench mix [TEXTS [FOLDER]]`: scores, Kraft sums, speeds and the figure of the mixtures.

TEXTS holds dickens.zip (Silesia corpus), wikitext2_valid.txt and shakespeare.txt; FOLDER keeps data, network and
figure. The network is trained on the first call, which takes ten minutes on two idle cores.
"""

import math
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from bench.mix.figure import write_figure
from bench.mix.network import ALONE, network_on_text
from bench.mix.text import long_text, read_dickens, split_dickens, target_regions
from toolkit.components.base.native import call
from toolkit.components.config import Config
from toolkit.components.mixing import ppm_trie
from toolkit.components.mixing.ppm_seed import mix_ppm_seed
from toolkit.components.mixing.ppm_trie import mix_ppm_trie
from toolkit.components.mixing.trie import CLOSED, Trie, TrieFeed
from toolkit.components.scoring.score import charge
from toolkit.components.scoring.sliding import sliding_rows
from toolkit.components.setup.inputs import Inputs
from toolkit.components.text.byte_tables import byte_tables, count_target_bytes, token_strings
from toolkit.data.shards import token_stream
from toolkit.probe.kraft import choose_targets, seed_sums, trie_sums
from toolkit.recipe import load_recipe

ENGINES = ("logistic", "linear")
GATES = ("v1", "v2", "strict", "documented")
KRAFT_POSITIONS = 40
LINEAR_MEGABYTES = (1, 2, 4, 8, 16)
PPMD_ORDERS = (5, 6, 8)


class Seconds(NamedTuple):
    """What something took, per MB of text."""

    wall: float
    cpu: float  # of all threads


@dataclass(frozen=True)
class Stream:
    """The validation text as the network sees it."""

    targets: np.ndarray  # int64[n]
    target_bytes: np.ndarray  # int64[n]
    nats: Tensor  # float64[n], the network's
    feed: TrieFeed
    feed_seconds: Seconds  # logits to stretches
    rows: dict[int, Tensor]  # logits [V] of a few targets


def with_engine(cfg: Config, engine: str) -> Config:
    return replace(cfg, ppm_trie=replace(cfg.ppm_trie, engine=engine))


def with_gate(cfg: Config, gate: str) -> Config:
    return replace(cfg, ppm_seed=replace(cfg.ppm_seed, gate=gate))


def timed(function: Callable[[], Tensor]) -> tuple[np.ndarray, Seconds]:
    """A score's nats and its seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    nats = function()
    return nats.numpy(), Seconds(time.perf_counter() - wall, time.process_time() - cpu)


def score_network(cfg: Config, model: torch.nn.Module, inputs: Inputs, strings: list[bytes]) -> Stream:
    """Sliding windows over the validation text, the feed of the mixers taken on the way."""
    feed = TrieFeed(Trie(strings, ALONE.device), inputs.tokens[1:].numpy())
    chosen = choose_targets(inputs.tokenizer, inputs.tokens.numpy(), KRAFT_POSITIONS)
    rows: dict[int, Tensor] = {}
    wall = cpu = 0.0

    def tap() -> Iterator[tuple[int, Tensor, Tensor]]:
        nonlocal wall, cpu
        for first, logits, targets in sliding_rows(cfg, model, inputs.tokens, ALONE):
            begin_wall, begin_cpu = time.perf_counter(), time.process_time()
            feed.add(first, logits, targets)
            wall, cpu = wall + time.perf_counter() - begin_wall, cpu + time.process_time() - begin_cpu
            for target in chosen:
                if first <= target < first + len(targets):
                    rows[target] = logits[target - first].clone()
            yield first, logits, targets

    nats = charge("sliding", tap(), inputs.tokens, ALONE)
    return Stream(inputs.tokens[1:].numpy(), inputs.target_bytes, nats, feed, Seconds(wall, cpu), rows)


def score_alone(cfg: Config, targets: np.ndarray, trie: Trie) -> Tensor:
    """Nats of the context model without a network, which leaves out what it cannot predict.

    Every closed decision is even then and costs ln 2: where a document ends, and which of two equal pieces comes.
    """
    feed = TrieFeed(trie, targets)
    closed = np.add.reduceat(trie.partials[trie.nodes] == CLOSED, trie.begins[:-1], dtype=np.int64)
    return mix_ppm_trie(cfg, targets, feed) - torch.from_numpy(math.log(2) * closed[targets])


def stage_seconds(run: Callable[[], Any]) -> dict[str, float]:
    """CPU seconds of each C function that a run of the mixture calls, in whatever threads."""
    spent: dict[str, float] = {}

    def timed_call(function: Any, *arguments: Any) -> None:
        started = time.thread_time()
        call(function, *arguments)
        spent[function.__name__] = spent.get(function.__name__, 0.0) + time.thread_time() - started

    with patch.object(ppm_trie, "call", timed_call):
        run()
    return spent


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
    print(f"{'without a network':<24}{'BPB':>9}{'CPU s':>8}{'times':>8}")
    print(f"{'context model alone':<24}{alone_bits:9.4f}{alone_seconds:8.2f}")
    try:
        import pyppmd
    except ImportError:
        print("PPMd7: not measured; pip install pyppmd")
        return
    for order in PPMD_ORDERS:
        started = time.process_time()
        encoder = pyppmd.Ppmd7Encoder(order, 1 << 28)
        size = len(encoder.encode(text)) + len(encoder.flush())
        seconds = time.process_time() - started
        print(
            f"{f'PPMd7 order {order}':<24}{8 * size / len(text):9.4f}{seconds:8.2f}{alone_seconds / seconds:8.1f}",
            flush=True,
        )


def print_linearity(cfg: Config, texts: Path, inputs: Inputs, trie: Trie) -> None:
    """Seconds per MB of the context model alone over ever longer pieces of one text, and of its functions in C.

    The first MB pays for the tables' pages.
    """
    tokens = token_stream(inputs.tokenizer, long_text(texts))
    num_bytes = count_target_bytes(byte_tables(inputs.tokenizer), tokens).cumsum()
    print(f"{'MB of text':>10}{'wall s':>8}{'CPU s':>8}{'CPU s/MB':>10}{'BPB':>9}{'peak GiB':>10}  in C, CPU s/MB")
    for megabytes in LINEAR_MEGABYTES:
        count = int(np.searchsorted(num_bytes, 1_000_000 * megabytes))
        targets = tokens[1 : count + 1].astype(np.int64)
        scored: list[tuple[np.ndarray, Seconds]] = []
        stages = stage_seconds(
            lambda targets=targets, scored=scored: scored.append(timed(lambda: score_alone(cfg, targets, trie)))  # type: ignore[misc]
        )
        nats, (wall, cpu) = scored[0]
        bits = nats.sum() / math.log(2) / num_bytes[count - 1]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        in_c = ", ".join(f"{name} {spent / megabytes:.2f}" for name, spent in stages.items())
        print(f"{megabytes:10}{wall:8.1f}{cpu:8.1f}{cpu / megabytes:10.2f}{bits:9.4f}{peak:10.2f}  {in_c}", flush=True)


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
        scores[f"mixture, {engine}"], seconds[f"mixture, {engine}"] = timed(
            lambda engine=engine: mix_ppm_trie(with_engine(cfg, engine), stream.targets, stream.feed)  # type: ignore[misc]
        )
    scores["context model alone"], seconds["context model alone"] = timed(
        lambda: score_alone(cfg, stream.targets, trie)
    )
    for gate in GATES:
        scores[f"seed, gate {gate}"], seconds[f"seed, gate {gate}"] = timed(
            lambda gate=gate: mix_ppm_seed(with_gate(cfg, gate), strings, stream.targets, stream.nats)  # type: ignore[misc]
        )
    print_scores(scores, stream, target_regions(train, val, stream.target_bytes))
    print_kraft_sums(cfg, stream, strings)
    print(f"{'seconds per MB of text':<24}{'wall':>8}{'CPU':>8}")
    for name, (wall, cpu) in seconds.items():
        print(f"{name:<24}{wall:8.2f}{cpu:8.2f}", flush=True)
    print_ppmd(val, scores["context model alone"].sum() / math.log(2) / len(val), seconds["context model alone"].cpu)
    print_linearity(cfg, Path(texts), inputs, trie)
    figure = Path(folder, "mix.svg")
    write_figure(figure, scores["network alone"], scores["mixture, logistic"], stream.target_bytes, val)
    print(f"figure: {figure}")
