"""The readable script: a header, merged imports, then the parts of each module under its docstring."""

import ast
import re
from collections.abc import Iterator
from itertools import groupby, pairwise

from toolkit.bundle.link.names import import_lines
from toolkit.bundle.link.parts import Import, Part
from toolkit.components.config import Config

_RULE = 118
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")


def emit(imports: list[Import], parts: list[Part], docstrings: dict[str, str], start: str) -> str:
    """The program without its header. `docstrings` by module; `start` is the call that begins the run."""
    pieces = ["\n".join(import_lines(imports)) + "\n"] if imports else []
    for module, members in groupby(parts, key=lambda part: part.module):
        heading = f"# {f' {module} ':-^{_RULE}}\n"
        docstring = docstrings.get(module, "").splitlines()
        heading += "".join(f"# {line}".rstrip() + "\n" for line in docstring)
        pieces.append(heading)
        pieces.append(_joined([part.source for part in members]))
    return "\n\n".join([*pieces, main_block(start)])


def main_block(start: str) -> str:
    """What begins the run of a script."""
    return f'if __name__ == "__main__":\n    {start}\n'


def _joined(sources: list[str]) -> str:
    """Constants close together, two blank lines around definitions."""
    text = sources[0]
    for before, after in pairwise(sources):
        is_definition = [bool(re.search(r"^(@|def |class |async )", source, re.M)) for source in (before, after)]
        text += ("\n\n" if any(is_definition) else "") + after
    return text


def header(cfg: Config, parts: list[Part]) -> str:
    """What the script is, how to run it, and which environment variables it reads."""
    lines = [
        f"{cfg.title} - recipe {cfg.name}, track {cfg.track}",
        "",
        "One self-contained training script, joined from tested components; train_gpt.py is this program, packed.",
        "Run it inside its folder:  torchrun --standalone --nproc_per_node=N train_gpt.py",
        "",
        "Environment variables and their defaults (torchrun sets those of the ranks):",
    ]
    variables = dict(sorted(set(environment_variables(parts)), reverse=True))
    lines += [f"    {name:<24}{default}" for name, default in sorted(variables.items())]
    return "".join(f"# {' '.join(line.splitlines())}".rstrip() + "\n" for line in lines)


def environment_variables(parts: list[Part]) -> Iterator[tuple[str, str]]:
    """Names and defaults (as source) that parts read from `os.environ`, directly or through a function that does."""
    readers = {name for part in parts if "environ" in part.attributes for name in part.declares}
    for part in parts:
        if "environ" not in part.attributes and not part.references & readers:
            continue
        for node in ast.walk(ast.parse(part.source)):
            match node:
                case ast.Call(args=[ast.Constant(value=str(name)), *rest]) if _VARIABLE.fullmatch(name):
                    yield name, ast.unparse(rest[0]) if rest else ""
                case ast.Subscript(slice=ast.Constant(value=str(name))) if _VARIABLE.fullmatch(name):
                    yield name, ""
