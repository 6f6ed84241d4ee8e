"""Our own `ppm_seed` stage: which files say that a run uses it.

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
from toolkit.folders import BUNDLE_NAME, RECIPE_NAME, SCRIPT_NAME

STAGE = "ppm_seed"
_NAMES = re.compile(r"ppm_?seed|seed_?mix", re.IGNORECASE)  # of functions and classes in a readable script
_TEXTS = re.compile(r"(?:final_\w*|stages: .*|_|\w+\+)?ppm_seed")  # of stages and log lines, kept in packed scripts


@dataclass(frozen=True)
class StageUse:
    """One place: the stages it names or what its source shows; `uses` is None when it cannot be told."""

    where: str
    uses: bool | None
    found: str
    text: str = ""


def judge_use(rule: Rule, use: StageUse, broken: bool | None, expected: str, found: str) -> Finding:
    """Whether the rule is broken at this place; UNKNOWN where that cannot be told."""
    if broken is None:
        return rule.unknown(use.where, expected, found)
    return rule.judge(not broken, use.where, expected, found, use.text)


def ppm_seed_uses(subject: Subject) -> Iterator[StageUse]:
    """What recipe, bundle.json, logs and our own scripts tell of the stage."""
    stages = subject.recipe.get("evaluate", {})
    if isinstance(stages, dict) and isinstance(stages.get("stages"), list):
        yield _of_stages(RECIPE_NAME, stages["stages"], f"stages = {stages['stages']}")
    if isinstance(subject.bundle.get("stages"), list):
        yield _of_stages(BUNDLE_NAME, subject.bundle["stages"], f'"stages": {subject.bundle["stages"]}')
    for run in subject.reported:
        log = run.scored
        scored = next((score for score in log.scores if STAGE in score.key), None)
        setting = log.settings.get("stages")
        if scored:
            yield StageUse(subject.where(log, scored.line), True, f"a score of {scored.key}", scored.text)
        elif setting:
            yield _of_stages(subject.where(log, setting.line), re.findall(r"[\w+]+", setting.value), setting.text)
    if subject.script is None:
        yield StageUse(SCRIPT_NAME, None, "no script")
    elif subject.script.sha256 in subject.named_scripts:  # one that was changed is not cleared
        yield _of_source(subject.script)
        if subject.readable:
            yield _of_source(subject.readable)


def _of_stages(where: str, stages: list[object], text: str) -> StageUse:
    names = [str(stage) for stage in stages]
    return StageUse(where, any(STAGE in name.split("+") for name in names), "stages " + ", ".join(names), text)


def _of_source(file: File) -> StageUse:
    """Names of the stage's functions in a readable script, its log lines in a packed one, where names are shortened."""
    from toolkit.unpack.unpack import parse_source, unpack

    try:
        tree = parse_source(unpack(file.data).source)
    except GolfError as error:
        return StageUse(file.name, None, str(error))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        text = ""
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and _NAMES.search(node.name):
            text = node.name
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            text = node.value if _TEXTS.match(node.value) else ""
        if text:
            return StageUse(file.name, True, f"{STAGE} in the source", text)
    return StageUse(file.name, False, f"no {STAGE} in the source")
