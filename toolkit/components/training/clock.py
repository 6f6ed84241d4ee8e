"""The clock of training, which stands still around validation."""

import time

import torch


class TrainingClock:
    """Seconds of training, the device synchronised wherever they are read; stopped around validation."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds = 0.0
        self.start()

    def now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def start(self) -> None:
        self.started = self.now()

    def read(self) -> float:
        return self.seconds + self.now() - self.started

    def stop(self) -> None:
        self.seconds = self.read()
