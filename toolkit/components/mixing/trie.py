"""The vocabulary as a tree of binary decisions, and a network's own probability of each.

Sort the tokens by their bytes: every byte prefix, and every bit prefix inside the next byte, is then an interval. A
token is a path from the whole vocabulary down to itself: at a prefix that is itself a token "stop here or go on", then
the bits of the next byte, most significant first, wherever both values occur. Tokens with equal bytes (a byte-fallback
piece and a one-character piece; control tokens, which have none) end their path with decisions among themselves. The
probabilities along a path multiply to the token's own, and whatever may replace the probability of a decision, the
products still sum to one over the vocabulary.
"""

from bisect import bisect_left
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from toolkit.components.base.ranks import Ranks

CLOSED = -1  # `partials` of a decision that is left to the network
CHUNK_MASSES = 1 << 19  # probabilities at a time: what the caches of CPU cores hold
CHUNK_MASSES_CUDA = 1 << 24
SMALLEST_MASS = 1e-30  # of the largest token's; running sums resolve less, and logarithms stay finite
PIECE_DECISIONS = 1 << 24  # stretches that are summed over ranks at a time


class Trie:
    """Decisions of a vocabulary, numbered from the root down; V tokens make V - 1. Outcome 1 is "go on" or a set bit.

    A decision is closed where text cannot help: tokens without bytes against all others, and tokens with equal bytes
    among themselves. The network alone makes these; all others are open to a mixer.
    """

    def __init__(self, strings: list[bytes], device: torch.device) -> None:
        self.strings = strings  # by token
        self.device = device
        order = sorted(range(len(strings)), key=strings.__getitem__)
        rows: list[list[int]] = []
        paths: list[list[tuple[int, bool]]] = [[] for _ in order]  # by token
        undecided = [(0, len(order), 0)]  # intervals of sorted tokens whose first so many bytes agree
        while undecided:
            low, high, depth = undecided.pop()
            if high - low > 1:
                middle, *known = split_tokens([strings[token] for token in order[low:high]], depth)
                middle += low
                for i in range(low, high):
                    paths[order[i]].append((len(rows), i >= middle))
                rows.append([low, middle, high, *known])
                undecided += [(middle, high, known[0]), (low, middle, known[0])]
        # int64[3, V - 1]: outcome 0 leads to the sorted tokens low to middle, outcome 1 to middle to high.
        table = np.array(rows).reshape(-1, 5).T
        self.bounds = torch.tensor(table[:3], device=device)
        # Bytes known before a decision; 1 and known bits of the next byte, or 0 for stop or go on, or CLOSED.
        self.depths, self.partials = table[3:].astype(np.int32, order="C")
        # Token t's path is `nodes` int32[P] and `outcomes` uint8[P] from begins[t] to begins[t + 1].
        self.begins = np.cumsum([0, *map(len, paths)])
        steps = np.array([step for path in paths for step in path]).reshape(-1, 2).T
        self.nodes, self.outcomes = steps[0].astype(np.int32), steps[1].astype(np.uint8)
        self.order = torch.tensor(order, device=device)  # int64[V], sorted tokens
        # Kept from chunk to chunk: pages of fresh memory would cost more than the sums.
        self.chunk_rows = max(1, (CHUNK_MASSES_CUDA if device.type == "cuda" else CHUNK_MASSES) // len(order))
        self.masses = torch.empty((self.chunk_rows, len(order)), device=device)
        self.sorted_masses = torch.empty_like(self.masses)
        self.sums = torch.zeros((self.chunk_rows, len(order) + 1), dtype=torch.float64, device=device)

    def path(self, token: int) -> slice:
        """Where a token's path lies in `nodes` and `outcomes`."""
        return slice(self.begins[token], self.begins[token + 1])

    def stretches(self, logits: Tensor, rows: Tensor, nodes: Tensor) -> Tensor:
        """The network's log-odds ln(p1 / p0) float32[d] of decisions [d], each in its row of float32 logits [n, V].

        One cumulative softmax over the sorted tokens serves all decisions of a row; n is at most `chunk_rows`.
        """
        masses, sorted_masses, sums = (space[: len(logits)] for space in (self.masses, self.sorted_masses, self.sums))
        torch.sub(logits, logits.amax(1, keepdim=True), out=masses)
        torch.index_select(masses.exp_(), 1, self.order, out=sorted_masses)
        sums[:, 1:] = sorted_masses
        sums.cumsum_(1)
        begins = rows * sums.size(1)  # in the flat sums
        ends = [sums.flatten().index_select(0, begins + bound.index_select(0, nodes)) for bound in self.bounds]
        # A cumulative sum made in parallel need not rise everywhere.
        mass0, mass1 = (ends[i + 1].sub(ends[i]).clamp_min_(SMALLEST_MASS) for i in (0, 1))
        return mass1.div_(mass0).log_().float()


def split_tokens(texts: list[bytes], depth: int) -> tuple[int, int, int]:
    """The first decision among sorted texts that agree in their first `depth` bytes.

    Returns the index at which outcome 1 begins, the bytes in which all agree, and what else is known (`partials`).
    """
    first, last = texts[0], texts[-1]
    while depth < len(first) and first[depth] == last[depth]:
        depth += 1
    if first == last:
        return len(texts) // 2, depth, CLOSED
    partial, pivot = 0 if depth else CLOSED, first + b"\0"
    if depth < len(first):
        bit = (first[depth] ^ last[depth]).bit_length() - 1  # the highest in which they differ
        partial, pivot = 256 + first[depth] >> bit + 1, first[:depth] + bytes([last[depth] >> bit << bit])
    return bisect_left(texts, pivot), depth, partial


class TrieFeed:
    """The network's `stretches` float32[D] on the CPU, target by target along their paths: all that a mixer needs.

    Collected a batch of rows at a time, in any order. A rank takes memory for what it collects; after
    `gather` rank 0 holds all of them. `starts` int64[n + 1] says where each target's begin.
    """

    def __init__(self, trie: Trie, targets: np.ndarray) -> None:
        self.trie = trie
        lengths = np.diff(trie.begins)
        self.starts = np.concatenate(([0], lengths[targets].cumsum()))
        self.stretches = torch.from_numpy(np.zeros(self.starts[-1], np.float32))  # untouched zeros take no memory
        self.lengths = torch.from_numpy(lengths).to(trie.device)
        self.path_begins = torch.from_numpy(trie.begins).to(trie.device)
        self.nodes = torch.from_numpy(trie.nodes).to(trie.device)

    def add(self, first: int, logits: Tensor, targets: Tensor) -> None:
        """Take in logits [n, V] of the targets first to first + n."""
        for rows, tokens in zip(logits.split(self.trie.chunk_rows), targets.split(self.trie.chunk_rows), strict=True):
            begin, end = self.starts[[first, first + len(tokens)]].tolist()
            lengths = self.lengths[tokens]
            row = torch.arange(len(tokens), device=logits.device).repeat_interleave(lengths, output_size=end - begin)
            shifts = self.path_begins[tokens] - lengths.cumsum(0) + lengths
            nodes = self.nodes[torch.arange(end - begin, device=logits.device) + shifts[row]]
            self.stretches[begin:end] = self.trie.stretches(rows, row, nodes)
            first += len(tokens)

    def tap(self, rows: Iterator[tuple[int, Tensor, Tensor]]) -> Iterator[tuple[int, Tensor, Tensor]]:
        """A scorer's rows, taken in as they pass."""
        for row in rows:
            self.add(*row)
            yield row

    def gather(self, ranks: Ranks) -> None:
        """Bring the shares of all ranks to rank 0, in pieces; where a rank has collected nothing, it has zeros."""
        for piece in self.stretches.split(PIECE_DECISIONS):
            total = ranks.sum_(piece.to(ranks.device, copy=True))
            if ranks.is_main:
                piece.copy_(total)
