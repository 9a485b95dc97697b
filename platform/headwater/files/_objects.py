"""Images, audio, video, models: objects in the lake, and a row about each."""

from __future__ import annotations

import mimetypes
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from headwater.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headwater.files._find import Source

__all__ = ["object_rows"]

_TYPES = {
    ".parquet": "application/vnd.apache.parquet",
    ".onnx": "application/onnx",
    ".safetensors": "application/x-safetensors",
    ".pkl": "application/x-python-pickle",
    ".pickle": "application/x-python-pickle",
    ".pt": "application/x-pytorch",
    ".pth": "application/x-pytorch",
    ".h5": "application/x-hdf5",
    ".gguf": "application/x-gguf",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".mkv": "video/x-matroska",
    ".webp": "image/webp",
}
_NOT_MEASURED = ("image/svg+xml", "image/heic", "image/x-icon", "image/vnd.microsoft.icon")


def object_rows(sources: Sequence[tuple[Source, str, str]]) -> Any:
    """Return an Arrow table with a row about each file.

    Args:
        sources: File, digest, and where it will lie in the lake.

    Raises:
        InputError: An image is none.
    """
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    schema = pa.schema(
        {
            "path": pa.string(), "object": pa.string(), "type": pa.string(), "size": pa.int64(), "width": pa.int32(),
            "height": pa.int32(), "duration": pa.float64(), "sha256": pa.string(),
        }
    )  # fmt: skip
    rows = [_row(source, digest, uri) for source, digest, uri in sources]
    return pa.Table.from_pylist(rows, schema)


def _row(source: Source, digest: str, uri: str) -> dict[str, Any]:
    size = source.path.stat().st_size
    if not size:
        raise InputError(f"{source.shown}, line 1: the file is empty; there is nothing to ingest.")
    kind = _type(source.name)
    found: Mapping[str, Any] = {}
    if kind.startswith("image/") and kind not in _NOT_MEASURED:
        found = _image(source)
    elif kind.startswith(("audio/", "video/")):
        found = _recording(source)
    return {"path": source.name, "object": uri, "type": kind, "size": size, "sha256": digest, **found}


def _type(name: str) -> str:
    ending = PurePosixPath(name).suffix.lower()
    return _TYPES.get(ending) or mimetypes.guess_type(name)[0] or "application/octet-stream"


def _image(source: Source) -> Mapping[str, Any]:
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - slow to import

    try:
        with Image.open(source.path) as image:
            return {"width": image.width, "height": image.height}
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(
            f"{source.shown} is named like an image, but is none or is damaged (line 1); give it its true ending.",
        ) from error


def _recording(source: Source) -> Mapping[str, Any]:
    from tinytag import TinyTag, TinyTagException  # noqa: PLC0415

    try:
        with source.path.open("rb") as file:
            return {"duration": TinyTag.get(filename=source.name, file_obj=file).duration}
    except (TinyTagException, OSError, ValueError):
        return {}  # a container that the library does not know
