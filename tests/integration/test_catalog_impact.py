"""What breaks when a table or column goes, on the real PostgreSQL: tables, columns, checks, owners, and how surely."""

from __future__ import annotations

from dataclasses import replace

import pytest
from defined import declared
from headwater_catalog.model import Alias, ColumnEdge, Kind, Promise, TableFacts
from headwater_catalog.store import NotFound
from lineage_events import body, event, facet, new_run, trino_table

pytestmark = pytest.mark.box


def test_impact_names_tables_columns_owners_and_doubt(store):
    """A filter's column breaks the rows; a table whose columns nobody knows may break, and is said to be uncertain."""
    store.publish(
        [
            declared("raw.a", columns=("id", "flag", "other")),
            declared("curated.b", "raw.a", edges=(
                ColumnEdge("raw.a", "id", "id", Kind.COPIED), ColumnEdge("raw.a", "flag", "", Kind.FILTER))),
            declared("curated.c", "curated.b", edges=(ColumnEdge("curated.b", "id", "id", Kind.AGGREGATED),)),
            declared("curated.d", "raw.a"),
        ]
    )  # fmt: skip

    def impact(column: str) -> dict[str, tuple]:
        with store.reading() as reader:
            answer = reader.impact("raw.a", column=column, depth=10, limit=100)
        return {one["table"]: (one["columns"], one["all_rows"], one["certain"]) for one in answer["breaks"]}

    assert impact("id") == {
        "curated.b": (["id"], False, True),
        "curated.c": (["id"], False, True),
        "curated.d": ([], True, False),
    }
    assert impact("flag") == {
        "curated.b": ([], True, True),
        "curated.c": (["id"], False, True),
        "curated.d": ([], True, False),
    }
    assert set(impact("other")) == {"curated.d"}
    assert set(impact("")) == {"curated.b", "curated.c", "curated.d"}
    with pytest.raises(NotFound, match="no column 'nothing'"):
        impact("nothing")


def test_a_table_without_columns_is_alone_in_its_column_lineage(store):
    """Nobody has told its columns, so there is no path; the question is answered all the same."""
    store.publish([TableFacts(name="files:data/x", kind="files"), declared("raw.a", "files:data/x")])
    with store.reading() as reader:
        answer = reader.lineage("files:data/x", columns=True, direction="both", depth=3, as_of="", limit=9)

    assert [one["name"] for one in answer["nodes"]] == ["files:data/x"]
    assert answer["columns"] == []
    assert answer["cut"] is False


def test_what_another_system_calls_a_table_is_learned(store):
    """Once for all, and of tables that are known alone."""
    told = [Alias("curated.b", "superset:3"), Alias("curated.nowhere", "superset:4")]
    for _ in range(2):
        store.publish([declared("curated.b")], aliases=told)

    with store.reading() as reader:
        assert "superset:3" in [one["text"] for one in reader.table("curated.b")["aliases"]]
        assert reader.table("superset:3")["name"] == "curated.b"
        with pytest.raises(NotFound):
            reader.table("superset:4")


def test_impact_names_the_checks_that_break(store):
    """Those of the column itself, of what is made of it, and of tables that only a check joins to it; no others."""

    def promised(name: str, *reads: tuple[str, str], **more) -> Promise:
        return Promise(
            name=name, columns=tuple(column for _, column in reads[:1]), promise=f"{name} holds", reads=reads, **more
        )

    facts = [
        declared("raw.a", columns=("id", "flag", "spare")),
        declared("curated.b", "raw.a", edges=(
            ColumnEdge("raw.a", "id", "id", Kind.COPIED), ColumnEdge("raw.a", "flag", "", Kind.FILTER))),
        declared("curated.elsewhere", columns=("key",)),
        declared("curated.d", "raw.a"),
    ]  # fmt: skip
    facts[0] = replace(facts[0], promises=(promised("id_known", ("raw.a", "id")), promised("some_rows")))
    facts[1] = replace(
        facts[1],
        promises=(
            promised("b_unique", ("curated.b", "id"), blocking=False),
            promised("b_other", ("curated.b", "other")),
        ),
    )
    facts[2] = replace(facts[2], promises=(promised("key_found", ("curated.elsewhere", "key"), ("raw.a", "id")),))
    facts[3] = replace(facts[3], promises=(promised("hidden", ("curated.d", "")),))  # fmt: skip
    store.publish(facts)

    def checks(name: str, column: str = "", **more) -> dict[str, tuple]:
        with store.reading() as reader:
            answer = reader.impact(name, column=column, depth=10, limit=100, **more)
        assert {one["owner"] for one in answer["checks"]} <= set(answer["owners"])
        return {f"{one['table']} {one['name']}": (one["blocking"], one["certain"]) for one in answer["checks"]}

    assert checks("raw.a", "id") == {
        "raw.a id_known": (True, True),
        "curated.b b_unique": (False, True),
        "curated.d hidden": (True, False),
        "curated.elsewhere key_found": (True, True),
    }
    assert set(checks("raw.a", "flag")) == {"curated.b b_unique", "curated.b b_other", "curated.d hidden"}
    assert set(checks("raw.a", "spare")) == {"curated.d hidden"}
    assert "raw.a some_rows" in checks("raw.a")
    assert set(checks("curated.elsewhere", "key")) == {"curated.elsewhere key_found"}

    store.publish([replace(one, promises=one.promises[:1]) for one in facts if one.name != "curated.elsewhere"])
    assert set(checks("raw.a")) == {"raw.a id_known", "curated.b b_unique", "curated.d hidden"}


def test_checks_that_only_runs_tell_of_break_too(store):
    """A table without a definition has the checks of its last run; one without a column may read any."""
    about = trino_table("curated.told")
    asserted = [{"assertion": "in_range", "success": True, "column": "n"}, {"assertion": "some_rows", "success": True}]
    about["facets"]["schema"] = facet(fields=[{"name": "n", "type": "int"}, {"name": "m", "type": "int"}])
    about["inputFacets"] = {"dataQualityAssertions": facet(assertions=asserted)}
    store.record(body(event("COMPLETE", new_run(), inputs=[about])), "test")

    with store.reading() as reader:
        told = {column: reader.impact("curated.told", column=column, depth=1, limit=9)["checks"] for column in "nm"}
        (first,) = reader.impact("curated.told", column="n", depth=1, limit=1)["checks"]
        assert reader.impact("curated.told", column="n", depth=1, limit=1)["cut"]
    assert first["name"] == "in_range"
    assert {key: [(one["name"], one["certain"]) for one in some] for key, some in told.items()} == {
        "n": [("in_range", True), ("some_rows", False)],
        "m": [("some_rows", False)],
    }
