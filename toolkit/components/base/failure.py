"""The one exception a component raises for bad input."""


class InputError(Exception):
    """Bad input: one line with what was expected, what was found, where, and how to mend it."""
