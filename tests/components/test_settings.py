"""Sections of a recipe: every setting is described, what is off leaves no trace, and a new one changes no recipe."""

import subprocess
import sys
from dataclasses import dataclass, fields, make_dataclass, replace
from typing import Any, ClassVar

import pytest

from toolkit.bundle.build import ENTRY, make_readable
from toolkit.bundle.link.resolve import read_modules
from toolkit.bundle.proof.miniature import scaled_down
from toolkit.components.base.failure import InputError
from toolkit.components.config import Config
from toolkit.components.settings.artifact import Artifact
from toolkit.components.settings.evaluate import Evaluate
from toolkit.components.settings.field import above, at_least, between, one_of, setting, settings_of
from toolkit.components.settings.hybrid import Hybrid
from toolkit.components.settings.model import Model
from toolkit.components.settings.optimizer import Optimizer
from toolkit.components.settings.ppm_trie import PpmTrie
from toolkit.components.settings.quantize import Quantize
from toolkit.components.settings.section import Section
from toolkit.components.settings.tcq import Tcq
from toolkit.components.settings.train import Train
from toolkit.errors import GolfError
from toolkit.recipe import load_recipe, recipe_names

ENVIRONMENT = {"seed", "iterations", "max_wallclock_seconds", "data_path", "tokenizer_path", "run_dir", "run_id"}


def logged(cfg: Config) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in cfg.settings)


def with_new_key(section: Section, default: Any) -> Section:
    """The section as it would be with one more setting."""
    kind = type(section)
    longer = make_dataclass(
        kind.__name__, [("new_key", type(default), setting(default, "a new one"))], bases=(kind,), frozen=True
    )
    made: Section = longer(**{field.name: getattr(section, field.name) for field in fields(section)})
    return made


def with_new_keys(cfg: Config, default: Any) -> Config:
    """The recipe with one more setting in every section."""
    longer: dict[str, Any] = {section.name: with_new_key(section, default) for section in cfg.sections()}
    return replace(cfg, **longer)


@pytest.mark.parametrize("section", Config().sections(), ids=lambda section: section.name)
def test_every_field_is_a_setting_with_a_meaning(section: Section) -> None:
    described = settings_of(section)
    assert [field.name for field, _ in described] == [field.name for field in fields(section)]
    assert all(about.meaning for _, about in described)


def test_a_section_stands_in_the_recipe_under_its_name() -> None:
    for section in Config().sections():
        assert getattr(Config(), section.name) is section


def test_names_in_the_log_are_unique() -> None:
    names = ["recipe", "title", "track", *ENVIRONMENT]
    for section in Config().sections():
        logs = [(field, about) for field, about in settings_of(section) if about.log != "never"]
        names += [section.log_prefix + (about.log_name or field.name) for field, about in logs]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("default", [0, 1.5, True, "text", (1, 2)], ids=repr)
@pytest.mark.parametrize("recipe", recipe_names())
def test_a_new_key_in_every_section_changes_neither_log_nor_artifact_id(recipe: str, default: Any) -> None:
    cfg = load_recipe(recipe)
    longer = with_new_keys(cfg, default)
    assert all(vars(section)["new_key"] == default for section in longer.sections())
    assert (longer.settings, longer.artifact_id) == (cfg.settings, cfg.artifact_id)


@pytest.mark.parametrize("recipe", ["demo", "hybridquant"])
def test_a_new_key_in_every_section_changes_no_script(recipe: str) -> None:
    cfg, modules = load_recipe(recipe), read_modules(ENTRY)
    longer = with_new_keys(cfg, 1.5)
    assert make_readable(longer, modules)[0] == make_readable(cfg, modules)[0]


def test_a_key_that_is_changed_is_in_log_and_artifact_id() -> None:
    model: Any = with_new_key(Model(), 1.5)
    cfg = Config(model=replace(model, new_key=2.5))
    assert logged(cfg)["new_key"] == "2.5"
    assert cfg.artifact_id != Config(model=model).artifact_id


def test_the_log_shows_what_is_on() -> None:
    plain, hybrid = logged(Config()), logged(load_recipe("hybridquant"))
    assert {"recipe", "title", "track", "vocab_size", "dataset", "tokenizer", "method", "stages"} <= plain.keys()
    parts = {"bigram_dim", "bigram_buckets", "smear_gate", "value_residual", "swa_every_steps", "swa_below"}
    levels = {"hybrid_qk_levels", "hybrid_vo_levels", "hybrid_up_levels", "hybrid_down_levels", "hybrid_embed_levels"}
    assert parts | levels <= hybrid.keys()
    assert not (parts | levels) & plain.keys()
    assert not {"target_bytes", "fill_seconds", "clip_percentile"} & plain.keys()
    assert not any(name.startswith(("tcq_", "ppm_")) for name in hybrid)


def test_the_log_uses_names_of_the_competition_and_leaves_out_what_the_environment_decides() -> None:
    found = logged(Config())
    assert (found["train_batch_tokens"], found["train_seq_len"]) == ("524288", "1024")
    assert not ENVIRONMENT & found.keys()


@pytest.mark.parametrize(
    ("method", "other", "counts"),
    [
        ("gptq", {"hybrid": Hybrid(up_levels=16)}, False),
        ("gptq", {"tcq": Tcq(states=4)}, False),
        ("hybrid", {"hybrid": Hybrid(up_levels=16)}, True),
        ("tcq", {"tcq": Tcq(states=4)}, True),
        ("tcq", {"artifact": Artifact(target_bytes=1000)}, False),
        ("gptq", {"evaluate": Evaluate(stride=32)}, False),
        ("gptq", {"ppm_trie": PpmTrie(table_bits=10)}, False),
        ("gptq", {"model": Model(num_layers=8)}, True),
        ("gptq", {"optimizer": Optimizer(ema_decay=0.9)}, False),
    ],
)
def test_the_artifact_id_covers_what_decides_how_an_artifact_is_read(
    method: str, other: dict[str, Any], counts: bool
) -> None:
    cfg = Config(quantize=Quantize(method=method))
    assert (replace(cfg, **other).artifact_id != cfg.artifact_id) == counts


@pytest.mark.parametrize(
    ("allowed", "good", "bad", "text"),
    [
        (above(0), [0.1, 3], [0, -1], "a number above 0"),
        (at_least(0), [0, 3], [-1], "0 or more"),
        (between(2, 8), [2, 8], [1, 9], "a number from 2 to 8"),
        (one_of("a", "b"), ["a", "b"], ["c", ""], "one of a, b"),
    ],
)
def test_a_value_that_is_not_allowed_is_an_error(allowed: Any, good: list[Any], bad: list[Any], text: str) -> None:
    @dataclass(frozen=True)
    class Part(Section):
        name: ClassVar[str] = "part"
        size: float | str = setting(good[0], "how large", allowed)

    for value in good:
        assert Part(value).size == value
    for value in bad:
        with pytest.raises(InputError) as error:
            Part(value)
        assert str(error.value) == f"part.size: expected {text}, found {value!r}"


@pytest.mark.parametrize(
    ("section", "values", "key"),
    [
        (Model, {"bigram_dim": 8}, "model.bigram_buckets"),
        (Model, {"bigram_buckets": 8}, "model.bigram_buckets"),
        (Optimizer, {"swa_every_steps": 5}, "optimizer.swa_below"),
        (Optimizer, {"swa_below": 0.5}, "optimizer.swa_below"),
        (Optimizer, {"swa_every_steps": 5, "swa_below": 0.5, "ema_decay": 0.9}, "optimizer.swa_every_steps"),
        (Train, {"warmdown_iterations": 5, "warmdown_fraction": 0.5}, "train.warmdown_iterations"),
        (Hybrid, {"up_levels": 7}, "hybrid.up_levels"),
        (PpmTrie, {"contexts": ("o99",)}, "ppm_trie.contexts"),
    ],
)
def test_settings_of_a_section_that_need_each_other(section: type, values: dict[str, Any], key: str) -> None:
    with pytest.raises(InputError, match=rf"^{key}: expected "):
        section(**values)


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        (
            {"quantize": Quantize(reserve_seconds=700.0)},
            r"quantize\.reserve_seconds: expected below train\.max_wallclock_seconds = 600\.0, found 700\.0",
        ),
        (
            {"artifact": Artifact(target_bytes=10)},
            r'artifact\.target_bytes: expected unset unless quantize\.method = "tcq", found 10',
        ),
        (
            {"evaluate": Evaluate(stride=2048)},
            r"evaluate\.stride: expected at most train\.seq_len = 1024, found 2048",
        ),
    ],
)
def test_sections_that_do_not_go_together(sections: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}$"):
        Config(**sections)


def test_a_miniature_keeps_what_is_on() -> None:
    for recipe in recipe_names():
        cfg = load_recipe(recipe)
        small = scaled_down(cfg)
        assert [section.on(small) for section in small.sections()] == [section.on(cfg) for section in cfg.sections()]
        assert small.model.num_layers <= 4
        assert small.train.batch_tokens <= 256


def test_an_error_of_a_miniature_does_not_blame_the_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Evaluate, "small", lambda self, cfg: self)
    with pytest.raises(GolfError) as error:
        scaled_down(load_recipe("sp4096"))
    assert str(error.value) == (
        "sp4096, its miniature for proofs and probes: evaluate.stride: expected at most train.seq_len = 32, found 64; "
        "the recipe itself is valid, mend `small` of that section in toolkit/components/settings"
    )


def test_settings_are_read_without_torch() -> None:
    code = "import sys; sys.modules['torch'] = None; from toolkit.components.config import Config; Config().settings"
    subprocess.run([sys.executable, "-c", code], check=True)
