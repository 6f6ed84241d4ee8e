from toolkit.components.config import Config


def main(cfg: Config, script: str) -> None:
    x, y = len(script) % 1, len(script) % 1 + 4
    print(cfg.model.xsa_layers and x, cfg.model.skip_gates or y, not cfg.model.xsa_layers, x or cfg.model.skip_gates)
    print((x + y if cfg.model.xsa_layers else x - y) * 2, x - y if cfg.model.skip_gates else x + y)
    print(max(cfg.model.xsa_layers, 1) + y, cfg.model.num_layers // 2 * 2 == 8, 1 < cfg.model.xsa_layers <= 3)
    if x == 0 and cfg.model.xsa_layers:
        print(cfg.model.activation in ("relu2", "leaky_relu2"), "sliding" not in cfg.evaluate.stages)
    if cfg.model.xsa_layers and (x == 1 or y) and not cfg.model.skip_gates:
        print([i for i in range(3) if i >= cfg.model.xsa_layers - 1 and cfg.model.xsa_layers])
    print(2.0**cfg.model.xsa_layers, cfg.model.num_layers / 7, 1e400 * cfg.model.xsa_layers, 1 << 300)
