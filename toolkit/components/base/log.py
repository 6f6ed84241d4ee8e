"""The run's log: each line to standard output and to a file, from the main rank alone."""

from pathlib import Path

from toolkit.components.base.failure import InputError


class Log:
    """Call it with a line of text. The file starts empty, so a log never holds two runs.

    `InputError` when the file cannot be written, for want of space or of permission.
    """

    def __init__(self, path: Path, enabled: bool) -> None:
        self.path = path
        self.enabled = enabled
        self.write("w", "")

    def __call__(self, text: str) -> None:
        if self.enabled:
            print(text, flush=True)
        self.write("a", text + "\n")

    def write(self, mode: str, text: str) -> None:
        if self.enabled:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with self.path.open(mode, encoding="utf-8") as file:
                    file.write(text)
            except OSError as error:
                raise unwritable(self.path, error) from None


def unwritable(path: Path, error: OSError) -> InputError:
    return InputError(f"{path}: expected a file that can be written, found: {error.strerror}; RUN_DIR names its folder")
