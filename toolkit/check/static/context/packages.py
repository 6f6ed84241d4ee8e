"""EXTERNAL-PACKAGES: what a script imports against the standard library, the stock image and requirements.txt."""

from __future__ import annotations

import re

from toolkit.syntax.standard import STANDARD_MODULES

# The challenge's stock image and what every record assumes.
STOCK = frozenset(
    [
        "torch",
        "numpy",
        "sentencepiece",
        "triton",
        "flash_attn",
        "flash_attn_interface",
        "tqdm",
        "huggingface_hub",
        "datasets",
        "tiktoken",
        "setuptools",
        "typing_extensions",
        "kernels",
        "safetensors",
        "tokenizers",
        "brotli",
        "zstandard",
    ]
)
_NAMES = {
    "brotli": "brotli",
    "cv2": "opencv-python",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
    "PIL": "pillow",
    "flash_attn_interface": "flash-attn",
}


def undeclared(imports: set[str], own: set[str], requirements: str) -> list[str]:
    """Top-level packages that nothing declares, sorted."""
    declared = {
        re.split(r"[\[<>=!~ ;]", line.strip(), maxsplit=1)[0].lower().replace("_", "-")
        for line in requirements.splitlines()
    }
    found = []
    for name in {i.split(".")[0] for i in imports if i}:
        listed = _NAMES.get(name, name).lower().replace("_", "-")
        if name not in STANDARD_MODULES and name not in STOCK and name not in own and listed not in declared:
            found.append(name)
    return sorted(found)
