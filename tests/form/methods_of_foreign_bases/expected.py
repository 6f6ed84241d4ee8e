import logging

import torch
from torch import Tensor, nn


# -------------------------------------------------------- main --------------------------------------------------------
# A base from outside may call the methods of its heirs.


class Printer(logging.Handler):
    """`emit` is called by the base, `text` might be as far as anybody can see."""

    def emit(self, record: logging.LogRecord, loud: bool = False) -> None:
        print(self.text(record, False), "!" if loud else "")

    def text(self, record: logging.LogRecord, long: bool) -> str:
        return self.format(record) if long else record.getMessage()


class Layer(nn.Module):
    """`extra_repr` belongs to `nn.Module`; `doubled` does not."""

    def extra_repr(self, long: bool = False) -> str:
        return "a layer" if long else "layer"

    def doubled(self, x: Tensor) -> Tensor:
        return 2 * x

    def forward(self, x: Tensor) -> Tensor:
        return self.doubled(x)


class Scaled(nn.Linear):
    """Inherits more than `nn.Module` has."""

    def forward(self, x: Tensor, flag: bool = False) -> Tensor:
        return super().forward(x) * flag


def main(script: str) -> None:
    Printer().handle(logging.makeLogRecord({"msg": "hello"}))
    Printer().emit(logging.makeLogRecord({"msg": "again"}), False)
    layer = Layer()
    print(layer.extra_repr(False), layer(torch.ones(1)).tolist())
    print(list(Scaled(1, 1)(torch.ones(1), False).shape))


if __name__ == "__main__":
    main(__file__)
