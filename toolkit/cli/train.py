"""`golf train`: run a build for some seeds."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from toolkit.folders import DATA_DIR, run_folder

if TYPE_CHECKING:
    from toolkit.cli.display import Display


@click.command("train")
@click.argument("build", type=click.Path(path_type=Path))
@click.option(
    "--seed",
    "seeds",
    multiple=True,
    type=click.IntRange(min=0),
    required=True,
    help="Seed of a run; repeat for more runs.",
)
@click.option(
    "--nproc", default=1, show_default=True, type=click.IntRange(min=1), help="Number of ranks, one for each GPU."
)
@click.option(
    "--data-root", default=DATA_DIR, show_default=True, type=click.Path(path_type=Path), help="Shards and tokenizers."
)
@click.option(
    "--set", "overrides", multiple=True, metavar="NAME=VALUE", help="Environment of the script, such as ITERATIONS=100."
)
@click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True), help="Seconds after which a run counts as failed."
)
def command(
    build: Path, seeds: tuple[int, ...], nproc: int, data_root: Path, overrides: tuple[str, ...], timeout: float | None
) -> None:
    """Train BUILD once with each seed under torchrun; runs land in BUILD/runs/seed<N>.

    A run that has already finished with the same script and overrides is not repeated. An interrupted run leaves
    nothing behind; a failed one leaves its output in BUILD/runs/seed<N>.failed.
    """
    from toolkit.cli.display import Display
    from toolkit.run.launch import data_environment

    env = data_environment(build, data_root) | dict(map(_split_override, overrides))
    with Display() as display:
        for seed in seeds:
            train_seed(display, build, seed, nproc, env, timeout)
    for seed in seeds:
        click.echo(run_folder(build, seed))


def train_seed(
    display: "Display", build: Path, seed: int, nproc: int, env: dict[str, str], timeout: float | None
) -> Path:
    """Launch one seed and show how it goes; returns the run folder."""
    from toolkit.run.launch import launch
    from toolkit.run.progress import RunProgress

    name, progress = f"seed {seed}", RunProgress()

    def on_line(line: str) -> None:
        progress.feed(line)
        display.show(name, progress.text, progress.share)

    display.show(name, progress.text, 0.0)
    run = launch(build, seed, nproc=nproc, env=env, timeout_seconds=timeout, on_line=on_line)
    display.show(name, "finished" if progress.share else "reused a finished run", 1.0)
    return run


def _split_override(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise click.BadParameter(f"expected NAME=VALUE, found {text!r}", param_hint="--set")
    return name, value
