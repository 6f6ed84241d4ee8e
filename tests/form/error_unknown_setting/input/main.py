def main(cfg, script):
    print(cfg.model.num_layer)
