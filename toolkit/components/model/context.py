"""What the blocks of one forward pass share."""

from torch import Tensor


class Context:
    """What blocks receive beside the activations.

    A component that hands something from one place to another declares it here and sets it itself: where it is off,
    nothing of it is left.
    """

    value_embeds: dict[int, Tensor]  # by layer, [B, T, kv_dim]
    first_values: Tensor  # of the first layer's attention, [B, T, Hkv, D]

    def __init__(self, x0: Tensor, rotary: tuple[Tensor, Tensor]) -> None:
        self.x0 = x0  # the stack's first activation, [B, T, model_dim]
        self.rotary = rotary  # of `rotary_tables`
        self.skips: list[Tensor] = []  # outputs of layers that are still to be merged
