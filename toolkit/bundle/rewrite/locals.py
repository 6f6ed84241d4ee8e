"""Locals that are set once, to a literal that decides something: it moves to where they are read.

Covers `x = None`, also as one of several in `x, y = None, f()`, if all that reads `x` stands below in the same block or
in functions defined there, so that no read can come first. True, False and None move always, other literals if their
truth is asked for. The rest keep their names, which tell a reader what they are.
"""

import ast

from toolkit.bundle.rewrite.edits import Source
from toolkit.bundle.rewrite.expressions import replace_names, text_with_brackets
from toolkit.bundle.rewrite.scopes import Binding, find_bindings
from toolkit.bundle.rewrite.signatures import all_read
from toolkit.bundle.rewrite.simplify import simplify
from toolkit.syntax.constants import evaluate, is_flag, is_literal

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def fold_locals(text: str) -> str:
    """`simplify` that follows literals through locals."""
    while True:
        source = Source(simplify(text))
        if not any(_fold(source, binding) for binding in find_bindings(source.tree)):
            return source.data.decode()
        text = source.edited()


def _fold(source: Source, binding: Binding) -> bool:
    """Replace all reads of a local by the literal that it holds; False if it is to stay."""
    target, *reads = [mention.node for mention in binding.mentions]
    if not binding.scope or not isinstance(binding.scope.node, _FUNCTIONS) or not all_read(reads):
        return False
    pairs = _assigned(source, target)
    if not reads and len(pairs) == 1:  # `simplify` drops it
        return False
    value = dict(pairs).get(target)
    if (
        value is None
        or not is_literal(value)
        or not (is_flag(value) or any(_is_tested(source, read) for read in reads))
    ):
        return False
    stmt = next(node for node in source.ancestors(target) if isinstance(node, ast.stmt))
    below = _statements_below(source, stmt)
    if not all(below.intersection(source.ancestors(read)) for read in reads):
        return False
    replace_names(source, reads, evaluate(value))
    if len(pairs) > 1:
        kept = [pair for pair in pairs if pair[0] is not target]
        names, values = (
            ", ".join(text_with_brackets(source, item) for item in side) for side in zip(*kept, strict=True)
        )
        source.replace(source.start(stmt), source.end(stmt), f"{names} = {values}")
    return True


def _assigned(source: Source, target: ast.AST) -> list[tuple[ast.AST, ast.expr]]:
    """Names and values of the statement that sets a name, if it shows which value that is."""
    stmt = next((node for node in source.ancestors(target) if isinstance(node, ast.stmt)), None)
    match stmt:
        case ast.Assign(targets=[ast.Name() as name], value=value):
            return [(name, value)]
        case ast.AnnAssign(target=ast.Name() as name, value=ast.expr() as value):
            return [(name, value)]
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)) if len(names) == len(values):
            is_plain = all(isinstance(item, ast.Name) for item in names) and ast.Starred not in map(type, values)
            return list(zip(names, values, strict=True)) if is_plain else []
    return []


def _is_tested(source: Source, node: ast.expr) -> bool:
    """Whether it is for its truth that an expression is looked at."""
    parent = source.parents[node]
    is_not = isinstance(parent, ast.UnaryOp) and isinstance(parent.op, ast.Not)
    return getattr(parent, "test", None) is node or isinstance(parent, ast.BoolOp) or is_not


def _statements_below(source: Source, stmt: ast.stmt) -> set[ast.AST]:
    """What follows a statement in its block."""
    blocks = (block for _, block in ast.iter_fields(source.parents[stmt]) if isinstance(block, list))
    return {item for block in blocks if stmt in block for item in block[block.index(stmt) + 1 :]}
