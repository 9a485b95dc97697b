"""Writing to the running catalog: tokens, logins, sessions and forms, in a real browser and as a program would."""

from __future__ import annotations

import threading
import time
import uuid

import pytest
import requests
from catalog_site import Site, keep, looking
from command_line import headwater
from lineage_events import body, event, new_run, trino_table

pytestmark = pytest.mark.box

VINTAGE, STATE = "curated.loan_vintage", "curated.loan_state"
SHARED = "alice (with the box's token)"


class Program:
    """Asks the running catalog as a program.

    Args:
        profile: Of the box.
    """

    def __init__(self, profile) -> None:
        self.host = profile.address("catalog")
        self.url, self.token = f"http://{self.host}", profile.credentials.password("catalog")
        self.own = {"Origin": self.url}

    def call(self, method, path, token="", session=None, **content) -> requests.Response:
        """Ask; redirects are answers."""
        given = session or requests.Session()
        given.trust_env = False
        headers = {**content.pop("headers", {}), **({"Authorization": f"Bearer {token}"} if token else {})}
        return given.request(method, self.url + path, headers=headers, timeout=30, allow_redirects=False, **content)

    def log_in(self, name, password, session=None, **headers) -> requests.Response:
        """Send the login's form."""
        data = {"name": name, "password": password, "next": "/glossary"}
        return self.call("POST", "/login", session=session, data=data, headers=headers or self.own)


@pytest.fixture(scope="module")
def program(box) -> Program:
    """The catalog, once it knows the project's definitions."""
    site, deadline = Site(box), time.monotonic() + 90
    while site.get("/api/v1/table", name=VINTAGE).status_code == 404 and time.monotonic() < deadline:
        time.sleep(0.3)
    return Program(box)


@pytest.fixture
def table(box) -> str:
    """A table that nobody defines."""
    name = f"curated.edited_{uuid.uuid4().hex[:8]}"
    columns = {"_producer": "https://example.org", "_schemaURL": "https://example.org/s",
               "fields": [{"name": "c", "type": "bigint"}]}  # fmt: skip
    target = trino_table(name) | {"facets": {"schema": columns}}
    Site(box).send(event("COMPLETE", new_run(), outputs=[target]))
    return name


@pytest.fixture
def user(box):
    """Somebody with a login of their own: name and token."""
    name = f"bob{uuid.uuid4().hex[:8]}"
    said = headwater(box, "catalog", "user", "add", name).stdout
    yield name, said.split("logs in with ")[1].split(";")[0]
    headwater(box, "catalog", "user", "remove", name, check=False)


def test_a_person_edits_a_table(box, program, table):
    """Asked to log in, they come back to the form; what they say is shown with their name, and in the history."""
    mark = table[-8:]
    with looking() as page:
        page.goto(f"{program.url}/table?name={table}")
        page.get_by_role("link", name="Edit", exact=True).first.click()
        page.wait_for_url("**/login?next=*")
        page.get_by_label("Your name").fill("alice")
        page.get_by_label("Password").fill(program.token)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url("**/edit?name=*")
        page.get_by_label("Owner").fill("team:risk")
        page.get_by_label("What it means").fill(f"Rows of {mark}.\nA second line.")
        page.get_by_label("Domain").fill(f"domain{mark}")
        page.get_by_label("Tags").fill("hot, late")
        keep(page, "edit")
        page.get_by_role("button", name="Save").click()
        page.wait_for_url(f"**/table?name={table}")
        shown = page.locator("main").inner_text()
        assert f"Rows of {mark}." in shown
        assert f"said by {SHARED}" in shown
        assert f"{SHARED} set the owner team:risk" in shown
        keep(page, "edited")

        page.get_by_role("link", name="Edit", exact=True).first.click()
        page.get_by_label("Owner").fill("team:fraud")
        page.get_by_label("Tags").fill("late")
        page.get_by_role("button", name="Save").click()
        page.wait_for_url(f"**/table?name={table}")
        assert f"{SHARED} changed the owner from team:risk to team:fraud" in page.locator("main").inner_text()
        assert "took away the tag hot" in page.locator("main").inner_text()

        page.get_by_role("link", name="Edit c").click()
        page.get_by_label("Tags").fill("pii")
        page.get_by_role("button", name="Save").click()
        page.wait_for_url("**/column?*")
        assert page.locator(".tag.pii").inner_text() == "pii"

        page.goto(program.url)
        page.locator("select[name=domain]").select_option(f"domain{mark}")
        page.wait_for_function("() => document.querySelectorAll('.hit').length === 1")
        page.get_by_role("link", name="alice").click()
        page.get_by_role("button", name="Log out").click()
        page.wait_for_url(f"{program.url}/")
        assert page.get_by_role("link", name="Log in").count() == 1


def test_what_code_says_is_no_field(program):
    """The form shows it with the file; one sent all the same is refused with that sentence, typed words kept."""
    session = requests.Session()
    program.log_in("alice", program.token, session)
    form = program.call("GET", f"/edit?name={STATE}", session=session).text
    assert 'name="owner"' not in form
    assert "Its definition says so; change it in" in form
    sent = {
        "name": STATE,
        "column": "",
        "owner": "team:mine",
        "owner_before": "x",
        "tag": "brand-new",
        "tag_before": "",
    }
    answer = program.call("POST", "/edit", session=session, data=sent, headers=program.own)

    assert answer.status_code == 409
    assert f"The owner of {STATE} is said by its definition; change it in" in answer.text
    assert 'value="brand-new"' in answer.text
    assert "brand-new" not in program.call("GET", f"/api/v1/table?name={STATE}").json()["tags"]


def test_the_glossary_on_its_page(program, table):
    """A term is made, given to a column, found by its synonym, shown with what carries it, and removed."""
    mark = table[-8:]
    with looking() as page:
        page.goto(f"{program.url}/login?next=/glossary")
        page.get_by_label("Your name").fill("alice")
        page.get_by_label("Password").fill(program.token)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url("**/glossary")
        page.get_by_role("link", name="New term").click()
        page.locator("input[name=title]").fill(f"Seasoning {mark}")
        page.get_by_label("What it means").fill("Months since the first payment.")
        page.get_by_label("Synonyms").fill(f"loanage{mark}")
        page.get_by_role("button", name="Save").click()
        page.wait_for_url("**/term?name=Seasoning*")
        page.goto(f"{program.url}/edit?name={table}&column=c")
        page.get_by_label("Terms of the glossary").fill(f"Seasoning {mark}")
        page.get_by_role("button", name="Save").click()
        page.get_by_role("link", name=f"Seasoning {mark}").click()
        page.wait_for_url("**/term?name=*")
        assert table in page.locator("main tbody").first.inner_text()
        keep(page, "term")

        page.goto(f"{program.url}/?q=loanage{mark}")
        page.locator(".hit a.name").first.click()
        page.wait_for_url("**/term?name=*")
        page.get_by_role("link", name="Edit", exact=True).click()
        page.get_by_role("button", name="Remove this term").click()
        page.wait_for_url("**/glossary")
        assert mark not in page.locator("main").inner_text()
    assert program.call("GET", f"/api/v1/table?name={table}").json()["columns"][0]["terms"] == []


def test_rest_says_what_pages_say(box, program, table, user):
    """Facts, terms and who did it, by a login of their own; every mistake is one sentence with its status."""
    name, token = user
    term = f"T {table[-8:]}"
    asked = {"name": term, "definition": "What.", "add_synonyms": [f"syn{table[-8:]}"]}
    assert program.call("POST", "/api/v1/term", token, json=asked).json() == {"name": f"term:{term}"}
    change = {"name": table, "owner": "team:a", "add_tags": ["hot"], "add_terms": [term]}
    assert program.call("PATCH", "/api/v1/table", token, json=change).json() == {"changed": 3}
    assert program.call("PATCH", "/api/v1/table", token, json={"name": table, "column": "C", "doc": "It."}).json() == {
        "changed": 1
    }
    told = program.call("GET", f"/api/v1/table?name={table}").json()
    assert (told["owner"], told["said"]["owner"]["who"]) == ("team:a", name)
    assert told["columns"][0]["doc"] == "It."
    edits = program.call("GET", f"/api/v1/history?name={table}").json()["edits"]
    assert edits[0]["said"] == f"{name} set the doc of column c It."
    assert [one["who"] for one in program.call("GET", "/api/v1/audit?limit=1").json()["edits"]] == [name]
    found = program.call("GET", f"/api/v1/term?name={term}").json()
    assert [one["table"] for one in found["carriers"]] == [table]
    renamed = program.call("PATCH", "/api/v1/term", token, json={"name": term, "rename": f"{term}b"})
    assert renamed.json() == {"name": f"term:{term}b", "changed": 0}
    assert program.call("DELETE", f"/api/v1/term?name={term}b", token).status_code == 200
    assert term not in headwater(box, "table", table).stdout
    assert f"team:a (by {name})" in headwater(box, "table", table).stdout
    assert f"{name} set the owner team:a" in headwater(box, "history", table).stdout


@pytest.mark.parametrize(
    ("asked", "content", "status", "sentence"),
    [
        (
            ("PATCH", "table"),
            {"json": {"name": STATE, "owner": "team:x"}},
            409,
            "is said by its definition; change it in",
        ),
        (("PATCH", "table"), {"json": {"name": "curated.nothing", "doc": "x"}}, 404, "knows no table"),
        (("PATCH", "table"), {"json": {"name": STATE, "add_tags": "hot"}}, 400, "give a list of texts"),
        (("PATCH", "table"), {"json": {"name": STATE, "add_tags": ["a b"]}}, 400, "will not do"),
        (("PATCH", "table"), {"json": {"name": STATE, "colour": "red"}}, 400, "no parameter 'colour'"),
        (("PATCH", "table"), {"json": {"name": 7}}, 400, "give a text"),
        (("PATCH", "table"), {"json": []}, 400, "no JSON object"),
        (("PATCH", "table"), {"data": b"{"}, 400, "no JSON"),
        (("PATCH", "table"), {"data": b"[" * 200_000}, 400, "no JSON"),
        (("PATCH", "table"), {"data": b" " * 300_000}, 413, "more than"),
        (("PATCH", "table"), {"data": b'{"name": "a\\u0000"}'}, 400, "NUL"),
        (("POST", "term"), {"json": {"name": "a,b"}}, 400, "without a comma"),
        (("DELETE", "term"), {"params": {"name": "No such"}}, 404, "has no term"),
        (("POST", "user"), {"json": {"name": "Not OK"}}, 400, "will not do"),
        (("DELETE", "user"), {"params": {"name": "nobody-here"}}, 404, "no login"),
    ],
)
def test_what_is_wrong_with_a_write_is_one_sentence(program, asked, content, status, sentence):
    """Never a stack trace, and nothing is changed."""
    answer = program.call(asked[0], f"/api/v1/{asked[1]}", program.token, **content)

    assert (answer.status_code, sentence in answer.json()["error"]) == (status, True), answer.text


WRITES = (("PATCH", "table"), ("POST", "term"), ("PATCH", "term"), ("DELETE", "term"), ("POST", "lineage"),
          ("POST", "queries"), ("POST", "user"), ("DELETE", "user"))  # fmt: skip


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_every_write_needs_a_token(program, user, method, path):
    """None, or a wrong one: 401 with one sentence; logins are made with the box's own token only."""
    tokens = ["", "wrong"] + ([user[1]] if path == "user" else [])
    for token in tokens:
        answer = program.call(method, f"/api/v1/{path}", token, data=b"{}")
        assert answer.status_code == 401
        assert "`headwater credentials`" in answer.json()["error"]
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_events_are_recorded_with_whose_token_they_came(box, program, user):
    """A login's name, or that it was the box's."""
    from headwater.box.components.databases import connect

    name, token = user
    runs = {new_run(): token, new_run(): program.token}
    for run, shown in runs.items():
        data = body(event("COMPLETE", run, outputs=[trino_table(f"curated.e_{run[:8]}")]))
        assert program.call("POST", "/api/v1/lineage", shown, data=data).status_code == 201
    with connect(box, "catalog-db") as connection:
        sent = dict(connection.execute("SELECT run_id, sent_by FROM event WHERE run_id = ANY(%s)", (list(runs),)))
    assert [sent[run] for run in runs] == [name, "token"]


def test_a_session_is_safe(program, user):
    """Its cookie is for the catalog's own pages alone, a changed one is worth nothing, and it ends with the login."""
    session = requests.Session()
    kept = program.log_in(*user, session).headers["Set-Cookie"]
    assert all(part in kept for part in ("HttpOnly", "SameSite=strict", "Path=/", "Max-Age="))
    held = session.cookies["headwater_catalog"]
    edit = f"/edit?name={STATE}"
    assert program.call("GET", edit, session=session).status_code == 200
    for wrong in (held[:-2] + ("AA" if held[-2:] != "AA" else "BB"), "x", "", "A" * 500, held[:20]):
        answer = program.call("GET", edit, headers={"Cookie": f"headwater_catalog={wrong}"})
        assert (answer.status_code, answer.headers["Location"][:7]) == (303, "/login?")

    form = {"name": STATE, "column": "", "tag": "", "tag_before": ""}
    assert program.call("POST", "/edit", session=session, data=form, headers=program.own).status_code == 303
    answer = program.call("DELETE", f"/api/v1/user?name={user[0]}", program.token)
    assert answer.status_code == 200
    answer = program.call("POST", "/edit", session=session, data=form, headers=program.own)
    assert answer.headers["Location"].startswith("/login")
    assert program.call("PATCH", "/api/v1/table", user[1], json=form).status_code == 401


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:1", "null", ""])
@pytest.mark.parametrize("path", ["/edit", "/term/edit", "/term/remove", "/login", "/logout"])
def test_no_other_site_sends_a_form(program, path, origin):
    """Not even from another port of this machine, to which cookies go as well."""
    session = requests.Session()
    program.log_in("alice", program.token, session)
    form = {"name": "alice", "password": program.token, "title": "Forged"}
    headers = {"Origin": origin} if origin else {}
    answer = program.call("POST", path, session=session, data=form, headers=headers)

    assert answer.status_code == 403
    assert "This form was not sent from the catalog" in answer.text
    assert "Forged" not in program.call("GET", "/glossary").text


@pytest.mark.parametrize(
    "onward", ["//evil.example", "http://evil.example", "/\\evil.example", "javascript:alert(1)", ""]
)
def test_a_login_leads_nowhere_else(program, onward):
    """Whatever a link to the login names, one stays on the catalog's pages."""
    data = {"name": "alice", "password": program.token, "next": onward}
    answer = program.call("POST", "/login", data=data, headers=program.own)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


def test_a_wrong_password_is_said_and_slowed(program, user):
    """One sentence on the page; many guesses at once get two answers a second, who is right never waits."""
    wrong = program.log_in(user[0], program.token[:-1])
    assert wrong.status_code == 401
    assert "That password is not right" in wrong.text
    assert "Set-Cookie" not in wrong.headers
    assert "Say who you are" in program.log_in("<b>", program.token).text

    took: list[float] = []

    def guess() -> None:
        began = time.monotonic()
        assert program.call("PATCH", "/api/v1/table", "guess", json={}).status_code == 401
        took.append(time.monotonic() - began)

    threads = [threading.Thread(target=guess) for _ in range(8)]
    for one in threads:
        one.start()
    time.sleep(0.2)
    began = time.monotonic()
    assert program.call("PATCH", "/api/v1/table", program.token, json={}).status_code == 400
    right = time.monotonic() - began
    for one in threads:
        one.join()
    assert len(took) == 8
    assert max(took) >= 3.4
    assert right < 2


def test_logins_are_made_and_ended(box, user):
    """Their token is shown once; the list has names only."""
    listed = headwater(box, "catalog", "user", "list").stdout
    assert user[0] in listed
    assert user[1] not in listed
    again = headwater(box, "catalog", "user", "add", user[0], check=False)
    assert again.returncode == 1
    assert "There is a login" in again.stderr
