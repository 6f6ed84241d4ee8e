"""Random vocabularies and streams through both engines of `ppm_trie`: `python ppm_fuzz.py COUNT`.

Under a sanitizer, arrays are allocated by the C library, so that it sees what is read beside them.
"""

import ctypes
import os
import sys
import weakref
from functools import partial
from types import SimpleNamespace

import numpy as np
import torch

from toolkit.components.config import Config
from toolkit.components.mixing import ppm_trie
from toolkit.components.mixing.trie import Trie, TrieFeed
from toolkit.components.settings.ppm_trie import PpmTrie
from toolkit.probe.steps.ppm_trie import SteppingMixer
from toolkit.probe.steps.step import score_by_steps


def random_vocabulary(generator: np.random.Generator) -> list[bytes]:
    """2 to 300 pieces: prefixes of each other, duplicates, pieces without bytes, single bytes and 64 of them."""
    alphabet = generator.choice(256, generator.integers(1, 257), replace=False).astype(np.uint8)
    pieces = [b""] * generator.integers(0, 4)
    while len(pieces) < generator.choice([2, 3, 10, 60, 300]):
        kind = generator.integers(6)
        if kind < 2 or not pieces:
            piece = generator.choice(alphabet, generator.integers(1, 9)).tobytes()
        elif kind == 2:
            piece = generator.choice(alphabet, 64).tobytes()
        elif kind == 3:
            piece = bytes([generator.choice(alphabet)])
        else:
            piece = pieces[generator.integers(len(pieces))]
            piece = piece[: generator.integers(len(piece) + 1)] if kind == 4 else piece
        pieces.append(piece)
    return [pieces[i] for i in generator.permutation(len(pieces))]


def random_targets(generator: np.random.Generator, size: int) -> np.ndarray:
    """A stream in which runs return, as int64[n]."""
    run = generator.integers(0, size, generator.integers(1, 12))
    parts = [run if generator.integers(2) else generator.integers(0, size, 3) for _ in range(generator.integers(1, 9))]
    return np.concatenate(parts)


def decode(trie: Trie, outcomes: np.ndarray) -> int:
    """The token that outcomes lead to from the root; they must end there."""
    low, high = 0, len(trie.strings)
    intervals = {tuple(bound[[0, 2]]): bound[1] for bound in trie.bounds.T.numpy()}
    for outcome in outcomes:
        middle = intervals[low, high]
        low, high = (middle, high) if outcome else (low, middle)
    assert high == low + 1
    return int(trie.order[low])


def try_one(seed: int) -> None:
    """Charges of the fast path are those of single steps, sum to one, do not depend on threads, and can be decoded."""
    generator = np.random.default_rng(seed)
    strings = random_vocabulary(generator)
    trie = Trie(strings, torch.device("cpu"))
    targets = random_targets(generator, len(strings))
    scale = generator.choice([0, 1, 20])
    logits = torch.from_numpy(generator.normal(0, scale, (len(targets), len(strings))).astype(np.float32))
    feed = TrieFeed(trie, targets)
    feed.add(0, logits, torch.from_numpy(targets))
    settings = PpmTrie(
        engine=str(generator.choice(["logistic", "linear"])),
        table_bits=8,
        shards=int(generator.integers(1, 4)),
        chunk_tokens=int(generator.integers(1, 9)),
    )
    cfg = Config(ppm_trie=settings)
    nats = ppm_trie.mix_ppm_trie(cfg, targets, feed).numpy()
    assert (nats >= 0).all()
    assert np.isfinite(nats).all()
    mixer = SteppingMixer(cfg, trie, 1 << 12)
    nodes = torch.arange(len(strings) - 1)
    for i, token in enumerate(targets.tolist()):
        assert decode(trie, trie.outcomes[trie.path(token)]) == token
        along = feed.stretches[feed.starts[i] : feed.starts[i + 1]].numpy()
        if i == len(targets) - 1 or generator.integers(4) == 0:
            everywhere = trie.stretches(logits[i : i + 1], torch.zeros_like(nodes), nodes).numpy()
            everywhere[trie.nodes[trie.path(token)]] = along
            all_nats = mixer.score_all(everywhere)
            assert abs(np.exp(-all_nats).sum() - 1) < 1e-9
            assert all_nats[token] == nats[i]
            (charged,) = score_by_steps(SimpleNamespace(step=partial(mixer.step, everywhere)), [token])
            assert abs(charged - nats[i]) < 1e-9
        else:
            assert mixer.learn(token, along) == nats[i]


def allocate(size: int) -> np.ndarray:
    """`ppm_trie.zeros` from the C library, at the start of a line of the cache.

    `calloc` hands out pages that were never written, which spares clearing what a mixer does not touch, but no lines.
    """
    library = ctypes.CDLL(None)
    library.calloc.restype = ctypes.c_void_p
    block = library.calloc(ctypes.c_size_t(size + 64), ctypes.c_size_t(1))
    memory = (ctypes.c_uint8 * size).from_address(-(-block // 64) * 64)
    weakref.finalize(memory, library.free, ctypes.c_void_p(block))
    return np.ctypeslib.as_array(memory)


if __name__ == "__main__":
    if "sanitize" in os.environ.get("CC", ""):
        vars(ppm_trie)["zeros"] = allocate
    for seed in range(int(sys.argv[1])):
        try_one(seed)
        if seed % 100 == 99:
            print(seed + 1, "vocabularies", flush=True)
