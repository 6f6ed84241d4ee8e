"""Parsing a stranger's source, also when it is written for a newer Python than ours."""

from __future__ import annotations

import ast
import re
import warnings

MAX_SOURCE = 4_000_000
_OPENING = re.compile(r"(?<![\w\"'])([fF][rR]?|[rR][fF])(\"\"\"|'''|\"|')")
_PLAIN = re.compile(r"(?<![\w])([bBuUrR]{0,2})(\"\"\"|'''|\"|')")


class Unreadable(Exception):
    """The source cannot be parsed; the message says why, in one line."""


def parse(source: str) -> ast.Module:
    """The tree of a source. Formatted strings of Python 3.12, with quotes nested in fields, are rewritten if needed."""
    if len(source) > MAX_SOURCE:
        raise Unreadable(f"source of {len(source):,} characters, at most {MAX_SOURCE:,} are read")
    try:
        return _parse(source)
    except SyntaxError as first:
        rewritten = without_nested_quotes(source)
        if rewritten != source:
            try:
                return _parse(rewritten)
            except SyntaxError:
                pass
        raise Unreadable(f"not Python: {first.msg} in line {first.lineno}") from None


def _parse(source: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (RecursionError, MemoryError):
        raise Unreadable("nested too deeply to parse") from None
    except ValueError as error:
        raise Unreadable(f"not Python: {error}") from None


def without_nested_quotes(source: str) -> str:
    """Formatted strings as calls `__fstring__("text", (field), ...)`, which every Python can parse."""
    out: list[str] = []
    at = 0
    while at < len(source):
        char = source[at]
        if char == "#":
            end = source.find("\n", at)
            end = len(source) if end < 0 else end
            out.append(source[at:end])
            at = end
            continue
        match = _OPENING.match(source, at) if char in "fFrR" else None
        if match:
            text, at = _formatted(source, match, 0)
            out.append(text)
            continue
        match = _PLAIN.match(source, at) if char in "bBuUrR\"'" else None
        if match:
            end = _plain_end(source, match)
            out.append(source[at:end])
            at = end
            continue
        out.append(char)
        at += 1
    return "".join(out)


def _plain_end(source: str, match: re.Match[str]) -> int:
    quote, at = match[2], match.end()
    while at < len(source):
        if source[at] == "\\":
            at += 2
        elif source.startswith(quote, at):
            return at + len(quote)
        else:
            at += 1
    return len(source)


def _formatted(source: str, match: re.Match[str], depth: int) -> tuple[str, int]:
    quote, at = match[2], match.end()
    parts: list[str] = []
    text: list[str] = []
    while at < len(source) and not source.startswith(quote, at):
        if source[at] == "\\":
            text.append(source[at : at + 2])
            at += 2
        elif source.startswith(("{{", "}}"), at):
            text.append(source[at])
            at += 2
        elif source[at] == "{" and depth < 8:
            parts.append(_quoted(text))
            text = []
            field, at = _field(source, at + 1, depth)
            parts.append(f"({field})")
        else:
            text.append(source[at])
            at += 1
    parts.append(_quoted(text))
    return f"__fstring__({','.join(parts)})", at + len(quote)


def _quoted(text: list[str]) -> str:
    return repr("".join(text).replace("\\", " "))


def _field(source: str, at: int, depth: int) -> tuple[str, int]:
    """The expression of a field; its conversion and format are dropped."""
    out: list[str] = []
    level = 0
    while at < len(source):
        char = source[at]
        match = _OPENING.match(source, at) if char in "fFrR" else None
        if match:
            text, at = _formatted(source, match, depth + 1)
            out.append(text)
            continue
        match = _PLAIN.match(source, at) if char in "bBuUrR\"'" else None
        if match:
            end = _plain_end(source, match)
            out.append(source[at:end])
            at = end
            continue
        if char in "([{":
            level += 1
        elif char in ")]":
            level -= 1
        elif char == "}":
            if level == 0:
                return "".join(out).rstrip("= "), at + 1
            level -= 1
        elif level == 0 and (char == ":" or (char == "!" and source[at + 1 : at + 2] != "=")):
            return "".join(out).rstrip("= "), _skip_format(source, at)
        out.append(char)
        at += 1
    return "".join(out), at


def _skip_format(source: str, at: int) -> int:
    level = 0
    while at < len(source):
        if source[at] == "{":
            level += 1
        elif source[at] == "}":
            if level == 0:
                return at + 1
            level -= 1
        at += 1
    return at
