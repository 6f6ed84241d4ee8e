"""Bytes and seconds of every built-in recipe's script."""

import time

from toolkit.bundle import bundle
from toolkit.recipe import load_recipe, recipe_names


def main() -> None:
    print(f"{'recipe':<18}{'readable':>10}{'packed':>9}{'seconds':>9}")
    for name in recipe_names():
        started = time.perf_counter()
        built = bundle(load_recipe(name))
        seconds = time.perf_counter() - started
        print(f"{name:<18}{len(built.readable.encode()):>10,}{built.code_bytes:>9,}{seconds:>9.1f}")
