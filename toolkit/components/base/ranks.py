"""Process ranks: one value that works the same for one process and for many."""

import importlib
import os
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Ranks:
    """Place of this process among all; with `world_size` 1 every collective is a no-op."""

    rank: int
    world_size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def sum_(self, tensor: Tensor) -> Tensor:
        """All-reduce in place with SUM; the same bits arrive on every rank."""
        if self.world_size > 1:
            try:
                dist.all_reduce(tensor)
            except RuntimeError as error:
                if "peer" not in str(error):
                    raise
                os._exit(1)  # another rank is gone and has said why; nothing is left to be cleaned up
        return tensor

    def sum_all_(self, tensors: list[Tensor]) -> None:
        """`sum_` of many tensors of one dtype, in one flat buffer."""
        if self.world_size > 1:
            flat = self.sum_(torch.cat([tensor.flatten() for tensor in tensors]))
            for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
                tensor.copy_(part.view_as(tensor))

    def barrier(self) -> None:
        """Wait until all ranks are here."""
        self.sum_(torch.zeros((), device=self.device)).item()


def open_ranks() -> Ranks:
    """Join the process group that torchrun announces in the environment: NCCL on CUDA, gloo on CPU."""
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    rank = int(os.environ.get("RANK", "0"))
    device = torch.device("cpu")
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
        torch.set_float32_matmul_precision("high")  # TF32 for what is not bf16
    if world_size > 1:
        # Loaded later, by the first optimizer, dynamo would keep the group as a default argument of its functions. The
        # group would outlive `close_ranks`, and a thread of gloo now and then abort the interpreter's exit.
        importlib.import_module("torch._dynamo")
        # The time limit is for ranks that wait while one of them quantizes or mixes.
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=timedelta(hours=2))
    return Ranks(rank, world_size, device)


def close_ranks(ranks: Ranks) -> None:
    if ranks.world_size > 1:
        dist.destroy_process_group()
