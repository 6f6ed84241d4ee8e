"""What a recipe leaves off is in no name of its readable script: no class, parameter, argument, attribute or branch.

Names alone are read. Comments and docstrings tell what a component can do, and the log lists all settings.
"""

import ast
import re
from dataclasses import asdict
from functools import cache

import pytest

from toolkit.bundle.build import ENTRY, make_readable
from toolkit.bundle.link.resolve import read_modules
from toolkit.components.config import Config
from toolkit.recipe import load_recipe, recipe_names

# Names by which a part is known, as patterns; its key is a setting that turns it on, or one value of a choice.
WORDS = {
    "model.skip_gates": "skip_gates",
    "model.orthogonal_init": "orthogonal_",
    "model.xsa_layers": "exclude_own_value",
    "model.value_embed_dim": r"value_embeds \w+_value_embedding embed_values ve_layer_scales ValueEmbedding",
    "model.bigram_dim": r"\w*bigram BigramHash",
    "model.smear_gate": "smear smear_gate",
    "model.value_residual": "first_values value_mix",
    "model.flash_attention": r"flash\w*",
    "data.loader=coprime": r"BlockOrder coprime_\w+ COPRIME_\w+",
    "data.loader=contiguous": r"contiguous_\w+",
    "optimizer.grad_clip_norm": "clip_grad_norm_",
    "optimizer.ema_decay": "average WeightAverage",
    "optimizer.swa_every_steps": "snapshots SnapshotMean",
    "quantize.method=gptq": r"gptq_\w+ collect_hessians",
    "quantize.method=percentile": r"percentile_\w+",
    "quantize.method=hybrid": r"\w+_levels level_\w+ straight_through",
    "quantize.method=tcq": r"\w*tcq\w* \w*TCQ\w* \w*trellis\w* \w*lattice\w* Lattice collect_curvatures",
    "quantize.storage=integers": r"integer_\w+ integers_fit rounding_line",
    "quantize.storage=points": r"point_\w+ points_fit \w*_points",
    "quantize.compressor=brotli": "brotli",
    "quantize.compressor=zlib": "zlib",
    "artifact.target_bytes": r"fill\w* FILL_\w+",
    "evaluate.mixers=ppm_seed": "mix_ppm_seed seed_strings",
    "evaluate.mixers=ppm_trie": r"\w*trie \w*Trie\w* PROGRESS_SECONDS feed",
}
# Their zero is a value like any other, or belongs to a part above.
NAMELESS = {
    "model.rope_dims",
    "model.ln_scale",
    "model.value_embed_layers",
    "model.bigram_buckets",
    "optimizer.muon_row_normalize",
    "optimizer.matrix_weight_decay",
    "optimizer.embed_weight_decay",
    "optimizer.scalar_weight_decay",
    "optimizer.swa_below",
    "train.warmdown_iterations",
    "train.warmdown_fraction",
    "train.min_lr",
    "train.val_every",
    "quantize.reserve_seconds",
    "hybrid.embed_levels",
    "artifact.margin_bytes",
}


@cache
def names_of(recipe: str) -> frozenset[str]:
    """All names in a recipe's readable script, those of attributes and keywords among them."""
    text, _, _ = make_readable(load_recipe(recipe), read_modules(ENTRY))
    nodes = [node for node in ast.walk(ast.parse(text)) if not isinstance(node, ast.Constant)]
    return frozenset(value for node in nodes for _, value in ast.iter_fields(node) if isinstance(value, str))


def value_of(cfg: Config, key: str) -> object:
    section, field = key.split(".")
    return getattr(getattr(cfg, section), field)


def is_on(cfg: Config, key: str) -> bool:
    setting, _, choice = key.partition("=")
    value = value_of(cfg, setting)
    return (choice in value if isinstance(value, tuple) else choice == value) if choice else bool(value)


def found(recipe: str, word: str) -> set[str]:
    return {name for name in names_of(recipe) if re.fullmatch(word, name)}


@pytest.mark.parametrize("recipe", recipe_names())
def test_a_script_has_no_name_of_what_is_off(recipe: str) -> None:
    off = [key for key in WORDS if not is_on(load_recipe(recipe), key)]
    assert off
    assert {key: names for key in off for word in WORDS[key].split() if (names := found(recipe, word))} == {}


@pytest.mark.parametrize("key", WORDS)
def test_every_word_is_a_name_where_its_part_is_on(key: str) -> None:
    on = [recipe for recipe in recipe_names() if is_on(load_recipe(recipe), key)]
    assert 0 < len(on) < len(recipe_names())
    assert [word for word in WORDS[key].split() if not any(found(recipe, word) for recipe in on)] == []


def test_every_setting_that_a_recipe_leaves_off_is_known() -> None:
    cfgs = [load_recipe(recipe) for recipe in recipe_names()]
    sections = {name: section for name, section in asdict(cfgs[0]).items() if isinstance(section, dict)}
    settings = [f"{name}.{field}" for name, section in sections.items() for field in section]
    off = {key for key in settings if any(not value_of(cfg, key) for cfg in cfgs)}
    assert off == {key for key in WORDS if "=" not in key} | NAMELESS
