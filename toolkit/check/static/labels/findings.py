"""What the static analysis says about a submission."""

from __future__ import annotations

from dataclasses import dataclass

FAIL, WARN, UNKNOWN = "FAIL", "WARN", "UNKNOWN"


@dataclass(frozen=True, slots=True)
class StaticFinding:
    """One decision: rule, status, why, where, and the settings that it rests on."""

    rule: str
    status: str
    message: str
    file: str
    line: int
    evidence: str  # the source line
    level: str  # code, wrapper, command or log: where the deciding settings come from
    settings: tuple[str, ...] = ()
