"""C, C++ and CUDA source next to or inside a script: functions, and which of them gate or spread by the realised token.

Read statement by statement with labels on names; no preprocessor, no pointers. Enough for what submissions do in C:
walk the tokens once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

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
    r"\b(?:lam|lambda|alpha|w|gate|mix)\w*\s*\*|1(?:\.0)?f?\s*-\s*(?:lam|alpha|w|gate)|log_?mix|mix_nll|logaddexp|log1p\s*\(\s*exp",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Native:
    """A C function: the line that gates a store on the current token, and the one that divides a loss by a length."""

    name: str
    file: int
    gate_line: int = 0
    spread_line: int = 0
    mixes: bool = False  # does its file mix two models?


def looks_native(text: str) -> bool:
    """Is a string constant C source?"""
    return (
        len(text) > 300
        and text.count(";") > 10
        and "{" in text
        and re.search(r"\b(?:int|void|double|float)\s+\**\w+\s*\(", text) is not None
    )


def native_functions(text: str, file: int, line_offset: int) -> dict[str, Native]:
    """Functions by name. Comments are blanked so that lines keep their numbers."""
    text = _COMMENT.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text[:MAX_TEXT])
    mixes = _MIX.search(text) is not None
    found: dict[str, Native] = {}
    for match in _FUNCTION.finditer(text):
        if match[1] in _KEYWORDS:
            continue
        start = match.end()
        end = _closing(text, start)
        gate, spread = _facts(text[start:end], match[2])

        def line(at: int, start: int = start) -> int:
            return text.count("\n", 0, start + at) + 1 + line_offset if at >= 0 else 0

        found[match[1]] = Native(match[1], file, line(gate), line(spread), mixes)
    return found


def _closing(text: str, at: int) -> int:
    """Position of the brace that closes the block opened before `at`."""
    depth = 1
    for match in re.compile(r"[{}]").finditer(text, at):
        depth += 1 if match[0] == "{" else -1
        if depth == 0:
            return match.start()
    return len(text)


def _facts(body: str, parameters: str) -> tuple[int, int]:
    """Positions of the first store gated by the current token and of the first loss divided by its length, or -1."""
    outputs = {w for p in parameters.split(",") if "*" in p and "const" not in p for w in re.findall(r"\w+", p)[-1:]}
    token: set[str] = set()  # names that hold the current token or what follows from it
    loss: set[str] = set()
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
        elif from_token and not re.search(r"\w\s*\(", right):  # what a function makes of the token is anyone's guess
            token.add(name)
    return _gate(body, token, outputs), spread


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
