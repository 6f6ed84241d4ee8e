"""What a run reads, checked before it starts: tokenizer, validation stream, the list of training shards."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sentencepiece as spm
import torch
from torch import Tensor

from toolkit.components.base.failure import InputError
from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config
from toolkit.components.setup.environment import Environment
from toolkit.components.text.byte_tables import byte_tables, count_target_bytes, load_tokenizer
from toolkit.components.text.shards import find_shards, read_shard, read_tokens


@dataclass(frozen=True)
class Inputs:
    """The same on all ranks."""

    tokenizer: spm.SentencePieceProcessor
    tokens: Tensor  # int64[N], the validation stream
    target_bytes: np.ndarray  # int64[N-1], bytes of tokens[1:]
    train_paths: list[Path]  # none for a run that only evaluates, which must not need them


def read_inputs(cfg: Config, env: Environment, ranks: Ranks) -> Inputs:
    """Read and check; `InputError` for a missing or foreign file, and where the ranks cannot share a batch."""
    tokenizer = load_tokenizer(env.tokenizer_path, cfg.model.vocab_size)
    tokens = read_tokens(find_shards(env.data_path, "val"), cfg.model.vocab_size)
    train_paths = []
    if not env.eval_only:
        train_paths = find_shards(env.data_path, "train")
        for path in train_paths:
            read_shard(path)
        if cfg.train.micro_batches % ranks.world_size:
            raise InputError(
                f"number of ranks: expected a divisor of train.micro_batches = {cfg.train.micro_batches}, "
                f"found {ranks.world_size}; start another --nproc_per_node"
            )
    target_bytes = count_target_bytes(byte_tables(tokenizer), tokens)
    return Inputs(tokenizer, torch.from_numpy(tokens.astype(np.int64)), target_bytes, train_paths)
