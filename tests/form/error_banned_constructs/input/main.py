"""Looks names up by text in two files."""

from toolkit.components.other import value


def main(path: str) -> None:
    print(value("x"), getattr(path, "a" + "b"), vars())
