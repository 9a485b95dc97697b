"""Forms: logging in and out, and editing tables, columns and terms of the glossary by hand."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from headwater.errors import ComponentError
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, RedirectResponse
from starlette.routing import Route

from headwater_catalog.pages._addresses import link, page_of
from headwater_catalog.pages._fields import change_of, described, term_fields
from headwater_catalog.pages._render import VISITOR, render
from headwater_catalog.service.access import Denied, read_body
from headwater_catalog.service.parameters import Parameters, Wrong
from headwater_catalog.store import Invalid, NotFound, SaidByCode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from headwater_catalog.service.access import Access
    from headwater_catalog.store import Editor, Store

    Form = Mapping[str, str]

__all__ = ["answered", "error_page", "form_routes", "shown_name"]

_SEE_OTHER = 303


def form_routes(store: Store, access: Access) -> list[Route]:
    """Return the routes of all forms."""
    forms: dict[str, tuple[Callable[[Store, Form], Response], Callable[[Store, str, Form], Response] | None]] = {
        "/edit": (_edit, _save),
        "/term/edit": (_edit_term, _save_term),
        "/term/remove": (_edit_term, _remove_term),
    }
    return [
        Route("/login", partial(_show_login, access), methods=["GET"]),
        Route("/login", partial(_log_in, access), methods=["POST"]),
        Route("/logout", partial(_log_out, access), methods=["POST"]),
        *(Route(path, _asking(store, access, show), methods=["GET"]) for path, (show, _) in forms.items()),
        *(Route(path, _sending(store, access, save), methods=["POST"]) for path, (_, save) in forms.items() if save),
    ]


def shown_name(access: Access, request: Request) -> str:
    """Return who looks at a page, as its head shows them; empty for who has not logged in."""
    person = access.visitor(request)
    return person.name if person else ""


def error_page(status: int, sentence: str) -> Response:
    """Return a page that says what is wrong in one sentence."""
    return HTMLResponse(render("error.html", here="", status=status, sentence=sentence), status)


async def _show_login(access: Access, request: Request) -> Response:
    VISITOR.set(shown_name(access, request))
    return _login_page(request.query_params.get("next", ""))


def _login_page(onward: str, problem: str = "", status: int = 200) -> Response:
    return HTMLResponse(render("login.html", here="login", onward=_own(onward), problem=problem), status)


async def _log_in(access: Access, request: Request) -> Response:
    form: Form = {}
    try:
        access.require_own(request)
        form = _form(await read_body(request))
        cookie = await access.enter(form.get("name", ""), form.get("password", "").strip())
    except Denied as error:
        return _login_page(form.get("next", ""), str(error), error.status)
    except ComponentError as error:
        return error_page(503, str(error))
    answer = RedirectResponse(_own(form.get("next", "")), _SEE_OTHER)
    access.keep(answer, request, cookie)
    return answer


async def _log_out(access: Access, request: Request) -> Response:
    try:
        access.require_own(request)
    except Denied as error:
        return error_page(error.status, str(error))
    answer = RedirectResponse("/", _SEE_OTHER)
    access.keep(answer, request, "")
    return answer


def _own(onward: str) -> str:
    """Return an address within the catalog; whatever leads elsewhere leads to the first page."""
    inside = onward.startswith("/") and not onward.startswith(("//", "/\\"))
    return onward if inside and onward.isprintable() else "/"


def _form(body: bytes) -> Form:
    read = parse_qs(body.decode(errors="replace"), keep_blank_values=True, max_num_fields=100)
    return {name: texts[0].replace("\r\n", "\n") for name, texts in read.items()}


def _asking(store: Store, access: Access, show: Callable[[Store, Form], Response]) -> Callable[[Request], Any]:
    """Show a form to who is logged in; others log in first and come back."""

    async def endpoint(request: Request) -> Response:
        VISITOR.set(shown_name(access, request))
        if not VISITOR.get():
            return _to_login(f"{request.url.path}?{request.url.query}")
        return await run_in_threadpool(answered, partial(show, store, dict(request.query_params)))

    return endpoint


def _sending(store: Store, access: Access, save: Callable[[Store, str, Form], Response]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        try:
            person = await access.person(request)
            if person is None:
                came = urlsplit(request.headers.get("referer", ""))
                return _to_login(f"{came.path}?{came.query}")
            VISITOR.set(person.name)
            form = _form(await read_body(request))
        except Denied as error:
            return error_page(error.status, str(error))
        except ValueError:
            return error_page(400, "The form has too many fields.")
        except ComponentError as error:
            return error_page(503, str(error))
        return await run_in_threadpool(answered, partial(save, store, str(person), form))

    return endpoint


def _to_login(onward: str) -> Response:
    return RedirectResponse(link("login", next=_own(onward)), _SEE_OTHER)


def answered(work: Callable[[], Response]) -> Response:
    """Return what some work does, or a page that says in one sentence why it cannot be done."""
    try:
        return work()
    except (Wrong, Invalid) as error:
        return error_page(400, str(error))
    except NotFound as error:
        return error_page(404, str(error))
    except ComponentError as error:
        return error_page(503, str(error))


def _edit(store: Store, given: Form, typed: Form | None = None, problem: str = "", status: int = 200) -> Response:
    asked = Parameters({key: given[key] for key in ("name", "column") if key in given}, ("name", "column"))
    name, column = asked.required("name"), asked.text("column").lower()
    with store.reading() as reader:
        table = reader.table(name)
        terms = [one["term"] for one in reader.glossary()["terms"]]
    context = described(table, column, typed or {})
    return HTMLResponse(render("edit.html", here="", terms=terms, problem=problem, **context), status)


def _save(store: Store, who: str, form: Form) -> Response:
    name, column = form.get("name", ""), form.get("column", "").lower()

    def work(editor: Editor) -> int:
        return editor.describe(name, column, change_of(form))

    try:
        store.edit(who, work)
    except (Invalid, SaidByCode, NotFound) as error:
        return _edit(store, form, form, str(error), 409 if isinstance(error, SaidByCode) else 400)
    return RedirectResponse(link("column", name=name, column=column) if column else page_of(name), _SEE_OTHER)


def _edit_term(store: Store, given: Form, typed: Form | None = None, problem: str = "", status: int = 200) -> Response:
    name = given.get("name", "").strip()
    term: Mapping[str, Any] = {}
    if name:
        with store.reading() as reader:
            term = reader.term(name)
    context = term_fields(term, typed or {})
    return HTMLResponse(render("edit.html", here="glossary", terms=[], problem=problem, **context), status)


def _save_term(store: Store, who: str, form: Form) -> Response:
    name, title = form.get("name", ""), form.get("title", "")

    def work(editor: Editor) -> str:
        if not name:
            return editor.define(title, change_of(form))
        called = editor.rename(name, title)
        editor.describe(called, "", change_of(form))
        return called

    try:
        called = store.edit(who, work)
    except Invalid as error:
        return _edit_term(store, form, form, str(error), 400)
    return RedirectResponse(page_of(called), _SEE_OTHER)


def _remove_term(store: Store, who: str, form: Form) -> Response:
    store.edit(who, lambda editor: editor.forget(form.get("name", "")))
    return RedirectResponse("/glossary", _SEE_OTHER)
