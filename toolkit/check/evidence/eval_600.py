"""EVAL-600: seconds of evaluation, 600 on 8xH100."""

from collections.abc import Iterator
from dataclasses import replace

from toolkit.check.evidence.clock_limit import judge_seconds, limit_text
from toolkit.check.evidence.evaluation_time import evaluation_time
from toolkit.check.rulebook.finding import Finding
from toolkit.check.rulebook.ruleset import Rule
from toolkit.check.subject.subject import Subject


def eval_600(subject: Subject, rule: Rule) -> Iterator[Finding]:
    """What counts of the evaluation, and beside it the sum with compilation and other passes, which fails nobody."""
    if not subject.reported:
        yield rule.unknown(".", limit_text(rule), "no log with an evaluation time")
    for run in subject.reported:
        log = run.scored
        for name, setting in log.settings.items():
            if "precompute_outside" in name.lower() and setting.value.lower() not in ("0", "false"):
                where = subject.where(log, setting.line)
                yield rule.finding("WARN", where, "all of it inside the clock", f"{name}={setting.value}", setting.text)
        time = evaluation_time(log)
        if time is None:
            yield rule.unknown(subject.where(log), limit_text(rule), "no line with an evaluation time")
            continue
        zero = [
            score for score in log.scores if log.headline and score.stage == log.headline.stage and score.seconds == 0
        ]
        if zero:
            where = f"{subject.where(log, zero[-1].line)} eval_time"
            yield rule.finding("WARN", where, "the seconds of this score", "0", zero[-1].text)
        more = f", which are {' and '.join(time.parts)}" if len(time.parts) > 1 else ""
        if time.wide_seconds > time.seconds:
            more += f"; {time.wide_seconds:.1f} s with compilation and other passes, which do not count"
        finding = judge_seconds(subject, rule, log, time.seconds, subject.where(log, time.line), time.text)
        yield replace(finding, found=finding.found + more)
