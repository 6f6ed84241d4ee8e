def depth(cfg):
    return cfg.model.num_layers
