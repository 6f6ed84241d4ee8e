from toolkit.components.one import other


def area():
    return 1


def main(cfg, script):
    area()
