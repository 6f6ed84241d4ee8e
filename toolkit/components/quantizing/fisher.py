"""How sharply the loss reacts to each weight: second moments of what a layer reads and of what reaches its outputs.

The Fisher matrix of a linear map is taken as the Kronecker product of H = E[x x^T] of its inputs and G = E[g g^T] of
the loss gradients at its outputs (K-FAC, Martens and Grosse, arXiv 1503.05671), with labels sampled from the model
itself. An error dW then costs about tr(G dW H dW^T) / 2 nats per token.
"""

from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config
from toolkit.components.model.gpt import GPT
from toolkit.components.quantizing.gptq import outer_products
from toolkit.components.quantizing.passthrough import is_quantized
from toolkit.components.text.loader import TokenLoader


@dataclass(eq=False)
class Curvature:
    """Of one matrix [R, C], float64: `inputs` [C, C] and `outputs` [R, R], or [R] where outputs are independent.

    `uses` counts the positions that read the matrix; a layer that is run several times has several a token.
    """

    inputs: Tensor
    outputs: Tensor
    uses: Tensor

    def finish(self, positions: Tensor) -> None:
        """Sums to means: inputs per token, gradients per use. Rows never looked up count as half a time."""
        if self.outputs.ndim == 2:
            self.inputs /= positions
            self.outputs /= self.uses
        else:
            self.inputs /= self.uses
            self.outputs += 0.5
            self.outputs /= positions


def add_moments(total: Tensor, x: Tensor) -> None:
    """Hook of a tensor: add its outer products."""
    total += outer_products(x)


def watch_linear(curvature: Curvature, _module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    """Forward hook of a linear map."""
    curvature.inputs += outer_products(inputs[0])
    curvature.uses += inputs[0][..., 0].numel()
    output.register_hook(partial(add_moments, curvature.outputs))


def watch_table(curvature: Curvature, _module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    """Forward hook of a table: a row is what one-hot inputs read, so it is the rows that are independent."""
    curvature.outputs += inputs[0].flatten().bincount(minlength=len(curvature.outputs))
    curvature.uses += inputs[0].numel()
    output.register_hook(partial(add_moments, curvature.inputs))


def watch(
    cfg: Config, model: GPT, device: torch.device
) -> tuple[dict[str, Curvature], list[torch.utils.hooks.RemovableHandle]]:
    """Zeros for each quantized matrix by its weight's name, and the hooks that will add to them."""
    zeros = partial(torch.zeros, dtype=torch.float64, device=device)
    curvatures, hooks = {}, []
    for name, module in model.named_modules():
        key = f"{name}.weight"
        if not isinstance(module, (nn.Linear, nn.Embedding)) or not is_quantized(cfg, key, module.weight):
            continue
        rows, columns = module.weight.shape
        is_table = isinstance(module, nn.Embedding)
        curvatures[key] = Curvature(zeros(columns, columns), zeros((rows,) if is_table else (rows, rows)), zeros(()))
        hooks.append(module.register_forward_hook(partial(watch_table if is_table else watch_linear, curvatures[key])))
    return curvatures, hooks


def collect_curvatures(cfg: Config, model: GPT, loader: TokenLoader, ranks: Ranks) -> dict[str, Curvature]:
    """Curvature of each quantized matrix by its weight's name, from `calibration_batches` shared out over the ranks.

    `model` must not be compiled, or its hooks stay silent. Labels are drawn by the number of the batch, so that the
    result does not depend on the number of ranks.
    """
    curvatures, hooks = watch(cfg, model, ranks.device)
    zeros = partial(torch.zeros, dtype=torch.float64, device=ranks.device)
    head, positions, rare = zeros(cfg.model.model_dim, cfg.model.model_dim), zeros(()), zeros(cfg.model.vocab_size)
    for batch in range(ranks.rank, cfg.quantize.calibration_batches, ranks.world_size):
        tokens, _ = loader.next_batch()
        hidden = model.final_hidden(tokens.to(ranks.device))
        logits = model.logits(hidden).flatten(0, 1)
        shares = logits.detach().softmax(1)
        generator = torch.Generator(ranks.device).manual_seed(batch)
        labels = shares.multinomial(1, generator=generator)[:, 0]
        F.cross_entropy(logits, labels, reduction="sum").backward()
        positions += labels.numel()
        head += outer_products(hidden)
        rare += (shares * (1 - shares)).double().sum(0)
    for hook in hooks:
        hook.remove()
    model.zero_grad()
    positions = ranks.sum_(positions)
    for curvature in curvatures.values():
        for total in (curvature.inputs, curvature.outputs, curvature.uses):
            ranks.sum_(total)
        curvature.finish(positions)
    if "tok_emb.weight" in curvatures:
        add_tied_head(curvatures["tok_emb.weight"], ranks.sum_(head) / positions, ranks.sum_(rare) / positions)
    for curvature in curvatures.values():  # the last bits depend on the order of sums; what follows must not
        curvature.inputs, curvature.outputs = curvature.inputs.float().double(), curvature.outputs.float().double()
    return curvatures


def add_tied_head(table: Curvature, inputs: Tensor, outputs: Tensor) -> None:
    """Curvature of a table that is looked up and also read by the output layer.

    The sum of two products is none. Where a token is looked up as often as it is predicted, both have the same factor
    for it; so one product with their mean over all rows, and for each row the trace of its own sum.
    """
    trace = table.outputs.sum() * table.inputs.trace() + outputs.sum() * inputs.trace()
    both = table.outputs * table.inputs.trace() + outputs * inputs.trace()
    table.inputs = (table.outputs.sum() * table.inputs + outputs.sum() * inputs) / trace
    table.outputs = both
