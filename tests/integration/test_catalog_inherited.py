"""Tags that columns inherit along lineage, on the real PostgreSQL: exactly what a walk finds, whatever changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from by_hand import edit, found, told
from headwater_catalog.model import ColumnEdge, ColumnFacts, Kind, Lineage, Origin, TableFacts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lineage_events import body, event, new_run, spark_table

if TYPE_CHECKING:
    from headwater_catalog.store import Store

pytestmark = pytest.mark.box


def made_of(name: str, *edges: tuple[str, str, str, Kind], tagged: tuple[str, ...] = ()) -> TableFacts:
    """Return a definition; edges are source, its column, the column made of it and how."""
    names = sorted({made for _, _, made, _ in edges if made} | set(tagged) | {"id"})
    columns = tuple(ColumnFacts(one, "string", "A column.", ("pii",) if one in tagged else ()) for one in names)
    lineage = Lineage(
        target=name,
        sources=tuple(sorted({one[0] for one in edges})),
        columns=frozenset(ColumnEdge(*one) for one in edges),
    )
    return TableFacts(name=name, doc="A table.", owner="team:a", columns=columns, lineage=((Origin.PARSED, lineage),))


def heirs(store: Store, *names: str) -> dict[str, str]:
    """Return which columns inherit pii, and from where."""
    store.inherit()
    return {
        f"{name}.{column['name']}": f"{label['table']}.{label['column']}"
        for name in names
        for column in told(store, name)["columns"]
        for label in column["labels"]
        if label["from"] == "inherited" and label["tag"] == "pii"
    }


ALL = ("raw.p", "partitioned.q", "curated.r", "curated.s")
CHAIN = (
    made_of("raw.p", tagged=("mail",)),
    made_of("partitioned.q", ("raw.p", "mail", "mail", Kind.COPIED), ("raw.p", "mail", "n", Kind.AGGREGATED)),
    made_of(
        "curated.r", ("partitioned.q", "mail", "host", Kind.TRANSFORMED), ("partitioned.q", "mail", "", Kind.FILTER)
    ),
    made_of("curated.s", ("partitioned.q", "n", "n", Kind.COPIED), ("curated.r", "host", "host", Kind.COPIED)),
)


def test_a_tag_is_inherited_by_what_is_copied_or_transformed(store):
    """Not through an aggregate, nor by what a filter only lets in; the table is found by the tag all the same."""
    store.publish(CHAIN)

    assert heirs(store, *ALL) == dict.fromkeys(("partitioned.q.mail", "curated.r.host", "curated.s.host"), "raw.p.mail")
    assert "pii" in told(store, "curated.s", "host")["tags"]
    assert found(store, tag="pii") == set(ALL)
    with store.reading() as reader:
        assert {one["name"]: one["tables"] for one in reader.choices()["tags"]}["pii"] == 4


def test_inheritance_goes_with_the_tag_and_with_the_lineage(store):
    """By definition and by hand; a tag of a column's own counts before an inherited one and is the nearer source."""
    store.publish(CHAIN)
    edit(store, "curated.r", "host", add_tag=("pii",))
    assert heirs(store, *ALL) == {"partitioned.q.mail": "raw.p.mail", "curated.s.host": "curated.r.host"}
    assert [one["from"] for one in told(store, "curated.r", "host")["labels"]] == ["hand"]

    store.publish([made_of("raw.p", ("files:x", "mail", "mail", Kind.FILTER)), *CHAIN[1:]])
    assert heirs(store, *ALL) == {"curated.s.host": "curated.r.host"}
    edit(store, "curated.r", "host", remove_tag=("pii",))
    assert heirs(store, *ALL) == {}
    assert found(store, tag="pii") == set()

    store.publish(CHAIN)
    assert len(heirs(store, *ALL)) == 3
    store.publish([*CHAIN[:2], made_of("curated.r", ("partitioned.q", "n", "host", Kind.COPIED)), CHAIN[3]])
    assert heirs(store, *ALL) == {"partitioned.q.mail": "raw.p.mail"}


def test_an_observed_edge_hands_a_tag_on(store):
    """What engines tell counts as what definitions say, and what nobody defines inherits, too."""
    store.publish(CHAIN[:1])
    target = spark_table(
        "curated.seen", columns={"m": [("raw.p", "mail", "IDENTITY")], "n": [("raw.p", "mail", "AGGREGATION")]}
    )
    target["facets"]["schema"] = {"_producer": "https://example.org", "_schemaURL": "https://example.org/s", "fields": [
        {"name": "m", "type": "string"}, {"name": "n", "type": "bigint"}]}  # fmt: skip
    store.record(body(event("COMPLETE", new_run(), inputs=[spark_table("raw.p")], outputs=[target])), "test")

    assert heirs(store, "curated.seen") == {"curated.seen.m": "raw.p.mail"}


def test_a_project_names_more_tags_that_are_inherited(store):
    """Until it no longer does; pii always is."""
    facts = [made_of("raw.p"), made_of("curated.r", ("raw.p", "id", "copy", Kind.COPIED))]
    store.publish(facts, "mine", ("secret",))
    edit(store, "raw.p", "id", add_tag=("secret", "plain"))
    store.inherit()
    assert told(store, "curated.r", "copy")["tags"] == ["secret"]
    store.publish(facts, "mine")
    store.inherit()
    assert told(store, "curated.r", "copy")["tags"] == []


NODES = [f"curated.n{n}" for n in range(5)]
EDGES = st.lists(
    st.tuples(st.sampled_from(NODES), st.sampled_from("ab"), st.sampled_from(NODES), st.sampled_from("ab"),
              st.sampled_from([Kind.COPIED, Kind.TRANSFORMED, Kind.AGGREGATED])),
    max_size=12,
)  # fmt: skip
STATES = st.lists(st.tuples(EDGES, st.sets(st.tuples(st.sampled_from(NODES), st.sampled_from("ab")), max_size=3)),
                  min_size=1, max_size=4)  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(states=STATES)
def test_inheritance_is_what_a_plain_walk_finds(store, states):
    """However graphs with cycles and their tags change, each column inherits what reaches it, from the nearest."""
    for edges, tags in states:
        store.publish([_table(name, edges, tags) for name in NODES])
        store.inherit()
        wanted = _walked(edges, tags)
        got = heirs(store, *NODES)
        assert got.keys() == wanted.keys()
        assert all(got[heir] in nearest for heir, nearest in wanted.items())


def _table(name, edges, tags):
    lineage = Lineage(
        target=name,
        sources=tuple(sorted({one[0] for one in edges if one[2] == name})),
        columns=frozenset(ColumnEdge(source, read, made, kind) for source, read, to, made, kind in edges if to == name),
    )
    columns = tuple(ColumnFacts(one, "string", "", ("pii",) if (name, one) in tags else ()) for one in "ab")
    return TableFacts(name=name, columns=columns, lineage=((Origin.PARSED, lineage),))


def _walked(edges, tags):
    """Return by heir the nearest columns that it may inherit from."""
    steps = {}
    for source in tags:
        level, seen, step = {source}, {source}, 0
        while level:
            step += 1
            level = {(to, made) for at, read, to, made, kind in edges
                     if (at, read) in level and kind != Kind.AGGREGATED} - seen  # fmt: skip
            seen |= level
            for heir in level - tags:
                steps.setdefault(heir, {}).setdefault(step, set()).add(".".join(source))
    return {".".join(heir): by_step[min(by_step)] for heir, by_step in steps.items()}


def test_most_changes_have_nothing_to_do_with_a_tag(store, database):
    """They are looked at and forgotten without a walk; the next that has makes one."""
    store.publish(CHAIN)
    store.inherit()
    plain = spark_table("curated.o", columns={"x": [("raw.o", "y", "IDENTITY")]})
    store.record(body(event("COMPLETE", new_run(), inputs=[spark_table("raw.o")], outputs=[plain])), "test")
    with psycopg.connect(database, autocommit=True) as connection:
        assert connection.execute("SELECT count(*) FROM inherit_todo").fetchone() == (1,)
        connection.execute("DELETE FROM inherited WHERE column_name = 'mail'")  # a walk would bring it back
        store.inherit()
        assert connection.execute("SELECT count(*) FROM inherit_todo").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM inherited WHERE column_name = 'mail'").fetchone() == (0,)
    edit(store, "raw.p", "id", add_tag=("pii",))
    assert heirs(store, "partitioned.q") == {"partitioned.q.mail": "raw.p.mail"}
