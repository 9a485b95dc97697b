"""Keeps what steps print in files, without Dagster's helper processes that copy it to the console as well."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dagster._core.execution.compute_logs import redirect_to_file
from dagster._core.storage.compute_log_manager import CapturedLogContext, ComputeIOType
from dagster._core.storage.local_compute_log_manager import IO_TYPE_EXTENSION, LocalComputeLogManager

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from dagster._serdes import ConfigurableClassData

__all__ = ["QuietComputeLogManager"]


class QuietComputeLogManager(LocalComputeLogManager):
    """Dagster's local compute logs; a step starts no ``tail`` and no watcher, so a killed run leaves none behind."""

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> QuietComputeLogManager:
        """Build the manager that dagster.yaml describes."""
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Iterator[CapturedLogContext]:
        """Send what this process prints to the step's two files."""
        kinds = (ComputeIOType.STDOUT, ComputeIOType.STDERR)
        out, err = (Path(self.get_captured_local_path(log_key, IO_TYPE_EXTENSION[kind])) for kind in kinds)
        out.parent.mkdir(parents=True, exist_ok=True)
        with redirect_to_file(sys.stdout, out), redirect_to_file(sys.stderr, err):
            yield CapturedLogContext(log_key)
        Path(str(self.complete_artifact_path(log_key))).touch()  # type: ignore[no-untyped-call]
