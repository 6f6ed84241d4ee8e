"""Scorers and scores against the definition, one target at a time; stages, their names and their lines in the log."""

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
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
from toolkit.components.scoring.roundtrip import roundtrip_rows, score_blocks
from toolkit.components.scoring.score import charge
from toolkit.components.scoring.sliding import sliding_rows
from toolkit.components.scoring.windows import window_rows
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


class Alike(Ranks):
    """One of two ranks that do the same."""

    def sum_(self, tensor: Tensor) -> Tensor:
        return tensor.mul_(2)


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


def sliding_nats(cfg: Config, model: GPT, tokens: Tensor) -> Tensor:
    return charge("sliding", sliding_rows(cfg, model, tokens, ALONE), tokens, ALONE)


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
    nats = sliding_nats(config(stride), model, tokens)
    assert nats.dtype == torch.float64
    torch.testing.assert_close(nats, torch.stack(expected), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("length", "stride"), SHAPES)
@pytest.mark.parametrize("world_size", [1, 2, 5])
def test_the_ranks_share_all_targets_in_order(model: GPT, length: int, stride: int, world_size: int) -> None:
    cfg, tokens = config(stride, batch_windows=2), stream(length)
    indices: list[int] = []
    targets: list[int] = []
    for rank in range(world_size):
        for first, logits, part in sliding_rows(cfg, model, tokens, Ranks(rank, world_size, CPU)):
            assert len(logits) == len(part) <= SEQ_LEN + stride  # two windows at most, the first one whole
            indices += range(first, first + len(part))
            targets += part.tolist()
    assert indices == list(range(length - 1))
    assert targets == tokens[1:].tolist()


def test_the_shares_of_two_ranks_add_up(model: GPT) -> None:
    tokens = stream(50)
    whole = sliding_nats(config(3), model, tokens)
    shares = chain.from_iterable(sliding_rows(config(3), model, tokens, Ranks(rank, 2, CPU)) for rank in (0, 1))
    torch.testing.assert_close(charge("sliding", shares, tokens, ALONE), whole, rtol=0, atol=1e-6)


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
    before, after = (sliding_nats(config(3), model, each) for each in (tokens, other))
    assert before[: changed - 1].equal(after[: changed - 1])
    assert (before[changed - 1 :] != after[changed - 1 :]).all()


def short_text() -> tuple[spm.SentencePieceProcessor, Tensor, np.ndarray]:
    """A tokenizer, some of the text that it was trained on, and the bytes of its targets."""
    texts = ["one two three, one two four", "für 12 is not a word: für is"] * 30
    tokenizer = spm.SentencePieceProcessor(model_proto=train_tokenizer(texts, VOCAB_SIZE))
    ids = np.array([token for text in texts[:4] for token in tokenizer.encode(text, add_bos=True)])
    return tokenizer, torch.from_numpy(ids), count_target_bytes(byte_tables(tokenizer), ids)


def test_the_stages_of_a_recipe_end_in_their_log_lines(model: GPT, tmp_path: Path) -> None:
    """Labels, sums and order, with every stage on; a mixer's sums are over the same targets and bytes."""
    cfg = config(stride=3, stages=("roundtrip", "sliding", "sliding+ppm_seed", "sliding+ppm_trie"))
    tokenizer, tokens, target_bytes = short_text()
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
        assert bpb == pytest.approx(loss * len(target_bytes) / math.log(2) / target_bytes.sum(), rel=1e-7)
    blocks, sliding = score_blocks(cfg, model, tokens, ALONE), sliding_nats(cfg, model, tokens)
    assert scores["final_int6_roundtrip"][0] == pytest.approx(blocks.mean().item(), abs=1e-8)
    assert scores["final_int6_sliding_window"][0] == pytest.approx(sliding.mean().item(), abs=1e-8)
    assert scores["final_int6_ppm_trie"][0] < scores["final_int6_sliding_window"][0]
    assert re.fullmatch(r"total_eval_time:\d+\.\ds", last)


@pytest.mark.parametrize("spelling", ["text", "names"])
def test_the_bytes_of_the_seed_mixture_are_those_of_its_spelling(model: GPT, tmp_path: Path, spelling: str) -> None:
    cfg = replace(config(stages=("sliding+ppm_seed",)), ppm_seed=PpmSeed(spelling=spelling))
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


def test_mixers_run_on_any_scorer_and_its_network_once(model: GPT, tmp_path: Path) -> None:
    """Labels name the scorer where two are mixed; what is mixed needs no line of the scorer's own."""
    stages = ("roundtrip+ppm_trie", "sliding", "sliding+ppm_seed", "sliding+ppm_trie")
    labels = ["roundtrip_ppm_trie", "sliding_window", "sliding_ppm_seed", "sliding_ppm_trie"]
    tokenizer, tokens, target_bytes = short_text()
    log = Log(tmp_path / "log.txt", enabled=True)
    calls: list[int] = []
    handle = model.register_forward_pre_hook(lambda *_: calls.append(1))
    try:
        run_stages(config(3, stages=stages), model, tokens, target_bytes, tokenizer, ALONE, log)
        passes = len(calls)
        for rows in (roundtrip_rows, sliding_rows):
            list(rows(config(3), model, tokens, ALONE))
    finally:
        handle.remove()
    assert re.findall(r"final_int6_(\w+)", log.path.read_text()) == labels
    assert 2 * passes == len(calls)


def in_slices(cfg: Config, model: GPT, tokens: Tensor) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Windows slice by slice, each with the last target of the one before: the mistake that is easily made."""
    for start in range(0, len(tokens) - 1, 10):
        for first, logits, targets in window_rows(cfg, model, tokens[max(0, start - 1) : start + 11], ALONE, 3):
            yield max(0, start - 1) + first, logits, targets


def without_the_last(cfg: Config, model: GPT, tokens: Tensor) -> Iterator[tuple[int, Tensor, Tensor]]:
    for first, logits, targets in sliding_rows(cfg, model, tokens, ALONE):
        yield first, logits[: len(tokens) - 2 - first], targets[: len(tokens) - 2 - first]


def backwards(cfg: Config, model: GPT, tokens: Tensor) -> Iterator[tuple[int, Tensor, Tensor]]:
    yield from reversed(list(sliding_rows(cfg, model, tokens, ALONE)))


def test_a_scorer_charges_every_target_once_and_in_order(model: GPT) -> None:
    tokens = stream(30)
    charge("slices", in_slices(config(3), model, tokens[:11]), tokens[:11], ALONE)
    message = r"scorer slices: expected targets in order, from 10 on, found 9 next"
    with pytest.raises(AssertionError, match=message):
        charge("slices", in_slices(config(3), model, tokens), tokens, ALONE)
    with pytest.raises(AssertionError, match=r"scorer short: expected target 28 charged once, found 0 charges"):
        charge("short", without_the_last(config(3), model, tokens), tokens, ALONE)
    with pytest.raises(AssertionError, match=r"scorer last: expected targets in order, from 29 on, found \d+ next"):
        charge("last", backwards(config(3), model, tokens), tokens, ALONE)
    rows = sliding_rows(config(3), model, tokens, ALONE)
    with pytest.raises(AssertionError, match=r"scorer both: expected target 0 charged once, found 2 charges"):
        charge("both", rows, tokens, Alike(0, 2, CPU))


@pytest.mark.parametrize(
    ("stages", "found"),
    [
        ((), "[]"),
        (("sliding", "roundtrip"), "['sliding', 'roundtrip']"),
        (("sliding", "sliding"), "['sliding', 'sliding']"),
        (("sliding+ppm_trie", "sliding+ppm_seed"), "['sliding+ppm_trie', 'sliding+ppm_seed']"),
        (("sliding+ppm_trie", "sliding"), "['sliding+ppm_trie', 'sliding']"),
        (("x",), "'x'"),
        (("sliding+x",), "'sliding+x'"),
        (("ppm_trie+sliding",), "'ppm_trie+sliding'"),
        (("sliding+ppm_seed+ppm_trie",), "'sliding+ppm_seed+ppm_trie'"),
    ],
)
def test_stages_come_once_and_in_order(stages: tuple[str, ...], found: str) -> None:
    known = "roundtrip, roundtrip+ppm_seed, roundtrip+ppm_trie, sliding, sliding+ppm_seed, sliding+ppm_trie"
    with pytest.raises(InputError, match=r"^evaluate\.stages: expected [^\n]+$") as error:
        Evaluate(stages)
    assert str(error.value).endswith(f" of {known}, found {found}")


def test_a_mixer_without_a_scorer_is_told_the_new_form() -> None:
    with pytest.raises(InputError) as error:
        Evaluate(("roundtrip", "ppm_trie"))
    expected = "evaluate.stages: expected a mixer on its scorer, as in sliding+ppm_trie, found 'ppm_trie'"
    assert str(error.value) == expected


def test_what_runs_is_told_from_the_stages() -> None:
    evaluate = Evaluate(("roundtrip", "sliding+ppm_trie"))
    assert (evaluate.scorers, evaluate.mixed, evaluate.mixers) == (
        ("roundtrip", "sliding"),
        ("sliding",),
        ("ppm_trie",),
    )
    assert Evaluate().mixed == Evaluate().mixers == ()
