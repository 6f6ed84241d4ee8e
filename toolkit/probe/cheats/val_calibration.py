"""ILLEGAL: the quantizer's Hessians come from the validation text (#728, #777)."""

from torch import Tensor

from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config
from toolkit.components.model.gpt import GPT
from toolkit.components.quantizing.gptq import collect_hessians as honest_collect_hessians
from toolkit.components.text.loader import TokenLoader, make_loader
from toolkit.components.text.shards import find_shards


def collect_hessians(cfg: Config, model: GPT, loader: TokenLoader, ranks: Ranks) -> dict[str, Tensor]:
    """From a loader of the shards that lie beside the training shards."""
    validation = make_loader(cfg, find_shards(loader.paths[0].parent, "val"), ranks.rank, ranks.world_size, 0)
    return honest_collect_hessians(cfg, model, validation, ranks)
