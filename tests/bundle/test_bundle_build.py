"""A recipe's whole bundle: what is in it, what it is called, and that nothing but the input decides its bytes."""

import ast
import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from toolkit.bundle import Bundle, bundle, write_build
from toolkit.bundle import build as building
from toolkit.bundle.build import ENTRY, START, link, make_program
from toolkit.bundle.link.emit import environment_variables, header
from toolkit.bundle.link.resolve import Module, own_imports, read_modules
from toolkit.bundle.minify import order
from toolkit.bundle.minify.crename import rename_c
from toolkit.bundle.minify.csource import minify_c_sources
from toolkit.bundle.minify.print import minify
from toolkit.bundle.minify.squeeze import squeeze
from toolkit.components.config import Config
from toolkit.errors import GolfError
from toolkit.recipe import load_recipe, recipe_names
from toolkit.unpack.unpack import unpack

ROOT = Path(__file__).parents[2]


def constants(tree: ast.AST) -> set[str]:
    """String literals, docstrings left out."""
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
    }


def attributes(tree: ast.AST) -> set[str]:
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


@pytest.fixture(scope="module")
def demo_build(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Bundle]:
    out_dir = tmp_path_factory.mktemp("build") / "demo"
    return out_dir, write_build(load_recipe("demo"), out_dir)


@pytest.mark.parametrize("recipe", recipe_names())
def test_every_recipe_minifies_without_losing_a_name_that_others_see(recipe: str) -> None:
    imports, parts = link(load_recipe(recipe), read_modules(ENTRY))
    variables = {name for name, _ in environment_variables(parts)}
    squeezed_imports, squeezed = squeeze(imports, parts, frozenset({ENTRY}))
    before = ast.parse("".join(part.source for part in squeezed))
    after = ast.parse(minify(squeezed_imports, squeezed, START))
    minify_c_sources(before, rename_c)
    assert attributes(after) == attributes(before)
    assert constants(after) - {"__main__"} == constants(before)
    assert (
        {"DATA_PATH", "TOKENIZER_PATH", "SEED", "RUN_DIR", "EVAL_ONLY", "WORLD_SIZE"} <= variables <= constants(after)
    )
    names = {node.id for node in ast.walk(after) if isinstance(node, ast.Name)}
    assert "cfg" not in names | attributes(after)


def test_readable_script(demo_build: tuple[Path, Bundle]) -> None:
    readable = demo_build[1].readable
    tree = ast.parse(readable)
    assert readable.startswith("# Demo - recipe demo, track non-record-16mb\n")
    assert "torchrun --standalone --nproc_per_node=N train_gpt.py" in readable
    assert "#     SEED                    1337\n" in readable
    assert readable.endswith('if __name__ == "__main__":\n    main(__file__)\n')
    assert "Config" not in {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    roots = {(n.module or "").split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    roots |= {alias.name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names}
    assert roots - sys.stdlib_module_names <= {"torch", "numpy", "brotli", "sentencepiece", "flash_attn_interface"}
    assert max(len(line) for line in readable.splitlines() if "settings" not in line) < 2000


def test_files_of_a_build(demo_build: tuple[Path, Bundle]) -> None:
    out_dir, result = demo_build
    assert sorted(path.name for path in out_dir.iterdir()) == [
        "bundle.json",
        "recipe.toml",
        "train_gpt.py",
        "train_gpt_readable.py",
    ]
    packed = (out_dir / "train_gpt.py").read_bytes()
    readable = (out_dir / "train_gpt_readable.py").read_bytes()
    assert packed == result.packed
    assert readable.decode() == result.readable
    (layer,) = unpack(packed).layers
    assert layer.startswith("base85 + ")
    facts = json.loads((out_dir / "bundle.json").read_text())
    cfg = load_recipe("demo")
    assert facts["sha256"] == {
        "train_gpt.py": hashlib.sha256(packed).hexdigest(),
        "train_gpt_readable.py": hashlib.sha256(readable).hexdigest(),
    }
    assert facts["code_bytes"] == len(packed) == result.code_bytes == sum(facts["component_bytes"].values())
    assert {"model.gpt", "main", "mixing.ppm_trie", "script"} <= facts["component_bytes"].keys()
    assert "mixing.ppm_seed" not in facts["component_bytes"]
    assert (facts["recipe"], facts["artifact_id"], facts["stages"]) == (
        "demo",
        cfg.artifact_id,
        list(cfg.evaluate.stages),
    )
    written = load_recipe(out_dir / "recipe.toml")
    assert (written.model, written.train, written.title) == (cfg.model, cfg.train, cfg.title)


def test_a_failing_build_leaves_the_old_one(
    demo_build: tuple[Path, Bundle], monkeypatch: pytest.MonkeyPatch, cold_cache: Path
) -> None:
    out_dir, _ = demo_build
    before = {path.name: path.read_bytes() for path in out_dir.iterdir()}

    def fail(program: str, encoding: str) -> bytes:
        raise AssertionError("packing changed the program")

    monkeypatch.setattr(order, "STEPS", 1)
    monkeypatch.setattr(building, "pack", fail)
    with pytest.raises(AssertionError):
        write_build(load_recipe("demo"), out_dir)
    assert {path.name: path.read_bytes() for path in out_dir.iterdir()} == before


def test_features_that_are_off_cost_nothing() -> None:
    def component_names(recipe: str) -> set[str]:
        _, parts = link(load_recipe(recipe), read_modules(ENTRY))
        return {part.module for part in parts}

    baseline, full = component_names("naive_baseline"), component_names("sp4096_ppm")
    hashed = component_names("hybridquant")
    small = {"model.levels", "artifact.rans", "model.bigram", "model.smear", "training.swa"}
    large = {"quantizing.gptq", "model.value_embedding", "mixing.ppm_trie", "training.ema", "model.flash"}
    assert baseline.isdisjoint(small | large - {"quantizing.gptq", "model.flash"} | {"mixing.ppm_seed"})
    assert large <= full
    assert "mixing.ppm_seed" not in full
    assert small <= hashed - full
    assert {"quantizing.gptq", "training.ema"}.isdisjoint(hashed)


def test_awkward_titles_stay_what_they_are() -> None:
    title = "A \"quoted\" 'title' {brace} \\ %s é\n# not a comment"
    cfg = Config(name="odd", title=title)
    imports, parts = link(cfg, read_modules(ENTRY))
    assert ast.parse(header(cfg, parts)).body == []
    assert f"title: {title}" in constants(ast.parse(minify(*squeeze(imports, parts, frozenset({ENTRY})), START)))


def other_order(modules: list[Module]) -> list[Module]:
    """Another order in which Python could execute modules: whatever may come late does."""
    names = {module.name for module in modules}
    rest, order = {module.name: module for module in modules}, []
    while rest:
        wanted = {name for module in rest.values() for name, _ in own_imports(module.tree) if name in names}
        order.append(rest.pop(min(rest.keys() - wanted)))
    return order[::-1]


def test_where_definitions_stand_moves_no_byte(monkeypatch: pytest.MonkeyPatch, cold_cache: Path) -> None:
    """Modules in another order, as other imports would have it, and under other names."""
    monkeypatch.setattr(order, "STEPS", 2)
    cfg, modules = load_recipe("naive_baseline"), read_modules(ENTRY)
    moved = [replace(module, name=f"moved.{i}") for i, module in enumerate(other_order(modules))]
    assert [module.where for module in moved] != [module.where for module in modules]
    program = make_program(cfg)
    monkeypatch.setattr(building, "read_modules", lambda entry: moved)
    again = make_program(cfg)
    assert again.readable != program.readable
    assert again.text == program.text
    assert [part.declares for part in again.parts] == [part.declares for part in program.parts]


def test_violations_stop_a_build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cold_cache: Path) -> None:
    (tmp_path / "main.py").write_text("print(1)\n\n\ndef main(cfg, script):\n    return eval(cfg)\n")
    monkeypatch.setattr(building, "read_modules", lambda entry: read_modules(entry, tmp_path))
    with pytest.raises(GolfError) as caught:
        bundle(Config())
    assert [line.split(": ")[0].rpartition(":")[2] for line in str(caught.value).splitlines()] == ["1", "5", "5"]


def test_same_bytes_in_every_process_cold_and_warm_and_no_torch(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from toolkit.bundle import bundle; from toolkit.bundle.minify import order\n"
        "from toolkit.recipe import load_recipe\n"
        "order.STEPS = 20; result = bundle(load_recipe('naive_baseline')); print(result.sha256, hash(result.readable))"
    )
    outputs = []
    for seed, cache in (("1", "first"), ("2", "second"), ("3", "second")):
        env = {**os.environ, "PYTHONHASHSEED": seed, "XDG_CACHE_HOME": str(tmp_path / cache)}
        run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=env, capture_output=True, text=True)
        assert run.stderr == ""
        outputs.append(run.stdout.split())
    assert len({sha256 for sha256, _ in outputs}) == 1
    assert len({seeded for _, seeded in outputs}) == 3  # the seeds did take effect
    assert len(list((tmp_path / "second" / "golf-toolkit").iterdir())) == 3  # the bundle, its order, its parameters
