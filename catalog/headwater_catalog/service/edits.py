"""REST for what people say by hand: facts of tables and columns, the glossary, logins, and who changed what."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from headwater.errors import ComponentError
from starlette.concurrency import run_in_threadpool
from starlette.routing import Route

from headwater_catalog.service.access import Denied, read_body
from headwater_catalog.service.answers import as_error, as_json
from headwater_catalog.service.parameters import Wrong, refuse_unknown
from headwater_catalog.store import Change, Invalid, NotFound, SaidByCode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from headwater_catalog.service.access import Access
    from headwater_catalog.store import Editor, Store

    # What is done with a request's JSON, in an edit of whoever asks.
    Work = Callable[[Editor, Mapping[str, Any]], dict[str, Any]]

__all__ = ["change_of", "edit_routes"]

_TEXTS = ("owner", "doc", "domain")
# REST's names of lists and what is in them.
_LISTS = {"tags": "tag", "terms": "term", "synonyms": "synonym"}


def edit_routes(store: Store, access: Access) -> list[Route]:
    """Return the routes that change something; each needs a token."""

    def route(path: str, method: str, work: Work, *, box: bool = False) -> Route:
        return Route(f"/api/v1/{path}", _editing(store, access, work, box=box), methods=[method])

    return [
        route("table", "PATCH", _describe),
        route("term", "POST", _define),
        route("term", "PATCH", _describe_term),
        route("term", "DELETE", _forget),
        route("user", "POST", _add_login, box=True),
        route("user", "DELETE", _remove_login, box=True),
    ]


def _describe(editor: Editor, said: Mapping[str, Any]) -> dict[str, Any]:
    known = ("name", "column", *_TEXTS, *_lists("tags", "terms"))
    name, column = _required(said, "name", known), _text(said, "column").lower()
    return {"changed": editor.describe(name, column, change_of(said))}


def _define(editor: Editor, said: Mapping[str, Any]) -> dict[str, Any]:
    known = ("name", "definition", "owner", *_lists("tags", "synonyms"))
    name = _required(said, "name", known)
    return {"name": editor.define(name, change_of(said))}


def _describe_term(editor: Editor, said: Mapping[str, Any]) -> dict[str, Any]:
    known = ("name", "rename", "definition", "owner", *_lists("tags", "synonyms"))
    name = _required(said, "name", known)
    called = editor.rename(name, _text(said, "rename"))
    return {"name": called, "changed": editor.describe(called, "", change_of(said))}


def _forget(editor: Editor, said: Mapping[str, Any]) -> dict[str, Any]:
    editor.forget(_required(said, "name", ("name",)))
    return {}


def _add_login(editor: Editor, said: Mapping[str, Any]) -> dict[str, Any]:
    name = _required(said, "name", ("name",))
    return {"name": name, "token": editor.add_login(name)}


def _remove_login(editor: Editor, said: Mapping[str, Any]) -> dict[str, Any]:
    editor.remove_login(_required(said, "name", ("name",)))
    return {}


def change_of(said: Mapping[str, Any]) -> Change:
    """Return a change as it is asked for in JSON: texts by name, lists as ``add_tags`` and ``remove_tags``.

    Raises:
        Wrong: A value is of another type.
    """
    texts = {name: _text(said, name) for name in _TEXTS if name in said}
    if "definition" in said:
        texts["doc"] = _text(said, "definition")
    add, remove = (
        {kind: _texts(said, f"{way}_{name}") for name, kind in _LISTS.items() if f"{way}_{name}" in said}
        for way in ("add", "remove")
    )
    return Change(texts=texts, add=add, remove=remove)


def _editing(store: Store, access: Access, work: Work, *, box: bool) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        try:
            who = str(await access.program(request, box=box))
            asked = dict(request.query_params) if request.method == "DELETE" else _json_of(await read_body(request))
            return as_json(await run_in_threadpool(store.edit, who, lambda editor: work(editor, asked)))
        except Denied as error:
            return as_error(error.status, str(error))
        except (Wrong, Invalid) as error:
            return as_error(400, str(error))
        except NotFound as error:
            return as_error(404, str(error))
        except SaidByCode as error:
            return as_error(409, str(error))
        except ComponentError as error:
            return as_error(503, str(error))

    return endpoint


def _json_of(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Wrong("The body is no JSON; give an object with a name and what to change.") from error
    if not isinstance(found, dict):
        raise Wrong("The body is no JSON object; give one with a name and what to change.")
    return found


def _lists(*names: str) -> tuple[str, ...]:
    return tuple(f"{way}_{name}" for name in names for way in ("add", "remove"))


def _required(said: Mapping[str, Any], name: str, known: tuple[str, ...]) -> str:
    refuse_unknown(said, known)
    found = _text(said, name).strip()
    if not found:
        raise Wrong(f"Parameter {name} is missing.")
    return found


def _text(said: Mapping[str, Any], name: str) -> str:
    found = said.get(name, "")
    if not isinstance(found, str):
        raise Wrong(f"Parameter {name} is {found!r:.100}; give a text.")
    if "\x00" in found:
        raise Wrong(f"Parameter {name} holds a NUL character.")
    return found


def _texts(said: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = said[name]
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise Wrong(f"Parameter {name} is {found!r:.100}; give a list of texts.")
    return tuple(found)
