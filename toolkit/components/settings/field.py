"""A setting of a recipe beside what describes it: meaning, allowed values, source, and when the log shows it."""

from collections.abc import Callable
from dataclasses import Field, dataclass, field, fields
from typing import Any, Literal, TypeVar

from toolkit.components.base.failure import InputError

Value = TypeVar("Value")


@dataclass(frozen=True)
class Allowed:
    """The values that a setting may have."""

    text: str  # as messages and `golf settings` show it; empty for any value
    holds: Callable[[Any], bool]


ANY = Allowed("", lambda value: True)


def above(low: float) -> Allowed:
    return Allowed(f"a number above {low}", lambda value: value > low)


def at_least(low: float) -> Allowed:
    return Allowed(f"{low} or more", lambda value: value >= low)


def between(low: float, high: float) -> Allowed:
    return Allowed(f"a number from {low} to {high}", lambda value: low <= value <= high)


def one_of(*choices: object) -> Allowed:
    return Allowed("one of " + ", ".join(map(str, choices)), lambda value: value in choices)


@dataclass(frozen=True)
class About:
    """What stands beside the name, type and default of a setting."""

    meaning: str
    allowed: Allowed
    source: str  # where it comes from, such as a pull request of the competition; empty if nowhere in particular
    log: Literal["changed", "always", "never"]
    log_name: str  # empty for the setting's own


def setting(
    default: Value,
    meaning: str,
    allowed: Allowed = ANY,
    *,
    source: str = "",
    log: Literal["changed", "always", "never"] = "changed",
    log_name: str = "",
) -> Value:
    """A dataclass field that carries its description.

    Until a recipe changes it, a setting is in no log, no artifact id and no script, so adding one changes no recipe's
    bytes. `log="always"` shows it at its default too: right for what every recipe with the section uses, but a new one
    of them is a new line in their scripts. `log="never"` is for what the environment overrides and then logs itself.
    `log_name` is for what the competition's logs call otherwise.
    """
    return field(default=default, metadata={"about": About(meaning, allowed, source, log, log_name)})


def settings_of(owner: Any) -> list[tuple["Field[Any]", About]]:
    """The settings of a dataclass or an instance, in their order: all fields made by `setting`."""
    return [(item, item.metadata["about"]) for item in fields(owner) if "about" in item.metadata]


def check_settings(owner: Any, prefix: str = "") -> None:
    """`InputError` for the first setting of an instance with a value that is not allowed."""
    for item, about in settings_of(owner):
        value = getattr(owner, item.name)
        require(about.allowed.holds(value), prefix + item.name, about.allowed.text, value)


def require(condition: bool, key: str, expected: str, found: object) -> None:
    """Raise `InputError` naming the recipe key unless `condition` holds."""
    if not condition:
        raise InputError(f"{key}: expected {expected}, found {list(found) if isinstance(found, tuple) else found!r}")
