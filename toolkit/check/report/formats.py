"""Reports for other programs: SARIF 2.1.0 for code scanning, and the workflow commands of GitHub.

Only findings that are no PASS are shown. Paths are those of the checked folder below `place`.
"""

import re
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

from toolkit.check.rulebook.finding import Finding, Report, by_severity, printable
from toolkit.check.rulebook.ruleset import EDITION, all_rules

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {"FAIL": "error", "UNKNOWN": "warning", "WARN": "warning"}
_COMMANDS = {"FAIL": "error", "UNKNOWN": "warning", "WARN": "warning"}
_LINE = re.compile(r"(.+):(\d{1,9})")
_NO_FILE = re.compile(r"\.|seed \d+|train log|folder (?:name|place)|[0-9a-f]{12}\.\.[0-9a-f]{12}")


def to_sarif(report: Report, place: str = "") -> dict[str, Any]:
    """One run with the rules that were broken; a place in submission.json or a log is a physical location."""
    shown = [finding for finding in by_severity(report.findings) if finding.outcome != "PASS"]
    ids = sorted({finding.rule for finding in shown})
    pages = {rule.id: rule for rule in all_rules()}
    rules = [
        {
            "id": rule_id,
            "shortDescription": {"text": pages[rule_id].title if rule_id in pages else rule_id},
            "fullDescription": {"text": pages[rule_id].what if rule_id in pages else rule_id},
            "help": {"text": pages[rule_id].remedy if rule_id in pages else rule_id},
        }
        for rule_id in ids
    ]
    driver = {"name": "golf check", "version": version("golf-toolkit"), "rules": rules}
    results = [_result(finding, ids.index(finding.rule), place) for finding in shown]
    properties = {"verdict": report.verdict, "edition": EDITION, "commit": report.facts.get("commit")}
    run = {"tool": {"driver": driver}, "results": results, "properties": properties}
    return {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(finding: Finding, index: int, place: str) -> dict[str, Any]:
    name, line = _location(finding, place)
    location: dict[str, Any] = {"artifactLocation": {"uri": quote(name, errors="replace")}}
    if line:
        location["region"] = {"startLine": line}
    return {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": _LEVELS[finding.outcome],
        "message": {"text": _message(finding)},
        "locations": [{"physicalLocation": location}],
        "properties": {"outcome": finding.outcome, "configuration": finding.level, "references": finding.references},
    }


def annotation_lines(report: Report, place: str = "") -> Iterator[str]:
    """`::error file=...,line=...,title=RULE::message`, and the verdict."""
    for finding in by_severity(report.findings):
        if finding.outcome == "PASS":
            continue
        name, line = _location(finding, place)
        properties = {"file": name} | ({"line": str(line)} if line else {})
        properties["title"] = f"{finding.rule} {finding.outcome}"
        listed = ",".join(f"{key}={_escape(value, ':,')}" for key, value in properties.items())
        yield f"::{_COMMANDS[finding.outcome]} {listed}::{_escape(_message(finding))}"
    yield f"::notice title=golf check::{report.verdict}"


def _location(finding: Finding, place: str) -> tuple[str, int | None]:
    """File and line of a finding; the folder itself for what is about no file."""
    match = _LINE.fullmatch(finding.where)
    name, line = (match[1], int(match[2])) if match else (finding.where.partition(" ")[0], None)
    if not match and (_NO_FILE.fullmatch(finding.where) or not name):
        name = ""
    return "/".join(part for part in (place.strip("/"), name) if part) or ".", line


def _message(finding: Finding) -> str:
    lines = (f"expected {finding.expected}; found {finding.found}", finding.evidence, finding.basis)
    return "\n".join(printable(line) for line in lines if line)


def _escape(text: str, more: str = "") -> str:
    """Percent escapes of workflow commands, so that no text of a stranger becomes a command of its own."""
    return "".join(f"%{ord(c):02X}" if c in "%\r\n" + more else c for c in _printable_lines(text))


def _printable_lines(text: str) -> str:
    return "\n".join(printable(line) for line in text.split("\n"))
