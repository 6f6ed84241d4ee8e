"""Minify C, C++ and CUDA sources that a script holds as strings: comments and blanks go.

A source is touched only where it is handed to a call as it is, not where the program searches, formats or compares it.
Two checks: the tokens before and after must be the same, and where a compiler is installed and can compile the original
(the headers of CUDA and torch are often missing), both must compile to the same object. Nothing is linked or executed.
"""

import ast
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from toolkit.bundle.equal import NotEqual

_TOKEN = re.compile(
    r"""(?P<blank>(?:\s|//[^\n]*|/\*.*?\*/)+)
    |(?P<raw>\b(?:u8|u|U|L)?R"([^\s()\\]{0,16})\(.*?\)\3")
    |(?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
    |(?P<word>\w+(?:\.\w*)?(?:(?<=[eEpP])[+-]\w*)?|\.\d\w*)
    |(?P<mark>[;,(){}\[\]])
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_MARKS_OF_C = re.compile(r"^\s*#\s*include\b|\b__global__\b|extern\s+\"C\"", re.MULTILINE)
_UNSAFE = re.compile(r"\b__LINE__\b|\b_Pragma\b|^\s*#\s*define\b[^\n]*#", re.MULTILINE)  # look at layout themselves
_CONSUMERS = (ast.Call, ast.keyword, ast.List, ast.Tuple)
_COMPILE_SECONDS = 20


def minify_c_sources(tree: ast.Module) -> int:
    """Minify the C sources of a program in place; how many characters went. `NotEqual` if one would change."""
    saved = 0
    for node, before in _sources(tree):
        after = minify_c(before)
        if len(after) < len(before):
            prove_same_c(before, after)
            saved += len(before) - len(after)
            node.value = after
    return saved


def _sources(tree: ast.Module) -> list[tuple[ast.Constant, str]]:
    """Strings that hold C and go nowhere but into calls, as nodes and text."""
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    reads: dict[str, list[ast.Name]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            reads.setdefault(node.id, []).append(node)

    def is_handed_on(node: ast.AST) -> bool:
        parent = parents[node]
        return isinstance(parent, _CONSUMERS) and getattr(parent, "func", None) is not node

    def is_source(node: ast.Constant) -> bool:
        match parents[node]:
            case ast.Assign(targets=[ast.Name(id=name) as target]):
                uses = [use for use in reads[name] if use is not target]
                return all(isinstance(use.ctx, ast.Load) and is_handed_on(use) for use in uses)
        return is_handed_on(node)

    strings = [(n, n.value) for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    return [(node, text) for node, text in strings if _MARKS_OF_C.search(text) and is_source(node)]


def minify_c(text: str) -> str:
    """C source without comments and needless blanks; as it is where it looks at its own layout."""
    if _UNSAFE.search(text) or "\\\n" in text or "??" in text:
        return text
    out, in_directive = "", False
    for match in _TOKEN.finditer(text):
        token = match[0]
        if match["blank"]:
            if in_directive and "\n" in token:
                out, in_directive = out.rstrip(" ") + "\n", False
            elif out and (in_directive or out[-1] not in ";,(){}[]\n "):
                out += " "
            continue
        if token == "#" and not in_directive:
            if out and not out.endswith("\n"):
                out = out.rstrip(" ") + "\n"
            in_directive = True
        elif match["mark"] and not in_directive and out.endswith(" "):
            out = out[:-1]
        out += token
    return out.strip(" ")


def prove_same_c(before: str, after: str) -> None:
    """Raise `NotEqual` unless two sources have the same tokens and, as far as can be told, the same object code."""
    if _tokens(before) != _tokens(after):
        raise NotEqual("a C source has other tokens after minifying")
    original = compiled(before)
    if original is not None and compiled(after) != original:
        raise NotEqual("a C source compiles to another object after minifying")


def _tokens(text: str) -> list[str]:
    """Tokens, with the blanks that may matter: between two that are no brackets or commas, and all of a directive."""
    tokens: list[str] = []
    in_directive, after_mark = False, True
    for match in _TOKEN.finditer(text.strip()):
        if not match["blank"]:
            if match["mark"] and not in_directive and tokens[-1:] == [" "]:
                tokens.pop()
            in_directive = in_directive or match[0] == "#"
            tokens.append(match[0])
        elif in_directive and "\n" in match[0]:
            tokens.append("\n")
            in_directive = False
        elif in_directive or not after_mark:
            tokens.append(" ")
        after_mark = bool(match["mark"])
    return tokens


def compiled(text: str) -> bytes | None:
    """The object that a source compiles to; None without a compiler, or where it does not compile here."""
    compiler = shutil.which("c++") or shutil.which("cc")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "source.cpp"), Path(folder, "source.o")
        source.write_text(text)
        command = [compiler, "-c", "-O1", "-w", "-o", str(target), str(source)]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, timeout=_COMPILE_SECONDS)
        except subprocess.TimeoutExpired:
            return None
        return target.read_bytes() if done.returncode == 0 else None
