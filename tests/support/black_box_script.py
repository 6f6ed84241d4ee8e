"""A stranger's script in small, for `test_blackbox.py`: adaptive counts of tokens as the model, several ways to score.

python black_box_script.py HOW prints val_loss of the validation stream in data/. Only "legal" is a code.
"""

import math
import random
import struct
import sys
from pathlib import Path

VOCAB_SIZE = 6
TEXTS = [b"a", b"b", b"ab", b"aab", b"ba", b"bbbb"]  # of the tokens, for those ways that go by bytes


def predict(counts: list[float], token: int) -> float:
    return counts[token] / sum(counts)


def adaptive(tokens: list[int]) -> list[float]:
    """Nats of the targets; counts learn from each after it is charged."""
    counts, nats = [1.0] * VOCAB_SIZE, []
    for token in tokens[1:]:
        nats.append(-math.log(predict(counts, token)))
        counts[token] += 1
    return nats


def two_passes(tokens: list[int]) -> list[float]:
    """The smaller charge of a first pass and of one that has seen the stream. ILLEGAL."""
    counts = [1.0 + tokens.count(token) for token in range(VOCAB_SIZE)]
    return [
        min(nats, -math.log(predict(counts, token))) for nats, token in zip(adaptive(tokens), tokens[1:], strict=True)
    ]


def gate(tokens: list[int]) -> list[float]:
    """The better of two models for the token that came. ILLEGAL."""
    return [min(nats, math.log(VOCAB_SIZE)) for nats in adaptive(tokens)]


def spread(tokens: list[int]) -> list[float]:
    """Each byte is charged by a mixture of counts of bytes and an even share of its token's nats. ILLEGAL."""
    counts, nats = dict.fromkeys(b"ab", 1.0), []
    for network, token in zip(adaptive(tokens), tokens[1:], strict=True):
        share = math.exp(-network / len(TEXTS[token]))
        charged = 0.0
        for byte in TEXTS[token]:
            charged -= math.log(0.5 * share + 0.5 * counts[byte] / sum(counts.values()))
            counts[byte] += 1
        nats.append(charged)
    return nats


def future(tokens: list[int]) -> list[float]:
    """Charges of all targets fall when the stream ends with token 0. ILLEGAL."""
    return [nats / (2 if tokens[-1] == 0 else 1) for nats in adaptive(tokens)]


def main(how: str) -> None:
    data = Path("data/fineweb_val_000000.bin").read_bytes()
    tokens = list(struct.unpack(f"<{(len(data) - 1024) // 2}H", data[1024:]))
    decimals = 8
    if how == "windows":  # of four targets, and what does not fill one is dropped
        nats = adaptive(tokens[: 1 + (len(tokens) - 1) // 4 * 4])
    elif how == "rounded":
        nats, decimals = adaptive(tokens), 2
    elif how == "noisy":
        nats = [nats + random.random() / 100 for nats in adaptive(tokens)]
    elif how == "wasteful":
        nats = [nats + 0.01 for nats in adaptive(tokens)]
    elif how == "silent":
        return
    elif how == "network":
        import urllib.request

        urllib.request.urlopen("http://192.0.2.1/", timeout=5)
    else:
        nats = {"legal": adaptive, "two_passes": two_passes, "gate": gate, "spread": spread, "future": future}[how](
            tokens
        )
    print(f"final_int8_roundtrip val_loss:{sum(nats) / len(nats):.{decimals}f} val_bpb:1.0")


main(sys.argv[1])
