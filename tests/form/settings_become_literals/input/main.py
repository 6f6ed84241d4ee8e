"""Every read of a setting becomes its value, properties included."""

from toolkit.components.config import Config


def main(cfg: Config, script: str) -> None:
    print(cfg.name, cfg.model.num_layers, cfg.model.head_dim, cfg.quantize.label)
    print(f"layers {cfg.model.num_layers:03d} of {script!s:.0}{cfg.quantize.matrix_bits}")
    print(-cfg.model.num_layers**2, (cfg.model.num_layers).bit_length(), cfg.evaluate.stages[-1])
    for stage in cfg.evaluate.stages:
        print(stage, "sliding" in cfg.evaluate.stages)
