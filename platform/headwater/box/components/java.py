"""Java processes that share a small machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["FRUGAL_ENV", "class_path", "console_log", "frugal", "megabytes", "opens"]

# glibc otherwise keeps one arena per thread and core, hundreds of megabytes that nobody uses.
# Without a UTF-8 locale Java cannot open a path with letters beyond ASCII.
FRUGAL_ENV = {"MALLOC_ARENA_MAX": "2", "LC_ALL": "C.UTF-8"}


def frugal(heap: str, *, metaspace: str, code_cache: str, collector: str, scratch: Path) -> list[str]:
    """Return the flags of a JVM that stays within what it is given.

    Args:
        heap: Largest heap.
        metaspace: Largest space for classes.
        code_cache: Largest space for compiled code.
        collector: The garbage collector's flag, without ``-XX:+``.
        scratch: Folder for temporary files.
    """
    return [
        f"-XX:+{collector}",
        f"-Xmx{heap}",
        "-Xms64m",
        f"-XX:MaxMetaspaceSize={metaspace}",
        f"-XX:ReservedCodeCacheSize={code_cache}",
        "-Xss512k",
        "-XX:+ExitOnOutOfMemoryError",
        "-XX:-UsePerfData",
        f"-Djava.io.tmpdir={scratch}",
        "-Dfile.encoding=UTF-8",
        "-Duser.timezone=UTC",
        "-Djava.awt.headless=true",
        "-Djava.net.preferIPv4Stack=true",
    ]


def console_log(depth: int, **levels: tuple[str, str]) -> dict[str, object]:
    """Return log4j 2's settings for warnings on standard error.

    Args:
        depth: Lines of a stack trace.
        levels: ``name=(logger, level)`` of loggers that say too much.
    """
    settings: dict[str, object] = {
        "status": "warn",
        "appender.console.type": "Console",
        "appender.console.name": "console",
        "appender.console.target": "SYSTEM_ERR",
        "appender.console.layout.type": "PatternLayout",
        "appender.console.layout.pattern": f"%d{{yyyy-MM-dd HH:mm:ss.SSS}} %p %c{{1}}: %m%n%ex{{{depth}}}",
        "rootLogger.level": "warn",
        "rootLogger.appenderRef.console.ref": "console",
    }
    for name, (logger, level) in {"native": ("org.apache.hadoop.util.NativeCodeLoader", "error"), **levels}.items():
        settings |= {f"logger.{name}.name": logger, f"logger.{name}.level": level}
    return settings


def megabytes(size: str) -> int:
    """Return a setting such as ``800m`` or ``2g`` in megabytes.

    >>> megabytes("2g")
    2048
    """
    return int(size[:-1]) * (1024 if size.endswith("g") else 1)


def opens(packages: Iterable[str], module: str = "java.base") -> list[str]:
    """Return the flags that let libraries reach into the JDK's packages."""
    return [f"--add-opens={module}/{package}=ALL-UNNAMED" for package in packages]


def class_path(*places: Path | str) -> str:
    """Return a class path; a folder stands for itself, ``folder/*`` for its jars."""
    return ":".join(str(place) for place in places)
