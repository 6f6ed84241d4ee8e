"""The static rules on a subject's script: what the analysis found, or that nothing of the kind can be reached.

Reads the script as it was before packing and the sources beside it. The settings are those of the run that is
reported: defaults of the code, of a packed script's wrapper, the run command, the log; later ones win.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from toolkit.check.rulebook.finding import Finding
from toolkit.check.rulebook.ruleset import Rule
from toolkit.check.static.analyze import analyze
from toolkit.check.static.context.settings import Settings, read_settings
from toolkit.check.static.labels.findings import StaticFinding
from toolkit.check.subject.files import Source
from toolkit.check.subject.subject import MAX_TEXT_BYTES, File, Subject
from toolkit.errors import GolfError
from toolkit.folders import REQUIREMENTS_NAME
from toolkit.unpack.unpack import Unpacked, unpack

COMPLETENESS = "STATIC-ANALYSIS"
_SOURCES = (".py", ".c", ".cc", ".cpp", ".cu", ".h")
_PYTHON_NAME = re.compile(r"[\w./-]+\.py\b")
_MAX_STUB_BYTES = 1_000
_MAX_TOTAL_BYTES = 16 << 20
_MAX_LOGS = 8
_MAX_LINE_BYTES = 2_000


@dataclass(frozen=True)
class Analysis:
    """Findings by rule. `packed`: lines are those of the unpacked script. `stopped`: why it is not complete."""

    script: str
    packed: bool
    findings: tuple[StaticFinding, ...]
    stopped: str = ""


def analyze_script(subject: Subject) -> Analysis | None:
    """The analysis of the subject's script, None without one."""
    script, source = subject.script, subject.source
    if script is None:
        return None
    beside = _texts(source.ancestor() if subject.kind == "run" else source, subject)
    sources = {name: text for name, text in beside.items() if name.endswith(_SOURCES)}
    try:
        name, unpacked = _program(script, sources)
    except GolfError as error:
        return Analysis(script.name, False, (), str(error))
    packed = bool(unpacked.layers)
    sources[name] = unpacked.source
    shells = tuple(text for name, text in beside.items() if name.endswith(".sh"))
    settings = read_settings(subject.readme, shells, script.text if packed else "")
    settings = Settings(settings.wrapper, settings.command, _agreed(subject), _printed(subject))
    found = analyze(sources, name, settings, beside.get(REQUIREMENTS_NAME, ""), source.names)
    stopped = next((f.message for f in found if f.rule == COMPLETENESS), "")
    return Analysis(name, packed, tuple(f for f in found if f.rule != COMPLETENESS), stopped)


def judge_script(analysis: Analysis, rules: Iterable[Rule]) -> Iterator[Finding]:
    """The findings; a rule without one gets a PASS, unless the analysis ended early, which is reported once."""
    for rule in rules:
        if not rule.static:
            continue
        found = [f for f in analysis.findings if f.rule == rule.id]
        for f in found:
            outcome = f.status if rule.violation == "FAIL" and rule.status != "DISPUTED" else "WARN"
            text = "; ".join((f.message, *f.settings))
            where = f"{f.file}:{f.line}"
            if analysis.packed and f.file == analysis.script:
                text += " (line of the unpacked script)"
            yield rule.finding(outcome, where, rule.title, text, f.evidence, f.level)
        if rule.id == COMPLETENESS:
            yield rule.finding(
                "UNKNOWN" if analysis.stopped else "PASS", analysis.script, rule.title, analysis.stopped or "it was"
            )
        elif not found and not analysis.stopped:
            yield rule.finding("PASS", analysis.script, rule.title, "nothing of the kind in what the script reaches")


def _program(script: File, beside: Mapping[str, str]) -> tuple[str, Unpacked]:
    """Name and content of what runs: the script, or the file beside it that a short stub executes (#1412)."""
    try:
        return script.name, unpack(script.data)
    except GolfError:
        named = [name for name in _PYTHON_NAME.findall(script.text[:_MAX_STUB_BYTES]) if name in beside]
        if len(script.data) > _MAX_STUB_BYTES or not named:
            raise
        return named[0], unpack(beside[named[0]].encode())


def _texts(source: Source, subject: Subject) -> dict[str, str]:
    """Sources, commands and requirements beside the script, by name, without its readable script."""
    own = {file.name for file in (subject.script, subject.readable) if file}
    found: dict[str, str] = {}
    left = _MAX_TOTAL_BYTES
    for name in source.names:
        wanted = name.endswith((*_SOURCES, ".sh")) or name == REQUIREMENTS_NAME
        if not wanted or name in own or source.size(name) > min(MAX_TEXT_BYTES, left):
            continue
        with source.open(name) as stream:
            file = File(name, stream.read(MAX_TEXT_BYTES))
        left -= len(file.data)
        found[name] = file.text
    return found


def _printed(subject: Subject) -> str:
    """Lines of the logs of the reported runs."""
    names = dict.fromkeys(run.scored.path.relative_to(subject.root).as_posix() for run in subject.reported)
    lines: list[bytes] = []
    for name in list(names)[:_MAX_LOGS]:
        with subject.source.open(name) as stream:
            lines += stream.read(MAX_TEXT_BYTES).splitlines()
    return b"\n".join(line for line in lines if len(line) <= _MAX_LINE_BYTES).decode(errors="replace")


def _agreed(subject: Subject) -> dict[str, str]:
    """Settings that all reported runs print alike; others are left to the lower levels."""
    dumps = [{key: fact.value for key, fact in run.scored.settings.items()} for run in subject.reported]
    dumps = [dump for dump in dumps if dump]
    first = dumps[0] if dumps else {}
    return {key: value for key, value in first.items() if all(dump.get(key) == value for dump in dumps)}
