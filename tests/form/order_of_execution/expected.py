# -------------------------------------------------------- zeta --------------------------------------------------------
# A base and a constant.


# comes first

LIMIT = 10  # default of a parameter elsewhere


class Base:
    """Something to inherit from."""


# ------------------------------------------------------- alpha --------------------------------------------------------
# Named before its base, stands behind it.


class Child(Base):
    def size(self, limit: int = LIMIT) -> int:
        return limit + 1


# -------------------------------------------------------- main --------------------------------------------------------
# The start comes last, whatever its name.


def main(script: str) -> None:
    print(Child().size(), isinstance(Child(), Base), LIMIT)


if __name__ == "__main__":
    main(__file__)
