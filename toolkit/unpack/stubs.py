"""A reader of stubs: follows literals, variables and known decoders at the top level of a script, and nothing else."""

import ast
import lzma
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from toolkit.errors import GolfError
from toolkit.syntax.constants import NotConstant, apply_binary
from toolkit.unpack.decoders import DECODER_OBJECTS, DECODERS, MAX_OUTPUT_BYTES, METHODS

_SHOWING = {"linecache", "traceback"}  # modules that a stub uses to show the program's lines in tracebacks
_HOUSEKEEPING = {"base64", "binascii", "brotli", "builtins", "bz2", "codecs", "gzip", "lzma", "zlib"} | _SHOWING
_LZMA_CONSTANT = re.compile(r"lzma\.(?:CHECK|FILTER|FORMAT|MF|MODE|PRESET)_\w+")
_FILE_RUNNERS = {"exec_module", "execv", "execve", "execvp", "run", "run_path", "call", "check_call", "Popen", "system"}
_RUNNERS = {"exec", "eval", "builtins.exec", "builtins.eval"}


class NotStatic(Exception):
    """The expression depends on more than literals and known decoders."""


@dataclass(frozen=True)
class Reference:
    """A module, a builtin or something in one, by its full name."""

    path: str


@dataclass(frozen=True)
class DecoderObject:
    """What `lzma.LZMADecompressor(...)` and the like give."""

    path: str
    args: list[Any]
    named: dict[str, Any]


@dataclass
class Evaluated:
    """A value, or the error instead of it, and what went into it."""

    value: Any = None
    error: Exception | None = None
    decoders: list[str] = field(default_factory=list)  # in the order in which they apply
    decodes: bool = False  # whether a decoder is called, even if its data are not known
    used: set[str] = field(default_factory=set)  # variables


@dataclass
class Stub:
    """A script that runs packed programs, mostly one."""

    pieces: list[ast.stmt | str | bytes]  # statements that stay, and programs in the place of those that run them
    decoders: list[str]
    removed: set[str]  # names that only statements bound which do not stay


def read_stub(body: Sequence[ast.stmt], strict: bool = True) -> Stub | None:
    """A script's statements as a stub, or None if they are none; `GolfError` if it cannot be read.

    A program that stands in the script as a plain literal is not packed: its `exec` stays. So does, unless `strict`,
    an `exec` of what no decoder has to do with, such as the text of a file, and whatever writes a program to a file.
    """
    variables: dict[str, Evaluated] = {}
    assignments: dict[str, list[ast.stmt]] = {}
    runs: dict[ast.stmt, Evaluated] = {}
    body = [stmt for outer in body for stmt in (outer.body if _is_main_block(outer) else [outer])]
    for stmt in body:
        match stmt:
            case ast.Expr(value=ast.Call(func=func, args=[program, *_])) if _is_runner(func, variables):
                result = evaluate_static(program, variables)
                if result.decodes or isinstance(result.error, GolfError) or (strict and result.error):
                    runs[stmt] = result
            case ast.Import(names=names):
                for alias in names:
                    path = alias.name if alias.asname else alias.name.partition(".")[0]
                    variables[alias.asname or path] = Evaluated(Reference(path))
            case ast.ImportFrom(module=str(module), names=names, level=0):
                for alias in names:
                    variables[alias.asname or alias.name] = Evaluated(Reference(f"{module}.{alias.name}"))
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                variables[name] = evaluate_static(value, variables)
                assignments.setdefault(name, []).append(stmt)
            case _:
                unknown = Evaluated(error=NotStatic("a variable that is set in another way"))
                stored = (n.id for n in ast.walk(stmt) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
                variables.update(dict.fromkeys(stored, unknown))
    if not runs:
        return _read_file_stub(body, variables) if strict else None
    programs = {stmt: _program(stmt, result) for stmt, result in runs.items()}
    used = set().union(*(result.used for result in runs.values()))
    unpacking = {stmt for name in used for stmt in assignments.get(name, [])}
    kept = [s for s in body if s in runs or not (s in unpacking or _is_housekeeping(s, variables))]
    decoders = [name for result in runs.values() for name in result.decoders]
    gone = [stmt for stmt in body if stmt not in kept]
    removed = set().union(*map(_bound, gone)) - set().union(*map(_bound, kept))
    return Stub([programs.get(stmt, stmt) for stmt in kept], decoders, removed)


def _read_file_stub(body: Sequence[ast.stmt], variables: dict[str, Evaluated]) -> Stub | None:
    """The stub of a script that writes its program to a file and runs that one; what sets the environment stays."""
    nodes = [node for stmt in body for node in ast.walk(stmt)]
    if not any(isinstance(node, ast.Attribute) and node.attr in _FILE_RUNNERS for node in nodes):
        return None
    for node in nodes:
        match node:
            case ast.Call(func=ast.Attribute(attr="write" | "write_bytes" | "write_text"), args=[content]):
                result = evaluate_static(content, variables)
                if result.decoders and isinstance(result.value, (str, bytes)):
                    kept = [stmt for stmt in body if _sets_environment(stmt, variables)]
                    return Stub([*kept, result.value], [*result.decoders, "file"], set())
    return None


def _bound(stmt: ast.stmt) -> set[str]:
    """Names that a statement at the top level binds."""
    if isinstance(stmt, (ast.Import, ast.ImportFrom)):
        return {alias.asname or alias.name.partition(".")[0] for alias in stmt.names}
    return {node.id for node in ast.walk(stmt) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _sets_environment(stmt: ast.stmt, variables: dict[str, Evaluated]) -> bool:
    """Whether a statement of a stub matters to the program that it writes to a file."""
    if isinstance(stmt, (ast.Import, ast.ImportFrom)):
        return not _is_housekeeping(stmt, variables)
    return any(isinstance(node, ast.Attribute) and node.attr == "environ" for node in ast.walk(stmt))


def _is_main_block(stmt: ast.stmt) -> TypeGuard[ast.If]:
    """Whether a statement is `if __name__ == "__main__":`, whose body runs as if it stood alone."""
    match stmt:
        case ast.If(test=ast.Compare(left=ast.Name(id="__name__"), ops=[ast.Eq()]), orelse=[]):
            return True
    return False


def _is_runner(func: ast.expr, variables: dict[str, Evaluated]) -> bool:
    value = evaluate_static(func, variables).value
    return isinstance(value, Reference) and value.path in _RUNNERS


def _program(run: ast.stmt, result: Evaluated) -> str | bytes:
    where = f"packed script: line {run.lineno}"
    if isinstance(result.error, GolfError):
        raise result.error
    if isinstance(result.error, NotStatic):
        raise GolfError(f"{where}: expected literals and known decoders inside exec, found {result.error}")
    if result.error:
        raise GolfError(f"{where}: expected data that can be decoded, found: {result.error}")
    if not isinstance(result.value, (str, bytes)):
        raise GolfError(f"{where}: expected source text inside exec, found {type(result.value).__name__}")
    return result.value


def _is_housekeeping(stmt: ast.stmt, variables: dict[str, Evaluated]) -> bool:
    """Whether a statement only imports decoders or lets tracebacks show the source."""
    match stmt:
        case ast.Import(names=names):
            return all(alias.name in _HOUSEKEEPING for alias in names)
        case ast.ImportFrom(module=module):
            return module in _HOUSEKEEPING
    names_read = [variables.get(n.id, Evaluated()).value for n in ast.walk(stmt) if isinstance(n, ast.Name)]
    return any(Reference(module) in names_read for module in _SHOWING)


def evaluate_static(node: ast.expr, variables: dict[str, Evaluated]) -> Evaluated:
    """Value of an expression; errors are kept for the case that the value is needed."""
    reader = _Reader(variables)
    try:
        reader.result.value = reader.value(node)
    except RecursionError:
        reader.result.error = NotStatic("an expression that is too deeply nested")
    except Exception as error:  # whatever a decoder says about data that is not its own
        reader.result.error = error
    return reader.result


class _Reader:
    def __init__(self, variables: dict[str, Evaluated]) -> None:
        self.variables = variables
        self.result = Evaluated()

    def value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return self.variable(name)
            case ast.Attribute(value=base, attr=attribute):
                return self.attribute(self.value(base), attribute)
            case ast.Call():
                return self.call(node)
            case ast.BinOp(op=ast.Add()):
                return self.sum(node)
            case ast.BinOp(left=left, op=op, right=right):
                return self.number(op, self.value(left), self.value(right))
            case ast.Tuple(elts=items) | ast.List(elts=items):
                return [self.value(item) for item in items]
            case ast.Dict(keys=keys, values=values) if None not in keys:
                return {self.value(k): self.value(v) for k, v in zip(keys, values, strict=True) if k is not None}
            case ast.Subscript(value=base, slice=ast.Slice(lower=lower, upper=upper, step=step)):
                return self.value(base)[slice(*(part and self.value(part) for part in (lower, upper, step)))]
            case ast.Subscript(value=base, slice=index):
                return self.value(base)[self.value(index)]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.value(operand)
            case ast.NamedExpr(value=value):
                return self.value(value)
        raise NotStatic(f"{type(node).__name__} in line {node.lineno}")

    def variable(self, name: str) -> Any:
        if name not in self.variables:
            return Reference(name)
        known = self.variables[name]
        self.result.used |= known.used | {name}
        self.result.decoders += known.decoders
        self.result.decodes |= known.decodes
        if known.error:
            raise known.error
        return known.value

    def attribute(self, base: Any, name: str) -> Any:
        if not isinstance(base, Reference):
            raise NotStatic(f"attribute {name}")
        path = f"{base.path}.{name}"
        if _LZMA_CONSTANT.fullmatch(path) and hasattr(lzma, name):
            return getattr(lzma, name)
        return Reference(path)

    def sum(self, node: ast.expr) -> Any:
        """A chain of `+`, however long: many literals are often joined so."""
        items: list[ast.expr] = []
        while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            items.append(node.right)
            node = node.left
        values = [self.value(item) for item in [node, *reversed(items)]]
        if all(isinstance(value, int) for value in values):
            return sum(values)
        if sum(len(value) for value in values) > MAX_OUTPUT_BYTES:
            raise GolfError(
                f"packed script: expected at most {MAX_OUTPUT_BYTES} bytes in a sum of literals, found more"
            )
        empty = values[0][:0]
        return empty.join(values)

    def number(self, op: ast.operator, left: Any, right: Any) -> int:
        if not (isinstance(left, int) and isinstance(right, int)):
            raise NotStatic(f"{type(op).__name__} of {type(left).__name__} and {type(right).__name__}")
        try:
            return int(apply_binary(op, left, right))
        except NotConstant as error:
            raise NotStatic(str(error)) from None

    def call(self, node: ast.Call) -> Any:
        match node:  # our own stub takes its text out of the namespace in which it then runs it
            case ast.Call(
                func=ast.Attribute(value=ast.Call(func=ast.Name(id="globals"), args=[]), attr="pop"),
                args=[ast.Constant(value=str(name))],
                keywords=[],
            ):
                return self.variable(name)
        named = {}
        for keyword in node.keywords:
            if keyword.arg is None:
                raise NotStatic(f"** in line {node.lineno}")
            named[keyword.arg] = self.value(keyword.value)
        if isinstance(node.func, ast.Attribute):
            base = self.value(node.func.value)
            if not isinstance(base, Reference):
                return self.method(base, node.func.attr, [self.value(arg) for arg in node.args])
        function = self.value(node.func)
        path = function.path.removeprefix("builtins.") if isinstance(function, Reference) else ""
        if path in ("__import__", "importlib.import_module"):
            return Reference(str(self.value(node.args[0])))
        if path not in DECODERS and path not in DECODER_OBJECTS:
            raise NotStatic(f"a call of {path or type(function).__name__} in line {node.lineno}")
        self.result.decodes |= path in DECODER_OBJECTS or bool(DECODERS[path][0])
        args = [self.value(arg) for arg in node.args[:1] + (node.args[1:] if path != "compile" else [])]
        if path in DECODER_OBJECTS:
            return DecoderObject(path, args, named)
        return self.decode(path, args, named if path != "compile" else {})

    def method(self, base: Any, name: str, args: list[Any]) -> Any:
        if isinstance(base, DecoderObject):
            method, path = DECODER_OBJECTS[base.path]
            if name != method:
                raise NotStatic(f"method {name} of {base.path}")
            return self.decode(path, [*args[:1], *base.args], base.named)
        if not isinstance(base, (str, bytes)) or name not in METHODS:
            raise NotStatic(f"method {name} of {type(base).__name__}")
        return METHODS[name](base, *args)

    def decode(self, path: str, args: list[Any], named: dict[str, Any]) -> Any:
        label, decoder = DECODERS[path]
        if label:
            self.result.decoders.append(label)
        return decoder(*args, **named)
