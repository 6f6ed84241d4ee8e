"""A recipe's miniature: the same flags, and every size so small that a CPU trains it in a second.

Each section says what it becomes in there. What a flag turns on stays on, what covers all layers covers all of them,
and ratios of heads stay. So the miniature folds to the same program up to the numbers in it, which
`same_up_to_constants` checks.
"""

import ast
from dataclasses import replace
from typing import Any

from toolkit.components.base.failure import InputError
from toolkit.components.config import Config
from toolkit.errors import GolfError


def scaled_down(cfg: Config) -> Config:
    """The miniature, whose run needs no clock. `GolfError` where its sections do not make a valid recipe."""
    try:
        small: dict[str, Any] = {section.name: section.small(cfg) for section in cfg.sections()}
        return replace(cfg, **small)
    except InputError as error:
        raise GolfError(
            f"{cfg.name}, its miniature for proofs and probes: {error}; the recipe itself is valid, mend `small` of "
            "that section in toolkit/components/settings"
        ) from None


def same_up_to_constants(one: str, other: str) -> bool:
    """Whether two programs differ in nothing but the values of numbers and strings."""
    return _masked(one) == _masked(other)


def _masked(source: str) -> str:
    return ast.dump(_Mask().visit(ast.parse(source)))


class _Mask(ast.NodeTransformer):
    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        value = node.value
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return ast.Constant(0 if is_number else "" if isinstance(value, str) else value)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        """A negative number is a number."""
        operand = self.visit(node.operand)
        is_number = isinstance(operand, ast.Constant) and operand.value == 0
        return operand if is_number and isinstance(node.op, ast.USub) else ast.UnaryOp(node.op, operand)

    def visit_Tuple(self, node: ast.Tuple) -> ast.expr:
        """A tuple of constants is a constant, whatever its length."""
        items = [self.visit(item) for item in node.elts]
        is_constant = all(isinstance(item, ast.Constant) for item in items)
        return ast.Tuple(items[:1] if is_constant else items, node.ctx)
