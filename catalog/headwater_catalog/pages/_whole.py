"""A folder that is written whole or not at all."""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from headwater.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["whole_folder"]


@contextmanager
def whole_folder(target: Path, mark: str) -> Iterator[Path]:
    """Give a folder to write into, which takes the target's place when all went well; else the target is as it was.

    Args:
        target: A folder that is absent, empty, or was made like this before.
        mark: The name of a file that is in every such folder.

    Raises:
        InputError: The target is another's, cannot be written, or is being written by another process.
    """
    target = target.absolute()
    made, former = (target.with_name(f".{target.name}.{what}") for what in ("part", "former"))
    try:
        _refuse_others(target, mark)
        target.parent.mkdir(parents=True, exist_ok=True)
        made.mkdir(exist_ok=True)
        with _alone(made, target):
            _empty(made)
            if former.exists() and not target.exists():
                former.rename(target)  # who exchanged them was killed in between
            try:
                yield made
                (made / mark).touch()
                _refuse_others(target, mark)
                _exchange(made, target, former)
            finally:
                shutil.rmtree(made, ignore_errors=True)
    except OSError as error:
        raise InputError(f"{target} cannot be written: {error.strerror or error}; it is as it was.") from error


def _refuse_others(target: Path, mark: str) -> None:
    if target.is_dir() and (not any(target.iterdir()) or (target / mark).is_file()):
        return
    if target.exists() or target.is_symlink():
        raise InputError(f"{target} is something else already; name a folder that is empty, new or a former export.")


@contextmanager
def _alone(made: Path, target: Path) -> Iterator[None]:
    """Hold what a killed process would leave behind unlocked."""
    held = os.open(made, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise InputError(f"Another export into {target} is under way; wait for it.") from error
    finally:
        os.close(held)


def _empty(folder: Path) -> None:
    for one in folder.iterdir():
        if one.is_dir() and not one.is_symlink():
            shutil.rmtree(one)
        else:
            one.unlink()


def _exchange(made: Path, target: Path, former: Path) -> None:
    shutil.rmtree(former, ignore_errors=True)
    if target.exists():
        target.rename(former)
    try:
        made.rename(target)
    except OSError:
        if former.exists():
            former.rename(target)
        raise
    shutil.rmtree(former, ignore_errors=True)
