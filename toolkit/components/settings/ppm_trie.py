"""The `[ppm_trie]` table: a context model on the vocabulary's trie."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from toolkit.components.settings.field import Allowed, above, between, one_of, require, setting
from toolkit.components.settings.section import Section

if TYPE_CHECKING:
    from toolkit.components.config import Config


@dataclass(frozen=True)
class PpmTrie(Section):
    """Context model on the vocabulary's trie, mixed into the network's own decisions; exactly normalised.

    A context is a sum of parts: `o3` the last three bytes, `b2` the last but one alone; `word` the letters of the word
    so far, `word1` to `word3` the words before it; `token` the bytes of the token so far, `token1` to `token3` the
    tokens before it. How many bytes of the token are known is part of every context. What the first context has seen
    also chooses among the weights of the mixture.
    """

    name: ClassVar[str] = "ppm_trie"
    log_prefix: ClassVar[str] = "ppm_trie_"

    engine: str = setting(
        "logistic",
        "logistic: gated mixing of log-odds; linear: shares of probabilities",
        one_of("logistic", "linear"),
        log="always",
    )
    contexts: tuple[str, ...] = setting(
        (
            *("word", "o1", "o2", "o3", "o4", "o6", "o8", "word+word1", "word+word2", "word+word1+word2"),
            *("o1+word", "token+token1+token2+token3"),
        ),
        "what predictions are learned for, each a sum of parts as above",
        Allowed("1 to 14 of them", lambda value: 1 <= len(value) <= 14),
        log="always",
    )
    table_bits: int = setting(
        22, "log2 of the number of 32-byte lines in the table of a context", between(8, 30), log="always"
    )
    learning_rate: float = setting(
        0.00025, "learning rate of the mixture's weights; 0 leaves the network as it is", between(0, 1), log="always"
    )
    shards: int = setting(
        1, "mixers that take turns; more of them use more cores and learn less each", above(0), log="always"
    )
    chunk_tokens: int = setting(4096, "tokens of a turn", above(0), log="always")

    def __post_init__(self) -> None:
        super().__post_init__()
        for context in self.contexts:
            for part in context.split("+"):
                require(part in _context_parts(), "ppm_trie.contexts", "parts " + ", ".join(_context_parts()), context)

    def on(self, cfg: "Config") -> bool:
        return "ppm_trie" in cfg.evaluate.mixers

    @property
    def masks(self) -> tuple[int, ...]:
        """By context a mask of the last eight bytes, and one of hashes: token to token3, word to word3."""
        masks = []
        for context in self.contexts:
            parts = [_context_parts()[part] for part in context.split("+")]
            masks += [sum({part[i] for part in parts}) for i in range(2)]
        return tuple(masks)


def _context_parts() -> dict[str, tuple[int, int]]:
    """What a context may be made of, as masks."""
    orders = {f"o{n}": ((1 << 8 * n) - 1, 0) for n in range(9)}
    singles = {f"b{n}": (255 << 8 * (n - 1), 0) for n in range(1, 9)}
    hashes = {f"{name}{n or ''}": (0, 1 << 4 * i + n) for i, name in enumerate(("token", "word")) for n in range(4)}
    return orders | singles | hashes
