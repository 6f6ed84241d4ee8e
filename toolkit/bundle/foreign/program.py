"""What the names of a program stand for: modules from outside, and its own functions and classes."""

import ast
import builtins
from collections import defaultdict
from collections.abc import Iterator

from toolkit.bundle.rewrite.scopes import Binding, Scope, parameters

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_BUILTINS = {name for name in dir(builtins) if not name.startswith("_")}
_IMPORTS = {"__import__", "importlib.__import__", "importlib.import_module"}


class Program:
    """A tree with its bindings, indexed. `nodes` come in the order of `ast.walk`."""

    def __init__(self, tree: ast.Module, bindings: list[Binding]) -> None:
        self.tree = tree
        self.bindings = bindings
        self.nodes = list(ast.walk(tree))
        self.parents = {child: node for node in self.nodes for child in ast.iter_child_nodes(node)}
        self.binding: dict[ast.AST, Binding] = {}
        self._defined = {b: [m.node for m in b.mentions if _is_definition(m.node)] for b in bindings}
        self._constant = {b for b in bindings if sum(not _is_read(m.node) for m in b.mentions) == 1}
        self.scope: dict[ast.AST, Scope] = {}  # of every node that mentions a name
        for binding in bindings:
            for mention in binding.mentions:
                self.binding[mention.node] = binding
                self.scope[mention.node] = mention.scope
        self._starred = {
            node.module or "" for node in self.nodes if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"
        }
        self._origins = {binding: set(self._imported(binding)) for binding in bindings}
        self.calls = [node for node in self.nodes if isinstance(node, ast.Call)]
        self.classes = [node for node in self.nodes if isinstance(node, ast.ClassDef)]
        self.functions: list[Function] = [node for node in self.nodes if isinstance(node, FUNCTIONS)]
        self._methods_of = {node: list(_definitions(node)) for node in self.classes}
        self.class_of = {item: node for node, items in self._methods_of.items() for item in items}
        self.stored_attributes = {
            node.attr for node in self.nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
        }
        self.methods: dict[str, list[ast.FunctionDef | ast.AsyncFunctionDef]] = defaultdict(list)
        for item in self.class_of:
            self.methods[item.name].append(item)

    def _imported(self, binding: Binding) -> Iterator[str]:
        if binding.scope is None:
            yield binding.name
            yield from (f"{module}.{binding.name}" for module in self._starred)
        for mention in binding.mentions:
            match mention.node, self.parents.get(mention.node):
                case ast.alias(name=name, asname=asname), ast.Import():
                    yield name if asname else name.partition(".")[0]
                case ast.alias(name=name), ast.ImportFrom(module=module, level=level):
                    yield f"{'.' * level}{module or ''}.{name}".removeprefix("builtins.")

    def origins(self, node: ast.AST | None) -> set[str]:
        """Dotted names that an expression may stand for, such as `inspect.signature`; those of builtins are bare."""
        match node:
            case ast.Name():
                return self._origins[self.binding[node]] if node in self.binding else set()
            case ast.Attribute(value=value, attr=attr):
                return {f"{name}.{attr}".removeprefix("builtins.") for name in self.origins(value)}
            case ast.Call(func=func, args=[ast.Constant(value=str(name)), *_]) if self.is_import(func):
                return {name.partition(".")[0] if self.origins(func) == {"__import__"} else name}
            case ast.Call(func=ast.Name(id="getattr"), args=[value, ast.Constant(value=str(attr)), *_]):
                return {f"{name}.{attr}" for name in self.origins(value)}
            case ast.Subscript(value=value, slice=ast.Constant(value=str(name))):
                return {name} if self.origins(value) == {"sys.modules"} else set()
        return set()

    def future_annotations(self) -> list[ast.alias]:
        """Imports that keep annotations from being evaluated."""
        futures = [node for node in self.nodes if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
        return [alias for node in futures for alias in node.names if alias.name == "annotations"]

    def is_import(self, node: ast.AST) -> bool:
        """Whether a function imports the module whose name it is handed."""
        return bool(self.origins(node) & _IMPORTS)

    def is_foreign(self, node: ast.AST) -> bool:
        """Whether an expression stands for something that others have written, and that holds nothing of ours."""
        while isinstance(node, ast.Attribute):
            node = node.value
        binding = self.binding.get(node)
        if not isinstance(node, ast.Name) or binding is None:
            return False
        if binding.scope is None:
            return binding.name in _BUILTINS
        reads = set(self.reads(binding))
        bound = [mention.node for mention in binding.mentions if mention.node not in reads]
        roots = {name.partition(".")[0] for name in self._origins[binding]}
        return "__main__" not in roots and all(
            isinstance(item, ast.alias) or self._is_bound_to_constant(item) for item in bound
        )

    def _is_bound_to_constant(self, node: ast.AST) -> bool:
        """Such as `None` for a module that is missing."""
        parent = self.parents.get(node)
        return isinstance(parent, ast.Assign) and isinstance(parent.value, ast.Constant)

    def text(self, node: ast.AST) -> str:
        """The text that an expression always is, by a literal or a name for one; empty if that is not known."""
        if isinstance(node, ast.Name) and node in self.binding and self.is_constant(self.binding[node]):
            stores = [m.node for m in self.binding[node].mentions if isinstance(m.node, ast.Name)]
            match [self.parents[store] for store in stores if isinstance(store.ctx, ast.Store)]:
                case [ast.Assign(targets=[ast.Name()], value=value)]:
                    node = value
        return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""

    def reads(self, binding: Binding) -> Iterator[ast.Name]:
        """The places that read a name."""
        for mention in binding.mentions:
            if _is_read(mention.node):
                yield mention.node

    def targets(self, node: ast.AST) -> list[ast.AST]:
        """Functions and classes of the program that a name is defined as."""
        binding = self.binding.get(node)
        return self._defined[binding] if binding else []

    def is_called(self, node: ast.AST) -> bool:
        parent = self.parents.get(node)
        return isinstance(parent, ast.Call) and parent.func is node

    def enclosing(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes around a node, from the inside out."""
        while node in self.parents:
            node = self.parents[node]
            yield node

    def methods_of(self, node: ast.ClassDef) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
        return self._methods_of.get(node, [])

    def own_bases(self, node: ast.ClassDef) -> list[ast.ClassDef]:
        """A class and all classes of the program that it inherits from."""
        found = [node]
        for item in found:
            for base in item.bases:
                found += [t for t in self.targets(base) if isinstance(t, ast.ClassDef) and t not in found]
        return found

    def foreign_bases(self, node: ast.ClassDef) -> list[ast.expr]:
        """Bases from outside of a class and of those that it inherits from."""
        return [base for item in self.own_bases(node) for base in item.bases if not self.targets(base)]

    def classes_of(self, node: ast.AST, seen: frozenset[Binding] = frozenset()) -> list[ast.ClassDef] | None:
        """Classes of the program that a value may be an object of; None if that is not known.

        Follows names through assignments, and parameters through calls where all calls are seen.
        """
        if isinstance(node, ast.Call):
            targets = self.targets(node.func)
            is_known = bool(targets) and self.is_constant(self.binding[node.func])
            return [t for t in targets if isinstance(t, ast.ClassDef)] or None if is_known else None
        binding = self.binding.get(node)
        if binding is None or binding in seen or binding.scope is None or isinstance(binding.scope.node, ast.ClassDef):
            return [] if binding in seen else None
        found: list[ast.ClassDef] = []
        for mention in binding.mentions:
            if _is_read(mention.node):
                continue
            match self.parents.get(mention.node), mention.node:
                case ast.Assign(targets=[ast.Name()], value=value), ast.Name():
                    values = [value]
                case ast.arguments(), ast.arg() as arg:
                    values = self.arguments(arg) or []
                case _:
                    return None
            for value in values:
                classes = self.classes_of(value, seen | {binding})
                if classes is None:
                    return None
                found += classes
            if not values:
                return None
        return found

    def is_constant(self, binding: Binding) -> bool:
        """Whether a name is bound once."""
        return binding in self._constant

    def arguments(self, arg: ast.arg) -> list[ast.expr] | None:
        """What calls pass for a plain parameter of a function; None unless the function is only called, by its name."""
        function = self.scope[arg].node
        binding = self.binding.get(function)
        if binding is None or function in self.class_of or not self.is_constant(binding):
            return None
        reads = list(self.reads(binding))
        if function.decorator_list or not all(self.is_called(read) for read in reads):  # type: ignore[attr-defined]
            return None
        calls = [self.parents[read] for read in reads]
        found = [self.argument(call, function, arg) for call in calls]  # type: ignore[arg-type]
        return None if None in found else [value for value in found if value]

    def argument(self, call: ast.Call, function: Function, arg: ast.arg) -> ast.expr | None:
        """What a call passes for a parameter, where that is plain to see."""
        if any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords):
            return None
        positional = [*function.args.posonlyargs, *function.args.args]
        if arg in positional and positional.index(arg) < len(call.args):
            return call.args[positional.index(arg)]
        return next((item.value for item in call.keywords if item.arg == arg.arg), None)

    def parameter(self, call: ast.Call, value: ast.AST) -> ast.arg | None:
        """The parameter of a function of the program that a call fills with `value`, where that is plain to see."""
        match self.targets(call.func):
            case [ast.FunctionDef() | ast.AsyncFunctionDef() as function] if self.is_constant(self.binding[call.func]):
                named = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
                return next((arg for arg in named if self.argument(call, function, arg) is value), None)
        return None


def _is_read(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)


def _is_definition(node: ast.AST) -> bool:
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))


def _definitions(node: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Functions in the body of a class, and in the blocks within it, such as those of an `if`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield child
        elif not isinstance(child, (ast.ClassDef, ast.expr)):
            yield from _definitions(child)


def without_first(function: Function) -> list[ast.arg]:
    """The parameters of a method that a call may name: all but the first, unless it is static."""
    is_bound = not isinstance(function, ast.Lambda) and not any(
        ast.unparse(decorator) == "staticmethod" for decorator in function.decorator_list
    )
    return parameters(function.args)[is_bound:]
