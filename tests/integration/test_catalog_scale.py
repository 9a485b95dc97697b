"""What holds in a large catalog, too: search finds the best and not just any, what has not changed costs nothing."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import psycopg
import pytest
from headwater_catalog.model import ColumnEdge, ColumnFacts, Kind, Lineage, Origin, TableFacts
from headwater_catalog.store import Store
from headwater_catalog.store._definitions import publish
from headwater_catalog.store._search import _WORD
from hypothesis import given, settings
from hypothesis import strategies as st
from lineage_events import body, event, facet, new_run, spark_table, trino_table

pytestmark = pytest.mark.box


def defined(name: str, *sources: str, columns: tuple[str, ...] = ("id",), **more) -> TableFacts:
    """Return a table's definition; each column is made of the same of every source."""
    edges = frozenset(ColumnEdge(one, column, column, Kind.COPIED) for one in sources for column in columns)
    said = (
        (Origin.DECLARED, Lineage(target=name, sources=sources)),
        (Origin.PARSED, Lineage(target=name, sources=sources, columns=edges)),
    )
    return TableFacts(name=name, columns=tuple(ColumnFacts(one, "int") for one in columns), lineage=said, **more)


def found(store: Store, text: str, **narrowed: object) -> list[tuple[str, str]]:
    """Return what a search finds and in what."""
    with store.reading() as reader:
        return [(one["name"], one["in"]) for one in reader.search(text, **narrowed)["results"]]


def names(store: Store, text: str, **narrowed: object) -> list[str]:
    """Return the names of what a search finds."""
    return [name for name, _ in found(store, text, **narrowed)]


@pytest.fixture
def crowd(store, database):
    """Six thousand tables about customers, one of them called just that, one of another zone and owner."""
    with psycopg.connect(database) as connection:
        connection.execute(
            """INSERT INTO node (first_name, born, name, owner)
               SELECT name, now(), name, 'team:many' FROM (
                 SELECT 'partitioned.customer_' || md5(g::text) AS name FROM generate_series(1, 6000) AS g) AS made"""
        )
        connection.execute("INSERT INTO word SELECT id, 'name', name FROM node")
        connection.execute("INSERT INTO word SELECT id, 'doc', 'What customers did on day ' || id FROM node")
    store.publish([defined("curated.customer", columns=("customer_id", "balance")), defined("raw.crm", owner="team:few",
                   doc="Everything that customers told.")])  # fmt: skip
    return store


def test_the_best_is_found_among_very_many(crowd):
    """However many share a word, the table of that name comes first, and filters find the few that are left."""
    assert names(crowd, "customer")[0] == "curated.customer"
    assert names(crowd, "curated.cust")[0] == "curated.customer"
    assert len(names(crowd, "customer", limit=200)) == 200
    assert found(crowd, "customer", zone="raw") == [("raw.crm", "doc")]
    assert names(crowd, "custommer", owner="team:few") == ["raw.crm"]
    assert names(crowd, "customer balance")[0] == "curated.customer"
    assert names(crowd, "", zone="raw") == ["raw.crm"]


@pytest.mark.parametrize(
    "text",
    ["vintage", "vin", "vintge", "vintaeg", "xintage", "intag", "loan vintgae", "laon vintage", "VINTAGE-loan",
     "Währung", "wahrung loan", "customer's vintage", "vintage & (loan | !x)", "'vintage':*", "vintage \\"],
)  # fmt: skip
def test_a_letter_may_be_wrong(store, text):
    """A prefix, a part, a missing, wrong or swapped letter, another order and signs lead to the table."""
    store.publish([defined("curated.loan_vintage", columns=("währung",)), defined("raw.other", doc="Nothing.")])
    assert names(store, text) == ["curated.loan_vintage"]


def test_both_sides_read_the_same_words(database):
    """What is typed is cut into words as what is said was."""
    with psycopg.connect(database) as connection:

        @settings(max_examples=200)
        @given(st.text("aBz_ .-/@[^`{~\t\n\x7f'\"\\9ßäÖжЯ語🦆"))
        def same(text):
            assert connection.execute("SELECT tokens(%s)", (text,)).fetchone() == (_WORD.findall(text.lower()),)

        same()


def test_words_may_stand_apart(store):
    """What is looked for may be said by name, columns and docs together; who says all of it comes first."""
    store.publish(
        [
            defined("curated.state", doc="One row per state.", columns=("average_score",)),
            defined("curated.score", doc="Scores."),
        ]
    )
    assert names(store, "average score per state")[0] == "curated.state"
    assert names(store, "state nowhere") == ["curated.state"]
    assert names(store, "nowhere nothing") == []


def test_search_forgets_what_is_no_longer_said(store):
    """A changed doc, another column and a new name are found; what stood there before is not."""
    store.publish([defined("curated.a", doc="Apples.", columns=("pear",))])
    assert names(store, "apples") == names(store, "pear") == ["curated.a"]
    store.publish([defined("curated.a", doc="Plums.", columns=("quince",))])
    assert names(store, "plums") == names(store, "quince") == ["curated.a"]
    assert names(store, "apples") == names(store, "pear") == []

    renamed = trino_table("curated.fresh")
    renamed["facets"]["lifecycleStateChange"] = facet(
        lifecycleStateChange="RENAME",
        previousIdentifier={"namespace": "trino://127.0.0.1:7702", "name": "iceberg.curated.a"},
    )
    store.record(body(event("COMPLETE", new_run(), outputs=[renamed], at=datetime.now(UTC).isoformat())), "test")
    assert names(store, "fresh") == names(store, "quince") == ["curated.fresh"]


def test_a_schema_of_very_many_columns_is_taken(store):
    """More words than an index entry holds keep nobody from telling of a table."""
    table = spark_table("curated.wide")
    columns = [{"name": f"column_{number}_{'x' * 50}{number}", "type": "int"} for number in range(9000)]
    table["facets"]["schema"] = facet(fields=columns)
    store.record(body(event("COMPLETE", new_run(), outputs=[table])), "test")
    assert names(store, "wide") == ["curated.wide"]


def test_an_unchanged_definition_is_not_written_again(store, database):
    """Whichever process reads them; of changed ones these alone are written, and after a rename all of them."""
    program = f"""
from test_catalog_scale import *
with Store({database!r}, "lake") as store:
    print(store.publish([defined("raw.a"), defined("raw.b"),
        defined("curated.c", "raw.a", "raw.b", columns=tuple("abcdefgh"))]))
"""
    said = [_ran(program, seed) for seed in ("1", "2", "3")]
    assert said == ["True", "False", "False"]

    before = _written(database)
    facts = [defined("raw.a"), defined("raw.b", doc="New."), defined("curated.c", "raw.a", "raw.b",
             columns=tuple("abcdefgh"))]  # fmt: skip
    assert store.publish(facts) is True
    after = _written(database)
    assert {name for name in after if after[name] != before[name]} == {"raw.b"}
    assert store.publish(facts[1:]) is True
    assert store.publish(facts[1:]) is False
    with store.reading() as reader:
        assert [reader.table(f"raw.{one}")["defined"] for one in "ab"] == [False, True]


def test_very_many_definitions_are_indexed_once(database):
    """Each table's words are written to the index in one go, however many there are, and are found."""
    facts = [
        defined(
            f"curated.t{number}",
            f"curated.t{number // 2}",
            "raw.elsewhere",
            columns=("id", "pear"),
            doc=f"No {number}.",
        )
        for number in range(1, 60)
    ]
    with psycopg.connect(database) as connection:
        publish(connection, "lake", "p", facts, datetime.now(UTC))
        written = connection.execute(
            "SELECT n_tup_ins, n_tup_upd FROM pg_stat_xact_user_tables WHERE relname = 'document'"
        ).fetchone()
        tables = connection.execute("SELECT count(*) FROM node").fetchone()[0]
    with Store(database, "lake") as store:
        assert written == (tables, 0)
        assert names(store, "pear 42") == ["curated.t42"]
        assert names(store, "elsewhere") == ["raw.elsewhere"]
        store.publish([replace(facts[0], doc="Quinces.")], "p")
        assert names(store, "quinces") == ["curated.t1"]
        assert names(store, "curated.t1")[0] == "curated.t1"


def _ran(program: str, seed: str) -> str:
    folders = [*sys.path]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {[__file__.rpartition('/')[0], *folders]!r}\n{program}"],
        env={"PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or done.stderr


def _written(database: str) -> dict[str, str]:
    """Return the transaction that last wrote each node."""
    with psycopg.connect(database) as connection:
        return dict(connection.execute("SELECT name, xmin::text FROM node").fetchall())


def test_a_table_beside_very_many_says_that_it_is_cut(store):
    """Two hundred tables beside it are named; that there are more is said."""
    store.publish([defined(f"curated.t{number}", "raw.hub") for number in range(201)])
    with store.reading() as reader:
        hub = reader.table("raw.hub")
        assert (len(hub["downstreams"]), hub["upstreams"], hub["cut"]) == (200, [], True)
        assert reader.table("curated.t1")["cut"] is False


def test_a_bound_counts_tables_and_not_how_often_they_are_told_of(store):
    """Two origins of each edge do not cut an answer whose tables all fit."""
    store.publish([defined(f"curated.t{number}", "raw.hub") for number in range(20)])
    with store.reading() as reader:
        asked = {"direction": "down", "depth": 1, "as_of": "", "limit": 21}
        assert reader.lineage("raw.hub", columns=False, **asked)["cut"] is False
        assert reader.lineage("raw.hub", columns=False, **{**asked, "limit": 20})["cut"] is True
