"""Process ranks: one value that works the same for one process and for many."""

import os
from dataclasses import dataclass

import torch
import torch.distributed as dist


@dataclass(frozen=True)
class Ranks:
    """Place of this process among all; with `world_size` 1 every collective is a no-op."""

    rank: int
    world_size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def sum_(self, tensor: torch.Tensor) -> torch.Tensor:
        """All-reduce in place with SUM; the same bits arrive on every rank."""
        if self.world_size > 1:
            dist.all_reduce(tensor)
        return tensor

    def any(self, flag: bool) -> bool:
        """True on all ranks as soon as one of them says so."""
        count = torch.tensor(float(flag), device=self.device)
        return bool(self.sum_(count).item() > 0)

    def barrier(self) -> None:
        if self.world_size > 1:
            dist.barrier()


def open_ranks() -> Ranks:
    """Join the process group that torchrun announces in the environment: NCCL on CUDA, gloo on CPU."""
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    rank = int(os.environ.get("RANK", "0"))
    device = torch.device("cpu")
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    if world_size > 1:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return Ranks(rank, world_size, device)


def close_ranks(ranks: Ranks) -> None:
    if ranks.world_size > 1:
        dist.destroy_process_group()
