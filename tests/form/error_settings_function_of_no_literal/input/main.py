from toolkit.components.config import Config, layers


def main(cfg: Config, script: str) -> None:
    print(
        script,
        layers(cfg),
    )
