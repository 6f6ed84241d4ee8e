def sum(x):
    return x


def main(cfg, script):
    sum(1)
