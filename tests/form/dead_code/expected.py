# -------------------------------------------------------- main --------------------------------------------------------


def main(script: str) -> None:
    print(choose(3), stores(4), functions(5))


def choose(x: int) -> str:
    return f"coprime {x}"


def stores(x: int) -> int:
    effect = print("kept")

    return x


def functions(x: int) -> int:
    count = x

    def kept(y: int) -> int:
        return y + count

    return kept(x)


if __name__ == "__main__":
    main(__file__)
