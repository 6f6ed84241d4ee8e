"""The bundler: components and a recipe in, one small self-contained script out.

Phases, one a file: resolve, parts, fold, shake, link, emit; then squeeze, minify and pack. Importable without torch.
"""

from toolkit.bundle.build import Bundle, bundle, write_build

__all__ = ["Bundle", "bundle", "write_build"]
