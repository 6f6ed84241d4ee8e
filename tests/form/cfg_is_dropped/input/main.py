from toolkit.components.config import Config
from toolkit.components.model import Model, scaled


def main(cfg: Config, script: str) -> None:
    model = Model(cfg, 2)
    print(model.run(cfg, 3), scaled(cfg), scaled(cfg, 4.0), [f"{scaled(cfg, i)}" for i in range(2)])
    print(
        scaled(
            cfg,  # the recipe
            5.0,
        )
    )
