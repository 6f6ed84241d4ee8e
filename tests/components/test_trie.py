"""The trie against its definition, on any vocabulary: prefixes of each other, equal pieces, pieces without bytes."""

import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.components.ranks import Ranks
from toolkit.components.trie import CLOSED, Trie, TrieFeed

CPU = torch.device("cpu")

pieces = st.one_of(
    st.binary(max_size=4),
    st.lists(st.sampled_from([b"a", b"b", b"\xc3", b" "]), max_size=6).map(b"".join),
    st.integers(0, 64).map(lambda length: b"x" * length),
)
vocabularies = st.lists(pieces, min_size=1, max_size=40)
seeds = st.integers(0, 2**32 - 1)


def path_nats(trie: Trie, token: int, log_odds: np.ndarray) -> float:
    """Nats of a token for the log-odds of all decisions."""
    return float(np.logaddexp(0, -trie.signs[token] * log_odds[trie.nodes[token]]).sum())


def test_a_vocabulary_small_enough_to_see() -> None:
    """Two pieces without bytes, then a, ab and b: 0x61 and 0x62 differ in the last two bits but agree in the first."""
    trie = Trie([b"", b"b", b"ab", b"a", b""], CPU)
    assert trie.prefixes == [b"", b"", b"", b"a"]
    assert trie.partials == [CLOSED, CLOSED, 0b1011000, 0]
    assert [nodes.tolist() for nodes in trie.nodes] == [[0, 1], [0, 2], [0, 2, 3], [0, 2, 3], [0, 1]]
    assert [signs.tolist() for signs in trie.signs] == [[-1, -1], [1, 1], [1, -1, 1], [1, -1, -1], [-1, 1]]


@given(strings=vocabularies)
def test_decisions_spell_the_bytes_of_each_token(strings: list[bytes]) -> None:
    trie = Trie(strings, CPU)
    assert len(trie.prefixes) == len(strings) - 1
    for text, nodes, signs in zip(strings, trie.nodes, trie.signs, strict=True):
        for node, sign in zip(nodes.tolist(), signs.tolist(), strict=True):
            prefix, partial = trie.prefixes[node], trie.partials[node]
            assert text.startswith(prefix)
            if partial > 0:
                byte = 256 + text[len(prefix)]
                known = partial.bit_length()  # with the leading one
                assert byte >> 9 - known == partial
                assert (byte >> 8 - known) % 2 == (sign > 0)
            elif partial == 0 or (prefix == b"" and text != b""):
                assert (text != prefix) == (sign > 0)


@given(strings=vocabularies)
def test_a_path_is_a_token_and_decisions_without_a_choice_do_not_exist(strings: list[bytes]) -> None:
    trie = Trie(strings, CPU)
    paths = {(tuple(nodes), tuple(signs)) for nodes, signs in zip(trie.nodes, trie.signs, strict=True)}
    assert len(paths) == len(strings)
    for node in range(len(trie.prefixes)):
        taken = [signs[nodes == node].tolist() for nodes, signs in zip(trie.nodes, trie.signs, strict=True)]
        assert [-1.0] in taken
        assert [1.0] in taken


@given(strings=vocabularies, seed=seeds)
def test_any_log_odds_make_a_distribution(strings: list[bytes], seed: int) -> None:
    trie = Trie(strings, CPU)
    log_odds = np.random.default_rng(seed).normal(0, 5, len(trie.prefixes))
    assert math.isclose(sum(math.exp(-path_nats(trie, token, log_odds)) for token in range(len(strings))), 1)


@settings(deadline=None)
@given(strings=vocabularies, seed=seeds, spread=st.sampled_from([0.1, 5.0, 60.0]))
def test_the_feed_holds_the_network_itself(strings: list[bytes], seed: int, spread: float) -> None:
    """Path by path, to 1e-9 nats, however small the probabilities and in whatever order rows come."""
    trie = Trie(strings, CPU)
    generator = np.random.default_rng(seed)
    targets = generator.integers(0, len(strings), 12)
    logits = torch.from_numpy(generator.uniform(-spread, spread, (12, len(strings)))).float()
    feed = TrieFeed(trie, targets)
    for part in (slice(7, 12), slice(0, 7)):
        feed.add(part.start, logits[part], torch.from_numpy(targets)[part])
    feed.gather(Ranks(0, 1, CPU))
    expected = -logits.double().log_softmax(1)[torch.arange(12), torch.from_numpy(targets)]
    for i, token in enumerate(targets):
        stretches = feed.stretches[feed.starts[i] : feed.starts[i + 1]].numpy()
        nats = np.logaddexp(0, -trie.signs[token] * stretches).sum()
        assert math.isclose(nats, expected[i], rel_tol=1e-9, abs_tol=1e-9)


def test_impossible_tokens_leave_finite_log_odds() -> None:
    trie = Trie([b"a", b"b", b"c"], CPU)
    feed = TrieFeed(trie, np.array([0, 2]))
    feed.add(0, torch.tensor([[0.0, -1000.0, -2000.0]] * 2), torch.tensor([0, 2]))
    assert feed.stretches.isfinite().all()
