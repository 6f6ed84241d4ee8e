"""Flags travel through parameters."""

from toolkit.components.config import Config
from toolkit.components.scale import Scaler, scaled


def main(cfg: Config, path: str) -> None:
    scaler = Scaler(cfg.model.ln_scale, 3)
    print(scaler.apply(2.0), scaled(4.0, cfg.model.ln_scale, factor=5))
    print(scaled(1.0, factor=7, halve=cfg.model.ln_scale), both(1, True), both(2, False), ignored(8, path))
    print(f"{shown(cfg.model.skip_gates)}", text(cfg.model.skip_gates))


def both(x: int, negate: bool) -> int:
    """Calls disagree, so this one keeps its parameter."""
    return -x if negate else x


def ignored(x: int, path: str) -> int:
    return x + 1


def shown(flag: bool) -> str:
    """Called inside an f-string, where it stays as it is."""
    return "on" if flag else "off"


def text(flag: bool) -> str:
    return f"flag {flag} of {flag!r}".title()
