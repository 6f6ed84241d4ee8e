"""Parts: the top-level statements of components, the units that shaking keeps or drops."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from toolkit.bundle.link.resolve import COMPONENTS, Module
from toolkit.bundle.rewrite.edits import Source, first_line, last_line
from toolkit.bundle.rewrite.scopes import find_bindings
from toolkit.bundle.rewrite.signatures import all_read


@dataclass(frozen=True)
class Import:
    """One name bound by an import from outside: `import module as name` or `from module import attribute as name`."""

    name: str
    module: str
    attribute: str | None
    where: str  # file:line

    @property
    def target(self) -> tuple[str, str | None]:
        return self.module, self.attribute


@dataclass(frozen=True)
class Part:
    """A top-level statement with the comment above it."""

    module: str
    where: str  # file
    line: int  # of the first line of `source`
    source: str
    declares: frozenset[str]
    references: frozenset[str]  # global names it uses, builtins among them
    attributes: frozenset[str]  # names of attributes it reads or writes
    has_effects: bool  # must run even if nobody names what it declares


def split_module(module: Module) -> tuple[list[Import], list[Part]]:
    """A module's imports from outside and its other statements, docstring left out. Imports of ours are implied."""
    imports: list[Import] = []
    parts: list[Part] = []
    source = Source(module.text)
    begin = 1  # first line that belongs to no earlier statement
    for stmt in module.tree.body:
        is_docstring = stmt is module.tree.body[0] and ast.get_docstring(module.tree) is not None
        if isinstance(stmt, (ast.Import, ast.ImportFrom)):
            imports += outside_imports(stmt, module.where)
        elif not is_docstring:
            while begin < first_line(stmt) and not source.lines(begin, begin).strip():
                begin += 1
            text = source.lines(begin, last_line(stmt)).rstrip("\n") + "\n"
            parts.append(make_part(text, module.name, module.where, begin))
        begin = last_line(stmt) + 1
    return imports, parts


def outside_imports(stmt: ast.Import | ast.ImportFrom, where: str) -> list[Import]:
    """The names that a statement binds to things that are not ours."""
    place = f"{where}:{stmt.lineno}"
    if isinstance(stmt, ast.Import):
        return [Import(alias.asname or alias.name, alias.name, None, place) for alias in stmt.names]
    origin = stmt.module or ""
    if stmt.level or origin == COMPONENTS or origin.startswith(COMPONENTS + "."):
        return []
    return [Import(alias.asname or alias.name, origin, alias.name, place) for alias in stmt.names]


def make_part(source: str, module: str, where: str, line: int) -> Part:
    """Analyse the source of one top-level statement."""
    tree = ast.parse(source)
    (stmt,) = tree.body
    declares, references = _global_names(tree)
    is_definition = isinstance(stmt, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign))
    return Part(
        module=module,
        where=where,
        line=line,
        source=source,
        declares=frozenset(declares),
        references=frozenset(references),
        attributes=frozenset(_attributes(tree)),
        has_effects=not is_definition,
    )


def _global_names(tree: ast.Module) -> tuple[set[str], set[str]]:
    """Names that a statement binds in its module, and names of the module or builtins that it mentions."""
    declares, references = set(), set()
    for binding in find_bindings(tree):
        scope = binding.scope
        if any(mention.scope.node is tree and not all_read([mention.node]) for mention in binding.mentions):
            declares.add(binding.name)
        # A class body may read a global before it binds an attribute of that name.
        nodes = [mention.node for mention in binding.mentions]
        in_class = scope and isinstance(scope.node, ast.ClassDef)
        if scope is None or scope.node is tree or (in_class and any(all_read([node]) for node in nodes)):
            references.add(binding.name)
    return declares, references


def with_source(part: Part, source: str) -> Part:
    """The same part after its text has changed; `line` still tells where it came from."""
    return part if source == part.source else make_part(source, part.module, part.where, part.line)


def _attributes(tree: ast.Module) -> Iterator[str]:
    """Names of attributes, as written or as a literal that `getattr` and its kin are given."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name):
                yield name
            case ast.Call(
                func=ast.Name(id="getattr" | "hasattr" | "setattr"), args=[_, ast.Constant(value=str(name)), *_]
            ):
                yield name
