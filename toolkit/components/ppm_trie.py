"""A context model of the text scored so far, mixed into the network's decisions on the vocabulary's trie.

Every open decision of a token's path gets its probability from the past alone: the network's log-odds enter a logistic
mixture beside those of counters that met the same decision after the same last 1 to `max_order` bytes, and of what
followed when the last tokens stood here before. A token is charged first; then counters and weights learn from it.
The charges are therefore a probability distribution over the vocabulary, whatever the mixture makes of them.

Logistic mixing of bit histories is the PAQ family's (Mahoney, "Adaptive Weighing of Context Models", 2005).
"""

import hashlib

import numpy as np
import torch
from torch import Tensor

from toolkit.components.config import Config
from toolkit.components.trie import Trie, TrieFeed

TABLE_BITS = 24  # one byte a slot, shared by all contexts without a check
HASH_FACTOR = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio: products spread over the high bits
MATCH_TOKENS = 3  # so many tokens must agree before their last continuation is expected again
MATCH_LIMIT = 31  # longer matches count as this long
CONTEXT_WEIGHT = 0.15  # initial weights; the network starts with 1
WEIGHT_RATE = 0.015
MAP_RATE = 0.005
LOG_ODDS_LIMIT = 20.0  # costs 2e-9 nats a decision


def stable_hash(*parts: object) -> int:
    """64 bits, the same in every process."""
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest(), "little")


class TrieMixer:
    """Probabilities of open decisions: `decide` changes nothing, `learn` moves on by one token.

    Each slot of a context is a history n0 * 8 + n1: how often the outcomes 0 and 1 came, up to 7, where the other
    outcome fades. Each order maps histories to probabilities that it learns on the way; so does the match, whose state
    is 2 * length + the expected outcome. State 0 is "never seen": it has no say.
    """

    def __init__(self, cfg: Config, trie: Trie) -> None:
        self.trie = trie
        orders = range(1, cfg.ppm_trie.max_order + 1)
        decisions = list(zip(trie.prefixes, trie.partials, strict=True))
        # A context is what the token holds before the decision and, where that is short, bytes before the token.
        self.inside = np.array(
            [[stable_hash(k, p[-k:], partial) for p, partial in decisions] for k in orders], np.uint64
        )
        self.outside = np.array([[max(0, k - len(p)) for p in trie.prefixes] for k in orders])
        self.suffixes = np.zeros(len(orders) + 1, np.uint64)  # hashes of the last 0, 1, ... bytes
        self.recent = b""
        self.histories = np.zeros(1 << TABLE_BITS, np.uint8)
        self.tokens: list[int] = []
        self.places: dict[tuple[int, ...], int] = {}  # where in `tokens` the last run of MATCH_TOKENS tokens ended
        self.match = self.match_length = 0  # place of the token expected next; tokens that have agreed
        self.expected = np.zeros(len(decisions), np.uint8)  # state of the match in each decision

        n0, n1 = np.divmod(np.arange(64), 8)
        faded0, faded1 = np.minimum(n0, n0 // 2 + 1), np.minimum(n1, n1 // 2 + 1)
        self.successors = np.array((np.minimum(n0 + 1, 7) * 8 + faded1, faded0 * 8 + np.minimum(n1 + 1, 7)), np.uint8)
        length, outcome = np.divmod(np.arange(64), 2)
        self.maps = np.vstack(
            [(n1 + 0.4) / (n0 + n1 + 0.8)] * len(orders) + [np.where(outcome, length + 1, 1) / (length + 2)]
        )
        self.rows = np.arange(len(self.maps))[:, None]
        # Two sets of weights, by decision and by the number of inputs that have a say; their log-odds are averaged.
        self.weights = np.full((len(decisions) + len(self.maps) + 1, len(self.maps) + 1), CONTEXT_WEIGHT)
        self.weights[:, 0] = 1

    def decide(self, nodes: np.ndarray, stretches: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """Log-odds float64[d] of outcome 1 in d decisions of the next token, and what `learn` needs to know of them."""
        slots = (self.inside[:, nodes] + self.suffixes[self.outside[:, nodes]]) * np.uint64(HASH_FACTOR)
        slots >>= np.uint64(64 - TABLE_BITS)
        states = np.vstack((self.histories[slots], self.expected[nodes]))
        seen = states > 0
        p = self.maps[self.rows, states]
        inputs = np.empty((len(nodes), len(states) + 1))
        inputs[:, 0] = stretches.clip(-LOG_ODDS_LIMIT, LOG_ODDS_LIMIT)
        inputs[:, 1:] = (seen * np.log(p / (1 - p))).T
        sets = np.stack((nodes, len(self.expected) + seen.sum(0)))
        log_odds = (self.weights[sets] * inputs).sum(2).clip(-LOG_ODDS_LIMIT, LOG_ODDS_LIMIT)
        return log_odds.mean(0), (slots, states, inputs, sets, log_odds)

    def score(self, token: int, stretches: np.ndarray) -> tuple[float, tuple[np.ndarray, ...]]:
        """Nats of a token's open decisions, given the network's log-odds of each, and what `learn` needs to know."""
        log_odds, memory = self.decide(self.trie.open_nodes[token], stretches)
        return float(np.logaddexp(0, -self.trie.open_signs[token] * log_odds).sum()), memory

    def learn(self, token: int, memory: tuple[np.ndarray, ...]) -> None:
        """Take in a token that has been scored."""
        slots, states, inputs, sets, log_odds = memory
        outcomes = self.trie.open_signs[token] > 0
        errors = outcomes - 1 / (1 + np.exp(-log_odds))
        np.add.at(self.weights, sets, (WEIGHT_RATE * errors)[..., None] * inputs)
        np.add.at(self.maps, (self.rows, states), MAP_RATE * (outcomes - self.maps[self.rows, states]))
        np.clip(self.maps, 0.001, 0.999, out=self.maps)  # a long token adds to one entry many times
        self.histories[slots] = self.successors[outcomes.astype(int), states[:-1]]

        # A token without bytes stands in the contexts as a zero byte: the end of a document.
        self.recent = (self.recent + (self.trie.strings[token] or b"\0"))[1 - len(self.suffixes) :]
        for length in range(1, len(self.suffixes)):
            self.suffixes[length] = stable_hash(self.recent[-length:])
        self.tokens.append(token)
        if self.match and self.tokens[self.match] == token:
            self.match, self.match_length = self.match + 1, min(self.match_length + 1, MATCH_LIMIT)
        else:
            self.match, self.match_length = self.places.get(tuple(self.tokens[-MATCH_TOKENS:]), 0), 1
        self.places[tuple(self.tokens[-MATCH_TOKENS:])] = len(self.tokens)
        self.expected[:] = 0
        if self.match:
            likely = self.tokens[self.match]
            self.expected[self.trie.open_nodes[likely]] = 2 * self.match_length + (self.trie.open_signs[likely] > 0)


def mix_ppm_trie(
    cfg: Config,
    targets: np.ndarray,  # int64[n]
    feed: TrieFeed,  # the network's decisions along them
) -> Tensor:
    """Nats of the mixture for all targets, float64[n]. Every rank computes the same."""
    mixer = TrieMixer(cfg, feed.trie)
    stretches = feed.stretches.cpu().numpy()
    nats = feed.closed_nats.cpu().numpy().copy()
    for i, token in enumerate(targets.tolist()):
        open_nats, memory = mixer.score(token, stretches[feed.starts[i] : feed.starts[i + 1]])
        nats[i] += open_nats
        mixer.learn(token, memory)
    return torch.from_numpy(nats)
