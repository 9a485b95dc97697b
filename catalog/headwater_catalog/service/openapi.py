"""What the REST interface takes and answers, as OpenAPI 3.1: made of the declarations that requests are read by."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from headwater_catalog.service.edits import EDITS
from headwater_catalog.service.questions import QUESTIONS, SAMPLE
from headwater_catalog.service.shapes import ERROR, one

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from headwater_catalog.service._kinds import Parameter
    from headwater_catalog.service.edits import Edit
    from headwater_catalog.service.questions import Question
    from headwater_catalog.service.shapes import Shape

__all__ = ["described"]

_BASE = "/api/v1"
_TOKEN: list[dict[str, list[str]]] = [{"token": []}]
_DENIED = (401, 413, 429)


def described(version: str) -> dict[str, Any]:
    """Return the whole interface."""
    paths: dict[str, dict[str, Any]] = {}
    for question in (*QUESTIONS, SAMPLE):
        paths.setdefault(f"{_BASE}/{question.path}", {})["get"] = _question(question)
    for edit in EDITS:
        paths.setdefault(f"{_BASE}/{edit.path}", {})[edit.method.lower()] = _edit(edit)
    paths[f"{_BASE}/lineage"]["post"] = _taking("lineage", "one OpenLineage event, as specification 2-0-2 has it", 201)
    paths[f"{_BASE}/queries"] = {"post": _taking("queries", "who reads what, as Trino's event listener tells it")}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Headwater catalog",
            "version": version,
            "description": "Reading is open on the box's own address; writing needs a token.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Error": ERROR},
        },
    }


def _question(question: Question) -> dict[str, Any]:
    return {
        "operationId": f"get_{question.path}",
        "summary": question.about,
        "parameters": _in_query(question.parameters),
        "responses": _responses({200: question.answer}, (400, 404, 503)),
    }


def _edit(edit: Edit) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": f"{edit.method.lower()}_{edit.path}",
        "summary": edit.about,
        "security": _TOKEN,
        "responses": _responses({200: edit.answer}, (400, 404, 409, 503, *_DENIED)),
    }
    if edit.method == "DELETE":
        return {**told, "parameters": _in_query(edit.fields)}
    body = {
        "type": "object",
        "properties": {field.name: {**field.schema, "description": field.about} for field in edit.fields},
        "required": [field.name for field in edit.fields if field.required],
        "additionalProperties": False,
    }
    return {**told, "requestBody": {"required": True, "content": _json(body)}}


def _taking(path: str, what: str, *new: int) -> dict[str, Any]:
    return {
        "operationId": f"post_{path}",
        "summary": f"Takes {what}.",
        "security": _TOKEN,
        "requestBody": {"required": True, "content": _json({"type": "object"})},
        "responses": _responses(dict.fromkeys((200, *new), one("recorded:yes")), (422, 503, *_DENIED)),
    }


def _in_query(parameters: Iterable[Parameter]) -> list[dict[str, Any]]:
    return [
        {"name": one.name, "in": "query", "required": one.required, "description": one.about, "schema": one.schema}
        for one in parameters
    ]


def _responses(done: Mapping[int, Shape], refused: Iterable[int]) -> dict[str, Any]:
    failed = {"$ref": "#/components/schemas/Error"}
    return {
        str(status): {"description": HTTPStatus(status).phrase, "content": _json(answer)}
        for status, answer in {**done, **dict.fromkeys(sorted(refused), failed)}.items()
    }


def _json(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
