from toolkit.components.config import Config


def main(cfg: Config, script: str) -> None:
    print(first(cfg, 1), middle(cfg, 2), last(cfg, 3), nested(cfg, 4))


def first(cfg: Config, x: int) -> str:
    # why the first branch is taken
    if cfg.model.ln_scale:
        return f"scaled {x}"
    # why the other is not
    elif x:
        return "x"
    else:
        return "plain"


def middle(cfg: Config, x: int) -> str:
    if x > 5:
        return "large"  # stays
    elif cfg.model.skip_gates:
        # goes
        return "gates"
    elif cfg.model.ln_scale:
        # becomes the rest
        return "scaled"
    else:
        return "plain"


def last(cfg: Config, x: int) -> str:
    text = "start"
    if cfg.model.skip_gates:
        text = "gates"
    elif (
        x
        > 2
    ):
        text = "x"
    else:
        text = "other"
    return text


def nested(cfg: Config, x: int) -> int:
    if cfg.model.ln_scale:
        if x:
            # two levels in
            y = """text
with lines
  of its own"""
            print(y)

        for i in range(2):
            if not cfg.model.ln_scale:
                x += 1
            else:
                x += 2
    return x
