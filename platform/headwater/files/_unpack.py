"""Compressed files laid open in the scratch folder, so that every reader reads them alike and a broken end shows."""

from __future__ import annotations

import bz2
import gzip
import shutil
import zipfile
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from headwater.errors import InputError
from headwater.files._find import Source
from headwater.files._formats import compression_of, without_compression

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["unpacked"]

_BLOCK = 4 * 1024 * 1024
# Bit of a member's flags.
_ENCRYPTED = 0x1


def unpacked(source: Source, scratch: Path) -> list[Source]:
    """Return what a file holds: itself, or the files that were packed into it.

    Raises:
        InputError: It is damaged, or not what its name says.
    """
    packing = compression_of(source.path, source.shown)
    if not packing:
        return [source]
    scratch.mkdir(parents=True, exist_ok=True)
    number = len(list(scratch.iterdir()))
    with _mapped(source.shown, packing):
        if packing == "zip":
            return _members(source, scratch / str(number))
        target = scratch / str(number)
        with source.path.open("rb") as packed, target.open("wb") as file:
            _WRITERS[packing](packed, file)
    return [Source(target, without_compression(source.name), source.shown)]


def _members(source: Source, scratch: Path) -> list[Source]:
    scratch.mkdir()
    made = []
    with zipfile.ZipFile(source.path) as archive:
        for number, member in enumerate(one for one in archive.infolist() if _is_content(one)):
            _require_plain(member, source.shown)
            target = scratch / str(number)
            with archive.open(member) as packed, target.open("wb") as file:
                shutil.copyfileobj(packed, file, _BLOCK)
            made.append(Source(target, member.filename, f"{source.shown}/{member.filename}"))
    if not made:
        raise InputError(f"{source.shown} is an empty archive: there is not even a line 1.")
    return made


def _require_plain(member: zipfile.ZipInfo, shown: str) -> None:
    parts = member.filename.split("/")
    if ".." in parts or not parts[0]:
        raise InputError(
            f"{shown}: the member {member.filename} leads out of the archive; pack it under a name within."
        )
    if member.flag_bits & _ENCRYPTED:
        raise InputError(f"{shown}/{member.filename} is encrypted; pack it without a password.")


def _is_content(member: zipfile.ZipInfo) -> bool:
    # A name that leads out of the archive is no mark; it is refused.
    marks = any(part.startswith((".", "__MACOSX")) and part != ".." for part in member.filename.split("/"))
    return not member.is_dir() and not marks


def _gunzip(packed: IO[bytes], file: IO[bytes]) -> None:
    with gzip.open(packed) as opened:
        shutil.copyfileobj(opened, file, _BLOCK)


def _bunzip2(packed: IO[bytes], file: IO[bytes]) -> None:
    with bz2.open(packed) as opened:
        shutil.copyfileobj(opened, file, _BLOCK)


def _unzstd(packed: IO[bytes], file: IO[bytes]) -> None:
    import zstandard  # noqa: PLC0415 - only these files need it

    engine: Any = None
    block = packed.read(_BLOCK)
    while block:
        if engine is None or engine.eof:  # a file may hold several frames
            engine = zstandard.ZstdDecompressor().decompressobj()
        file.write(engine.decompress(block))
        block = engine.unused_data or packed.read(_BLOCK)
    if engine is None or not engine.eof:
        raise EOFError


def _unsnappy(packed: IO[bytes], file: IO[bytes]) -> None:
    import cramjam  # noqa: PLC0415

    cramjam.snappy.decompress_into(cramjam.File(packed.name), cramjam.File(file.name))


_WRITERS: dict[str, Any] = {"gzip": _gunzip, "bz2": _bunzip2, "zstd": _unzstd, "snappy": _unsnappy}


@contextmanager
def _mapped(shown: str, packing: str) -> Iterator[None]:
    try:
        yield
    except (EOFError, OSError, RuntimeError, ValueError, zlib.error, zipfile.BadZipFile) as error:
        if isinstance(error, OSError) and error.errno:
            raise InputError(f"{shown} cannot be unpacked: {error.strerror}.") from error
        raise InputError(
            f"{shown} is damaged or cut off: its {packing} data breaks before their end. Get it anew."
        ) from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("zstandard", "zstd", "cramjam"):
            raise
        raise InputError(
            f"{shown} is damaged or cut off: its {packing} data breaks before their end. Get it anew."
        ) from error
