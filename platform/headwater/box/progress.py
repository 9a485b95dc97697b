"""What a fetch is doing, visible all along: live bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeElapsedColumn, TransferSpeedColumn
from rich.progress import Progress as Bars

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.progress import TaskID

__all__ = ["Progress", "Step", "megabytes", "progress_on"]

_EVERY_SECONDS = 10.0
_QUIET_BYTES = 5_000_000
_SMALL_FILES = 50


def megabytes(count: float) -> str:
    """Return a number of bytes as text for people.

    >>> megabytes(821045832)
    '821.0 MB'
    """
    return f"{count / 1e6:.1f} MB"


class Step:
    """One piece of work under way: a download or the making of a folder.

    Args:
        shown: Where it is shown.
        what: Its name.
        size: Bytes of a download, 0 while they are not known; None for work that has no size.
    """

    def __init__(self, shown: Progress, what: str, size: int | None) -> None:
        self.what, self.size = what, size
        self.began = time.monotonic()
        self.at = self.fresh = 0
        self._shown = shown

    def start_at(self, position: int) -> None:
        """Say how many bytes were there already."""
        self.at = position
        self._shown.moved(self)

    def advance(self, count: int = 0) -> None:
        """Say that more bytes came, or only that the work goes on."""
        self.at += count
        self.fresh += count
        self._shown.moved(self)

    def summary(self) -> str:
        """Return how far it is: bytes and speed, or seconds."""
        seconds = max(time.monotonic() - self.began, 0.001)
        if self.size is None:
            return f"{seconds:.0f} s"
        arrived = megabytes(self.at) if self.at >= self.size else f"{megabytes(self.at)} of {megabytes(self.size)}"
        return f"{arrived}, {megabytes(self.fresh / seconds)}/s"


class Progress(ABC):
    """Shows the steps of a fetch; safe to use from many threads."""

    def __init__(self) -> None:
        self.received = 0
        self._lock = threading.RLock()

    @contextmanager
    def step(self, what: str, size: int | None = None) -> Iterator[Step]:
        """Show a step while the block runs; it counts as done when the block ends without an error."""
        step = Step(self, what, size)
        with self._lock:
            self._begin(step)
        done = False
        try:
            yield step
            done = True
        finally:
            with self._lock:
                self.received += step.fresh
                self._end(step, done=done)

    def moved(self, step: Step) -> None:
        """Show that a step went on."""
        with self._lock:
            self._move(step)

    @abstractmethod
    def say(self, text: str) -> None:
        """Show a line that stays."""

    @abstractmethod
    def _begin(self, step: Step) -> None: ...

    @abstractmethod
    def _move(self, step: Step) -> None: ...

    @abstractmethod
    def _end(self, step: Step, *, done: bool) -> None: ...


class _Lines(Progress):
    """Plain lines: a step's start and end, and one every ten seconds between them; small files are counted."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self._told: dict[Step, float] = {}
        self._small = 0

    def say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _begin(self, step: Step) -> None:
        self._told[step] = step.began
        if step.size is None or step.size > _QUIET_BYTES:
            self.say(f"{step.what}: begins{'' if step.size is None else f', {megabytes(step.size)}'}")

    def _move(self, step: Step) -> None:
        if time.monotonic() - self._told[step] > _EVERY_SECONDS:
            self._told[step] = time.monotonic()
            self.say(f"{step.what}: {step.summary()} so far")

    def _end(self, step: Step, *, done: bool) -> None:
        self._told.pop(step)
        if step.size is None or step.size > _QUIET_BYTES:
            self.say(f"{step.what}: {'done' if done else 'stopped'}, {step.summary()}")
            return
        self._small += 1
        if self._small % _SMALL_FILES == 0:
            self.say(f"{self._small} small files so far, {megabytes(self.received)} received in all")


class _Bars(Progress):
    """Live bars, one per step under way."""

    def __init__(self, bars: Bars) -> None:
        super().__init__()
        self._bars = bars
        self._tasks: dict[Step, TaskID] = {}

    def say(self, text: str) -> None:
        self._bars.console.print(text, markup=False, highlight=False)

    def _begin(self, step: Step) -> None:
        self._tasks[step] = self._bars.add_task(step.what, total=step.size)

    def _move(self, step: Step) -> None:
        self._bars.update(self._tasks[step], completed=step.at, total=step.size)

    def _end(self, step: Step, *, done: bool) -> None:
        self._bars.remove_task(self._tasks.pop(step))
        if done and (step.size is None or step.size > _QUIET_BYTES):
            self.say(f"{step.what}: {step.summary()}")


@contextmanager
def progress_on(console: Console) -> Iterator[Progress]:
    """Show progress on a console while the block runs, in the way that suits it."""
    if not console.is_terminal:
        yield _Lines(console)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=console, transient=True) as bars:
        yield _Bars(bars)
