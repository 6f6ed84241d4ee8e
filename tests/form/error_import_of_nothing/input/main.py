from toolkit.components.one import absent


def main(cfg, script):
    absent()
