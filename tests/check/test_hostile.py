"""Inputs of an adversary: each ends in a finding or one clear line, with nothing executed and nothing written."""

import base64
import json
import lzma
import os
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.support.folders import Folder
from toolkit.cli.main import golf

LOG = "train_seed42.log"


def check(folder: Path) -> Any:
    result = CliRunner().invoke(golf, ["check", str(folder)])
    assert result.exit_code in (0, 1)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert all(line.isprintable() for line in result.output.splitlines())
    return result


def snapshot(folder: Path) -> dict[str, float]:
    return {str(path): path.lstat().st_mtime_ns for path in folder.rglob("*")}


def link(folder: Path, name: str, target: str) -> None:
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(target)


def bomb(folder: Path) -> None:
    """64 MiB of zeros and more behind two kilobytes."""
    blob = base64.b85encode(lzma.compress(zlib.compress(bytes(200 << 20)))).decode()
    source = f'import lzma,zlib,base64\nexec(zlib.decompress(lzma.decompress(base64.b85decode("{blob}"))))\n'
    (folder / "train_gpt.py").write_text(source)


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


HOSTILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a link out of the folder": (lambda f: link(f, LOG, "/etc/passwd"), "found a link that leads out of it"),
    "a link to nowhere": (lambda f: link(f, LOG, "nowhere"), "found a link that leads out of it"),
    "a link to itself": (lambda f: link(f, LOG, LOG), "found a link that leads out of it"),
    "a linked folder": (lambda f: link(f, "logs", "/etc"), "found a link that leads out of it"),
    "a pipe instead of a log": (lambda f: pipe(f / LOG), "seed 42"),
    "an endless line": (lambda f: (f / LOG).write_bytes(b"x" * (8 << 20)), "FAIL"),
    "nul bytes": (lambda f: (f / LOG).write_bytes(b"seed:1\n\0\0\n"), "found binary data"),
    "invalid UTF-8 in a log": (lambda f: (f / LOG).write_bytes(bytes(range(128, 256)) * 40), "found binary data"),
    "invalid UTF-8 in JSON": (lambda f: (f / "submission.json").write_bytes(b'{"name": "\xff\xfe"}'), "no author"),
    "JSON of a million keys": (
        lambda f: (f / "submission.json").write_text(json.dumps({str(i): i for i in range(1_000_000)})),
        "expected at most 4,194,304 bytes",
    ),
    "JSON of many keys": (
        lambda f: (f / "submission.json").write_text(json.dumps({str(i): i for i in range(100_000)})),
        "no author",
    ),
    "deep JSON": (lambda f: (f / "submission.json").write_text("[" * 100_000), "expected a JSON object"),
    "numbers beyond all": (
        lambda f: (f / "submission.json").write_text('{"val_bpb": NaN, "val_loss": 1e999, "bytes_total": -1e999}'),
        "no author",
    ),
    "an integer of 10,000 digits": (lambda f: (f / "submission.json").write_text("9" * 10_000), "submission.json"),
    "a deep expression": (lambda f: (f / "train_gpt.py").write_text("x = " + "(" * 5000 + ")" * 5000), "train_gpt.py"),
    "a long chain": (lambda f: (f / "train_gpt.py").write_text("x = " + "-" * 50_000 + "1"), "train_gpt.py"),
    "nul bytes in a script": (lambda f: (f / "train_gpt.py").write_bytes(b"x = 1\0\n"), "train_gpt.py"),
    "a bomb": (bomb, "train_gpt.py"),
    "a settings file of no settings": (lambda f: (f / "recipe.toml").write_text("= = ="), "found Invalid"),
    "a name with a newline and escapes": (
        lambda f: (f / LOG).rename(f / "train\n\x1b[2J_seed42.log"),
        "train\\n\\x1b[2J_seed42.log",
    ),
    "a name that is no text": (lambda f: (f / LOG).rename(os.fsdecode(bytes(f) + b"/train_\xff.log")), "\\udcff"),
    "escapes in a title": (lambda f: (f / "submission.json").write_text('{"track": "\\u001b[2J\\nPASS"}'), "\\x1b[2J"),
    "a log of many runs": (
        lambda f: (f / LOG).write_text("Hyperparameters:\nstep:1/2 train_loss:1 train_time:1ms\n" * 1000),
        "expected at most 64 runs",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_folder(name: str, record: Folder, tmp_path: Path) -> None:
    spoil, said = HOSTILE[name]
    spoil(record.path)
    before = snapshot(tmp_path)
    assert said in check(record.path).output
    assert snapshot(tmp_path) == before


def test_a_deep_tree_is_not_walked(record: Folder) -> None:
    deep = record.path
    for _ in range(200):
        deep = deep / "d"
    deep.mkdir(parents=True)
    (deep / LOG).write_text("seed:1\n")
    assert check(record.path).exit_code == 0


def test_too_many_files_are_one_line(record: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.check.subject.files.MAX_FILES", 5)
    assert "expected at most 5 files, found more" in check(record.path).output


def test_nothing_is_executed(record: Folder, tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    for name in ("train_gpt.py", "conftest.py", "sitecustomize.py", "setup.py", "lossless_caps.py"):
        (record.path / name).write_text(f"open({str(witness)!r}, 'w')\n")
    check(record.path)
    assert not witness.exists()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to measure memory")
def test_a_long_log_is_streamed(tmp_path: Path) -> None:
    """Memory stays where it is however many runs, settings, scores and lines a log has."""
    log = tmp_path / "train.log"
    with log.open("w") as file:
        for _ in range(12):
            file.write("Hyperparameters:\n" + "".join(f"  key{i}: {'v' * 500}\n" for i in range(2000)))
            file.write("final_int6_roundtrip val_loss:2.0 val_bpb:1.0 eval_time:1ms\n" * 3000)
    program = (
        "import sys\nfrom pathlib import Path\nfrom toolkit.check import check_path\ncheck_path(Path(sys.argv[1]))\n"
        "status = Path('/proc/self/status').read_text()\nprint(status.partition('VmHWM:')[2].split()[0])\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(log)], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 300 * 1024
