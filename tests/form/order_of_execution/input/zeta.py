"""A base and a constant."""

# comes first

LIMIT = 10  # default of a parameter elsewhere


class Base:
    """Something to inherit from."""
