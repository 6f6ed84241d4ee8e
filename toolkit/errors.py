"""User errors of the toolkit. Lowest layer: imports nothing of ours."""


class GolfError(Exception):
    """Bad input from a person: one line with what was expected, what was found, where, and how to mend it.

    The command line prints it without a traceback and exits with 1. Bugs of ours are other exceptions and keep theirs.
    """
