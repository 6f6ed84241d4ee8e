from toolkit.components.one import a


def main(cfg, script):
    a()
