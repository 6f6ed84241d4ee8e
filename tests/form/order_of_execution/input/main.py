"""The start comes last, whatever its name."""

from toolkit.components.alpha import Child
from toolkit.components.config import Config
from toolkit.components.zeta import LIMIT, Base


def main(cfg: Config, script: str) -> None:
    print(Child().size(), isinstance(Child(), Base), LIMIT)
