"""What the snapshots of an ingested table say of rejected rows that are still to be shown."""

from __future__ import annotations

import pytest
from headwater.write._iceberg import turned_away
from headwater.write._rejects import due
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table.snapshots import Operation, Snapshot, Summary


def snapshots(*said):
    """Return snapshots in the order of their commits, each with its load's token and what else its summary says."""
    return [
        Snapshot(
            snapshot_id=1000 - number,
            sequence_number=number,
            timestamp_ms=0,
            manifest_list="",
            summary=Summary(Operation.APPEND, **{"headwater.stage": token, **more}),
        )
        for number, (token, more) in enumerate(said, start=1)
    ]


def rejected(rows, *, replaces=False):
    """Return what a load's snapshot says of its rejected rows."""
    return {"headwater.rejected": str(rows), **({"headwater.replaces": "true"} if replaces else {})}


@pytest.mark.parametrize("token", ["a", "never"])
def test_a_load_that_says_nothing_has_nothing_to_show(token):
    """As one of a release that showed rejected rows first, and one that was never published."""
    assert due(snapshots(("a", {}), ("b", rejected(1))), token) is None


def test_a_load_knows_what_was_published_after_it():
    """Whatever the order of the snapshots in the metadata, and whether those say anything or nothing."""
    line = snapshots(("a", rejected(1)), ("b", rejected(2)), ("c", {}), ("d", rejected(3)))

    found = due(reversed(line), "b")
    assert (found.rows, found.replaces, found.later, found.heir) == (2, False, {"c", "d"}, "")


def test_the_last_replacing_load_is_the_heir_of_those_before_it():
    """Also of another one that replaced, and without rejected rows of its own."""
    line = snapshots(
        ("a", rejected(1)), ("b", rejected(2, replaces=True)), ("c", rejected(0, replaces=True)), ("d", rejected(4))
    )

    assert [due(line, token).heir for token in "abcd"] == ["c", "c", "", ""]
    assert [due(line, token).replaces for token in "abcd"] == [False, True, True, False]


def test_snapshots_of_others_are_passed_over():
    """As those of a statement, which have no token, or no summary at all."""
    line = snapshots(("a", rejected(1)))
    line.append(Snapshot(snapshot_id=5, sequence_number=2, timestamp_ms=0, manifest_list="", summary=None))

    found = due(line, "a")
    assert (found.rows, found.heir) == (1, "")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Failed to acquire lock for ('raw', 'x'), state: 2", "raw.x: waiting for its lock; a write that was killed"),
        ("Requirement failed: branch main has changed", "raw.x: another writer was first, trying again"),
    ],
)
def test_who_waits_is_told_for_whom(said, told):
    """In words of ours: a lock may be of somebody who is dead."""
    assert turned_away("raw.x", CommitFailedException(said)).startswith(told)
