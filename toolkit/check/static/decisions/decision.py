"""A decision: what the analysis says on a rule."""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.check.static.labels.events import Event


@dataclass(frozen=True, slots=True)
class Decision:
    """A rule that is broken, by file number and line, under the settings that opened the way there."""

    rule: str
    status: str
    message: str
    file: int
    line: int
    guards: tuple[str, ...] = ()


def at(rule: str, status: str, message: str, event: Event) -> Decision:
    """A decision at the place of an event."""
    return Decision(rule, status, message, event.file, event.line, event.guards)
