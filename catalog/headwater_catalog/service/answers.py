"""Answers to programs: JSON, and what is wrong in one sentence."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["as_error", "as_json"]


def as_error(status: int, sentence: str) -> Response:
    """Return what is wrong."""
    answer = as_json({"error": sentence}, status)
    if status == 401:  # noqa: PLR2004 - HTTP asks for it
        answer.headers["WWW-Authenticate"] = 'Bearer realm="Headwater catalog"'
    return answer


def as_json(value: Mapping[str, Any], status: int = 200) -> Response:
    """Return an answer; times are ISO 8601."""
    text = json.dumps(value, default=_plain, ensure_ascii=False)
    return Response(text.encode(errors="replace"), status, media_type="application/json")


def _plain(value: object) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
