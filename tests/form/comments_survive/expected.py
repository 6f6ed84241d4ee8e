# -------------------------------------------------------- main --------------------------------------------------------
# Module docstrings become headings.
#
# With all their lines.


# A comment above a constant.
# And its second line.
RATE = 0.5  # and one beside it


@staticmethod
def helper(x: int) -> int:  # beside a header
    # inside a body
    return x  # beside a statement


def main(
    script: str,  # the file
) -> None:
    """A docstring."""

    # above a statement
    width = 512  # beside a setting

    # above a branch that is taken
    # inside of it
    print(RATE, width, helper(1))

    # at the end
    print("done")


if __name__ == "__main__":
    main(__file__)
