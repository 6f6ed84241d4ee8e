# -------------------------------------------------------- main --------------------------------------------------------


def main(script: str) -> None:
    words = iter(["one", "two"])
    print(list(words), sized(len(script)) > 3, f"no {script[:0]}False checks")


def sized(size: int) -> int:
    print("sized")
    return size


if __name__ == "__main__":
    main(__file__)
