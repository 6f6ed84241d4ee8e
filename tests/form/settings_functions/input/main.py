"""Calls of functions that stand beside the settings: they run before there is a script."""

from toolkit.components.config import Config, depth_name, is_deep, layer_order


class Stack:
    def __init__(self, cfg: Config) -> None:
        self.cfg = cfg

    def visits(self) -> list[int]:
        return [layer for layer in layer_order(self.cfg)]  # in order


def main(cfg: Config, script: str) -> None:
    print(Stack(cfg).visits(), len(layer_order(cfg)), layer_order(cfg)[3], -layer_order(cfg)[2] ** 2)
    if is_deep(cfg):
        print("deep")
    print(f"{depth_name(cfg)}: {layer_order(cfg)[:2]} {script != depth_name(cfg)}")
