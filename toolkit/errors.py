"""User errors of the toolkit. Lowest layer: imports nothing of ours."""

import difflib
from collections.abc import Iterable


class GolfError(Exception):
    """Bad input from a person: one line with what was expected, what was found, where, and how to mend it.

    The command line prints it without a traceback and exits with 1. Bugs of ours are other exceptions and keep theirs.
    """


def did_you_mean(found: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The end of a message about an unknown name: the nearest known one, or nothing if none is as like as `cutoff`."""
    near = difflib.get_close_matches(found, list(known), n=1, cutoff=cutoff)
    return f"; did you mean {near[0]}?" if near else ""
