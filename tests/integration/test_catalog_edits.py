"""What people say by hand, on the real PostgreSQL: it survives, code wins, and all is audited."""

from __future__ import annotations

import itertools
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from importlib.resources import files

import pytest
from by_hand import declared, edit, found, history, told
from headwater.box.components.databases import connect
from headwater_catalog.identity import ALWAYS
from headwater_catalog.model import ColumnEdge, ColumnFacts, Kind, Lineage, Origin, TableFacts
from headwater_catalog.notices import TableState
from headwater_catalog.store import Change, Invalid, NotFound, SaidByCode, Store, migrate
from lineage_events import body, event, new_run, spark_table, trino_table

pytestmark = pytest.mark.box


def test_what_is_said_by_hand_survives(store):
    """A run, another definition and none at all change nothing of it; each fact says its source."""
    store.publish([declared("curated.t")])
    edit(store, "curated.t", doc="Loans, one a row.", add_tag=("hot",))
    edit(store, "curated.t", "b", doc="The b.")
    for work in (
        lambda: store.record(body(event("COMPLETE", new_run(), outputs=[spark_table("curated.t")])), "test"),
        lambda: store.publish([declared("curated.t", tags=("core", "new"))]),
        lambda: store.publish([]),
        lambda: store.publish([declared("curated.t")]),
    ):
        work()
        table = told(store, "curated.t")
        assert table["doc"] == "Loans, one a row."
        assert (table["said"]["doc"]["from"], table["said"]["doc"]["who"]) == ("hand", "alice")
        assert table["said"]["doc"]["at"] > datetime.now(UTC) - timedelta(minutes=5)
        assert table["said"]["owner"]["from"] == "code"
        assert {"core", "hot"} <= set(table["tags"])
        assert {one["tag"]: one["from"] for one in table["labels"]} == {
            **dict.fromkeys(set(table["tags"]) - {"hot"}, "code"),
            "hot": "hand",
        }
        assert told(store, "curated.t", "b")["doc"] == "The b."
        assert found(store, "one a row") == found(store, "The b.") == {"curated.t"}
        assert "curated.t" in found(store, tag="hot")


def test_what_code_says_is_changed_in_its_file_only(store):
    """One sentence names the file, nothing is written, and once code says what a hand said, code counts."""
    store.publish([declared("curated.t")])
    for what, column, change in (
        ("The owner of curated.t", "", {"owner": "team:hand"}),
        ("The owner of curated.t", "", {"owner": ""}),
        ("The doc of curated.t.a", "a", {"doc": "Mine."}),
        ("The tag 'core' of curated.t", "", {"remove_tag": ("core",)}),
        ("The tag 'secret' of curated.t.b", "b", {"remove_tag": ("secret",)}),
    ):
        sentence = f"{what} is said by its definition; change it in tables/t.py:3."
        with pytest.raises(SaidByCode, match=f"^{re.escape(sentence)}$"):
            edit(store, "curated.t", column, **{"add_tag": ("x",), **change})
    assert told(store, "curated.t")["tags"] == ["core"]
    assert history(store, "curated.t") == []

    edit(store, "curated.t", doc="By hand.")
    store.publish([declared("curated.t", doc="By code.")])
    assert (told(store, "curated.t")["doc"], told(store, "curated.t")["said"]["doc"]["from"]) == ("By code.", "code")
    assert found(store, "By code") == {"curated.t"}
    store.publish([declared("curated.t")])
    assert told(store, "curated.t")["doc"] == "By hand."


def test_a_table_that_nobody_defines_is_described_by_hand(store):
    """Owner, domain and doc; what the metastore says of a column gives way to people, until they take theirs back."""
    there = TableState(name="curated.u", made=datetime.now(UTC), columns=(ColumnFacts("c", "bigint", "A comment."),))
    store.resync([there], 1)
    edit(store, "curated.u", owner="bob@example.org", domain="sales", doc="What I made.")
    edit(store, "curated.u", "c", doc="Mine.", add_tag=("pii",))
    store.resync([there], 2)

    assert (
        found(store, domain="sales")
        == found(store, owner="bob@example.org")
        == found(store, tag="pii")
        == {"curated.u"}
    )
    assert told(store, "curated.u", "c")["doc"] == "Mine."
    with store.reading() as reader:
        assert {"name": "sales", "tables": 1} in reader.choices()["domains"]
        assert "unowned" not in next(one for one in reader.health()["results"])["wants"]
    edit(store, "curated.u", "c", doc="")
    assert told(store, "curated.u", "c")["doc"] == "A comment."
    assert told(store, "curated.u", "c")["said"]["doc"]["from"] == "observed"
    edit(store, "curated.u", owner="")
    assert told(store, "curated.u")["owner"] == ""
    assert found(store, owner="bob@example.org") == set()


def test_who_changed_what_is_kept(store):
    """Every change with its value before; what changes nothing is no change, and the order is theirs."""
    store.publish([declared("curated.t", owner="")])
    assert edit(store, "curated.t", owner="team:x") == 1
    assert edit(store, "curated.t", owner="team:x") == 0
    edit(store, "curated.t", who="bob (with the box's token)", owner="team:y", add_tag=("hot", "hot", "core"))
    edit(store, "curated.t", "b", doc="The b.\nIts second line.")
    edit(store, "curated.t", who="bob", owner="", remove_tag=("hot", "never there"))

    assert history(store, "curated.t") == [
        "alice set the owner team:x",
        "bob (with the box's token) changed the owner from team:x to team:y",
        "bob (with the box's token) added the tag hot",
        "alice set the doc of column b The b. Its second line.",
        "bob took away the owner team:y",
        "bob took away the tag hot",
    ]


@pytest.mark.parametrize(
    ("column", "change", "sentence"),
    [
        ("", {"owner": "nobody in particular"}, "give an e-mail address or team:name"),
        ("", {"doc": "x" * 10_001}, "The doc has 10001 characters; give at most 10000."),
        ("", {"doc": "\ud800"}, "half a character"),
        ("", {"doc": "a\x00b"}, "control character"),
        ("", {"domain": "two\nlines"}, "more than one line"),
        ("", {"add_tag": ("a b",)}, "The tag 'a b' will not do"),
        ("", {"add_tag": ("",)}, "will not do"),
        ("", {"add_synonym": ("x",)}, "A table has no synonym to edit"),
        ("b", {"owner": "team:x"}, "A column has no owner to edit; there are doc, tag, term."),
        ("", {"add_tag": tuple(f"t{n}" for n in range(201))}, "has 200 tags by hand already"),
    ],
)
def test_nonsense_is_one_sentence_and_changes_nothing(store, column, change, sentence):
    """All of a change or nothing of it."""
    store.publish([declared("curated.t", owner="")])
    with pytest.raises(Invalid, match=re.escape(sentence)):
        edit(store, "curated.t", column, **{"add_tag": ("fine",), **change})
    assert told(store, "curated.t")["tags"] == ["core"]
    assert history(store, "curated.t") == []


def test_nothing_is_said_of_what_is_not_there(store):
    """A table, a column, a term."""
    store.publish([declared("curated.t")])
    for name, column, change, sentence in (
        ("curated.no", "", {}, "knows no table 'curated.no'"),
        ("curated.t", "z", {}, "has no column 'z'"),
        ("curated.t", "", {"add_term": ("No",)}, "The glossary has no term 'No'"),
    ):
        with pytest.raises(NotFound, match=sentence):
            edit(store, name, column, **change)


def test_the_glossary(store):
    """A term is made, found by name and synonym, carried by tables and columns, renamed, and taken off all."""
    store.publish([declared("curated.t"), declared("curated.v")])
    say = Change(
        texts={"doc": "Months since the first payment.", "owner": "team:risk"}, add={"synonym": ("seasoning",)}
    )
    assert store.edit("alice", lambda editor: editor.define(" Loan   age ", say)) == "term:Loan age"
    edit(store, "curated.t", add_term=("loan AGE",))
    edit(store, "curated.v", "a", add_term=("Loan age",))
    with pytest.raises(Invalid, match="has a term 'LOAN AGE' already"):
        store.edit("bob", lambda editor: editor.define("LOAN AGE", Change()))

    assert found(store, "seasoning") == found(store, "first payment") == {"term:Loan age"}
    assert {"curated.t", "curated.v", "term:Loan age"} <= found(store, "Loan age")
    with store.reading() as reader:
        term, (listed,) = reader.term("LOAN age"), reader.glossary()["terms"]
    assert [(one["table"], one["column"], one["who"]) for one in term["carriers"]] == [
        ("curated.t", "", "alice"), ("curated.v", "a", "alice")]  # fmt: skip
    assert (listed["tables"], listed["columns"], listed["owner"], listed["synonyms"]) == (
        1,
        1,
        "team:risk",
        ["seasoning"],
    )

    assert store.edit("bob", lambda editor: editor.rename("Loan age", "Seasoned for")) == "term:Seasoned for"
    assert [one["term"] for one in told(store, "curated.v", "a")["terms"]] == ["Seasoned for"]
    assert "curated.t" in found(store, "Seasoned for")
    store.publish([declared("curated.t", doc="New."), declared("curated.v")])
    assert [one["term"] for one in told(store, "curated.t")["terms"]] == ["Seasoned for"]

    store.edit("bob", lambda editor: editor.forget("Seasoned for"))
    assert told(store, "curated.t")["terms"] == told(store, "curated.v", "a")["terms"] == []
    assert found(store, "Seasoned for") == found(store, "seasoning") == set()
    assert not any(name.startswith("term:") for name in found(store))
    assert history(store, "curated.t") == ["alice added the term Loan age", "bob took away the term Seasoned for"]
    with store.reading() as reader:
        assert reader.glossary()["terms"] == []
        before = {one["before"] for one in reader.audit()}
    assert {"Months since the first payment.", "team:risk", "seasoning"} <= before


def test_what_a_renamed_tables_new_name_was_given_stays(store):
    """The two nodes become one, and so does what people said of them."""
    store.publish([])
    times = [(datetime.now(UTC) + timedelta(seconds=n - 10)).isoformat() for n in range(3)]
    store.record(body(event("COMPLETE", new_run(), outputs=[spark_table("curated.old")], at=times[0])), "test")
    edit(store, "curated.old", add_tag=("hot",))
    store.record(body(event("COMPLETE", new_run(), outputs=[spark_table("curated.new")], at=times[2])), "test")
    edit(store, "curated.new", doc="Said of the new name.")
    moved = trino_table("curated.new")
    moved["facets"]["lifecycleStateChange"] = {
        "_producer": "https://example.org", "_schemaURL": "https://example.org/s", "lifecycleStateChange": "RENAME",
        "previousIdentifier": {"name": "iceberg.curated.old", "namespace": "trino://127.0.0.1:7702"}}  # fmt: skip
    store.record(body(event("COMPLETE", new_run(), outputs=[moved], at=times[1])), "test")

    table = told(store, "curated.new")
    assert (table["doc"], table["tags"]) == ("Said of the new name.", ["hot"])
    assert len(history(store, "curated.new")) == 2


def test_two_at_once_lose_nothing(store):
    """Both changes stand, and the second's value before is the first's."""
    store.publish([declared("curated.t", owner="")])
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(lambda n: edit(store, "curated.t", who=f"p{n}", owner=f"team:{n}", add_tag=(f"t{n}",)), range(16))
        )

    said = [one for one in history(store, "curated.t") if "owner" in one]
    assert len(told(store, "curated.t")["tags"]) == 17
    assert len(said) == 16
    for earlier, later in itertools.pairwise(said):
        assert f"from {earlier.rpartition(' ')[2]} to" in later


def test_what_was_known_before_edits_came_is_codes(box, database):
    """A catalog of the version before keeps its docs, owners and tags, and takes them for its definitions'."""
    name = f"{database.rpartition('/')[2]}_before"
    with connect(box, "postgres", database="postgres") as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    try:
        with connect(box, "postgres", database=name) as connection:
            _as_before(connection)
            assert "0010_edits.sql" in migrate(connection)
        with Store(f"{database}_before", "lake") as store:
            table = told(store, "curated.t")
            assert (table["doc"], table["owner"], table["tags"]) == ("By code.", "team:code", ["core"])
            assert table["said"]["owner"]["from"] == "code"
            with pytest.raises(SaidByCode):
                edit(store, "curated.t", owner="team:hand")
            edit(store, "curated.t", domain="mine")
            assert told(store, "curated.t")["doc"] == "By code."
    finally:
        with connect(box, "postgres", database="postgres") as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def _as_before(connection) -> None:
    """Make the tables as they were before edits, with one definition in them."""
    connection.execute("CREATE TABLE migration (name text PRIMARY KEY, at timestamptz NOT NULL)")
    for one in sorted(files("headwater_catalog.store").joinpath("migrations").iterdir(), key=lambda one: one.name):
        if one.name < "0010":
            connection.execute(one.read_text(encoding="utf-8").encode())
            connection.execute("INSERT INTO migration VALUES (%s, now())", (one.name,))
    connection.execute(
        """INSERT INTO node (first_name, born, name, doc, owner, tags, defined)
           VALUES ('curated.t', %s, 'curated.t', 'By code.', 'team:code', '{core}', true)""",
        (ALWAYS,),
    )


def test_search_by_freshness(store):
    """Fresh and stale as the health page means it; what was never written is neither."""
    late = (datetime.now(UTC) - timedelta(hours=5)).isoformat()
    hours = {"curated.old": 1.0, "curated.good": 24.0, "curated.any": None, "curated.never": 1.0}
    store.publish([declared(name, fresh_within_hours=most) for name, most in hours.items()])
    for name in ("curated.old", "curated.good", "curated.any"):
        store.record(body(event("COMPLETE", new_run(), outputs=[spark_table(name)], at=late)), "test")

    assert found(store, freshness="stale") == {"curated.old"}
    assert found(store, freshness="fresh") == {"curated.good", "curated.any"}
    assert found(store, "curated", freshness="stale") == {"curated.old"}


def test_definition_and_metastore(store):
    """Compared once the table is there, with the command that settles each difference; agreed when they agree."""
    store.publish([declared("curated.t")])
    assert told(store, "curated.t")["there"] == {
        "compared": False, "command": "headwater materialize curated.t --all-partitions", "columns": []}  # fmt: skip
    there = (ColumnFacts("a", "string", "Said by code."), ColumnFacts("x", "bigint"))
    store.resync([TableState(name="curated.t", made=datetime.now(UTC), columns=there)], 1)
    differences = told(store, "curated.t")["there"]
    assert [(one["column"], one["what"]) for one in differences["columns"]] == [("b", "missing"), ("x", "extra")]

    there = (ColumnFacts("a", "string", "Said by code."), ColumnFacts("b", "string"))
    store.resync([TableState(name="curated.t", made=datetime.now(UTC), columns=there)], 2)
    assert told(store, "curated.t")["there"] == {"compared": True, "command": "", "columns": []}
    store.resync([], 3)
    assert told(store, "curated.t")["there"]["command"]


def test_a_dashboards_charts_stand_as_charts(store):
    """Not as columns of it."""
    charts = (ColumnFacts("scores", "chart", "Scores by state"),)
    edges = frozenset({ColumnEdge("raw.p", "mail", "scores", Kind.COPIED)})
    said = Lineage(target="dashboard:d", sources=("raw.p",), columns=edges)
    board = TableFacts(name="dashboard:d", kind="dashboard", title="D", url="http://s/d", columns=charts,
                       lineage=((Origin.DECLARED, said),))  # fmt: skip
    store.publish([declared("raw.p", columns=(ColumnFacts("mail"),)), board])
    with store.reading() as reader:
        (one,) = reader.impact("raw.p", column="mail", depth=5, limit=10)["breaks"]

    assert (one["columns"], one["charts"], one["url"]) == ([], ["Scores by state"], "http://s/d")
