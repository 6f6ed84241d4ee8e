"""The contract of components as a lint: what a file in `toolkit/components` may contain, so that it bundles.

1. The top level holds imports, functions, classes, constants and known decorators; importing has no effect.
2. Imports of ours read `from toolkit.components.x import name`; foreign ones stand at the top, in one form everywhere.
   An optional package is imported inside the functions of one file.
3. Names at the top level are unique over all components, in whatever folder, and hide no builtin. The `__init__.py` of
   a folder is empty.
4. The recipe is `cfg`: first parameter, first argument or `self.cfg`, and read as `cfg.section.field`, or as `f(cfg)`
   where the settings have such a function of `cfg` alone.
5. Nothing looks names up by text: no `eval`, `vars`, computed `getattr` and the like.
6. Nothing reads the name of a function or class, or a docstring: both change when a script is minified.

`config.py` and `settings/` are exempt: settings become literals, so they never reach a script, and others import only
`Config` and functions of `cfg` alone from them.
That behaviour is the same in all forms of a script is not for a lint to show; the tests run them.
"""

import ast
import builtins
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from toolkit.bundle.link.parts import outside_imports
from toolkit.bundle.link.resolve import COMPONENTS, Module, is_settings, own_imports
from toolkit.bundle.link.settings import cfg_uses, is_cfg, settings_functions, takes_cfg
from toolkit.bundle.rewrite.signatures import KNOWN_DECORATORS
from toolkit.syntax.constants import NotConstant, evaluate, is_literal
from toolkit.syntax.standard import STANDARD_MODULES

PACKAGES = frozenset({"brotli", "numpy", "sentencepiece", "torch"})
BANNED_NAMES = frozenset({"__import__", "compile", "delattr", "eval", "exec", "globals", "locals", "vars"})
LOOKUPS = frozenset({"getattr", "hasattr", "setattr"})  # with a literal name they are attribute accesses
BANNED_ATTRIBUTES = frozenset({"__annotations__", "__code__", "__doc__", "__module__", "__name__", "__qualname__"})
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

Findings = Iterator[tuple[Any, str]]  # node with a line, and text


@dataclass(frozen=True, order=True)
class Violation:
    """One break of the contract."""

    path: str
    line: int
    text: str  # what was found, and how to mend it

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


def check_modules(modules: list[Module]) -> list[Violation]:
    """Violations in components by file and line; all are judged together."""
    packages = [module for module in modules if module.name.rpartition(".")[2] == "__init__"]
    modules = [module for module in modules if not is_settings(module.name) and module not in packages]
    found = [Violation(module.where, 1, "package with content; leave it empty") for module in packages if module.text]
    found += [
        Violation(module.where, node.lineno, text)
        for module in modules
        for check in _MODULE_CHECKS
        for node, text in check(module.tree)
    ]
    return sorted({*found, *check_unique_names(modules), *check_import_forms(modules), *check_cfg_passing(modules)})


# 1. Top level


def check_top_level(tree: ast.Module) -> Findings:
    for i, stmt in enumerate(tree.body):
        match stmt:
            case ast.Import() | ast.ImportFrom() | ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                pass
            case ast.Expr(value=ast.Constant(value=str())) if i == 0:
                pass
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                if not name.isupper():
                    yield stmt, f"top-level name {name} is no constant; write it UPPER_CASE or move it into a function"
                if not _is_constant(value):
                    yield stmt, f"constant {name} is no literal; compute it in a function"
            case _:
                yield stmt, "statement with an effect at the top level; move it into a function"


def check_definitions(tree: ast.Module) -> Findings:
    """What runs when a definition does: decorators, default values and class bodies."""
    for node in ast.walk(tree):
        for decorator in getattr(node, "decorator_list", []):
            name = ast.unparse(decorator.func if isinstance(decorator, ast.Call) else decorator)
            if name not in KNOWN_DECORATORS:
                yield (
                    decorator,
                    f"decorator {name} is not among {', '.join(sorted(KNOWN_DECORATORS))}; call it where it is used",
                )
        if isinstance(node, (*_FUNCTIONS, ast.Lambda)):
            for default in [*node.args.defaults, *(d for d in node.args.kw_defaults if d)]:
                if any(isinstance(n, ast.Call) for n in ast.walk(default)):
                    yield default, "call in a default value; use None and call it inside"
        if isinstance(node, ast.ClassDef):
            yield from _check_class_body(node)


def _check_class_body(node: ast.ClassDef) -> Findings:
    for stmt in node.body:
        match stmt:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Pass() | ast.Expr(value=ast.Constant()):
                pass
            case ast.Assign(value=value) | ast.AnnAssign(value=value):
                calls = [n for n in ast.walk(value or ast.Constant(0)) if isinstance(n, ast.Call)]
                if any(ast.unparse(call.func) != "field" for call in calls):
                    yield stmt, "call in a class body; move it into __init__"
            case _:
                yield stmt, "statement with an effect in a class body; move it into a method"


def _is_constant(node: ast.expr) -> bool:
    if is_literal(node):  # of any length, such as a C source
        return True
    try:
        evaluate(node)
    except NotConstant:
        return False
    return True


# 2. Imports


def check_imports(tree: ast.Module) -> Findings:
    definitions = [stmt.lineno for stmt in tree.body if isinstance(stmt, (*_FUNCTIONS, ast.ClassDef))]
    for node in ast.walk(tree):
        if not isinstance(node, (ast.Import, ast.ImportFrom)):
            continue
        is_top = node in tree.body
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
        if any(name.partition(".")[0] == "toolkit" for name in names) or _level(node):
            yield from _check_own_import(node, is_top)
            continue
        if any(alias.name == "*" for alias in node.names):
            yield node, "starred import; name what is used"
        roots = {name.partition(".")[0] for name in names}
        optional = roots - PACKAGES - STANDARD_MODULES
        if "__future__" in roots:
            yield node, "import from __future__; it would change all components in one script"
        elif is_top and optional:
            yield node, f"import of {', '.join(sorted(optional))}, which may be missing; import it inside a function"
        elif not is_top and not optional:
            yield node, "import inside a function of what is always there; move it to the top"
        elif is_top and definitions and node.lineno > definitions[0]:
            yield node, "import below a definition; move it to the top"
        if isinstance(node, ast.Import) and any("." in a.name and not a.asname for a in node.names):
            yield node, "dotted import without a name; write import a.b as c"


def _check_own_import(node: ast.Import | ast.ImportFrom, is_top: bool) -> Findings:
    form = f"write from {COMPONENTS}.x import name"
    module = getattr(node, "module", None) or ""
    is_followed = isinstance(node, ast.ImportFrom) and not node.level and module.startswith(COMPONENTS + ".")
    if not is_followed:
        yield node, f"import of ours that the bundler cannot follow; {form}"
    elif not is_top:
        yield node, "import of ours that is conditional; move it to the top"
    elif any(alias.asname or alias.name == "*" for alias in node.names):
        yield node, f"import of ours under another name; {form}"


def check_settings_imports(tree: ast.Module) -> Findings:
    known = {"Config", *settings_functions(tree)}
    for name, node in own_imports(tree):
        if is_settings(name) and not known.issuperset(alias.name for alias in node.names):
            yield (
                node,
                "import of more than Config and functions of cfg alone from the settings, which do not reach a script;"
                " move the rest elsewhere",
            )


def _level(node: ast.Import | ast.ImportFrom) -> int:
    return node.level if isinstance(node, ast.ImportFrom) else 0


def check_import_forms(modules: list[Module]) -> Iterator[Violation]:
    """One meaning for each imported name, one name for each meaning, and one file for each optional package."""
    names: dict[str, tuple[object, str]] = {}
    targets: dict[object, tuple[str, str]] = {}
    homes: dict[str, str] = {}
    for module in modules:
        for node in ast.walk(module.tree):
            if not isinstance(node, (ast.Import, ast.ImportFrom)):
                continue
            for item in outside_imports(node, module.where):
                root = item.module.partition(".")[0]
                if root not in PACKAGES | STANDARD_MODULES:
                    home = homes.setdefault(root, module.where)
                    if home != module.where:
                        yield Violation(
                            module.where, node.lineno, f"{root} is imported in {home} as well; use that file"
                        )
                    continue
                target, place = names.setdefault(item.name, (item.target, item.where))
                if target != item.target:
                    yield Violation(
                        module.where, node.lineno, f"{item.name} means another thing in {place}; use one form"
                    )
                name, place = targets.setdefault(item.target, (item.name, item.where))
                if name != item.name:
                    yield Violation(module.where, node.lineno, f"{item.name} is called {name} in {place}; use one form")


# 3. One namespace


def check_unique_names(modules: list[Module]) -> Iterator[Violation]:
    places: dict[str, str] = {}
    for module in modules:
        for stmt in module.tree.body:
            if isinstance(stmt, (ast.Import, ast.ImportFrom)):
                for item in outside_imports(stmt, module.where):
                    places.setdefault(item.name, item.where)
        for name in settings_functions(module.tree):
            places.setdefault(name, module.where)
    for module in modules:
        for stmt in module.tree.body:
            for name in _declared(stmt):
                here = f"{module.where}:{stmt.lineno}"
                if places.setdefault(name, here) != here:
                    yield Violation(module.where, stmt.lineno, f"{name} is bound at {places[name]} as well; rename one")
                if hasattr(builtins, name):
                    yield Violation(module.where, stmt.lineno, f"{name} hides a builtin of all components; rename it")


def _declared(stmt: ast.stmt) -> list[str]:
    if isinstance(stmt, (*_FUNCTIONS, ast.ClassDef)):
        return [stmt.name]
    targets = stmt.targets if isinstance(stmt, ast.Assign) else [stmt.target] if isinstance(stmt, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


# 4. The recipe


def check_cfg_uses(tree: ast.Module) -> Findings:
    for use in cfg_uses(tree, settings_functions(tree)):
        if use.kind == "stray":
            yield use.node, f"{use.reason}; read cfg.section.field where it is used, or pass cfg as first argument"


def check_cfg_passing(modules: list[Module]) -> Iterator[Violation]:
    """`cfg` goes to what takes it, and what takes it is only ever called with it."""
    functions, methods = _takers(modules)
    for module in modules:
        calls = {node.func: node for node in ast.walk(module.tree) if isinstance(node, ast.Call)}
        callable_names = {*functions, *settings_functions(module.tree)}
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and node.args and is_cfg(node.args[0]):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if name not in (callable_names if isinstance(node.func, ast.Name) else methods):
                    yield Violation(
                        module.where, node.lineno, f"cfg is passed to {name}, which is no component taking it"
                    )
            if isinstance(node, ast.Name) and node.id in functions and isinstance(node.ctx, ast.Load):
                call = calls.get(node)
                if call is None and functions[node.id]:
                    text = f"{node.id} takes cfg and is used as a value; call it, or wrap it in a function"
                    yield Violation(module.where, node.lineno, text)
                elif call is not None and not any(is_cfg(arg) for arg in [*call.args[:1], *_keyword_values(call)]):
                    yield Violation(module.where, node.lineno, f"{node.id} is called without cfg; pass it first")


def _keyword_values(call: ast.Call) -> list[ast.expr]:
    return [keyword.value for keyword in call.keywords]


def _takers(modules: list[Module]) -> tuple[dict[str, bool], set[str]]:
    """Names whose call takes `cfg` (True for functions, False for classes), and method names that take it."""
    functions: dict[str, bool] = {}
    methods: set[str] = set()
    classes = [node for module in modules for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)]
    for node in classes:
        members = [item for item in node.body if isinstance(item, _FUNCTIONS) and takes_cfg(item)]
        methods |= {item.name for item in members}
        if any(item.name == "__init__" for item in members):
            functions[node.name] = False
    in_classes = {item for node in classes for item in node.body}
    for module in modules:
        for item in ast.walk(module.tree):
            if isinstance(item, _FUNCTIONS) and item not in in_classes and takes_cfg(item):
                functions[item.name] = True
    return _with_heirs(functions, classes), methods


def _with_heirs(functions: dict[str, bool], classes: list[ast.ClassDef]) -> dict[str, bool]:
    """Add classes that inherit a constructor which takes `cfg`."""
    while True:
        heirs = {
            node.name
            for node in classes
            if node.name not in functions
            and not any(isinstance(item, ast.FunctionDef) and item.name == "__init__" for item in node.body)
            and any(isinstance(base, ast.Name) and base.id in functions for base in node.bases)
        }
        if not heirs:
            return functions
        functions.update(dict.fromkeys(heirs, False))


# 5. and 6. What renaming or removing would change


def check_lookups(tree: ast.Module) -> Findings:
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Load()) if name in BANNED_NAMES:
                yield node, f"{name} looks names up by text, which renaming changes; write it out"
            case ast.Call(func=ast.Name(id=name), args=[_, ast.Constant(), *_]) if name in LOOKUPS:
                pass
            case ast.Call(func=ast.Name(id=name)) if name in LOOKUPS:
                yield node, f"{name} with a computed name; name the attribute"


def check_reflection(tree: ast.Module) -> Findings:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in BANNED_ATTRIBUTES:
            yield node, f"{node.attr} changes when a script is minified; write a string"


_MODULE_CHECKS: tuple[Callable[[ast.Module], Findings], ...] = (
    check_top_level,
    check_definitions,
    check_imports,
    check_settings_imports,
    check_cfg_uses,
    check_lookups,
    check_reflection,
)
