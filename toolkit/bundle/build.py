"""From a recipe to its scripts: the phases in order, and the files of a build."""

import ast
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.bundle.calls.arguments import fold_parameters
from toolkit.bundle.calls.inline import inline
from toolkit.bundle.link.contract import check_modules
from toolkit.bundle.link.emit import emit, header, main_block
from toolkit.bundle.link.fold import fold
from toolkit.bundle.link.names import check_names, import_lines
from toolkit.bundle.link.parts import Import, Part, split_module, with_source
from toolkit.bundle.link.resolve import COMPONENTS_DIR, Module, read_modules
from toolkit.bundle.link.settings import settings_functions
from toolkit.bundle.link.shake import shake
from toolkit.bundle.minify import order
from toolkit.bundle.minify.print import apportion, minify, module_bytes
from toolkit.bundle.minify.squeeze import squeeze
from toolkit.bundle.pack.cache import cached
from toolkit.bundle.pack.pack import pack
from toolkit.components.config import Config
from toolkit.errors import GolfError
from toolkit.folders import BUNDLE_NAME, READABLE_NAME, RECIPE_NAME, SCRIPT_NAME, write_files
from toolkit.recipe import dump_recipe

ENTRY = "main"  # the module, and the function in it, that a run begins with
START = f"{ENTRY}(__file__)"


@dataclass(frozen=True)
class Bundle:
    """One recipe's scripts."""

    readable: str
    packed: bytes
    sha256: str  # of `packed`
    code_bytes: int  # length of `packed`: what counts against the cap
    component_bytes: dict[str, int]  # `code_bytes` by module, in proportion to minified bytes; "script" is the rest


@dataclass(frozen=True)
class Program:
    """One recipe's program before it is packed."""

    readable: str
    text: str  # minified
    parts: list[Part]  # what the definitions of `text` come from, in their order


def bundle(cfg: Config, encoding: str = "base85") -> Bundle:
    """Join, fold and pack the components under a recipe; kept until a source or the recipe changes.

    Deterministic: equal input gives equal bytes. `encoding` is as in `pack`. `GolfError` names file and line of what
    breaks the contract of components.
    """
    sources = [path.read_text(encoding="utf-8") for path in sorted(COMPONENTS_DIR.glob("**/*.py"))]
    facts = json.loads(
        cached(["bundle", encoding, str(order.STEPS), repr(cfg), *sources], lambda: json.dumps(_bundle(cfg, encoding)))
    )
    packed = facts["packed"].encode("latin-1")
    sizes = facts["component_bytes"]
    return Bundle(facts["readable"], packed, hashlib.sha256(packed).hexdigest(), len(packed), sizes)


def _bundle(cfg: Config, encoding: str) -> dict[str, Any]:
    program = make_program(cfg)
    packed = pack(program.text, encoding)
    sizes = apportion(len(packed), module_bytes(program.text, program.parts))
    return {
        "readable": program.readable,
        "packed": packed.decode("latin-1"),
        "component_bytes": dict(sorted(sizes.items())),
    }


def make_program(cfg: Config) -> Program:
    """All phases but the last."""
    readable, imports, parts = make_readable(cfg, read_modules(ENTRY))
    return Program(readable, *order.reorder(*make_small(imports, parts)))


def make_small(imports: list[Import], parts: list[Part]) -> tuple[str, list[Part]]:
    """The minified text of what `link` returns, and its parts; in which order those came makes no difference."""
    imports, parts = reduce_calls(imports, order.in_canonical_order(parts), ENTRY, flags_only=False)
    imports, parts = squeeze(imports, parts, frozenset({ENTRY}))
    return minify(imports, parts, START), parts


def make_readable(cfg: Config, modules: list[Module]) -> tuple[str, list[Import], list[Part]]:
    """The readable script of modules under a recipe, and what it is joined from."""
    imports, parts = link(cfg, modules)
    readable = header(cfg, parts) + "\n" + emit(imports, parts, docstrings(modules), START)
    joined = "\n".join([*import_lines(imports), *(part.source for part in parts), main_block(START)])
    if ast.dump(ast.parse(readable)) != ast.dump(ast.parse(joined)):
        raise AssertionError("the readable script is another program than its parts")
    return readable, imports, parts


def link(cfg: Config, modules: list[Module], root: str = ENTRY) -> tuple[list[Import], list[Part]]:
    """Imports and parts that `root` reaches under a recipe, in the order in which they must run."""
    if violations := check_modules(modules):
        raise GolfError("\n".join(str(violation) for violation in violations))
    imports: list[Import] = []
    parts: list[Part] = []
    for module in modules:
        module_imports, module_parts = split_module(module)
        imports += module_imports
        functions = settings_functions(module.tree)
        parts += [with_source(part, fold(part.source, cfg, part.where, part.line, functions)) for part in module_parts]
    imports, parts = reduce_calls(*shake(imports, parts, frozenset({root})), root, flags_only=True)
    check_names(imports, parts)
    return imports, parts


def reduce_calls(
    imports: list[Import], parts: list[Part], root: str, flags_only: bool
) -> tuple[list[Import], list[Part]]:
    """Fold parameters, inline calls and shake until nothing changes; `flags_only` is as in `fold_parameters`."""
    while True:
        reduced = shake(imports, inline(fold_parameters(parts, flags_only)), frozenset({root}))
        if reduced == (imports, parts):
            return reduced
        imports, parts = reduced


def docstrings(modules: list[Module]) -> dict[str, str]:
    return {module.name: ast.get_docstring(module.tree) or "" for module in modules}


def write_build(cfg: Config, out_dir: Path, encoding: str = "base85") -> Bundle:
    """Bundle a recipe into `out_dir`: both scripts, `recipe.toml` and, last, `bundle.json`. Runs in there stay."""
    result = bundle(cfg, encoding)
    readable = result.readable.encode()
    facts = {
        "recipe": cfg.name,
        "title": cfg.title,
        "track": cfg.track,
        "artifact_id": cfg.artifact_id,
        "stages": list(cfg.evaluate.stages),
        "sha256": {
            SCRIPT_NAME: result.sha256,
            READABLE_NAME: hashlib.sha256(readable).hexdigest(),
        },
        "code_bytes": result.code_bytes,
        "component_bytes": result.component_bytes,
    }
    files: dict[str, bytes | str] = {
        READABLE_NAME: readable,
        SCRIPT_NAME: result.packed,
        RECIPE_NAME: dump_recipe(cfg),
        BUNDLE_NAME: json.dumps(facts, indent=2) + "\n",
    }
    out_dir.mkdir(parents=True, exist_ok=True)
    write_files({out_dir / name: data for name, data in files.items()})
    return result
