"""Evaluate what is constant, take constant branches and remove what cannot run, until nothing changes.

Covers constant expressions, `and`, `or`, `not`, conditional expressions and f-strings with constant parts, `if` chains,
`while False`, `assert True`, statements after `return`, `raise`, `break` or `continue`, `pass` beside other statements,
empty branches, and locals that are set without effect and never read, functions among them. It does not follow values
through variables.
"""

import ast
from collections.abc import Iterable, Iterator
from typing import Any

from toolkit.bundle.rewrite.branches import chain_arms, chain_text, possible_arms
from toolkit.bundle.rewrite.edits import Source, first_line, last_line, one_statement_a_line
from toolkit.bundle.rewrite.expressions import (
    replace_by_fstring,
    replace_by_literal,
    replace_by_part,
    text_with_brackets,
)
from toolkit.syntax.constants import NotConstant, evaluate, is_literal, literal
from toolkit.syntax.unparse import unparse

_LEAVING = (ast.Return, ast.Raise, ast.Continue, ast.Break)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SCOPES = (*_FUNCTIONS, ast.ClassDef, ast.Lambda)
_SKIPPED_FIELDS = {"annotation", "returns", "pattern", "type_params"}


def simplify(text: str, shadowed: frozenset[str] = frozenset()) -> str:
    """Source text with the same behaviour and everything decided that constants decide.

    `shadowed` are names bound outside of the text, so that they are not taken for builtins.
    """
    text = one_statement_a_line(text)
    while True:
        source = Source(text)
        Simplifier(source, shadowed).visit(source.tree)
        if not source.edits:
            return text
        text = source.edited()


class Simplifier:
    """One pass over a text. Each visit either edits a node as a whole or goes into it, so edits never overlap."""

    def __init__(self, source: Source, shadowed: frozenset[str]) -> None:
        self.source = source
        self.shadowed = shadowed | bound_names(source.tree)
        self.dead = {stmt for f in ast.walk(source.tree) if isinstance(f, _FUNCTIONS) for stmt in dead_stores(f)}

    def value(self, node: ast.expr) -> tuple[bool, Any]:
        """(True, value) of a constant expression, else (False, None)."""
        try:
            return True, evaluate(node, self.shadowed)
        except NotConstant:
            return False, None

    def visit(self, node: ast.AST) -> None:
        for name, field in ast.iter_fields(node):
            if name in _SKIPPED_FIELDS:
                continue
            is_test = name in ("test", "ifs") or (name == "operand" and isinstance(node.op, ast.Not))  # type: ignore[attr-defined]
            children = field if isinstance(field, list) else [field]
            if children and isinstance(children[0], ast.stmt):
                self.visit_block(children)
                continue
            for child in children:
                if isinstance(child, ast.expr):
                    self.visit_expression(child, is_test)
                elif isinstance(child, ast.AST):
                    self.visit(child)

    # Statements

    def visit_block(self, block: list[ast.stmt]) -> None:
        gone = [stmt for stmt in block if self.is_gone(stmt)]
        place_holder = gone.pop(0) if len(gone) == len(block) else None
        for i, stmt in enumerate(block):
            if stmt in gone:
                self.source.delete_lines(self.first_line_with_comment(stmt), last_line(stmt))
            elif stmt is place_holder:
                if not isinstance(stmt, ast.Pass):
                    self.replace_lines(stmt, " " * stmt.col_offset + "pass\n")
            elif not (isinstance(stmt, ast.If) and self.reduce_chain(stmt)):
                self.visit(stmt)
            if isinstance(stmt, _LEAVING) and block[i + 1 :] and not self.ends_generator(block[i + 1 :]):
                self.source.delete_lines(last_line(stmt) + 1, last_line(block[-1]))
                break

    def replace_lines(self, stmt: ast.stmt, new: str) -> None:
        self.source.replace_lines(self.first_line_with_comment(stmt), last_line(stmt), new)

    def reduce_chain(self, stmt: ast.If) -> bool:
        """Drop the branches of an `if` that cannot run; False where there are none."""
        arms = chain_arms(self.source, stmt)
        kept = possible_arms(arms, self.value)
        blocks = [arm.block for arm in kept]
        dropped = [item for arm in arms if arm.block not in blocks for item in arm.block]
        if [arm.test for arm in arms] == [arm.test for arm in kept] or (dropped and self.ends_generator(dropped)):
            return False
        indent = " " * stmt.col_offset
        if kept:
            self.source.replace_lines(stmt.lineno, last_line(stmt), chain_text(kept, indent))
        else:
            self.replace_lines(stmt, f"{indent}pass\n")
        return True

    def is_gone(self, stmt: ast.stmt) -> bool:
        """Whether a statement has no effect."""
        match stmt:
            case ast.Pass():
                return True
            case ast.Assert(test=test):
                known, value = self.value(test)
                return known and bool(value)
            case ast.While(test=test, orelse=[]):
                known, value = self.value(test)
                return known and not value and not self.ends_generator([stmt])
            case ast.If(test=test, body=body):
                arms = [*body, *stmt.orelse]
                if is_pure(test) and all(isinstance(item, ast.Pass) for item in arms):
                    return True
                known, value = self.value(test)
                return known and not value and not stmt.orelse and not self.ends_generator([stmt])
        return stmt in self.dead

    def first_line_with_comment(self, stmt: ast.stmt) -> int:
        """Line of the comment right above a statement, or of the statement itself."""
        line = first_line(stmt)
        indent = " " * stmt.col_offset
        while line > 1 and self.source.lines(line - 1, line - 1).startswith(indent + "#"):
            line -= 1
        return line

    def ends_generator(self, removed: list[ast.stmt]) -> bool:
        """Whether their function is a generator for the sake of these statements alone."""
        function: ast.AST = removed[0]
        while function in self.source.parents and not isinstance(function, _FUNCTIONS):
            function = self.source.parents[function]
        num_removed = len(own_yields(removed))
        return 0 < num_removed == len(own_yields(ast.iter_child_nodes(function)))

    # Expressions

    def visit_expression(self, node: ast.expr, is_test: bool) -> None:
        if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
            self.visit(node)
            return
        if is_literal(node):
            return
        known, value = self.value(node)
        if known and (isinstance(value, bool) or len(literal(value)) <= len(self.source.text(node))):
            replace_by_literal(self.source, node, value)
            return
        match node:
            case ast.IfExp(test=test, body=body, orelse=orelse) if self.value(test)[0]:
                replace_by_part(self.source, node, body if self.value(test)[1] else orelse)
            case ast.BoolOp(values=values) if len(kept := self.deciding(node, is_test)) < len(values):
                if len(kept) == 1:
                    replace_by_part(self.source, node, kept[0])
                else:
                    word = " and " if isinstance(node.op, ast.And) else " or "
                    text = word.join(text_with_brackets(self.source, item) for item in kept)
                    self.source.replace(self.source.start(node), self.source.end(node), text)
            case ast.JoinedStr():
                before = ast.dump(node)
                if ast.dump(join_pieces(node, self.shadowed)) != before:
                    replace_by_fstring(self.source, node)
            case ast.BoolOp(values=values):
                for item in values:
                    self.visit_expression(item, is_test)
            case _:
                self.visit(node)

    def deciding(self, node: ast.BoolOp, is_test: bool) -> list[ast.expr]:
        """Operands that can decide the value; where only its truth counts, a neutral last one goes as well."""
        kept = []
        for item in node.values:
            known, value = self.value(item)
            neutral = known and bool(value) == isinstance(node.op, ast.And)
            if not neutral or (item is node.values[-1] and not is_test):
                kept.append(item)
            if known and not neutral:
                break
        return kept or node.values[-1:]


def bound_names(tree: ast.AST) -> frozenset[str]:
    """Names that a text binds as variables or parameters."""
    stored = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    return frozenset(stored | {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)})


def join_pieces(node: ast.JoinedStr, shadowed: frozenset[str]) -> ast.JoinedStr:
    """Turn constant pieces of an f-string into text and simplify the others, in place."""
    pieces: list[ast.expr] = []
    for piece in node.values:
        try:
            text = evaluate(ast.JoinedStr([piece]), shadowed)
        except NotConstant:
            assert isinstance(piece, ast.FormattedValue)
            piece.value = ast.parse(simplify(f"({unparse(piece.value)})", shadowed), mode="eval").body
            if isinstance(piece.format_spec, ast.JoinedStr):
                join_pieces(piece.format_spec, shadowed)
            pieces.append(piece)
            continue
        if pieces and isinstance(pieces[-1], ast.Constant):
            text = pieces.pop().value + text  # type: ignore[attr-defined]
        pieces.append(ast.Constant(text))
    node.values = pieces
    return node


def own_yields(nodes: Iterable[ast.AST]) -> list[ast.AST]:
    """The `yield`s of a function's own body."""
    return [node for node in own_nodes(nodes) if isinstance(node, (ast.Yield, ast.YieldFrom))]


def own_nodes(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """All nodes of a function's own body, but not what is inside of functions in there."""
    for node in nodes:
        yield node
        if not isinstance(node, _SCOPES):
            yield from own_nodes(ast.iter_child_nodes(node))


def is_pure(node: ast.AST) -> bool:
    """Whether evaluating an expression has no effect worth keeping. Attributes and operators are taken for pure."""
    pure = (ast.Constant, ast.Name, ast.Attribute, ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.Compare, ast.IfExp)
    displays = (ast.Tuple, ast.List, ast.Dict, ast.Set, ast.Subscript, ast.Lambda, ast.expr_context, ast.operator)
    others = (ast.boolop, ast.unaryop, ast.cmpop, ast.arguments, ast.arg)
    return all(isinstance(child, (*pure, *displays, *others)) for child in ast.walk(node))


def dead_stores(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.stmt]:
    """Plain assignments of pure values to locals, and definitions of functions, that nothing in the function reads."""
    nodes = list(ast.walk(function))
    read = {n.id for n in nodes if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Store)}
    read |= {n.target.id for n in nodes if isinstance(n, ast.AugAssign) and isinstance(n.target, ast.Name)}
    read |= {name for n in nodes if isinstance(n, (ast.Global, ast.Nonlocal)) for name in n.names}
    inner = {n for scope in nodes if isinstance(scope, ast.ClassDef) for n in scope.body}  # attributes, not locals
    for node in nodes:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if node not in inner:
                if name not in read and is_pure(value):
                    yield node
            case ast.AnnAssign(target=ast.Name(id=name), value=maybe) if node not in inner:
                if name not in read and (maybe is None or is_pure(maybe)):
                    yield node
            case ast.FunctionDef(name=name, decorator_list=[], args=args) if node not in inner and node is not function:
                if name not in read and all(map(is_pure, [*args.defaults, *filter(None, args.kw_defaults)])):
                    yield node
