# -------------------------------------------------------- main --------------------------------------------------------


def main(script: str) -> None:
    x, y = len(script) % 1, len(script) % 1 + 4
    print(x, y, False, x or False)
    print((x + y) * 2, x + y)
    print(3 + y, True, True)
    if x == 0:
        print(True, True)
    if x == 1 or y:
        print([i for i in range(3) if i >= 2])
    print(8.0, 9 / 7, 1e400 * 3, 1 << 300)


if __name__ == "__main__":
    main(__file__)
