"""Shorter ways to write the same: constants evaluated, and no `pass`."""

import ast

from toolkit.syntax.constants import NotConstant, evaluate, is_literal, literal


def shorten(tree: ast.Module) -> None:
    """Shorten a program in place by what `prove_equal_up_to_names` takes to be equal."""
    _Fold().visit(tree)
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and any(isinstance(stmt, ast.Pass) for stmt in block):
                is_needed = name != "orelse" and node is not tree
                block[:] = _without_pass(block, is_needed)


def _without_pass(block: list[ast.stmt], is_needed: bool) -> list[ast.stmt]:
    kept = [stmt for stmt in block if not isinstance(stmt, ast.Pass)]
    becomes_docstring = isinstance(block[0], ast.Pass) and bool(kept) and _is_text(kept[0])
    if becomes_docstring or (is_needed and not kept):
        kept.insert(0, ast.copy_location(ast.Expr(ast.copy_location(ast.Constant(0), block[0])), block[0]))
    return kept


def _is_text(stmt: ast.stmt) -> bool:
    return isinstance(stmt, ast.Expr) and isinstance(stmt.value, ast.Constant) and isinstance(stmt.value.value, str)


class _Fold(ast.NodeTransformer):
    """Evaluates operators whose operands are constants where a number is shorter."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        return _folded(node, [node.left, node.right])

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        return _folded(node, [node.operand])


def _folded(node: ast.expr, operands: list[ast.expr]) -> ast.expr:
    if not all(map(is_literal, operands)):
        return node
    try:
        value = evaluate(node)
    except NotConstant:
        return node
    if not isinstance(value, (int, float)) or len(literal(value)) >= len(ast.unparse(node)):
        return node
    return ast.copy_location(ast.parse(literal(value), mode="eval").body, node)
