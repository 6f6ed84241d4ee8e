"""ARTIFACT-SELF-CONTAINED: is all that evaluation uses in the counted artifact, or in the folder?

Three signs: a table that training data filled in the same process, scores of a model that was trained and never loaded
from anything, and files that are opened, not written before, and not shipped.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath

from toolkit.check.static.decisions.decision import Decision, at
from toolkit.check.static.decisions.reported import reported_scores
from toolkit.check.static.decisions.tables import tables
from toolkit.check.static.labels.events import LOAD, READ, SAVE, STEP, Event, Trace
from toolkit.check.static.labels.findings import FAIL, WARN
from toolkit.check.static.labels.values import TRAIN, VAL, Module

RULE = "ARTIFACT-SELF-CONTAINED"
# Data of the competition, what the system provides, and what a run writes for people
_ELSEWHERE = re.compile(r"fineweb|dataset|tokenizer|manifest|\.(?:bin|model|vocab|py|log|txt)$|\*|^[/~]", re.IGNORECASE)
_WRITERS = ("save", "savez", "savez_compressed", "save_file", "tofile", "write_bytes", "write_text", "dump")


def self_contained(trace: Trace, modules: Sequence[Module], names: Iterable[str] | None) -> Iterator[Decision]:
    """`names`: files of the folder; None leaves out what is missing in it."""
    for decision in dict.fromkeys(tables(trace)):  # a table is looked up in several places
        if decision.rule == "NO-TRAIN-DATA-AT-EVAL" and decision.status == FAIL:
            message = "a table from training data stays in memory and is in no artifact"
            yield Decision(RULE, FAIL, message, decision.file, decision.line, decision.guards)
    yield from _never_decoded(trace)
    if names is not None:
        written = {PurePosixPath(event.detail).name for event in trace.of(SAVE)}
        shipped = {PurePosixPath(name).name for name in names}
        yield from _missing_files(trace, shipped | written, modules)


def _never_decoded(trace: Trace) -> Iterator[Decision]:
    """Reported scores after training, without any state loaded in between, though the model was saved."""
    trained = [step.order for step in trace.of(STEP) if TRAIN in step.tags and VAL not in step.tags]
    scores = [score for score in reported_scores(trace) if trained and score.order > max(trained)]
    loads = [load.order for load in trace.of(LOAD)]
    saved = any(trained and event.order > min(trained) for event in trace.of(SAVE))
    if saved and scores and not any(load > max(trained) for load in loads):
        yield at(
            RULE, WARN, "the reported score is one of the weights in memory, not of the decoded artifact", scores[0]
        )


def _missing_files(trace: Trace, known: set[str], modules: Sequence[Module]) -> Iterator[Decision]:
    missing: dict[str, Event] = {}
    for event in trace.of(READ):
        path = PurePosixPath(event.detail)
        if path.suffix and path.name not in known and not _ELSEWHERE.search(event.detail):
            missing.setdefault(path.name, event)
    written = _written(modules) if missing else set()
    for name, event in missing.items():
        if name not in written:
            yield at(RULE, WARN, f"reads {name}, which is not in the folder", event)


def _written(modules: Sequence[Module]) -> set[str]:
    """Names of files that the sources write somewhere, in branches that the run does not reach too."""
    found: set[str] = set()
    for module in modules:
        for call in (node for node in ast.walk(module.tree) if isinstance(node, ast.Call)):
            function = call.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            texts = [n.value for n in ast.walk(call) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
            if name in _WRITERS or (name == "open" and any(re.fullmatch(r"[wax]b?\+?", text) for text in texts)):
                found |= {PurePosixPath(text).name for text in texts}
    return found
