"""The pages' templates: whatever a name, a doc or a type holds, it is text."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from headwater.profile import Profile
from headwater.table import ZONES
from headwater_catalog.links import table_page
from headwater_catalog.pages import Site, error_page
from headwater_catalog.pages._addresses import ago, link
from headwater_catalog.pages._charts import bars, values
from headwater_catalog.pages._fields import described, term_fields
from headwater_catalog.pages._render import HERE, marked, moment, render, size, took, zone
from headwater_catalog.profiles import ColumnProfile, read_profile
from headwater_catalog.store import WANTS
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
HOSTILE = [
    '<script>alert("1")</script>',
    "\"' onmouseover='alert(1)' x=\"",
    "a b?c=d&e=f#g/../h",
    "{{ 7 * 7 }}{% raw %}",
    "naïve 表 🦆\u202egnp",
    "</title></textarea></style>--><b>",
    "javascript:alert(1)",
    "back\\slash\nline\ttab",
]
PATHS = {"/", "/table", "/column", "/run", "/lineage", "/impact", "/explain", "/health"}
PATHS |= {"/edit", "/glossary", "/term", "/term/edit", "/login"}
PARAMETERS = {"name", "column", "partition", "run", "as_of", "want", "owner", "tag", "domain", "q"}
ALLOWED_SCRIPTS = {
    "/static/shell.js",
    "/static/search.js",
    "/static/graph/page.js",
    "/libraries/d3/dist/d3.min.js",
    "/libraries/elkjs/lib/elk-api.js",
}


class Page(HTMLParser):
    """What a browser finds in a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        """Keep a tag with its attributes."""
        self.tags.append((tag, {name: text or "" for name, text in attrs}))

    def handle_data(self, data):
        """Keep a text."""
        self.words.append(data)

    @property
    def text(self) -> str:
        """All that is to be read."""
        return "".join(self.words)


def hit(evil: str, what: str = "doc") -> dict:
    """Return a result of search that is hostile in every field."""
    return {
        "name": evil,
        "kind": "table",
        "title": "",
        "doc": evil,
        "owner": evil,
        "tags": [evil],
        "matched": evil,
        "in": what,
    }


def run_of(evil: str) -> dict:
    """Return a run that is hostile in every field."""
    part = {"table": evil, "direction": "out", "snapshot": evil, "rows": 1, "bytes": 2048}
    child = {"run": evil, "state": "FAIL", "job": evil, "engine": evil, "began_at": NOW, "ended_at": NOW}
    return {
        **dict.fromkeys(("run", "job", "job_namespace", "engine", "parent", "partition", "sql", "error"), evil),
        "state": "FAIL",
        "began_at": NOW,
        "ended_at": NOW,
        "took": timedelta(seconds=90),
        "parent_known": True,
        "of_dagster": True,
        "inputs": [part],
        "outputs": [part],
        "children": [child],
    }


def table(evil: str) -> dict:
    """Return a table that is hostile in every field."""
    run = run_of(evil) | {"direction": "out", "snapshot": evil, "rows": None, "bytes": None}
    hand = {"from": "hand", "who": evil, "at": NOW}
    labels = [
        {"tag": evil, **hand},
        {"tag": "pii", "from": "inherited", "who": "", "at": None, "table": evil, "column": evil},
    ]
    terms = [{"term": evil, "who": evil, "at": NOW}]
    column = {"name": evil, "type": evil, "doc": evil, "tags": [evil, "pii"], "origin": "declared"}
    column |= {"said": {"doc": hand}, "labels": labels, "terms": terms}
    differs = {"column": evil, "what": "extra", "declared": evil, "there": evil, "advice": evil, "command": evil}
    drift = {
        "compared": True,
        "only_declared": [evil],
        "only_observed": [{"table": evil, "seen": NOW}],
        "columns": [{"source": evil, "source_column": evil, "target_column": evil, "origin": "parsed"}],
    }
    return {
        **dict.fromkeys(("name", "title", "doc", "owner", "domain", "place", "code", "problem"), evil),
        "kind": "table",
        "url": "http://s:2/x",
        "dashboards": [{"name": evil, "title": evil, "url": "http://s:2/y"}],
        "tags": [evil],
        "columns": [column],
        "aliases": [{"text": evil, "kind": "other"}],
        "runs": [run],
        "drift": drift,
        "there": {"compared": True, "command": "", "columns": [differs]},
        "said": dict.fromkeys(("doc", "owner", "domain"), hand),
        "labels": labels,
        "terms": terms,
        "defined": True,
        "made_at": NOW,
        "dropped_at": NOW,
        "upstreams": [evil],
        "downstreams": [evil],
        "fresh_within_hours": 36.0,
        "revision": evil,
        "revised_at": NOW,
        "uncommitted": True,
        **known(evil),
    }


def known(evil: str) -> dict:
    """Return what is known of a table besides lineage, all of it hostile."""
    past = {"at": NOW, "run": evil, "passed": False, "broken": 2, "partition": evil}
    check = {"name": evil, "columns": [evil], "promise": evil, "blocking": True, "passed": False, "failing": [evil]}
    counts = {"rows": 5, "bytes": 6, "files": 7, "at": NOW, "run": evil}
    held = {"kind": "text", "nullCount": 1, "count": 4, "distinctCount": 2, "top": [[evil, 3], ["b", 1]]}
    number = {"kind": "number", "min": 1, "max": 9, "histogram": {"exponent": 0, "bins": [[1, 2], [9, 3]]}}
    reader = {"reader": evil, "source": evil, "last_7_days": 1, "last_30_days": 2, "last_at": NOW}
    return {
        "size": {**counts, "partitions": 1, "snapshot": evil, "written_since": NOW},
        "partitions": [{**counts, "key": evil}],
        "snapshots": [{**counts, "snapshot": evil, "operation": evil, "gone_at": None}],
        "checks": [{**check, "broken": 2, "total": 9, "at": NOW, "run": evil, "current": True, "history": [past]}],
        "profile": {"rows": 5, "partitions": 2, "columns": {evil.lower(): held, "n": number}},
        "readers": [reader],
        "reads": {"last_7_days": 1, "last_30_days": 2, "last_at": NOW},
    }


def edge(evil: str) -> dict:
    """Return an edge between hostile names."""
    return {
        "source": evil,
        "target": evil,
        "source_column": evil,
        "target_column": evil,
        "kind": "copied",
        "origins": {"declared": {}, "observed": {}},
        "step": 1,
    }


def explained(evil: str) -> dict:
    """Return an explanation that is hostile in every field."""
    write = {"table": evil, "partitions": [evil], "at": NOW, "run": evil, "how": evil, "rows": 1, "snapshot": evil}
    file = {"table": evil, "name": evil, "partition": evil, "size": 1, "lines": None, "location": evil, "sha256": evil}
    return {
        "table": evil,
        "partition": evil,
        "column": evil,
        "cut": True,
        "writes": [{**write, "steps": 1, "certain": False, "readable": one} for one in (True, False, None)],
        "files": [{**file, "run": evil, "readable": False}],
    }


def pages(evil: str) -> dict[str, str]:
    """Return every page over hostile facts."""
    about, way = table(evil), {"cut": True, "values": [edge(evil)], "rows": [edge(evil)]}
    around = {"edges": [edge(evil)], "as_of": NOW}
    stopped = {"table": evil, "owner": evil, "name": evil, "columns": [evil], "promise": evil, "blocking": True,
               "certain": False}  # fmt: skip
    broken = {"table": evil, "kind": "chart", "title": evil, "owner": evil, "steps": 1, "columns": [evil]}
    broken |= {"all_rows": True, "certain": False, "charts": [evil]}
    narrowed = {"zone": "", "owner": evil, "tag": evil, "domain": evil, "freshness": "stale"}
    edits = [{"at": NOW, "said": evil}]
    carrier = {"table": evil, "kind": "table", "title": "", "column": evil, "owner": evil, "who": evil, "at": NOW}
    term = {"term": evil, "definition": evil, "owner": evil, "synonyms": [evil], "tags": [evil], "tables": 1}
    term |= {"columns": 1, "carriers": [carrier], "said": about["said"], "cut": True, "edits": edits}
    found = {"query": evil, "narrowed": narrowed, "more": True}
    some = {"owners": [{"name": evil, "tables": 1}], "tags": [], "domains": [], "zones": []}
    ill = {
        "name": evil,
        "owner": evil,
        "written_at": NOW,
        "state": "FAIL",
        "run": evil,
        "fresh_within_hours": 1.0,
        "newer_upstream": evil,
        "problem": evil,
        "wants": list(WANTS),
    }
    health = {"tables": 1, "wants": dict.fromkeys(WANTS, 1), "results": [ill], "cut": True}
    changed = {"at": NOW, "origin": "observed", "added": [{"name": evil, "type": evil}], "dropped": []}
    changed |= {"retyped": [{"name": evil, "before": evil, "after": evil}]}
    rows = {"table": evil, "columns": [evil], "hidden": [evil], "rows": [[evil], [None]]}
    links = Site(Path(), "d:1", "s:2").links(about | {"name": f"curated.{evil}"})
    return {
        "sample": render("sample.html", sentence="", found=rows),
        "no sample": render("sample.html", sentence=evil, found=None),
        "search": render("search.html", here="search", choices=some, zones=ZONES, results=[hit(evil)], **found),
        "nothing": render("results.html", results=[], **found),
        "table": render(
            "table.html", here="", table=about, changes=[{"at": NOW, "what": evil, "detail": evil}],
            schema=[changed], held={**read_profile(about["profile"]["columns"]), evil: ColumnProfile(top=((evil, 1),))},
            links=links, edits=edits, titles={evil: evil},
            edges={"up": [edge(evil)], "down": [edge(evil)]},
        ),
        "explain": render("explain.html", here="explain", table=about, found=explained(evil)),
        "column": render(
            "column.html", here="", table=about, column=evil, facts=about["columns"][0],
            ways={"up": way, "down": way}, titles={evil: evil},
        ),
        "run": render("run.html", here="", run=run_of(evil), dagster=None),
        "lineage": render(
            "lineage.html", here="", name=evil, title=evil, column=evil, as_of=evil, around=around, titles={evil: evil}
        ),
        "impact": render(
            "impact.html", here="", table=about, column=evil,
            found={"breaks": [broken], "checks": [stopped], "owners": [evil], "cut": True},
        ),
        "health": render("health.html", here="health", want="", found=health),
        "glossary": render("glossary.html", here="glossary", found={"terms": [term], "cut": True}),
        "term": render("term.html", here="glossary", term=term),
        "edit": render("edit.html", here="", terms=[evil], problem=evil, **described(about, "", {})),
        "edit column": render("edit.html", here="", terms=[], problem=evil, **described(about, evil, {"doc": evil})),
        "edit term": render("edit.html", here="", terms=[], problem=evil, **term_fields(term, {})),
        "login": render("login.html", here="login", onward=evil, problem=evil),
        "error": bytes(error_page(404, evil).body).decode(),
    }  # fmt: skip


@pytest.mark.parametrize("evil", HOSTILE)
def test_a_hostile_name_is_only_text(evil):
    """No page gains a tag, an attribute or a script by what a name holds, and each shows the name as it is."""
    harmless = {name: Page(html) for name, html in pages("harmless").items()}
    for name, html in pages(evil).items():
        page = Page(html)

        assert [tag for tag, _ in page.tags] == [tag for tag, _ in harmless[name].tags], name
        assert [sorted(held) for _, held in page.tags] == [sorted(held) for _, held in harmless[name].tags], name
        assert evil in page.text or name == "nothing", name


@pytest.mark.parametrize("evil", HOSTILE)
def test_a_link_leads_to_the_very_name(evil):
    """Every link within the catalog stays there, and its parameters are the names to the last character."""
    for name, html in pages(evil).items():
        for tag, held in Page(html).tags:
            if tag != "a" or not held["href"].startswith("/"):
                continue
            split = urlsplit(held["href"])

            assert split.path in PATHS, name
            assert set(parse_qs(split.query)) <= PARAMETERS, name
            given = {text for key, texts in parse_qs(split.query).items() if key != "want" for text in texts}
            assert given <= {evil, "pii"}, name


def test_no_page_runs_or_loads_anything_from_outside():
    """Scripts and styles are the catalog's own files; there are no inline ones, which the policy would refuse."""
    for name, html in pages("harmless").items():
        for tag, held in Page(html).tags:
            assert not [one for one in held if one.startswith("on") or one == "style"], name
            assert tag not in ("style", "iframe", "object", "img"), name
            if tag == "script":
                assert held["src"] in ALLOWED_SCRIPTS, name
            if tag == "link":
                assert held["href"].startswith("/static/"), name
    scripts = list((HERE / "static").rglob("*.js"))
    assert len(scripts) >= 7
    for script in scripts:
        text = script.read_text(encoding="utf-8")
        outside = set(re.findall(r"https?://[^\s\"'`]+", text)) - {"http://www.w3.org/2000/svg"}
        assert outside == set(), script.name
        assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text), script.name


def test_everything_that_is_loaded_is_there():
    """Each of our files that a page names is in the package."""
    named = {held.get("src") or held.get("href") for tag, held in _loaded() if tag in ("script", "link")}

    ours = {one for one in named if one and one.startswith("/static/")}
    assert {"/static/style.css", "/static/shell.js", "/static/graph/page.js"} <= ours
    assert [one for one in ours if not (HERE / one.lstrip("/")).is_file()] == []


def _loaded():
    return [one for html in pages("harmless").values() for one in Page(html).tags]


def test_every_colour_of_the_day_has_one_of_the_night():
    """What a page draws with exists light and dark."""
    css = (HERE / "static" / "style.css").read_text(encoding="utf-8")
    day, night = (re.findall(r"--([a-z-]+): #", block) for block in css.split("prefers-color-scheme: dark", 1))

    assert set(day) == set(night)
    assert set(re.findall(r"var\(--([a-z-]+)\)", css)) - set(day) == {"sans", "mono", "zone"}


@given(st.text(max_size=40), st.text(max_size=8))
def test_marking_changes_no_text(text, query):
    """Whatever is searched for, the marked text reads as before, and nothing in it is a tag but marks."""
    page = Page(str(marked(text, query)).replace("\r", " "))

    assert {tag for tag, _ in page.tags} <= {"mark"}
    assert str(marked(text, query).striptags()).split() == text.split() or "&" in text or "<" in text


def test_words_that_were_searched_for_are_marked():
    """All of the query, or its words, in any case."""
    assert str(marked("Credit score", "credit")) == "<mark>Credit</mark> score"
    assert str(marked("credit_score", "credit score")) == "<mark>credit</mark>_<mark>score</mark>"
    assert str(marked("a<b", "a<b")) == "<mark>a&lt;b</mark>"
    assert str(marked("credit", "")) == "credit"


@pytest.mark.parametrize("typed", ["orignation", "orgination", "originatoin", "orignat"])
def test_a_word_that_was_misspelt_is_marked_too(typed):
    """It is why the table was found; what is like it no more than in some letters is not."""
    assert str(marked("raw.loan_origination", typed)) == "raw.loan_<mark>origination</mark>"
    assert str(marked("raw.loan_performance", typed)) == "raw.loan_performance"


def test_what_was_found_is_counted_by_kind():
    """A chart is no table."""
    kinds = ("table", "chart", "dashboard", "chart", "files", "term")
    found = [{**hit("x"), "kind": kind, "title": "X"} for kind in kinds]
    narrowed = dict.fromkeys(("zone", "owner", "tag", "domain", "freshness"), "")
    asked = {"query": "", "narrowed": narrowed}
    whole, cut = (Page(render("results.html", results=found, more=more, **asked)).text for more in (False, True))

    assert "1 table, 1 folder of files, 2 charts, 1 dashboard, 1 term" in whole
    assert "The first 6: 1 table, 1 folder of files, 2 charts, 1 dashboard, 1 term; type" in cut


def _about(**changed):
    """Return the text of the page of something, with an edge to a chart."""
    told = {**table("x"), **changed}
    edges = {"up": [], "down": [edge("curated.a") | {"target": "chart:behind_30"}]}
    found = {"changes": [], "schema": [], "held": {}, "links": [], "edits": [], "edges": edges}
    return Page(render("table.html", here="", table=told, titles={"chart:behind_30": "Share behind"}, **found)).text


def test_a_page_names_charts_by_their_titles():
    """A name is for programs."""
    assert "Share behind" in _about(name="curated.a")
    assert "chart:behind_30" not in _about(name="curated.a")


@pytest.mark.parametrize("kind", ["chart", "dashboard", "files"])
def test_a_chart_has_no_sections_of_a_table(kind):
    """What no run writes is not asked which run wrote it, nor is a name listed that is no other."""
    drift = {"compared": False, "only_declared": [], "only_observed": [], "columns": []}
    bare = {"columns": [], "runs": [], "drift": drift, "aliases": [{"text": "x:a", "kind": "other"}], "name": "x:a"}
    of_a_table = ("this table", "Also known as", "Nobody has told its columns", "Declared and observed")

    shown, whole = _about(kind=kind, **bare), _about(kind="table", **bare)

    assert [one for one in of_a_table if one in shown] == []
    assert [one for one in of_a_table if one not in whole] == []
    assert "Also known as" in _about(kind=kind, **bare | {"aliases": [{"text": "y", "kind": "other"}]})


@pytest.mark.parametrize(
    ("name", "found"),
    [("raw.x", "raw"), ("curated.a.b", "curated"), ("files:data/in", "files"), ("s3://b/x", "other"), ("raw", "other")],
)
def test_a_name_has_the_colour_of_its_zone(name, found):
    """What is in no zone is coloured as other."""
    assert zone(name) == found


def test_times_and_amounts_read_well():
    """One unit each; an absent one is empty."""
    assert ago(NOW - timedelta(days=2, hours=5), NOW) == "2 days ago"
    assert ago(NOW - timedelta(hours=1), NOW) == "1 hour ago"
    assert ago(NOW + timedelta(hours=3), NOW) == "in 3 hours"
    assert ago(NOW, NOW) == "just now"
    assert (took(timedelta(seconds=1.25)), took(timedelta(seconds=61)), took(None)) == ("1.2 s", "1 min 1 s", "")
    assert (size(0), size(2048), size(3 * 1024**3), size(None)) == ("0 B", "2.0 KiB", "3.0 GiB", "")
    assert (moment(NOW), moment(None)) == ("2026-01-31 12:00:00 UTC", "")


def test_a_link_leaves_out_what_is_not_given():
    """Empty parameters are no parameters."""
    assert link("", tag="") == "/"
    assert link("table", name="a&b") == "/table?name=a%26b"


def test_links_to_the_rest_of_the_box():
    """A defined table leads to its asset, a dataset to Superset; a table that nobody defines has no asset."""
    site = Site(Path(), "http://127.0.0.1:1", "http://127.0.0.1:2")
    known = {
        "name": "curated.a",
        "url": "",
        "defined": True,
        "aliases": [{"text": "superset:12"}, {"text": "superset:x"}],
    }

    assert [one.url for one in site.links(known)] == [
        "http://127.0.0.1:1/assets/curated/a",
        "http://127.0.0.1:2/explore/?datasource_type=table&datasource_id=12",
    ]
    assert site.links({"name": "curated.a", "url": "", "defined": False, "aliases": []}) == []
    assert site.links({"name": "files:in", "url": "", "defined": True, "aliases": []}) == []
    shown = site.links({"name": "dashboard:a", "url": "http://127.0.0.1:2/a", "defined": True, "aliases": []})
    assert [one.url for one in shown] == ["http://127.0.0.1:2/a"]


def test_others_link_to_a_tables_page(tmp_path):
    """The address that Dagster shows is the page's."""
    profile = Profile.load({"HEADWATER_PROJECT": str(tmp_path), "HEADWATER_PORT": "9000"})

    assert (
        table_page(profile, 'curated.a "b"')
        == f"http://127.0.0.1:{profile.port('catalog')}/table?name=curated.a+%22b%22"
    )


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [(2019, 2023, "2019 to 2023"), (300, 300, "300"), (-1234.5, 1e6, "-1234.5 to 1000000"), ("a", "b", "a to b")],
)
def test_values_are_shown_as_they_are(low, high, shown):
    """A year, a zip code or a price is no count: nothing separates its thousands."""
    held = ColumnProfile(kind="number", nulls=0, count=4, low=low, high=high)

    assert values(held) == shown


def test_edges_of_a_histogram_are_values_and_its_heights_counts():
    """The years of a bar stand as years; how many rows it has may be separated."""
    told = {"kind": "number", "histogram": {"exponent": 0, "bins": [[2019, 12000], [2020, 3]]}}
    found = read_profile({"year": told})["year"]

    assert [one.split("<")[0] for one in str(bars(found)).split("<title>")[1:]] == [
        "2019 to 2020: 12,000",
        "2020 to 2021: 3",
    ]


def test_a_run_leads_to_the_dagster_run_that_it_is_part_of():
    """Dagster's own pages show it; a run that the catalog knows itself has its page here."""
    site = Site(Path(), "http://127.0.0.1:7700", "http://127.0.0.1:7703")
    run = {**run_of("x"), "parent": "e2badcda-1", "parent_known": False}
    html = render("run.html", here="", run=run, dagster=site.dagster_run(run))

    assert 'href="http://127.0.0.1:7700/runs/e2badcda-1"' in html
    assert site.dagster_run({**run, "of_dagster": False}) is None
    assert site.dagster_run({**run, "parent_known": True}) is None
