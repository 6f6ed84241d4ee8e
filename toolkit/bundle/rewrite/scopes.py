"""Which name means what: every binding of a program with all the places that mention it."""

import ast
from dataclasses import dataclass, field
from typing import Any

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(eq=False)
class Scope:
    """A namespace: the module, a function, lambda or comprehension, or a class body."""

    node: ast.AST
    parent: "Scope | None"
    bound: set[str] = field(default_factory=set)
    outer: dict[str, str] = field(default_factory=dict)  # name -> "global" or "nonlocal"


@dataclass
class Mention:
    """A field of a node that holds a name: `node.field`, or `node.field[index]`."""

    scope: Scope
    node: Any
    field: str
    index: int | None = None


@dataclass(eq=False)
class Binding:
    """One meaning of a name. `scope` is None for builtins and other names that the program does not bind."""

    name: str
    scope: Scope | None
    mentions: list[Mention] = field(default_factory=list)  # in the order of the text

    def rename(self, new: str) -> None:
        for mention in self.mentions:
            if mention.index is not None:
                getattr(mention.node, mention.field)[mention.index] = new
            elif isinstance(mention.node, ast.alias):
                mention.node.asname = new if new != mention.node.name else None
            else:
                setattr(mention.node, mention.field, new)


def find_bindings(tree: ast.Module) -> list[Binding]:
    """All bindings of a program, in the order in which they are first mentioned."""
    collector = _Collector(tree)
    bindings: dict[tuple[int, str], Binding] = {}
    for name, mention in collector.mentions:
        scope = _owner(name, mention.scope)
        binding = bindings.setdefault((id(scope), name), Binding(name, scope))
        binding.mentions.append(mention)
    return list(bindings.values())


def _owner(name: str, scope: Scope) -> Scope | None:
    """The scope that binds a name mentioned in `scope`."""
    top = scope
    while top.parent:
        top = top.parent
    if scope.outer.get(name) == "global":
        return top
    found: Scope | None = scope if name not in scope.outer else scope.parent
    while found and (name not in found.bound or (isinstance(found.node, ast.ClassDef) and found is not scope)):
        found = top if found.outer.get(name) == "global" else found.parent
    return found


class _Collector(ast.NodeVisitor):
    """Walks the tree in the order of the text; fills `mentions` with (name, Mention)."""

    def __init__(self, tree: ast.Module) -> None:
        self.mentions: list[tuple[str, Mention]] = []
        self.scope = Scope(tree, None)
        self.generic_visit(tree)

    def mention(self, name: str, node: ast.AST, field_name: str, index: int | None = None, binds: bool = True) -> None:
        self.mentions.append((name, Mention(self.scope, node, field_name, index)))
        if binds and name not in self.scope.outer:
            self.scope.bound.add(name)

    def visit_all(self, *nodes: Any) -> None:
        for node in nodes:
            for item in node if isinstance(node, list) else [node]:
                if isinstance(item, ast.AST):
                    self.visit(item)

    def visit_inside(self, node: ast.AST, *nodes: Any) -> None:
        """Visit nodes in the scope that `node` opens."""
        self.scope = Scope(node, self.scope)
        self.visit_all(*nodes)
        assert self.scope.parent
        self.scope = self.scope.parent

    def visit_Name(self, node: ast.Name) -> None:
        self.mention(node.id, node, "id", binds=not isinstance(node.ctx, ast.Load))

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        inner = self.scope
        while isinstance(self.scope.node, _COMPREHENSIONS) and self.scope.parent:
            self.scope = self.scope.parent
        self.visit(node.target)
        self.scope = inner

    def visit_arg(self, node: ast.arg) -> None:
        self.mention(node.arg, node, "arg")

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.visit_all(node.decorator_list, node.args.defaults, node.args.kw_defaults, node.returns)
        self.visit_all([arg.annotation for arg in ast.walk(node.args) if isinstance(arg, ast.arg)])
        self.mention(node.name, node, "name")
        self.visit_inside(node, parameters(node.args), node.body)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit_all(node.args.defaults, node.args.kw_defaults)
        self.visit_inside(node, parameters(node.args), node.body)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.visit_all(node.decorator_list, node.bases, node.keywords)
        self.mention(node.name, node, "name")
        self.visit_inside(node, node.body)

    def visit_comprehension_expression(self, node: Any) -> None:
        first, *others = node.generators
        self.visit(first.iter)
        results = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        self.visit_inside(node, first.target, first.ifs, others, results)

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_comprehension_expression

    def visit_alias(self, node: ast.alias) -> None:
        self.mention(node.asname or node.name.partition(".")[0], node, "asname")

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self.visit_all(node.type)
        if node.name:
            self.mention(node.name, node, "name")
        self.visit_all(node.body)

    def visit_Global(self, node: ast.Global | ast.Nonlocal) -> None:
        for index, name in enumerate(node.names):
            self.scope.outer[name] = "global" if isinstance(node, ast.Global) else "nonlocal"
            self.mention(name, node, "names", index, binds=False)

    visit_Nonlocal = visit_Global

    def visit_MatchAs(self, node: ast.MatchAs | ast.MatchStar) -> None:
        self.visit_all(getattr(node, "pattern", None))
        if node.name:
            self.mention(node.name, node, "name")

    visit_MatchStar = visit_MatchAs

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self.visit_all(node.keys, node.patterns)
        if node.rest:
            self.mention(node.rest, node, "rest")


def parameters(args: ast.arguments) -> list[ast.arg]:
    """Parameters in the order of the text."""
    return [*args.posonlyargs, *args.args, *([args.vararg] if args.vararg else []), *args.kwonlyargs] + (
        [args.kwarg] if args.kwarg else []
    )
