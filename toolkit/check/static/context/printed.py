"""What a log tells about the script that printed it: arms of branches that ran, and settings shown in its lines.

A published command often lacks the switches of the run. A line of the log that only one place of the script can have
printed shows that the run came by there.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator

_LOGGER = re.compile(r"log|print|write|info|echo|report|emit", re.IGNORECASE)
_MIN_LETTERS = 8  # letters of fixed text that tell one place of the script from others
_PREFIX = r"^(?:\d{10}\.\d{3} |\[[^\]\n]{1,40}\] ?)?"
# Atomic groups, so that no line of a log can make a search slow.
_ANYTHING = r"[^{}\n]*?"
_VALUE = r"(?>(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|[A-Za-z_]\w*))"
_Part = str | ast.FormattedValue


class Printed:
    """The lines of a log against the lines that a script can print."""

    def __init__(self, text: str, tree: ast.Module) -> None:
        self.text = text
        found = list(_lines([tree])) if text else []
        self._places = Counter(_skeleton(_parts(node)) for node in found)
        self._matches: dict[str, bool] = {}
        self._arms = {arm for node in found for arm, parts in _with_arms(node) if self._once(node) and self._has(parts)}
        self.settings = self._read_settings(found)

    def shows(self, body: Iterable[ast.AST]) -> bool:
        """Is there a line in the log that only these statements print?"""
        return bool(self.text) and any(self._once(n) and self._has(_parts(n)) for n in _lines(body))

    def shows_arm(self, arm: ast.expr) -> bool:
        """Is there a line in the log that has this text where a line of the script chooses between two?"""
        return arm in self._arms

    def _once(self, node: ast.expr) -> bool:
        return self._places[_skeleton(_parts(node))] == 1

    def _has(self, parts: list[_Part]) -> bool:
        key = _skeleton(parts)
        if key not in self._matches:
            self._matches[key] = any(True for _ in self._search(parts, _ANYTHING))
        return self._matches[key]

    def _search(self, parts: list[_Part], field: str) -> Iterator[re.Match[str]]:
        """Lines of the log that begin as these parts do; `field` is the pattern of a value."""
        fixed = max((p for p in parts if isinstance(p, str)), key=len, default="")
        if _letters(parts) < _MIN_LETTERS or fixed not in self.text:
            return
        pattern, open_field = "", ""
        for part in parts:
            if isinstance(part, str):
                pattern += f"(?>{open_field}{re.escape(part)})" if part else ""
                open_field = "" if part else open_field
            elif field is _ANYTHING:
                open_field = field
            else:
                pattern += field
        if field is _VALUE and not isinstance(parts[-1], str):
            pattern += r"(?=[\s,;)]|$)"
        for count, match in enumerate(re.compile(_PREFIX + pattern, re.MULTILINE).finditer(self.text)):
            if count == 100:
                break
            yield match

    def _read_settings(self, lines: list[ast.expr]) -> dict[str, str]:
        """Values of attributes and constants shown plainly, by lower-case name; a name with two values has none."""
        values: dict[str, set[str]] = {}
        for node in lines:
            names = [_setting(p) for p in _parts(node) if not isinstance(p, str)]
            if not any(names):
                continue
            for match in self._search(_parts(node), _VALUE):
                for name, value in zip(names, match.groups(), strict=True):
                    if name:
                        values.setdefault(name, set()).add(value)
        return {name: shown.pop() for name, shown in values.items() if len(shown) == 1}


def _lines(nodes: Iterable[ast.AST]) -> Iterator[ast.expr]:
    """Texts that are printed or logged below these nodes."""
    for top in nodes:
        for node in ast.walk(top):
            if isinstance(node, ast.Call) and node.args:
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                if _LOGGER.search(name) and _parts(node.args[0]):
                    yield node.args[0]


def _parts(node: ast.expr) -> list[_Part]:
    """The first line of a literal or formatted string: fixed text and fields."""
    values = node.values if isinstance(node, ast.JoinedStr) else [node]
    parts: list[_Part] = []
    for value in values:
        if isinstance(value, ast.FormattedValue):
            parts.append(value)
        elif isinstance(value, ast.Constant) and isinstance(value.value, str):
            text, newline, _ = value.value.partition("\n")
            parts.append(text)
            if newline:
                break
        else:
            return []
    return parts


def _skeleton(parts: list[_Part]) -> str:
    return "\0".join(p if isinstance(p, str) else "" for p in parts)


def _with_arms(node: ast.expr) -> Iterator[tuple[ast.expr, list[_Part]]]:
    """Texts that a field chooses, long enough to be told from others, and the line up to the end of each."""
    parts = _parts(node)
    for number, part in enumerate(parts):
        if isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.IfExp):
            for arm in (part.value.body, part.value.orelse):
                chosen = _parts(arm)
                if _letters(chosen) >= _MIN_LETTERS:
                    yield arm, parts[:number] + chosen


def _letters(parts: list[_Part]) -> int:
    """Letters of the fixed text."""
    return sum(c.isalpha() for p in parts if isinstance(p, str) for c in p)


def _setting(part: _Part) -> str:
    """The name of a setting that a field shows as it is, or ""."""
    if isinstance(part, str) or part.format_spec is not None:
        return ""
    if isinstance(part.value, ast.Attribute):
        return part.value.attr.lower()
    return part.value.id.lower() if isinstance(part.value, ast.Name) and part.value.id.isupper() else ""
