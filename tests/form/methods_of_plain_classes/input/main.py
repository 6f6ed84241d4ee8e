"""A flag goes through methods of a class of ours."""

from toolkit.components.config import Config


class Schedule:
    """All of its instances are followed, through the functions below."""

    def __init__(self, cfg: Config, rate: float) -> None:
        self.cfg = cfg
        self.rate = rate

    def scale(self, step: int, warm: bool, floor: float | None = None) -> float:
        """Two of these parameters are off."""
        rate = self.rate * step
        if warm:
            rate = self.warmed(rate, True)
        return rate if floor is None else max(rate, floor)

    def warmed(self, rate: float, halve: bool) -> float:
        return rate / 2 if halve else rate

    def __call__(self, step: int, warm: bool) -> None:
        print(self.scale(step, warm))


def main(cfg: Config, script: str) -> None:
    schedule = make_schedule(cfg, 0.5)
    schedule(3, cfg.model.skip_gates)
    report(schedule, cfg.model.skip_gates)


def make_schedule(cfg: Config, rate: float) -> Schedule:
    return Schedule(cfg, rate)


def report(schedule: Schedule, warm: bool) -> None:
    for step in range(2):
        print(schedule.scale(step, warm=warm, floor=None))
