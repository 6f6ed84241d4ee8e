"""For every rule that is decided on the script: the least that violates it, and what looks like it and is legal.

The cases of `test_static_rules.py` go further; this table is what makes a new rule without both kinds fail.
"""

from typing import NamedTuple

import pytest

from tests.support.scripts import (
    ADAPT,
    BLEND,
    CALIBRATE,
    GATE,
    HINT,
    NGRAM,
    NGRAM_SETUP,
    PAID,
    SCORE,
    SCORE_FIRST,
    SLOT,
    SPREAD,
    TAKE_SCORE,
    TAKE_STEPS,
    scoring,
    script,
)
from toolkit.check.rulebook.ruleset import all_rules
from toolkit.check.static.analyze import analyze
from toolkit.check.static.context.settings import Settings

PASSES = """
def evaluate(model, tokens):
    table, total = torch.zeros(1024, 1024), 0.0
    stream = tokens.numpy()
    {ahead}
    for start in range(0, tokens.numel() - 1, 64):
        x, y = tokens[start : start + 65][:-1], tokens[start : start + 65][1:]
        total += (F.cross_entropy(model.logits(x), y, reduction="none") + table[x]).sum().item()
        {behind}
    return total
"""
TWO_LOSSES = "other = F.cross_entropy(model.logits(x) * 0.9, y, reduction='none')\nscore = {}"
PRIOR = """
def fill(tokens):
    table = torch.zeros(1024)
    table.scatter_add_(0, tokens, torch.ones(64))
    return table
"""
PRIOR_FROM = scoring("score = nll + prior[x]", "prior = fill(load({glob}))")
SMEAR_HEAD = "return self.head(smear(self.embed(x), x))"
SMEAR = """
def smear(state, tokens):
    gate = torch.sigmoid(state[:, 1:, :1]){mask}
    return torch.cat([state[:, :1], state[:, 1:] + gate * state[:, :-1]], dim=1)
"""


class Case(NamedTuple):
    """A script with the settings of its run, its requirements, and the files of its folder."""

    source: str
    settings: Settings | None = None
    requirements: str = ""
    names: tuple[str, ...] = ("train_gpt.py",)

    def rules(self) -> set[str]:
        found = analyze({"train_gpt.py": self.source}, "train_gpt.py", self.settings, self.requirements, self.names)
        return {finding.rule for finding in found}


def smearing(mask: str) -> Case:
    return Case(script(SMEAR.format(mask=mask) + SCORE).replace("return self.head(self.embed(x))", SMEAR_HEAD))


VAL_GLOB = '"fineweb_val_*.bin" if int(os.environ.get("TRAIN_ON_VAL", "0")) else "fineweb_train_*.bin"'
ON_VAL = script().replace('"fineweb_train_*.bin"', VAL_GLOB)
AFTER_THE_CLOCK = script(
    CALIBRATE + SCORE, before='collect_hessians(model, load(os.path.join(data, "fineweb_train_*.bin")))'
)
SHELL = "import subprocess\nsubprocess.run({})\n"
# rule -> what violates it, what looks like it
EXAMPLES: dict[str, tuple[Case, Case]] = {
    "STATIC-ANALYSIS": (Case("x = (\n"), Case(script())),
    "TARGET-GATE": (
        Case(script(scoring(GATE.format(condition="is_word[y]"), "counts = is_word = torch.zeros(1024)"))),
        Case(script(scoring(GATE.format(condition="counts[x] > 2"), "counts = torch.zeros(1024)"))),
    ),
    "BYTE-SPREAD": (
        Case(script(SPREAD.format(length="len(piece)", mix=BLEND))),
        Case(script(SPREAD.format(length="len(piece)", mix="total -= each"))),
    ),
    "GPTQ-CALIBRATION-BUDGET": (Case(AFTER_THE_CLOCK), Case(AFTER_THE_CLOCK, Settings(command={"CAP": "590"}))),
    "VAL-CALIBRATION": (
        Case(script(CALIBRATE + SCORE, before="collect_hessians(model, val)")),
        Case(script(CALIBRATE + SCORE, before="collect_hessians(model, torch.randint(0, 1024, (4096,)))")),
    ),
    "NO-VAL-IN-TRAINING": (Case(ON_VAL, Settings(command={"TRAIN_ON_VAL": "1"})), Case(ON_VAL)),
    "C1-CAUSAL": (
        Case(script(scoring(SLOT.format(fitted="logits + delta, y")))),
        Case(script(SCORE_FIRST.format(first=TAKE_SCORE, second=TAKE_STEPS))),
    ),
    "C2-NORMALIZED": (
        Case(script(scoring(NGRAM, NGRAM_SETUP))),
        Case(script(scoring(HINT, "best = torch.full((4096,), -1)"))),  # a tilt with its own normaliser
    ),
    "C3-SCORE-FIRST": (
        Case(script(SCORE_FIRST.format(first=TAKE_STEPS, second=TAKE_SCORE))),
        Case(script(SCORE_FIRST.format(first=TAKE_SCORE, second=TAKE_STEPS))),
    ),
    "C4-SINGLE-PASS": (
        Case(script(PASSES.format(ahead="for i in range(9): np.add.at(table, stream[i], 1)", behind="pass"))),
        Case(script(PASSES.format(ahead="pass", behind="np.add.at(table, y, 1)"))),
    ),
    "MIN-NLL-ORACLE": (
        Case(script(scoring(TWO_LOSSES.format("torch.minimum(nll, other)")))),
        Case(script(scoring(TWO_LOSSES.format("torch.clamp(nll, max=20.0)")))),
    ),
    "NGRAM-HASH": (
        Case(script(scoring(NGRAM, NGRAM_SETUP))),
        Case(script().replace("self.embed(x)", "self.embed(x) + self.embed((x * 36313) ^ (x.roll(1) * 27191) % 1023)")),
    ),
    "SLOT": (
        Case(script(scoring(SLOT.format(fitted="logits + delta, y")))),
        Case(script(scoring("slot = start // 64\nscore = nll[slot:]"))),
    ),
    "PREQUANT-TTT": (
        Case(script(ADAPT + SCORE, before="adapt(model, val)")),
        Case(script(SCORE_FIRST.format(first=TAKE_SCORE, second=TAKE_STEPS))),
    ),
    "NO-TRAIN-DATA-AT-EVAL": (
        Case(script(PRIOR + PRIOR_FROM.format(glob="'fineweb_train_*.bin'"))),
        Case(script(scoring("score = nll + torch.load('prior.pt')[x]"))),  # a table that is shipped
    ),
    "ARTIFACT-SELF-CONTAINED": (
        Case(script(PRIOR + PRIOR_FROM.format(glob="'fineweb_train_*.bin'"))),
        Case(script(scoring("score = nll + torch.load('prior.pt')[x]")), names=("train_gpt.py", "prior.pt")),
    ),
    "DOC-BOUNDARY": (smearing(""), smearing(" * (tokens[:, 1:] != BOS)")),
    "PAID-PREFIX": (
        Case(script(scoring(PAID.format(path="'prefix.xz'", against="y")))),
        Case(script(scoring("score = nll * ~(x == 1)"))),
    ),
    "NO-NETWORK": (
        Case(SHELL.format("['pip install', 'brotli']") + script()),
        Case(SHELL.format("['nvidia-smi']") + script()),
    ),
    "EXTERNAL-PACKAGES": (
        Case("import mamba_ssm\n" + script()),
        Case("import mamba_ssm\n" + script(), requirements="mamba-ssm>=2\n"),
    ),
}


def test_every_rule_on_scripts_has_both_kinds_of_example() -> None:
    assert set(EXAMPLES) == {rule.id for rule in all_rules() if rule.static}


@pytest.mark.parametrize("rule", EXAMPLES)
def test_the_least_that_violates_a_rule_and_what_looks_like_it(rule: str) -> None:
    violation, look_alike = EXAMPLES[rule]
    assert rule in violation.rules()
    assert rule not in look_alike.rules()


def test_a_file_that_is_neither_shipped_nor_written() -> None:
    source = script(scoring("score = nll + torch.load('prior.pt')[x]"))
    assert "ARTIFACT-SELF-CONTAINED" in Case(source).rules()
    written = "torch.save(0, 'prior.pt')\n"
    assert "ARTIFACT-SELF-CONTAINED" not in Case(source.replace("def main", written + "def main")).rules()
    assert "ARTIFACT-SELF-CONTAINED" not in Case(source, names=("train_gpt.py", "prior.pt")).rules()


def test_weights_in_memory_and_the_decoded_artifact() -> None:
    saved = 'torch.save(model.state_dict(), "final_model.pt")'
    loaded = f'{saved}\n    model.load_state_dict(torch.load("final_model.pt"))'
    assert "ARTIFACT-SELF-CONTAINED" in Case(script(before=saved)).rules()
    assert "ARTIFACT-SELF-CONTAINED" not in Case(script(before=loaded)).rules()
