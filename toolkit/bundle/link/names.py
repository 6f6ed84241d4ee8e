"""Join parts of many modules in one namespace: check that every name is known, and merge the imports."""

import builtins

from toolkit.bundle.link.parts import Import, Part
from toolkit.errors import GolfError
from toolkit.syntax.standard import STANDARD_MODULES

_MODULE_NAMES = frozenset({"__file__", "__name__"})
_LINE_LENGTH = 120


def check_names(imports: list[Import], parts: list[Part]) -> None:
    """`GolfError` with the place of a name that nothing binds. That none is bound twice, the contract has made sure."""
    known = {item.name for item in imports}.union(dir(builtins), _MODULE_NAMES, *(part.declares for part in parts))
    for part in parts:
        if unknown := sorted(part.references - known):
            raise GolfError(f"{part.where}:{part.line}: expected known names, found {', '.join(unknown)}; import them")


def import_lines(imports: list[Import]) -> list[str]:
    """Merged import statements: standard library, a blank line, the others; each sorted."""
    groups = []
    for is_standard in (True, False):
        chosen = {
            (item.module, item.attribute, item.name)
            for item in imports
            if (item.module.partition(".")[0] in STANDARD_MODULES) == is_standard
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
