"""Module docstrings become headings.

With all their lines.
"""

from toolkit.components.config import Config

# A comment above a constant.
# And its second line.
RATE = 0.5  # and one beside it


@staticmethod
def helper(x: int) -> int:  # beside a header
    # inside a body
    return x  # beside a statement


def main(
    cfg: Config,  # the recipe
    script: str,  # the file
) -> None:
    """A docstring."""

    # above a statement
    width = cfg.model.model_dim  # beside a setting

    # above a branch that is taken
    if cfg.model.num_layers:
        # inside of it
        print(RATE, width, helper(1))

    # above a branch that is not
    if cfg.model.skip_gates:
        # inside of that
        print("never")

    # at the end
    print("done")
