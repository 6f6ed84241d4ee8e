"""The machine under a run: its name, the memory taken, and a model on it."""

import platform
import re
import resource
import sys
from pathlib import Path

import torch

from toolkit.components.config import Config
from toolkit.components.model.gpt import GPT


def hardware_name(device: torch.device) -> str:
    """Name of the GPU, or of the CPU with the number of threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    model = re.search(r"model name\s*: (.+)", cpuinfo.read_text() if cpuinfo.exists() else "")
    return f"{model[1] if model else platform.machine()}, {torch.get_num_threads()} threads"


def peak_memory(device: torch.device) -> str:
    """Log line of the GPU memory at its peak, or twice of what this process has had resident."""
    if device.type == "cuda":
        allocated, reserved = torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()
    else:
        unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss
        allocated = reserved = unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return f"peak memory allocated: {allocated >> 20} MiB reserved: {reserved >> 20} MiB"


def model_on(cfg: Config, device: torch.device) -> GPT:
    """A model under torch's current seed, the same on any device; on CUDA a call runs one graph per input shape."""
    model = GPT(cfg).to(device)
    if device.type == "cuda":
        model.compile(dynamic=False, fullgraph=True)
    return model
