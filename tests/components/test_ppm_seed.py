"""The mixture of #1785 against its formulas: by scanning the text, by a plain mixer, and by what its charges sum to."""

import math
import shlex
import subprocess
import zipfile
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import sentencepiece as spm
import torch
from hypothesis import given
from hypothesis import strategies as st

from toolkit.components.base.failure import InputError
from toolkit.components.config import Config
from toolkit.components.mixing import ppm_seed
from toolkit.components.mixing.ppm_seed import SEED_SOURCE, mix_ppm_seed, seed_strings
from toolkit.components.settings.ppm_seed import PpmSeed
from toolkit.data.tokenizer import train_tokenizer

GATES = ("v1", "v2", "strict", "documented")
DICKENS = Path(__file__).parents[3] / "shared" / "data" / "dickens.zip"


def config(order: int = 5, gate: str = "v2", spelling: str = "text") -> Config:
    return Config(ppm_seed=PpmSeed(order=order, gate=gate, spelling=spelling))


def mix(cfg: Config, strings: list[bytes], targets: Sequence[int], nats: Sequence[float]) -> list[float]:
    network_nats = torch.tensor(nats, dtype=torch.float64)
    charged: list[float] = mix_ppm_seed(cfg, strings, np.array(targets, np.int64), network_nats).tolist()
    return charged


def scan(text: bytes, byte: int, order: int) -> tuple[Fraction, dict[str, Fraction]]:
    """PPM's probability of `byte` after `text`, and what each gate looks at, from the text alone."""
    probability, confidences = Fraction(1), dict.fromkeys(GATES, Fraction(1, 256))
    longest = True
    for length in range(min(order, len(text)), -1, -1):
        context = text[len(text) - length :]
        followers = [text[i] for i in range(length, len(text)) if text[i - length : i] == context]
        if not followers:
            continue
        total, most = len(followers), max(map(followers.count, followers))
        if longest:
            confidences["strict"] = Fraction(most, total)
            confidences["documented"] = Fraction(2 * most - 1, 2 * total)
        longest = False
        if byte in followers:
            probability *= Fraction(2 * followers.count(byte) - 1, 2 * total)
            confidences["v1"] = Fraction(most, total)
            break
        probability *= Fraction(len(set(followers)), 2 * total)
    else:
        probability /= 256
    probability = max(probability, Fraction(1, 10**20))
    return probability, confidences | {"v2": probability}


def charge_bytes(text: bytes, nats: float, predictions: list[tuple[float, float]]) -> float:
    """Nats of a token from the probability and the confidence of each of its bytes, with the weights of #1785."""
    network = math.exp(-nats / len(text))
    weights = [0.05 if confidence > 0.9 else 0.9 for _, confidence in predictions]
    mixed = [w * network + (1 - w) * p for w, (p, _) in zip(weights, predictions, strict=True)]
    return -sum(map(math.log, mixed))


def mix_by_scanning(cfg: Config, strings: list[bytes], targets: Sequence[int], nats: Sequence[float]) -> list[float]:
    charged, text = [], b""
    for token, token_nats in zip(targets, nats, strict=True):
        predictions = []
        for byte in strings[token]:
            probability, confidences = scan(text, byte, cfg.ppm_seed.order)
            predictions.append((float(probability), float(confidences[cfg.ppm_seed.gate])))
            text += bytes([byte])
        charged.append(charge_bytes(strings[token], token_nats, predictions) if predictions else token_nats)
    return charged


class PlainMixer:
    """PPM-D by dictionaries: fast enough for real text."""

    def __init__(self, cfg: Config) -> None:
        self.order, self.gate = cfg.ppm_seed.order, cfg.ppm_seed.gate
        self.counts: dict[bytes, dict[int, int]] = {}  # of the bytes after each context
        self.history = b""

    def contexts(self) -> list[bytes]:
        return [self.history[start:] for start in range(len(self.history) + 1)]

    def predict(self, byte: int) -> tuple[float, float]:
        probability, at_found = 1.0, {1: 1}
        at_longest: dict[int, int] = {}
        for context in self.contexts():
            counts = self.counts.get(context)
            if not counts:
                continue
            total, at_longest = sum(counts.values()), at_longest or counts
            if byte in counts:
                probability *= (2 * counts[byte] - 1) / (2 * total)
                at_found = counts
                break
            probability *= len(counts) / (2 * total)
        else:
            probability, at_found = probability / 256, {}
        probability = max(probability, 1e-20)
        if self.gate == "v2":
            return probability, probability
        judge = at_found if self.gate == "v1" else at_longest
        if not judge:
            return probability, 1 / 256
        return probability, (max(judge.values()) - (self.gate == "documented") / 2) / sum(judge.values())

    def charge(self, text: bytes, nats: float) -> float:
        predictions = []
        for byte in text:
            predictions.append(self.predict(byte))
            for context in self.contexts():
                counts = self.counts.setdefault(context, {})
                counts[byte] = counts.get(byte, 0) + 1
            self.history = (self.history + bytes([byte]))[-self.order :]
        return charge_bytes(text, nats, predictions) if text else nats


@pytest.mark.parametrize(
    ("text", "byte", "expected"),
    [
        (b"", b"a", Fraction(1, 256)),
        (b"a", b"a", Fraction(1, 2)),  # order 1 has not seen "a" followed by anything; order 0: (2 - 1) / 2
        (b"a", b"b", Fraction(1, 2) / 256),
        (b"ab", b"a", Fraction(1, 4)),
        (b"aba", b"b", Fraction(1, 2)),  # order 1 after "a": once "b"
        (b"aba", b"a", Fraction(1, 2) * Fraction(3, 6)),  # escape of order 1, then 2 of 3 at order 0
        (b"aba", b"c", Fraction(1, 2) * Fraction(2, 6) / 256),
        (b"abab", b"a", Fraction(1, 2)),  # order 2 after "ab"
    ],
)
def test_probabilities_by_hand(text: bytes, byte: bytes, expected: Fraction) -> None:
    assert scan(text, byte[0], order=2)[0] == expected
    strings = [text, byte]
    (_, nats) = mix(config(order=2), strings, [0, 1], [700.0, 700.0])
    assert math.exp(-nats) == pytest.approx(0.1 * float(expected), rel=1e-12)


BYTES = st.lists(st.sampled_from([b"a", b"b", b"ab", b"c", b"\xff", b"\0", b"aab"]), max_size=5).map(b"".join)


@given(
    tokens=st.lists(st.tuples(BYTES, st.floats(0, 30)), min_size=1, max_size=12),
    order=st.integers(1, 5),
    gate=st.sampled_from(GATES),
)
def test_charges_of_any_stream(tokens: list[tuple[bytes, float]], order: int, gate: str) -> None:
    strings, nats = [text for text, _ in tokens], [value for _, value in tokens]
    charged = mix(config(order, gate), strings, range(len(tokens)), nats)
    assert charged == pytest.approx(mix_by_scanning(config(order, gate), strings, range(len(tokens)), nats), rel=1e-12)


@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("order", [1, 4, 5])
def test_charges_of_real_text(order: int, gate: str) -> None:
    """One that makes the table grow, in tokens of up to five bytes, some without text."""
    if not DICKENS.exists():
        pytest.skip(f"{DICKENS} is not here")
    with zipfile.ZipFile(DICKENS) as archive, archive.open("dickens") as file:
        text = file.read(60_000)
    rng = np.random.default_rng(0)
    ends = np.cumsum(rng.integers(0, 6, 15_000))
    strings = [text[start:end] for start, end in pairwise(ends)]
    nats = rng.uniform(0, 8, len(strings))
    mixer = PlainMixer(config(order, gate))
    expected = [mixer.charge(*pair) for pair in zip(strings, nats.tolist(), strict=True)]
    charged = mix(config(order, gate), strings, range(len(strings)), nats.tolist())
    np.testing.assert_allclose(charged, expected, rtol=1e-9)


def test_gates_differ_where_they_should() -> None:
    """After "ab" 40 times, then "a": all trust "b"; an unexpected byte shows which gates have seen it."""
    strings = [b"ab" * 40 + b"a", b"b", b"x", b"a"]
    charged = {
        (gate, token): mix(config(1, gate), strings, [0, token], [0.0, 0.0])[1] for gate in GATES for token in (1, 2, 3)
    }
    trusts = {key: nats > 1 for key, nats in charged.items()}  # a network that is sure makes 0.05 cost three nats
    assert not any(trusts[gate, 1] for gate in GATES)
    assert [gate for gate in GATES if trusts[gate, 2]] == ["strict", "documented"]
    assert [gate for gate in GATES if trusts[gate, 3]] == ["strict", "documented"]


@pytest.mark.parametrize("gate", GATES)
def test_its_charges_sum_to_more_than_one(gate: str) -> None:
    """The even spread alone does it: after a text of a's, "aa" and "aaa" are both charged as if they were alone."""
    strings = [b"a" * n for n in range(1, 8)]
    nats = [mix(config(gate=gate), [*strings, b"a" * 30], [7, token], [0, math.log(7)])[1] for token in range(7)]
    assert sum(math.exp(-value) for value in nats) > 2


def test_what_is_not_learned_leaves_no_trace() -> None:
    """Charges of a stream with every token of the vocabulary tried at each place, also where the table has to grow."""
    rng = np.random.default_rng(0)
    strings = [b"", b"a", b"b", b"abra", b"cad", b"\xff\xff\xff", rng.bytes(6000)]
    targets = np.array([1, 2, 3, 4, 3, 5, 6, 5, 3, 4, 0, 6, 3])
    nats = torch.from_numpy(rng.uniform(0, 8, len(targets)))
    charged = mix_ppm_seed(config(), strings, targets, nats)
    tried = np.array([[*range(len(strings)), target] for target in targets])
    learned = np.zeros(tried.shape, bool)
    learned[:, -1] = True
    trial_nats = nats[:, None].expand(tried.shape).reshape(-1)
    trials = mix_ppm_seed(config(), strings, tried.ravel(), trial_nats, learned.ravel()).reshape(tried.shape)
    assert trials[:, -1].equal(charged)
    assert trials[range(len(targets)), targets].equal(charged)


HARNESS = """
#include <stdio.h>
int main(int argc, char **argv) {
    double settings[3] = {.9, .05, .9};
    int n = atoi(argv[3]), num_bytes = atoi(argv[4]);
    int64_t *lengths = malloc(n * sizeof *lengths);
    uint8_t *text = calloc(num_bytes + 1, 1), *learned = malloc(n);
    double *nats = malloc(n * sizeof *nats);
    size_t read = fread(lengths, sizeof *lengths, n, stdin) + fread(text, 1, num_bytes, stdin);
    read += fread(learned, 1, n, stdin) + fread(nats, sizeof *nats, n, stdin);
    if (read != (size_t)(3 * n + num_bytes)) return 1;
    if (!mix_seed(atoi(argv[1]), argv[2], settings, n, text, lengths, learned, nats)) return 1;
    fwrite(nats, sizeof *nats, n, stdout);
    free(lengths), free(text), free(learned), free(nats);
    return 0;
}
"""


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The engine as a program that ends at the first address or operation that C does not define."""
    path = tmp_path_factory.mktemp("sanitized") / "mix"
    command = f"cc -std=gnu11 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -x c - -lm -o '{path}'"
    built = subprocess.run(shlex.split(command), input=SEED_SOURCE + HARNESS, text=True, capture_output=True)
    if built.returncode or subprocess.run([path, "1", "v1", "0", "0"], capture_output=True).returncode:
        pytest.skip("the compiler has no sanitizers here")
    return path


@pytest.mark.parametrize("alphabet", [1, 2, 8, 256])
@pytest.mark.parametrize(("order", "num_tokens"), [(1, 300), (4, 900), (5, 0), (5, 900)])
def test_sanitizers_find_nothing(sanitized: Path, alphabet: int, order: int, num_tokens: int) -> None:
    """Random streams: empty and long tokens, all bytes, tokens that are not learned from, a table that grows."""
    rng = np.random.default_rng(alphabet)
    strings = [rng.integers(256 - alphabet, 256, length, np.uint8).tobytes() for length in (0, 1, 1, 2, 3, 7, 16, 900)]
    targets = rng.choice(len(strings), num_tokens, p=[0.1, 0.2, 0.1, 0.2, 0.2, 0.1, 0.09, 0.01])
    nats, learned = rng.uniform(0, 20, len(targets)), rng.random(len(targets)) < 0.8
    gate = str(rng.choice(GATES))
    text = b"".join(strings[token] for token in targets)
    lengths = np.array([len(strings[token]) for token in targets], np.int64)
    arguments = [str(value) for value in (sanitized, order, gate, len(targets), len(text))]
    given = lengths.tobytes() + text + learned.tobytes() + nats.tobytes()
    found = subprocess.run(arguments, input=given, capture_output=True)
    assert found.returncode == 0, found.stderr.decode()
    charged = mix_ppm_seed(config(order, gate), strings, targets, torch.from_numpy(nats), learned)
    np.testing.assert_allclose(np.frombuffer(found.stdout), charged.numpy(), rtol=1e-12)


def test_spelling_of_the_pieces() -> None:
    tokenizer = spm.SentencePieceProcessor(model_proto=train_tokenizer(["one two three one two"] * 30, 280))
    text, names = seed_strings(config(), tokenizer), seed_strings(config(spelling="names"), tokenizer)
    changed = {names[i]: text[i] for i in range(len(text)) if names[i] != text[i]}
    controls = {name: own for name, own in changed.items() if not own}
    assert controls.keys() == {b"<pad>", b"<s>", b"</s>", b"<unk>"}
    assert all(name == b"<0x%02X>" % own[0] for name, own in changed.items() if own)
    assert len(changed) == 256 + len(controls)
    assert b" one" in text


@pytest.mark.parametrize("limit", [0, 5000])
def test_too_little_memory_is_one_line(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    short = f"#define calloc(n, size) ((n) > {limit} ? 0 : calloc(n, size))\nstatic uint64_t"
    monkeypatch.setattr(ppm_seed, "SEED_SOURCE", ppm_seed.SEED_SOURCE.replace("static uint64_t", short, 1))
    with pytest.raises(InputError, match=r"^ppm_seed: expected memory [^\n]+$"):
        mix(config(), [bytes(range(256)) * 20], [0], [1.0])


def test_orders_have_a_limit() -> None:
    with pytest.raises(InputError, match=r"^ppm_seed.order: expected a number from 1 to 5, found 6$"):
        config(order=6)
