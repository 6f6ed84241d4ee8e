# ------------------------------------------------------- model --------------------------------------------------------
# A class that keeps the recipe, and a function that takes it.


class Model:
    def __init__(
        self,
        width: int,
    ) -> None:
        self.width = width

    def run(self, x: int) -> int:
        return x * self.width + 9 - 8


def scaled(x: float = 1.0) -> float:
    return x * 1.5


# -------------------------------------------------------- main --------------------------------------------------------


def main(script: str) -> None:
    model = Model(2)
    print(model.run(3), scaled(), scaled(4.0), [f"{scaled(i)}" for i in range(2)])
    print(
        scaled(
            5.0,
        )
    )


if __name__ == "__main__":
    main(__file__)
