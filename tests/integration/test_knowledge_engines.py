"""What a write finds out about its rows, on both engines; and rows and readers that the running catalog shows."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from dataclasses import replace

import pytest
from catalog_site import Site, keep, looking
from headwater.box.components.databases import database_url
from headwater.checks import InRange
from headwater.errors import CheckFailed
from headwater.stack import Stack
from headwater.table import Column, Partitioning, Table
from headwater_catalog.model import ColumnFacts, TableFacts
from headwater_catalog.profiles import merged_profiles
from headwater_catalog.store import Store
from headwater_catalog.telling import telling

pytestmark = pytest.mark.box

ROWS = 12_000
# Every kind of column; a third of the names is null, and one ratio is no number at all.
BODY = f"""
SELECT 2019 + CAST(n % 2 AS integer) AS year, CAST(n AS bigint) AS id, CAST(n % 7 AS integer) AS small,
  CAST(n * 0.25 AS decimal(9,2)) AS price, CASE WHEN n = 5 THEN nan() ELSE n / 8e0 END AS ratio,
  date_add('day', n % 400, DATE '2020-01-01') AS day, date_add('second', n, TIMESTAMP '2026-01-01 00:00:00') AS seen,
  CASE WHEN n % 3 > 0 THEN CASE WHEN n % 5 = 0 THEN 'it''s' ELSE 'ä' END END AS name,
  concat('k', CAST(n AS varchar)) AS many, n % 2 = 0 AS even, concat('m', CAST(n AS varchar)) AS mail
FROM (SELECT (x - 1) * 100 + y AS n
  FROM UNNEST(sequence(1, {ROWS // 100})) AS a(x) CROSS JOIN UNNEST(sequence(1, 100)) AS b(y))
"""
TYPES = {
    "year": "int", "id": "long", "small": "int", "price": "decimal(9,2)", "ratio": "double", "day": "date",
    "seen": "timestamp", "name": "string", "many": "string", "even": "boolean",
}  # fmt: skip


def made(lake, engine: str, **more) -> Table:
    """Declare a table of all kinds of columns, with a column of personal data."""
    columns = (*(Column(name, kind, "One.") for name, kind in TYPES.items()),
               Column("mail", "string", "Personal.", tags=("pii",)))  # fmt: skip
    given = {
        "partitioning": Partitioning("year", "year", "2019"),
        "checks": (InRange("small", 0, 6),),
        "profiled": True,
        **more,
    }
    source = source_of(lake)
    return Table(
        name=lake.name("curated", f"held_{engine}"), doc="One.", owner="team:tests", columns=columns,
        body=f"SELECT {', '.join(one.name for one in columns)} FROM {source.name}", upstreams=(source,),
        engine=engine, **given,
    )  # fmt: skip


_sources: dict[str, Table] = {}


def source_of(lake) -> Table:
    """Return a table with the rows, made once by Trino."""
    mark = str(lake.stack.profile.home)
    if mark not in _sources:
        columns = tuple(Column(name, kind, "One.") for name, kind in {**TYPES, "mail": "string"}.items())
        name = f"partitioned.held_{uuid.uuid4().hex[:8]}"
        lake.stack.engine("trino").rows(f"CREATE TABLE {name} AS {BODY}")
        _sources[mark] = Table(
            name=name, doc="One.", owner="team:tests", columns=columns, engine="spark", body=lambda: None
        )
    return _sources[mark]


@pytest.mark.parametrize("engine", ["spark", "trino"])
def test_a_profile_is_what_the_rows_hold(lake, engine):
    """Counts, ranges and histograms to the row; distinct values within a few percent, or exactly where it says so."""
    table = made(lake, engine)
    done = lake.write(table, "2019", "2020")
    whole = merged_profiles([one.profile for one in done.written])

    rows = lake.stack.engine("trino").rows(f"SELECT * FROM {table.name}")
    assert [one.key for one in done.written] == ["2019", "2020"]
    assert [one.rows for one in done.written] == [ROWS // 2] * 2
    for name in table.column_names:
        values = [row[name] for row in rows if row[name] is not None]
        one = whole[name]
        assert (one.nulls, one.count) == (len(rows) - len(values), len(values)), name
        if name == "mail":
            assert (one.low, one.high, one.top, one.histogram) == (None, None, (), None)
        elif name in ("id", "small", "price", "year"):
            assert (one.low, one.high) == (float(min(values)), float(max(values))), name
            width = one.histogram.width
            assert one.histogram.bins == Counter(int(float(value) // width) for value in values), name
        elif name in ("day", "seen"):
            assert (one.low, one.high) == (min(values).isoformat(), max(values).isoformat()), name
            assert sum(one.histogram.bins.values()) == len(values), name
        if name in ("name", "even", "small", "many", "id"):
            distinct, most = one.distinct, one.distinct_at_most or one.distinct
            assert distinct * 0.9 <= len(set(values)) <= most * 1.1, (name, one)
    assert (whole["name"].top[0][0], whole["name"].complete, whole["name"].distinct) == ("ä", True, 2)
    assert dict(whole["even"].top) == {"true": ROWS // 2, "false": ROWS // 2}
    # A NaN is in no bin, and hides no range of the others but where the files' own do not tell it.
    ratio = whole["ratio"]
    assert ratio.histogram is None or sum(ratio.histogram.bins.values()) == ROWS - 1


@pytest.mark.parametrize("engine", ["spark", "trino"])
def test_the_state_is_that_of_the_whole_table(lake, engine):
    """Rows, files and bytes of all partitions, from the metadata; every snapshot that can be read is named."""
    table = made(lake, engine, profiled=False)
    lake.write(table, "2019", "2020")
    done = lake.write(table, "2020")

    files = [task.file for task in lake.iceberg(table).scan().plan_files()]
    state = done.state
    assert state.rows == ROWS == lake.rows(table, select="count(*)")[0][0]
    assert (state.files, state.bytes) == (len(files), sum(one.file_size_in_bytes for one in files))
    assert state.operation == "overwrite"
    assert list(state.snapshots) == [one.snapshot_id for one in reversed(lake.snapshots(table))]
    (written,) = done.written
    assert (written.key, written.rows) == ("2020", ROWS // 2)
    one, mail = written.profile["id"], written.profile["mail"]  # what the files say costs nothing
    assert (one.nulls, one.low, one.high, one.distinct, one.histogram) == (0, 1, ROWS - 1, None, None)
    assert (mail.nulls, mail.low, mail.high) == (0, None, None)


@pytest.fixture(scope="module")
def site(box) -> Site:
    """The running catalog."""
    return Site(box)


def told(lake, table: Table):
    """Return how a table is written as Dagster does: the catalog is told."""
    return telling(
        lake.stack.profile,
        lambda one, *, run, partitions, log: lake.write(one, *partitions, run=run, log=log),
    )(table, run=f"{uuid.uuid4()}-0", partitions=("2019", "2020"), log=print)


def test_the_catalog_shows_what_a_write_told(lake, site):
    """Size, partitions, checks and profile in the API and on the page; a stopped write adds its results alone."""
    table = made(lake, "trino")
    told(lake, table)
    strict = replace(table, checks=(InRange("small", 0, 5),))
    with pytest.raises(CheckFailed):
        told(lake, strict)
    answer = site.get("/api/v1/table", name=table.name).json()

    assert (answer["size"]["rows"], answer["size"]["partitions"]) == (ROWS, 2)
    assert [one["key"] for one in answer["partitions"]] == ["2020", "2019"]
    assert answer["profile"]["columns"]["id"]["max"] == ROWS
    assert "top" not in answer["profile"]["columns"]["mail"]
    assert [one["name"] for one in answer["checks"] if one["current"] and not one["passed"]] == [strict.checks[0].name]
    page = site.get("/table", name=table.name).text
    assert all(word in page for word in ("Size and shape", "Checks", 'class="bars"', "What it holds", "broken"))
    history = site.get("/api/v1/history", name=table.name).json()
    assert {one["passed"] for one in history["checks"]} == {True, False}


def test_rows_are_shown_without_personal_data(lake, site):
    """By the read-only login, when somebody opens them; a name that is no table is one sentence."""
    table = made(lake, "trino", profiled=False)
    lake.write(table, "2019", "2020")
    facts = TableFacts(
        name=table.name,
        columns=tuple(ColumnFacts(one.name, one.type, one.doc, one.tags) for one in table.columns),
    )
    profile = lake.stack.profile
    with Store(database_url(profile, "catalog-db"), profile.bucket) as store:
        store.publish([facts], f"tests {lake.mark}")
    answer = site.get("/api/v1/sample", name=table.name).json()

    assert answer["columns"] == [one.name for one in table.columns if one.name != "mail"]
    assert answer["hidden"] == ["mail"]
    assert len(answer["rows"]) == 20
    part = site.get("/sample", name=table.name).text
    assert "mail" in part
    assert "personal data" in part
    assert site.get("/api/v1/sample", name="curated.nothing").status_code == 404
    assert "knows no table" in site.get("/sample", name="curated.nothing").text


def test_a_page_asks_for_rows_only_when_they_are_opened(lake, site):
    """A click shows them; nothing is asked before."""
    table = made(lake, "trino")
    told(lake, table)
    with looking(viewport={"width": 1280, "height": 2600}) as page:
        asked = []
        page.on("request", lambda one: asked.append(one.url) if "/sample" in one.url else None)
        page.goto(site.at("/table", name=table.name))
        page.wait_for_load_state("networkidle")
        assert asked == []
        page.click("details[data-load] summary")
        page.wait_for_selector("table.sample tbody tr")

        assert len(asked) == 1
        assert page.locator("table.sample tbody tr").count() == 20
        keep(page, "known")


def test_who_reads_a_table_is_known_within_seconds(lake, site):
    """A query that only reads, by its login; what the write path asks of its own stage is no reading."""
    table = made(lake, "trino", profiled=False)
    lake.write(table, "2019", "2020")
    Stack.build(lake.stack.profile).reader(seconds=30, scanned="1GB").rows(f"SELECT max(id) FROM {table.name}")

    deadline, readers = time.monotonic() + 10, []
    while not readers and time.monotonic() < deadline:
        time.sleep(0.2)
        readers = site.get("/api/v1/table", name=table.name).json().get("readers", [])
    login = lake.stack.profile.credentials.user("trino-reader")
    assert [(one["reader"], one["last_7_days"]) for one in readers] == [(login, 1)]
