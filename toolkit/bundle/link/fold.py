"""Fold a recipe into source text: settings become literals, and what is then decided disappears.

All of it replaces spans of the text, so comments and layout survive wherever nothing was decided. Two steps:
`bake_settings` puts literals in the place of settings and drops the `cfg` that carried them; `fold_locals` follows them
through variables, evaluates constant expressions, takes constant branches and removes what cannot run. `__debug__` is
False in a script: what checks a component's own work, which would cost bytes, runs from the modules alone.
"""

import ast
from types import MappingProxyType

from toolkit.bundle.link.settings import CfgUse, SettingsFunctions, cfg_uses, is_cfg, setting_value
from toolkit.bundle.rewrite.edits import Source
from toolkit.bundle.rewrite.expressions import replace_by_fstring, replace_by_literal
from toolkit.bundle.rewrite.locals import fold_locals
from toolkit.bundle.rewrite.simplify import bound_names, join_pieces
from toolkit.components.config import Config
from toolkit.errors import GolfError
from toolkit.syntax.constants import is_literal_value, literal


def fold(
    text: str,
    cfg: Config,
    where: str = "<source>",
    first_line: int = 1,
    functions: SettingsFunctions = MappingProxyType({}),
) -> str:
    """Source text under a recipe. Errors name `where` and the line, counted from `first_line`.

    `functions` are those of the settings that the text may call.
    """
    return fold_locals(bake_settings(text, cfg, where, first_line, functions))


def bake_settings(text: str, cfg: Config, where: str, first_line: int, functions: SettingsFunctions) -> str:
    """Put literals in the place of settings, of calls of functions of the settings and of `__debug__`; drop `cfg`."""
    source = Source(text)
    fstrings: set[ast.JoinedStr] = set()
    for use in cfg_uses(source.tree, functions):
        value = _value(use, cfg, f"{where}:{first_line + use.node.lineno - 1}", functions)
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
        join_pieces(_BakeTree(fstring, cfg, where, functions).visit(fstring), bound_names(source.tree))
        replace_by_fstring(source, fstring)
    return source.edited()


def _value(use: CfgUse, cfg: Config, where: str, functions: SettingsFunctions) -> object:
    """What a use stands for, None for one that just goes; `GolfError` for one that cannot be folded."""
    if use.kind == "stray":
        raise GolfError(f"{where}: {use.reason}; expected cfg.section.field at the place of use")
    if use.kind not in ("read", "call"):
        return None
    value = setting_value(use, cfg, functions)
    if not is_literal_value(value):
        found = f"{type(value).__name__} from {ast.unparse(use.node)}"
        raise GolfError(f"{where}: expected a number, string, boolean, None or a tuple of these, found {found}")
    return value


class _BakeTree(ast.NodeTransformer):
    """`bake_settings` for the expressions of an f-string, whose uses have been looked through already."""

    def __init__(self, tree: ast.AST, cfg: Config, where: str, functions: SettingsFunctions) -> None:
        self.literals = {
            use.node: ast.parse(literal(_value(use, cfg, where, functions)), mode="eval").body
            for use in cfg_uses(tree, functions)
            if use.kind in ("read", "call")
        }

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        return self.literals.get(node) or self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Constant(False) if node.id == "__debug__" else node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if node in self.literals:
            return self.literals[node]
        if node.args and is_cfg(node.args[0]):
            del node.args[0]
        return self.generic_visit(node)
