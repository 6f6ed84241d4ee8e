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
FEED_ROWS = 2048  # rows of logits taken at a time; bounds the float64 masses [2V - 1, rows]
SMALLEST_MASS = 1e-300  # keeps logarithms finite


class Trie:
    """Decisions of a vocabulary, numbered from the root down; V tokens make V - 1.

    A decision is closed where text cannot help: tokens without bytes against all others, and tokens with equal bytes
    among themselves. The network alone makes these; all others are open to a mixer. Outcome 1 is "go on" or a set bit.
    """

    def __init__(self, strings: list[bytes], device: torch.device) -> None:
        self.strings = strings
        self.device = device
        self.prefixes: list[bytes] = []  # by decision: bytes of the token that are known before it
        self.partials: list[int] = []  # 1 and the known bits of the next byte; 0 stop or go on; or CLOSED
        self.children: list[list[int]] = []  # what outcomes 0 and 1 lead to: a token, or V + a decision
        self.nodes = [np.zeros(0, np.int64)] * len(strings)  # by token: decisions of its path, from the root
        self.signs = [np.zeros(0)] * len(strings)  # and their outcomes, -1.0 or 1.0
        self.split(sorted(range(len(strings)), key=strings.__getitem__), 0, [])
        self.branches = torch.tensor(self.children, dtype=torch.int64, device=device).reshape(-1, 2).T
        self.levels = self.bottom_up()

    def split(self, tokens: list[int], depth: int, path: list[tuple[int, float]]) -> int:
        """Make the decisions among sorted tokens whose first `depth` bytes agree; returns a child."""
        if len(tokens) == 1:
            self.nodes[tokens[0]] = np.array([node for node, _ in path], np.int64)
            self.signs[tokens[0]] = np.array([sign for _, sign in path])
            return tokens[0]
        first, last = self.strings[tokens[0]], self.strings[tokens[-1]]
        while depth < len(first) and first[depth] == last[depth]:
            depth += 1
        if first == last:
            partial, middle = CLOSED, len(tokens) // 2
        elif depth == len(first):
            partial, middle = 0 if depth else CLOSED, bisect_right(tokens, first, key=self.strings.__getitem__)
        else:
            bit = (first[depth] ^ last[depth]).bit_length() - 1  # the highest in which they differ
            pivot = first[:depth] + bytes([last[depth] >> bit << bit])
            partial, middle = 256 + first[depth] >> bit + 1, bisect_left(tokens, pivot, key=self.strings.__getitem__)
        node = len(self.children)
        self.prefixes.append(first[:depth])
        self.partials.append(partial)
        self.children.append([])
        self.children[node] = [
            self.split(tokens[:middle], depth, [*path, (node, -1.0)]),
            self.split(tokens[middle:], depth, [*path, (node, 1.0)]),
        ]
        return len(self.strings) + node

    def bottom_up(self) -> list[Tensor]:
        """Decisions by height over the tokens, as int64 [n]; each needs only masses of tokens and of earlier levels."""
        heights = [0] * (2 * len(self.strings) - 1)
        for node in reversed(range(len(self.children))):
            heights[len(self.strings) + node] = 1 + max(heights[child] for child in self.children[node])
        inner = torch.tensor(heights[len(self.strings) :], device=self.device)
        return [(inner == height).nonzero().flatten() for height in range(1, max(heights) + 1)]

    def masses(self, logits: Tensor) -> Tensor:
        """Probability of all tokens and below all decisions, float64 [2V - 1, n], for logits [n, V].

        Sums of what lies below, not differences of a running sum: these would lose the small ones.
        """
        mass = logits.new_empty((2 * len(self.strings) - 1, len(logits)), dtype=torch.float64)
        mass[: len(self.strings)] = logits.double().softmax(1).T.clamp_min(SMALLEST_MASS)
        for nodes in self.levels:
            mass[len(self.strings) + nodes] = mass[self.branches[0, nodes]] + mass[self.branches[1, nodes]]
        return mass


class TrieFeed:
    """The network's log-odds ln(p1 / p0) of all decisions along a stream of targets, the whole of what a mixer needs.

    Collected a batch of rows at a time; after `gather` all ranks hold the same `stretches` float64[D], target by target
    along their paths. `starts` int64[n + 1] says where each target's begin.
    """

    def __init__(self, trie: Trie, targets: np.ndarray) -> None:
        self.trie = trie
        lengths = np.array([len(nodes) for nodes in trie.nodes])
        self.starts = np.concatenate(([0], lengths[targets].cumsum()))
        self.stretches = torch.zeros(int(self.starts[-1]), dtype=torch.float64, device=trie.device)
        self.nodes = torch.from_numpy(np.concatenate(trie.nodes)).to(trie.device)  # all paths, one after the other
        self.lengths = torch.from_numpy(lengths).to(trie.device)
        self.begins = self.lengths.cumsum(0) - self.lengths

    def add(self, first: int, logits: Tensor, targets: Tensor) -> None:
        """Take in logits [n, V] of the targets first to first + n."""
        for rows, tokens in zip(logits.split(FEED_ROWS), targets.split(FEED_ROWS), strict=True):
            lengths = self.lengths[tokens]
            row = torch.arange(len(tokens), device=self.trie.device).repeat_interleave(lengths)
            shift = self.begins[tokens] - lengths.cumsum(0) + lengths
            nodes = self.nodes[torch.arange(len(row), device=self.trie.device) + shift[row]]
            mass = self.trie.masses(rows)
            stretches = mass[self.trie.branches[1, nodes], row].log() - mass[self.trie.branches[0, nodes], row].log()
            self.stretches[self.starts[first] : self.starts[first + len(tokens)]] = stretches
            first += len(tokens)

    def gather(self, ranks: Ranks) -> None:
        """Bring the shares of all ranks together."""
        ranks.sum_(self.stretches)
