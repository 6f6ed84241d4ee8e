"""From the sources of a submission to the findings of the static rules, by an abstract run. Nothing is executed."""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from toolkit.check.static.context.native import Native, looks_native, native_functions
from toolkit.check.static.context.packages import undeclared
from toolkit.check.static.context.printed import Printed
from toolkit.check.static.context.settings import LEVELS, Settings
from toolkit.check.static.decisions.decide import decide
from toolkit.check.static.labels.events import IMPORT, Trace
from toolkit.check.static.labels.findings import UNKNOWN, WARN, StaticFinding
from toolkit.check.static.labels.values import Module, Value
from toolkit.check.static.state.machine import MAX_DEPTH, Frame, Stopped
from toolkit.check.static.steps.run import Run
from toolkit.syntax.parse import NotReadable, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_SOURCE = 4_000_000


def analyze(
    sources: Mapping[str, str],
    entry: str,
    settings: Settings | None = None,
    requirements: str = "",
    names: Iterable[str] | None = None,
) -> list[StaticFinding]:
    """Findings of the static rules.

    `sources` are unpacked texts by path: the entry script and the side files it may use; `names` are all files of the
    folder, None when there is no folder to miss a file in. A limit ends in one UNKNOWN.
    """
    try:
        trace, modules, natives = trace_run(sources, entry, settings or Settings())
    except Stopped as stop:
        return [StaticFinding("STATIC-ANALYSIS", UNKNOWN, str(stop), entry, 0, "", "code")]
    found = [
        _finding(d.rule, d.status, d.message, modules[d.file], d.line, d.guards, sources)
        for d in decide(trace, natives, modules, names)
    ]
    imports = {e.detail: e for e in reversed(trace.of(IMPORT))}
    for name in undeclared(set(imports), {m.name for m in modules}, requirements):
        event = next(e for i, e in imports.items() if i.split(".")[0] == name)
        message = f"imports {name}, which requirements.txt does not list"
        found.append(_finding("EXTERNAL-PACKAGES", WARN, message, modules[event.file], event.line, (), sources))
    if trace.stopped:
        found.append(StaticFinding("STATIC-ANALYSIS", UNKNOWN, trace.stopped, entry, 0, "", "code"))
    return sorted(found, key=lambda f: (f.rule, f.file, f.line, f.status))


def trace_run(
    sources: Mapping[str, str], entry: str, settings: Settings
) -> tuple[Trace, list[Module], dict[str, Native]]:
    """The events of an abstract run of `entry`, the files by number, and the C functions by name."""
    with _deep_stack():
        modules = [Module("__main__", entry, 0, _parse(sources[entry]))]
        side: dict[str, Module] = {}
        for path in sorted(sources):
            if path != entry and path.endswith(".py"):
                try:
                    module = Module(PurePosixPath(path).stem, path, len(modules), _parse(sources[path]))
                except Stopped:
                    continue
                modules.append(module)
                side[module.name] = module
        printed = Printed(settings.printed, modules[0].tree)
        settings = replace(settings, log={**printed.settings, **settings.log})
        run = Run(side, settings, printed)
        run.natives = _natives(sources, modules)
        main = modules[0]
        main.scope.names["__name__"] = Value("__main__")
        main.scope.names["__file__"] = Value(PurePosixPath(entry).name)
        run.frames.append(Frame("<script>", main.scope))
        try:
            run.run_block(main.tree.body)
        except Stopped as stop:
            run.trace.stopped = str(stop)
        except RecursionError:
            run.trace.stopped = "analysis stopped: nested too deeply"
        return run.trace, modules, run.natives


def _parse(source: str) -> ast.Module:
    if len(source) > MAX_SOURCE:
        raise Stopped(
            f"analysis stopped: expected a source of at most {MAX_SOURCE:,} characters, found {len(source):,}"
        )
    try:
        return parse(source)
    except NotReadable as error:
        raise Stopped(f"analysis stopped: not Python: {error}") from None


def _natives(sources: Mapping[str, str], modules: list[Module]) -> dict[str, Native]:
    """C functions of side files and of long strings in the scripts; C files get module numbers too, for findings."""
    found: dict[str, Native] = {}
    for module in list(modules):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and looks_native(node.value):
                found.update(native_functions(node.value, module.number, node.lineno, node.end_lineno or node.lineno))
    for path in sorted(sources):
        if path.endswith((".c", ".cc", ".cpp", ".cu", ".h")):
            module = Module(PurePosixPath(path).name, path, len(modules), ast.Module([], []))
            modules.append(module)
            found.update(native_functions(sources[path], module.number))
    return found


@contextmanager
def _deep_stack() -> Iterator[None]:
    """Room for MAX_DEPTH nested expressions inside as many followed calls as allowed."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, 20 * MAX_DEPTH))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _finding(
    rule: str, status: str, message: str, module: Module, line: int, guards: tuple[str, ...], sources: Mapping[str, str]
) -> StaticFinding:
    text = sources[module.path].splitlines()
    evidence = text[line - 1].strip()[:200] if 0 < line <= len(text) else ""
    levels = [g.rsplit("(", 1)[-1].rstrip(")") for g in guards]
    level = max((x for x in levels if x in LEVELS), key=LEVELS.index, default="code")
    return StaticFinding(rule, status, message, module.path, line, evidence, level, guards)
