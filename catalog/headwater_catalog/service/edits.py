"""REST for what people say by hand: facts of tables and columns, the glossary, logins, and who changed what."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headwater.errors import ComponentError
from starlette.concurrency import run_in_threadpool
from starlette.routing import Route

from headwater_catalog.service._kinds import Parameter, Text, Texts
from headwater_catalog.service.access import Denied, read_body
from headwater_catalog.service.answers import as_error, as_json
from headwater_catalog.service.parameters import Wrong, refuse_unknown
from headwater_catalog.service.shapes import Shape, one
from headwater_catalog.store import Change, Invalid, NotFound, SaidByCode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from headwater_catalog.service.access import Access
    from headwater_catalog.store import Editor, Store

    # What is done with a request's JSON, in an edit of whoever asks.
    Work = Callable[[Editor, Mapping[str, Any]], dict[str, Any]]

__all__ = ["EDITS", "Edit", "change_of", "edit_routes"]

_TEXTS = ("owner", "doc", "domain")
# REST's names of lists and what is in them.
_LISTS = {"tags": "tag", "terms": "term", "synonyms": "synonym"}


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One way to change something.

    Args:
        path: Below ``/api/v1``.
        method: HTTP's verb; DELETE takes parameters, the others JSON.
        about: What it does, in one sentence.
        fields: What it takes.
        work: Does it, in an edit of whoever asks.
        answer: What its answer looks like.
        box: Only the box's own token will do.
    """

    path: str
    method: str
    about: str
    fields: tuple[Parameter, ...]
    work: Work
    answer: Shape
    box: bool = False


def edit_routes(store: Store, access: Access) -> list[Route]:
    """Return the routes that change something; each needs a token."""
    return [Route(f"/api/v1/{one.path}", _editing(store, access, one), methods=[one.method]) for one in EDITS]


def _describe(editor: Editor, said: Mapping[str, Any]) -> dict[str, Any]:
    name, column = _required(said, "name"), _text(said, "column").lower()
    return {"changed": editor.describe(name, column, change_of(said))}


def _define(editor: Editor, said: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": editor.define(_required(said, "name"), change_of(said))}


def _describe_term(editor: Editor, said: Mapping[str, Any]) -> dict[str, Any]:
    called = editor.rename(_required(said, "name"), _text(said, "rename"))
    return {"name": called, "changed": editor.describe(called, "", change_of(said))}


def _forget(editor: Editor, said: Mapping[str, Any]) -> dict[str, Any]:
    editor.forget(_required(said, "name"))
    return {}


def _add_login(editor: Editor, said: Mapping[str, Any]) -> dict[str, Any]:
    name = _required(said, "name")
    return {"name": name, "token": editor.add_login(name)}


def _remove_login(editor: Editor, said: Mapping[str, Any]) -> dict[str, Any]:
    editor.remove_login(_required(said, "name"))
    return {}


def _lists(*names: str) -> tuple[Texts, ...]:
    return tuple(Texts(f"{way}_{name}", _LISTED[way].format(name)) for name in names for way in ("add", "remove"))


_LISTED = {"add": "{} to give it.", "remove": "{} to take off it."}
_NAME = Text("name", "Its name.", must=True)
_OWNER = Text("owner", "An e-mail address or team:name; empty takes back what was said by hand.")

EDITS = (
    Edit(
        path="table",
        method="PATCH",
        about="Says by hand what the definition of a table or column leaves empty.",
        fields=(
            Text("name", "A table by any of its names.", must=True),
            Text("column", "One of its columns.", lower=True),
            _OWNER,
            Text("doc", "What one row, or the column, means."),
            Text("domain", "What it belongs to."),
            *_lists("tags", "terms"),
        ),
        work=_describe,
        answer=one("changed:count"),
    ),
    Edit(
        path="term",
        method="POST",
        about="Adds a term to the glossary.",
        fields=(_NAME, Text("definition", "What it means."), _OWNER, *_lists("tags", "synonyms")),
        work=_define,
        answer=one("name"),
    ),
    Edit(
        path="term",
        method="PATCH",
        about="Changes a term of the glossary.",
        fields=(
            _NAME,
            Text("rename", "Its new name."),
            Text("definition", "What it means."),
            _OWNER,
            *_lists("tags", "synonyms"),
        ),
        work=_describe_term,
        answer=one("name, changed:count"),
    ),
    Edit(
        path="term",
        method="DELETE",
        about="Removes a term from the glossary, and takes it off all that carries it.",
        fields=(_NAME,),
        work=_forget,
        answer=one(),
    ),
    Edit(
        path="user",
        method="POST",
        about="Makes a login and tells its token, once.",
        fields=(_NAME,),
        work=_add_login,
        answer=one("name, token"),
        box=True,
    ),
    Edit(
        path="user",
        method="DELETE",
        about="Ends a login at once.",
        fields=(_NAME,),
        work=_remove_login,
        answer=one(),
        box=True,
    ),
)


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


def _editing(store: Store, access: Access, edit: Edit) -> Callable[[Request], Any]:
    known = [one.name for one in edit.fields]

    async def endpoint(request: Request) -> Response:
        try:
            who = str(await access.program(request, box=edit.box))
            by_address = edit.method == "DELETE"
            asked = dict(request.query_params) if by_address else _json_of(await read_body(request))
            refuse_unknown(asked, known)
            return as_json(await run_in_threadpool(store.edit, who, lambda editor: edit.work(editor, asked)))
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


def _required(said: Mapping[str, Any], name: str) -> str:
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
