"""How a component touches its recipe: every occurrence of `cfg` and `self.cfg`, classified.

Five uses are allowed (see `contract.py`): `cfg` as the first parameter, a read of one setting such as
`cfg.model.num_layers`, a call `f(cfg)` of a function that stands beside the settings, handing `cfg` on as the first
positional argument, and `self.cfg = cfg`. All others are stray.
Lint and folding share this one view, so that what the lint accepts is exactly what folds.
"""

import ast
import contextlib
import importlib
import inspect
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, TypeGuard

from toolkit.bundle.link.resolve import COMPONENTS, is_settings, own_imports
from toolkit.components.config import Config
from toolkit.errors import did_you_mean

SECTIONS = {field.name: field.type for field in fields(Config) if is_dataclass(field.type)}

SettingsFunctions = Mapping[str, Callable[[Config], Any]]


@dataclass(frozen=True)
class CfgUse:
    """One occurrence. `kind` is parameter, read, call, argument, store or stray; `node` is what folding replaces."""

    kind: str
    node: Any  # parameter: ast.arg; read, call, argument: ast.expr; store: ast.Assign; stray: any node with a line
    fields: tuple[str, ...] = ()  # read: ("model", "num_layers"); call: the function's name
    reason: str = ""  # stray: what is wrong


def is_cfg(node: ast.AST | None) -> bool:
    """Whether an expression is the recipe itself: `cfg` or `self.cfg`."""
    match node:
        case ast.Name(id="cfg") | ast.Attribute(value=ast.Name(id="self"), attr="cfg"):
            return True
    return False


def takes_cfg(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> bool:
    """Whether the first parameter after self is `cfg`."""
    names = [arg.arg for arg in function.args.args]
    is_method = names[:1] in (["self"], ["cls"])
    return not function.args.posonlyargs and names[is_method : is_method + 1] == ["cfg"]


def settings_functions(tree: ast.Module) -> SettingsFunctions:
    """What a component imports from the settings and may call as `f(cfg)`: functions of `cfg` alone, by name."""
    functions: dict[str, Callable[[Config], Any]] = {}
    for name, node in own_imports(tree):
        if is_settings(name):
            with contextlib.suppress(ModuleNotFoundError):  # a name that is not found is for the contract to report
                module = importlib.import_module(f"{COMPONENTS}.{name}")
                members = {alias.name: getattr(module, alias.name, None) for alias in node.names}
                functions |= {key: member for key, member in members.items() if _is_function_of_cfg(member)}
    return functions


def _is_function_of_cfg(member: object) -> TypeGuard[Callable[[Config], Any]]:
    return inspect.isfunction(member) and list(inspect.signature(member).parameters) == ["cfg"]


def cfg_uses(tree: ast.AST, functions: Container[str] = ()) -> Iterator[CfgUse]:
    """Every use in a tree, in no particular order. `functions` are names of functions that stand in the settings."""
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        if (name := _name(node)) in functions:
            yield _mention_of_function(node, name, parents)
        elif isinstance(node, ast.arg) and node.arg == "cfg":
            yield _parameter(node, parents)
        elif isinstance(node, ast.keyword) and node.arg == "cfg" and not is_cfg(node.value):
            yield CfgUse("stray", node.value, reason="cfg is passed by keyword")
        elif isinstance(node, ast.Attribute) and node.attr == "cfg" and not is_cfg(node):
            yield CfgUse("stray", node, reason="settings of another object are read")
        elif isinstance(node, (ast.Name, ast.Attribute)) and is_cfg(node) and not _is_stored(node, parents):
            call = parents.get(node)
            if not (isinstance(call, ast.Call) and _name(call.func) in functions):  # which is a use of its own
                yield _expression(node, parents)


def setting_value(use: CfgUse, cfg: Config, functions: SettingsFunctions) -> object:
    """Value of a read, or what a call returns."""
    if use.kind == "call":
        return functions[use.fields[0]](cfg)
    value: Any = cfg
    for name in use.fields:
        value = getattr(value, name)
    return value


def _setting_names(owner: Any) -> list[str]:
    properties = {name for name, member in vars(owner).items() if isinstance(member, property)}
    return sorted(properties | {field.name for field in fields(owner)})


def _parameter(node: ast.arg, parents: dict[ast.AST, ast.AST]) -> CfgUse:
    function: Any = parents[parents[node]]
    if not takes_cfg(function):
        return CfgUse("stray", node, reason="cfg is a parameter that does not come first")
    if len(function.args.defaults) >= len(function.args.args) - function.args.args.index(node):
        return CfgUse("stray", node, reason="cfg has a default value")
    return CfgUse("parameter", node)


def _name(node: ast.AST) -> str:
    """The name that a node reads or binds."""
    match node:
        case ast.Name(id=name) | ast.arg(arg=name) | ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return name
    return ""


def _mention_of_function(node: Any, name: str, parents: dict[ast.AST, ast.AST]) -> CfgUse:
    match parents.get(node):
        case ast.Call(func=func, args=[arg], keywords=[]) as call if func is node and is_cfg(arg):
            return CfgUse("call", call, fields=(name,))
    return CfgUse("stray", node, reason=f"{name} of the settings is used other than as {name}(cfg)")


def _is_stored(node: ast.expr, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether this is the target of `self.cfg = cfg`, which the use of its right side stands for."""
    parent = parents.get(node)
    return isinstance(parent, ast.Assign) and _is_store(parent) and parent.targets[0] is node


def _is_store(node: ast.Assign) -> bool:
    match node:
        case ast.Assign(targets=[ast.Attribute() as target], value=ast.Name(id="cfg")):
            return is_cfg(target)
    return False


def _expression(node: ast.Name | ast.Attribute, parents: dict[ast.AST, ast.AST]) -> CfgUse:
    parent = parents.get(node)
    if not isinstance(node.ctx, ast.Load):
        return CfgUse("stray", node, reason="cfg is bound")
    if isinstance(parent, ast.Assign) and _is_store(parent):
        return CfgUse("store", parent)
    if isinstance(parent, ast.Call) and parent.args and parent.args[0] is node:
        return CfgUse("argument", node)
    if isinstance(parent, ast.keyword):
        return CfgUse("stray", node, reason="cfg is passed by keyword")
    if not isinstance(parent, ast.Attribute):
        return CfgUse("stray", node, reason="cfg is used as a value")
    names = [parent.attr]
    read = parent
    if parent.attr in SECTIONS:
        section = parents.get(parent)
        if not isinstance(section, ast.Attribute):
            return CfgUse("stray", parent, reason=f"the whole section cfg.{parent.attr} is used as a value")
        read = section
        names.append(section.attr)
    owner: Any = SECTIONS.get(parent.attr, Config)
    known = _setting_names(owner)
    if names[-1] not in known:
        hint = did_you_mean(names[-1], known)
        return CfgUse("stray", read, reason=f"there is no setting cfg.{'.'.join(names)}{hint}")
    if not isinstance(read.ctx, ast.Load):
        return CfgUse("stray", read, reason="a setting is assigned")
    return CfgUse("read", read, fields=tuple(names))
