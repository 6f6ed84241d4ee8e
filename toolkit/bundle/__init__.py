"""The bundler: components and a recipe in, one small self-contained script out.

`build.py` has the phases in order: `link` joins the components under a recipe, `calls` drops what all calls agree on,
both with the tools of `rewrite`; `minify` and `pack` make them small. `foreign` does the latter for anyone's script,
`proof` runs what came out, and `costs` tells what it is made of. Importable without torch.
"""

from toolkit.bundle.build import Bundle, bundle, write_build

__all__ = ["Bundle", "bundle", "write_build"]
