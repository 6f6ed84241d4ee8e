"""A build folder whose script trains nothing, for tests of what happens around a script."""

import hashlib
import json
from pathlib import Path

from toolkit.recipe import dump_recipe, load_recipe

IMPORT = "from tests.support.log import log_text\n"


def write_stand_in_build(build: Path) -> Path:
    """`stand_in_script.py` stands alone in it, as a bundled script does: with a copy of the builder of its log."""
    here = Path(__file__).parent
    before, after = (here / "stand_in_script.py").read_text().split(IMPORT)
    script = before + (here / "log.py").read_text() + after
    build.mkdir(parents=True)
    for name in ("train_gpt.py", "train_gpt_readable.py"):
        (build / name).write_text(script)
    cfg = load_recipe("demo")
    (build / "recipe.toml").write_text(dump_recipe(cfg))
    sha256 = hashlib.sha256(script.encode()).hexdigest()
    facts = {
        "recipe": cfg.name,
        "title": cfg.title,
        "track": cfg.track,
        "artifact_id": cfg.artifact_id,
        "stages": cfg.evaluate.stages,
        "sha256": {"train_gpt.py": sha256, "train_gpt_readable.py": sha256},
        "code_bytes": len(script.encode()),
        "component_bytes": {},
    }
    (build / "bundle.json").write_text(json.dumps(facts))
    return build
