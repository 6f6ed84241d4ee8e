"""The run's log: each line to standard output and to a file, from the main rank alone."""

from pathlib import Path


class Log:
    """Call it with a line of text. `path` is created empty, so a log never holds two runs."""

    def __init__(self, path: Path, enabled: bool) -> None:
        self.path = path
        self.enabled = enabled
        if enabled:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("")

    def __call__(self, text: str) -> None:
        if self.enabled:
            print(text, flush=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(text + "\n")
