from toolkit.components.config import Config
from toolkit.components.shapes import Circle, area_of_square


def main(cfg: Config, script: str) -> None:
    if cfg.model.skip_gates:
        print(area_of_square(2))
    circle = Circle(1.5)
    circle.color = "red"
    print(circle.area())
