"""Remove from a script that we did not write what no run of it can notice: notes, and definitions that nothing names.

- Docstrings, unless `guards` says that somebody may read them, and other bare literals.
- Annotations of parameters, results and variables. Those of dataclasses and of classes with bases from outside stay,
  those that `guards` says somebody may read, since `triton.jit` and `custom_op` depend on theirs, and those that call
  something or use a name that nothing binds, unless they are never evaluated.
- Imports from the standard library, functions, classes and literal constants at the top level that nothing mentions,
  not even a string. Imports from elsewhere stay: importing them may have effects.

Not covered: other errors that only an annotation raises, such as that of an attribute or key, are gone with it.
"""

import ast
import re
from collections.abc import Callable, Iterable

from toolkit.bundle.foreign.guards import Caution, find_guards
from toolkit.bundle.rewrite.scopes import find_bindings, parameters
from toolkit.bundle.rewrite.signatures import has_known_decorators, is_plain
from toolkit.syntax.constants import is_literal
from toolkit.syntax.standard import BUILTINS, STANDARD_MODULES

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_EFFECTFUL_MODULES = {"__future__", "antigravity", "readline", "this"}


def remove_notes(tree: ast.Module, assumed: frozenset[Caution] = frozenset()) -> None:
    """Remove docstrings and annotations that nothing can read, in place."""
    bindings = find_bindings(tree)
    guards = find_guards(tree, bindings, assumed)
    remove_bare_literals(tree, guards.documented)
    unbound = {m.node for b in bindings if b.scope is None and b.name not in BUILTINS for m in b.mentions}
    remove_annotations(tree, guards.annotated, unbound)
    remove_future(tree, {mention.node for binding in guards.kept for mention in binding.mentions})


def remove_bare_literals(tree: ast.Module, documented: set[ast.AST]) -> None:
    for node in ast.walk(tree):
        has_docs = node in documented and _has_docstring(node)
        for block in _blocks(node):
            docs = block[:1] if has_docs and block is node.body else []  # type: ignore[attr-defined]
            rest = [stmt for stmt in block[len(docs) :] if not _is_bare_literal(stmt)]
            block[:] = [*docs, *rest] or ([] if node is tree else [ast.copy_location(ast.Pass(), block[0])])


def _has_docstring(node: ast.AST) -> bool:
    is_documentable = isinstance(node, (ast.Module, ast.ClassDef, *_FUNCTIONS))
    return is_documentable and ast.get_docstring(node, clean=False) is not None  # type: ignore[arg-type]


def _is_bare_literal(stmt: ast.stmt) -> bool:
    return isinstance(stmt, ast.Expr) and isinstance(stmt.value, ast.Constant)


def remove_annotations(tree: ast.Module, annotated: set[ast.AST], unbound: set[ast.AST]) -> None:
    """Remove all annotations but those that belong to given modules, classes and functions.

    `unbound` are names that the program does not bind: to evaluate one in an annotation may be an error.
    """
    is_evaluated = not any(_is_future_annotations(stmt) for stmt in tree.body)

    def matters(annotation: ast.expr | None) -> bool:
        is_error = annotation is not None and not unbound.isdisjoint(ast.walk(annotation))
        return is_evaluated and (is_error or _has_effect(annotation))

    _remove_annotations(tree, tree, annotated, matters)


def remove_future(tree: ast.Module, kept: set[ast.AST]) -> None:
    """Remove the statement that keeps annotations from being evaluated if none is left, unless its name is kept."""
    if not any(getattr(node, "annotation", None) or getattr(node, "returns", None) for node in ast.walk(tree)):
        tree.body = [s for s in tree.body if not _is_future_annotations(s) or kept & set(ast.iter_child_nodes(s))]


def _remove_annotations(
    node: ast.AST, owner: ast.AST, annotated: set[ast.AST], matters: Callable[[ast.expr | None], bool]
) -> None:
    """The same below a node whose variables are those of `owner`, apart from what `matters` when it is evaluated."""
    if isinstance(node, (ast.Module, ast.ClassDef, *_FUNCTIONS)):
        owner = node
    is_read = owner in annotated or (isinstance(owner, ast.ClassDef) and not is_plain(owner))
    if isinstance(node, _FUNCTIONS) and not is_read:
        for item, name in [(node, "returns"), *((arg, "annotation") for arg in parameters(node.args))]:
            if not matters(getattr(item, name)):
                setattr(item, name, None)
    for block in () if is_read else _blocks(node):
        for i, stmt in enumerate(block):
            if isinstance(stmt, ast.AnnAssign):
                is_local = isinstance(owner, _FUNCTIONS) and stmt.simple  # whose annotation Python never evaluates
                if is_local or not matters(stmt.annotation):
                    block[i] = _without_annotation(stmt, isinstance(node, ast.ClassDef))
    for child in ast.iter_child_nodes(node):
        _remove_annotations(child, owner, annotated, matters)


def _has_effect(annotation: ast.expr | None) -> bool:
    """Whether something may happen when an annotation is evaluated."""
    inside = ast.walk(annotation) if annotation else ()
    return any(isinstance(node, (ast.Await, ast.Call, ast.NamedExpr, ast.Yield)) for node in inside)


def _without_annotation(stmt: ast.AnnAssign, in_class: bool) -> ast.stmt:
    if stmt.value is not None:
        return ast.copy_location(ast.Assign([stmt.target], stmt.value), stmt)
    if in_class:
        return ast.copy_location(ast.Pass(), stmt)
    stmt.annotation = ast.copy_location(ast.Constant(0), stmt)  # still makes the name a local
    return stmt


def _is_future_annotations(stmt: ast.stmt) -> bool:
    return isinstance(stmt, ast.ImportFrom) and (stmt.module, [a.name for a in stmt.names]) == (
        "__future__",
        ["annotations"],
    )


def merge_imports(tree: ast.Module) -> None:
    """Join neighbours such as `import a` and `import b` in one statement."""
    for node in ast.walk(tree):
        for block in _blocks(node):
            merged: list[ast.stmt] = []
            for stmt in block:
                match merged[-1:], stmt:
                    case [ast.Import() as last], ast.Import():
                        last.names += stmt.names
                    case [ast.ImportFrom() as last], ast.ImportFrom() if _have_one_origin(last, stmt):
                        last.names += stmt.names
                    case _:
                        merged.append(stmt)
            block[:] = merged


def _have_one_origin(one: ast.ImportFrom, other: ast.ImportFrom) -> bool:
    is_starred = "*" in (one.names[0].name, other.names[0].name)
    return (one.module, one.level) == (other.module, other.level) and not is_starred


def drop_unused(tree: ast.Module, assumed: frozenset[Caution] = frozenset()) -> list[str]:
    """Drop top-level definitions and imports that nothing mentions, until none is left; returns their names.

    Raises `AssertionError` if the program then lacks a name.
    """
    outside = _names_outside(tree)
    dropped: list[str] = []
    while True:
        bindings = find_bindings(tree)
        guards = find_guards(tree, bindings, assumed)
        needed = guards.namespace | guards.unnamed
        top = [binding for binding in bindings if binding.scope and binding.scope.node is tree]
        unused = {binding.name for binding in top if len(binding.mentions) == 1 and binding not in needed}
        strings = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
        unnamed = unused - {word for text in strings for word in re.findall(r"\w+", text)}
        tree.body = [stmt for stmt in tree.body if not _is_droppable(stmt, unnamed)]
        for stmt in tree.body:
            if isinstance(stmt, (ast.Import, ast.ImportFrom)):
                stmt.names = [alias for alias in stmt.names if not _is_droppable_import(stmt, alias, unused)]
        tree.body = [stmt for stmt in tree.body if getattr(stmt, "names", True)]
        gone = {binding.name for binding in top} - {b.name for b in find_bindings(tree) if b.scope}
        if not gone:
            break
        dropped += gone
    if not _names_outside(tree) <= outside:
        raise AssertionError("a definition was dropped that the program needs")
    return sorted(dropped)


def _names_outside(tree: ast.Module) -> set[str]:
    """Names that the program uses and does not bind."""
    return {binding.name for binding in find_bindings(tree) if binding.scope is None}


def _is_droppable_import(stmt: ast.Import | ast.ImportFrom, alias: ast.alias, unused: set[str]) -> bool:
    module = alias.name if isinstance(stmt, ast.Import) else (stmt.module or "")
    root = module.partition(".")[0]
    is_known = root in STANDARD_MODULES and root not in _EFFECTFUL_MODULES
    is_submodule = isinstance(stmt, ast.Import) and "." in module and alias.asname is not None
    name = alias.asname or (root if isinstance(stmt, ast.Import) else alias.name)
    return is_known and not is_submodule and alias.name != "*" and name in unused


def _is_droppable(stmt: ast.stmt, unused: set[str]) -> bool:
    """Whether a statement only binds a name that is not used."""
    match stmt:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return name in unused and not stmt.decorator_list and _is_quiet(stmt)
        case ast.ClassDef(name=name):
            return name in unused and is_plain(stmt) and all(_is_quiet(item) for item in stmt.body)
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name in unused and _is_quiet(stmt)
    return False


def _is_quiet(stmt: ast.stmt) -> bool:
    """Whether a definition has no effect but to define something."""
    match stmt:
        case ast.FunctionDef(args=args, returns=result) | ast.AsyncFunctionDef(args=args, returns=result):
            defaults = [*args.defaults, *(item for item in args.kw_defaults if item)]
            notes = [result, *(arg.annotation for arg in parameters(args))]
            are_quiet = all(is_literal(item) for item in defaults) and not any(map(_has_effect, notes))
            return has_known_decorators(stmt) and are_quiet
        case ast.AnnAssign(value=value, annotation=annotation):
            return (value is None or is_literal(value)) and not _has_effect(annotation)
        case ast.Assign(value=value):
            return is_literal(value)
    return isinstance(stmt, ast.Pass) or (isinstance(stmt, ast.Expr) and isinstance(stmt.value, ast.Constant))


def _blocks(node: ast.AST) -> Iterable[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if isinstance(block, list) and block:
            yield block
