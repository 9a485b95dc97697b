"""The catalog's pages as a person meets them: a real browser, the running catalog, the project's definitions."""

from __future__ import annotations

import time
import uuid
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from catalog_site import Site, keep, knowing, looking, settled, tables
from lineage_events import event, new_run, spark_table, trino_table

pytestmark = pytest.mark.box

EVIL = 'curated."o\'brien" <img src=x onerror=alert(1)> 🦆'
VINTAGE, STATE = "curated.loan_vintage", "curated.loan_state"
PAGES = (
    ("/", {}),
    ("/", {"q": "credit"}),
    ("/table", {"name": VINTAGE}),
    ("/column", {"name": STATE, "column": "average_credit_score"}),
    ("/lineage", {"name": VINTAGE}),
    ("/impact", {"name": "partitioned.loan_origination", "column": "credit_score"}),
    ("/health", {}),
    ("/glossary", {}),
    ("/login", {"next": "/health"}),
    ("/table", {"name": "curated.nothing"}),
)


@pytest.fixture(scope="module")
def site(box) -> Site:
    """The test box's catalog, once it knows the project's definitions."""
    return knowing(box, VINTAGE)


def test_from_search_to_impact(site):
    """Search, table, lineage with expanding, columns, highlight and export, impact: as one would click through."""
    with looking(accept_downloads=True) as page:
        page.goto(site.url)
        page.locator("[data-quick]").press_sequentially("credit scor", delay=20)
        page.wait_for_url("**/?q=credit+scor")
        page.locator(".hit", has_text="partitioned.loan_origination").first.wait_for()
        assert page.locator(".why", has_text="credit_score").first.inner_text().startswith("column")
        assert page.locator(".why mark").first.inner_text().lower() == "credit"
        page.get_by_text("curated", exact=True).first.click()
        page.wait_for_function("() => !document.querySelector('.hit .zone-partitioned')")
        assert "zone=curated" in page.url
        keep(page, "search")

        page.locator(".hit a.name", has_text=STATE).first.click()
        page.wait_for_url("**/table?name=curated.loan_state")
        assert page.locator("h1").inner_text() == STATE
        assert page.get_by_role("link", name="average_credit_score", exact=True).count() == 1
        assert (
            page.locator("a.out", has_text="Asset in Dagster")
            .get_attribute("href")
            .endswith("/assets/curated/loan_state")
        )
        assert page.locator(".edges li").count() >= 2

        page.get_by_role("link", name="Open the graph").click()
        settled(page)
        assert {one for one in tables(page) if ":" not in one} == {
            STATE,
            "partitioned.loan_origination",
            "partitioned.loan_performance",
        }
        assert {"chart:average_credit_score", "dashboard:loan_portfolio"} <= tables(page)
        keep(page, "lineage")
        _expand(page)
        lines = _light(page)
        _save(page, lines)

        page.get_by_role("link", name="Impact").click()
        page.wait_for_url("**/impact?name=curated.loan_state")
        breaks = page.locator("main tbody").first.inner_text()
        assert "Average credit score" in breaks
        assert "Loan portfolio" in breaks


def _expand(page: Any) -> None:
    """A table's button shows what it is made from, and takes it away again; the others stay."""
    before = tables(page)
    page.get_by_role("button", name="it is made from: partitioned.loan_origination").click()
    page.wait_for_function("n => document.querySelectorAll('#graph .node').length > n", arg=len(before))
    settled(page)
    assert "raw.loan_origination" in tables(page)
    assert "raw.loan_performance" not in tables(page)
    page.get_by_role("button", name="Hide what it is made from: partitioned.loan_origination").click()
    page.wait_for_function("n => document.querySelectorAll('#graph .node').length === n", arg=len(before))
    assert tables(page) == before


def _light(page: Any) -> int:
    """A column's path is lit from end to end, over tables that were not shown before; the rest is dimmed."""
    page.get_by_role("button", name="Show the columns of curated.loan_state").click()
    page.locator("[data-press=light][data-column=average_credit_score]").click()
    page.wait_for_selector(".row.lit[data-name='partitioned.loan_origination'][data-column=credit_score]")
    settled(page)
    lit = page.locator(".edge.lit")
    assert lit.count() >= 1
    told = page.locator(".edge.lit title").all_text_contents()
    up = "partitioned.loan_origination.credit_score → curated.loan_state.average_credit_score, aggregated"
    down = "curated.loan_state.average_credit_score → chart:average_credit_score.credit_score, aggregated"
    assert all(any(one.startswith(step) for one in told) for step in (up, down)), told
    assert page.locator("#graph svg.dim").count() == 1
    assert "column=average_credit_score" in page.url
    assert "the path of curated.loan_state.average_credit_score" in page.locator("[data-status]").inner_text()
    keep(page, "path")
    return page.locator("#graph .edge").count()


def _save(page: Any, lines: int) -> None:
    """The file is SVG of its own, with every edge, colours inside and nothing to load."""
    with page.expect_download() as coming:
        page.get_by_role("button", name="Save SVG").click()
    saved = Path(coming.value.path()).read_text(encoding="utf-8")
    picture = ET.fromstring(saved)  # noqa: S314 - our own file
    names = {"svg": "http://www.w3.org/2000/svg"}
    edges = [one for one in picture.iterfind(".//svg:path", names) if one.find("svg:title", names) is not None]

    assert coming.value.suggested_filename.endswith(".svg")
    assert len(edges) == lines > 0
    assert all(one.get("d", "").startswith("M") and one.get("stroke", "").startswith("rgb") for one in edges)
    assert {STATE, "credit_score"} <= {"".join(one.itertext()) for one in picture.iterfind(".//svg:text", names)}
    assert "var(" not in saved
    assert "class=" not in saved


def test_impact_of_a_column(site):
    """The page names the tables and columns that break and whose they are, and asks anew for another column."""
    with looking() as page:
        page.goto(site.at("/impact", name="partitioned.loan_origination", column="credit_score"))
        rows = page.locator("main table").first.locator("tbody tr")
        sure = {one.split()[0]: one.split()[-1] for one in rows.evaluate_all(_FIRST_AND_LAST)}
        assert (sure[STATE], sure[VINTAGE]) == ("certain", "perhaps")  # what Python makes of columns only a run tells
        state = rows.filter(has_text=STATE)
        assert state.get_by_role("link", name="average_credit_score", exact=True).count() == 1
        assert "team:loans" in page.locator("main").inner_text()
        checks = page.locator("section[aria-labelledby=checks] tbody tr").all_inner_texts()
        assert any(one.startswith("in_range_credit_score") and "partitioned.loan_origination" in one for one in checks)
        keep(page, "impact")

        page.locator("select[name=column]").select_option("property_state")
        page.wait_for_url("**/impact?name=partitioned.loan_origination&column=property_state")
        assert page.locator("section[aria-labelledby=checks] tr", has_text="matches_state").count() == 1
        page.locator("select[name=column]").select_option("")
        page.wait_for_url("**/impact?name=partitioned.loan_origination&column=")
        assert VINTAGE in page.locator("main tbody").first.inner_text()


_FIRST_AND_LAST = (
    """all => all.map(one => `${one.querySelector('a.name').textContent.trim()} ${one.cells[4].textContent}`)"""
)


def test_a_column_has_its_path(site):
    """What it is made from, step by step, with how and who says so, and its place in the graph."""
    with looking() as page:
        page.goto(site.at("/column", name=STATE, column="average_credit_score"))
        first = page.locator("table.path tbody tr").first.inner_text()
        assert all(part in first for part in ("partitioned.loan_origination", "credit_score", "aggregated", "parsed"))
        page.get_by_role("link", name="Show its path in the graph").click()
        page.wait_for_selector(".row.lit[data-column=credit_score]")
        assert page.locator(".edge.lit").count() >= 1


def test_a_run_and_what_failed(site):
    """A failed run is on the health page, leads to its own page with the reason, and that to its tables."""
    mark = uuid.uuid4().hex[:8]
    name, run = f"curated.failing_{mark}", new_run()
    reason = {"errorMessage": {**_facet(), "message": "Out of <b>luck</b>\nat line 2", "programmingLanguage": "SQL"}}
    site.send(event("FAIL", run, inputs=[spark_table(STATE)], outputs=[trino_table(name)], job=f"job {mark}", **reason))
    with looking() as page:
        page.goto(site.at("/health", want="failing"))
        page.locator("tr", has_text=name).locator("a", has_text="fail").last.click()
        page.wait_for_url(f"**/run?run={run}")
        assert page.locator("h1").inner_text() == f"job {mark}"
        assert page.locator(".banner.bad").inner_text() == "Out of <b>luck</b>\nat line 2"
        page.get_by_role("link", name=name).first.click()
        page.wait_for_url("**/table?**")
        assert page.locator("h1").inner_text() == name


def _facet() -> dict[str, str]:
    return {"_producer": "https://example.org", "_schemaURL": "https://example.org/schema"}


def test_the_graph_as_of_a_run(site):
    """From a run's page to the graph as it was then, and from there to today's."""
    mark, first = uuid.uuid4().hex[:8], new_run()
    made, before, since = (f"{one}_{mark}" for one in ("curated.made", "raw.before", "raw.since"))
    for run, source, at in ((first, before, "2026-01-01T00:00:00Z"), (new_run(), since, "2026-02-01T00:00:00Z")):
        site.send(event("COMPLETE", run, inputs=[spark_table(source)], outputs=[spark_table(made)], at=at))
    with looking() as page:
        page.goto(site.at("/run", run=first))
        page.get_by_role("link", name=f"{made} as of this run").click()
        settled(page)
        assert tables(page) == {made, before}
        assert "As of 2026-01-01" in page.locator(".banner").inner_text()
        page.get_by_role("link", name="Show today's").click()
        page.wait_for_url(f"**/lineage?name={made}")
        settled(page)
        assert tables(page) == {made, before, since}


def test_disagreement_is_shown(site):
    """A run that read something which the definition does not name is shown on the table's page, from both sides."""
    mark = uuid.uuid4().hex[:8]
    other = f"raw.unforeseen_{mark}"
    read = [spark_table(other), spark_table("partitioned.loan_performance")]
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))
    site.send(event("COMPLETE", new_run(), inputs=read, outputs=[trino_table("curated.loan_seller_risk")], at=at))
    with looking() as page:
        page.goto(site.at("/table", name="curated.loan_seller_risk"))
        rows = page.locator("table.drift tbody tr")
        said = [text for text in rows.all_inner_texts() if other in text]
        assert len(said) == 1
        assert "the definition does not name it" in said[0]
        keep(page, "drift")


def test_a_hostile_name_goes_everywhere(site):
    """Quotes, spaces, emoji and HTML in a name: found, shown, drawn and linked as text; nothing in it runs."""
    mark = uuid.uuid4().hex[:6]
    name, target = f"{EVIL} {mark}", f"curated.after_{mark}"
    source = {"namespace": "elsewhere", "name": f"{name}", "facets": {"schema": {**_facet(), "fields": [
        {"name": "<b>c</b> '\"", "type": "<i>t</i>", "description": "<script>alert(2)</script>"}]}}}  # fmt: skip
    site.send(event("COMPLETE", new_run(), inputs=[source], outputs=[trino_table(target)]))
    with looking() as page:
        page.goto(site.at("/", q=mark))
        page.locator(".hit a.name", has_text="brien").first.click()
        page.wait_for_url("**/table?**")
        shown = page.locator("h1").inner_text()
        assert EVIL.partition(".")[2] in shown
        assert "<script>alert(2)</script>" in page.locator("main").inner_text()
        page.get_by_role("link", name="<b>c</b>").first.click()
        page.wait_for_url("**/column?**")
        page.go_back()
        page.get_by_role("link", name="Open the graph").click()
        settled(page)
        assert tables(page) == {shown, target}
        page.locator("[data-press=toggle]").first.click()
        page.wait_for_selector("[data-press=light]")
        keep(page, "hostile")


def test_the_keyboard_is_enough(site):
    """Search, choose, open; in the graph expand, show columns, light a path and put it out, without a mouse."""
    with looking() as page:
        page.goto(site.at("/health"))
        page.keyboard.press("/")
        page.keyboard.type("loan_state")
        page.keyboard.press("Enter")
        page.wait_for_url("**/?q=loan_state")
        page.keyboard.press("ArrowDown")
        assert page.evaluate("() => document.activeElement.matches('[data-hit]')")
        page.keyboard.press("Enter")
        page.wait_for_url("**/table?**")

        page.goto(site.at("/lineage", name=STATE))
        settled(page)
        page.focus("#graph .canvas")
        page.keyboard.press("c")
        page.wait_for_selector("[data-press=light]")
        settled(page)
        for _ in range(400):
            page.keyboard.press("Tab")
            if page.evaluate("() => document.activeElement.dataset.column === 'credit_score'"):
                break
        page.keyboard.press("Enter")
        page.wait_for_selector(".edge.lit", state="attached")
        settled(page)
        assert page.evaluate("() => document.activeElement.dataset.column") == "credit_score"
        assert page.evaluate("() => document.activeElement.getAttribute('aria-pressed')") == "true"
        page.keyboard.press("Escape")
        page.wait_for_function("() => !document.querySelector('.edge.lit')")


def test_five_hundred_tables_stay_smooth(site):
    """The whole graph of 500 tables is laid out beside the page, in layers, and moves without stutter."""
    mark = uuid.uuid4().hex[:6]
    layers = [[f"curated.t{layer:02}_{at:02}_{mark}" for at in range(20)] for layer in range(25)]
    site.send(
        *(
            event("COMPLETE", new_run(), inputs=[spark_table(one) for one in above[:3]],
                  outputs=[trino_table(one) for one in below])
            for above, below in pairwise(layers)
        )
    )  # fmt: skip
    with looking() as page:
        page.goto(site.at("/lineage", name=layers[0][0]))
        settled(page)
        assert tables(page) == {layers[0][0], *layers[1]}
        idle = sorted(page.evaluate(_PAN))  # what this machine gives a page of a few tables just now
        page.evaluate(_WATCH)
        began = time.monotonic()
        page.get_by_role("button", name="Expand all").click()
        page.wait_for_function("() => document.querySelectorAll('#graph .node').length >= 480")
        settled(page)
        drawn = time.monotonic() - began
        found = page.evaluate("() => ({nodes: document.querySelectorAll('#graph .node').length, "
                              "blocked: Math.max(0, ...window.blocked)})")  # fmt: skip
        frames = sorted(page.evaluate(_PAN))
        keep(page, "five_hundred")
        places = page.evaluate(_PLACES)

    ahead = [places[above] < places[below] for one, two in pairwise(layers[1:])
             for above in one[:3] for below in two]  # fmt: skip
    usual, median, slow = idle[len(idle) // 2], frames[len(frames) // 2], frames[int(len(frames) * 0.95)]
    print(  # noqa: T201 - figures
        f"drawn in {drawn:.1f} s, blocked for {found['blocked']:.0f} ms, "
        f"frames {median:.0f} to {slow:.0f} ms, of a small graph {usual:.0f} ms"
    )
    assert found["nodes"] == 1 + 24 * 20
    assert all(ahead)
    assert drawn < 30
    assert median <= max(50, 2.5 * usual)


_WATCH = """() => {
  window.blocked = [];
  new PerformanceObserver(list => window.blocked.push(...list.getEntries().map(one => one.duration)))
    .observe({ type: "longtask" });
}"""
_PLACES = """() => Object.fromEntries([...document.querySelectorAll('#graph .node')].map(
  one => [one.dataset.name, new DOMMatrix(getComputedStyle(one).transform).e]))"""
_PAN = """async () => {
  const svg = document.querySelector('#graph .canvas');
  const { x, y } = svg.getBoundingClientRect();
  const times = [];
  let last = await new Promise(requestAnimationFrame);
  for (let at = 0; at < 60; at++) {
    svg.dispatchEvent(new WheelEvent('wheel', {
      deltaY: at % 20 < 10 ? -30 : 30, clientX: x + 400 + at, clientY: y + 200, bubbles: true, cancelable: true }));
    const now = await new Promise(requestAnimationFrame);
    times.push(now - last);
    last = now;
  }
  return times;
}"""


def test_without_scripts_the_pages_still_serve(site):
    """Search is a form, and lineage is there as a list."""
    with looking(java_script_enabled=False) as page:
        page.goto(site.url)
        page.locator("[data-quick]").fill("loan_vintage")
        page.locator("button[type=submit]").click()
        page.locator(".hit a.name", has_text=VINTAGE).first.click()
        page.goto(site.at("/lineage", name=VINTAGE))
        page.locator("summary").click()
        assert "partitioned.loan_performance" in page.locator(".as-list").inner_text()


@pytest.mark.parametrize(("path", "given"), PAGES)
def test_pages_are_whole_and_safe(site, path, given):
    """Every page is HTML under a policy that lets nothing run but the catalog's own files."""
    answer = site.get(path, **given)

    assert answer.status_code == (404 if given.get("name") == "curated.nothing" else 200)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.text.rstrip().endswith("</html>")


@pytest.mark.parametrize(
    ("path", "given", "status", "sentence"),
    [
        ("/table", {}, 400, "Parameter name is missing."),
        ("/table", {"name": "curated.nothing"}, 404, "The catalog knows no table"),
        ("/column", {"name": STATE, "column": "nothing"}, 404, "has no column"),
        ("/run", {"run": "nothing"}, 404, "knows no run"),
        ("/lineage", {"name": STATE, "as_of": "yesterday"}, 404, "no run, snapshot or time"),
        ("/health", {"want": "love"}, 400, "give one of failing, breaking a check, stale"),
        ("/nowhere", {}, 404, "The catalog has no GET /nowhere."),
        ("/table", {"name": "a\x00b"}, 400, "NUL"),
        ("/static/nothing.js", {}, 404, "The catalog has no"),
        ("/static/../../../pyproject.toml", {}, 404, "The catalog has no"),
    ],
)
def test_what_is_wrong_is_said_on_a_page(site, path, given, status, sentence):
    """A wrong address is one sentence for people, not JSON and not a stack trace."""
    answer = site.get(path, **given)

    assert answer.status_code == status
    assert sentence in answer.text
    assert answer.text.startswith("<!doctype html>")


def test_programs_ask_for_runs_and_health(site):
    """What pages show, REST answers."""
    run = new_run()
    site.send(event("COMPLETE", run, inputs=[spark_table("raw.x")], outputs=[trino_table(f"curated.h_{run[:8]}")]))

    assert site.get("/api/v1/run", run=run).json()["outputs"][0]["table"] == f"curated.h_{run[:8]}"
    assert site.get("/api/v1/run", run="nothing").status_code == 404
    health = site.get("/api/v1/health", want="undefined").json()
    assert f"curated.h_{run[:8]}" in [one["name"] for one in health["results"]]
    assert site.get("/api/v1/health", want="love").status_code == 400
    nodes = site.get("/api/v1/lineage", name=STATE, depth="1", neighbours="true").json()["nodes"]
    assert {one["name"]: one["upstreams"] for one in nodes}[STATE] == 2
