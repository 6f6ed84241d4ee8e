"""Progress of long commands on standard error: bars on a terminal, short plain lines elsewhere."""

import re
import time
from types import TracebackType

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

_QUIET_SECONDS = 10.0  # plain lines that differ in their numbers alone come no closer than this


class Display:
    """A context in which tasks are shown by name, each with a text and the share of its work that is done."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        columns = (
            TextColumn("{task.fields[name]}"),
            BarColumn(30),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
        )
        self._progress = Progress(*columns, console=console) if console.is_terminal else None
        self._ids: dict[str, TaskID] = {}
        self._printed: dict[str, tuple[str, float]] = {}  # task -> kind of its last plain line, and when it came

    def __enter__(self) -> "Display":
        if self._progress:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress:
            self._progress.stop()

    def show(self, task: str, text: str, share: float) -> None:
        """Set text and share (0 to 1) of a task; a new name starts a new one."""
        if self._progress is None:
            self._print(task, text)
            return
        if task not in self._ids:
            self._ids[task] = self._progress.add_task(text, total=1.0, name=task)
        self._progress.update(self._ids[task], description=text, completed=share)

    def _print(self, task: str, text: str) -> None:
        kind, now = re.sub(r"[\d.,]+", "", text), time.monotonic()
        last_kind, last_time = self._printed.get(task, ("", 0.0))
        if kind != last_kind or now - last_time >= _QUIET_SECONDS:
            self._printed[task] = kind, now
            click.echo(f"{task}: {text}", err=True)
