"""For packing, some of these move to their only call; what runs, and in which order, stays."""

from toolkit.components.config import Config


class Box:
    def __init__(self, size: int) -> None:
        fill(self, say("size", size))
        self.items = [row for row in counted(size)]

    def total(self) -> int:
        return add(say("left", self.size), say("right", 2)) + add_swapped(say("first", 3), say("second", 4))


def say(text: str, value: int) -> int:
    print(text)
    return value


def fill(box: Box, size: int) -> None:
    """One statement, called as one."""
    box.size = size


def counted(size: int) -> list[int]:
    return [row + size for row in range(size)]


def add(a: int, b: int) -> int:
    return a + b


def add_swapped(a: int, b: int) -> int:
    """In this order the arguments may not run, so it stays."""
    return b - a


def later(start: int) -> object:
    """Reads the variable of its caller after that has been set anew, if it were to move."""
    return (start + row for row in range(2))


def captured(values: list[int]) -> int:
    """Would mean another `add` where it is called."""
    return add(len(values), 1) if values else 0


def report(text: str) -> None:
    if text:
        print("report", text)
    print(len(text))


def main(cfg: Config, script: str) -> None:
    box = Box(3)
    add = box.total()
    start = 1
    rows = later(start)
    start = 10
    print(box.items, add, captured(box.items), list(rows), start)
    report(script[:0])
