"""The mixture sums to one whatever it has seen, never looks ahead, learns, and leaves closed decisions alone."""

import math
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.ppm_fuzz import try_one
from toolkit.components.base.failure import InputError
from toolkit.components.config import Config
from toolkit.components.mixing.ppm_trie import mix_ppm_trie
from toolkit.components.mixing.trie import Trie, TrieFeed
from toolkit.components.settings.ppm_trie import PpmTrie

CPU = torch.device("cpu")
WORDS = [b"", b"", b"a", b"b", b"c", b" ", b"ab", b"abc", b" a", b"ca", b"\xc3", b"\xa9", b"\xc3\xa9", b"a"]
SMALL = PpmTrie(table_bits=10)
ENGINES = [SMALL, replace(SMALL, engine="linear")]
both_engines = pytest.mark.parametrize("settings", ENGINES, ids=["logistic", "linear"])


def mix(targets: np.ndarray, logits: torch.Tensor, settings: PpmTrie = SMALL) -> np.ndarray:
    """Nats of a stream of WORDS whose rows of logits are given."""
    feed = TrieFeed(Trie(WORDS, CPU), targets)
    feed.add(0, logits, torch.from_numpy(targets))
    return mix_ppm_trie(Config(ppm_trie=settings), targets, feed).numpy()


def random_logits(generator: np.random.Generator, size: int) -> torch.Tensor:
    return torch.from_numpy(generator.normal(0, 1, (size, len(WORDS))).astype(np.float32))


def network_nats(targets: np.ndarray, logits: torch.Tensor) -> np.ndarray:
    return -logits.double().log_softmax(1)[torch.arange(len(targets)), torch.from_numpy(targets)].numpy()


@pytest.mark.parametrize("seed", range(40))
def test_random_vocabularies(seed: int) -> None:
    try_one(seed)


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_no_sanitizer_complains() -> None:
    """Both C sources, built with AddressSanitizer and UndefinedBehaviorSanitizer, over random vocabularies."""
    runtime = Path(subprocess.check_output(["cc", "-print-file-name=libasan.so"], text=True).strip())
    if not runtime.is_absolute():
        pytest.skip("needs the runtime of AddressSanitizer")
    env = {
        **os.environ,
        "CC": "cc -fsanitize=address,undefined -fno-sanitize-recover=all",
        "LD_PRELOAD": str(runtime),
        "ASAN_OPTIONS": "detect_leaks=0",
    }
    script = Path(__file__).parents[1] / "support" / "ppm_fuzz.py"
    done = subprocess.run([sys.executable, str(script), "20"], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


@both_engines
def test_sums_to_one_after_it_has_become_sure(settings: PpmTrie) -> None:
    """Long repetition drives histories and what they are worth to their limits."""
    targets = np.array([2, 3, 4, 5] * 100)
    logits = torch.zeros(len(targets), len(WORDS))
    total = 0.0
    for token in range(len(WORDS)):
        targets[-1] = token
        total += math.exp(-mix(targets, logits, settings)[-1])
    assert math.isclose(total, 1, abs_tol=1e-9)
    targets[-1] = 5
    # What is left is the network's belief that a token without bytes comes: 2 of 14.
    assert mix(targets, logits, settings)[-1] == pytest.approx(math.log(14 / 12), abs=0.1)


@both_engines
def test_a_later_token_moves_no_earlier_nats(settings: PpmTrie) -> None:
    generator = np.random.default_rng(1)
    targets = generator.integers(0, len(WORDS), 40)
    logits = random_logits(generator, 40)
    for first in (1, 20, 39):
        changed = targets.copy()
        changed[first:] = (changed[first:] + 1) % len(WORDS)
        before, after = mix(targets, logits, settings), mix(changed, logits, settings)
        assert (before[:first] == after[:first]).all()
        assert (before[first:] != after[first:]).any()


def test_a_mixture_that_does_not_learn_is_the_network() -> None:
    generator = np.random.default_rng(2)
    targets = generator.integers(0, len(WORDS), 200)
    logits = torch.from_numpy(generator.normal(0, 2, (200, len(WORDS))).astype(np.float32))
    nats = mix(targets, logits, replace(SMALL, learning_rate=0.0))
    np.testing.assert_allclose(nats, network_nats(targets, logits), rtol=1e-6, atol=1e-6)
    assert nats.sum() == pytest.approx(network_nats(targets, logits).sum(), rel=1e-6)


@both_engines
def test_the_first_decision_is_the_network_s(settings: PpmTrie) -> None:
    """Nothing has been seen, nothing learned: tokens of a single decision cost what the network says."""
    generator = np.random.default_rng(8)
    for strings in ([b"a", b"b"], [b"a", b"ab"], [b"a", b"a"], [b"", b"a"]):
        logits = torch.from_numpy(generator.normal(0, 2, (1, 2)).astype(np.float32))
        for token in range(2):
            feed = TrieFeed(Trie(strings, CPU), np.array([token]))
            feed.add(0, logits, torch.tensor([token]))
            found = mix_ppm_trie(Config(ppm_trie=settings), np.array([token]), feed).item()
            assert found == pytest.approx(-logits[0].double().log_softmax(0)[token].item(), rel=1e-5)


@both_engines
def test_tokens_without_bytes_are_the_network_s_alone(settings: PpmTrie) -> None:
    generator = np.random.default_rng(3)
    targets = generator.choice([0, 1, 2, 6, 7], 200)
    logits = random_logits(generator, 200)
    control = targets < 2
    found, expected = mix(targets, logits, settings), network_nats(targets, logits)
    np.testing.assert_allclose(found[control], expected[control], rtol=1e-6)


@both_engines
def test_equal_pieces_keep_the_network_s_ratio(settings: PpmTrie) -> None:
    """The piece "a" is there twice: whatever the text has been, the two differ by the network's own odds."""
    generator = np.random.default_rng(4)
    targets = np.append(generator.choice([2, 3, 7], 100), 2)
    logits = random_logits(generator, 101)
    first = mix(targets, logits, settings)[-1]
    targets[-1] = 13
    ratio = (logits[-1, 2] - logits[-1, 13]).item()
    assert mix(targets, logits, settings)[-1] - first == pytest.approx(ratio, abs=1e-6)


@both_engines
def test_repetition_gets_cheap_and_noise_stays_near_the_network(settings: PpmTrie) -> None:
    generator = np.random.default_rng(5)
    phrase = generator.integers(2, len(WORDS), 50)
    targets = np.concatenate([phrase] * 4)
    logits = torch.zeros(200, len(WORDS))
    first, second, third, fourth = mix(targets, logits, settings).reshape(4, 50).mean(1)
    assert fourth < third < second < first
    # Linear shares start at 2 % a context: a phrase three times over moves them little.
    assert fourth < first * {"logistic": 0.25, "linear": 0.8}[settings.engine]
    noise = generator.integers(0, len(WORDS), 3000)
    rows = torch.zeros(3000, len(WORDS))
    assert mix(noise, rows, settings).sum() < 1.03 * network_nats(noise, rows).sum()


@both_engines
def test_chunks_change_nothing_for_one_mixer(settings: PpmTrie) -> None:
    generator = np.random.default_rng(6)
    targets = generator.integers(0, len(WORDS), 300)
    logits = random_logits(generator, 300)
    whole = mix(targets, logits, settings)
    for size in (1, 7, 299):
        assert (mix(targets, logits, replace(settings, chunk_tokens=size)) == whole).all()


def test_shards_learn_in_turn() -> None:
    """Three mixers: the first chunk of each is charged by a fresh one."""
    generator = np.random.default_rng(7)
    targets = np.tile(generator.integers(2, len(WORDS), 8), 12)
    logits = torch.zeros(len(targets), len(WORDS))
    one, three = (mix(targets, logits, replace(SMALL, shards=n, chunk_tokens=8)) for n in (1, 3))
    assert (one[:8] == three[:8]).all()
    assert one.sum() < three.sum() < network_nats(targets, logits).sum()


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"contexts": ("o1", "o9")}, r"ppm_trie\.contexts: expected parts o0, .* word3, found 'o9'"),
        ({"contexts": ()}, r"ppm_trie\.contexts: expected 1 to 14 of them, found \[\]"),
        ({"table_bits": 7}, r"ppm_trie\.table_bits: expected a number from 8 to 30, found 7"),
        ({"shards": 0}, r"ppm_trie\.shards: expected a number above 0, found 0"),
        ({"engine": "log"}, r"ppm_trie\.engine: expected one of logistic, linear, found 'log'"),
    ],
)
def test_settings_that_make_no_sense_are_one_line(changes: dict[str, object], line: str) -> None:
    with pytest.raises(InputError, match=line):
        replace(SMALL, **changes)  # type: ignore[arg-type]
