"""The catalog's pages as a folder: every link leads somewhere, and a browser finds its way from a disk and a server."""

from __future__ import annotations

import functools
import threading
import time
import uuid
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree as ET

import pytest
from by_hand import edit
from catalog_site import Site, keep, looking, settled, tables
from command_line import headwater
from headwater_catalog.pages import keep_pages
from headwater_catalog.pages._kept_addresses import file_name
from headwater_catalog.service.serving import site_of, store_of
from lineage_events import event, facet, new_run, spark_table, trino_table

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.box

STATE, VINTAGE, ORIGINATION = "curated.loan_state", "curated.loan_vintage", "partitioned.loan_origination"
EVIL = 'curated."o\'brien" <img src=x onerror=alert(1)> ../../🦆'
COLUMN = "<b>c</b> '\" ../x"
SECRET = "alice@example.org"
TARGET = "curated.after_evil"
# A box that is kept running knows the term of the round before.
TERM = f"Customer <&> {uuid.uuid4().hex[:6]}"


class Links(HTMLParser):
    """Everything that a page leads to or loads."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        """Keep addresses."""
        self.found += [(tag, text or "") for name, text in attrs if name in ("href", "src", "action")]


@pytest.fixture(scope="module")
def folder(box, tmp_path_factory) -> Path:
    """An export of the loans, with a hostile table and one of personal data among them."""
    site, deadline = Site(box), time.monotonic() + 90
    while site.get("/api/v1/table", name=VINTAGE).status_code == 404 and time.monotonic() < deadline:
        time.sleep(0.3)
    evil = {"namespace": "elsewhere", "name": EVIL, "facets": {"schema": facet(fields=[
        {"name": COLUMN, "type": "<i>t</i>", "description": "</script><script>alert(2)</script>"}])}}  # fmt: skip
    held = {"kind": "text", "nullCount": 0, "count": 2, "distinctCount": 1, "min": SECRET, "max": SECRET}
    people = spark_table("curated.people")
    people["facets"]["schema"] = facet(fields=[{"name": "mail", "type": "string"}, {"name": "n", "type": "int"}])
    people["facets"]["headwater_shape"] = facet(partitions=[{"key": "", "rows": 2}])
    people["outputFacets"] = {"headwater_profile": facet(partitions=[{"key": "", "columns": {
        "mail": {**held, "top": [[SECRET, 2]]}}}])}  # fmt: skip
    site.send(event("COMPLETE", new_run(), inputs=[evil], outputs=[trino_table(TARGET), people]))
    with store_of(box) as store:
        edit(store, "curated.people", "mail", add_tag=("pii",))
        edit(store, "curated.people", add_term=(_term(store),))
    target = tmp_path_factory.mktemp("export") / "shared pages"
    done = headwater(box, "catalog", "export", "--static", str(target))
    assert f"are in {target}; open {target / 'index.html'}." in done.stdout
    return target


def _term(store: Any) -> str:
    def define(editor: Any) -> str:
        from headwater_catalog.store import Change

        return editor.define(TERM, Change(texts={"doc": "Who buys."}))

    return store.edit("alice", define)


@pytest.fixture(params=["disk", "server"])
def address(request, folder) -> Iterator[str]:
    """Where the folder is looked at: on the disk, and below a path of a plain web server."""
    if request.param == "disk":
        yield folder.as_uri()
        return
    handler = functools.partial(_Quiet, directory=str(folder.parent))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/shared%20pages"
    server.shutdown()
    server.server_close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def seeing(address: str, **options: Any) -> Any:
    """Look at the folder; nothing outside it may be asked for."""
    scheme = "file://" if address.startswith("file:") else address.rpartition("/")[0]
    return looking(ours=(address, "blob:null", f"blob:{scheme}"), **options)


def test_every_link_leads_to_a_file_of_the_folder(folder):
    """Or to Dagster and Superset; no page asks the catalog, and none of its forms and rows are there."""
    pages = sorted(folder.rglob("*.html"))
    outside = set()
    for page in pages:
        html = page.read_text(encoding="utf-8")
        assert html.rstrip().endswith("</html>"), page
        policy = html.partition('http-equiv="Content-Security-Policy" content="')[2].partition('"')[0]
        assert "default-src &#39;none&#39;" in policy
        assert "unsafe" not in policy
        assert 'href=""' not in html
        for tag, link in Links(html).found:
            parts = urlsplit(link)
            if parts.scheme:
                outside.add((tag, parts.path.split("/")[1]))
                continue
            place = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            assert place.is_relative_to(folder), (page, link)
            assert place.is_file(), (page, link)
    assert {tag for tag, _ in outside} == {"a"}
    assert {first for _, first in outside} <= {"assets", "superset", "explore"}
    texts = {one: one.read_text(encoding="utf-8") for one in folder.rglob("*") if one.suffix in (".html", ".js")}
    ours = [text for one, text in texts.items() if "libraries" not in one.parts]
    assert not any(word in text for text in ours for word in ("/api/v1", "/login", "/sample?", "term/edit"))
    assert {f"table/{STATE}/lineage.html", f"table/{STATE}/impact.html", "glossary.html", "health.html"} <= {
        str(one.relative_to(folder)) for one in pages
    }


def test_no_value_of_personal_data_is_in_it(folder, box):
    """What a column with the tag pii holds is in no file, though the catalog was told."""
    with store_of(box) as store, store.reading() as reader:
        known = reader._connection.execute("SELECT count(*) FROM profile WHERE columns::text LIKE %s", (f"%{SECRET}%",))
        assert known.fetchone()[0] > 0
    for one in folder.rglob("*"):
        assert not one.is_file() or SECRET.encode() not in one.read_bytes(), one
    assert "mail" in (folder / "table/curated.people/index.html").read_text()


def test_from_search_to_a_path(folder, address):
    """Search with a typo, filters, table, column, its path in the graph, and the graph as SVG."""
    with seeing(address, accept_downloads=True) as page:
        page.goto(f"{address}/index.html")
        page.locator("[data-quick]").press_sequentially("credt scor", delay=20)
        page.wait_for_selector(".why")
        found = page.locator(".hit", has_text=ORIGINATION).first
        assert found.locator(".why").inner_text().startswith("column")
        assert page.locator(".hit", has_text="curated.people").count() == 0
        page.locator("[data-quick]").fill("loan_state")
        page.get_by_text("curated", exact=True).first.click()
        page.wait_for_function("() => !document.querySelector('.hit .zone-partitioned')")
        keep(page, "export_search")
        page.locator(".hit a.name", has_text=STATE).first.click()
        page.wait_for_url(f"**/{STATE}/index.html")
        assert page.locator("h1").inner_text() == STATE

        page.get_by_role("link", name="average_credit_score", exact=True).first.click()
        page.wait_for_url("**/column/average_credit_score.html")
        assert ORIGINATION in page.locator("table.path tbody tr").first.inner_text()
        page.get_by_role("link", name="Show its path in the graph").click()
        page.wait_for_selector(".row.lit[data-column=credit_score]")
        settled(page)
        assert page.locator(".edge.lit").count() >= 1
        assert {"chart:average_credit_score", ORIGINATION, STATE} <= tables(page)
        assert page.url.endswith("lineage.html#average_credit_score")
        with page.expect_download() as coming:
            page.get_by_role("button", name="Save SVG").click()
        ET.fromstring(Path(coming.value.path()).read_text(encoding="utf-8"))  # noqa: S314 - our own file


def test_from_the_graph_to_health(folder, address):
    """The graph expands and shows columns; impact of a table and a column, glossary, health."""
    with seeing(address) as page:
        page.goto(f"{address}/table/{STATE}/lineage.html")
        settled(page)
        before = tables(page)
        page.get_by_role("button", name=f"it is made from: {ORIGINATION}").click()
        page.wait_for_function("n => document.querySelectorAll('#graph .node').length > n", arg=len(before))
        settled(page)
        assert "raw.loan_origination" in tables(page)
        page.get_by_role("button", name="Expand all").click()
        page.wait_for_selector("#graph .node[data-name='files:data/loans']")
        settled(page)
        page.get_by_role("button", name=f"Show the columns of {STATE}").click()
        page.wait_for_selector(f"[data-press=light][data-name='{STATE}']")
        keep(page, "export_lineage")

        page.get_by_role("link", name="Impact").click()
        page.wait_for_url("**/impact.html")
        assert "Loan portfolio" in page.locator("main tbody").first.inner_text()
        page.locator("a.chip", has_text="state").first.click()
        page.wait_for_url("**/impact/state.html")
        page.get_by_role("link", name="Glossary").click()
        page.get_by_role("link", name=TERM).click()
        page.get_by_role("link", name="curated.people").click()
        page.get_by_role("link", name="Health").click()
        page.locator(".figures a", has_text="unowned").click()
        page.wait_for_url("**/health-unowned.html")
        assert "as of 20" in page.locator("header").inner_text()


def test_search_from_any_page_and_by_a_tag(folder, address):
    """The field above every page leads to the search; a tag's link narrows it."""
    with seeing(address) as page:
        page.goto(f"{address}/table/{STATE}/index.html")
        page.locator("[data-quick]").fill("vintage")
        page.keyboard.press("Enter")
        page.wait_for_url("**/index.html?q=vintage")
        assert VINTAGE in page.locator(".hits").inner_text()
        assert "curated.people" not in page.locator(".hits").inner_text()
        page.goto(f"{address}/table/curated.people/column/mail.html")
        page.locator("a.tag.pii").first.click()
        page.wait_for_url("**/index.html?tag=pii")
        assert "curated.people" in {one.strip() for one in page.locator(".hit a.name").all_inner_texts()}
        assert STATE not in page.locator(".hits").inner_text()


def test_a_hostile_name_is_text_everywhere(folder, address):
    """Found, shown, drawn and linked; nothing in it runs, and its files stay in the folder."""
    with seeing(address) as page:
        page.goto(f"{address}/index.html?q=brien")
        page.locator(".hit a.name", has_text="brien").first.click()
        page.wait_for_url("**/table/**")
        shown = page.locator("h1").inner_text()
        assert "<img src=x onerror=alert(1)>" in shown
        assert "</script><script>alert(2)</script>" in page.locator("main").inner_text()
        page.get_by_role("link", name="<b>c</b>").first.click()
        page.wait_for_url("**/column/**")
        page.go_back()
        page.get_by_role("link", name="Open the graph").click()
        settled(page)
        assert {shown, TARGET} <= tables(page)
        page.get_by_role("button", name=f"Show the columns of {shown}").click()
        page.wait_for_selector("[data-press=light]")
        page.locator("[data-press=light]").first.click()
        settled(page)
        assert page.locator("[data-status]").inner_text().count("the path of") == 1
        page.locator("#graph .node a").first.click()
        page.wait_for_url("**/index.html")


def test_without_scripts_every_table_is_listed(folder):
    """Links and lists need none."""
    with seeing(folder.as_uri(), java_script_enabled=False) as page:
        page.goto(f"{folder.as_uri()}/index.html")
        page.locator(".hit a.name", has_text=VINTAGE).first.click()
        page.get_by_role("link", name="Lineage", exact=True).click()
        page.locator("summary").click()
        assert "partitioned.loan_performance" in page.locator(".as-list").inner_text()


def test_an_export_gives_way_to_the_next_and_to_nothing_else(box, folder, tmp_path):
    """The same again is the same pages; a failure in the middle leaves those; another's folder is refused."""
    before = {one.relative_to(folder) for one in folder.rglob("*")}
    with store_of(box) as store:

        def fail(done: int, _: int) -> None:
            if done == 3:
                raise RuntimeError("killed")

        with pytest.raises(RuntimeError, match="killed"):
            keep_pages(store, site_of(box), folder, fail)
        assert {one.relative_to(folder) for one in folder.rglob("*")} == before
        assert [one.name for one in folder.parent.iterdir()] == [folder.name]
        kept = keep_pages(store, site_of(box), folder)
    assert kept.pages == len([*folder.rglob("*.html")])
    (tmp_path / "mine.txt").write_text("x")
    refused = headwater(box, "catalog", "export", "--static", str(tmp_path), check=False)
    assert refused.returncode == 1
    assert "is something else already; name a folder that is empty, new or a former export." in refused.stderr
    assert [one.name for one in tmp_path.iterdir()] == ["mine.txt"]
    assert file_name(EVIL) != EVIL
