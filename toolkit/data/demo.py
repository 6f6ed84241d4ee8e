"""The demo's data: embedded corpus, tokenizer and shards, built once and reused while nothing has changed."""

import hashlib
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import sentencepiece as spm

from toolkit.components.config import Config
from toolkit.components.text.byte_tables import load_tokenizer
from toolkit.data.corpus import embedded_corpus
from toolkit.data.shards import token_stream, write_shards
from toolkit.data.tokenizer import train_tokenizer
from toolkit.errors import GolfError
from toolkit.folders import dataset_folder, put_in_place, sha256_of, tokenizer_path

SHARD_TOKENS = 500_000  # small, so that a loader has several shards to draw from
MANIFEST_NAME = "demo.json"  # beside the shards; what they were made of and the digest of each file

Progress = Callable[[str, float], None]


def build_demo_data(cfg: Config, root: Path, progress: Progress | None = None) -> None:
    """Write `root/datasets/<dataset>/fineweb_{train,val}_*.bin` and `root/tokenizers/<tokenizer>` for a recipe.

    Files of an earlier build are kept if they are whole and made by the same code, Python and vocabulary size. The new
    ones are built aside and moved into place at the end. `progress` receives a step's name and the share of the work
    already done. `GolfError` if the folder holds data that is not ours.
    """
    report = progress or (lambda step, share: None)
    dataset, tokenizer = dataset_folder(root, cfg.data.dataset), tokenizer_path(root, cfg.data.tokenizer)
    manifest = dataset / MANIFEST_NAME
    if not manifest.is_file():
        _require_absent(dataset, tokenizer)
    if not manifest.is_file() or manifest.read_bytes() != _manifest(cfg, dataset, tokenizer):
        dataset.parent.mkdir(parents=True, exist_ok=True)
        tokenizer.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".demo-", suffix=".partial", dir=root) as work:
            new_dataset = Path(work) / "dataset"
            new_tokenizer = Path(work) / cfg.data.tokenizer
            _build(cfg, new_dataset, new_tokenizer, report)
            put_in_place(new_dataset, dataset)
            put_in_place(new_tokenizer, tokenizer)
    report("data ready", 1.0)


def _require_absent(*paths: Path) -> None:
    for path in paths:
        if path.exists():
            raise GolfError(
                f"{path}: expected nothing or data of an earlier demo, found data that the demo did not write; "
                "move it away, or rename data.dataset and data.tokenizer in the recipe"
            )


def _build(cfg: Config, dataset: Path, tokenizer_file: Path, report: Progress) -> None:
    dataset.mkdir()
    report("reading the standard library", 0.0)
    val, train = embedded_corpus()
    report("training the tokenizer", 0.3)
    tokenizer_file.write_bytes(train_tokenizer(train, cfg.model.vocab_size))
    tokenizer = load_tokenizer(tokenizer_file, cfg.model.vocab_size)
    report("writing shards", 0.65)
    val_tokens = token_stream(tokenizer, val)
    write_shards(dataset, "val", val_tokens, len(val_tokens))
    write_shards(dataset, "train", token_stream(tokenizer, train), SHARD_TOKENS)
    (dataset / MANIFEST_NAME).write_bytes(_manifest(cfg, dataset, tokenizer_file))


def _manifest(cfg: Config, dataset: Path, tokenizer_file: Path) -> bytes:
    """Everything that decides the bytes of the data, and the digest of each file that is there."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    files = [tokenizer_file, *sorted(dataset.glob("*.bin"))]
    content = {
        "toolkit.data": hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest(),
        "python": sys.version,
        "sentencepiece": spm.__version__,
        "vocab_size": cfg.model.vocab_size,
        "sha256": {path.name: sha256_of(path) for path in files if path.is_file()},
    }
    return (json.dumps(content, indent=2) + "\n").encode()
