"""Functions with a single call move to the place of that call. For packing: a reader would miss their names.

Covers functions at the top level that are one `return`, and those without `return` whose call is a statement. They may
set no variables but those of comprehensions. With variables of its own a function stays, because one long function with
many names compresses worse than two short ones (by 1 to 2 % of a script, were all of them to move), and because tensors
in those variables would live on until the caller returns. What has moved counts as bytes of the caller. A function also
stays where

- a name in it would mean something else at the call;
- an argument that is more than a name or a literal would not run exactly once, in order and before all else does;
- a generator would read a variable of the caller, perhaps after that has been set anew.
"""

import ast
from collections.abc import Iterable, Iterator
from itertools import count

from toolkit.bundle.calls.inline import arguments_by_name, working_statements
from toolkit.bundle.rewrite.expressions import substitute
from toolkit.bundle.rewrite.scopes import Binding, Scope, find_bindings
from toolkit.bundle.rewrite.signatures import all_read, sole_definition
from toolkit.bundle.rewrite.simplify import is_pure
from toolkit.syntax.constants import is_literal
from toolkit.syntax.unparse import copied

# What opens a scope other than a comprehension's, binds a name in another one, or leaves the function and comes back.
_REFUSED = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda),
    *(ast.Global, ast.Nonlocal, ast.NamedExpr),
    *(ast.Await, ast.Yield, ast.YieldFrom),
)
_SIMPLE = (ast.Expr, ast.Assign, ast.AugAssign, ast.Delete, ast.Raise, ast.Return)
_ONCE, _PERHAPS, _LATER = range(3)  # when something runs: for sure and once, never or often, when the call may be over


def absorb(tree: ast.Module, roots: frozenset[str]) -> None:
    """Move in place all functions that may move; `roots` are called from outside."""
    while _absorb_some(tree, roots):
        pass


def _absorb_some(tree: ast.Module, roots: frozenset[str]) -> bool:
    """Move functions between statements that this round has not changed, for which the analysis still holds."""
    program = _Program(tree)
    changed: set[ast.AST] = set()
    for function, call in list(program.single_calls()):
        places = {function, program.top_statement(call)}
        may_move = function.name not in roots and len(places) == 2 and not places & changed
        if may_move and program.move(function, call):
            changed |= places
    return bool(changed)


class _Program:
    """A program with what its names mean."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        nodes = list(ast.walk(tree))
        self.calls = {node.func: node for node in nodes if isinstance(node, ast.Call)}
        self.parents = {child: node for node in nodes for child in ast.iter_child_nodes(node)}
        self.bindings = find_bindings(tree)
        self.meaning: dict[ast.AST, Binding] = {m.node: binding for binding in self.bindings for m in binding.mentions}
        self.scopes: dict[ast.AST, Scope] = {m.node: m.scope for binding in self.bindings for m in binding.mentions}
        self.names = {binding.name for binding in self.bindings}

    def single_calls(self) -> Iterator[tuple[ast.FunctionDef, ast.Call]]:
        """Functions at the top level that one call mentions and nothing else."""
        for binding in self.bindings:
            function, uses = sole_definition(binding)
            is_plain = isinstance(function, ast.FunctionDef) and not function.decorator_list
            if is_plain and function in self.tree.body and len(uses) == 1 and uses[0] in self.calls:
                yield function, self.calls[uses[0]]  # type: ignore[misc]

    def top_statement(self, node: ast.AST) -> ast.AST:
        while self.parents[node] is not self.tree:
            node = self.parents[node]
        return node

    def move(self, function: ast.FunctionDef, call: ast.Call) -> bool:
        """Put what a function does in the place of its call, unless it has to stay."""
        place: ast.AST = call
        match working_statements(function):
            case [ast.Return(value=ast.expr())] as body:
                pass
            case [_, *_] as body if isinstance(self.parents[call], ast.Expr) and not _found(body, (ast.Return,)):
                place = self.parents[call]
            case _:
                return False
        values = arguments_by_name(function.args, call)
        if values is None or _found([*body, call], _REFUSED) or self.captures(function, call):
            return False
        inside = set(ast.walk(function))
        inner = [binding for binding in self.bindings if binding.scope and binding.scope.node in inside]
        own = [binding for binding in inner if binding.scope and binding.scope.node is function]
        reads = {mention.node: binding.name for binding in own for mention in binding.mentions[1:]}
        is_free_of_variables = values.keys() >= {binding.name for binding in own} and all_read(list(reads))
        if not is_free_of_variables or not self.keeps_order(body, reads, values):
            return False
        for binding in inner:
            if binding not in own:
                binding.rename(self.new_name(binding.name))
        substitute(function, {node: copied(values[name]) for node, name in reads.items()})
        work = working_statements(function)
        result = [stmt.value for stmt in work if isinstance(stmt, ast.Return) and stmt.value]
        substitute(self.tree, {function: [], place: result[0] if place is call else work})
        return True

    def captures(self, function: ast.FunctionDef, call: ast.Call) -> bool:
        """Whether a name that a function finds outside of it means something else at the call."""
        names = {getattr(node, "attr", "") for node in ast.walk(function)}
        if any(name.startswith("__") and not name.endswith("__") for name in names):
            return True  # in a class it would be another name
        found = [self.meaning[node] for node in ast.walk(function) if node in self.meaning]
        outer = {binding.name for binding in found if binding.scope is None or binding.scope.parent is None}
        scope = self.scopes[call.func]
        while scope.parent and not scope.bound & outer:
            scope = scope.parent
        return scope.parent is not None

    def keeps_order(self, body: list[ast.stmt], reads: dict[ast.AST, str], values: dict[str, ast.expr]) -> bool:
        """Whether arguments mean the same where parameters are read; `reads` has the parameter's name."""
        is_simple = {name: is_literal(value) or self.is_steady(value) for name, value in values.items()}
        due = [name for name, simple in is_simple.items() if not simple and name in reads.values()]
        for node, when in _in_order(body):
            name = reads.get(node)
            if name is None:
                if due and not self.is_idle(node):
                    return False
            elif not is_simple[name]:
                if when is not _ONCE or due[:1] != [name]:
                    return False
                del due[0]
            elif when is _LATER and not is_literal(values[name]) and not self.is_final(values[name]):
                return False
        return all(is_pure(value) for name, value in values.items() if name not in reads.values())

    def is_steady(self, node: ast.AST) -> bool:
        """Whether an expression is a name that nothing but its own function sets."""
        if not isinstance(node, ast.Name):
            return False
        scope, setters = self.meaning[node].scope, self.setters(node)
        is_shared = any(isinstance(setter, (ast.Global, ast.Nonlocal)) for setter in setters)
        return not is_shared and (scope is None or scope.parent is not None or len(setters) == 1)

    def is_final(self, node: ast.AST) -> bool:
        """Whether a steady name is never set anew."""
        scope, setters = self.meaning[node].scope, self.setters(node)
        return scope is None or scope.parent is None or (len(setters) == 1 and isinstance(setters[0], ast.arg))

    def setters(self, node: ast.AST) -> list[ast.AST]:
        nodes = [mention.node for mention in self.meaning[node].mentions]
        return [node for node in nodes if not isinstance(getattr(node, "ctx", None), ast.Load)]

    def is_idle(self, node: ast.AST) -> bool:
        """Whether a node, apart from what is inside, has no effect and the same value sooner or later."""
        root = node
        while isinstance(root, ast.Attribute):
            root = root.value
        if root is not node:
            return isinstance(root, ast.Name) and self.meaning[root].scope is None  # of a module
        is_plain = isinstance(node, (ast.Constant, ast.Tuple, ast.List)) or self.is_steady(node)
        return is_plain or not isinstance(node, (ast.expr, ast.stmt))

    def new_name(self, name: str) -> str:
        new = next(new for i in count(1) if (new := f"{name}_{i}") not in self.names)
        self.names.add(new)
        return new


def _found(nodes: Iterable[ast.AST], kinds: tuple[type, ...]) -> bool:
    return any(isinstance(node, kinds) for root in nodes for node in ast.walk(root))


def _in_order(nodes: Iterable[ast.AST], when: int = _ONCE) -> Iterator[tuple[ast.AST, int]]:
    """Nodes in the order in which Python is done with them, and when they run, seen from the function's call."""
    for node in nodes:
        for step, children in _steps(node):
            yield from _in_order(children, max(when, step))
        yield node, when


def _steps(node: ast.AST) -> list[tuple[int, list[ast.AST]]]:
    """Parts of a node in the order in which they run, and when."""
    children = list(ast.iter_child_nodes(node))
    match node:
        case ast.Assign(targets=targets, value=value):
            return [(_ONCE, [value, *targets])]
        case ast.If(test=first) | ast.IfExp(test=first):
            return [(_ONCE, [first]), (_PERHAPS, [child for child in children if child is not first])]
        case ast.BoolOp(values=[first, *rest]):
            return [(_ONCE, [first]), (_PERHAPS, [*rest])]
        case ast.Compare(left=left, comparators=[first, *rest]):
            return [(_ONCE, [left, first]), (_PERHAPS, [*rest])]
        case ast.Dict(keys=keys, values=values):
            return [(_ONCE, [item for pair in zip(keys, values, strict=True) for item in pair if item])]
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            outermost, *others = node.generators
            results = [child for child in children if child not in node.generators]
            when = _LATER if isinstance(node, ast.GeneratorExp) else _PERHAPS
            return [(_ONCE, [outermost.iter]), (when, [outermost.target, *outermost.ifs, *others, *results])]
    return [(_ONCE if isinstance(node, _SIMPLE) or not isinstance(node, ast.stmt) else _PERHAPS, children)]
