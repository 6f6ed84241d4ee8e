"""Run one form of a program and write down what it computed, bit for bit.

    python -m toolkit.bundle.proof.trial FACTS.json modules RECIPE.toml SCRIPT
    python -m toolkit.bundle.proof.trial FACTS.json script SCRIPT

Facts: every number that a tensor handed to Python, losses among them, in order and in hexadecimal; and names, shapes
and digest of every state dict that was loaded. The environment is that of the script.
"""

import hashlib
import json
import runpy
import sys
from pathlib import Path
from typing import Any

import torch

from toolkit.components import main as entry
from toolkit.recipe import load_recipe


def record(facts: dict[str, list[Any]]) -> None:
    """Make torch write down what passes through `Tensor.item` and `Module.load_state_dict`."""
    item, load = torch.Tensor.item, torch.nn.Module.load_state_dict

    def recorded_item(tensor: torch.Tensor) -> Any:
        value = item(tensor)
        facts["numbers"].append(float(value).hex())
        return value

    def recorded_load(module: torch.nn.Module, state: dict[str, torch.Tensor], *args: Any, **kwargs: Any) -> Any:
        data = b"".join(tensor.detach().cpu().contiguous().numpy().tobytes() for tensor in state.values())
        shapes = {name: list(tensor.shape) for name, tensor in state.items()}
        facts["states"].append([shapes, hashlib.sha256(data).hexdigest()])
        return load(module, state, *args, **kwargs)

    torch.Tensor.item = recorded_item  # type: ignore[assignment, method-assign]
    torch.nn.Module.load_state_dict = recorded_load  # type: ignore[assignment, method-assign]


def run_trial(arguments: list[str]) -> None:
    facts: dict[str, list[Any]] = {"numbers": [], "states": []}
    record(facts)
    match arguments:
        case [path, "modules", recipe, script]:
            entry.main(load_recipe(recipe), script)
        case [path, "script", script]:
            runpy.run_path(script, run_name="__main__")
        case _:
            sys.exit(__doc__)
    Path(path).write_text(json.dumps(facts))


if __name__ == "__main__":
    run_trial(sys.argv[1:])
