"""Functions of `cfg` alone, beside the settings."""


def layer_order(cfg):
    return (*range(cfg.model.num_layers), *range(cfg.model.num_layers - 2, -1, -1))


def is_deep(cfg):
    return cfg.model.num_layers > 8


def depth_name(cfg):
    return f"{cfg.model.num_layers} layers"
