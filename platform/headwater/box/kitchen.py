"""What a recipe works with while it makes a runtime's folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headwater.box.download import Stopped
from headwater.box.tether import run_tethered
from headwater.profile import inherited_env

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from headwater.box.lockfile import FetchSettings
    from headwater.box.progress import Step
    from headwater.box.wheelhouse import Pin

__all__ = ["Kitchen"]


@dataclass(frozen=True)
class Kitchen:
    """What a recipe works with.

    Args:
        settings: The fetch's settings.
        files: The runtime's downloads.
        into: The empty folder to fill.
        scratch: A folder that survives a killed fetch and goes when the runtime is done.
        needs: Folders of the runtimes it needs.
        bring: Downloads the files of pinned requirements into a folder, several at a time.
        step: Told that the work goes on.
        stop: Ends helpers when set.
    """

    settings: FetchSettings
    files: Sequence[Path]
    into: Path
    scratch: Path
    needs: Mapping[str, Path]
    bring: Callable[[Sequence[Pin], Path, Step], Sequence[Path]]
    step: Step
    stop: threading.Event

    def go_on(self) -> None:
        """Show that the work goes on, unless the fetch is ending early.

        Raises:
            Stopped: It is.
        """
        if self.stop.is_set():
            raise Stopped
        self.step.advance()

    def run(self, command: Sequence[str], doing: str, **env: str) -> str:
        """Run a helper program in the scratch folder."""
        environment = inherited_env(**env)
        return run_tethered(command, cwd=self.scratch, env=environment, step=self.step, stop=self.stop, doing=doing)
