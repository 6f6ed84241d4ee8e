"""The vocabulary as a tree of binary decisions, and a network's own probability of each.

Sort the tokens by their bytes: every byte prefix, and every bit prefix inside the next byte, is then an interval. A
token is a path from the whole vocabulary down to itself: at a prefix that is itself a token "stop here or go on", then
the bits of the next byte, most significant first, wherever both values occur. Tokens with equal bytes (a byte-fallback
piece and a one-character piece; control tokens, which have none) end their path with decisions among themselves. The
probabilities along a path multiply to the token's own, and whatever may replace the probability of a decision, the
products still sum to one over the vocabulary.
"""

from bisect import bisect_left, bisect_right

import numpy as np
import torch
from torch import Tensor

from toolkit.components.ranks import Ranks

CLOSED = -1  # `partials` of a decision that is left to the network
CHUNK_MASSES = 1 << 19  # probabilities at a time: what the caches of CPU cores hold
CHUNK_MASSES_CUDA = 1 << 24
SMALLEST_MASS = 1e-30  # of the largest token's; running sums resolve less, and logarithms stay finite
PIECE_DECISIONS = 1 << 24  # stretches that go from rank to rank at a time


class Trie:
    """Decisions of a vocabulary, numbered from the root down; V tokens make V - 1. Outcome 1 is "go on" or a set bit.

    A decision is closed where text cannot help: tokens without bytes against all others, and tokens with equal bytes
    among themselves. The network alone makes these; all others are open to a mixer.
    """

    def __init__(self, strings: list[bytes], device: torch.device) -> None:
        self.strings = strings  # by token
        self.device = device
        order = sorted(range(len(strings)), key=strings.__getitem__)
        texts = [strings[token] for token in order]
        self.prefixes: list[bytes] = []  # by decision: bytes of the token that are known before it
        partials: list[int] = []
        bounds: list[tuple[int, int, int]] = []
        undecided = [(0, len(texts), 0)]  # intervals of sorted tokens whose first so many bytes agree
        while undecided:
            low, high, depth = undecided.pop()
            if high - low > 1:
                depth, partial, middle = split_tokens(texts, low, high, depth)
                self.prefixes.append(texts[low][:depth])
                partials.append(partial)
                bounds.append((low, middle, high))
                undecided += [(middle, high, depth), (low, middle, depth)]
        self.depths = np.array([len(prefix) for prefix in self.prefixes], np.int32)
        self.partials = np.array(partials, np.int32)  # 1 and known bits of the next byte; 0: stop or go on; or CLOSED
        self.order = torch.tensor(order, device=device)  # int64[V], sorted tokens
        # int64[3, V - 1]: outcome 0 leads to the sorted tokens low to middle, outcome 1 to middle to high.
        self.bounds = torch.tensor(bounds, dtype=torch.int64, device=device).reshape(-1, 3).T.contiguous()
        self.walk_paths(order, bounds)
        # Kept from chunk to chunk: pages of fresh memory would cost more than the sums.
        self.chunk_rows = max(1, (CHUNK_MASSES_CUDA if device.type == "cuda" else CHUNK_MASSES) // len(order))
        self.masses = torch.empty((self.chunk_rows, len(order)), device=device)
        self.sorted_masses = torch.empty_like(self.masses)
        self.sums = torch.zeros((self.chunk_rows, len(order) + 1), dtype=torch.float64, device=device)

    def walk_paths(self, order: list[int], bounds: list[tuple[int, int, int]]) -> None:
        """Set `begins` int64[V + 1]: token t's path is `nodes` int32[P] and `outcomes` uint8[P] from begins[t] on."""
        paths: list[list[tuple[int, bool]]] = [[] for _ in order]  # by token
        for node, (low, middle, high) in enumerate(bounds):
            for i in range(low, high):
                paths[order[i]].append((node, i >= middle))
        self.begins = np.cumsum([0, *map(len, paths)])
        steps = np.array([step for path in paths for step in path]).reshape(-1, 2)
        self.nodes, self.outcomes = steps[:, 0].astype(np.int32), steps[:, 1].astype(np.uint8)

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


def split_tokens(texts: list[bytes], low: int, high: int, depth: int) -> tuple[int, int, int]:
    """The first decision among sorted texts low to high, which agree in `depth` bytes or more.

    Returns the bytes in which they do, what is known of the next one as in `Trie.partials`, and where outcome 1 begins.
    """
    first, last = texts[low], texts[high - 1]
    while depth < len(first) and first[depth] == last[depth]:
        depth += 1
    if first == last:
        return depth, CLOSED, (low + high) // 2
    if depth == len(first):
        return depth, 0 if depth else CLOSED, bisect_right(texts, first, low, high)
    bit = (first[depth] ^ last[depth]).bit_length() - 1  # the highest in which they differ
    pivot = first[:depth] + bytes([last[depth] >> bit << bit])
    return depth, 256 + first[depth] >> bit + 1, bisect_left(texts, pivot, low, high)


class TrieFeed:
    """The network's `stretches` float32[D] on the CPU, target by target along their paths: all that a mixer needs.

    Collected a batch of rows at a time, in any order but without gaps. A rank takes memory for what it collects; after
    `gather` rank 0 holds all of them. `starts` int64[n + 1] says where each target's begin.
    """

    def __init__(self, trie: Trie, targets: np.ndarray) -> None:
        self.trie = trie
        lengths = np.diff(trie.begins)
        self.starts = np.concatenate(([0], lengths[targets].cumsum()))
        self.stretches = torch.from_numpy(np.zeros(self.starts[-1], np.float32))  # untouched zeros take no memory
        self.begin = self.end = 0  # of what this rank has collected
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
            self.begin, self.end = min(begin, self.begin if self.end else begin), max(end, self.end)
            first += len(tokens)

    def gather(self, ranks: Ranks) -> None:
        """Bring the shares of all ranks to rank 0, in stream order and in pieces."""
        spans = torch.zeros((ranks.world_size, 2), dtype=torch.int64, device=ranks.device)
        spans[ranks.rank] = torch.tensor([self.begin, self.end])
        for rank, (begin, end) in enumerate(ranks.sum_(spans).tolist()):
            for piece in self.stretches[begin:end].split(PIECE_DECISIONS):
                ranks.send_to_main_(piece, rank)
