"""The sums over a vocabulary, on a stream with byte pieces and tokens without text, and their command."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import sentencepiece as spm
import torch
from click.testing import CliRunner

from tests.support.tiny_run import TinyRun
from toolkit.components.artifact.artifact import encode_artifact
from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config
from toolkit.components.mixing.ppm_seed import mix_ppm_seed
from toolkit.components.mixing.ppm_trie import mix_ppm_trie
from toolkit.components.mixing.trie import Trie, TrieFeed
from toolkit.components.model.gpt import GPT
from toolkit.components.quantizing.methods import quantize_weights
from toolkit.components.scoring.score import charge
from toolkit.components.scoring.sliding import sliding_rows
from toolkit.components.settings.evaluate import Evaluate
from toolkit.components.settings.model import Model
from toolkit.components.settings.ppm_trie import PpmTrie
from toolkit.components.settings.train import Train
from toolkit.components.text.byte_tables import load_tokenizer, token_strings
from toolkit.components.text.shards import find_shards, read_tokens
from toolkit.probe.kraft import choose_targets, main, vocabulary_sums
from toolkit.recipe import load_recipe

ALONE = Ranks(0, 1, torch.device("cpu"))


@dataclass(frozen=True)
class Scene:
    cfg: Config
    model: GPT
    tokenizer: spm.SentencePieceProcessor
    stream: np.ndarray


@pytest.fixture(scope="module")
def scene(tiny_run: TinyRun) -> Scene:
    """The tiny recipe's vocabulary and validation text, with characters that it lacks, under an untrained network."""
    cfg = load_recipe(tiny_run.recipe)
    torch.manual_seed(0)
    tokenizer = load_tokenizer(tiny_run.root / "tokenizers" / "tiny.model", cfg.model.vocab_size)
    stream = read_tokens(find_shards(tiny_run.root / "datasets" / "tiny", "val"), cfg.model.vocab_size)
    rare = tokenizer.encode("\u65e5\u672c \U0001f600", add_bos=True)
    return Scene(cfg, GPT(cfg), tokenizer, np.concatenate((stream[:300], rare, stream[300:500])).astype(np.uint16))


def test_the_trie_is_a_distribution_everywhere_and_the_seed_is_not(scene: Scene) -> None:
    kinds = choose_targets(scene.tokenizer, scene.stream, 20)
    assert len(kinds) == 20
    assert set(kinds.values()) == {
        "after a token without text",
        "a token without text",
        "inside a run of bytes",
        "any",
    }
    tokens = torch.from_numpy(scene.stream.astype(np.int64))
    sums = vocabulary_sums(scene.cfg, scene.model, tokens, token_strings(scene.tokenizer), list(kinds))
    assert [z.target for z in sums] == sorted(kinds)
    assert max(abs(z.ppm_trie - 1) for z in sums) < 1e-9
    assert np.mean([z.ppm_seed for z in sums]) > 1.05


def test_a_fork_charges_what_the_whole_stream_would() -> None:
    """Both mixers over the stream again, once for every token in the place of its last."""
    strings = [b"", b"a", b"b", b" ", b"ab", b" a", b"abab", b"a"]
    model = Model(vocab_size=len(strings), num_layers=2, model_dim=16, num_heads=2, num_kv_heads=1, embed_init_std=0.5)
    cfg = Config(
        model=model,
        train=Train(seq_len=8, batch_tokens=8, micro_batches=1),
        evaluate=Evaluate(stride=3),
        ppm_trie=PpmTrie(table_bits=12),
    )
    gpt = GPT(cfg)
    tokens = torch.tensor([0, 1, 2, 3, 1, 2, 3, 5, 2, 4, 0, 5, 2, 3, 4, 6, 1, 2, 3])
    (z,) = vocabulary_sums(cfg, gpt, tokens, strings, [len(tokens) - 2])
    trie_sum = seed_sum = 0.0
    for token in range(len(strings)):
        tokens[-1] = token
        targets = tokens[1:].numpy()
        feed = TrieFeed(Trie(strings, ALONE.device), targets)
        nats = charge("sliding", feed.tap(sliding_rows(cfg, gpt, tokens, ALONE)), tokens, ALONE)
        trie_sum += mix_ppm_trie(cfg, targets, feed)[-1].neg().exp().item()
        seed_sum += mix_ppm_seed(cfg, strings, targets, nats)[-1].neg().exp().item()
    assert z.ppm_trie == pytest.approx(trie_sum, rel=1e-9)
    assert z.ppm_seed == pytest.approx(seed_sum, rel=1e-6)


def test_the_command_prints_both_columns(scene: Scene, tiny_run: TinyRun, tmp_path: Path) -> None:
    artifact = tmp_path / "final_model.ptz"
    artifact.write_bytes(encode_artifact(scene.cfg, quantize_weights(scene.cfg, scene.model.state_dict(), {})))
    data, tokenizer = tiny_run.root / "datasets" / "tiny", tiny_run.root / "tokenizers" / "tiny.model"
    arguments = [str(part) for part in (tiny_run.recipe, artifact, data, tokenizer)]
    result = CliRunner().invoke(main, [*arguments, "--positions", "5", "--tokens", "200"])
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0].split() == ["target", "ppm_trie", "Z", "-", "1", "ppm_seed", "Z", "what", "is", "there"]
    assert len(lines) == 7
    assert all(abs(float(line.split()[1])) < 1e-9 for line in lines[1:-1])
    artifact.write_bytes(artifact.read_bytes()[:-1])
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    assert len(result.output.splitlines()) == 1
