"""The `[data]` table: which shards and tokenizer."""

from dataclasses import dataclass
from typing import ClassVar

from toolkit.components.settings.field import one_of, setting
from toolkit.components.settings.section import Section


@dataclass(frozen=True)
class Data(Section):
    """Which shards and tokenizer; the folders they lie in come from the environment."""

    name: ClassVar[str] = "data"

    dataset: str = setting("fineweb10B_sp1024", "name of a folder in data/datasets", log="always")
    tokenizer: str = setting("fineweb_1024_bpe.model", "name of a file in data/tokenizers", log="always")
    loader: str = setting(
        "contiguous",
        "order of the training data: contiguous is one stream, coprime takes blocks by coprime strides",
        one_of("contiguous", "coprime"),
        source="#726",
        log="always",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("dataset", "tokenizer"):
            value = getattr(self, key)
            self.require(value.strip(".") != "" and "/" not in value, key, "a plain name, no path")
