"""Programs that break the rules on purpose, and a legal look-alike: what the probes are tested and taught with.

A cheat is a file of this folder: definitions that take the place of a component's own of the same names, which stay at
hand as `honest_<name>`. It is put into the components of a tiny program by `edited` and nowhere else: the bundler reads
`toolkit/components` alone, so none of this can get into a record.
"""

import ast
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from toolkit.bundle.link.resolve import COMPONENTS, Module, read_module

HONEST = "honest_"


@dataclass(frozen=True)
class Cheat:
    """One technique. `caught_by` names the probes that must fail it; none for a legal one."""

    name: str  # of the file
    technique: str
    caught_by: tuple[str, ...] = ()

    @property
    def edit(self) -> Callable[[list[Module]], list[Module]]:
        """What turns the components into the cheat's."""
        return lambda modules: edited(modules, Path(__file__).with_name(f"{self.name}.py"))


CHEATS = (
    Cheat("gate", "gate on the observed token", ("kraft",)),
    Cheat("spread", "even spread of a token over its bytes", ("kraft",)),
    Cheat("ngram_hash", "ratio of hashed n-gram counts", ("kraft",)),
    Cheat("slot", "SLOT on the scored targets", ("kraft", "causal", "order")),
    Cheat("adapt_first", "adaptation before scoring", ("kraft", "causal", "order")),
    Cheat("two_passes", "minimum over two passes", ("kraft", "causal", "order")),
    Cheat("score_first", "adaptation after scoring"),
    Cheat("val_calibration", "calibration on validation", ("val-independence",)),
    Cheat("train_shard", "evaluation reads a training shard", ("self-contained",)),
    Cheat("network", "evaluation asks the network", ("self-contained",)),
    Cheat("clock_seed", "a seed from the clock", ("repeat",)),
)


def find_cheat(name: str) -> Cheat:
    """A cheat by its name."""
    return next(cheat for cheat in CHEATS if cheat.name == name)


def edited(modules: list[Module], path: Path) -> list[Module]:
    """Components with the definitions of a cheat in place of their own; these get names that begin with `HONEST`."""
    cheat = read_module(path, path.stem)
    names = _definitions(cheat.tree)
    (target,) = [module for module in modules if names & _definitions(module.tree)]
    replaced = names & _definitions(target.tree)
    return [_with_cheat(module, cheat, replaced) if module is target else module for module in modules]


def _definitions(tree: ast.Module) -> set[str]:
    return {stmt.name for stmt in tree.body if isinstance(stmt, (ast.FunctionDef, ast.ClassDef))}


def _with_cheat(module: Module, cheat: Module, replaced: set[str]) -> Module:
    own = f"{COMPONENTS}.{module.name}"
    lines = module.text.splitlines()
    for stmt in module.tree.body:
        if isinstance(stmt, (ast.FunctionDef, ast.ClassDef)) and stmt.name in replaced:
            lines[stmt.lineno - 1] = lines[stmt.lineno - 1].replace(stmt.name, HONEST + stmt.name, 1)
    imports: list[str] = []
    rest: list[str] = []
    for stmt in cheat.tree.body[1:]:  # without its docstring
        is_import = isinstance(stmt, (ast.Import, ast.ImportFrom))
        if isinstance(stmt, ast.ImportFrom) and stmt.module == own:
            continue  # the module's own names, `honest_` ones among them
        (imports if is_import else rest).append(ast.get_source_segment(cheat.text, stmt) or "")
    head = len(lines) if not module.tree.body else module.tree.body[0].end_lineno or 0
    text = "\n".join([*lines[:head], *(line for line in imports if line not in module.text), *lines[head:], *rest, ""])
    return replace(module, where=cheat.where, text=text, tree=ast.parse(text))
