"""`golf prove`: a score is valid if a decoder can work from it."""

import json
from pathlib import Path

import click

from toolkit.folders import DATA_DIR


@click.command("prove")
@click.argument("build", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--bytes", "num_bytes", default=20_000, show_default=True, type=click.IntRange(min=1), help="Bytes of text to code."
)
@click.option("--seed", type=click.IntRange(min=0), help="Seed whose artifact is taken; default: the lowest.")
@click.option("--stage", help="Stage of the recipe; default: the last, which is its score.")
@click.option(
    "--data-root", default=DATA_DIR, show_default=True, type=click.Path(path_type=Path), help="Shards and tokenizers."
)
@click.option("--again", is_flag=True, help="Decode the code file of an earlier proof instead, and compare.")
@click.option("--json", "as_json", is_flag=True, help="Print proof.json instead of a summary.")
def command(
    build: Path, num_bytes: int, seed: int | None, stage: str | None, data_root: Path, again: bool, as_json: bool
) -> None:
    """Compress the start of the validation text with the predictor behind BUILD's score, and decompress it.

    The text must come back byte for byte in a fresh process that has not seen it, and the code must be as long as the
    script's own score of that text claims, to 0.1 % and 64 bytes. Writes proof.json and proof.bin beside the artifact.
    """
    from toolkit.cli.display import Display
    from toolkit.probe.prove import prove, prove_again
    from toolkit.run.processes import interrupt_on_termination

    with interrupt_on_termination(), Display() as display:

        def show(action: str) -> None:
            display.show("prove", action, {"encode": 0.0, "score": 0.4, "decode": 0.6}[action])

        if again:
            proof = prove_again(build, seed, data_root, show)
        else:
            proof = prove(build, num_bytes, seed, stage, data_root, show)
    if as_json:
        click.echo(json.dumps(proof, indent=2))
        return
    click.echo(
        f"{proof['stage']}: {proof['text_bytes']:,} bytes of text ({proof['targets']:,} targets) in "
        f"{proof['code_bytes']:,} bytes of code: {proof['code_val_bpb']:.4f} bits per byte, "
        f"claimed {proof['claimed_val_bpb']:.4f}; decoded equal"
    )
    click.echo(
        f"sandbox: {proof['sandbox']}; seconds: {', '.join(f'{k} {v:.0f}' for k, v in proof['seconds'].items())}"
    )
