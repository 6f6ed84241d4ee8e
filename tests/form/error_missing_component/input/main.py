"""Doc."""

from toolkit.components.nowhere import a


def main(cfg, script):
    a()
