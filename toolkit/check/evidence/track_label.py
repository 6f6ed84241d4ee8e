"""TRACK-LABEL: the track that a folder says it belongs to, and the hardware of its runs."""

import re
from collections.abc import Iterator

from toolkit.check.rulebook.finding import Finding
from toolkit.check.rulebook.ruleset import Rule, known_tracks
from toolkit.check.subject.subject import FOLDER, RECORD_TRACK, Subject


def track_label(subject: Subject, rule: Rule) -> Iterator[Finding]:
    """All labels are of one known track; a run for the leaderboard is one of its hardware."""
    labels = subject.labels
    expected = "one of " + ", ".join(known_tracks())
    found = ", ".join(f"{label} ({where})" for where, label in labels.items())
    if subject.track is None:
        yield rule.unknown(".", expected, found or "no label")
        return
    yield rule.judge(_agree(labels), ".", f"one label, judged as {subject.track}", found)
    if "world_size" not in rule.parameters:
        return
    expected = f"{rule.parameters['world_size']} ranks on {rule.parameters['hardware']}"
    for run in subject.reported:
        log = run.trained
        fact, device = log.facts.get("world_size"), log.facts.get("hardware")
        if fact is None:
            yield rule.unknown(subject.where(log), expected, "no line with world_size")
            continue
        holds = fact.value == rule.parameters["world_size"]
        found = f"{fact.value} ranks" + (f" on {device.value}" if device else "")
        if device and not re.search(rule.parameters["hardware"], str(device.value), re.IGNORECASE):
            holds, fact = False, device
        yield rule.judge(holds, subject.where(log, fact.line), expected, found, fact.text)


def _agree(labels: dict[str, str]) -> bool:
    """True for one label; the folder's name stands for either of the tracks that are not the leaderboard's."""
    explicit = {label for where, label in labels.items() if where != FOLDER}
    folder = labels.get(FOLDER)
    if len(explicit) > 1 or folder is None or not explicit:
        return len(explicit) <= 1
    return (folder == RECORD_TRACK) == (RECORD_TRACK in explicit)
