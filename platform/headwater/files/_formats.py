"""What a file is: by its name's ending, and by its first bytes, which must not disagree. Pure but for those bytes."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from headwater.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["COMPRESSIONS", "FORMATS", "compression_of", "format_by_content", "format_of", "without_compression"]

FORMATS = ("csv", "tsv", "json", "ndjson", "parquet", "orc", "arrow", "avro", "text", "xlsx", "objects")
COMPRESSIONS = {
    ".gz": "gzip", ".gzip": "gzip", ".bz2": "bz2", ".zst": "zstd", ".zstd": "zstd", ".snappy": "snappy",
    ".sz": "snappy", ".zip": "zip",
}  # fmt: skip
_ENDINGS = {
    "csv": "csv psv ssv dsv",
    "tsv": "tsv tab",
    "json": "json geojson",
    "ndjson": "ndjson jsonl jsonlines",
    "parquet": "parquet pq",
    "orc": "orc",
    "arrow": "arrow feather ipc arrows",
    "avro": "avro",
    "text": "txt text log md",
    "xlsx": "xlsx xlsm",
    "objects": (
        "png jpg jpeg gif bmp tif tiff webp ico svg heic "
        "mp3 wav flac ogg oga opus m4a aac aif aiff wma mp4 m4v mkv avi mov webm mpg mpeg "
        "pkl pickle joblib pt pth onnx safetensors h5 hdf5 keras gguf ggml pb tflite ckpt npy npz model bin pdf"
    ),
}
_BY_ENDING = {f".{ending}": name for name, endings in _ENDINGS.items() for ending in endings.split()}
# What a file of a format must begin with, and what begins so must be.
_MAGIC = {
    b"PAR1": "parquet", b"ORC": "orc", b"ARROW1": "arrow", b"Obj\x01": "avro", b"\x1f\x8b": "gzip", b"BZh": "bz2",
    b"\x28\xb5\x2f\xfd": "zstd", b"\xff\x06\x00\x00sNaPpY": "snappy", b"PK\x03\x04": "zip", b"\x89PNG": "png",
    b"\xff\xd8\xff": "jpeg", b"GIF8": "gif", b"%PDF": "pdf", b"\x7fELF": "a program",
}  # fmt: skip
_ARROW_STREAM = b"\xff\xff\xff\xff"
_HEAD = 16


def without_compression(name: str) -> str:
    """Return a file's name without the ending of its compression.

    >>> without_compression("a.csv.gz")
    'a.csv'
    """
    return name[: -len(PurePosixPath(name).suffix)] if _ending(name) in COMPRESSIONS else name


def compression_of(path: Path, name: str) -> str:
    """Return how a file is packed: gzip, bz2, zstd, snappy, zip, or nothing.

    Raises:
        InputError: Its name and its first bytes disagree.
    """
    said = COMPRESSIONS.get(_ending(name), "")
    found = _found(path)
    if said and found != said:
        raise InputError(f"{name} is named like {said}, but line 1 does not begin like it; give it its true ending.")
    return said


def format_of(path: Path, name: str, shown: str, wanted: str) -> str:
    """Return the format of a file that is not compressed.

    Args:
        path: The file.
        name: Its name, without the ending of a compression.
        shown: What sentences call it.
        wanted: What the caller says it is; empty to go by the name.

    Raises:
        InputError: Nobody knows, or the first bytes disagree.
    """
    if wanted == "objects":
        return wanted
    said = wanted or _BY_ENDING.get(_ending(name), "")
    if not said:
        raise InputError(
            f"{shown} has an ending that says nothing of its format; say it with --format ({', '.join(FORMATS)})."
        )
    found = _found(path)
    if said == "objects":
        _check_object(shown, found)
    elif (found or said in {*_MAGIC.values(), "xlsx"}) and not _agrees(said, found, path):
        held = f"holds {found}" if found else f"does not hold {said}"
        raise InputError(f"{shown} is named like {said}, but {held} (line 1); give it its true ending or --format.")
    return said


def format_by_content(path: Path, name: str) -> str:
    """Return the format of a file whose name may say nothing of it: by the ending, else by its first bytes.

    Args:
        path: The file, which is not compressed.
        name: Its name, without the ending of a compression.

    Raises:
        InputError: Its name and its first bytes disagree.
    """
    if _ending(name) in _BY_ENDING:
        return format_of(path, name, name, "")
    head = _head(path)
    return _found(path) or ("ndjson" if head.lstrip()[:1] == b"{" else "text")


def _check_object(name: str, found: str) -> None:
    if found in ("parquet", "orc", "arrow", "avro"):
        raise InputError(f"{name} holds {found} (line 1), which its ending hides; give it its true ending or --format.")


def _agrees(said: str, found: str, path: Path) -> bool:
    if said == "xlsx":
        return found == "zip"
    if said == "arrow" and not found:
        return _head(path).startswith(_ARROW_STREAM)
    return said == found


def _found(path: Path) -> str:
    head = _head(path)
    return next((name for mark, name in _MAGIC.items() if head.startswith(mark)), "")


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


def _ending(name: str) -> str:
    return PurePosixPath(name).suffix.lower()
