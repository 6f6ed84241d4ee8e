"""Run a recipe from the modules, without a bundle: what the bundled script has to equal.

    python -m toolkit.run.modules RECIPE [--script FILE]      (also below torchrun's -m)

The environment is that of the script (components/setup/environment.py).
"""

import argparse
import sys

from toolkit.components import main as entry
from toolkit.errors import GolfError
from toolkit.recipe import load_recipe


def run_modules(arguments: list[str]) -> None:
    """Parse the command line and run; a bad recipe ends with one line and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m toolkit.run.modules", description="Run a recipe from the modules.")
    parser.add_argument("recipe", help="name of a built-in recipe, or path of a TOML file")
    parser.add_argument("--script", default=entry.__file__, help="file whose bytes and hash stand for the script's")
    options = parser.parse_args(arguments)
    try:
        cfg = load_recipe(options.recipe)
    except GolfError as error:
        sys.exit(f"error: {error}")
    entry.main(cfg, options.script)


if __name__ == "__main__":
    run_modules(sys.argv[1:])
