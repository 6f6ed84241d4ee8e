"""Progress of a run, read from its log: a short text and the share of the work that is done."""

import re
import time

_STAGE = re.compile(r"([\w -]+) val_loss:\S+ val_bpb:([\d.]+) eval_time:")
_STEP = re.compile(r"(\d+)/(\d+) train_loss: ([\d.]+)")
_TEXTS = {  # prefix of a line -> what is going on from now on
    "warmup_step": "warming up",
    "stopping_early": "training done",
    "GPTQ:collecting": "collecting Hessians",
    "GPTQ:collected": "quantizing",
    "Total submission size": "evaluating",
}


def stage_title(key: str) -> str:
    """Name of an evaluation for people: `final_int6_sliding_window` is "int6 sliding window"."""
    return "float" if key.startswith("pre-quantization") else key.removeprefix("final_").replace("_", " ")


class RunProgress:
    """Feed it the lines of a run in order; `text` and `share` (0 to 1) describe the present.

    Training counts for 0.8 of the work, whichever of clock and step count is further; evaluation is the rest.
    """

    def __init__(self) -> None:
        self.text = "starting"
        self.share = 0.0
        self._cap_seconds = 0.0
        self._training_since = time.monotonic()

    def feed(self, line: str) -> None:
        if line.startswith("  max_wallclock_seconds: "):
            self._cap_seconds = float(line.split()[1])
        elif line.startswith(
            ("model_params:", "warmup_step:")
        ):  # the last of these lines comes before the clock starts
            self._training_since = time.monotonic()
        if step := _STEP.match(line):
            spent = time.monotonic() - self._training_since
            by_clock = spent / self._cap_seconds if self._cap_seconds else 0.0
            self.share = 0.8 * min(1.0, max(by_clock, int(step[1]) / int(step[2])))
            self.text = f"step {step[1]}, loss {float(step[3]):.3f}"
        elif stage := _STAGE.match(line):
            self.share += 0.5 * (0.98 - self.share)  # how many stages will come is not known here
            self.text = f"{stage_title(stage[1])}: {float(stage[2]):.4f} BPB"
        elif line.startswith("total_eval_time:"):
            self.share = 1.0
        else:
            self.text = next((text for prefix, text in _TEXTS.items() if line.startswith(prefix)), self.text)
