"""Methods and instances that go where their calls are not seen."""

from functools import partial

from toolkit.components.config import Config


class Handler:
    """`handle` is handed on as a value, `label` is not."""

    def handle(self, number: int, loud: bool = False) -> None:
        print(self.label(number, False), "!" if loud else "")

    def label(self, number: int, long: bool) -> str:
        return f"number {number}" if long else str(number)


class Keeper:
    """Its instances go to foreign code, which may call anything."""

    def keep(self, number: int, twice: bool) -> int:
        return 2 * number if twice else number


class Left:
    """Has a method of the same name as `Right`, whose calls differ."""

    def side(self, number: int, flag: bool) -> int:
        return number if flag else -number


class Right:
    def side(self, number: int, flag: bool) -> int:
        return number + flag


def main(cfg: Config, script: str) -> None:
    handler = Handler()
    handler.handle(1, False)
    each([2, 3], handler.handle)
    keeper = Keeper()
    print(keeper.keep(4, False), partial(run, keeper)(True))
    print(Left().side(5, False), Right().side(6, True))


def each(numbers: list[int], call) -> None:
    for number in numbers:
        call(number, True)


def run(keeper: Keeper, twice: bool) -> int:
    return keeper.keep(7, twice)
