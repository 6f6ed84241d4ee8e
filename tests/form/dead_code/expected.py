# -------------------------------------------------------- main --------------------------------------------------------


def main(script: str) -> None:
    print(choose(3), stores(4))


def choose(x: int) -> str:
    return f"coprime {x}"


def stores(x: int) -> int:
    effect = print("kept")

    return x


if __name__ == "__main__":
    main(__file__)
