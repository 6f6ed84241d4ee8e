"""Texts of a record, rendered from `templates/`: README.md, the pull request's text, requirements.txt."""

import ast
from collections.abc import Sequence
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any

import jinja2

from toolkit.check.rulebook.finding import Report
from toolkit.check.rulebook.limits import bytes_left, cap_bytes
from toolkit.components.config import Config
from toolkit.folders import DATA_DIR, dataset_folder, tokenizer_path
from toolkit.record.results import make_results
from toolkit.record.runs import Run
from toolkit.syntax.standard import STANDARD_MODULES

TEMPLATES_DIR = Path(__file__).resolve().parents[1] / "templates"


def render_readme(
    cfg: Config,
    runs: Sequence[Run],
    submission: dict[str, Any],
    probes: Sequence[dict[str, str]],  # findings of the probes
    proof: dict[str, Any],  # of the codec, or empty
) -> str:
    """README.md of the record: score, table by seed, sizes, how to run it, what was probed, settings, hardware."""
    data = Path("../../..", DATA_DIR)  # records lie three folders below the root of a repository
    return _render(
        "record_readme.md.j2",
        submission=submission,
        results=make_results(runs).markdown(),
        world_size=runs[0].world_size,
        overrides=runs[0].overrides,
        data_path=dataset_folder(data, cfg.data.dataset),
        tokenizer_path=tokenizer_path(data, cfg.data.tokenizer),
        settings=_settings_off_baseline(cfg),
        probes=probes,
        proof=proof,
    )


def render_pr_body(runs: Sequence[Run], submission: dict[str, Any], folder: Path, report: Report) -> str:
    """Text for the pull request that adds the record, with the outcome of every check."""
    return _render(
        "pr_body.md.j2",
        submission=submission,
        results=make_results(runs).markdown(),
        folder=f"records/{folder.as_posix()}",
        report=report,
    )


def render_requirements(script: str, packages: dict[str, str]) -> str:
    """requirements.txt: what a script imports at its top, pinned to the versions its runs had.

    An optional dependency is imported inside a function, so it does not count.
    """
    imported: set[str] = set()
    for statement in ast.parse(script).body:
        if isinstance(statement, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom) and statement.module:
            imported.add(statement.module.partition(".")[0])
    names = sorted(imported - STANDARD_MODULES)
    return "".join(f"{name}=={packages[name]}\n" if name in packages else f"{name}\n" for name in names)


def _render(template: str, **values: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES_DIR),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown
    )
    environment.filters["bytes_left"] = bytes_left
    environment.filters["cell"] = lambda value: str(value).replace("|", "\\|").replace("\n", " ")
    return environment.get_template(template).render(cap_bytes=cap_bytes(), **values)


def _settings_off_baseline(cfg: Config) -> list[tuple[str, Any, Any]]:
    """(section.field, value, default) wherever a recipe differs from the defaults, which are the baseline's."""
    ours, baseline = asdict(cfg), asdict(Config())
    return [
        (f"{section.name}.{name}", value, baseline[section.name][name])
        for section in fields(cfg)
        if is_dataclass(getattr(cfg, section.name))
        for name, value in ours[section.name].items()
        if value != baseline[section.name][name]
    ]
