"""The trie against its definition, on any vocabulary: prefixes of each other, equal pieces, pieces without bytes."""

import math
import os

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from toolkit.components.base.ranks import Ranks
from toolkit.components.mixing.trie import CHUNK_MASSES, CLOSED, Trie, TrieFeed

CPU = torch.device("cpu")
FUZZ_VOCABULARIES = int(os.environ.get("FUZZ_VOCABULARIES", "100"))

pieces = st.one_of(
    st.binary(max_size=4),
    st.lists(st.sampled_from([b"a", b"b", b"\xc3", b" "]), max_size=6).map(b"".join),
    st.integers(0, 64).map(lambda length: b"x" * length),
)
vocabularies = st.lists(pieces, min_size=1, max_size=40)
seeds = st.integers(0, 2**32 - 1)


def random_vocabulary(generator: np.random.Generator) -> list[bytes]:
    """2 to 300 pieces of 0 to 64 bytes over 1 to 256 byte values: extensions of each other, byte pieces, duplicates."""
    size, alphabet = int(generator.integers(2, 301)), int(generator.choice([1, 2, 3, 26, 256]))
    strings = [b""] * int(generator.integers(0, 4))
    if generator.random() < 0.3:
        strings += [bytes([byte]) for byte in range(256)]
    while len(strings) < size:
        length = int(generator.choice([0, 1, 1, 2, 3, 5, 64]))
        text = generator.integers(0, alphabet, length).astype(np.uint8).tobytes()
        if strings and generator.random() < 0.6:
            text = (strings[generator.integers(len(strings))] + text)[:64]
        strings.append(text)
    return [strings[i] for i in generator.permutation(size)]


def all_nats(trie: Trie, log_odds: np.ndarray) -> np.ndarray:
    """Nats of every token float64[V] for the log-odds of all decisions."""
    nats = np.logaddexp(0, (1 - 2.0 * trie.outcomes) * log_odds[trie.nodes])
    return np.array([nats[trie.path(token)].sum() for token in range(len(trie.strings))])


def all_stretches(trie: Trie, logits: torch.Tensor) -> np.ndarray:
    """The network's log-odds of all decisions, for one row of logits [V]."""
    nodes = torch.arange(len(trie.partials))
    return trie.stretches(logits[None], torch.zeros_like(nodes), nodes).double().numpy()


def test_a_vocabulary_small_enough_to_see() -> None:
    """Two pieces without bytes, then a, ab and b: 0x61 and 0x62 differ in the last two bits but agree in the first."""
    trie = Trie([b"", b"b", b"ab", b"a", b""], CPU)
    assert trie.depths.tolist() == [0, 0, 0, 1]
    assert trie.partials.tolist() == [CLOSED, CLOSED, 0b1011000, 0]
    assert trie.begins.tolist() == [0, 2, 4, 7, 10, 12]
    assert trie.nodes.tolist() == [0, 1, 0, 2, 0, 2, 3, 0, 2, 3, 0, 1]
    assert trie.outcomes.tolist() == [0, 0, 1, 1, 1, 0, 1, 1, 0, 0, 0, 1]


@given(strings=vocabularies)
def test_decisions_spell_the_bytes_of_each_token(strings: list[bytes]) -> None:
    trie = Trie(strings, CPU)
    assert len(trie.partials) == len(strings) - 1
    nodes = [set(trie.nodes[trie.path(token)].tolist()) for token in range(len(strings))]
    for token, text in enumerate(strings):
        path = trie.path(token)
        for node, outcome in zip(trie.nodes[path].tolist(), trie.outcomes[path].tolist(), strict=True):
            prefix, partial = text[: trie.depths[node]], int(trie.partials[node])
            assert all(strings[other].startswith(prefix) for other in range(len(strings)) if node in nodes[other])
            if partial > 0:
                byte = 256 + text[len(prefix)]
                known = partial.bit_length()  # with the leading one
                assert byte >> 9 - known == partial
                assert (byte >> 8 - known) % 2 == outcome
            elif partial == 0 or (prefix == b"" and text != b""):
                assert (text != prefix) == outcome


@given(strings=vocabularies)
def test_a_path_is_a_token_and_decisions_without_a_choice_do_not_exist(strings: list[bytes]) -> None:
    trie = Trie(strings, CPU)
    paths = [(tuple(trie.nodes[trie.path(t)]), tuple(trie.outcomes[trie.path(t)])) for t in range(len(strings))]
    assert len(set(paths)) == len(strings)
    for node in range(len(trie.partials)):
        assert set(trie.outcomes[trie.nodes == node].tolist()) == {0, 1}


def test_a_chain_of_prefixes_longer_than_python_s_stack() -> None:
    strings = [b"x" * length for length in range(3000)]
    lengths = np.diff(Trie(strings, CPU).begins)
    assert lengths.tolist() == [*range(1, 3000), 2999]


@pytest.mark.parametrize("first_seed", range(0, FUZZ_VOCABULARIES, 100))
def test_any_vocabulary_and_any_probabilities_make_a_distribution(first_seed: int) -> None:
    """Exactly, by integers, for even odds; and the network's own odds give the network itself."""
    for seed in range(first_seed, min(first_seed + 100, FUZZ_VOCABULARIES)):
        generator = np.random.default_rng(seed)
        trie = Trie(random_vocabulary(generator), CPU)
        size, lengths = len(trie.strings), np.diff(trie.begins).tolist()
        assert sum(1 << max(lengths) - length for length in lengths) == 1 << max(lengths)
        nats = all_nats(trie, generator.normal(0, 5, size - 1))
        assert math.isclose(np.exp(-nats).sum(), 1, rel_tol=1e-12)
        logits = torch.from_numpy(generator.normal(0, generator.choice([0.01, 2, 5]), size)).float()
        expected = logits.double().softmax(0).numpy()
        np.testing.assert_allclose(
            np.exp(-all_nats(trie, all_stretches(trie, logits))), expected, rtol=1e-5, atol=1e-15
        )


def test_the_feed_holds_the_network_itself() -> None:
    """Whole chunks and parts of them, in whatever order the rows come; and to 1e-6 of all nats."""
    generator = np.random.default_rng(0)
    trie = Trie(random_vocabulary(generator), CPU)
    size, count = len(trie.strings), 3 * CHUNK_MASSES // len(trie.strings)
    targets = generator.integers(0, size, count)
    logits = 30 * torch.tanh(torch.from_numpy(generator.normal(0, 0.1, (count, size)))).float()
    feed = TrieFeed(trie, targets)
    for part in (slice(count // 2, count), slice(0, count // 2)):
        feed.add(part.start, logits[part], torch.from_numpy(targets)[part])
    feed.gather(Ranks(0, 1, CPU))
    assert feed.stretches.dtype == torch.float32
    expected = -logits.double().log_softmax(1)[torch.arange(count), torch.from_numpy(targets)].numpy()
    decisions = np.concatenate([np.arange(path.start, path.stop) for path in map(trie.path, targets)])
    nats = np.logaddexp(0, (1 - 2.0 * trie.outcomes[decisions]) * feed.stretches.double().numpy())
    assert math.isclose(nats.sum(), expected.sum(), rel_tol=1e-6)
    np.testing.assert_allclose(np.add.reduceat(nats, feed.starts[:-1]), expected, rtol=1e-5, atol=1e-5)
    for i in (0, 1, count - 1):
        own = all_stretches(trie, logits[i])[trie.nodes[trie.path(targets[i])]]
        assert feed.stretches[feed.starts[i] : feed.starts[i + 1]].numpy() == pytest.approx(own, abs=1e-6)


def test_impossible_tokens_leave_finite_log_odds() -> None:
    trie = Trie([b"a", b"b", b"c"], CPU)
    feed = TrieFeed(trie, np.array([0, 2]))
    feed.add(0, torch.tensor([[0.0, -1000.0, -2000.0]] * 2), torch.tensor([0, 2]))
    assert feed.stretches.isfinite().all()
