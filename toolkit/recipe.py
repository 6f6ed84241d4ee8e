"""Recipes: TOML files read into `Config`, and `Config` written back as TOML. Importable without torch.

A recipe is a TOML file with the top-level keys `title`, `track` and `extends` (another recipe whose values it starts
from) and one table for each section of `Config`. Unknown or mistyped keys are errors that name the key, the nearest
valid one and the line. What a value means stands beside its field in `components/settings/`.
"""

import json
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from toolkit.components.base.failure import InputError
from toolkit.components.config import Config
from toolkit.errors import GolfError, did_you_mean

RECIPES_DIR = Path(__file__).resolve().parent / "templates" / "recipes"
_MAX_EXTENDS = 8
_NUMBER_LIMIT = 2**31  # no setting comes near it; also keeps out nan and inf
T = TypeVar("T")


def recipe_path(name_or_path: str | Path) -> Path:
    """A recipe's file: a path as it is, a bare name looked up in `templates/recipes` and its folders."""
    path = Path(name_or_path)
    if path.suffix == ".toml" or path.parent != Path():
        if not path.is_file():
            raise GolfError(f"recipe: expected a TOML file, found none at {path}; `golf recipes` lists our own")
        return path
    known = _built_in()
    if str(name_or_path) not in known:
        near = did_you_mean(str(name_or_path), known, cutoff=0.5)
        raise GolfError(f"recipe: expected one of {', '.join(known)}, found {str(name_or_path)!r}{near}")
    return known[str(name_or_path)]


def recipe_names() -> list[str]:
    """Names of the built-in recipes, sorted."""
    return list(_built_in())


def _built_in() -> dict[str, Path]:
    """Files of the built-in recipes by name. Folders only group them: a name is unique over all."""
    return {path.stem: path for path in sorted(RECIPES_DIR.rglob("*.toml"), key=lambda path: path.stem)}


def load_recipe(name_or_path: str | Path) -> Config:
    """Read a recipe; raises `GolfError` with file and line for anything that is not a valid one."""
    path = recipe_path(name_or_path)
    values = _read_with_parents(path)
    sections = {f.name: f.type for f in fields(Config)}
    hints = get_type_hints(Config)
    built: dict[str, Any] = {"name": path.stem}
    for key, value in values.items():
        if is_dataclass(hints[key]):
            built[key] = _build(hints[key], key, value)
        else:
            assert key in sections
            built[key] = value.value
    return _located(lambda: Config(**built), values)


def dump_recipe(cfg: Config) -> str:
    """The whole configuration as a self-contained TOML recipe; `load_recipe` of it gives an equal `Config`."""
    lines = []
    tables = []
    for field in fields(cfg):
        value = getattr(cfg, field.name)
        if is_dataclass(value):
            tables.append(f"\n[{field.name}]")
            tables += [f"{f.name} = {toml_value(getattr(value, f.name))}" for f in fields(value)]
        elif field.name != "name":
            lines.append(f"{field.name} = {toml_value(value)}")
    return "\n".join(lines + tables) + "\n"


@dataclass(frozen=True)
class _Located:
    """A TOML value and where it stands."""

    value: Any
    where: str  # path:line


def toml_value(value: Any) -> str:
    """A setting's value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, tuple):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    return repr(value)


def _read_with_parents(path: Path) -> dict[str, Any]:
    """Top-level values and `{section: {key: _Located}}` of a recipe over those of the recipes it extends."""
    chain = [path]
    layers = [_read_one(path)]
    while "extends" in layers[-1]:
        parent = layers[-1].pop("extends")
        target = _extended(parent, chain[-1].parent)
        if target in chain or len(chain) > _MAX_EXTENDS:
            cycle = " -> ".join(p.stem for p in [*chain, target])
            raise GolfError(f"{parent.where}: extends: expected no cycle, found {cycle}")
        chain.append(target)
        layers.append(_read_one(target))
    merged: dict[str, Any] = {}
    for layer in reversed(layers):
        for key, value in layer.items():
            merged[key] = {**merged.get(key, {}), **value} if isinstance(value, dict) else value
    return merged


def _extended(parent: _Located, folder: Path) -> Path:
    """The recipe that one extends: a file by its path from the folder of that recipe, or else a built-in name."""
    sibling = folder / f"{parent.value.removesuffix('.toml')}.toml"
    if sibling.is_file():
        return sibling
    try:
        return recipe_path(parent.value)
    except GolfError as error:
        raise GolfError(f"{parent.where}: extends: {error}") from None


def _read_one(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        raw = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise GolfError(f"{path}: expected a TOML recipe, found: {error}") from None
    lines = _key_lines(text)
    hints = get_type_hints(Config)
    sections = [name for name, hint in hints.items() if is_dataclass(hint)]
    plain = ["title", "track", "extends"]
    result: dict[str, Any] = {}
    for key, value in raw.items():
        where = f"{path}:{lines.get(('', key)) or lines.get((key, ''), 1)}"
        if key not in sections + plain:
            raise GolfError(f"{where}: unknown key {key!r}{did_you_mean(key, sections + plain, cutoff=0.5)}")
        if key in plain:
            _check_type(where, key, value, str)
            result[key] = _Located(value, where)
            continue
        if not isinstance(value, dict):
            raise GolfError(f"{where}: {key}: expected a table [{key}], found {value!r}")
        types = get_type_hints(hints[key])
        known = [f.name for f in fields(hints[key])]
        result[key] = {}
        for name, item in value.items():
            where = f"{path}:{lines.get((key, name), 1)}"
            if name not in known:
                raise GolfError(f"{where}: unknown key {name!r} in [{key}]{did_you_mean(name, known, cutoff=0.5)}")
            _check_type(where, f"{key}.{name}", item, types[name])
            result[key][name] = _Located(item, where)
    return result


def _key_lines(text: str) -> dict[tuple[str, str], int]:
    """Line numbers of `key =` and `[section]` in a recipe; tomllib keeps none. First occurrence wins."""
    lines: dict[tuple[str, str], int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\s*([\w-]+)\s*\]", line):
            section = header.group(1)
            lines.setdefault((section, ""), number)
        elif key := re.match(r"\s*[\"']?([\w-]+)[\"']?\s*=", line):
            lines.setdefault((section, key.group(1)), number)
    return lines


def _check_type(where: str, key: str, value: Any, hint: Any) -> None:
    if get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise GolfError(f"{where}: {key}: expected a list, found {value!r}")
        for item in value:
            _check_type(where, key, item, get_args(hint)[0])
        return
    accepted = (int, float) if hint is float else (hint,)
    if not isinstance(value, accepted) or (isinstance(value, bool) and hint is not bool):
        raise GolfError(f"{where}: {key}: expected {hint.__name__}, found {value!r}")
    if hint in (int, float) and not abs(value) < _NUMBER_LIMIT:
        raise GolfError(f"{where}: {key}: expected a number between -2^31 and 2^31, found {value!r}")


def _build(section: type, name: str, values: dict[str, _Located]) -> Any:
    types = get_type_hints(section)
    converted = {}
    for key, item in values.items():
        value = tuple(item.value) if isinstance(item.value, list) else item.value
        converted[key] = float(item.value) if types[key] is float else value
    return _located(lambda: section(**converted), {name: values})


def _located(make: Callable[[], T], values: dict[str, Any]) -> T:
    """Call `make`; an `InputError` that names `section.key` gets the file and line of that key in front."""
    try:
        return make()
    except InputError as error:
        section, _, key = str(error).split(":", 1)[0].partition(".")
        found = values.get(section)
        if isinstance(found, dict):
            found = found.get(key) or next(iter(found.values()), None)
        raise GolfError(f"{found.where}: {error}" if isinstance(found, _Located) else str(error)) from None
