"""What the probes of one recipe share: its miniature, the streams to score, how a reader repeats them, and progress."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from toolkit.check.rulebook.finding import Finding
from toolkit.check.rulebook.ruleset import find_rule
from toolkit.components.text.byte_tables import token_strings
from toolkit.probe.evaluation import label_stages
from toolkit.probe.steps.step import Predictor, stage_predictor
from toolkit.probe.tiny import ProgramEvaluation, Tiny
from toolkit.run.progress import stage_title

WINDOWS = 4  # windows of seq_len targets in a probed stream: enough for stages to learn and windows to overlap


@dataclass(frozen=True)
class Scene:
    """A miniature under its probes. `command` repeats them; `show` is told the share of a probe that is done."""

    tiny: Tiny
    command: str = "golf probe"
    show: Callable[[float], None] = lambda share: None
    positions: int | None = None  # places that a probe samples; None for its own number

    @property
    def evaluate(self) -> ProgramEvaluation:
        return self.tiny.evaluate

    @property
    def vocab_size(self) -> int:
        return self.tiny.cfg.model.vocab_size

    @property
    def length(self) -> int:
        """Tokens of a probed stream."""
        return WINDOWS * self.tiny.cfg.train.seq_len + 1

    @cached_property
    def text(self) -> Tensor:
        """Validation text with the beginning of a document in its middle, int64[length]."""
        tokens = self.tiny.validation().astype(np.int64)
        bos = self.evaluate.tokenizer.bos_id()
        middle = int(np.flatnonzero(tokens == bos)[1])
        start = max(0, middle - self.length // 2)
        return torch.from_numpy(tokens[start : start + self.length])

    @cached_property
    def unique(self) -> tuple[Tensor, Tensor]:
        """A stream int64[length] in which no token comes twice, and the tokens that it leaves over; none of them 0."""
        order = np.random.default_rng(0).permutation(np.arange(1, self.vocab_size))
        return torch.from_numpy(order[: self.length]), torch.from_numpy(order[self.length :])

    @property
    def stages(self) -> dict[str, str]:
        """Names of the recipe's stages by the labels that the script reports them under."""
        return label_stages(self.tiny.cfg, self.tiny.trained.scores)

    def predictor(self, label: str) -> Predictor:
        """The form of one token at a time of a stage, at the start of `text`; `LookupError` for a stage without."""
        if self.tiny.is_edited:
            raise LookupError("no form of one token at a time is that of edited components")
        strings = token_strings(self.evaluate.tokenizer)
        first_token, num_targets = int(self.text[0]), self.length - 1
        return stage_predictor(
            self.tiny.cfg, self.stages[label], self.evaluate.model, strings, first_token, num_targets
        )

    def targets(self, count: int) -> list[int]:
        """Targets spread over a probed stream, its first and its last among them; one alone is the last."""
        return np.linspace(self.length - 2, 0, count).astype(int)[::-1].tolist()

    def finding(
        self, probe: str, rule_id: str, outcome: str, expected: str, found: str, stage: str = "", detail: str = ""
    ) -> Finding:
        """A finding with the rulebook's references, whose evidence names the command."""
        rule = find_rule(rule_id)
        where = f"{probe} probe" + (f", {stage_title(stage)}" if stage else "")
        evidence = f"`{self.command} {probe}`" + (f": {detail}" if detail else "")
        return rule.finding(outcome, where, expected, found, evidence)
