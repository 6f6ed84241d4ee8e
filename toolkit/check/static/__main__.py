"""The static rules on a manifest of labelled submissions: `python -m toolkit.check.static MANIFEST REPO [ID...]`."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from toolkit.bundle.unpack import unpack
from toolkit.check.static import StaticFinding, analyze, read_settings
from toolkit.errors import GolfError


def git(repo: str, *arguments: str) -> bytes:
    return subprocess.run(["git", "-C", repo, *arguments], capture_output=True, check=False).stdout


def folder_files(repo: str, commit: str, folder: str) -> dict[str, bytes]:
    """Small text files of a folder at a commit, by path relative to it."""
    found: dict[str, bytes] = {}
    prefix = folder.rstrip("/") + "/"
    for row in git(repo, "ls-tree", "-r", "-l", "-z", commit, "--", prefix).decode(errors="replace").split("\0"):
        if not row:
            continue
        meta, path = row.split("\t", 1)
        size = meta.split()[-1]
        if (
            path.endswith((".py", ".md", ".sh", ".txt", ".log", ".c", ".cpp", ".cu"))
            and size.isdigit()
            and int(size) < 4_000_000
        ):
            found[path[len(prefix) :]] = git(repo, "show", f"{commit}:{path}")
    return found


def check(repo: str, commit: str, path: str) -> list[StaticFinding]:
    """Static findings for a script, or for the scripts of a folder."""
    folder = path.rsplit("/", 1)[0] if path.endswith(".py") else path
    files = folder_files(repo, commit, folder)
    texts = {name: data.decode(errors="replace") for name, data in files.items()}
    scripts = [path.rsplit("/", 1)[-1]] if path.endswith(".py") else [n for n in ("train_gpt.py",) if n in files]
    scripts = scripts or sorted(n for n in files if n.startswith("train") and n.endswith(".py"))[:1]
    if not scripts:
        return []
    entry = scripts[0]
    logs = tuple(texts[n] for n in sorted(texts) if n.endswith((".log", ".txt")) and "requirements" not in n)
    shells = tuple(texts[n] for n in sorted(texts) if n.endswith(".sh"))
    sources = {n: t for n, t in texts.items() if n.endswith((".py", ".c", ".cpp", ".cu"))}
    requirements = texts.get("requirements.txt", "")
    try:
        unpacked = unpack(files[entry])
    except GolfError as error:
        if "exec(" not in texts[entry]:  # written for a newer Python than ours
            return analyze(sources, entry, read_settings(texts.get("README.md", ""), shells, "", logs), requirements)
        return [StaticFinding("STATIC-ANALYSIS", "UNKNOWN", f"analysis stopped: {error}", entry, 0, "", "code")]
    sources[entry] = unpacked.source
    settings = read_settings(texts.get("README.md", ""), shells, texts[entry] if unpacked.layers else "", logs)
    return analyze(sources, entry, settings, requirements)


def main() -> None:
    manifest, repo, *only = sys.argv[1:]
    counts: Counter[tuple[str, str]] = Counter()
    seconds = []
    for line in Path(manifest).read_text().splitlines():
        entry = json.loads(line)
        if only and entry["id"] not in only:
            continue
        start = time.perf_counter()
        findings = check(repo, entry["commit"], entry["path"])
        seconds.append(time.perf_counter() - start)
        labelled = [f for f in findings if f.rule in entry["violations"]]
        pool = (
            labelled
            if entry["label"] == "illegal"
            else [f for f in findings if f.rule not in ("EXTERNAL-PACKAGES", "NO-NETWORK")]
        )
        worst = "FAIL" if any(f.status == "FAIL" for f in pool) else "WARN" if pool else "-"
        counts[entry["label"], worst] += 1
        print(f"{entry['label']:9s} {worst:5s} {entry['id']:42s} {','.join(entry['violations'])}")
        for f in findings:
            print(f"      {f.status} {f.rule} {f.file}:{f.line} [{f.level}] {f.message} | {f.evidence[:90]}")
    print(
        dict(sorted(counts.items())), f"median {sorted(seconds)[len(seconds) // 2]:.2f} s, worst {max(seconds):.2f} s"
    )


if __name__ == "__main__":
    main()
