"""Which name means what: every binding of a program with all the places that mention it.

As Python 3.11 to 3.13 resolve names: see "Resolution of names" in the language reference, and `symtable`, against which
this is tested. What the text of a name does not show:

- A name that only functions bind, under `global`, is one of the module.
- A class body that binds a name may read it before: it then finds the global of that name, never a variable of a
  function around. Such a read is a mention of both.
- In a class `__name` means `_Class__name`. The binding has the name that is meant.
- `from module import *` may bind any global name.
"""

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
    """One meaning of a name. `scope` is None for builtins and other names that the program does not bind.

    `is_fixed` says that it must keep its name: not all that depends on the name are mentions which can be rewritten.
    """

    name: str
    scope: Scope | None
    mentions: list[Mention] = field(default_factory=list)  # in the order of the text
    is_fixed: bool = False

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
    top = collector.top
    bindings: dict[tuple[int, str], Binding] = {}

    def add(name: str, scope: Scope | None, mention: Mention) -> Binding:
        binding = bindings.setdefault((id(scope), name), Binding(name, scope))
        binding.mentions.append(mention)
        return binding

    for name, mention, reads, is_fixed in collector.mentions:
        scope = _owner(name, mention.scope, top)
        binding = add(name, scope, mention)
        binding.is_fixed |= is_fixed
        if reads and scope is mention.scope and isinstance(scope.node, ast.ClassDef):
            add(name, _if_bound(name, top), mention).is_fixed = True
    for binding in bindings.values():
        if binding.scope is top and (collector.has_star or binding.name not in collector.stored):
            binding.is_fixed = True
    return list(bindings.values())


def star_imports(tree: ast.Module) -> list[ast.ImportFrom]:
    """Imports that may bind any global name; Python allows them at the top level only."""
    imports = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    return [node for node in imports if _is_star(node.names[0])]


def _is_star(alias: ast.alias) -> bool:
    return alias.name == "*"


def mangled(name: str, class_name: str) -> str:
    """What a name means in a class; `class_name` is empty outside of classes."""
    owner = class_name.lstrip("_")
    return f"_{owner}{name}" if owner and is_private(name) else name


def is_private(name: str) -> bool:
    """Whether a name means another one in a class."""
    return name.startswith("__") and not name.endswith("__") and "." not in name


def _owner(name: str, scope: Scope, top: Scope) -> Scope | None:
    """The scope that binds a name mentioned in `scope`."""
    if name in scope.bound:
        return scope
    if scope.outer.get(name) != "global":
        found = scope.parent
        while found and found is not top:
            if not isinstance(found.node, ast.ClassDef):  # what a class binds or declares is nothing to its methods
                if name in found.bound:
                    return found
                if found.outer.get(name) == "global":
                    break
            found = found.parent
    return _if_bound(name, top)


def _if_bound(name: str, top: Scope) -> Scope | None:
    return top if name in top.bound else None


class _Collector(ast.NodeVisitor):
    """Walks the tree in the order of the text; `mentions` are (name, Mention, whether it reads, is fixed)."""

    def __init__(self, tree: ast.Module) -> None:
        self.mentions: list[tuple[str, Mention, bool, bool]] = []
        self.scope = self.top = Scope(tree, None)
        self.class_name = ""
        self.has_star = False
        self.stored: set[str] = set()  # global names that are not only deleted or annotated
        self.generic_visit(tree)

    def mention(
        self,
        name: str,
        node: ast.AST,
        field_name: str,
        index: int | None = None,
        binds: bool = True,
        reads: bool = False,
        is_fixed: bool = False,
    ) -> None:
        meant = mangled(name, self.class_name)
        self.mentions.append((meant, Mention(self.scope, node, field_name, index), reads, is_fixed or meant != name))
        if binds:
            self.bind(meant, self.scope)

    def bind(self, name: str, scope: Scope, stores: bool = True) -> None:
        declared = scope.outer.get(name)
        if declared == "global":
            scope = self.top
        if declared != "nonlocal":
            scope.bound.add(name)
        if scope is self.top and stores:
            self.stored.add(name)

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
        self.mention(node.id, node, "id", binds=isinstance(node.ctx, ast.Store), reads=isinstance(node.ctx, ast.Load))
        if isinstance(node.ctx, ast.Del):
            self.bind(mangled(node.id, self.class_name), self.scope, stores=False)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self.mention(node.target.id, node.target, "id", reads=True)
        else:
            self.visit(node.target)
        self.visit(node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), value=None, simple=1):
                self.mention(name, node.target, "id", binds=False)
                self.bind(mangled(name, self.class_name), self.scope, stores=False)
            case ast.AnnAssign(target=ast.Name(), value=None):
                pass  # the name in `(x): int` means nothing
            case _:
                self.visit(node.target)
        self.visit_all(node.annotation, node.value)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        name, scope = mangled(node.target.id, self.class_name), self.scope
        while isinstance(scope.node, _COMPREHENSIONS) and scope.parent:
            scope.outer[name] = "nonlocal"
            scope = scope.parent
        self.bind(name, scope)
        self.mention(node.target.id, node.target, "id", binds=False)

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
        self.mention(node.name, node, "name", is_fixed=_has_private_names(node))
        outer, self.class_name = self.class_name, node.name
        self.visit_inside(node, node.body)
        self.class_name = outer

    def visit_comprehension_expression(self, node: Any) -> None:
        first, *others = node.generators
        self.visit(first.iter)
        results = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        self.visit_inside(node, first.target, first.ifs, others, results)

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_comprehension_expression

    def visit_alias(self, node: ast.alias) -> None:
        if _is_star(node):
            self.has_star = True
        else:
            self.mention(node.asname or node.name.partition(".")[0], node, "asname")

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self.visit_all(node.type)
        if node.name:
            self.mention(node.name, node, "name")
        self.visit_all(node.body)

    def visit_Global(self, node: ast.Global | ast.Nonlocal) -> None:
        for index, name in enumerate(node.names):
            if self.scope is not self.top:
                meant = mangled(name, self.class_name)
                self.scope.outer[meant] = "global" if isinstance(node, ast.Global) else "nonlocal"
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


def _has_private_names(node: ast.ClassDef) -> bool:
    """Whether names in a class mean others for the sake of its own name."""
    for inner in (inner for stmt in node.body for inner in ast.walk(stmt) if not isinstance(inner, ast.Constant)):
        for _, value in ast.iter_fields(inner):
            names = value if isinstance(value, list) else [value]
            if any(isinstance(name, str) and is_private(name.partition(".")[0]) for name in names):
                return True  # an import of `__a.b` binds `__a`
    return False


def parameters(args: ast.arguments) -> list[ast.arg]:
    """Parameters in the order of the text."""
    return [*args.posonlyargs, *args.args, *([args.vararg] if args.vararg else []), *args.kwonlyargs] + (
        [args.kwarg] if args.kwarg else []
    )
