"""Windows and scores against the definition: one target at a time, from the window that scores it."""

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sentencepiece as spm
import torch
from torch import Tensor

from toolkit.components.base.failure import InputError
from toolkit.components.base.log import Log
from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config
from toolkit.components.model.gpt import GPT
from toolkit.components.scoring.score import score_blocks, score_windows
from toolkit.components.scoring.windows import window_logits
from toolkit.components.settings.evaluate import Evaluate
from toolkit.components.settings.model import Model
from toolkit.components.settings.ppm_seed import PpmSeed
from toolkit.components.settings.ppm_trie import PpmTrie
from toolkit.components.settings.train import Train
from toolkit.components.stages import run_stages
from toolkit.components.text.byte_tables import byte_tables, count_target_bytes
from toolkit.data.tokenizer import train_tokenizer

CPU = torch.device("cpu")
ALONE = Ranks(0, 1, CPU)
SEQ_LEN = 8
VOCAB_SIZE = 320


class Share(Ranks):
    """One rank of several whose sums are left undone, so that its own share can be seen."""

    def sum_(self, tensor: Tensor) -> Tensor:
        return tensor


def config(stride: int = SEQ_LEN, batch_windows: int = 3, stages: tuple[str, ...] = ("roundtrip",)) -> Config:
    model = Model(vocab_size=VOCAB_SIZE, num_layers=2, model_dim=16, num_heads=2, num_kv_heads=1, embed_init_std=0.5)
    train = Train(seq_len=SEQ_LEN, batch_tokens=SEQ_LEN, micro_batches=1)
    return Config(
        model=model, train=train, evaluate=Evaluate(stages, stride, batch_windows), ppm_trie=PpmTrie(table_bits=12)
    )


@pytest.fixture(scope="module")
def model() -> GPT:
    torch.manual_seed(0)
    gpt = GPT(config())
    with torch.no_grad():
        for parameter in gpt.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))  # some of them start at zero
    return gpt


def stream(length: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(length).integers(0, VOCAB_SIZE, length))


def first_input(target: int, stride: int) -> int:
    """The first window that reaches a target scores it."""
    return next(start for start in range(0, target + 1, stride) if start + SEQ_LEN > target)


SHAPES = [(2, 3), (SEQ_LEN, 2), (SEQ_LEN + 1, 2), (SEQ_LEN + 2, 2), (41, 8), (42, 8), (40, 3), (30, 1), (57, 5)]


@pytest.mark.parametrize(("length", "stride"), SHAPES)
def test_each_target_is_scored_once_from_its_own_window(model: GPT, length: int, stride: int) -> None:
    tokens = stream(length)
    expected = []
    with torch.no_grad():
        for target in range(length - 1):
            context = tokens[first_input(target, stride) : target + 1]
            expected.append(-model(context[None])[0, -1].double().log_softmax(0)[tokens[target + 1]])
    nats = score_windows(config(stride), model, tokens, ALONE, stride)
    assert nats.dtype == torch.float64
    torch.testing.assert_close(nats, torch.stack(expected), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("length", "stride"), SHAPES)
@pytest.mark.parametrize("world_size", [1, 2, 5])
def test_the_ranks_share_all_targets_in_order(model: GPT, length: int, stride: int, world_size: int) -> None:
    cfg, tokens = config(stride, batch_windows=2), stream(length)
    indices: list[int] = []
    targets: list[int] = []
    for rank in range(world_size):
        for first, logits, part in window_logits(cfg, model, tokens, Ranks(rank, world_size, CPU), stride):
            assert len(logits) == len(part) <= SEQ_LEN + stride  # two windows at most, the first one whole
            indices += range(first, first + len(part))
            targets += part.tolist()
    assert indices == list(range(length - 1))
    assert targets == tokens[1:].tolist()


def test_the_shares_of_two_ranks_add_up(model: GPT) -> None:
    tokens = stream(50)
    whole = score_windows(config(3), model, tokens, ALONE, 3)
    shares = [score_windows(config(3), model, tokens, Share(rank, 2, CPU), 3) for rank in (0, 1)]
    assert not (shares[0] * shares[1]).any()
    torch.testing.assert_close(shares[0] + shares[1], whole, rtol=0, atol=1e-6)


def test_blocks_are_windows_that_do_not_overlap(model: GPT) -> None:
    """Against the loss of each block by itself, the last one short."""
    tokens = stream(3 * SEQ_LEN + 4)
    with torch.no_grad():
        total = sum(
            model(x[None], y[None]).item() * len(x)
            for x, y in zip(tokens[:-1].split(SEQ_LEN), tokens[1:].split(SEQ_LEN), strict=True)
        )
    assert score_blocks(config(stride=2), model, tokens, ALONE).sum().item() == pytest.approx(total, rel=1e-6)


@pytest.mark.parametrize("changed", [1, 9, 20, 29])
def test_no_score_sees_its_target_or_what_follows(model: GPT, changed: int) -> None:
    tokens = stream(30)
    other = tokens.clone()
    other[changed:] = (other[changed:] + 7) % VOCAB_SIZE
    before, after = (score_windows(config(3), model, each, ALONE, 3) for each in (tokens, other))
    assert before[: changed - 1].equal(after[: changed - 1])
    assert (before[changed - 1 :] != after[changed - 1 :]).all()


def test_the_stages_of_a_recipe_end_in_their_log_lines(model: GPT, tmp_path: Path) -> None:
    """Labels, sums and order, with every stage on; a mixer's sums are over the same targets and bytes."""
    cfg = config(stride=3, stages=("roundtrip", "sliding", "ppm_seed", "ppm_trie"))
    texts = ["one two three, one two four", "für 12 is not a word: für is"] * 30
    tokenizer = spm.SentencePieceProcessor(model_proto=train_tokenizer(texts, VOCAB_SIZE))
    ids = np.array([token for text in texts[:4] for token in tokenizer.encode(text, add_bos=True)])
    tokens, target_bytes = torch.from_numpy(ids), count_target_bytes(byte_tables(tokenizer), ids)
    log = Log(tmp_path / "log.txt", enabled=True)
    run_stages(cfg, model, tokens, target_bytes, tokenizer, ALONE, log)
    *lines, last = log.path.read_text().splitlines()
    found = [
        re.fullmatch(r"(\w+) val_loss:(\d+\.\d{8}) val_bpb:(\d+\.\d{8}) eval_time:(\d+)ms", line) for line in lines
    ]
    scores = {match[1]: (float(match[2]), float(match[3])) for match in found if match}
    stages = ["roundtrip", "sliding_window", "ppm_seed", "ppm_trie"]
    assert list(scores) == [f"final_int6_{stage}" for stage in stages]
    for loss, bpb in scores.values():
        assert bpb == pytest.approx(loss * (len(ids) - 1) / math.log(2) / target_bytes.sum(), rel=1e-7)
    blocks, sliding = score_blocks(cfg, model, tokens, ALONE), score_windows(cfg, model, tokens, ALONE, 3)
    assert scores["final_int6_roundtrip"][0] == pytest.approx(blocks.mean().item(), abs=1e-8)
    assert scores["final_int6_sliding_window"][0] == pytest.approx(sliding.mean().item(), abs=1e-8)
    assert scores["final_int6_ppm_trie"][0] < scores["final_int6_sliding_window"][0]
    assert re.fullmatch(r"total_eval_time:\d+\.\ds", last)


@pytest.mark.parametrize("spelling", ["text", "names"])
def test_the_bytes_of_the_seed_mixture_are_those_of_its_spelling(model: GPT, tmp_path: Path, spelling: str) -> None:
    cfg = replace(config(stages=("ppm_seed",)), ppm_seed=PpmSeed(spelling=spelling))
    texts = ["one two three, one two four", "f\u00fcr 12 is not a word: f\u00fcr is"] * 30
    tokenizer = spm.SentencePieceProcessor(model_proto=train_tokenizer(texts, VOCAB_SIZE))
    ids = np.array([token for text in ("one two \u65e5", "three") for token in tokenizer.encode(text, add_bos=True)])
    target_bytes = count_target_bytes(byte_tables(tokenizer), ids)
    log = Log(tmp_path / "log.txt", enabled=True)
    run_stages(cfg, model, torch.from_numpy(ids), target_bytes, tokenizer, ALONE, log)
    loss, bpb = map(float, re.findall(r" val_\w+:(\S+)", log.path.read_text()))
    names = "".join(tokenizer.id_to_piece(token) for token in ids[1:].tolist()).replace("\u2581", " ")
    num_bytes = {"text": target_bytes.sum(), "names": len(names.encode())}[spelling]
    assert bpb == pytest.approx(loss * len(target_bytes) / math.log(2) / num_bytes, rel=1e-6)


@pytest.mark.parametrize(
    "stages", [(), ("sliding", "roundtrip"), ("sliding", "sliding"), ("ppm_trie", "ppm_seed"), ("x",)]
)
def test_stages_come_once_and_in_order(stages: tuple[str, ...]) -> None:
    with pytest.raises(
        InputError, match=r"evaluate\.stages: expected .* roundtrip, sliding, ppm_seed, ppm_trie, found"
    ):
        Evaluate(stages)
