# -------------------------------------------------------- main --------------------------------------------------------
# Calls of functions that stand beside the settings: they run before there is a script.


class Stack:
    def __init__(self) -> None:
        pass

    def visits(self) -> list[int]:
        return [layer for layer in (0, 1, 2, 1, 0)]  # in order


def main(script: str) -> None:
    print(Stack().visits(), 5, 1, -4)
    print(f"3 layers: {(0, 1, 2, 1, 0)[:2]} {script != '3 layers'}")


if __name__ == "__main__":
    main(__file__)
