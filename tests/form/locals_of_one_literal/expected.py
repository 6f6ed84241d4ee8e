# -------------------------------------------------------- main --------------------------------------------------------
# Values follow a local that is set once.


def main(script: str) -> None:
    print(single(2), several(3), inside(), tested(5))
    print(early(1), twice(6), one_arm(7), changed(), named())


def single(x: int) -> list[int]:
    return [x]


def several(x: int) -> str:
    y = x + 1
    return f"{y}, not None"


def inside() -> list[int]:
    def scaled(y: int) -> int:
        return y

    return [scaled(y) for y in range(2)]


def tested(x: int) -> list[int]:
    """A number moves where its truth decides."""
    return [x]


def named() -> int:
    """A number that only counts keeps its name."""
    layers = 9
    return layers * layers + layers


def early(x: int) -> list[bool]:
    """Read above where it is set, in the next turn of the loop."""
    seen = []
    for i in range(x + 1):
        if i:
            seen.append(flag)
        flag = False
    return seen


def twice(x: int) -> bool:
    flag = False
    if x > 5:
        flag = True
    return flag


def one_arm(x: int) -> bool:
    if x:
        flag = False
    return flag


def changed() -> bool:
    flag = False

    def change() -> None:
        nonlocal flag
        flag = not flag

    change()
    return flag


if __name__ == "__main__":
    main(__file__)
