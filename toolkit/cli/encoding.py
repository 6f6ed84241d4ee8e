"""The option `--encoding` of commands that pack a script."""

import click

encoding_option = click.option(
    "--encoding",
    type=click.Choice(["base85", "latin1", "auto"]),
    default="base85",
    show_default=True,
    help="How the compressed program is written down. base85: plain ASCII, which every editor and reviewer can handle. "
    "latin1: bytes as characters below a coding line, a fifth smaller, but unreadable in diffs and broken by any tool "
    "that saves it as UTF-8. auto: the smaller one.",
)
