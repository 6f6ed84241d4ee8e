from collections.abc import Callable


# -------------------------------------------------------- fast --------------------------------------------------------
# The one place that knows the package.


def fast_square() -> Callable[[int], int]:
    try:
        from package_that_is_not_installed import square
    except ImportError:
        return lambda x: x * x
    return square


# -------------------------------------------------------- main --------------------------------------------------------


def main(script: str) -> None:
    print(fast_square()(3))


if __name__ == "__main__":
    main(__file__)
