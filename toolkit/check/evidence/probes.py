"""Outcomes of the behavioural probes, as `golf probe` leaves them in a build and `golf package` puts them in a record.

The file is somebody's word like any other in a folder: its commands are there to be repeated. It counts for the script
whose SHA-256 it names.
"""

import contextlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from toolkit.check.rulebook.finding import OUTCOMES, Finding
from toolkit.check.rulebook.ruleset import Rule
from toolkit.check.subject.subject import Subject
from toolkit.folders import PROBES_NAME

SCHEMA_VERSION = 1
NAMES = ("kraft", "causal", "order", "val-independence", "self-contained", "repeat")
_TEXTS = ("where", "expected", "found", "evidence")


def probe_findings(subject: Subject, rules: Iterable[Rule]) -> Iterator[Finding]:
    """What the probes found for the subject's script, under the rules of its track."""
    by_id = {rule.id: rule for rule in rules if not rule.waived}
    digest = subject.script.sha256 if subject.script else "no script"
    for finding in read_findings(subject.probes):
        rule = by_id.get(finding["rule"])
        if rule is None:
            continue
        where, expected, found, evidence = (finding[key] for key in _TEXTS)
        if subject.probes.get("bundle_sha256") != digest:
            named = str(subject.probes.get("bundle_sha256"))[:12]
            yield rule.unknown(
                PROBES_NAME, f"a probe of this script ({digest[:12]})", f"one of another script ({named})"
            )
            continue
        yield rule.finding(finding["outcome"], f"{PROBES_NAME} {where}", expected, found, evidence)


def read_findings(probes: dict[str, Any]) -> Iterator[dict[str, str]]:
    """The findings in the content of a file, as far as they are findings; an outcome that is none is UNKNOWN."""
    outcomes = probes.get("probes")
    for probe in outcomes.values() if isinstance(outcomes, dict) else ():
        findings = probe.get("findings") if isinstance(probe, dict) else None
        for found in findings if isinstance(findings, list) else ():
            if isinstance(found, dict):
                texts = {key: str(found.get(key, "")) for key in ("rule", "outcome", *_TEXTS)}
                yield texts | {"outcome": texts["outcome"] if texts["outcome"] in OUTCOMES else "UNKNOWN"}


def read_probes(build: Path) -> dict[str, Any]:
    """Content of the file in a build, empty where there is none that can be read."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        content = json.loads((build / PROBES_NAME).read_text(encoding="utf-8"))
        if isinstance(content, dict):
            return content
    return {}


def missing_probes(probes: dict[str, Any], bundle_sha256: str) -> list[str]:
    """Names of the probes without an outcome for a script."""
    outcomes = probes.get("probes")
    if probes.get("bundle_sha256") != bundle_sha256 or not isinstance(outcomes, dict):
        return list(NAMES)
    return [name for name in NAMES if name not in outcomes]
