"""`golf pack`: any single-file script becomes one small script."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from toolkit.cli.encoding import encoding_option

if TYPE_CHECKING:
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
@click.option("--json", "as_json", is_flag=True, help="Print an object instead of a table.")
def command(script: Path, defines: tuple[str, ...], out: Path | None, encoding: str, as_json: bool) -> None:
    """Minify and pack SCRIPT, a single-file training script, packed before or not. Nothing of it is executed.

    Settings that --define does not name still come from the environment.
    """
    from rich.console import Console

    from toolkit.bundle.foreign.pack_script import pack_script
    from toolkit.errors import GolfError
    from toolkit.folders import write_atomically
    from toolkit.unpack.unpack import read_script

    pairs = [define.partition("=") for define in defines]
    if wrong := [name for name, equals, _ in pairs if not (equals and name.isidentifier())]:
        raise click.BadParameter(f"expected NAME=VALUE, found {wrong[0]!r}", param_hint="--define")
    out = out or script.with_name(f"{script.stem}_packed.py")
    started = time.perf_counter()
    data = read_script(script)
    try:
        with Console(stderr=True).status("packing"):
            result = pack_script(data, {name: value for name, _, value in pairs}, encoding)
    except GolfError as error:
        raise GolfError(f"{script}: {error}") from None
    write_atomically(out, result.packed)
    show(result, out, len(data), time.perf_counter() - started, as_json)


def show(result: PackedScript, out: Path, file_bytes: int, seconds: float, as_json: bool) -> None:
    """Print what packing did, as a table or an object."""
    from rich.console import Console
    from rich.table import Table

    facts = {
        "out": str(out),
        "sha256": result.sha256,
        "layers": result.layers,
        "file_bytes": file_bytes,
        "source_bytes": result.source_bytes,
        "minified_bytes": result.minified_bytes,
        "code_bytes": len(result.packed),
        "dropped": result.dropped,
        "blockers": [{"line": b.line, "construct": b.construct, "keeps": b.keeps} for b in result.blockers],
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
    if result.layers:
        console.print(f"unpacked first: {'; '.join(result.layers)}")
    if result.dropped:
        console.print(f"dropped, as nothing uses them: {', '.join(result.dropped)}")
    for blocker in result.blockers:
        console.print(str(blocker))
