"""`golf pack`: any single-file script becomes one small script."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from toolkit.cli.encoding import encoding_option

if TYPE_CHECKING:
    from toolkit.bundle.foreign.guards import Caution
    from toolkit.bundle.foreign.pack_script import PackedScript


@click.command("pack")
@click.argument("script", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--define",
    "defines",
    multiple=True,
    metavar="NAME=VALUE",
    help="Fix an environment variable or a constant, and drop what that decides; may be repeated.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write.  [default: <script>_packed.py]",
)
@encoding_option
@click.option(
    "--explain",
    "explained",
    is_flag=True,
    help="Also show what was proven, and what caution keeps; what each kind of it costs is measured by packing again "
    "without that kind.",
)
@click.option(
    "--assume-positional",
    "assumed",
    flag_value="positional",
    multiple=True,
    help="Take it that calls which the program does not show, such as those by a library, name no parameter.",
)
@click.option(
    "--assume-literal-keys",
    "assumed",
    flag_value="literal-keys",
    multiple=True,
    help="Take it that calls with **mapping name no parameter that the program does not spell out.",
)
@click.option(
    "--assume-unread",
    "assumed",
    flag_value="unread",
    multiple=True,
    help="Take it that nothing reads the program's names, notes, lines, frames or namespace.",
)
@click.option("--json", "as_json", is_flag=True, help="Print an object instead of a table.")
def command(
    script: Path,
    defines: tuple[str, ...],
    out: Path | None,
    encoding: str,
    explained: bool,
    assumed: tuple[str, ...],
    as_json: bool,
) -> None:
    """Minify and pack SCRIPT, a single-file training script, packed before or not. Nothing of it is executed.

    The packed program does what SCRIPT does, or it is an error and nothing is written. Whatever something may read
    keeps its name, and what that costs is listed; the --assume options give the bytes back at your word. Settings that
    --define does not name still come from the environment.
    """
    from rich.console import Console

    from toolkit.bundle.foreign.cautions import caution_bytes
    from toolkit.bundle.foreign.guards import Caution
    from toolkit.bundle.foreign.pack_script import pack_script
    from toolkit.errors import GolfError
    from toolkit.folders import write_atomically
    from toolkit.unpack.unpack import read_script

    pairs = [define.partition("=") for define in defines]
    if wrong := [name for name, equals, _ in pairs if not (equals and name.isidentifier())]:
        raise click.BadParameter(f"expected NAME=VALUE, found {wrong[0]!r}", param_hint="--define")
    values = {name: value for name, _, value in pairs}
    out = out_file(script, out)
    started = time.perf_counter()
    data = read_script(script)
    try:
        with Console(stderr=True).status("packing"):
            result = pack_script(data, values, encoding, [Caution(kind) for kind in assumed])
            costs = caution_bytes(result, data, values, encoding) if explained else None
    except GolfError as error:
        raise GolfError(f"{script}: {error}") from None
    write_atomically(out, result.packed)
    show(result, costs, out, len(data), time.perf_counter() - started, as_json)


def out_file(script: Path, out: Path | None) -> Path:
    """Where to write; an error for a place that a file of its own cannot be put in."""
    if out is None and not script.is_file():
        raise click.BadParameter(f"expected it, since {script} is no file", param_hint="-o")
    out = out or script.with_name(f"{script.stem}_packed.py")
    if out.exists() and out.samefile(script):
        raise click.BadParameter(f"expected another file than SCRIPT, found {out}", param_hint="-o")
    if out.exists() and not out.is_file():
        raise click.BadParameter(f"expected a file, found {out}", param_hint="-o")
    return out


def show(
    result: PackedScript,
    costs: Mapping[Caution, int | None] | None,
    out: Path,
    file_bytes: int,
    seconds: float,
    as_json: bool,
) -> None:
    """Print what packing did, as a table or an object. `costs` are bytes of each kind of caution, if asked for."""
    from rich.console import Console
    from rich.table import Table

    facts = {
        "out": str(out),
        "sha256": result.sha256,
        "form": result.form,
        "layers": result.layers,
        "file_bytes": file_bytes,
        "source_bytes": result.source_bytes,
        "minified_bytes": result.minified_bytes,
        "code_bytes": len(result.packed),
        "dropped": result.dropped,
        "blockers": [
            {"line": b.line, "construct": b.construct, "keeps": b.keeps, "caution": b.caution} for b in result.blockers
        ],
        "assumed": result.assumed,
        **({} if costs is None else {"proven": result.proven, "caution_bytes": costs}),
        "seconds": round(seconds, 3),
    }
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    table = Table(title=str(out), show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for label, key in (("file", "file_bytes"), ("program in it", "source_bytes"), ("minified", "minified_bytes")):
        table.add_row(label, f"{facts[key]:,}")
    table.add_row("packed", f"{len(result.packed):,}")
    table.add_section()
    table.add_row("seconds", f"{seconds:.1f}")
    console = Console(markup=False, highlight=False)
    console.print(table)
    for line in _lines(result, costs):
        console.print(line, soft_wrap=True)


def _lines(result: PackedScript, costs: Mapping[Caution, int | None] | None) -> Iterator[str]:
    """What packing did, below the table."""
    if result.layers:
        yield f"unpacked first: {'; '.join(result.layers)}"
    yield f"form: {result.form}"
    if result.assumed:
        yield f"assumed at your word, not proven: {', '.join(result.assumed)}"
    if result.dropped:
        yield f"dropped, as nothing uses them: {', '.join(result.dropped)}"
    if costs is None:
        yield from map(str, result.blockers)
        return
    for step in result.proven:
        yield f"proven: {step}"
    for kind, num_bytes in costs.items():
        size = "cannot be packed without it" if num_bytes is None else f"{num_bytes:,} bytes"
        yield f"caution: {kind}, {size} (--assume-{kind})"
        yield from (f"  {blocker}" for blocker in result.blockers if blocker.caution == kind)
