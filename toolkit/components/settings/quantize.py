"""The `[quantize]` table: how weights become bytes."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

from toolkit.components.settings.field import Allowed, above, at_least, between, one_of, setting
from toolkit.components.settings.methods import METHODS
from toolkit.components.settings.section import Section

if TYPE_CHECKING:
    from toolkit.components.config import Config

CODED_STORAGES = ("levels", "points")  # symbols lie in a stream of their own, see `artifact/coders.py`


@dataclass(frozen=True)
class Quantize(Section):
    """How weights become bytes."""

    name: ClassVar[str] = "quantize"
    reads_artifact: ClassVar[bool] = True

    method: str = setting(
        "gptq",
        "; ".join(f"{name}: {method.meaning}" for name, method in METHODS.items()),
        one_of(*METHODS),
        log="always",
    )
    matrix_bits: int = setting(6, "bits of a weight of a matrix (gptq, percentile)", between(2, 8))
    embed_bits: int = setting(8, "bits of a weight of an embedding (gptq, percentile)", between(2, 8))
    matrix_clip_sigmas: float = setting(
        12.85, "SDClip's k for matrices, scale = k * std(row) / largest level (gptq)", above(0), source="#1394"
    )
    embed_clip_sigmas: float = setting(20.0, "SDClip's k for embeddings (gptq)", above(0), source="#1394")
    clip_percentile: float = setting(
        99.99984,
        "percentile of a row's magnitudes at which it is clipped (percentile)",
        Allowed("above 0, up to 100", lambda value: 0 < value <= 100),
        source="#1",
    )
    calibration_batches: int = setting(64, "micro-batches of training data for statistics, over all ranks", above(0))
    damping: float = setting(0.01, "share of the Hessian's mean diagonal that is added to it (gptq)", above(0))
    block_size: int = setting(128, "columns of a lazy update (gptq)", above(0))
    passthrough_max_numel: int = setting(
        65_536, "tensors up to this size stay fp16, control tensors fp32 (gptq, percentile)", at_least(0)
    )
    compressor: str = setting(
        "brotli",
        "brotli (quality 11) or zlib (level 9), after byte shuffling (gptq, percentile)",
        one_of("brotli", "zlib"),
    )
    reserve_seconds: float = setting(
        10.0, "kept back from the training clock for calibration", at_least(0), log="always"
    )

    def check(self, cfg: "Config") -> None:
        cap = cfg.train.max_wallclock_seconds
        self.require(
            cap == 0 or self.reserve_seconds < cap, "reserve_seconds", f"below train.max_wallclock_seconds = {cap}"
        )

    def small(self, cfg: "Config") -> Self:
        return replace(
            self,
            calibration_batches=2,
            block_size=16,
            passthrough_max_numel=256 if self.passthrough_max_numel else 0,
        )

    @property
    def storage(self) -> str:
        """How the artifact holds matrices: integers, levels or points."""
        return METHODS[self.method].storage

    @property
    def coded(self) -> bool:
        """Whether the artifact has a coded stream."""
        return self.storage in CODED_STORAGES

    @property
    def vector_bytes(self) -> int:
        """Bytes of a number in a vector or scalar: 2 or 4."""
        return METHODS[self.method].vector_bytes

    @property
    def symbols(self) -> str:
        """Name of what weights become in log lines, such as `int6`."""
        return f"int{self.matrix_bits}" if self.storage == "integers" else self.method

    @property
    def label(self) -> str:
        """Name of the format in log lines, such as `int6+brotli`."""
        return self.symbols + "+" + ("rans" if self.coded else self.compressor)
