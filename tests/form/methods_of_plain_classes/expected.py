# -------------------------------------------------------- main --------------------------------------------------------
# A flag goes through methods of a class of ours.


class Schedule:
    """All of its instances are followed, through the functions below."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def scale(self, step: int) -> float:
        """Two of these parameters are off."""
        rate = self.rate * step
        return rate

    def __call__(self, step: int) -> None:
        print(self.scale(step))


def main(script: str) -> None:
    schedule = make_schedule(0.5)
    schedule(3)
    report(schedule)


def make_schedule(rate: float) -> Schedule:
    return Schedule(rate)


def report(schedule: Schedule) -> None:
    for step in range(2):
        print(schedule.scale(step))


if __name__ == "__main__":
    main(__file__)
