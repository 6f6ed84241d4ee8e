"""Our own `ppm_seed` stage: which files say that a run uses it, and which gate it has; gates that others' logs count.

Covers recipe, bundle.json, logs and the source of our scripts. It knows nothing of other people's mixers: a script that
no bundle hash ties to this toolkit is left to the static analysis, which looks at every script.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from toolkit.check.rulebook.finding import Finding
from toolkit.check.rulebook.ruleset import Rule
from toolkit.check.subject.subject import File, Subject
from toolkit.errors import GolfError

STAGE = "ppm_seed"
_CONTEXT_GATES = ("strict", "documented")
_NAMES = re.compile(r"ppm_?seed|seed_?mix", re.IGNORECASE)  # of functions and classes in a readable script
_TEXTS = re.compile(r"(?:final_\w*|stages: .*|_)?ppm_seed")  # of log lines, which a packed script keeps as they are


@dataclass(frozen=True)
class _Evidence:
    """One place: the stages it names or what its source shows; `uses` is None when it cannot be told."""

    where: str
    uses: bool | None
    found: str
    text: str = ""


def target_gate(subject: Subject, rule: Rule) -> Iterator[Finding]:
    """Places that use the stage with a gate that has seen the byte; the other gates read the context alone."""
    gate = _gate(subject)
    for evidence in _evidence(subject):
        found = f"{evidence.found}, gate {gate!r}" if evidence.uses else evidence.found
        uses = evidence.uses and gate not in _CONTEXT_GATES
        yield _finding(rule, evidence, uses, "no weight that depends on the byte it helps to score", found)

    yield from _logged_gates(subject, rule)


def _logged_gates(subject: Subject, rule: Rule) -> Iterator[Finding]:
    """Hints that a log counts by whether the token continues or starts a word, which only the token itself tells.

    The same script with these gates shut is legal (#1514, #2135), and its counters are zero.
    """
    for run in subject.reported:
        counters = [run.scored.facts[name] for name in ("within_gate", "word_gate") if name in run.scored.facts]
        if counters:
            where, found = subject.where(run.scored, counters[0].line), " and ".join(f"{c.value:,}" for c in counters)
            opened = any(counter.value for counter in counters)
            expected = "no hint that is gated by the kind of the realised token"
            yield rule.judge(
                not opened, where, expected, f"{found} hints within and at the start of words", counters[0].text
            )


def byte_spread(subject: Subject, rule: Rule) -> Iterator[Finding]:
    """Places that use the stage, whatever its gate."""
    for evidence in _evidence(subject):
        yield _finding(rule, evidence, evidence.uses, "no even spread of a token over its bytes", evidence.found)


def _finding(rule: Rule, evidence: _Evidence, uses: bool | None, expected: str, found: str) -> Finding:
    if uses is None:
        return rule.unknown(evidence.where, expected, found)
    return rule.judge(not uses, evidence.where, expected, found, evidence.text)


def _evidence(subject: Subject) -> Iterator[_Evidence]:
    stages = subject.recipe.get("evaluate", {})
    if isinstance(stages, dict) and isinstance(stages.get("stages"), list):
        yield _of_stages("recipe.toml", stages["stages"], f"stages = {stages['stages']}")
    if isinstance(subject.bundle.get("stages"), list):
        yield _of_stages("bundle.json", subject.bundle["stages"], f'"stages": {subject.bundle["stages"]}')
    for run in subject.reported:
        log = run.scored
        scored = next((score for score in log.scores if STAGE in score.key), None)
        setting = log.settings.get("stages")
        if scored:
            yield _Evidence(subject.where(log, scored.line), True, f"a score of {scored.key}", scored.text)
        elif setting:
            yield _of_stages(subject.where(log, setting.line), re.findall(r"\w+", setting.value), setting.text)
    if subject.script is None:
        yield _Evidence("train_gpt.py", None, "no script")
    elif _is_ours(subject):
        yield _of_source(subject.script)
        if subject.readable:
            yield _of_source(subject.readable)


def _of_stages(where: str, stages: list[object], text: str) -> _Evidence:
    return _Evidence(where, STAGE in stages, "stages " + ", ".join(map(str, stages)), text)


def _is_ours(subject: Subject) -> bool:
    """A log or bundle.json names the very script. It does not clear a script that was changed."""
    named = {run.scored.number("bundle_sha256") for run in subject.reported}
    hashes = subject.bundle.get("sha256")
    if isinstance(hashes, dict):
        named.add(hashes.get("train_gpt.py"))
    return subject.script is not None and subject.script.sha256 in named


def _of_source(file: File) -> _Evidence:
    """Names of the stage's functions in a readable script, its log lines in a packed one, where names are shortened."""
    from toolkit.unpack.unpack import parse_source, unpack

    try:
        tree = parse_source(unpack(file.data).source)
    except GolfError as error:
        return _Evidence(file.name, None, str(error))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        text = ""
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and _NAMES.search(node.name):
            text = node.name
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            text = node.value if _TEXTS.match(node.value) else ""
        if text:
            return _Evidence(file.name, True, f"{STAGE} in the source", text)
    return _Evidence(file.name, False, f"no {STAGE} in the source")


def _gate(subject: Subject) -> str:
    """The gate that recipe and logs name, the worst where they differ; the stage's default when nobody names one."""
    section = subject.recipe.get(STAGE)
    gates = [section.get("gate")] if isinstance(section, dict) else []
    logged = (run.scored.settings.get(f"{STAGE}_gate") for run in subject.reported)
    named = [gate for gate in (*gates, *(fact.value for fact in logged if fact)) if isinstance(gate, str)]
    return min(named, key=_CONTEXT_GATES.__contains__, default="v2")
