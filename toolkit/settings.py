"""What a recipe can set, described by the fields of `Config` and its sections. Importable without torch."""

import inspect
from dataclasses import dataclass, fields
from typing import Any, get_args, get_type_hints

from toolkit.components.config import Config
from toolkit.components.settings.field import settings_of
from toolkit.components.settings.section import Section
from toolkit.errors import GolfError, did_you_mean


@dataclass(frozen=True)
class Setting:
    """One key of a recipe."""

    name: str  # `section.key`, or the key alone at the top of a recipe
    type: str
    default: Any
    allowed: str  # values; empty for any of the type
    meaning: str
    source: str  # where it comes from, such as a pull request of the competition; empty if nowhere in particular

    @property
    def section(self) -> str:
        """Name of its table; empty at the top of a recipe."""
        return self.name.rpartition(".")[0]

    @property
    def key(self) -> str:
        return self.name.rpartition(".")[2]


def section_texts() -> dict[str, str]:
    """What each section is for, by name, in the order of a recipe."""
    return {name: inspect.getdoc(section) or "" for name, section in _sections().items()}


def all_settings() -> list[Setting]:
    """Every setting, in the order of `dump_recipe`."""
    return [setting for name, owner in ({"": Config} | _sections()).items() for setting in _described(name, owner)]


def find_settings(name: str) -> list[Setting]:
    """The settings of a section, or those of a key, with or without its section in front; `GolfError` for none."""
    known = all_settings()
    found = [setting for setting in known if name in (setting.section, setting.name, setting.key)]
    if not found:
        names = [*_sections(), *(setting.key for setting in known), *(setting.name for setting in known)]
        hint = did_you_mean(name, names) or "; `golf settings` lists them"
        raise GolfError(f"SECTION|KEY: expected a section or a key of a recipe, found {name!r}{hint}")
    return found


def _sections() -> dict[str, type]:
    return {f.name: f.type for f in fields(Config) if isinstance(f.type, type) and issubclass(f.type, Section)}


def _described(section: str, owner: Any) -> list[Setting]:
    types, prefix = get_type_hints(owner), f"{section}." if section else ""
    return [
        Setting(
            prefix + field.name,
            _type_name(types[field.name]),
            field.default,
            about.allowed.text,
            about.meaning,
            about.source,
        )
        for field, about in settings_of(owner)
    ]


def _type_name(hint: Any) -> str:
    return f"list of {get_args(hint)[0].__name__}" if get_args(hint) else str(hint.__name__)
