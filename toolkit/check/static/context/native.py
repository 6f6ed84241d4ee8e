"""C, C++ and CUDA source next to or inside a script: functions, and which of them gate or spread by the realised token.

Read statement by statement with labels on names; no preprocessor, no pointers. Arrays get theirs by their names, and
parameters by what a call passes. Enough for what submissions do in C: walk the tokens once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from toolkit.check.static.labels.values import LOSS, VAL

MAX_TEXT = 1_000_000
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_FUNCTION = re.compile(r"\b([A-Za-z_]\w*)\s*\(([^(){};]{0,4000})\)\s*(?:const\s*)?\{")
_KEYWORDS = {"if", "for", "while", "switch", "return", "sizeof", "else"}
_ASSIGN = re.compile(r"([A-Za-z_]\w*)(?:\[[^\]]*\])?\s*(?:[-+*/|&^]|<<|>>)?=(?!=)\s*([^;{}]+)")
_STORE = re.compile(r"\b([A-Za-z_]\w*)\s*\[[^\]]*\]\s*=(?!=)")
_IF = re.compile(r"\bif\s*\(")
_TOKENS = re.compile(r"\b\w*(?:tok|target|tgt|ids)\w*\s*\[", re.IGNORECASE)
_LOSSES = re.compile(r"\b\w*(?:nll|loss|logp|log_p|_lp)\w*\s*\[", re.IGNORECASE)
_MIX = re.compile(
    r"\b(\w+)\s*\*\s*\w+\s*\+\s*\(\s*1\.?f?\s*-\s*\1\s*\)\s*\*|\b(?:lam|lambda|alpha|w|gate|mix)\w*\s*\*|1(?:\.0)?f?\s*-\s*(?:lam|alpha|w|gate)|log_?mix|mix_nll|logaddexp|log1p\s*\(\s*exp",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Native:
    """A C function."""

    file: int
    lines: tuple[int, int]  # first and last one that its body can have
    parameters: tuple[str, ...]
    body: str
    gate_line: int  # of the first store that the current token gates, or 0
    mixes: bool  # does its file mix two models?

    def spread_line(self, arguments: frozenset[str]) -> int:
        """The first line that divides a loss by its length, or 0; labels of a call's arguments such as `loss:2`."""
        loss, token = (
            {name for i, name in enumerate(self.parameters) if f"{label}:{i}" in arguments} for label in (LOSS, VAL)
        )
        _, spread = _labels(self.body, loss, token)
        return _line(self.body, spread, self.lines)


def looks_native(text: str) -> bool:
    """Is a string constant C source?"""
    return (
        len(text) > 300
        and text.count(";") > 10
        and "{" in text
        and re.search(r"\b(?:int|void|double|float)\s+\**\w+\s*\(", text) is not None
    )


def native_functions(text: str, file: int, first_line: int = 1, last_line: int = MAX_TEXT) -> dict[str, Native]:
    """Functions by name. Comments are blanked so that lines keep their numbers, those of a file or of a literal."""
    text = _COMMENT.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text[:MAX_TEXT])
    mixes = _MIX.search(text) is not None
    found: dict[str, Native] = {}
    for match in _FUNCTION.finditer(text):
        if match[1] in _KEYWORDS:
            continue
        body = text[match.end() : _closing(text, match.end())]
        parameters = match[2].split(",")
        names = [(re.findall(r"\w+", parameter) or [""])[-1] for parameter in parameters]
        outputs = {n for n, p in zip(names, parameters, strict=True) if "*" in p and "const" not in p}
        token, _ = _labels(body, set(), set())
        lines = (first_line + text.count("\n", 0, match.end()), last_line)
        gate_line = _line(body, _gate(body, token, outputs), lines)
        found[match[1]] = Native(file, lines, tuple(names), body, gate_line, mixes)
    return found


def _line(body: str, at: int, lines: tuple[int, int]) -> int:
    """Line of a position, 0 for none."""
    return min(lines[0] + body.count("\n", 0, at), lines[1]) if at >= 0 else 0


def _closing(text: str, at: int) -> int:
    """Position of the brace that closes the block opened before `at`."""
    depth = 1
    for match in re.compile(r"[{}]").finditer(text, at):
        depth += 1 if match[0] == "{" else -1
        if depth == 0:
            return match.start()
    return len(text)


def _labels(body: str, loss: set[str], token: set[str]) -> tuple[set[str], int]:
    """Names that hold the current token or what follows from it, and where a loss is first divided by one, or -1.

    Given are parameters that hold losses, and that hold tokens or what follows from them.
    """
    spread = -1
    for match in _ASSIGN.finditer(body):
        name, right = match[1], match[2]
        words = set(re.findall(r"[A-Za-z_]\w*", right))
        from_loss = _LOSSES.search(right) is not None or bool(words & loss)
        from_token = _TOKENS.search(right) is not None or bool(words & token)
        divided = re.search(r"/\s*(?:\(\s*\w+\s*\)\s*)?([A-Za-z_]\w*)", right)
        if from_loss and divided and divided[1] in token and spread < 0:
            spread = match.start()
        if from_loss:
            loss.add(name)
        elif from_token and not re.search(r"\w\s*\(", right):  # what a function makes of the token is not known
            token.add(name)
    return token, spread


def _gate(body: str, token: set[str], outputs: set[str]) -> int:
    """The first store into an output array inside an `if` on a table looked up by the current token."""
    flags = {
        m[1]
        for m in re.finditer(r"([A-Za-z_]\w*)\s*=\s*[A-Za-z_]\w*\s*\[\s*([A-Za-z_]\w*)\s*\]", body)
        if m[2] in token
    }
    for match in _IF.finditer(body):
        close = _parenthesis(body, match.end())
        condition = body[match.end() : close]
        if not set(re.findall(r"[A-Za-z_]\w*", condition)) & flags:
            continue
        opening = body.find("{", close)
        block = body[opening + 1 : _closing(body, opening + 1)] if 0 <= opening <= close + 8 else ""
        for store in _STORE.finditer(block):
            if store[1] in outputs:
                return opening + 1 + store.start()
    return -1


def _parenthesis(text: str, at: int) -> int:
    depth = 1
    while at < len(text) and depth:
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        at += 1
    return at - 1
