# -------------------------------------------------------- main --------------------------------------------------------
# The host calls every part, whether it is on or not.


class Model:
    def __init__(self) -> None:
        self.blocks = ["a", "b", "c"][: 3]

    def run(self, tokens: list[int], x: int) -> str:
        y = (x + 1) * 2
        for depth, block in enumerate(self.blocks):
            if depth < 0:
                y += depth
            y += len(block) + 0
        return f"{y!r:>4} 0 {[z for z in tokens]}"

    def state(self) -> None:
        pass


def main(script: str) -> None:
    model = Model()
    print(model.run([1, 2], 3), model.state())
    print(list(script[:0]), (yes := 1), yes, None)


if __name__ == "__main__":
    main(__file__)
