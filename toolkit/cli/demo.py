"""`golf demo`: the whole way in small, from a recipe to a checked record folder."""

import contextlib
import time
from pathlib import Path

import click

from toolkit.folders import BUILDS_DIR, DATA_DIR, RECORDS_DIR, pull_request_path

AUTHOR, GITHUB_ID = "Golf Demo", "golf-demo"
EVALUATION_SECONDS = 900.0  # beyond the training clock; a run that takes longer hangs


def _seeds(context: click.Context, option: click.Parameter, text: str) -> list[int]:
    seeds = text.split(",")
    if not all(seed.isdecimal() for seed in seeds) or len(set(seeds)) < len(seeds):
        raise click.BadParameter(f"expected distinct numbers joined by commas, found {text!r}")
    return [int(seed) for seed in seeds]


@click.command("demo")
@click.option(
    "--root", default=".", type=click.Path(path_type=Path), help="Folder for data, build and records; default: here."
)
@click.option("--seeds", default="42,1337,2025", show_default=True, callback=_seeds, help="One run for each.")
@click.option("--wallclock", type=click.FloatRange(min=5), help="Seconds of training a seed; default: the recipe's.")
def command(root: Path, seeds: list[int], wallclock: float | None) -> None:
    """Make data, script, runs and record of the recipe `demo` on CPU cores, and print what came out.

    Everything that is already there is used again: data, finished runs, a record of the same runs. Interrupting it
    leaves nothing half-written.
    """
    import torch

    from toolkit.bundle import write_build
    from toolkit.check import check_path
    from toolkit.cli.display import Display
    from toolkit.cli.train import train_seed
    from toolkit.data.demo import build_demo_data
    from toolkit.recipe import load_recipe
    from toolkit.record.package import find_record
    from toolkit.run.launch import data_environment
    from toolkit.run.processes import available_cores, interrupt_on_termination

    started = time.monotonic()
    cfg = load_recipe("demo")
    build, records = root / BUILDS_DIR / cfg.name, root / RECORDS_DIR
    cap_seconds = cfg.train.max_wallclock_seconds if wallclock is None else wallclock
    with interrupt_on_termination(), Display() as display:
        build_demo_data(cfg, root / DATA_DIR, lambda step, share: display.show("data", step, share))
        display.show("build", "packing the script", 0.0)
        bundle = write_build(cfg, build)
        display.show("build", f"packed into {bundle.code_bytes:,} bytes", 1.0)
        env = data_environment(build, root / DATA_DIR)
        if cap_seconds != cfg.train.max_wallclock_seconds:
            env["MAX_WALLCLOCK_SECONDS"] = str(cap_seconds)
        if torch.cuda.is_available():
            env["CUDA_VISIBLE_DEVICES"] = ""  # the recipe is sized for CPU cores, and its two ranks may not share a GPU
        # Two ranks with one thread each wait for each other once a step, two threads of one rank in every operation.
        nproc = min(cfg.train.micro_batches, available_cores())
        runs = [train_seed(display, build, seed, nproc, env, cap_seconds + EVALUATION_SECONDS) for seed in seeds]
        display.show("record", "checking", 0.0)
        record = find_record(runs, records) or _package(runs, records, cfg.title)
        report = check_path(record)
        display.show("record", f"checked: {report.verdict}", 1.0)
    print_results(runs)
    click.echo(f"record: {record} ({report.verdict})")
    click.echo(f"pull request: {pull_request_path(record)}")
    click.echo(f"{time.monotonic() - started:.0f} s in all")


def _package(runs: list[Path], records: Path, title: str) -> Path:
    """Package under the recipe's title, followed by a number if an earlier demo of the day has taken it."""
    from toolkit.record.package import RecordExists, package

    for name in (title, *(f"{title} {number}" for number in range(2, 1000))):
        with contextlib.suppress(RecordExists):
            return package(runs, AUTHOR, GITHUB_ID, records, name=name)
    raise AssertionError("a thousand records in a day")


def print_results(runs: list[Path]) -> None:
    """The table of `toolkit.record.results` on standard output."""
    from rich.console import Console
    from rich.table import Table

    from toolkit.record.results import make_results
    from toolkit.record.runs import read_matching_runs

    results = make_results(read_matching_runs(runs)[1])
    table = Table(title="Bytes, steps, seconds, and bits per byte after each stage")
    for name in results.header:
        table.add_column(name, justify="right")
    for row in results.seeds:
        table.add_row(*row, end_section=row is results.seeds[-1])
    for row in results.summary:
        table.add_row(*row)
    console = Console()
    console.width = console.width if console.is_terminal else 140
    console.print(table)
