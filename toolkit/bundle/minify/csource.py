"""Minify C, C++ and CUDA sources that a script holds as strings: comments and blanks go.

A source is touched only where it is handed to a call as it is, not where the program searches, formats or compares it.
In a program that is not ours the call must be one that is known to do nothing but compile it.
Two checks: the tokens before and after must be the same, and where a compiler is installed and can compile the original
(the headers of CUDA and torch are often missing), both must compile to the same object. Nothing is executed.
"""

import ast
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from toolkit.bundle.minify.equal import NotEqual

_TOKEN = re.compile(
    r"""(?P<blank>(?:\s|//[^\n]*|/\*.*?\*/)+)
    |(?P<raw>\b(?:u8|u|U|L)?R"([^\s()\\]{0,16})\(.*?\)\3"\w*)
    |(?P<string>(?:u8|u|U|L)?(?:"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')\w*)
    |(?P<number>\.?\d(?:[eEpP][+-]|'(?=\w)|[\w.])*)
    |(?P<word>[^\W\d]\w*)
    |(?P<other>/\*|//|<=>|<<=|>>=|\.\.\.|->\*|%:%:|->|\+\+|--|<<|>>|<:|:>|<%|%>|%:|::|\.\*|\#\#|&&|\|\||[-+*/%&|^<>=!]=|.)""",
    re.VERBOSE | re.DOTALL,
)
_MARKS_OF_C = re.compile(r"^[ \t]*#\s*include\b|\b__global__\b|extern\s+\"C\"", re.MULTILINE)
_UNSAFE = re.compile(r"\b__LINE__\b|\b_Pragma\b|^[ \t]*#\s*define\b[^\n]*#", re.MULTILINE)  # look at layout themselves
_CONSUMERS = (ast.Call, ast.keyword, ast.List, ast.Tuple)
# torch.utils.cpp_extension, cupy and pycuda: what they are handed goes to a compiler and nowhere else.
_COMPILERS = {"load_inline", "RawKernel", "RawModule", "SourceModule"}
_COMPILE_SECONDS = 20


def minify_c_sources(tree: ast.Module, rename: Callable[[str], str] = str, is_ours: bool = True) -> int:
    """Minify the C sources of a program in place; returns the number of characters saved.

    `rename` changes names of sources that allow it. Raises `NotEqual` if a source would change its meaning.
    """
    saved = 0
    for node, source in _sources(tree, is_ours):
        before = rename(source)
        after = minify_c(before)
        if len(after) < len(source):
            prove_same_c(before, after)
            saved += len(source) - len(after)
            node.value = after
    return saved


def _sources(tree: ast.Module, is_ours: bool) -> list[tuple[ast.Constant, str]]:
    """Strings that hold C and go nowhere but into calls, as nodes and text."""
    strings = [(n, n.value) for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    strings = [(node, text) for node, text in strings if _MARKS_OF_C.search(text)]
    if not strings:
        return []
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    names: dict[str, list[ast.Name]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            names.setdefault(node.id, []).append(node)
    compilers = _COMPILERS - _defined(tree)

    def is_handed_on(node: ast.AST) -> bool:
        parent = parents[node]
        if getattr(parent, "func", None) is node or not isinstance(parent, _CONSUMERS):
            return False
        if is_ours:
            return True
        if isinstance(parent, ast.Call):
            return getattr(parent.func, "attr", getattr(parent.func, "id", "")) in compilers
        return is_handed_on(parent)

    def is_source(node: ast.Constant) -> bool:
        match parents[node]:
            case ast.Assign(targets=[ast.Name(id=name) as target]):
                uses = [use for use in names[name] if use is not target]
                return all(isinstance(use.ctx, ast.Load) and is_handed_on(use) for use in uses)
        return is_handed_on(node)

    return [(node, text) for node, text in strings if is_source(node)]


def _defined(tree: ast.Module) -> set[str]:
    """Names of functions, classes, parameters and variables, attributes among them."""
    found = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                found.add(name)
    return found


def looks_at_layout(text: str) -> bool:
    """Whether a source may depend on how it is written, so that it has to stay as it is."""
    return bool(_UNSAFE.search(text)) or "\\\n" in text or "??" in text


def scan(text: str) -> list[tuple[str, str]]:
    """Tokens with their kind, blanks and comments among them. What follows `#include` in its line is `include`."""
    tokens: list[tuple[str, str]] = []
    before, in_include = "", False
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or ""
        in_include = (in_include or (before, match[0]) == ("#", "include")) and not (
            kind == "blank" and "\n" in match[0]
        )
        tokens.append((match[0], "include" if in_include else kind))
        before = before if kind == "blank" else match[0]
    return tokens


def minify_c(text: str) -> str:
    """C source without comments and needless blanks; as it is where it looks at its own layout."""
    if looks_at_layout(text):
        return text
    out, is_apart, in_directive = [""], False, False
    for match in _TOKEN.finditer(text):
        token = match[0]
        if match["blank"]:
            is_apart = True
            if in_directive and "\n" in token:
                out.append("\n")
                in_directive = False
            continue
        if token == "#" and not in_directive:
            in_directive = True
            if out[-1] not in ("", "\n"):
                out.append("\n")
        elif is_apart and out[-1].strip() and (in_directive or _TOKEN.match(out[-1] + token)[0] != out[-1]):  # type: ignore[index]
            out.append(" ")
        out.append(token)
        is_apart = False
    return "".join(out)


def prove_same_c(before: str, after: str) -> None:
    """Raise `NotEqual` unless two sources have the same tokens and, as far as can be told, the same object code."""
    if _tokens(before) != _tokens(after):
        raise NotEqual("a C source has different tokens after minifying")
    original = compiled(before)
    if original is not None and compiled(after) != original:
        raise NotEqual("a C source compiles to a different object after minifying")


def _tokens(text: str) -> list[str]:
    """Tokens, with the blanks that may matter, those of a directive."""
    tokens: list[str] = []
    in_directive = False
    for match in _TOKEN.finditer(text.strip()):
        if not match["blank"]:
            in_directive = in_directive or match[0] == "#"
            tokens.append(match[0])
        elif in_directive:
            in_directive = "\n" not in match[0]
            tokens.append(" " if in_directive else "\n")
    return tokens


def compiled(text: str, options: Sequence[str] = ("-c",)) -> bytes | None:
    """What a C or C++ source compiles to, its object by default; None without a compiler, or where it refuses."""
    with tempfile.TemporaryDirectory() as folder:
        for language, names in (("c", ("cc",)), ("c++", ("c++", "cc"))):
            compiler = next(filter(None, map(shutil.which, names)), None)
            if compiler is None:
                continue
            command = [compiler, "-x", language, "-", "-O1", "-w", *options, "-o", "source.o"]
            try:
                done = subprocess.run(
                    command, cwd=folder, input=text.encode(), capture_output=True, timeout=_COMPILE_SECONDS
                )
            except subprocess.TimeoutExpired:
                return None
            if done.returncode == 0:
                return Path(folder, "source.o").read_bytes()
    return None
