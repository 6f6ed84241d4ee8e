"""Do the charges of a mixer form a code? Kraft sums over the whole vocabulary, by the scoring code itself.

At a target of a stream, each token of the vocabulary in turn takes the place of the true one and is charged without
being learned from. Z is the sum of exp(-nats) over all of them: 1 for a probability distribution, more for a score that
no decoder can live on. Covers the two mixers; the network's softmax is taken as given.

`python -m toolkit.probe.kraft RECIPE ARTIFACT DATA_PATH TOKENIZER_PATH` prints Z of both side by side.
"""

from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import sentencepiece as spm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.components.artifact.artifact import decode_artifact
from toolkit.components.artifact.schemes import dequantize_weights
from toolkit.components.base.failure import InputError
from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config
from toolkit.components.mixing.ppm_seed import mix_ppm_seed
from toolkit.components.mixing.trie import Trie, TrieFeed
from toolkit.components.model.gpt import GPT
from toolkit.components.scoring.sliding import sliding_rows
from toolkit.components.text.byte_tables import load_tokenizer, token_strings
from toolkit.components.text.shards import find_shards, read_tokens
from toolkit.errors import GolfError
from toolkit.probe.steps.ppm_trie import SteppingMixer
from toolkit.recipe import load_recipe

_CPU = Ranks(0, 1, torch.device("cpu"))


class KraftSum(NamedTuple):
    """Z of both mixers at one target of a stream: token target + 1."""

    target: int
    ppm_trie: float
    ppm_seed: float


def vocabulary_sums(
    cfg: Config,
    model: nn.Module,  # on the CPU
    tokens: Tensor,  # int64[N]
    strings: list[bytes],  # bytes of each token of the vocabulary
    targets: list[int],  # indices of targets to look at
) -> list[KraftSum]:
    """Kraft sums at these targets, in stream order; all targets before them are scored and learned from as they are."""
    stream = tokens[: max(targets) + 2]
    feed = TrieFeed(Trie(strings, _CPU.device), stream[1:].numpy())
    nats: list[float] = []
    rows: dict[int, Tensor] = {}
    for first, logits, part in sliding_rows(cfg, model, stream, _CPU):
        feed.add(first, logits, part)
        nats += F.cross_entropy(logits, part, reduction="none").tolist()
        rows |= {target: logits[target - first].clone() for target in targets if first <= target < first + len(part)}
    of_trie = trie_sums(cfg, stream[1:].numpy(), feed, rows)
    of_seed = seed_sums(cfg, strings, stream[1:].numpy(), np.array(nats), rows)
    return [KraftSum(target, of_trie[target], of_seed[target]) for target in sorted(rows)]


def choose_targets(tokenizer: spm.SentencePieceProcessor, tokens: np.ndarray, count: int) -> dict[int, str]:
    """`count` targets spread over a stream and what is special there: a fifth of each kind, the rest anywhere."""
    strings = token_strings(tokenizer)
    textless = np.array([not text for text in strings])[tokens]
    byte_piece = np.array([tokenizer.is_byte(token) for token in range(len(strings))])[tokens]
    kinds = {
        "after a token without text": textless[:-1],
        "a token without text": textless[1:],
        "inside a run of bytes": byte_piece[:-1] & byte_piece[1:],
        "any": np.ones(len(tokens) - 1, bool),
    }
    chosen: dict[int, str] = {}
    for kind, mask in kinds.items():
        found = [target for target in np.flatnonzero(mask).tolist() if target not in chosen]
        wanted = min(len(found), count - len(chosen) if kind == "any" else count // 5)
        chosen |= {found[i]: kind for i in np.linspace(0, len(found) - 1, wanted).astype(int)}
    return chosen


def trie_sums(
    cfg: Config,
    targets: np.ndarray,  # int64[n]
    feed: TrieFeed,  # the network's decisions along them
    rows: dict[int, Tensor],  # logits [V] of the targets to look at
) -> dict[int, float]:
    """Z of the mixture on the trie at these targets, from one walk up to the last of them."""
    mixer = SteppingMixer(cfg, feed.trie, len(targets))
    nodes = torch.arange(len(feed.trie.partials))
    sums = {}
    for target in range(max(rows) + 1):
        if target in rows:
            stretches = feed.trie.stretches(rows[target][None], torch.zeros_like(nodes), nodes)
            sums[target] = float(np.exp(-mixer.score_all(stretches.numpy())).sum())
        along = feed.stretches[feed.starts[target] : feed.starts[target + 1]]
        mixer.learn(int(targets[target]), along.numpy())
    return sums


def seed_sums(
    cfg: Config,
    strings: list[bytes],
    targets: np.ndarray,  # int64[n]
    nats: np.ndarray,  # of the network, float64[n]
    rows: dict[int, Tensor],  # logits [V] of the targets to look at
) -> dict[int, float]:
    """Z of the seed's mixture, from one stream in which the whole vocabulary stands before each of these targets.

    Nothing of it is learned from.
    """
    looked_at = sorted(rows)
    places = np.repeat(looked_at, len(strings))
    row_nats = -torch.stack([rows[target] for target in looked_at]).log_softmax(1).numpy().ravel()
    learned = np.insert(np.ones(len(targets), bool), places, False)
    charged = mix_ppm_seed(
        cfg,
        strings,
        np.insert(targets, places, np.tile(np.arange(len(strings)), len(rows))),
        torch.from_numpy(np.insert(nats, places, row_nats)),
        learned,
    )
    sums = np.exp(-charged.numpy()[~learned]).reshape(len(rows), -1).sum(1)
    return dict(zip(looked_at, sums.tolist(), strict=True))


@click.command()
@click.argument("recipe")
@click.argument("artifact", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("data_path", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("tokenizer_path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--positions", default=20, show_default=True, help="Targets to look at.")
@click.option("--tokens", "max_tokens", default=100_000, show_default=True, help="Tokens of the stream to use at most.")
def main(recipe: str, artifact: Path, data_path: Path, tokenizer_path: Path, positions: int, max_tokens: int) -> None:
    """Print the Kraft sums of both mixers on the start of a validation stream."""
    try:
        cfg = load_recipe(recipe)
        tokenizer = load_tokenizer(tokenizer_path, cfg.model.vocab_size)
        tokens = read_tokens(find_shards(data_path, "val"), cfg.model.vocab_size)[:max_tokens]
        model = GPT(cfg)
        model.load_state_dict(dequantize_weights(cfg, decode_artifact(cfg, artifact.read_bytes())))
        model.eval()
    except (GolfError, InputError) as error:
        raise click.ClickException(str(error)) from None
    kinds = choose_targets(tokenizer, tokens, positions)
    stream = torch.from_numpy(tokens.astype(np.int64))
    sums = vocabulary_sums(cfg, model, stream, token_strings(tokenizer), list(kinds))
    click.echo(f"{'target':>8}  {'ppm_trie Z - 1':>14}  {'ppm_seed Z':>10}  what is there")
    for z in sums:
        click.echo(f"{z.target:8}  {z.ppm_trie - 1:14.1e}  {z.ppm_seed:10.6f}  {kinds[z.target]}")
    worst = max(abs(z.ppm_trie - 1) for z in sums)
    click.echo(
        f"largest |Z - 1| of ppm_trie: {worst:.1e}; mean Z of ppm_seed: {np.mean([z.ppm_seed for z in sums]):.4f}"
    )


if __name__ == "__main__":
    main()
