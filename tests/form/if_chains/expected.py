# -------------------------------------------------------- main --------------------------------------------------------


def main(script: str) -> None:
    print(first(1), middle(2), last(3), nested(4))


def first(x: int) -> str:
    # why the first branch is taken
    return f"scaled {x}"


def middle(x: int) -> str:
    if x > 5:
        return "large"  # stays
    else:
        # becomes the rest
        return "scaled"


def last(x: int) -> str:
    text = "start"
    if (
        x
        > 2
    ):
        text = "x"
    else:
        text = "other"
    return text


def nested(x: int) -> int:
    if x:
        # two levels in
        y = """text
with lines
  of its own"""
        print(y)

    for i in range(2):
        x += 2
    return x


if __name__ == "__main__":
    main(__file__)
