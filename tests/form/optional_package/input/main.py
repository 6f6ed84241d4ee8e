from toolkit.components.config import Config
from toolkit.components.fast import fast_square


def main(cfg: Config, script: str) -> None:
    print(fast_square()(3))
