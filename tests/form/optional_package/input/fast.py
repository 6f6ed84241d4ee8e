"""The one place that knows the package."""

from collections.abc import Callable


def fast_square() -> Callable[[int], int]:
    try:
        from package_that_is_not_installed import square
    except ImportError:
        return lambda x: x * x
    return square
