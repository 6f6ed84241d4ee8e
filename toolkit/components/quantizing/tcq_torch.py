"""The trellis quantizer in torch: for machines without a C compiler, on the GPU where there is one.

Viterbi goes down a column one row at a time and the columns one after another, so time goes by rows times columns of
each shape and not by the number of matrices, which go together.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from toolkit.components.artifact.tcq_coder import next_states
from toolkit.components.config import Config


def best_paths(
    branches: Tensor,  # int64 [2 * S]: twice the state plus the symbol's parity, by the state they lead to
    columns: Tensor,  # [B, R], in half steps
    along_rows: Tensor | None,  # [B, R, R]
    costs: Tensor,  # [B, R]
) -> Tensor:
    """Points of one column in each of B matrices, float32 [B, R]: the best survivor of the trellis."""
    states = len(branches) // 2
    origins, rests = branches >> 1, ((branches >> 1 & 1) + 2 * (branches & 1)).float()  # of points, divided by 4
    firsts = 2 * torch.arange(states, device=columns.device)
    paths = columns[:, None].repeat(1, states, 1)  # a survivor's points, then what is left of its weights
    totals = torch.full_like(paths[:, :, 0], torch.inf)
    totals[:, 0] = 0
    for r in range(columns.size(1)):
        weights = paths[:, :, r].index_select(1, origins)
        points = ((weights - rests) / 4).round() * 4 + rests
        errors = weights - points
        reached = totals.index_select(1, origins) + costs[:, r, None] * errors * errors
        totals, branch = reached.unflatten(1, (states, 2)).min(2)
        branch += firsts
        paths = paths.gather(1, origins[branch][:, :, None].expand_as(paths))
        paths[:, :, r] = points.gather(1, branch)
        if along_rows is not None:
            paths -= errors.gather(1, branch)[:, :, None] * along_rows[:, r, None]
    return paths.take_along_dim(totals.argmin(1)[:, None, None], 1)[:, 0]


def trellis_points(
    cfg: Config,
    weights: Tensor,  # [B, C, R], in half steps
    along_columns: Tensor,  # [B, C, C]
    along_rows: Tensor | None,  # [B, R, R]
    costs: Tensor,  # [B, R]
) -> Tensor:
    """Points of B matrices, float32 [B, C, R]: those of `TCQ_ENGINE`, but for the order of sums over columns."""
    branches = torch.from_numpy(next_states(cfg.tcq.states).argsort(kind="stable")).to(weights.device)
    points, errors = torch.zeros_like(weights), torch.zeros_like(weights)
    at = torch.zeros(1, dtype=torch.int64, device=weights.device)  # not a number in Python, so that graphs can count

    def advance() -> None:
        column = (weights.index_select(1, at) - along_columns.index_select(1, at) @ errors)[:, 0]
        chosen = best_paths(branches, column, along_rows, costs)
        points.index_copy_(1, at, chosen[:, None])
        errors.index_copy_(1, at, (column - chosen)[:, None])
        at.add_(1)

    advance()
    step: Callable[[], None] = advance
    if weights.is_cuda:  # launching the kernels of each row one by one takes longer than they do
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            advance()
        step = graph.replay
    for _ in range(weights.size(1) - 1):
        step()
    return points
