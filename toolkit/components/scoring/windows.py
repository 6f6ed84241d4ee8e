"""Windows over the validation stream: which context scores which target, and the logits that come of it.

Target i is token i + 1. A window holds up to `seq_len` inputs. The first window scores all its targets, each later one
its last `stride` (fewer at the end of the stream), so every target is scored exactly once and with at least
`seq_len - stride` tokens before it as soon as the stream is that long. `stride = seq_len` is the non-overlapping
evaluation. Windows ignore document boundaries, as in #1218.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config


def count_windows(num_targets: int, seq_len: int, stride: int) -> int:
    """Windows needed for `num_targets` targets; window k starts at input k * stride."""
    return 1 + max(0, -((seq_len - num_targets) // stride))


@torch.inference_mode()
def window_rows(
    cfg: Config, model: nn.Module, tokens: Tensor, ranks: Ranks, stride: int
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """This rank's share of the windows, in stream order and a batch at a time.

    `tokens` is int64[N] on the CPU. Yields the index of the first target, float32 logits [n, V] of n consecutive
    targets and the targets int64[n], on the rank's device. The ranks' shares are contiguous and disjoint and cover all
    N - 1 targets. All batches have the same shape, which compiled models need; memory is that of one.
    """
    num_targets = len(tokens) - 1
    num_windows = count_windows(num_targets, cfg.train.seq_len, stride)
    skipped = cfg.train.seq_len - stride  # targets at the start of a window that an earlier one has scored
    # Zeros after the last token fill the last window up; nothing before them sees them.
    padding = (num_windows - 1) * stride + cfg.train.seq_len - num_targets
    windows = F.pad(tokens, (0, padding)).unfold(0, cfg.train.seq_len + 1, stride)
    end = (ranks.rank + 1) * num_windows // ranks.world_size
    for start in range(ranks.rank * num_windows // ranks.world_size, end, cfg.evaluate.batch_windows):
        # A last batch is filled up with copies of the last window, cut off again below.
        batch = windows[torch.arange(start, start + cfg.evaluate.batch_windows).clamp_max(end - 1)].to(ranks.device)
        logits = model(batch[:, :-1])
        first = start * stride + skipped
        rows, targets = logits[:, skipped:].flatten(0, 1), batch[:, skipped + 1 :].flatten()
        if start == 0:
            first = 0
            rows, targets = torch.cat((logits[0, :skipped], rows)), torch.cat((batch[0, 1 : skipped + 1], targets))
        stop = min(num_targets, (min(start + cfg.evaluate.batch_windows, end) - 1) * stride + cfg.train.seq_len)
        yield first, rows[: stop - first].float(), targets[: stop - first]
