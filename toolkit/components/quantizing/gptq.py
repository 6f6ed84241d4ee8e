"""GPTQ (Frantar et al., arXiv 2210.17323): rounding a matrix so that its outputs, not its weights, stay close.

Columns are rounded one after another; what one loses is made up for by the columns not yet rounded, as far as the
Hessian of the layer's inputs says they can stand in for it.
"""

from functools import partial

import torch
from torch import Tensor, nn

from toolkit.components.artifact.integers import integer_tensor
from toolkit.components.artifact.quantized import QuantizedTensor
from toolkit.components.base.failure import InputError
from toolkit.components.base.fp16 import SMALLEST_STEP
from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config
from toolkit.components.model.gpt import GPT, parameter_kind
from toolkit.components.quantizing.passthrough import is_quantized, large_matrices, require_finite
from toolkit.components.quantizing.rounding import round_symbols, symbol_bits
from toolkit.components.text.loader import TokenLoader

DAMPING_ATTEMPTS = 5  # each with ten times the damping of the one before


def outer_products(x: Tensor) -> Tensor:
    """sum x x^T of [..., C] in float32, as float64 [C, C], where sums over batches lose next to nothing."""
    x = x.detach().flatten(0, -2).float()
    return (x.T @ x).double()


def watch_inputs(hessian: Tensor, _module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """Forward pre-hook: add the outer products of a layer's input [..., C] to its Hessian float64 [C, C]."""
    hessian += outer_products(inputs[0])


@torch.no_grad()
def collect_hessians(cfg: Config, model: GPT, loader: TokenLoader, ranks: Ranks) -> dict[str, Tensor]:
    """H = mean over batches of sum x x^T, fp32 [C, C], of each quantized linear map's inputs, by its weight's name.

    The tied table is rounded as the output layer that reads the final norm; a table that is only looked up has no H.
    `model` must not be compiled, or its hooks stay silent. Published records keep the sum of rank 0's batches alone,
    so their artifact depends on the number of ranks. Here `calibration_batches` are shared out and the sums added up:
    the same Hessians whatever the number of ranks, and a share of the time on each.
    """
    zeros = partial(torch.zeros, dtype=torch.float64, device=ranks.device)
    hessians: dict[str, Tensor] = {}
    hooks = []
    for name, module in model.named_modules():
        key = f"{name}.weight"
        if isinstance(module, nn.Linear) and is_quantized(cfg, key, module.weight):
            hessians[key] = zeros(module.in_features, module.in_features)
            hooks.append(module.register_forward_pre_hook(partial(watch_inputs, hessians[key])))
    head = zeros(cfg.model.model_dim, cfg.model.model_dim)
    for _ in range(ranks.rank, cfg.quantize.calibration_batches, ranks.world_size):
        tokens, _ = loader.next_batch()
        head += outer_products(model.final_hidden(tokens.to(ranks.device)))
    for hook in hooks:
        hook.remove()
    if is_quantized(cfg, "tok_emb.weight", model.tok_emb.weight):
        hessians["tok_emb.weight"] = head
    # Rounded, because the last bits depend on the order of sums, and no symbol may.
    return {name: (ranks.sum_(total) / cfg.quantize.calibration_batches).float() for name, total in hessians.items()}


def sd_clip_scale(weight: Tensor, clip_sigmas: float, q_max: int) -> Tensor:
    """SDClip (#1394): a row's largest symbol stands for k deviations (n - 1); [R, C] -> steps [R, 1], rounded to fp16.

    The deviation says nothing about the size of a row that is nearly constant; there the largest weight counts.
    """
    columns = weight.size(1)
    clip = clip_sigmas * weight.std(1, correction=min(columns - 1, 1), keepdim=True)
    clip = torch.where(clip > weight.mean(1, keepdim=True).abs(), clip, weight.abs().amax(1, keepdim=True))
    return (clip / q_max).clamp_min(SMALLEST_STEP).half().float()


def inverse_factor(hessian: Tensor, damping: float) -> Tensor:
    """Upper triangular U, positive diagonal, with U^T U = (H + damping * mean(diag H) * I)^-1; float64 [C, C].

    With H = R R^T, R upper triangular, U is R^-1, which spares forming the inverse itself. R is the Cholesky factor
    of H with both axes reversed. Where H is not positive definite for all its damping, the damping is raised.
    """
    reverse = hessian.double().flip(0, 1)
    identity = torch.eye(len(reverse), dtype=torch.float64, device=reverse.device)
    for attempt in range(DAMPING_ATTEMPTS):
        damped = reverse + damping * 10**attempt * reverse.diagonal().mean() * identity
        factor, failed = torch.linalg.cholesky_ex(damped)
        if not failed:
            return torch.linalg.solve_triangular(factor.flip(0, 1), identity, upper=True)
    raise InputError(
        f"Hessian: expected a positive definite matrix, found none with damping up to {damping * 10**attempt:g}; "
        "raise quantize.damping or quantize.calibration_batches"
    )


def gptq_symbols(
    weight: Tensor,  # [R, C]
    hessian: Tensor,  # [C, C], of the inputs
    scale: Tensor,  # [R, 1], one step a row
    q_max: int,
    damping: float,
    block_size: int,  # columns rounded before the others learn of it; changes the speed, not the result
) -> Tensor:
    """Symbols of a matrix, whole numbers of [-q_max, q_max] in weight's dtype and column order.

    Columns are taken by falling diagonal of H (act-order). An input that is always zero makes its column dead: it
    becomes zero, and does not count for the damping.
    """
    live = int((hessian.diagonal() > 0).sum())
    order = hessian.diagonal().argsort(descending=True, stable=True)[:live]
    symbols = torch.zeros_like(weight)
    if not live:
        return symbols
    w = weight.T[order].contiguous()  # one column of the matrix a row: contiguous
    q = torch.empty_like(w)
    u = inverse_factor(hessian[order][:, order], damping).to(w.dtype)
    for start in range(0, live, block_size):
        end = min(start + block_size, live)
        errors = torch.empty_like(w[start:end])
        for i in range(start, end):
            q[i] = round_symbols(w[i], scale[:, 0], q_max)
            errors[i - start] = (w[i] - scale[:, 0] * q[i]) / u[i, i]
            w[i + 1 : end].addr_(u[i, i + 1 : end], errors[i - start], alpha=-1)
        w[end:] -= u[start:end, end:].T @ errors
    symbols[:, order] = q.T
    return symbols


def gptq_matrix(cfg: Config, name: str, weight: Tensor, hessian: Tensor | None) -> QuantizedTensor:
    """Symbols and steps of a weight float32 [R, C]; rounds to nearest where there is no Hessian."""
    bits = symbol_bits(cfg, name)
    q_max = 2 ** (bits - 1) - 1
    is_table = parameter_kind(name) == "embed"
    clip_sigmas = cfg.quantize.embed_clip_sigmas if is_table else cfg.quantize.matrix_clip_sigmas
    scale = sd_clip_scale(weight, clip_sigmas, q_max)
    require_finite(f"{name}, scales", scale)
    if hessian is None:
        symbols = round_symbols(weight, scale, q_max)
    else:
        require_finite(f"{name}, Hessian", hessian)
        try:
            symbols = gptq_symbols(weight, hessian, scale, q_max, cfg.quantize.damping, cfg.quantize.block_size)
        except InputError as error:
            raise InputError(f"{name}, {error}") from None
    return integer_tensor(bits, symbols, scale)


def gptq_matrices(cfg: Config, state: dict[str, Tensor], hessians: dict[str, Tensor]) -> dict[str, QuantizedTensor]:
    return {name: gptq_matrix(cfg, name, weight, hessians.get(name)) for name, weight in large_matrices(cfg, state)}
