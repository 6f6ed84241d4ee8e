"""What all sections of a recipe share: checks, whether a recipe uses them, and their form in its miniature."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from toolkit.components.settings.field import check_settings, require, settings_of

if TYPE_CHECKING:
    from toolkit.components.config import Config


@dataclass(frozen=True)
class Section:
    """One table of a recipe. A subclass has its settings as fields, made by `setting`, and overrides what differs."""

    name: ClassVar[str]  # of the table, and of the field in `Config`
    log_prefix: ClassVar[str] = ""  # of its settings' names in the log, which are unique over all sections
    reads_artifact: ClassVar[bool] = False  # whether it decides how an artifact is read

    def __post_init__(self) -> None:
        """Check each value, and then, in a subclass, how the section's own settings go together."""
        check_settings(self, f"{self.name}.")

    def check(self, cfg: "Config") -> None:
        """`InputError` unless the section goes together with the recipe's others."""

    def on(self, cfg: "Config") -> bool:
        """Whether the recipe uses the section. One that is off is in no log, no artifact id and no script."""
        return True

    def small(self, cfg: "Config") -> Self:
        """The section in the recipe's miniature for proofs and probes, which a CPU trains in a second.

        What is on stays on and what is off stays off, so that the program stays the same up to the numbers in it.
        """
        return self

    def require(self, condition: bool, key: str, expected: str) -> None:
        """Raise `InputError` naming one of the section's settings and its value unless `condition` holds."""
        require(condition, f"{self.name}.{key}", expected, getattr(self, key))

    def changed(self) -> Iterator[tuple[str, Any]]:
        """Name and value of the settings that are not at their default."""
        for item, _ in settings_of(self):
            if (value := getattr(self, item.name)) != item.default:
                yield item.name, value

    def logged(self) -> Iterator[tuple[str, Any]]:
        """Name, as in the log, and value of the settings that the log of a run shows."""
        changed = dict(self.changed())
        for item, about in settings_of(self):
            if about.log == "always" or (about.log == "changed" and item.name in changed):
                yield self.log_prefix + (about.log_name or item.name), getattr(self, item.name)
