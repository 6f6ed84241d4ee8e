"""The host calls every part, whether it is on or not."""

from toolkit.components.config import Config
from toolkit.components.part import add_table, count_extra, prepare, shift, visits


class Model:
    def __init__(self, cfg: Config) -> None:
        self.cfg = cfg
        self.blocks = ["a", "b", "c"][: cfg.model.num_layers]
        # goes with the statement
        prepare(cfg, self)

    def run(self, tokens: list[int], x: int) -> str:
        x = add_table(self.cfg, self, tokens, x)
        x: int = shift(self.cfg, self, shift(self.cfg, self, x))  # both
        y = shift(self.cfg, self, x=x + 1) * 2
        for depth, block in enumerate(visits(self.cfg, self, self.blocks)):
            if depth < count_extra(self.cfg):
                y += depth
            y += len(block) + -count_extra(self.cfg, self) ** 2
        prepare(self.cfg, model=self)
        return f"{shift(self.cfg, self, y)!r:>4} {count_extra(self.cfg)} {[shift(self.cfg, self, z) for z in tokens]}"

    def state(self) -> None:
        prepare(self.cfg, self)


def main(cfg: Config, script: str) -> None:
    model = Model(cfg)
    print(model.run([1, 2], 3), model.state())
    print(shift(cfg, model, list(script[:0])), shift(cfg, model, (yes := 1)), yes, prepare(cfg, model))
