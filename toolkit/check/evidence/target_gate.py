"""TARGET-GATE: the `ppm_seed` stage with a gate that has seen the byte, and gates that others' logs count."""

from collections.abc import Iterator

from toolkit.check.evidence.ppm_seed_stage import STAGE, judge_use, ppm_seed_uses
from toolkit.check.rulebook.finding import Finding
from toolkit.check.rulebook.ruleset import Rule
from toolkit.check.subject.subject import Subject

_CONTEXT_GATES = ("strict", "documented")


def target_gate(subject: Subject, rule: Rule) -> Iterator[Finding]:
    """Places that use the stage with a gate that has seen the byte; the other gates read the context alone."""
    gate = _gate(subject)
    for use in ppm_seed_uses(subject):
        found = f"{use.found}, gate {gate!r}" if use.uses else use.found
        broken = use.uses and gate not in _CONTEXT_GATES
        yield judge_use(rule, use, broken, "no weight that depends on the byte it helps to score", found)
    yield from _logged_gates(subject, rule)


def _logged_gates(subject: Subject, rule: Rule) -> Iterator[Finding]:
    """Hints that a log counts by whether the token continues or starts a word, which only the token itself tells.

    The same script with these gates shut is legal (#1514, #2135), and its counters are zero.
    """
    for run in subject.reported:
        counters = [run.scored.facts[name] for name in ("within_gate", "word_gate") if name in run.scored.facts]
        if counters:
            where, found = subject.where(run.scored, counters[0].line), " and ".join(f"{c.value:,}" for c in counters)
            opened = any(counter.value for counter in counters)
            expected = "no hint that is gated by the kind of the realised token"
            yield rule.judge(
                not opened, where, expected, f"{found} hints within and at the start of words", counters[0].text
            )


def _gate(subject: Subject) -> str:
    """The gate that recipe and logs name, the worst where they differ; the stage's default when nobody names one."""
    section = subject.recipe.get(STAGE)
    gates = [section.get("gate")] if isinstance(section, dict) else []
    logged = (run.scored.settings.get(f"{STAGE}_gate") for run in subject.reported)
    named = [gate for gate in (*gates, *(fact.value for fact in logged if fact)) if isinstance(gate, str)]
    return min(named, key=_CONTEXT_GATES.__contains__, default="v2")
