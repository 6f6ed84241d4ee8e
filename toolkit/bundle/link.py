"""Join parts of many modules in one namespace: check that names are unique and known, and merge the imports."""

import builtins
import sys

from toolkit.bundle.parts import Import, Part
from toolkit.errors import GolfError

BUILTINS = frozenset(dir(builtins))
_MODULE_NAMES = frozenset({"__file__", "__name__"})
_LINE_LENGTH = 120


def check_names(imports: list[Import], parts: list[Part]) -> None:
    """`GolfError` naming every place if a name is bound twice or hides a builtin, or is used and bound nowhere."""
    bound: dict[str, dict[object, str]] = {}  # name -> what it is bound to -> where
    for item in imports:
        bound.setdefault(item.name, {}).setdefault(item.target, item.where)
    for part in parts:
        for name in part.declares:
            bound.setdefault(name, {})[id(part)] = f"{part.where}:{part.line}"
    for name, places in sorted(bound.items()):
        if len(places) > 1:
            raise GolfError(f"{', '.join(places.values())}: expected one meaning of {name}; rename all but one")
        if name in BUILTINS:
            (where,) = places.values()
            raise GolfError(f"{where}: expected no name of a builtin, found {name}; rename it")
    for part in parts:
        unknown = sorted(part.references - bound.keys() - BUILTINS - _MODULE_NAMES)
        if unknown:
            raise GolfError(f"{part.where}:{part.line}: expected known names, found {', '.join(unknown)}; import them")


def import_lines(imports: list[Import]) -> list[str]:
    """Merged import statements: standard library, a blank line, the others; each sorted."""
    groups = []
    for is_standard in (True, False):
        chosen = {
            (item.module, item.attribute, item.name)
            for item in imports
            if (item.module.partition(".")[0] in sys.stdlib_module_names) == is_standard
        }
        plain = sorted((module, name) for module, attribute, name in chosen if attribute is None)
        lines = [f"import {module}" + (f" as {name}" if name != module else "") for module, name in plain]
        for module in sorted({module for module, attribute, _ in chosen if attribute is not None}):
            names = sorted((attribute, name) for origin, attribute, name in chosen if origin == module and attribute)
            listed = [attribute + (f" as {name}" if name != attribute else "") for attribute, name in names]
            line = f"from {module} import {', '.join(listed)}"
            if len(line) > _LINE_LENGTH:
                line = f"from {module} import (\n" + "".join(f"    {item},\n" for item in listed) + ")"
            lines.append(line)
        groups.append(lines)
    return [*groups[0], *([""] if all(groups) else []), *groups[1]]
