"""The `golf` command: one file per subcommand, errors shown in one line."""

from typing import Any

import click

from toolkit.cli import (
    build,
    check,
    demo,
    entropy,
    explain,
    leaderboard,
    pack,
    package,
    plan,
    probe,
    prove,
    recipes,
    settings,
    stats,
    train,
    unpack,
)
from toolkit.components.base.failure import InputError
from toolkit.errors import GolfError

_EXTRAS = {"torch": "train", "sentencepiece": "train", "constriction": "prove"}  # package -> the extra that brings it


class _Golf(click.Group):
    """A group that turns user errors into one line and exit code 1; bugs keep their traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (GolfError, InputError) as error:
            raise click.ClickException(str(error)) from None
        except ModuleNotFoundError as error:
            if error.name not in _EXTRAS:
                raise
            message = (
                f"{error.name}: this command needs it, found none; pip install 'golf-toolkit[{_EXTRAS[error.name]}]'"
            )
            raise click.ClickException(message) from None
        except BrokenPipeError:
            raise  # a reader such as `head` has seen enough; click ends without a word
        except OSError as error:
            raise click.ClickException(f"{error.filename or 'writing'}: {error.strerror or error}") from None


@click.group(cls=_Golf, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="golf-toolkit")
def golf() -> None:
    """Parameter Golf: from a recipe to a record folder."""


_RUNS = (recipes, settings, plan, build, pack, unpack, train, probe, prove, check, package, demo)
_READS = (explain, stats, leaderboard, entropy)
for module in _RUNS + _READS:
    golf.add_command(module.command)
