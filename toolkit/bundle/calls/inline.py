"""Calls of functions that came to nothing: what they return takes the place of the call.

A part that is off folds to a function that returns a parameter, a literal or nothing. Its calls vanish, `x = x` and
statements without effect with them, and nothing is left to name it. Covers functions at the top level without
decorators, wherever they are called by their own name. A call stays if it passes `*` or `**`, or an argument whose
effects would be lost.
"""

import ast
from collections.abc import Iterator

from toolkit.bundle.calls.arguments import distribute
from toolkit.bundle.link.parts import Part
from toolkit.bundle.rewrite.edits import Source
from toolkit.bundle.rewrite.expressions import replace_by_argument, replace_by_fstring, replace_by_literal, substitute
from toolkit.bundle.rewrite.scopes import Binding, find_bindings
from toolkit.bundle.rewrite.signatures import sole_definition
from toolkit.bundle.rewrite.simplify import bound_names, is_pure, join_pieces
from toolkit.syntax.constants import evaluate, is_literal

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def inline(parts: list[Part]) -> list[Part]:
    """The same program without calls of functions that came to nothing."""
    while True:
        source = Source("".join(part.source for part in parts))
        bindings = find_bindings(source.tree)
        edited: set[ast.AST] = set()  # statements, of which each may hold several calls, one in another
        for call, result in _idle_calls(source, bindings):
            statement: ast.AST = call
            while not isinstance(statement, ast.stmt):
                statement = source.parents[statement]
            if statement not in edited:
                edited.add(statement)
                _replace(source, call, result, bindings)
        if not source.edits:
            return parts
        parts = distribute(parts, source.edits)


def _idle_calls(source: Source, bindings: list[Binding]) -> Iterator[tuple[ast.Call, ast.expr]]:
    """Calls that may go, each with the argument or literal that takes its place."""
    calls = {node.func: node for node in ast.walk(source.tree) if isinstance(node, ast.Call)}
    for binding in bindings:
        definition, uses = sole_definition(binding)
        if not isinstance(definition, ast.FunctionDef) or definition not in source.tree.body:
            continue
        result = _result(definition)
        for call in (calls[use] for use in uses if use in calls):
            values = arguments_by_name(definition.args, call)
            if result is not None and values is not None:
                kept = values.pop(result.id) if isinstance(result, ast.Name) else result
                if all(map(is_pure, values.values())):
                    yield call, kept


def _result(function: ast.FunctionDef) -> ast.expr | None:
    """The parameter or literal that a function returns, if it does nothing else."""
    match working_statements(function):
        case _ if function.decorator_list:
            return None
        case [] | [ast.Return(value=None)]:
            return ast.Constant(None)
        case [ast.Return(value=ast.Name(id=name) as value)] if name in {arg.arg for arg in function.args.args}:
            return value
        case [ast.Return(value=ast.expr() as value)] if is_literal(value):
            return value
    return None


def working_statements(function: ast.FunctionDef) -> list[ast.stmt]:
    """The body without its docstring and `pass`."""
    return [stmt for stmt in function.body if not isinstance(stmt, ast.Pass) and not _is_constant(stmt)]


def _is_constant(stmt: ast.stmt) -> bool:
    return isinstance(stmt, ast.Expr) and isinstance(stmt.value, ast.Constant)


def arguments_by_name(parameters: ast.arguments, call: ast.Call) -> dict[str, ast.expr] | None:
    """What a call gives to every parameter, in its order, then literal defaults; None if that is not plain to see."""
    names = [arg.arg for arg in parameters.args]
    given = [*zip(names, call.args, strict=False), *((item.arg or "", item.value) for item in call.keywords)]
    is_plain = not (parameters.posonlyargs or parameters.vararg or parameters.kwonlyargs or parameters.kwarg)
    is_starred = any(isinstance(arg, ast.Starred) for arg in call.args)
    if not is_plain or is_starred or len(call.args) > len(names) or len(dict(given)) < len(given):
        return None
    defaults = dict(zip(names[::-1], parameters.defaults[::-1], strict=False))
    missing = {name: default for name, default in defaults.items() if name not in dict(given) and is_literal(default)}
    values = dict(given) | missing
    return values if values.keys() == set(names) else None


def _replace(source: Source, call: ast.Call, result: ast.expr, bindings: list[Binding]) -> None:
    """Put the result in the place of a call; a statement that then has no effect becomes `pass`."""
    match source.parents[call]:
        case _ if fstring := source.enclosing_fstring(call):
            substitute(fstring, {call: result})
            replace_by_fstring(source, join_pieces(fstring, bound_names(source.tree)))
        case ast.Expr() as statement if is_pure(result):
            source.replace(source.start(statement), source.end(statement), "pass")
        case (
            ast.Assign(targets=[ast.Name(id=name) as target]) | ast.AnnAssign(target=ast.Name(id=name) as target)
        ) as statement if isinstance(result, ast.Name) and result.id == name and _is_set_elsewhere(target, bindings):
            source.replace(source.start(statement), source.end(statement), "pass")
        case _ if is_literal(result):
            replace_by_literal(source, call, evaluate(result))
        case _:
            replace_by_argument(source, call, result)


def _is_set_elsewhere(target: ast.Name, bindings: list[Binding]) -> bool:
    """Whether a name stays a local of its function without this assignment."""
    for binding in bindings:
        nodes = [mention.node for mention in binding.mentions]
        if target in nodes and binding.scope and isinstance(binding.scope.node, _FUNCTIONS):
            stored = {node for node in nodes if isinstance(getattr(node, "ctx", ast.Store()), ast.Store)}
            return len(stored) > 1
    return False
