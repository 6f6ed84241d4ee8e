"""CODE-LOG-MISMATCH: do logs, claims and files belong to one program? Hashes decide, sizes and numbers are compared.

Published folders disagree with themselves by honest slips, typed by hand, so there a wrong number is a warning. Where
logs name the hash of their script, numbers were copied by a program, and a wrong one is a violation like a wrong hash.
"""

import re
from collections import Counter
from collections.abc import Iterator
from statistics import fmean

from toolkit.check.rulebook.finding import Finding
from toolkit.check.rulebook.ruleset import Rule
from toolkit.check.subject.claims import Claims, finite
from toolkit.check.subject.seed_runs import SeedRun
from toolkit.check.subject.statements import folder_scores, readme_scores
from toolkit.check.subject.subject import Subject
from toolkit.folders import ARTIFACT_NAME, BUNDLE_NAME, READABLE_NAME, README_NAME, SCRIPT_NAME
from toolkit.run.runlog import RunLog, is_diagnostic, stage_rank

_OF_A_RUN = re.compile(r"seed|path|dir|file|run|rank|host|port|time|date|name|sha256|version|url|git")
_SECONDS_ROUNDING = 0.6
_FEWEST_DECIMALS = 4  # of a claimed score; trailing zeros are lost in JSON


def code_log_mismatch(subject: Subject, rule: Rule) -> Iterator[Finding]:
    """The script against bundle.json and logs, totals against their parts, claims against logs."""
    for name, problem in subject.problems.items():
        yield rule.unknown(name, "a file that can be read", problem)
    if subject.bundle:
        yield from _bundle(subject, rule)
    for run in subject.reported:
        yield _script_of_log(subject, rule, run.trained)
        if run.scored is not run.trained and run.scored.ours:
            yield _script_of_log(subject, rule, run.scored)
        if finding := _total_of_log(subject, rule, run.trained):
            yield finding
        in_name = run.seed_in_filename
        if in_name is not None and run.seed is not None and in_name != run.seed:
            fact = run.trained.facts["seed"]
            expected, where = f"seed {in_name} as in the name of the log", subject.where(run.trained, fact.line)
            yield rule.finding(_slip(subject, rule), where, expected, f"seed {run.seed}", fact.text)
    yield from _runs(subject, rule)
    if subject.claims and subject.reported:
        yield from _claims(subject, rule, subject.claims)
    elif subject.kind == "record" and not subject.reported:
        yield rule.unknown(".", "a log to hold claims and script against", "no log")


def _bundle(subject: Subject, rule: Rule) -> Iterator[Finding]:
    hashes = subject.bundle.get("sha256")
    for name, file in ((SCRIPT_NAME, subject.script), (READABLE_NAME, subject.readable)):
        expected = hashes.get(name) if isinstance(hashes, dict) else None
        if expected is None or file is None:
            yield rule.unknown(name, f"a file, and its SHA-256 in {BUNDLE_NAME}", "no file" if expected else "no hash")
            continue
        yield rule.judge(file.sha256 == expected, name, f"SHA-256 {expected} ({BUNDLE_NAME})", f"SHA-256 {file.sha256}")
    code_bytes = subject.bundle.get("code_bytes")
    if subject.script and code_bytes is not None:
        found = f"{len(subject.script.data)} bytes"
        yield rule.judge(len(subject.script.data) == code_bytes, BUNDLE_NAME, f"code_bytes {code_bytes}", found)


def _script_of_log(subject: Subject, rule: Rule, log: RunLog) -> Finding:
    """By the hash that heads our logs, else by the size of the script, where another size is a warning."""
    script = subject.script
    if script is None:
        return rule.unknown(subject.where(log), "the script that wrote this log", "no script")
    # A log names the hash twice: among the hyper-parameters and ahead of its evaluation.
    hashes = [fact for fact in (log.settings.get("bundle_sha256"), log.facts.get("bundle_sha256")) if fact]
    if hashes:
        named = next((fact for fact in hashes if fact.value != script.sha256), hashes[0])
        where, expected = subject.where(log, named.line), f"SHA-256 {script.sha256} of {script.name}"
        return rule.judge(named.value == script.sha256, where, expected, f"SHA-256 {named.value}", named.text)
    size = log.facts.get("script_bytes") or log.facts.get("code_bytes")
    if size is None:
        return rule.unknown(subject.where(log), f"SHA-256 or size of {script.name} in the log", "neither")
    same = size.value == len(script.data)
    where, expected = subject.where(log, size.line), f"code of {len(script.data):,} bytes as {script.name}"
    return rule.finding("PASS" if same else "WARN", where, expected, f"{size.value:,} bytes", size.text)


def _total_of_log(subject: Subject, rule: Rule, log: RunLog) -> Finding | None:
    numbers = [log.source(name) for name in ("code_bytes", "model_bytes", "artifact_bytes")]
    if None in numbers:
        return None
    code, model, total = (fact for fact in numbers if fact)
    sizes = f"code {code.value:,} + model {model.value:,} = {code.value + model.value:,} bytes"
    where = subject.where(log, total.line)
    if subject.model_bytes not in (None, model.value):
        expected = f"{ARTIFACT_NAME} of {model.value:,} bytes as logged"
        return rule.judge(False, where, expected, f"{subject.model_bytes:,} bytes", model.text)
    same = code.value + model.value == total.value
    outcome = "PASS" if same else _slip(subject, rule)
    return rule.finding(outcome, where, sizes, f"total {total.value:,} bytes", total.text)


def _runs(subject: Subject, rule: Rule) -> Iterator[Finding]:
    """What a reader of the logs would stumble over; none of it is a violation by itself."""
    counts = Counter(subject.where(log) for log in subject.runs)
    for name, count in counts.items():
        if count > 1:
            yield rule.finding("WARN", f"{name} runs", "a log of one run", f"{count} runs")
    for run in subject.reported:
        headline, own = run.scored.headline, run.trained.headline
        if headline and run.scored is not run.trained and own:
            where, found = subject.where(run.trained, own.line), f"{headline.val_bpb} from {subject.where(run.scored)}"
            yield rule.finding("WARN", where, "the score of the run itself", found, own.text)
        later = [score for score in run.scored.scores if headline and score.line > headline.line]
        worse = [score for score in later if stage_rank(score.key) > stage_rank(headline.key if headline else "")]
        if headline and worse and not is_diagnostic(worse[-1].key):
            where, expected = (
                subject.where(run.scored, worse[-1].line),
                f"the last stage, {worse[-1].key}, as the score",
            )
            yield rule.finding("WARN", where, expected, f"{headline.key} {headline.val_bpb}", worse[-1].text)
    for run in subject.extra:
        if run.trained.trained and not run.trained.scores:
            yield rule.finding("WARN", f"{subject.where(run.trained)} end", "a final score", "a run that was cut off")
    yield from _configurations(subject, rule)


def _configurations(subject: Subject, rule: Rule) -> Iterator[Finding]:
    """Settings that differ between the reported seeds, which are to be one configuration (#2124)."""
    settings = [run.trained.settings for run in subject.reported]
    shared = set.intersection(*map(set, settings)) if settings else set()
    for name in sorted(shared):
        values = dict.fromkeys(setting[name].value for setting in settings)
        if len(values) > 1 and not _OF_A_RUN.search(name):
            where = subject.where(subject.reported[0].trained, settings[0][name].line)
            found = f"{name}: {', '.join(values)}"
            yield rule.finding("WARN", where, "one configuration for all seeds", found, settings[0][name].text)


def _claims(subject: Subject, rule: Rule, claims: Claims) -> Iterator[Finding]:
    claimed_hash = claims.fields.get("bundle_sha256")
    if claimed_hash is not None and subject.script:
        where = f"{claims.where} bundle_sha256"
        yield rule.judge(claimed_hash == subject.script.sha256, where, subject.script.sha256, str(claimed_hash))
    slips = list(_slips(subject, claims))
    for where, expected, found in slips:
        yield rule.finding(_slip(subject, rule), f"{claims.where} {where}", expected, found)
    if not slips:
        yield rule.finding("PASS", claims.where, "every number in the logs", "all agree")


def _slips(subject: Subject, claims: Claims) -> Iterator[tuple[str, str, str]]:
    """Place, expectation and claim of every claimed number that the logs do not bear out."""
    claimed = {seed: run for run in subject.reported if (seed := run.claimed_as(claims)) is not None}
    runs = list(claimed.values()) or list(subject.reported)
    for name, claim in (("val_bpb", claims.val_bpb), ("val_loss", claims.val_loss)):
        values = [value for run in runs if (value := finite(getattr(run.scored, name))) is not None]
        if claim is not None and values and not _close(claim, fmean(values)):
            one_of_them = any(_close(claim, value) for value in values)
            found = f"{claim}, one of them" if one_of_them else f"{claim}"
            yield name, f"{fmean(values):.8f}, mean of {len(values)} seed(s)", found
    totals = [run.trained.artifact_bytes for run in runs if run.trained.artifact_bytes is not None]
    if claims.bytes_total is not None and totals and claims.bytes_total != max(totals):
        yield "bytes_total", f"{max(totals):,}, the largest", f"{claims.bytes_total:,.0f}"
    code = {run.trained.number("code_bytes", "script_bytes") for run in runs} - {None}
    if subject.script:
        code.add(len(subject.script.data))
    claimed_code = claims.number("bytes_code", "code_bytes")
    if claimed_code is not None and code and claimed_code not in code:
        yield "bytes_code", " or ".join(f"{size:,}" for size in sorted(code)), f"{claimed_code:,.0f}"
    for seed, run in claimed.items():
        yield from _seed_slips(seed, run, claims.seeds[seed])
    scores = [*(run.val_bpb for run in (entry.scored for entry in subject.reported)), claims.val_bpb]
    means = [value for run in runs if (value := finite(run.scored.val_bpb)) is not None]
    known = [score for score in (*scores, fmean(means) if means else None) if score is not None]
    for said, place in ((folder_scores(subject), "folder name"), (readme_scores(subject), README_NAME)):
        said = [statement for statement in said if known and statement.value > min(known) / 2]  # gains are no scores
        if said and not any(_close(statement.value, score) for statement in said for score in known):
            yield f"against {place}", f"{known[-1]:.6f} or another score of the logs", f"{said[0].value}"
    aside = [run for run in subject.extra if run.trained.trained and run.seed is not None]
    unclaimed = list(dict.fromkeys(r.seed for r in (*subject.reported, *aside) if r.claimed_as(claims) is None))
    if claims.seeds and unclaimed:
        yield "seeds", f"every seed with a log, {unclaimed} included", f"{sorted(claims.seeds)}"


def _seed_slips(seed: int, run: SeedRun, claimed: dict[str, float]) -> Iterator[tuple[str, str, str]]:
    measures = run.measures()
    for name, claim in claimed.items():
        logged = measures[name]
        if logged is None:
            continue
        if name.endswith("_seconds"):
            # Authors claim the clock at the stop or with calibration, the last pass or the whole evaluation.
            narrow = run.trained.stop_seconds if name == "train_seconds" else run.scored.headline_seconds
            decimals = len(repr(claim).partition(".")[2])
            rounding = min(_SECONDS_ROUNDING, 1.001 * 10.0**-decimals)
            same = any(value is not None and abs(claim - value) <= rounding for value in (logged, narrow))
        else:
            same = _close(claim, logged) if name.startswith("val_") else claim == logged
        if not same:
            yield f"seed {seed} {name}", f"{logged} as logged", f"{claim:g}" if name == "steps" else f"{claim}"


def _close(claim: float, value: float) -> bool:
    """True when the claim is the value as rounded or cut to the claim's decimals."""
    decimals = max(_FEWEST_DECIMALS, len(repr(claim).partition(".")[2]))
    return abs(claim - value) <= 1.001 * 10.0**-decimals


def _slip(subject: Subject, rule: Rule) -> str:
    return rule.violation if subject.ours else "WARN"
