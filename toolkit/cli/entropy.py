"""`golf entropy`: how close stored weights come to their entropy."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from toolkit.artifacts import StoredModel, TensorEntropy


@click.command("entropy")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--recipe", help="The recipe that PATH belongs to.  [default: the nearest recipe.toml above it]")
@click.option("--json", "as_json", is_flag=True, help="Print an object instead of a table.")
def command(path: Path, recipe: str | None, as_json: bool) -> None:
    """Bits per weight of every matrix in PATH, an artifact, the folder of a run, or a state dict saved by torch.

    H(W) is the order-0 entropy of a matrix's symbols, H(dW) that of their differences to the same matrix one layer
    earlier. Stored is what the file spends on the symbols, the gap how much that is over H(W). A state dict is first
    quantized as the recipe says, without calibration data.
    """
    from toolkit.artifacts import entropies, open_model

    model = open_model(path, recipe)
    rows = entropies(model)
    if as_json:
        tensors = [asdict(row) | {"gap_bits": row.gap_bits} for row in rows]
        facts = {"path": str(model.path), "recipe": model.cfg.name, "artifact_bytes": model.artifact_bytes}
        click.echo(json.dumps(facts | {"tensors": tensors}, indent=2))
    else:
        _print_entropies(model, rows)


def _print_entropies(model: "StoredModel", rows: "list[TensorEntropy]") -> None:
    cells = [
        [row.name, f"{row.weights:,}", str(row.levels)]
        + [_bits(bits) for bits in (row.entropy_bits, row.delta_bits, row.stored_bits, row.gap_bits)]
        for row in rows
    ]
    weights = sum(row.weights for row in rows)
    entropy, stored = (
        sum(row.weights * bits for row, bits in zip(rows, column, strict=True)) / max(weights, 1)
        for column in ([row.entropy_bits for row in rows], [row.stored_bits for row in rows])
    )
    total = ["all", f"{weights:,}", "", _bits(entropy), "", _bits(stored), _bits(stored - entropy)]
    heading = ["tensor", "weights", "levels", "H(W)", "H(dW)", "stored", "gap"]
    print_columns(f"bits per weight in {model.path}", heading, cells, total)


def _bits(bits: float | None) -> str:
    return "" if bits is None else f"{bits:.3f}"


def print_shares(model: "StoredModel") -> None:
    """Bytes of an artifact by tensor and kind."""
    shares = model.shares()
    kinds = [kind for kind in ("symbols", "scales", "tables", "passthrough") if any(key[1] == kind for key in shares)]
    names = list(dict.fromkeys(name for name, _ in shares))
    cells = [[name] + [f"{shares[name, k]:,.0f}" if (name, k) in shares else "" for k in kinds] for name in names]
    total = ["all"] + [f"{sum(shares.get((name, kind), 0) for name in names):,.0f}" for kind in kinds]
    title = f"{model.artifact_bytes:,} bytes of {model.path}"
    print_columns(title, ["tensor", *kinds], cells, total)


def print_columns(title: str, heading: list[str], rows: list[list[str]], total: list[str]) -> None:
    """A table whose first column is text, the others numbers, with a last row for all."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    # No lines between columns: 80 characters have no room for them.
    table = Table(title=title, box=SIMPLE, collapse_padding=True)
    for i, name in enumerate(heading):
        table.add_column(name, justify="right" if i else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    table.add_section()
    table.add_row(*total)
    Console(markup=False, highlight=False).print(table)
