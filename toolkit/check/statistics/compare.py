"""Two sets of scores against each other: the README's bar, the leaderboard's practice, in nats and in BPB."""

import math
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from toolkit.check.rulebook.limits import significance_bars
from toolkit.check.rulebook.ruleset import load_exports
from toolkit.check.statistics.power import SeedsNeeded, seeds_needed
from toolkit.check.statistics.t_tests import TTest, compare
from toolkit.check.subject.baseline import Baseline
from toolkit.errors import GolfError


@dataclass(frozen=True)
class Comparison:
    """Losses in nats per token at `bytes_per_token`, with sample deviations; tests where they are possible."""

    new: tuple[float, ...]
    old: tuple[float, ...]
    bytes_per_token: float
    readme: TTest | None
    frontier: TTest | None
    meets_readme: bool
    meets_frontier: bool

    @property
    def gain_nats(self) -> float:
        return fmean(self.old) - fmean(self.new)

    def bpb(self, nats: float) -> float:
        """Nats per token as bits per byte."""
        return nats / (math.log(2) * self.bytes_per_token)

    def to_json(self) -> dict[str, Any]:
        """Names carry their unit."""
        sides = {}
        for name, values in (("new", self.new), ("old", self.old)):
            deviation = stdev(values) if len(values) > 1 else None
            sides[name] = {
                "n": len(values),
                "mean_val_loss_nats": fmean(values),
                "std_val_loss_nats": deviation,
                "mean_val_bpb": self.bpb(fmean(values)),
                "std_val_bpb": None if deviation is None else self.bpb(deviation),
            }
        tests = {
            name: None if test is None else {"test": test.name, "t": _finite(test.statistic), "p_value": test.p_value}
            for name, test in (("readme", self.readme), ("frontier", self.frontier))
        }
        return sides | {
            "bytes_per_token": self.bytes_per_token,
            "gain_nats": self.gain_nats,
            "gain_bpb": self.bpb(self.gain_nats),
            "tests": tests,
            "meets_readme": self.meets_readme,
            "meets_frontier": self.meets_frontier,
        }


def tokenizer_ratio(name: str) -> float:
    """Bytes per token of a known export; `GolfError` names them."""
    ratios = {export.name: export.bytes / export.tokens for export in load_exports()}
    if name not in ratios:
        raise GolfError(f"--tokenizer: expected one of {', '.join(ratios)}, found {name!r}")
    return ratios[name]


def compare_scores(new: Baseline, old: Baseline, ratio: float | None = None) -> Comparison:
    """Both sides at the bytes per token of the new one, so that scores of two tokenizers compare over the same text."""
    ratio = ratio or new.bytes_per_token
    if ratio is None:
        raise GolfError("stats: expected logs, or --tokenizer for scores in BPB alone; found neither")
    scale = math.log(2) * ratio
    ours, theirs = tuple(bpb * scale for bpb in new.val_bpb), tuple(bpb * scale for bpb in old.val_bpb)
    bar = significance_bars()
    readme = compare(ours, theirs, bar["gain_nats"], new.seeds, old.seeds)
    frontier = compare(ours, theirs, 0.0, new.seeds, old.seeds)
    meets_readme = readme is not None and readme.gain >= bar["gain_nats"] and readme.p_value < bar["p_value"]
    meets_frontier = frontier is not None and frontier.gain > 0 and frontier.p_value < bar["frontier_p_value"]
    return Comparison(ours, theirs, ratio, readme, frontier, meets_readme, meets_frontier)


def seeds_by_bar(gain: float, deviation: float, old_seeds: int, chance: float) -> list[SeedsNeeded]:
    """Seeds that a true gain, in nats, needs to meet the README's bar and the frontier's with this chance."""
    limits = significance_bars()
    bars = (("README", limits["gain_nats"], limits["p_value"]), ("frontier", 0.0, limits["frontier_p_value"]))
    return [SeedsNeeded(name, seeds_needed(gain, deviation, old_seeds, m, p, chance)) for name, m, p in bars]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
