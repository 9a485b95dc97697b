"""A crawler's tables in the metastore: made, changed, left, each change logged and counted."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headwater_aws_api.errors import AwsError
from headwater_aws_api.glue.crawlers._changes import changed_partition, changed_table, only_input
from headwater_aws_api.glue.crawlers._input import DEPRECATED, list_text, partition_input_of, table_input_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from headwater.storage import Storage

    from headwater_aws_api.glue.crawlers._layout import Crawled
    from headwater_aws_api.glue.crawlers._settings import Settings
    from headwater_aws_api.protocol import Operations

__all__ = ["Register"]

# Partitions of one call.
_BATCH = 100
_TABLE, _PARTITION = "TABLE", "PARTITION"


@dataclass
class Register:
    """The database that a crawler's tables go to.

    Args:
        settings: The crawler's.
        glue: The catalog's operations.
        storage: Takes lists of files.
        lists: Folder in the store for them, with a closing slash.
        say: Takes the lines of the log.
        summary: Names of what was changed, by kind and change.
    """

    settings: Settings
    glue: Operations
    storage: Storage
    lists: str
    say: Callable[[str], None]
    summary: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    def ensure_database(self) -> None:
        """Make the database if it is not there."""
        name = self.settings.database
        try:
            self.glue["GetDatabase"]({"Name": name})
        except AwsError as error:
            if error.code != "EntityNotFoundException":
                raise
            self.glue["CreateDatabase"]({"DatabaseInput": {"Name": name}})
            self.say(f"INFO: Created database {name}")

    def places(self) -> dict[str, str]:
        """Return where all tables lie that are there, by name."""
        pages = self._pages("GetTables", "TableList", {})
        return {one["Name"]: one.get("StorageDescriptor", {}).get("Location", "") for one in pages}

    def settle(self, name: str, table: Crawled) -> None:
        """Make the metastore's table what was found, as far as the crawler may."""
        place = f"{self.lists}{self.settings.database}/{name}/"
        wanted, left_out = table_input_of(table, name, self.settings.name, list_folder=place)
        if left_out:
            self.say(f"WARN: {name}: no type of Hive's fits {', '.join(left_out)}; left out")
        current = self._current(name)
        if current is None:
            self._list_files(place, table)
            self._call("CreateTable", {"TableInput": wanted})
            self._note(_TABLE, "ADD", name, f" of {table.shape.format} in {table.root}")
        else:
            wanted = self._changed(current, wanted, table, place)
        self._settle_partitions(name, wanted, table)

    def leave(self, name: str) -> bool:
        """Do what the crawler was told to do with a table whose files are gone; return whether it is gone, too."""
        current = self._current(name)
        if current is None:
            return True
        if self.settings.delete == "LOG":
            self.say(f"INFO: The files of table {name} are gone; the crawler only logs it")
            return False
        if self.settings.delete == "DELETE_FROM_DATABASE":
            self._call("DeleteTable", {"Name": name})
            self._forget_list(name)
            self._note(_TABLE, "DELETE", name, ", whose files are gone")
            return True
        if DEPRECATED not in current["Parameters"]:
            noted = {**current["Parameters"], DEPRECATED: _now()}
            self._call("UpdateTable", {"TableInput": {**current, "Parameters": noted}})
            self._note(_TABLE, "UPDATE", name, ", which is deprecated: its files are gone")
        return False

    def _changed(self, current: dict[str, Any], wanted: dict[str, Any], table: Crawled, place: str) -> dict[str, Any]:
        """Change a table if it must and may be; return its input afterwards."""
        name = wanted["Name"]
        changed = changed_table(current, wanted, only_new_columns=self.settings.only_new_columns)
        if changed is None and not (table.listed and self._list_at(place) != list_text(table.files)):
            return current
        what = _difference(current, changed) if changed else "its files"
        if not self.settings.update:
            self.say(f"INFO: Table {name} has changed ({what}); the crawler only logs it")
            return current
        self._list_files(place, table)
        if changed and changed["PartitionKeys"] != current.get("PartitionKeys", []):
            self._call("DeleteTable", {"Name": name})  # no metastore changes the keys of a table that is there
            self._call("CreateTable", {"TableInput": changed})
        elif changed:
            self._call("UpdateTable", {"TableInput": changed})
        self._note(_TABLE, "UPDATE", name, f": {what}")
        return changed or current

    def _settle_partitions(self, name: str, given: dict[str, Any], table: Crawled) -> None:
        if len(given.get("PartitionKeys", ())) != len(table.keys) or not table.keys:
            return
        known = {tuple(one["Values"]): one for one in self._pages("GetPartitions", "Partitions", {"TableName": name})}
        wanted = {values: partition_input_of(given, values, place) for values, place in table.partitions.items()}
        new = [one for values, one in wanted.items() if values not in known]
        for batch in _batches(new):
            self._call("BatchCreatePartition", {"TableName": name, "PartitionInputList": batch})
        other = [one for values, one in wanted.items() if values in known and changed_partition(known[values], one)]
        for batch in _batches(other if self.settings.update else []):
            entries = [{"PartitionValueList": one["Values"], "PartitionInput": one} for one in batch]
            self._call("BatchUpdatePartition", {"TableName": name, "Entries": entries})
        for change, some in (("ADD", new), ("UPDATE", other if self.settings.update else [])):
            for one in some:
                self._note(_PARTITION, change, _partition_name(name, one["Values"]))
        gone = [
            one
            for values, one in known.items()
            if values not in wanted and one["StorageDescriptor"]["Location"].startswith(table.root)
        ]
        self._leave_partitions(name, gone)

    def _leave_partitions(self, name: str, gone: Sequence[Mapping[str, Any]]) -> None:
        for batch in _batches(gone):
            if self.settings.delete == "DELETE_FROM_DATABASE":
                values = [{"Values": one["Values"]} for one in batch]
                self._call("BatchDeletePartition", {"TableName": name, "PartitionsToDelete": values})
            for one in batch:
                called = _partition_name(name, one["Values"])
                if self.settings.delete == "DELETE_FROM_DATABASE":
                    self._note(_PARTITION, "DELETE", called, ", whose files are gone")
                else:
                    self.say(f"INFO: The files of partition {called} are gone; it stays")

    def _current(self, name: str) -> dict[str, Any] | None:
        try:
            return only_input(self._call("GetTable", {"Name": name})["Table"])
        except AwsError as error:
            if error.code != "EntityNotFoundException":
                raise
            return None

    def _list_at(self, place: str) -> bytes:
        there = any(one.uri == f"{place}files" for one in self.storage.objects(place))
        return self.storage.read(f"{place}files") if there else b""

    def _list_files(self, place: str, table: Crawled) -> None:
        if table.listed:
            self.storage.put(f"{place}files", list_text(table.files))

    def _forget_list(self, name: str) -> None:
        place = f"{self.lists}{self.settings.database}/{name}/"
        self.storage.delete([one.uri for one in self.storage.objects(place)])

    def _pages(self, operation: str, key: str, given: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        token = None
        while True:
            page = self._call(operation, {**given, **({"NextToken": token} if token else {})})
            yield from page[key]
            token = page.get("NextToken")
            if token is None:
                return

    def _call(self, operation: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
        answer = self.glue[operation]({"DatabaseName": self.settings.database, **given})
        for error in answer.get("Errors", ()):
            told = error["ErrorDetail"]
            raise AwsError(told["ErrorCode"], told["ErrorMessage"])
        return answer

    def _note(self, kind: str, change: str, name: str, more: str = "") -> None:
        self.summary.setdefault(kind, {}).setdefault(change, []).append(name)
        done = {"ADD": "Created", "UPDATE": "Updated", "DELETE": "Deleted"}[change]
        self.say(f"INFO: {done} {kind.lower()} {name} in database {self.settings.database}{more}")


def _difference(current: Mapping[str, Any], changed: Mapping[str, Any]) -> str:
    """Return in words what differs between two inputs of a table."""
    ours, theirs = ({c["Name"]: c["Type"] for c in one["StorageDescriptor"]["Columns"]} for one in (current, changed))
    said = [f"new column {name} {kind}" for name, kind in theirs.items() if name not in ours]
    said += [f"no column {name}" for name in ours if name not in theirs]
    said += [f"column {name} {ours[name]} is {kind}" for name, kind in theirs.items() if ours.get(name, kind) != kind]
    return ", ".join(said) or "how it is stored"


def _partition_name(table: str, values: Sequence[str]) -> str:
    return f"{table}({', '.join(values)})"


def _batches(items: Sequence[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(items), _BATCH):
        yield list(items[start : start + _BATCH])


def _now() -> str:
    return str(int(time.time() * 1000))
