"""What calls may rely on: how our functions and classes can be called, and which parameters some call names."""

import ast
from typing import Any

from toolkit.bundle.rewrite.scopes import Binding, parameters

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

# Decorators that neither read annotations or parameter names nor change how a function is called.
KNOWN_DECORATORS = frozenset(
    {
        "cache",
        "classmethod",
        "dataclass",
        "property",
        "staticmethod",
        "torch.compile",
        "torch.inference_mode",
        "torch.no_grad",
    }
)

_PLAIN_BASES = {"nn.Module", "torch.nn.Module", "object"}  # defining a subclass does nothing, nor do annotations


def has_known_decorators(node: Definition) -> bool:
    calls = [d.func if isinstance(d, ast.Call) else d for d in node.decorator_list]
    return all(ast.unparse(call) in KNOWN_DECORATORS for call in calls)


def is_plain(node: ast.ClassDef) -> bool:
    """Whether nothing reads the annotations of a class, and defining it has no effect."""
    return not node.decorator_list and not node.keywords and {ast.unparse(b) for b in node.bases} <= _PLAIN_BASES


def positional_names(node: Definition) -> list[str]:
    """Names of the parameters that a direct call can fill by position; none if that is not sure."""
    if not has_known_decorators(node):
        return []
    if not isinstance(node, ast.ClassDef):
        return [arg.arg for arg in node.args.posonlyargs + node.args.args]
    if init := constructor(node):
        return [arg.arg for arg in (init.args.posonlyargs + init.args.args)[1:]]
    if node.decorator_list and not node.bases:  # a dataclass
        return [s.target.id for s in node.body if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name)]
    return []


def constructor(node: ast.ClassDef) -> ast.FunctionDef | None:
    return next((s for s in node.body if isinstance(s, ast.FunctionDef) and s.name == "__init__"), None)


def sole_definition(binding: Binding) -> tuple[Definition | None, list[Any]]:
    """The function or class that a name always means, None if it may mean something else, and its other mentions."""
    nodes = [mention.node for mention in binding.mentions]
    definitions = [node for node in nodes if isinstance(node, Definition)]
    uses = [node for node in nodes if not isinstance(node, Definition)]
    if binding.scope is None or isinstance(binding.scope.node, ast.ClassDef) or len(definitions) != 1:
        return None, uses
    return (definitions[0] if all_read(uses) else None), uses


def all_read(nodes: list[Any]) -> bool:
    """Whether nodes only read a name."""
    return all(isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) for node in nodes)


def named_parameters(tree: ast.Module, bindings: list[Binding]) -> dict[ast.arg, bool]:
    """For every parameter whether some call may pass it by keyword.

    A function that is only ever called by its own name, and the constructor of a class of which that holds, are judged
    by those calls; all others, methods among them, by all calls of the program.
    """
    calls = {node.func: node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    texts = {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    texts |= {item.arg for call in calls.values() for item in call.keywords if item.arg}
    everywhere = _keywords(list(calls.values()), texts)
    own: dict[ast.AST, set[str]] = {}
    for binding in bindings:
        definition, uses = sole_definition(binding)
        if definition and has_known_decorators(definition) and all(node in calls for node in uses):
            target = constructor(definition) if isinstance(definition, ast.ClassDef) else definition
            if target:
                own[target] = _keywords([calls[node] for node in uses], texts)
    named = {}
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            known = isinstance(node, ast.Lambda) or has_known_decorators(node)
            for arg in parameters(node.args):
                named[arg] = not known or arg.arg in own.get(node, everywhere)
    return named


def _keywords(calls: list[ast.Call], texts: set[str]) -> set[str]:
    """Names that calls may pass by keyword; with `**` or a dictionary of arguments, every text of the program."""
    named = {item.arg for call in calls for item in call.keywords}
    return texts if named & {None, "kwargs"} else {name for name in named if name is not None}
