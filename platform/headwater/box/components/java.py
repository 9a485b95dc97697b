"""Java processes that share a small machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["FRUGAL_ENV", "class_path", "frugal", "opens"]

# glibc otherwise keeps one arena per thread and core, hundreds of megabytes that nobody uses.
FRUGAL_ENV = {"MALLOC_ARENA_MAX": "2"}


def frugal(heap: str, *, metaspace: str, code_cache: str) -> list[str]:
    """Return the flags of a JVM that keeps its heap small and gives memory back.

    Args:
        heap: Largest heap.
        metaspace: Largest space for classes.
        code_cache: Largest space for compiled code.
    """
    return [
        f"-Xmx{heap}",
        "-Xms64m",
        f"-XX:MaxMetaspaceSize={metaspace}",
        f"-XX:ReservedCodeCacheSize={code_cache}",
        "-Xss512k",
        "-XX:+UseSerialGC",
        # After a full collection the heap shrinks to what is in use plus a fifth.
        "-XX:MinHeapFreeRatio=10",
        "-XX:MaxHeapFreeRatio=20",
        "-XX:+ExitOnOutOfMemoryError",
        "-XX:-UsePerfData",
        "-Dfile.encoding=UTF-8",
        "-Duser.timezone=UTC",
        "-Djava.awt.headless=true",
        "-Djava.net.preferIPv4Stack=true",
    ]


def opens(packages: Iterable[str], module: str = "java.base") -> list[str]:
    """Return the flags that let libraries reach into the JDK's packages."""
    return [f"--add-opens={module}/{package}=ALL-UNNAMED" for package in packages]


def class_path(*places: Path | str) -> str:
    """Return a class path; a folder stands for itself, ``folder/*`` for its jars."""
    return ":".join(str(place) for place in places)
