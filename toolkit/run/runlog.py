"""Read the log of a run into facts, each with its line: both dialects of the competition, and our own lines.

Dialect A is `key:value` (the baseline script and its descendants), B is `key: value` with a `Hyperparameters:` block.
Half of the published logs embed their whole script, which holds the same words, so a line counts only when its key
stands at column 0 with a literal number behind it, and the last hit of a run wins. One file may hold several runs.

Not covered: progress lines of an evaluation (`running_bpb`, `ttt_chunk`), sizes printed in rounded megabytes only.
"""

import math
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from toolkit.errors import GolfError
from toolkit.run.loglines import (
    FACT_LINES,
    HEAD,
    INT,
    PAIR,
    PAIR_LINES,
    PHASE,
    PROMOTED,
    RUN_START,
    SCORE,
    SECONDS,
    SETTING,
    TEXT_FACTS,
    TIMESTAMP,
    VALIDATION,
)

MAX_LINE_BYTES = 1 << 13  # a longer line is an embedded script; the rest of it is skipped
MAX_RUNS = 64
_MAX_KEPT = 1024  # settings and scores of a run, so that a log of any length fits in memory
_MAX_TEXT = 1000
_TOTAL_ROUNDING_SECONDS = 0.051  # of a total that is printed to a tenth
_STOP = ("stop_ms", "validation_ms", "step_ms")
_READ_FROM = {  # measure -> the facts that tell it, the first that the log has counts
    "seed": ("seed",),
    "steps": ("stop_step", "validation_step", "step"),
    "stop_seconds": _STOP,
    "train_seconds": ("calibrated_ms", *_STOP),
    "artifact_bytes": ("total_bytes",),
    "code_bytes": ("code_bytes",),
    "model_bytes": ("model_bytes",),
}


@dataclass(frozen=True)
class Fact:
    """A value and the line of the log it was read from."""

    value: Any  # int, float or str
    line: int
    text: str


@dataclass(frozen=True)
class Score:
    """One evaluation: mean nats per token, bits per byte, and the seconds it took where the line says so."""

    key: str
    val_loss: float
    val_bpb: float
    seconds: float | None
    line: int
    text: str
    decimals: int  # of val_bpb as printed

    @property
    def stage(self) -> str:
        """The key without the suffix by which dialect A marks a repetition with more decimals."""
        return self.key.removesuffix("_exact")

    @property
    def bytes_per_token(self) -> float | None:
        """Bytes of text a token that the score assumes, val_loss / (ln 2 * val_bpb); None where that is no number."""
        if not (0 < self.val_loss < math.inf and 0 < self.val_bpb < math.inf):
            return None
        return self.val_loss / (math.log(2) * self.val_bpb)


@dataclass(frozen=True)
class Phase:
    """A part of an evaluation that was timed by itself, such as adaptation or the building of a table."""

    name: str
    seconds: float
    line: int
    text: str


@dataclass(frozen=True)
class RunLog:
    """One run. `facts` holds numbers and hashes by name, `settings` the printed hyper-parameters as text."""

    path: Path
    facts: dict[str, Fact]
    settings: dict[str, Fact]
    scores: tuple[Score, ...]  # every evaluation line in order, diagnostics included
    validation: Score | None  # last validation during training
    phases: tuple[Phase, ...] = ()  # by name, the longest time of each

    def number(self, *names: str) -> Any:
        """Value of the first of these facts that the log has, else None."""
        fact = self._first(names)
        return None if fact is None else fact.value

    def _first(self, names: Iterable[str]) -> Fact | None:
        return next((self.facts[name] for name in names if name in self.facts), None)

    def source(self, measure: str) -> Fact | None:
        """The line that a measure (a property below) is read from, with the number as it stands there."""
        if measure in ("val_bpb", "val_loss") and self.headline:
            return Fact(getattr(self.headline, measure), self.headline.line, self.headline.text)
        if measure == "eval_seconds":
            return self._whole_evaluation
        return self._first(_READ_FROM.get(measure, ()))

    @property
    def ours(self) -> bool:
        """Was it written by a script of this toolkit? They alone name their own hash."""
        return self.script_sha256 is not None

    @property
    def script_sha256(self) -> str | None:
        digest: str | None = self.number("bundle_sha256")
        return digest

    @property
    def seed(self) -> int | None:
        return self._count("seed")

    @property
    def headline(self) -> Score | None:
        """The score a submission reports: its highest stage, or the last line where the script is one of ours.

        The order is adaptation over sliding window over round trip over the last validation; the line with the most
        decimals represents its stage. An adaptation that came out worse than what it started from failed.
        """
        final = [score for score in self.scores if not is_diagnostic(score.key)]
        if not final:
            return self.validation
        if self.ours:
            return final[-1]
        best = max(final, key=_precedence)
        if stage_rank(best.key) == 3:
            plain = [score for score in final if stage_rank(score.key) < 3]
            start = max(plain, key=_precedence, default=best)
            return best if best.val_bpb <= start.val_bpb else start
        return best

    @property
    def val_bpb(self) -> float | None:
        return self.headline.val_bpb if self.headline else None

    @property
    def val_loss(self) -> float | None:
        """Mean nats per token."""
        return self.headline.val_loss if self.headline else None

    @property
    def headline_seconds(self) -> float | None:
        """Seconds of the pass that gave the headline, as its line says or the rounded copy of it."""
        return None if self._headline_pass is None else self._headline_pass.value

    @property
    def eval_seconds(self) -> float | None:
        """Seconds of the whole evaluation: the total where the log prints one, else those of the headline's pass.

        A total that the headline's own seconds reach is that pass once more, rounded to a tenth, and the pass counts.
        """
        return None if self._whole_evaluation is None else self._whole_evaluation.value

    @property
    def _headline_pass(self) -> Fact | None:
        headline = self.headline
        if headline is None:
            return None
        timed = [score for score in self.scores if score.stage == headline.stage and score.seconds]
        return Fact(timed[-1].seconds, timed[-1].line, timed[-1].text) if timed else self._first(["adaptation_seconds"])

    @property
    def _whole_evaluation(self) -> Fact | None:
        own, total = self._headline_pass, self._first(["total_eval_seconds"])
        if own and total and total.value <= own.value + _TOTAL_ROUNDING_SECONDS:
            return own
        return total or own

    @property
    def train_seconds(self) -> float | None:
        """Seconds of training: with the calibration of the quantizer where the log counts it in, else at the stop.

        What tables, records and reports give as the time of training.
        """
        return self._seconds(_READ_FROM["train_seconds"])

    @property
    def stop_seconds(self) -> float | None:
        """Training clock where the steps ended: as the stop says, else the last validation, else the last step."""
        return self._seconds(_READ_FROM["stop_seconds"])

    @property
    def clock_includes_calibration(self) -> bool:
        """Our scripts stop the clock after it; published ones stop it before, and tell its seconds apart."""
        return "calibrated_ms" in self.facts

    @property
    def clock(self) -> Fact | None:
        """The largest reading of the training clock on any line, in milliseconds: what the limit is held against."""
        readings = [self.facts[name] for name in _READ_FROM["train_seconds"] if name in self.facts]
        return max(readings, key=lambda fact: fact.value, default=None)

    def _count(self, measure: str) -> int | None:
        count: int | None = self.number(*_READ_FROM[measure])
        return count

    def _seconds(self, names: Iterable[str]) -> float | None:
        milliseconds = self.number(*names)
        return None if milliseconds is None else milliseconds / 1000

    @property
    def steps(self) -> int | None:
        return self._count("steps")

    @property
    def artifact_bytes(self) -> int | None:
        """Code and compressed model together, as the log counts them."""
        return self._count("artifact_bytes")

    @property
    def code_bytes(self) -> int | None:
        """Code as the log counts it, packed or not."""
        return self._count("code_bytes")

    @property
    def model_bytes(self) -> int | None:
        """The compressed model."""
        return self._count("model_bytes")

    @property
    def trained(self) -> bool:
        """False for a run that only evaluates an existing artifact."""
        return self.steps is not None or self.train_seconds is not None


def read_runs(path: Path, stream: BinaryIO | None = None) -> list[RunLog]:
    """All runs of a log in order; an empty list for a text without any. `GolfError` when empty or not text.

    With a `stream` the lines come from there, and `path` is but their name. A log of any length is read in one go.
    """
    if stream is None:
        with path.open("rb") as file:
            return read_runs(path, file)
    runs: list[RunLog] = []
    reader = _Reader(path)
    blank = True
    for number, line in _lines(path, stream):
        blank = blank and not line.strip()
        if RUN_START.match(line) and reader.has_progress:
            if len(runs) == MAX_RUNS:
                raise GolfError(f"{path}: expected at most {MAX_RUNS} runs in a log, found more")
            runs.append(reader.finish())
            reader = _Reader(path)
        reader.read(number, line)
    if blank:
        raise GolfError(f"{path}: expected the log of a run, found an empty file; run the training again")
    if reader.facts or reader.has_progress:
        runs.append(reader.finish())
    return runs


def is_diagnostic(key: str) -> bool:
    """Scores that never are the submission's: the float model, and what the script itself calls a diagnostic."""
    return bool(re.search(r"diagnostic|post[_-]ema|pre-?quant", key, re.IGNORECASE))


def stage_rank(key: str) -> int:
    """1 for a quantized round trip, 2 for a sliding window, 3 for what adapts or mixes while it scores."""
    if re.search(r"ttt|slot|ppm|ngram|cache|mix", key, re.IGNORECASE):
        return 3
    return 2 if "sliding" in key else 1


def _precedence(score: Score) -> tuple[int, int, int]:
    return stage_rank(score.key), score.decimals, score.line


class _Reader:
    """Collects the facts of one run line by line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.facts: dict[str, Fact] = {}
        self.settings: dict[str, Fact] = {}
        self.scores: deque[Score] = deque(maxlen=_MAX_KEPT)
        self.validation: Score | None = None
        self.phases: dict[str, Phase] = {}

    @property
    def has_progress(self) -> bool:
        return bool(self.scores or self.validation or self.facts.keys() & {"step", "stop_ms", "total_bytes"})

    def read(self, number: int, line: str) -> None:
        """Take the facts of one line. Settings count until the first sign of progress."""
        if line.startswith("  "):
            setting = SETTING.match(line)
            if setting and not self.has_progress:
                self._set(setting[1], setting[2], number, line)
            return
        head = HEAD.match(line)
        if head is None:
            return
        word = "digit" if head[0].isdigit() else head[0]
        if " val_loss" in line and "val_bpb" in line:
            self._read_score(number, line)
        elif word in FACT_LINES and (match := FACT_LINES[word].match(line)):
            self._keep(match, number, line)
        elif match := PHASE.match(line):
            self._keep_phase(match, number, line)
        if word in PAIR_LINES and not self.has_progress:
            for key, value in PAIR.findall(line):
                self._set(key, value, number, line)

    def finish(self) -> RunLog:
        for name in PROMOTED:
            if name in self.settings and name not in self.facts:
                setting = self.settings[name]
                value = int(setting.value) if re.fullmatch(INT, setting.value) else setting.value
                self.facts[name] = Fact(value, setting.line, setting.text)
        phases = tuple(self.phases.values())
        return RunLog(self.path, self.facts, self.settings, tuple(self.scores), self.validation, phases)

    def _set(self, key: str, value: str, number: int, line: str) -> None:
        if len(self.settings) < _MAX_KEPT:
            self.settings[key] = Fact(value[:_MAX_TEXT], number, line[:_MAX_TEXT])

    def _keep(self, match: re.Match[str], number: int, line: str) -> None:
        found = {name: text for name, text in match.groupdict().items() if text is not None}
        if "total_bytes" in found and "codec" not in found and line.startswith("Total"):
            # Without a codec the first total is the raw checkpoint; a second one is the artifact.
            if "raw_total_bytes" not in self.facts:
                found = {"raw_total_bytes": found["total_bytes"]}
            elif self.facts.get("total_bytes", Fact(0, 0, "")).text.startswith("Total submission size "):
                return
        if found.pop("kind", None) == "uncompressed":
            found = {"script_bytes": found["code_bytes"]}
        if "step_minutes" in found:
            found["step_ms"] = str(60_000 * float(found.pop("step_minutes")))
        found.pop("codec", None)
        for name, text in found.items():
            value: Any = text[:_MAX_TEXT]
            if name not in TEXT_FACTS:
                value = float(text) if "." in text else int(text.replace(",", ""))
            self.facts[name] = Fact(value, number, line[:_MAX_TEXT])

    def _keep_phase(self, match: re.Match[str], number: int, line: str) -> None:
        phase = Phase(match[1][:_MAX_TEXT], _seconds(match[2], match[3]), number, line[:_MAX_TEXT])
        known = self.phases.get(phase.name)
        if len(self.phases) < _MAX_KEPT and (known is None or phase.seconds >= known.seconds):
            self.phases[phase.name] = phase

    def _read_score(self, number: int, line: str) -> None:
        if match := VALIDATION.match(line):
            step, iterations, loss, bpb, milliseconds = match.groups()
            self.validation = _score("step_val", loss, bpb, None, number, line)
            self.facts["validation_step"] = Fact(int(step), number, line)
            self.facts["iterations"] = Fact(int(iterations), number, line)
            if milliseconds:
                self.facts["validation_ms"] = Fact(int(milliseconds), number, line)
        elif match := SCORE.match(line):
            key, loss, bpb, rest = match.groups()
            time = SECONDS.search(rest)
            seconds = _seconds(time[1], time[2]) if time else None
            self.scores.append(_score(key, loss, bpb, seconds, number, line))


def _seconds(number: str, unit: str) -> float:
    return float(number) / (1000 if unit == "ms" else 1)


def _score(key: str, loss: str, bpb: str, seconds: float | None, number: int, line: str) -> Score:
    return Score(
        key[:_MAX_TEXT], float(loss), float(bpb), seconds, number, line[:_MAX_TEXT], len(bpb.partition(".")[2])
    )


def _lines(path: Path, stream: BinaryIO) -> Iterator[tuple[int, str]]:
    """Numbered lines without a leading timestamp, one at a time; the tail of an endless line is dropped."""
    number = 1
    while piece := stream.readline(MAX_LINE_BYTES):
        rest = piece
        while rest and not rest.endswith(b"\n"):
            rest = stream.readline(MAX_LINE_BYTES)
        text = piece.decode("utf-8", errors="replace").rstrip("\r\n")
        if "\0" in text or text.count("\ufffd") * 4 > len(text):
            raise GolfError(f"{path}:{number}: expected the text of a log, found binary data")
        stamp = TIMESTAMP.match(text)
        yield number, text[stamp.end() :] if stamp else text
        number += 1
