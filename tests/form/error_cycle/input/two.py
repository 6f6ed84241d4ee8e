"""Goes back."""

from toolkit.components.one import a


def b():
    a()
