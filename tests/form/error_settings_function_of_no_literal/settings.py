def layers(cfg):
    return list(range(cfg.model.num_layers))
