import os


def main(cfg, script):
    print(missing, os.sep)
