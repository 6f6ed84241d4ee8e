"""Effective settings of a run: code default < wrapper default < run command < dump in the log."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

LEVELS = ("code", "wrapper", "command", "log")
_ASSIGN = re.compile(r"(?<![\w.$])([A-Z][A-Z0-9_]{2,})=(\"[^\"\n]*\"|'[^'\n]*'|[^\s\"'`;&|\\]*)")
_LAUNCH = re.compile(r"torchrun|torch\.distributed|python3?\s+\S*\.py|accelerate\s+launch")
_DUMP = re.compile(r"^(?:\d{10}\.\d{3} )?  ([a-z][a-z0-9_]*): (.*)$")
_SETDEFAULT = re.compile(
    r"environ(?:\.setdefault\(\s*|\[\s*)['\"]([A-Z][A-Z0-9_]+)['\"](?:\s*,\s*|\s*\]\s*=\s*)['\"]([^'\"]*)['\"]"
)
MAX_TEXT = 4_000_000


@dataclass(frozen=True, slots=True)
class Settings:
    """Values by environment name and level; the log's dump is keyed by the lower-case attribute name.

    `printed` is the text of the log, whose lines may tell more.
    """

    wrapper: Mapping[str, str] = field(default_factory=dict)
    command: Mapping[str, str] = field(default_factory=dict)
    log: Mapping[str, str] = field(default_factory=dict)
    printed: str = ""

    def lookup(self, name: str) -> tuple[str, str] | None:
        """(value, level) that overrides the code's default of an environment name or attribute."""
        for level, table, key in (
            ("log", self.log, name.lower()),
            ("command", self.command, name.upper()),
            ("wrapper", self.wrapper, name.upper()),
        ):
            if key in table:
                return table[key], level
        return None


def command_settings(text: str) -> dict[str, str]:
    """`X=1 Y=2 torchrun ...` and `export X=1` of a README or shell script; the first launch decides.

    Further launches of a README are ablations and other hardware.
    """
    found: dict[str, str] = {}
    launched = False
    text = text[:MAX_TEXT].replace("\\\n", " ")
    for line in text.splitlines():
        if len(line) > 20_000:
            continue
        launch = _LAUNCH.search(line)
        exported = line.lstrip().startswith("export ")
        whole = re.fullmatch(r"\s*(?:[A-Z][A-Z0-9_]+=\S*\s*)+", line) is not None
        if launch and launched:
            continue
        if launch or exported or whole:
            for name, value in _ASSIGN.findall(line[: launch.start()] if launch else line):
                if "$" not in value:
                    found[name] = value.strip("\"'")
        launched = launched or (launch is not None and "train" in line)
    return found


def wrapper_settings(text: str) -> dict[str, str]:
    """Defaults that a packed script's wrapper puts into the environment before the real code runs."""
    return dict(_SETDEFAULT.findall(text[:MAX_TEXT]))


def log_settings(text: str) -> dict[str, str]:
    """The `Hyperparameters:` block of a log: two-space `key: value` lines."""
    found: dict[str, str] = {}
    inside = False
    for line in text[:MAX_TEXT].splitlines():
        if line.rstrip().endswith("Hyperparameters:"):
            inside = True
            continue
        if inside:
            match = _DUMP.match(line)
            if match is None:
                break
            found[match[1]] = match[2].strip()
    return found


def read_settings(
    readme: str = "", shells: tuple[str, ...] = (), wrapper: str = "", logs: tuple[str, ...] = ()
) -> Settings:
    """Settings from the texts of a folder. Logs that disagree on a value leave it to the lower levels."""
    command: dict[str, str] = {}
    for text in (*shells, readme):
        command.update(command_settings(text))
    dumps = [dump for dump in map(log_settings, logs) if dump]
    agreed = {k: v for k, v in (dumps[0] if dumps else {}).items() if all(d.get(k) == v for d in dumps)}
    return Settings(wrapper_settings(wrapper), command, agreed)
