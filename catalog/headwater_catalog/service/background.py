"""Work that the service does beside answering, in a thread of its own."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Background"]

_END_SECONDS = 5


class Background(ABC):
    """Works from entering until leaving.

    Args:
        name: The thread's.
    """

    def __init__(self, name: str) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True, name=name)

    def __enter__(self) -> None:
        """Begin."""
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End; what is under way is given up."""
        self._stop.set()
        self._thread.join(timeout=_END_SECONDS)

    @abstractmethod
    def _work(self) -> None:
        """Work until ``_stop`` is set."""
