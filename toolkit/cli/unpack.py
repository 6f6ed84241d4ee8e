"""`golf unpack`: what a packed script contains."""

import json
import sys
from pathlib import Path

import click


@click.command("unpack")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print an object with the layers and the source.")
def command(file: Path, as_json: bool) -> None:
    """Print the program inside FILE, a script that decodes and runs itself. Nothing of it is executed.

    The decoders that were found go to standard error. Plain source is an error: there is nothing to unpack.
    """
    from toolkit.errors import GolfError
    from toolkit.unpack.unpack import read_script, unpack

    data = read_script(file)
    file_bytes = len(data)
    try:
        result = unpack(data)
    except GolfError as error:
        raise GolfError(f"{file}: {error}") from None
    source_bytes = len(result.source.encode())
    if as_json:
        facts = {"file_bytes": file_bytes, "source_bytes": source_bytes, "layers": result.layers}
        click.echo(json.dumps({**facts, "source": result.source}, indent=2))
        return
    if not result.layers:
        raise GolfError(f"{file}: expected a packed script, found plain source of {file_bytes} bytes")
    click.echo(f"{file_bytes} bytes -> {source_bytes} bytes: {'; '.join(result.layers)}", err=True)
    click.echo(_harmless(result.source) if sys.stdout.isatty() else result.source)


def _harmless(text: str) -> str:
    """Text without control characters, so that a stranger's script cannot steer the terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in text)
