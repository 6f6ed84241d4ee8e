def main(cfg, script):
    """Doc."""
    model = cfg.model
    print(model.num_layers)
