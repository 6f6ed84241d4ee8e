"""The mixer `ppm_seed` has no form of one token at a time, and this is why it is no score."""

from typing import NoReturn

from toolkit.components.config import Config
from toolkit.probe.steps.step import Scorer


def mixer(cfg: Config, scorer: Scorer, strings: list[bytes], num_targets: int) -> NoReturn:
    raise LookupError("ppm_seed has no form of one token at a time: its charges are no probability distribution")
