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
from toolkit.components.trie import CLOSED, Trie, TrieFeed

TABLE_BITS = 24  # one byte a slot, shared by all contexts without a check
HASH_FACTOR = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio: products spread over the high bits
MATCH_TOKENS = 3  # so many tokens must agree before their last continuation is expected again
MATCH_LIMIT = 31  # longer matches count as this long
CONTEXT_WEIGHT = 0.15  # initial weights; the network starts with 1
WEIGHT_RATE = 0.015
MAP_RATE = 0.005
LOG_ODDS_LIMIT = 20.0  # of the mixture and its inputs; a sure decision still costs 2e-9 nats


def stable_hash(*parts: object) -> int:
    """64 bits, the same in every process."""
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest(), "little")


class TokenMatch:
    """Expects what followed when the last MATCH_TOKENS tokens stood here before, as long as it keeps coming true.

    `states` uint8[V - 1] holds 2 * length + the expected outcome for the decisions of the token expected next, where
    length counts the tokens that have come true, and 0 for all others.
    """

    def __init__(self, trie: Trie) -> None:
        self.trie = trie
        self.states = np.zeros(len(trie.prefixes), np.uint8)
        self.tokens: list[int] = []
        self.ends: dict[tuple[int, ...], int] = {}  # index in `tokens` just after the last such run of tokens
        self.next = self.length = 0  # index of the token expected next, 0 for none

    def append(self, token: int) -> None:
        """Move on by one token."""
        self.tokens.append(token)
        recent = tuple(self.tokens[-MATCH_TOKENS:])
        if self.next and self.tokens[self.next] == token:
            self.next, self.length = self.next + 1, min(self.length + 1, MATCH_LIMIT)
        else:
            self.next, self.length = self.ends.get(recent, 0), 1
        self.ends[recent] = len(self.tokens)
        self.states[:] = 0
        if self.next:
            path = self.trie.path(self.tokens[self.next])
            self.states[self.trie.nodes[path]] = 2 * self.length + self.trie.outcomes[path]


class TrieMixer:
    """Probabilities of open decisions: `decide` and `score` change nothing, `learn` moves on by one token.

    Every context of every decision has a history n0 * 8 + n1: how often outcomes 0 and 1 came, up to 7 each, where the
    other outcome fades. Each order learns on the way what its histories are worth, and so does the match for its
    states. History or state 0 is "never seen" and has no say.
    """

    def __init__(self, cfg: Config, trie: Trie) -> None:
        self.trie = trie
        self.match = TokenMatch(trie)
        self.is_open = trie.partials != CLOSED
        # A context is what the token holds before the decision and, where that is short, bytes before the token.
        orders = range(1, cfg.ppm_trie.max_order + 1)
        decisions = list(zip(trie.prefixes, trie.partials.tolist(), strict=True))
        inside = [[stable_hash(order, prefix[-order:], partial) for prefix, partial in decisions] for order in orders]
        self.inside = np.array(inside, np.uint64)  # by order and decision: hash of the part inside the token
        outside = [[max(0, order - len(prefix)) for prefix in trie.prefixes] for order in orders]
        self.outside = np.array(outside, np.int64)  # and the number of bytes before it
        self.recent = b""
        self.suffixes = np.zeros(len(orders) + 1, np.uint64)  # hashes of the last 0, 1, ... recent bytes
        self.histories = np.zeros(1 << TABLE_BITS, np.uint8)

        n0, n1 = np.divmod(np.arange(64), 8)
        faded0, faded1 = np.minimum(n0, n0 // 2 + 1), np.minimum(n1, n1 // 2 + 1)
        self.successors = np.array((np.minimum(n0 + 1, 7) * 8 + faded1, faded0 * 8 + np.minimum(n1 + 1, 7)), np.uint8)
        length, outcome = np.divmod(np.arange(64), 2)
        start = [(n1 + 0.4) / (n0 + n1 + 0.8)] * len(orders) + [np.where(outcome, length + 1, 1) / (length + 2)]
        self.maps = np.array(start)  # probability of outcome 1 by input and its history or state
        self.rows = np.arange(len(self.maps))[:, None]
        # Two sets of weights, by decision and by the number of inputs that have a say; their log-odds are averaged.
        self.weights = np.full((len(decisions) + len(self.maps) + 1, len(self.maps) + 1), CONTEXT_WEIGHT)
        self.weights[:, 0] = 1

    def decide(self, nodes: np.ndarray, stretches: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """Log-odds float64[d] of outcome 1 in decisions of the next token, and what `learn` needs to know of them.

        Given are the network's own log-odds; closed decisions keep these.
        """
        mixed = self.is_open[nodes]
        slots = (self.inside[:, nodes[mixed]] + self.suffixes[self.outside[:, nodes[mixed]]]) * np.uint64(HASH_FACTOR)
        slots >>= np.uint64(64 - TABLE_BITS)
        states = np.vstack((self.histories[slots], self.match.states[nodes[mixed]]))
        seen = states > 0
        p = self.maps[self.rows, states]
        inputs = np.vstack((stretches[mixed].clip(-LOG_ODDS_LIMIT, LOG_ODDS_LIMIT), seen * np.log(p / (1 - p)))).T
        sets = np.stack((nodes[mixed], len(self.is_open) + seen.sum(0)))
        answers = (self.weights[sets] * inputs).sum(2).clip(-LOG_ODDS_LIMIT, LOG_ODDS_LIMIT)
        log_odds = stretches.copy()
        log_odds[mixed] = answers.mean(0)
        return log_odds, (mixed, slots, states, inputs, sets, answers)

    def score(self, token: int, stretches: np.ndarray) -> tuple[float, tuple[np.ndarray, ...]]:
        """Nats of a token, given the network's log-odds along its path, and what `learn` needs to know."""
        path = self.trie.path(token)
        log_odds, memory = self.decide(self.trie.nodes[path], stretches)
        return float(np.logaddexp(0, (1 - 2.0 * self.trie.outcomes[path]) * log_odds).sum()), memory

    def learn(self, token: int, memory: tuple[np.ndarray, ...]) -> None:
        """Take in a token that has been scored."""
        mixed, slots, states, inputs, sets, answers = memory
        outcomes = self.trie.outcomes[self.trie.path(token)][mixed] > 0
        errors = outcomes - 1 / (1 + np.exp(-answers))
        np.add.at(self.weights, sets, (WEIGHT_RATE * errors)[..., None] * inputs)
        np.add.at(self.maps, (self.rows, states), MAP_RATE * (outcomes - self.maps[self.rows, states]))
        np.clip(self.maps, 0.001, 0.999, out=self.maps)  # a long token adds to one entry many times
        self.histories[slots] = self.successors[outcomes.astype(int), states[:-1]]

        # A token without bytes stands in the contexts as a zero byte: the end of a document.
        self.recent = (self.recent + (self.trie.strings[token] or b"\0"))[1 - len(self.suffixes) :]
        for length in range(1, len(self.suffixes)):
            self.suffixes[length] = stable_hash(self.recent[-length:])
        self.match.append(token)


def mix_ppm_trie(
    cfg: Config,
    targets: np.ndarray,  # int64[n]
    feed: TrieFeed,  # the network's decisions along them
) -> Tensor:
    """Nats of the mixture for all targets, float64[n], on the rank that has the whole feed."""
    mixer = TrieMixer(cfg, feed.trie)
    stretches = feed.stretches.double().numpy()
    nats = np.zeros(len(targets))
    for i, token in enumerate(targets.tolist()):
        nats[i], memory = mixer.score(token, stretches[feed.starts[i] : feed.starts[i + 1]])
        mixer.learn(token, memory)
    return torch.from_numpy(nats)
