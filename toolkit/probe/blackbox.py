"""Do the totals that any script prints form a code? Its evaluation, run in the sandbox on streams that end differently.

Nothing of the script is known but the lines in which it prints val_loss. Times the number of targets that is the
length T(s) in nats of a code for the stream s, and then, whatever goes on inside: the code of s and one more token
cannot be shorter than that of s, and exp(-T(s, v)) over all tokens v of the vocabulary must add up to exp(-T(s)). The
ratio is Z, the Kraft sum at the end of s. A sum over some of the tokens is a lower bound: above 1 it is a proof.

Precision: a loss that is printed to d decimals for n targets tells T to n * 10^-d / 2, so that streams must be short
and decimals many. 64 targets and 8 decimals leave 6e-7 of Z open, 4 decimals 0.6 %. Where that is more than a verdict
needs, or two equal runs differ, the outcome is UNKNOWN. So it is for a script that does not score the end of a stream,
as those that drop what does not fill a window; a shorter window may be among their settings.

Not covered: other places of the stream than its end, and a script that knows when it is watched.
"""

import math
import re
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from toolkit.check.rulebook.finding import Finding
from toolkit.check.rulebook.ruleset import all_rules
from toolkit.components.text.shards import find_shards, read_tokens
from toolkit.data.shards import write_shard
from toolkit.errors import GolfError
from toolkit.run.sandbox import Limits, Sandbox, find_sandbox

LIMITS = Limits(memory_bytes=6 << 30, seconds=900, processes=256)  # of one run
TOLERANCE = 1e-3  # of Z for a distribution
PROOF = 1e-2  # from so much on Z is none; in between it may be the rounding of a half-precision network
_LOSS = re.compile(r"^(.*?)\bval_loss\s*[:=]\s*(\d+\.(\d+))", re.MULTILINE)
_ENV = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}

Totals = dict[str, "Total"]  # by what stands before val_loss in the line


@dataclass(frozen=True)
class Total:
    """Nats of all targets of a stream, and by how much the printed digits leave them open."""

    nats: float
    error: float


@dataclass(frozen=True)
class BlackBox:
    """A script and how it is run: `command` for the shell, in a folder with the script, `files` and `data`.

    `data` holds one validation shard, fineweb_val_000000.bin. The command must evaluate and not train.
    """

    script: Path
    command: str
    files: tuple[Path, ...]  # artifact, tokenizer and what else it needs
    sandbox: Sandbox

    def totals(self, tokens: np.ndarray) -> Totals:
        """Totals that the script prints for a stream; `GolfError` where it fails or prints none."""
        with tempfile.TemporaryDirectory(prefix="golf-probe-") as folder:
            work = Path(folder)
            (work / "data").mkdir()
            write_shard(work / "data" / "fineweb_val_000000.bin", tokens)
            given = {
                path.resolve(): Path("/given", str(i), path.name) for i, path in enumerate((self.script, *self.files))
            }
            for path in given.values():
                (work / path.name).symlink_to(path)
            outcome = self.sandbox.run(["sh", "-c", self.command], given, work, _ENV, LIMITS)
        totals = {}
        for label, loss, decimals in _LOSS.findall(outcome.stdout):
            targets = len(tokens) - 1
            totals[label.strip()] = Total(float(loss) * targets, targets * 0.5 * 10.0 ** -len(decimals))
        if outcome.stopped or outcome.exit_code or not totals:
            last = (outcome.stderr.strip().splitlines() or ["it printed nothing"])[-1]
            found = f"it was stopped for its {outcome.stopped}" if outcome.stopped else last
            raise GolfError(f"{self.script} on {len(tokens)} tokens: expected a line with val_loss, found: {found}")
        return totals


def run(
    script: Path,
    command: str,
    files: tuple[Path, ...],
    data_path: Path,  # folder of the validation shards that streams are cut from
    vocab_size: int,
    num_tokens: int,  # of the streams
    limit: int,  # tokens of the vocabulary to try at the end, the frequent ones first; 0 for all
    jobs: int,  # runs at a time
    show: Callable[[float], None] = lambda share: None,  # told the share that is done
) -> list[Finding]:
    """C2-NORMALIZED and C1-CAUSAL for every total the script prints. `GolfError` without a sandbox: nothing is run."""
    stream = read_tokens(find_shards(data_path, "val"), vocab_size)
    if not 5 <= num_tokens <= len(stream):
        raise GolfError(f"--tokens: expected 5 to {len(stream)}, found {num_tokens}")
    box = BlackBox(script, command, files, find_sandbox())
    counts = np.bincount(stream, minlength=vocab_size)
    order = np.argsort(-counts, kind="stable")[: limit or None]
    return list(_findings(_measure(box, stream[:num_tokens], order, jobs, show), vocab_size))


@dataclass
class _Measured:
    """What was seen of one total: at prefixes of the stream, and at its end for tokens of the vocabulary."""

    label: str
    command: str
    prefixes: dict[int, Total]  # by number of tokens; the last is all of the stream but its end
    noise: float  # nats by which two equal runs differ
    starts_are_scored: bool  # whether another token at the end of a prefix changes its total
    ends: list[Total]

    @property
    def is_scored(self) -> bool:
        """Whether the end of a stream counts: else its loss is not that of all targets."""
        return self.starts_are_scored and len({end.nats for end in self.ends}) > 1

    @property
    def z(self) -> float:
        return sum(math.exp(self.start.nats - end.nats) for end in self.ends)

    @property
    def is_no_code(self) -> bool:
        """Proven, and by no more than some of the tokens."""
        return self.is_scored and not self.noise and self.z * (1 - self.error) > 1 + PROOF

    @property
    def start(self) -> Total:
        return self.prefixes[max(self.prefixes)]

    @property
    def error(self) -> float:
        """Of a difference of two totals, and so of Z as a share of it."""
        return 2 * self.start.error


def _measure(
    box: BlackBox, stream: np.ndarray, order: np.ndarray, jobs: int, show: Callable[[float], None]
) -> list[_Measured]:
    """Run everything, until one total is proven to be no code's, or none can be told."""
    start = stream[:-1]
    prefixes = [stream[: len(start) * part // 4] for part in (2, 3, 4)]
    changed = [np.append(prefix[:-1], order[order != prefix[-1]][0]) for prefix in prefixes]
    with ThreadPoolExecutor(jobs) as pool:
        try:
            again, *runs = pool.map(box.totals, [start, *prefixes, *changed])
            pairs = list(zip(runs[:3], runs[3:], strict=True))
            measured = [
                _Measured(
                    label,
                    box.command,
                    {len(prefix): totals[label] for prefix, totals in zip(prefixes, runs, strict=False)},
                    abs(runs[2][label].nats - again[label].nats),
                    all(totals[label].nats != other[label].nats for totals, other in pairs),
                    [],
                )
                for label in again
                if all(label in totals for totals in runs)
            ]
            tokens = iter(order)
            done = 0
            while batch := [np.append(start, token) for token in islice(tokens, jobs)]:
                for totals in pool.map(box.totals, batch):
                    measured = [one for one in measured if one.label in totals]
                    for one in measured:
                        one.ends.append(totals[one.label])
                done += len(batch)
                show(done / len(order))
                if not measured:
                    raise GolfError(
                        f"{box.script}: expected lines with val_loss that begin alike in all runs, found none"
                    )
                if any(one.is_no_code for one in measured) or all(one.noise for one in measured):
                    break
        finally:
            pool.shutdown(cancel_futures=True)
    return measured


def _findings(measured: list[_Measured], vocab_size: int) -> Iterator[Finding]:
    rules = {rule.id: rule for rule in all_rules()}
    for one in measured:
        evidence = f"`{one.command}` on streams of {max(one.prefixes) + 1} tokens"
        where = one.label or "val_loss"
        whole = len(one.ends) == vocab_size
        outcome, found = _normalized(one, whole)
        detail = f"{found}; {len(one.ends)} of {vocab_size} tokens at the end, error {one.error:.0e}"
        expected = "a sum of 1 over the vocabulary"
        yield rules["C2-NORMALIZED"].finding(outcome, where, expected, detail, evidence)
        causal, found = _causal(one, outcome)
        expected = "totals that grow with the stream, and a Kraft sum of 1 at its end"
        yield rules["C1-CAUSAL"].finding(causal, where, expected, found, evidence)


def _normalized(one: _Measured, whole: bool) -> tuple[str, str]:
    z = f"Z = {one.z:.6f}" if whole else f"Z >= {one.z:.6f}"
    if one.noise:
        return "UNKNOWN", f"two equal runs differ by {one.noise:.6f} nats"
    if not one.is_scored:
        return "UNKNOWN", "the last token of a stream does not change its total: it is not scored"
    if one.is_no_code:
        return "FAIL", f"{z}: no code has such lengths"
    if not whole:
        return "UNKNOWN", f"{z}: a sum over some tokens bounds it from below alone"
    if one.error > TOLERANCE:
        return "UNKNOWN", f"{z}: the printed digits do not tell it to {TOLERANCE:g}; more decimals or fewer tokens do"
    if abs(one.z - 1) <= TOLERANCE:
        return "PASS", z
    if one.z < 1 - PROOF:
        return "FAIL", f"{z}: no distribution"
    return "UNKNOWN", f"{z}: between {TOLERANCE:g} and {PROOF:g} it may be rounding"


def _causal(one: _Measured, normalized: str) -> tuple[str, str]:
    if one.noise or not one.is_scored:
        return "UNKNOWN", "two equal runs differ" if one.noise else "the end of the stream is not scored"
    lengths = sorted(one.prefixes)
    totals = [one.prefixes[length].nats for length in lengths]
    for shorter, longer, length in zip(totals, totals[1:], lengths[1:], strict=False):
        if longer < shorter - one.error:
            return "FAIL", f"the total falls by {shorter - longer:.6f} nats as the stream grows to {length} tokens"
    lowest = min(end.nats for end in one.ends)
    if lowest < one.start.nats - one.error:
        return "FAIL", f"a token at the end takes {one.start.nats - lowest:.6f} nats off the stream before it"
    if normalized == "PASS":
        return "PASS", "totals grow, and the sum at the end is that of a code"
    return "UNKNOWN", "totals grow; without a sum of 1 they do not tell more"
