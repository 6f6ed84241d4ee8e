"""The mixture sums to one whatever it has seen, never looks ahead, learns, and leaves closed decisions alone."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.components.config import Config, PpmTrie
from toolkit.components.ppm_trie import TokenMatch, mix_ppm_trie, stable_hash
from toolkit.components.trie import Trie, TrieFeed

CPU = torch.device("cpu")
WORDS = [b"", b"", b"a", b"b", b"c", b" ", b"ab", b"abc", b" a", b"ca", b"\xc3", b"\xa9", b"\xc3\xa9", b"a"]


def mix(strings: list[bytes], targets: np.ndarray, logits: torch.Tensor, max_order: int = 3) -> np.ndarray:
    """Nats of a stream whose rows of logits are given."""
    feed = TrieFeed(Trie(strings, CPU), targets)
    feed.add(0, logits, torch.from_numpy(targets))
    return mix_ppm_trie(Config(ppm_trie=PpmTrie(max_order)), targets, feed).numpy()


def network_nats(targets: np.ndarray, logits: torch.Tensor) -> np.ndarray:
    return -logits.double().log_softmax(1)[torch.arange(len(targets)), torch.from_numpy(targets)].numpy()


pieces = st.lists(st.sampled_from([b"a", b"b", b"\xc3", b" ", b"xxxxxxxx"]), max_size=5).map(b"".join)


@settings(deadline=None, max_examples=25)
@given(strings=st.lists(pieces, min_size=1, max_size=10), seed=st.integers(0, 2**32 - 1), length=st.integers(1, 12))
def test_charges_sum_to_one_and_earlier_ones_stay(strings: list[bytes], seed: int, length: int) -> None:
    """The whole stream again for every token that could stand in its last place."""
    generator = np.random.default_rng(seed)
    targets = generator.integers(0, len(strings), length)
    logits = torch.from_numpy(generator.normal(0, 3, (length, len(strings))))
    before, total = mix(strings, targets, logits)[:-1], 0.0
    for token in range(len(strings)):
        targets[-1] = token
        nats = mix(strings, targets, logits)
        assert (nats[:-1] == before).all()
        total += math.exp(-nats[-1])
    assert math.isclose(total, 1, abs_tol=1e-9)


def test_sums_to_one_after_it_has_become_sure() -> None:
    """Long repetition drives histories and what they are worth to their limits."""
    targets = np.array([2, 3, 4, 5] * 60)
    logits = torch.zeros(len(targets), len(WORDS))
    total = 0.0
    for token in range(len(WORDS)):
        targets[-1] = token
        nats = mix(WORDS, targets, logits)
        total += math.exp(-nats[-1])
    assert math.isclose(total, 1, abs_tol=1e-9)
    targets[-1] = 5
    # What is left is the network's belief that a token without bytes comes: 2 of 14.
    assert mix(WORDS, targets, logits)[-1] == pytest.approx(math.log(14 / 12), abs=0.005)


def test_a_later_token_moves_no_earlier_nats() -> None:
    generator = np.random.default_rng(1)
    targets = generator.integers(0, len(WORDS), 40)
    logits = torch.from_numpy(generator.normal(0, 1, (40, len(WORDS))))
    changed = targets.copy()
    changed[20:] = (changed[20:] + 1) % len(WORDS)
    before, after = mix(WORDS, targets, logits), mix(WORDS, changed, logits)
    assert (before[:20] == after[:20]).all()
    assert (before[20:] != after[20:]).any()


def test_the_first_token_costs_what_the_network_says() -> None:
    """Nothing has been seen: all decisions are the network's own."""
    generator = np.random.default_rng(2)
    logits = torch.from_numpy(generator.normal(0, 2, (1, len(WORDS))))
    for token in range(len(WORDS)):
        targets = np.array([token])
        assert mix(WORDS, targets, logits) == pytest.approx(network_nats(targets, logits), rel=1e-6)


def test_tokens_without_bytes_are_the_network_s_alone() -> None:
    generator = np.random.default_rng(3)
    targets = generator.choice([0, 1, 2, 6, 7], 200)
    logits = torch.from_numpy(generator.normal(0, 1, (200, len(WORDS))))
    control = targets < 2
    np.testing.assert_allclose(mix(WORDS, targets, logits)[control], network_nats(targets, logits)[control], rtol=1e-6)


def test_equal_pieces_keep_the_network_s_ratio() -> None:
    """The piece "a" is there twice: whatever the text has been, the two differ by the network's own odds."""
    generator = np.random.default_rng(4)
    targets = np.append(generator.choice([2, 3, 7], 100), 2)
    logits = torch.from_numpy(generator.normal(0, 1, (101, len(WORDS))))
    first = mix(WORDS, targets, logits)[-1]
    targets[-1] = 13
    assert mix(WORDS, targets, logits)[-1] - first == pytest.approx((logits[-1, 2] - logits[-1, 13]).item(), rel=1e-6)


def test_repetition_gets_cheap_and_noise_stays_near_the_network() -> None:
    generator = np.random.default_rng(5)
    phrase = generator.integers(2, len(WORDS), 50)
    targets = np.concatenate([phrase, phrase, phrase])
    logits = torch.zeros(150, len(WORDS))
    nats = mix(WORDS, targets, logits)
    assert nats[100:].mean() < 0.4 * nats[:50].mean()
    noise = generator.integers(0, len(WORDS), 3000)
    rows = torch.zeros(3000, len(WORDS))
    assert mix(WORDS, noise, rows).sum() < 1.03 * network_nats(noise, rows).sum()


def test_a_match_expects_what_followed_and_counts_how_often_it_was_right() -> None:
    trie = Trie(WORDS, CPU)
    match = TokenMatch(trie)
    for token in [2, 3, 4, 5, 6, 7, 2, 3, 4]:
        assert not match.states.any()
        match.append(token)
    for length, token in enumerate([5, 6], 1):  # the fourth and fifth token again
        expected = np.zeros(len(trie.prefixes), np.uint8)
        path = trie.path(token)
        expected[trie.nodes[path]] = 2 * length + trie.outcomes[path]
        assert (match.states == expected).all()
        match.append(token)
    match.append(2)  # it was 7
    assert not match.states.any()


def test_hashes_are_the_same_in_every_process() -> None:
    assert stable_hash(1, b"a") == 0xD8D0FA6DB325B34B
