"""Findings and the verdict over them."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

SCHEMA_VERSION = 1
OUTCOMES = ("FAIL", "UNKNOWN", "WARN", "PASS")  # worst first: missing evidence outweighs a warning
_MAX_TEXT = 300


@dataclass(frozen=True)
class Finding:
    """What one rule says about one place. `evidence` is the line of the log or file that decided it.

    `level` names the configuration that the verdict rests on where one does: code, wrapper, command or log.
    `references` are the texts, issues and pull requests where the rule was made.
    """

    rule: str
    outcome: str
    where: str
    expected: str
    found: str
    evidence: str = ""
    level: str = ""
    references: tuple[str, ...] = ()

    @property
    def basis(self) -> str:
        """Configuration and references in one line."""
        parts = (f"configuration: {self.level}" if self.level else "", ", ".join(self.references))
        return "; ".join(part for part in parts if part)


@dataclass(frozen=True)
class Report:
    """All findings with the facts they rest on."""

    findings: tuple[Finding, ...]
    facts: dict[str, Any]

    @property
    def verdict(self) -> str:
        """The worst outcome; UNKNOWN when nothing was checked."""
        outcomes = {finding.outcome for finding in self.findings}
        return next((outcome for outcome in OUTCOMES if outcome in outcomes), "UNKNOWN")

    @property
    def passed(self) -> bool:
        """Warnings pass; missing evidence does not."""
        return self.verdict in ("PASS", "WARN")

    def to_json(self) -> dict[str, Any]:
        """`{"schema_version", "verdict", "findings": [...], "facts": {"seeds": [...]}}`, without NaN and infinities."""
        findings = [asdict(finding) for finding in self.findings]
        content = {"schema_version": SCHEMA_VERSION, "verdict": self.verdict, "findings": findings, "facts": self.facts}
        cleaned: dict[str, Any] = _finite(content)
        return cleaned


def shorten(text: str) -> str:
    """One line of evidence, cut where it stops being readable."""
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…"


def printable(text: str) -> str:
    """Text of a stranger made safe for a terminal: control characters are shown as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """Worst first, otherwise in the order they were found."""
    return sorted(findings, key=lambda finding: OUTCOMES.index(finding.outcome))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
