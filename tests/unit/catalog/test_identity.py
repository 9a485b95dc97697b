"""Identity: every name of a table leads to its one node, and no two tables share one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from headwater.layout import location, stage_location, stage_name
from headwater.table import ZONES, TableName
from headwater_catalog.identity import ALWAYS, Memory, Node, Rename, called, reference, resolve
from hypothesis import given
from hypothesis import strategies as st

START = datetime(2026, 1, 1, tzinfo=UTC)
BUCKET = "lake"

words = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
names = st.builds(
    TableName,
    st.sampled_from(ZONES),
    st.lists(words, min_size=1, max_size=3).map("_".join).filter(lambda name: "stage" not in name),
)
any_part = st.text(min_size=1, max_size=12).filter(
    lambda text: text.strip() == text and text.lower().lower() == text.lower()
)


def quote(name: str, mark: str) -> str:
    """Return a name in quotes."""
    return mark + name.replace(mark, mark * 2) + mark


def every_name(table: TableName, run: str) -> list[str]:
    """Every form of section 1 of what a table is called."""
    place = location(BUCKET, table)
    plain = f"{table.zone}.{table.name}"
    stage = stage_name(table, run)
    return [
        plain,
        plain.upper(),
        f'"{table.zone}"."{table.name}"',
        f"hive.{plain}",
        f'"iceberg"."{table.zone}"."{table.name}"',
        f"`spark_catalog`.`{table.zone}`.`{table.name}`",
        f'iceberg.{table.zone}."{table.name}$snapshots"',
        f"{plain}.branch_audit",
        place,
        f"{place}/",
        place.replace("s3://", "s3a://"),
        f"{place}/year=2019/part-0.parquet",
        f"{place}/metadata/00000-x.metadata.json",
        f"{place}/data/year=2019/x.parquet",
        f"{place}-{'0a' * 16}/metadata",
        f"hive://127.0.0.1:7707/{plain}",
        f"arn:aws:glue:eu-west-1:123456789012/table/{table.zone}/{table.name}",
        f"trino://127.0.0.1:7702/iceberg.{plain}",
        f"trino://other.example:443/hive.{plain}",
        f'["{table.zone}", "{table.name}"]',
        f"{table.zone}/{table.name}",
        str(stage),
        f"iceberg.{stage}",
        stage_location(BUCKET, table, run) + "/data/x.parquet",
    ]


@given(names, names, st.text(min_size=1, max_size=30))
def test_every_alias_leads_to_the_one_node(one, other, run):
    """All names of a table are one node, those of another table are another, and all of them are kept."""
    memory = Memory(bucket=BUCKET)
    found = {memory.see(text) for text in every_name(one, run)}
    others = {memory.see(text) for text in every_name(other, run)}

    assert found == {Node(str(one))}
    assert others == {Node(str(other))}
    assert set(every_name(one, run)) <= memory.aliases[Node(str(one))]


@given(st.lists(any_part, min_size=1, max_size=4))
def test_names_with_anything_in_them_keep_apart(parts):
    """Quotes, spaces, dots, slashes, emoji and SQL in a name neither break it nor make it another's."""
    for mark in '"`':
        text = ".".join(quote(part, mark) for part in parts)
        read = reference(text, BUCKET)

        assert reference(read.name, BUCKET).name == read.name
    first, second = (reference(f'db."{text}"', BUCKET).name for text in ("a.b", "a"))
    assert first != second
    assert reference('db."a"."b"', BUCKET).name != first


raw_names = any_part.filter(lambda text: not any(mark in text for mark in "\x00/$") and ":" not in text)


@given(raw_names)
def test_a_name_is_the_same_quoted_in_sql_and_bare_in_an_event(name):
    """Engines write a table's parts into events without quotes, dots and quotes of the name included."""
    sql = reference(f"curated.{quote(name, chr(34))}", BUCKET).name
    for event in (
        f"trino://h:1/iceberg.curated.{name}",
        f"trino://h:1/hive.curated.{name}",
        f"hive://h:1/curated.{name}",
    ):
        assert reference(event, BUCKET).name == sql or quoted_already(name)


def quoted_already(name: str) -> bool:
    """Return whether a name looks quoted itself; then it is read as such."""
    return name[0] in '"`' and name[-1] == name[0]


@given(st.text(min_size=1, max_size=40).filter(str.strip))
def test_any_text_is_read(text):
    """Whatever stands in an event has a normal form that stays as it is."""
    read = reference(text, BUCKET)

    assert read.name
    assert reference(read.name, BUCKET).name == read.name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("tpch.sf1.lineitem", "tpch.sf1.lineitem"),
        ("trino://h:1/tpch.sf1.lineitem", "tpch.sf1.lineitem"),
        ("s3://elsewhere/raw/loan", "s3://elsewhere/raw/loan"),
        ("s3a://elsewhere/in/loan/year=2019/x.csv", "s3://elsewhere/in/loan"),
        ("s3://elsewhere/t/data/x.parquet", "s3://elsewhere/t"),
        ("s3://elsewhere/data/loans/x.csv", "s3://elsewhere/data/loans"),
        ("file:///tmp/in/rows.txt", "file:///tmp/in"),
        ("curated.loan__rejected", "curated.loan__rejected"),
        ("curated.loan__rejected__stage_ab12", "curated.loan__rejected"),
        ("superset:12", "superset:12"),
        ("postgres://h:5432/db.public.t", "postgres://h:5432/db.public.t"),
        ('curated."a/b"', 'curated."a/b"'),
        ('trino://h:1/iceberg.curated.an "odd" table\'s.name', 'curated."an ""odd"" table\'s.name"'),
        ('hive://h:1/curated.an "odd" 😀', 'curated."an ""odd"" 😀"'),
        ('trino://h:1/iceberg.curated."x""y"', 'curated."x""y"'),
        ("trino://h:1/iceberg.curated.a.branch_b", "curated.a"),
        ("trino://h:1/iceberg.curated.a.b", 'curated."a.b"'),
        ("hive://h:1/scratch.a.b", "scratch.a.b"),
    ],
)
def test_normal_forms(text, name):
    """What is not the lake's keeps its own name; rejects are a table of their own."""
    assert reference(text, BUCKET).name == name


@pytest.mark.parametrize("text", ["", "   "])
def test_an_empty_name_is_refused(text):
    """It is one sentence."""
    with pytest.raises(ValueError, match="name is empty"):
        reference(text, BUCKET)


def test_a_name_wins_over_a_location_and_teaches_it():
    """A dataset that Spark names by its folder is the table of its symlink, later by the folder alone too."""
    memory = Memory()
    node = memory.see("s3://elsewhere/x/loan", "hive://h:7707/scratch.loan")

    assert node == Node("scratch.loan")
    assert memory.see("s3a://elsewhere/x/loan/year=2019/a.parquet") == node
    assert memory.see("superset:3", "iceberg.scratch.loan") == node
    assert memory.see("superset:3") == node
    assert memory.see("superset:4") != node


def test_a_renamed_table_stays_itself_and_its_old_name_is_free():
    """Names mean what they meant at the time; the folder still leads to the renamed table."""
    at = [START + timedelta(hours=hour) for hour in range(6)]
    memory = Memory([Rename(at[2], "curated.old", "curated.new")])
    before = memory.see("curated.old", "s3://lake/curated/old", at=at[1])

    assert memory.see("curated.new", at=at[3]) == before
    assert memory.see("s3://lake/curated/old/data/x.parquet", at=at[3]) == before
    assert memory.see("curated.old", at=at[4]) == Node("curated.old", at[2])
    assert memory.see("curated.new", at=at[1]) == Node("curated.new")
    assert called(before, memory, at[1]) == "curated.old"
    assert called(before, memory, at[5]) == "curated.new"


def test_a_swap_of_two_tables_is_followed():
    """Two tables change places over a third name."""
    at = [START + timedelta(hours=hour) for hour in range(6)]
    memory = Memory([Rename(at[1], "x.a", "x.t"), Rename(at[2], "x.b", "x.a"), Rename(at[3], "x.t", "x.b")])

    assert memory.see("x.a", at=at[4]) == Node("x.b")
    assert memory.see("x.b", at=at[4]) == Node("x.a")


moves = st.lists(st.tuples(st.integers(0, 40), st.sampled_from("abcd")), max_size=12, unique_by=lambda one: one[0])


@given(moves, st.randoms())
def test_identity_is_the_same_in_whatever_order_renames_are_learned(steps, order):
    """Tables that change names one after the other are told apart at every moment, however the facts arrive."""
    truth, renames, spare = {name: Node(name) for name in "abcd"}, [], {}
    for hour, name in sorted(steps):
        target = f"{name}{hour}"
        when = START + timedelta(hours=hour)
        renames.append(Rename(when, name, target))
        spare[target] = truth[name]
        truth[name] = Node(name, when)
    order.shuffle(renames)
    memory, end = Memory(renames), START + timedelta(days=9)

    for name, node in {**truth, **spare}.items():
        assert resolve([reference(name, BUCKET)], memory, end) == node
        assert called(node, memory, end) == name
    assert resolve([reference("a", BUCKET)], memory, START - timedelta(days=1)) == Node("a", ALWAYS)
