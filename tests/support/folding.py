"""Programs as text: fold their parameters, and run them."""

import ast
import contextlib
import io
from typing import Any

from toolkit.bundle.calls.arguments import fold_parameters
from toolkit.bundle.link.parts import split_module
from toolkit.bundle.link.resolve import Module


def folded(source: str, flags_only: bool = False) -> str:
    """A program without imports after `fold_parameters`."""
    _, parts = split_module(Module("module", "module.py", source, ast.parse(source)))
    return "".join(part.source for part in fold_parameters(parts, flags_only))


def printed(source: str, **names: Any) -> str:
    """What a program prints that is given some names."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(source, "script", "exec"), {"__name__": "__main__", **names})
    return out.getvalue()
