"""`golf explain`: the page of a rule, from the data that the checker reads."""

import textwrap

import click

from toolkit.errors import GolfError, did_you_mean


@click.command("explain")
@click.argument("rule_id", metavar="RULE", required=False)
def command(rule_id: str | None) -> None:
    """Print what RULE asks for, why, an example, the remedy and its references; without RULE, list all rules."""
    from toolkit.check.rulebook.ruleset import all_rules, known_tracks, load_rules

    pages = {rule.id: rule for rule in all_rules()}
    if rule_id is None:
        for rule in pages.values():
            click.echo(f"{rule.id:24} {rule.status:10} {rule.tier:18} {rule.title}")
        return
    if rule_id.upper() not in pages:
        hint = did_you_mean(rule_id.upper(), pages) or "; `golf explain` lists them"
        raise GolfError(f"RULE: expected the id of a rule, found {rule_id!r}{hint}")
    rule = pages[rule_id.upper()]
    click.echo(f"{rule.id}: {rule.title}\nstatus: {rule.status}, decided by: {rule.tier}")
    headings = (("What", rule.what), ("Why", rule.why), ("Example", rule.example), ("Remedy", rule.remedy))
    for heading, text in headings:
        click.echo(f"\n{heading}\n{textwrap.indent(textwrap.fill(text, 96), '  ')}")
    click.echo("\nTracks")
    for track in known_tracks():
        ruled = next(other for other in load_rules(track) if other.id == rule.id)
        outcome = f"does not apply ({ruled.waived})" if ruled.waived else f"a violation is {ruled.violation}"
        click.echo(f"  {track}: {outcome}")
    click.echo(f"\nReferences\n  {', '.join(rule.references)}")
