"""Parse the source of strangers, also f-strings of Python 3.12: with the same quotes, backslashes or lines inside.

Most scripts of the field are written for a newer Python than ours may be. Each replacement field that an older parser
would stumble over becomes a name of its own; the expressions are parsed apart and put in the place of those names. The
tree is the one that a newer Python makes, but that everything inside a field is at its first line.

Other syntax that Python 3.11 does not know, such as `type X = int`, is refused by every Python: the answer to a script
must not depend on who asks.
"""

import ast
import re
import warnings
from typing import Any

_PREFIXES = {"", "r", "u", "b", "f", "br", "rb", "fr", "rf"}
_WORD = re.compile(r"\w+")
_QUOTE = re.compile(r'"""|\'\'\'|"|\'')
_VERSION = (3, 11)  # whose syntax, but for f-strings, is accepted
_TROUBLE = re.compile(r"[\"'\\#\n]")  # what an older parser does not accept inside a field


class NotReadable(Exception):
    """The text is no Python of any version, or uses something that this reader does not know: why, in one line."""


def parse(source: str) -> ast.Module:
    """The tree of untrusted source; `NotReadable` instead of anything that the parser may raise."""
    try:
        tree: ast.Module = _parse(source)
        return tree
    except SyntaxError as error:
        reason = f"{error.msg} in line {error.lineno}"
    try:
        return parse_newer(source)
    except (NotReadable, RecursionError, MemoryError):
        raise NotReadable(reason) from None


def parse_newer(source: str) -> ast.Module:
    """The tree of source with f-strings of Python 3.12; `NotReadable` where that does not help."""
    reader = _Reader(source)
    text, _ = reader.code(0, in_field=False)
    if not reader.fields:
        raise NotReadable("there is no such f-string")
    try:
        tree: ast.Module = _Restore(reader.fields, reader.shown).visit(_parse(text))
        return ast.fix_missing_locations(tree)
    except SyntaxError as error:
        raise NotReadable(str(error)) from None


def _parse(source: str, mode: str = "exec") -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source, mode=mode, feature_version=_VERSION)
    except (RecursionError, MemoryError):
        raise NotReadable("nested too deeply") from None
    except ValueError as error:
        raise NotReadable(str(error)) from None


class _Restore(ast.NodeTransformer):
    def __init__(self, fields: dict[str, str], shown: dict[str, str]) -> None:
        self.fields = fields
        self.shown = shown

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.JoinedStr:
        """Text that a field shows of itself is text of the f-string."""
        pieces: list[ast.expr] = []
        for piece in node.values:
            match piece:
                case ast.FormattedValue(value=ast.Name(id=name)) if name in self.shown:
                    piece = ast.copy_location(ast.Constant(self.shown[name]), piece)
            match pieces, piece:
                case [*_, ast.Constant(value=str(before)) as last], ast.Constant(value=str(after)):
                    last.value = before + after
                case _:
                    pieces.append(piece)
        node.values = pieces
        self.generic_visit(node)
        return node

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id not in self.fields:
            return node
        value: ast.expr = self.visit(_parse(f"({self.fields[node.id]}\n)", "eval").body)
        for inner in ast.walk(value):
            if isinstance(inner, (ast.expr, ast.keyword, ast.arg)):
                ast.copy_location(inner, node)
        return value


class _Reader:
    """Copies source and takes fields out of its f-strings. Methods start at an index and return text and next index."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.fields: dict[str, str] = {}  # name -> expression
        self.shown: dict[str, str] = {}  # name -> text of a field that shows it
        self.name = "field_"
        while self.name in source:
            self.name += "_"

    def code(self, i: int, in_field: bool) -> tuple[str, int]:
        """Code up to the end, or inside of a field up to what ends its expression."""
        source, out, depth = self.source, "", 0
        while i < len(source):
            word = _WORD.match(source, i)
            prefix = word[0].lower() if word else ""
            quote = _QUOTE.match(source, word.end() if word else i)
            if quote and prefix in _PREFIXES:
                text, i = (self.fstring if "f" in prefix else self.plain)(i, quote, "r" in prefix)
            elif word:
                text, i = word[0], word.end()
            elif source[i] == "#":
                end = source.find("\n", i)
                text, i = ("", len(source)) if end < 0 else ("", end)
            else:
                text = source[i]
                if in_field and depth == 0 and (text in "}:" or (text == "!" and source[i + 1 : i + 2] != "=")):
                    return out, i
                depth += (text in "([{") - (text in ")]}")
                i += 1
            out += text
        if in_field:
            raise NotReadable("a field does not end")
        return out, i

    def plain(self, i: int, quote: re.Match[str], raw: bool) -> tuple[str, int]:
        """A string without fields."""
        start, i = i, quote.end()
        while not self.source.startswith(quote[0], i):
            if i >= len(self.source):
                raise NotReadable("a string does not end")
            i += 2 if self.source[i] == "\\" else 1
        i += len(quote[0])
        return self.source[start:i], i

    def fstring(self, i: int, quote: re.Match[str], raw: bool) -> tuple[str, int]:
        text, end = self.pieces(quote.end(), quote[0], raw)
        older = quote[0] * 3 if "\n" in text and len(quote[0]) == 1 else quote[0]
        return self.source[i : quote.start()] + older + text + older, end + len(quote[0])

    def pieces(self, i: int, end: str, raw: bool) -> tuple[str, int]:
        """Text and fields up to `end`: the quote, or the bracket behind a format specification."""
        source, out = self.source, ""
        while not source.startswith(end, i):
            if i >= len(source):
                raise NotReadable("an f-string does not end")
            step = 1
            if source[i : i + 2] in ("{{", "}}") and end != "}":
                step = 2
            elif source[i] == "{":
                text, i = self.field(i + 1)
                out += text
                continue
            elif source[i] == "\\" and not raw and source[i + 1 : i + 3] == "N{":
                step = source.find("}", i) + 1 - i
                if step < 0:
                    raise NotReadable("the name of a character does not end")
            elif source[i] == "\\" and source[i + 1 : i + 2] not in ("{", "}"):
                step = 2
            out += source[i : i + step]
            i += step
        return out, i

    def field(self, i: int) -> tuple[str, int]:
        """A replacement field, from behind its opening bracket to behind its closing one."""
        start = i
        text, i = self.code(i, in_field=True)
        if _TROUBLE.search(self.source[start:i]):
            lines = "\n" * self.source.count("\n", start, i)  # those behind the field keep their numbers
            if shows_itself := re.fullmatch(r"(?s)(.*[^=!<>])=\s*", text):
                shown = self.replace(self.source[start:i], self.shown)
                value = self.replace(shows_itself[1], self.fields)
                text = shown + "}{" + value + lines + ("!r" if self.source[i] == "}" else "")
            else:
                text = self.replace(text, self.fields) + lines
        if self.source[i] == "!":
            text += self.source[i : i + 2]
            i += 2
        if self.source[i : i + 1] == ":":
            specification, i = self.pieces(i + 1, "}", raw=False)
            text += ":" + specification
        if self.source[i : i + 1] != "}":
            raise NotReadable("a field does not end")
        return "{" + text + "}", i + 1

    def replace(self, text: str, texts: dict[str, str]) -> str:
        """The name that stands for a text from now on."""
        name = f"{self.name}{len(self.fields) + len(self.shown)}_"
        texts[name] = text
        return name
