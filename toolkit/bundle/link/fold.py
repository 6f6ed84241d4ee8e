"""Fold a recipe into source text: settings become literals, and what is then decided disappears.

All of it replaces spans of the text, so comments and layout survive wherever nothing was decided. Two steps:
`bake_settings` puts literals in the place of settings and drops the `cfg` that carried them; `fold_locals` follows them
through variables, evaluates constant expressions, takes constant branches and removes what cannot run. `__debug__` is
False in a script: what checks a component's own work, which would cost bytes, runs from the modules alone.
"""

import ast

from toolkit.bundle.link.settings import CfgUse, cfg_uses, is_cfg, read_setting
from toolkit.bundle.rewrite.edits import Source
from toolkit.bundle.rewrite.expressions import replace_by_fstring, replace_by_literal
from toolkit.bundle.rewrite.locals import fold_locals
from toolkit.bundle.rewrite.simplify import bound_names, join_pieces
from toolkit.components.config import Config
from toolkit.errors import GolfError
from toolkit.syntax.constants import literal


def fold(text: str, cfg: Config, where: str = "<source>", first_line: int = 1) -> str:
    """Source text under a recipe. Errors name `where` and the line, counted from `first_line`."""
    return fold_locals(bake_settings(text, cfg, where, first_line))


def bake_settings(text: str, cfg: Config, where: str, first_line: int) -> str:
    """Replace each read of a setting by its literal, `__debug__` too; drop `cfg` as parameter, argument, attribute."""
    source = Source(text)
    fstrings: set[ast.JoinedStr] = set()
    for use in cfg_uses(source.tree):
        value = _value(use, cfg, f"{where}:{first_line + use.node.lineno - 1}")
        if fstring := source.enclosing_fstring(use.node):
            fstrings.add(fstring)  # the positions of what is inside are not to be relied on
        elif use.kind in ("parameter", "argument"):
            source.drop_item(source.start(use.node), source.end(use.node))
        elif use.kind == "store":
            source.replace(source.start(use.node), source.end(use.node), "pass")
        else:
            replace_by_literal(source, use.node, value)
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Name) or node.id != "__debug__":
            continue
        if fstring := source.enclosing_fstring(node):
            fstrings.add(fstring)
        else:
            replace_by_literal(source, node, False)
    for fstring in fstrings:
        join_pieces(_BakeTree(fstring, cfg, where).visit(fstring), bound_names(source.tree))
        replace_by_fstring(source, fstring)
    return source.edited()


def _value(use: CfgUse, cfg: Config, where: str) -> object:
    """What a read stands for, None for other uses; `GolfError` for a use that cannot be folded."""
    if use.kind == "stray":
        raise GolfError(f"{where}: {use.reason}; expected cfg.section.field at the place of use")
    try:
        return read_setting(cfg, use.fields) if use.kind == "read" else None
    except TypeError as error:
        raise GolfError(f"{where}: cfg.{'.'.join(use.fields)}: {error}") from None


class _BakeTree(ast.NodeTransformer):
    """`bake_settings` for the expressions of an f-string, whose uses have been looked through already."""

    def __init__(self, tree: ast.AST, cfg: Config, where: str) -> None:
        reads = [use for use in cfg_uses(tree) if use.kind == "read"]
        self.literals = {use.node: literal(_value(use, cfg, where)) for use in reads}

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if node in self.literals:
            return ast.parse(self.literals[node], mode="eval").body
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Constant(False) if node.id == "__debug__" else node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if node.args and is_cfg(node.args[0]):
            del node.args[0]
        return self.generic_visit(node)
