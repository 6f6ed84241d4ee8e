"""`golf leaderboard`: the rows of the competition's README, and the bar."""

import json
from dataclasses import asdict

import click


@click.command("leaderboard")
@click.argument("document", metavar="README.md | REPO@COMMIT[:PATH]")
@click.option("--json", "as_json", is_flag=True, help="Print an object instead of a table.")
def command(document: str, as_json: bool) -> None:
    """Parse the tables of a leaderboard: score, author, date, link; the score to beat comes last."""
    from toolkit.check.rulebook.finding import printable
    from toolkit.check.statistics.leaderboard import bar_to_beat, parse_leaderboard, read_document

    rows = parse_leaderboard(read_document(document))
    bar = bar_to_beat(rows)
    if as_json:
        click.echo(json.dumps({"rows": [asdict(row) for row in rows], "bar": asdict(bar)}, indent=2))
        return
    section = None
    for row in rows:
        if row.section != section:
            section = row.section
            click.echo(printable(section))
        link = row.links[0] if row.links else ""
        click.echo(printable(f"  {row.val_bpb:.4f}  {row.date:10}  {row.author:24}  {row.run}  {link}"))
    click.echo(printable(f"to beat: {bar.val_bpb} ({bar.run}, {bar.author}, {bar.date})"))
