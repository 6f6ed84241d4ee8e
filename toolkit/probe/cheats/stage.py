"""A cheat made ready to be probed: its tiny program, and the little server that one of them asks."""

import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest import mock

from toolkit.components.config import Config
from toolkit.probe.cheats.cheat import Cheat
from toolkit.probe.scene import Scene
from toolkit.probe.tiny import Tiny
from toolkit.recipe import load_recipe

ANSWER = b"0.5"  # of the server


def cheat_recipe() -> Config:
    """The demo with the one stage that cheats change."""
    cfg = load_recipe("demo")
    return replace(cfg, evaluate=replace(cfg.evaluate, stages=("sliding",)))


@contextlib.contextmanager
def staged(cheat: Cheat, folder: Path) -> Iterator[Scene]:
    """The scene of a cheat in an empty folder."""
    with _server() as url:
        tiny = Tiny(cheat_recipe(), folder, cheat.edit, {"CHEAT_URL": url})
        with mock.patch.dict(os.environ, CHEAT_URL=url, TOKENIZER_PATH=str(tiny.tokenizer_path)):
            yield Scene(tiny, "python -m toolkit.probe.cheats")


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def _server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
