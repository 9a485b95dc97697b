"""What a table may forget, and what is worth compacting, on real Iceberg tables in a catalog of their own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from headwater.errors import DefinitionError
from headwater.keep import Keep
from headwater.layout import is_copy, stage_location, stage_name, stage_token
from headwater.table import Column, Table, TableName
from headwater.write._compact import FEWEST, batches
from headwater.write._expire import _Dispensable, expirable, expire
from hypothesis import given
from hypothesis import strategies as st
from pyiceberg.catalog.memory import InMemoryCatalog
from pyiceberg.exceptions import ValidationException
from pyiceberg.table.refs import SnapshotRef
from pyiceberg.table.snapshots import Snapshot, SnapshotLogEntry
from pyiceberg.transforms import IdentityTransform

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = 86_400_000
LOAN = TableName("curated", "loan")


@pytest.fixture
def table(tmp_path):
    """An empty table, partitioned by year."""
    made = InMemoryCatalog("tests", warehouse=tmp_path.as_uri())
    made.create_namespace("curated")
    found = made.create_table("curated.t", pa.schema([("n", pa.int64()), ("year", pa.int32())]))
    with found.update_spec() as spec:
        spec.add_field("year", IdentityTransform(), "year")
    return found


def append(table, year, n=0):
    """Add one file."""
    table.append(pa.table({"n": pa.array([n], pa.int64()), "year": pa.array([year], pa.int32())}))
    return table.current_snapshot().snapshot_id


def aged(table, days, *, refs=None, log=None):
    """Return a table's metadata with one snapshot for each age in days, the oldest first; ids count from 1."""
    at = [int(NOW.timestamp() * 1000) - round(one * DAY) for one in days]
    snapshots = [
        Snapshot(snapshot_id=number, parent_snapshot_id=number - 1 or None, sequence_number=number,
                 timestamp_ms=when, manifest_list="x", schema_id=0)
        for number, when in enumerate(at, 1)
    ]  # fmt: skip
    line = log or [(number, when) for number, when in enumerate(at, 1)]
    kept = {"main": SnapshotRef(snapshot_id=line[-1][0], snapshot_ref_type="branch"), **(refs or {})}
    changes = {
        "snapshots": snapshots,
        "current_snapshot_id": line[-1][0],
        "refs": kept,
        "snapshot_log": [SnapshotLogEntry(snapshot_id=number, timestamp_ms=when) for number, when in line],
    }
    return table.metadata.model_copy(update=changes)


def test_what_was_the_table_within_the_days_stays(table):
    """A state counts from when another took its place: an old snapshot that was current until yesterday stays."""
    metadata = aged(table, [100, 90, 1])

    assert expirable(metadata, Keep(days=30, snapshots=1), NOW) == {1}
    assert expirable(metadata, Keep(days=95, snapshots=1), NOW) == frozenset()


def test_a_number_of_snapshots_stays_whatever_their_age(table):
    """The newest ones, the current one among them."""
    metadata = aged(table, [100, 90, 80, 70])

    assert expirable(metadata, Keep(days=1, snapshots=1), NOW) == {1, 2, 3}
    assert expirable(metadata, Keep(days=1, snapshots=3), NOW) == {1}
    assert expirable(metadata, Keep(days=1, snapshots=9), NOW) == frozenset()


def test_branches_and_tags_keep_theirs(table):
    """A tag keeps its snapshot; a branch its newest ones, as many as it or the table asks for."""
    tag = SnapshotRef(snapshot_id=2, snapshot_ref_type="tag")
    branch = SnapshotRef(snapshot_id=4, snapshot_ref_type="branch", min_snapshots_to_keep=2)
    metadata = aged(table, [100, 90, 80, 70, 60], refs={"audit": branch, "year_end": tag})

    assert expirable(metadata, Keep(days=1, snapshots=1), NOW) == {1}


def test_a_state_that_was_set_back_counts_from_then(table):
    """Rolled back two days ago: what was current until then stays, and what is current now does."""
    times = [int(NOW.timestamp() * 1000) - age * DAY for age in (100, 90, 80, 2)]
    metadata = aged(table, [100, 90, 80], log=list(zip((1, 2, 3, 2), times, strict=True)))

    assert expirable(metadata, Keep(days=10, snapshots=1), NOW) == {1}


@given(
    ages=st.lists(st.floats(0, 400), min_size=1, max_size=12),
    days=st.integers(1, 400),
    snapshots=st.integers(1, 8),
    tagged=st.sets(st.integers(1, 12), max_size=3),
)
def test_whatever_the_history_nothing_that_is_kept_goes(tmp_path_factory, ages, days, snapshots, tagged):
    """The current state, tagged ones, the newest ones and any that was current within the days stay; all else goes."""
    catalog = InMemoryCatalog("tests", warehouse=tmp_path_factory.mktemp("w").as_uri())
    catalog.create_namespace("curated")
    empty = catalog.create_table("curated.t", pa.schema([("n", pa.int64())]))
    ages = sorted(ages, reverse=True)
    tags = {f"t{one}": SnapshotRef(snapshot_id=one, snapshot_ref_type="tag") for one in tagged if one <= len(ages)}
    gone = expirable(aged(empty, ages, refs=tags), Keep(days=days, snapshots=snapshots), NOW)

    for number in range(1, len(ages) + 1):
        last_current = NOW - timedelta(days=ages[number]) if number < len(ages) else NOW
        by_age = NOW - last_current < timedelta(days=days) - timedelta(milliseconds=2)
        by_count = number > len(ages) - snapshots
        by_tag = number in tagged
        if by_age or by_count or by_tag:
            assert number not in gone
        elif NOW - last_current > timedelta(days=days) + timedelta(milliseconds=2):
            assert number in gone


def test_expired_snapshots_are_forgotten_and_rows_are_not(table):
    """The table reads as before; its older states are gone from its list."""
    ids = [append(table, 2019, n) for n in range(4)]
    expire(table, frozenset(ids[:2]))
    table.refresh()

    assert [one.snapshot_id for one in table.metadata.snapshots] == ids[2:]
    assert table.scan().to_arrow().num_rows == 4


def test_a_snapshot_that_was_taken_up_meanwhile_is_not_expired(table):
    """A tag that somebody put on it, or a rollback to it, comes first; so does another expiry."""
    ids = [append(table, 2019, n) for n in range(3)]
    stale = table.catalog.load_table("curated.t")
    table.manage_snapshots().create_tag(ids[0], "kept").commit()
    with pytest.raises(ValidationException, match="meanwhile"):
        expire(stale, frozenset({ids[0]}))
    expire(table, frozenset({ids[1]}))
    with pytest.raises(ValidationException, match="meanwhile"):
        _Dispensable(doomed=frozenset({ids[1]})).validate(table.refresh().metadata)

    assert ids[0] in {one.snapshot_id for one in table.refresh().metadata.snapshots}


def test_small_files_are_compacted_by_partition_and_only_where_there_are_enough(table):
    """Few small files of a partition stay; many go together, and no other partition's with them."""
    for n in range(FEWEST):
        append(table, 2019, n)
    for n in range(FEWEST - 1):
        append(table, 2020, n)
    (batch,) = batches(table)

    assert {file.partition[0] for file in batch.files} == {2019}
    assert len(batch.files) == FEWEST
    assert batch.exact
    assert batch.base == table.current_snapshot().snapshot_id


def test_a_table_without_rows_has_nothing_to_compact(table):
    """Nor has one that was never written."""
    assert batches(table) == []


@pytest.mark.parametrize("wrong", [{"days": 0}, {"days": 1.5}, {"days": "30d"}, {"snapshots": 0}, {"days": True}])
def test_a_keep_that_cannot_be_is_refused_in_a_sentence(wrong):
    """Whole numbers from 1."""
    with pytest.raises(DefinitionError, match="give a whole number from 1"):
        Keep(**wrong)


def test_a_table_says_what_keep_it_wants():
    """A text or a number in its place is refused by the table's name."""
    given_ = {"doc": "d", "owner": "team:t", "columns": (Column("a", "long", "A."),), "body": "select 1 as a"}

    assert Table(name="curated.t", **given_).keep == Keep(days=30, snapshots=3)
    with pytest.raises(DefinitionError, match=r"Table curated\.t: its keep is '30d'; give a Keep"):
        Table(name="curated.t", keep="30d", **given_)


def test_a_copys_stage_is_known_by_its_name():
    """In every form in which engines tell of it; other stages and tables that are called so are none."""
    token = stage_token("maintain/0123456789abcdef")
    name = stage_name(LOAN, token)

    assert is_copy(f"trino://127.0.0.1:7702/iceberg.{name}")
    assert is_copy(stage_location("lake", LOAN, token) + "/data/x.parquet")
    assert not is_copy(str(stage_name(LOAN, stage_token("3f2b/1"))))
    assert not is_copy("curated.maintain")
    assert not is_copy("curated.loan__stage_maintainer")
