from toolkit.components.config import Config, depth


def main(cfg: Config, script: str) -> None:
    print(depth(cfg, 1), map(depth, [cfg.name]))
    depth = 2
