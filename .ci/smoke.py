"""Does the wheel work without torch, and does every Python make the same bytes?

    python .ci/smoke.py PYTHON...

The wheel goes into an empty environment of each interpreter. There every command shows its help, and what needs no
torch runs: all recipes are built, a script is packed and unpacked, builds and the records of this clone are checked.
What is written and printed has to be the same under every interpreter; otherwise a line for each difference.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NEED_TORCH = (["build", "demo", "--verify"], ["plan", "demo", "--fit", "model_dim"], ["demo"])


def main(pythons: Sequence[str]) -> None:
    if not pythons:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        wheel = build_wheel(pythons[0], Path(folder))
        folders = [Path(folder, str(i)) for i in range(len(pythons))]
        (first, expected), *others = pool.map(lambda python, own: tour(python, wheel, own), pythons, folders)
    differences = [
        f"{name}: expected the same bytes under Python {first} and {version}"
        for version, found in others
        for name in sorted(expected.keys() | found.keys())
        if expected.get(name) != found.get(name)
    ]
    if differences:
        sys.exit("\n".join(differences))
    versions = ", ".join([first, *(version for version, _ in others)])
    print(f"smoke: {len(expected)} outputs without torch, the same under Python {versions}")


def build_wheel(python: str, folder: Path) -> Path:
    """Built from a copy, because setuptools leaves folders beside what it builds."""
    source = folder / "source"
    for name in ("toolkit", "templates"):
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source)
    run([python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, source], folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


def tour(python: str, wheel: Path, folder: Path) -> tuple[str, dict[str, str]]:
    """The interpreter's version, and SHA-256 of all that its commands write and print in a new folder."""
    folder.mkdir()
    binaries = folder / "venv" / "bin"
    run([python, "-m", "venv", binaries.parent], folder)
    run([binaries / "python", "-m", "pip", "install", "--quiet", "--no-compile", wheel], folder)
    facts = "import platform; from toolkit.cli.main import golf; print(platform.python_version(), *golf.commands)"
    version, *commands = run([binaries / "python", "-c", facts], folder).stdout.decode().split()

    def golf(*arguments: str | Path, codes: Collection[int] = (0,)) -> "subprocess.CompletedProcess[bytes]":
        return run([binaries / "golf", *arguments], folder, codes, XDG_CACHE_HOME=str(folder / "cache"))

    for command in commands:
        golf(command, "--help")
    outputs = {}
    for arguments in NEED_TORCH:
        message = golf(*arguments, codes=[1]).stderr
        if b"golf-toolkit[train]" not in message or message.count(b"\n") != 1:
            sys.exit(f"golf {' '.join(arguments)}: expected a line that says how to get torch, found {message!r}")
    for recipe in [row["recipe"] for row in json.loads(golf("recipes", "--json").stdout)]:
        golf("build", recipe)
        for name in ("train_gpt.py", "train_gpt_readable.py", "bundle.json"):
            outputs[f"{recipe}: {name}"] = (folder / "build" / recipe / name).read_bytes()
    outputs["plan"] = golf("plan", "demo").stdout
    outputs["check"] = golf("check", "build/demo").stdout
    outputs["unpack"] = golf("unpack", "build/demo/train_gpt.py").stdout
    golf("pack", "build/demo/train_gpt_readable.py", "--out", "packed.py")
    outputs["pack"] = (folder / "packed.py").read_bytes()
    for record in sorted(path.parent for path in ROOT.glob("records/**/submission.json")):
        # A record in a clone is without its artifact: the evidence may not suffice for a pass.
        outputs[f"check {record.relative_to(ROOT)}"] = golf("check", record, codes=[0, 1]).stdout
    return version, {name: hashlib.sha256(output).hexdigest() for name, output in outputs.items()}


def run(
    command: Sequence[str | Path], folder: Path, codes: Collection[int] = (0,), **variables: str
) -> "subprocess.CompletedProcess[bytes]":
    """Run a command in a folder, without the clone on its import path; exit where it fails."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | variables
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True)
    if done.returncode not in codes or b"Traceback" in done.stderr:
        shown = " ".join(map(str, command))
        sys.exit(f"{shown}: exit code {done.returncode}\n{(done.stdout + done.stderr).decode(errors='replace')}")
    return done


if __name__ == "__main__":
    main(sys.argv[1:])
