"""`golf stats`: is a score better, and how many seeds would show it?"""

import json
from typing import Any

import click


@click.command("stats")
@click.argument("new", nargs=-1)
@click.option("--against", "old", multiple=True, help="Scores to beat; may be given several times.")
@click.option("--tokenizer", help="Export that BPB scores belong to, such as sp8192; logs need none.")
@click.option("--seeds-needed", is_flag=True, help="Say how many seeds the gain needs, the observed one by default.")
@click.option("--gain", type=float, help="With --seeds-needed: true gain in nats per token.")
@click.option("--deviation", type=float, help="With --seeds-needed: deviation over seeds in nats per token.")
@click.option(
    "--power",
    "chance",
    type=click.FloatRange(0.01, 0.999),
    default=0.8,
    show_default=True,
    help="With --seeds-needed: chance that the gain, if it is real, shows.",
)
@click.option("--json", "as_json", is_flag=True, help="Print an object instead of lines.")
def command(
    new: tuple[str, ...],
    old: tuple[str, ...],
    tokenizer: str | None,
    seeds_needed: bool,
    gain: float | None,
    deviation: float | None,
    chance: float,
    as_json: bool,
) -> None:
    """Compare NEW with --against: BPB values 1.0810,1.0812, submission files, logs, folders, or a leaderboard.

    Paired when both sides ran the same seeds, one-sample against a single number, else Welch; deviations over n - 1.
    Without NEW, --seeds-needed needs --gain and --deviation.
    """
    from toolkit.check.statistics.compare import compare_scores, seeds_by_bar, tokenizer_ratio
    from toolkit.check.statistics.read_baseline import read_scores

    comparison = None
    if new or old:
        if not (new and old):
            raise click.UsageError("expected NEW scores and --against OLD ones")
        ratio = tokenizer_ratio(tokenizer) if tokenizer else None
        comparison = compare_scores(read_scores(new), read_scores(old), ratio)
    elif not seeds_needed:
        raise click.UsageError("expected NEW scores and --against OLD ones, or --seeds-needed")
    content = comparison.to_json() if comparison else {}
    if seeds_needed:
        gain = content.get("gain_nats") if gain is None else gain
        deviation = content["new"]["std_val_loss_nats"] if deviation is None and content else deviation
        if gain is None or deviation is None or not deviation >= 0 or not abs(gain) < 100:
            raise click.UsageError("--seeds-needed: expected --gain and --deviation, or at least two NEW scores")
        have, others = (len(comparison.new), len(comparison.old)) if comparison else (0, 1)
        needed = seeds_by_bar(gain, deviation, others, chance)
        bars = [{"bar": n.bar, "seeds": n.seeds, "more": n.seeds and max(0, n.seeds - have)} for n in needed]
        content["seeds_needed"] = {"gain_nats": gain, "deviation_nats": deviation, "power": chance, "bars": bars}
    if as_json:
        click.echo(json.dumps(content, indent=2))
    else:
        _print(content)


def _print(content: dict[str, Any]) -> None:
    from toolkit.check.rulebook.limits import significance_bars

    for name in ("new", "old"):
        if side := content.get(name):
            spread = "" if side["std_val_loss_nats"] is None else f" ± {side['std_val_loss_nats']:.5f}"
            bpb = "" if side["std_val_bpb"] is None else f" ± {side['std_val_bpb']:.5f}"
            line = f"{name}: n = {side['n']}, {side['mean_val_loss_nats']:.5f}{spread} nats per token"
            click.echo(f"{line}, {side['mean_val_bpb']:.5f}{bpb} BPB")
    if "tests" in content:
        click.echo(f"gain: {content['gain_nats']:+.5f} nats per token, {content['gain_bpb']:+.5f} BPB")
        bars = significance_bars()
        readme = f"README ({bars['gain_nats']:g} nats, p < {bars['p_value']:g})"
        for name, title in (("readme", readme), ("frontier", f"frontier (p < {bars['frontier_p_value']:g})")):
            test = content["tests"][name]
            if test is None:
                click.echo(f"{title}: cannot tell; a test needs two new scores")
            else:
                met = "met" if content[f"meets_{name}"] else "not met"
                click.echo(f"{title}: {met}, p = {test['p_value']:.3g} ({test['test']} t-test)")
    if needed := content.get("seeds_needed"):
        assumed = f"gain {needed['gain_nats']:+.5f}, deviation {needed['deviation_nats']:.5f}"
        click.echo(f"seeds needed at {assumed}, power {needed['power']:g}")
        for bar in needed["bars"]:
            if bar["seeds"] is None:
                click.echo(f"{bar['bar']}: out of reach, no number of seeds up to 1000 shows it")
            else:
                click.echo(f"{bar['bar']}: {bar['seeds']} seeds, {bar['more']} more")
