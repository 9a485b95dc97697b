"""Work groups, named queries and prepared statements: what Athena remembers beside queries."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

from headwater_aws_api.errors import AwsError
from headwater_aws_api.paging import page_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headwater_aws_api.protocol import Operations
    from headwater_aws_api.store import Store

__all__ = ["PRIMARY", "Groups", "group_operations", "invalid"]

PRIMARY = "primary"
_GROUP, _NAMED, _PREPARED = "athena-group", "athena-named", "athena-prepared"
_PAGE = 50
_ENGINE = {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"}


def group_operations(groups: Groups) -> Operations:
    """Return the operations by name."""
    return {
        "BatchGetNamedQuery": groups.several_named,
        "BatchGetPreparedStatement": groups.several_prepared,
        "CreateNamedQuery": groups.create_named,
        "CreatePreparedStatement": groups.create_prepared,
        "CreateWorkGroup": groups.create,
        "DeleteNamedQuery": groups.delete_named,
        "DeletePreparedStatement": groups.delete_prepared,
        "DeleteWorkGroup": groups.delete,
        "GetNamedQuery": groups.get_named,
        "GetPreparedStatement": groups.get_prepared,
        "GetWorkGroup": groups.get,
        "ListEngineVersions": lambda _: {"EngineVersions": [_ENGINE]},
        "ListNamedQueries": groups.list_named,
        "ListPreparedStatements": groups.list_prepared,
        "ListTagsForResource": lambda _: {"Tags": []},
        "ListWorkGroups": groups.listed,
        "UpdateNamedQuery": groups.update_named,
        "UpdatePreparedStatement": groups.update_prepared,
        "UpdateWorkGroup": groups.update,
    }


def invalid(sentence: str) -> AwsError:
    """Return Athena's refusal of a request."""
    return AwsError("InvalidRequestException", sentence, AthenaErrorCode="INVALID_INPUT")


class Groups:
    """The operations.

    Args:
        store: Remembers them.
        place: Where results of the group ``primary`` go.
    """

    def __init__(self, store: Store, place: str) -> None:
        self._store = store
        self._place = place

    def found(self, name: str) -> dict[str, Any]:
        """Return a work group.

        Raises:
            AwsError: There is none of that name.
        """
        document = self._store.get(_GROUP, name)
        if document is not None:
            return document.body
        if name != PRIMARY:
            raise invalid(f"WorkGroup {name} is not found.")
        return self._new(PRIMARY, {"ResultConfiguration": {"OutputLocation": self._place}})

    def create(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Make a work group."""
        name = given["Name"]
        made = self._new(name, given.get("Configuration", {}), given.get("Description"))
        if name == PRIMARY or not self._store.add(_GROUP, name, made):
            raise invalid(f"WorkGroup {name} is already created.")
        return {}

    def get(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return a work group."""
        return {"WorkGroup": self.found(given["WorkGroup"])}

    def listed(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return summaries, in pages."""
        every = {one.name: one.body for one in self._store.every(_GROUP)}
        every.setdefault(PRIMARY, self.found(PRIMARY))
        page, token = _page(sorted(every), given)
        shown = [
            {name: every[group].get(name) for name in ("Name", "State", "Description", "CreationTime")}
            | {"EngineVersion": _ENGINE}
            for group in page
        ]
        return {"WorkGroups": shown, "NextToken": token}

    def update(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Change a work group."""
        name = given["WorkGroup"]
        self._store.add(_GROUP, name, self.found(name))

        def change(group: dict[str, Any]) -> dict[str, Any]:
            configuration = _changed(group["Configuration"], given.get("ConfigurationUpdates", {}))
            changed = {**group, "Configuration": configuration, "State": given.get("State", group["State"])}
            return {**changed, "Description": given.get("Description", group.get("Description"))}

        self._store.change(_GROUP, name, change)
        return {}

    def delete(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Forget a work group; with its named queries and prepared statements, if told so."""
        name = given["WorkGroup"]
        if name == PRIMARY:
            raise invalid("The primary WorkGroup cannot be deleted.")
        self.found(name)
        held = [(kind, one.name) for kind in (_NAMED, _PREPARED) for one in self._of(kind, name)]
        if held and not given.get("RecursiveDeleteOption"):
            raise invalid(f"WorkGroup {name} is not empty.")
        for kind, key in held:
            self._store.remove(kind, key)
        self._store.remove(_GROUP, name)
        return {}

    def create_named(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Keep a query under a name."""
        group = given.get("WorkGroup", PRIMARY)
        self.found(group)
        token = given.get("ClientRequestToken")
        key = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{group}/{token}") if token else uuid.uuid4())
        kept = {name: given[name] for name in ("Name", "Description", "Database", "QueryString") if name in given}
        self._store.add(_NAMED, key, {**kept, "WorkGroup": group, "NamedQueryId": key})
        return {"NamedQueryId": key}

    def get_named(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return a named query."""
        return {"NamedQuery": self._one(_NAMED, given["NamedQueryId"], "NamedQuery")}

    def several_named(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return named queries, and which are not there."""
        found = {one.name: one.body for one in self._store.several(_NAMED, given["NamedQueryIds"])}
        missing = [
            {"NamedQueryId": key, "ErrorCode": "NOT_FOUND", "ErrorMessage": f"NamedQuery {key} was not found"}
            for key in given["NamedQueryIds"]
            if key not in found
        ]
        return {"NamedQueries": [*found.values()], "UnprocessedNamedQueryIds": missing}

    def list_named(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the ids of a group's named queries, in pages."""
        page, token = _page([one.name for one in self._of(_NAMED, given.get("WorkGroup", PRIMARY))], given)
        return {"NamedQueryIds": page, "NextToken": token}

    def update_named(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Change a named query."""
        changes = {name: given[name] for name in ("Name", "Description", "QueryString") if name in given}
        key = given["NamedQueryId"]
        if not self._store.change(_NAMED, key, lambda body: {**body, **changes}):
            raise invalid(f"NamedQuery {key} was not found")
        return {}

    def delete_named(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Forget a named query."""
        if not self._store.remove(_NAMED, given["NamedQueryId"]):
            raise invalid(f"NamedQuery {given['NamedQueryId']} was not found")
        return {}

    def prepared(self, group: str, name: str) -> dict[str, Any]:
        """Return a prepared statement.

        Raises:
            AwsError: There is none of that name in the group.
        """
        document = self._store.get(_PREPARED, _key(group, name))
        if document is None:
            sentence = f"PreparedStatement {name} was not found in workGroup {group}"
            raise AwsError("ResourceNotFoundException", sentence, ResourceName=name)
        return document.body

    def prepare(self, group: str, name: str, sql: str) -> None:
        """Keep a prepared statement, in the place of one of that name."""
        made = {"StatementName": name, "QueryStatement": sql, "WorkGroupName": group, "LastModifiedTime": time.time()}
        if not self._store.add(_PREPARED, _key(group, name), made):
            self._store.change(_PREPARED, _key(group, name), lambda former: {**former, **made})

    def unprepare(self, group: str, name: str) -> None:
        """Forget a prepared statement.

        Raises:
            AwsError: There is none of that name in the group.
        """
        self.prepared(group, name)
        self._store.remove(_PREPARED, _key(group, name))

    def create_prepared(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Keep a prepared statement under a new name."""
        group, name = given["WorkGroup"], given["StatementName"]
        self.found(group)
        if self._store.get(_PREPARED, _key(group, name)):
            raise invalid(f"Prepared Statement {name} already exists in WorkGroup {group}")
        body = {"StatementName": name, "QueryStatement": given["QueryStatement"], "WorkGroupName": group}
        kept = {**body, "Description": given.get("Description"), "LastModifiedTime": time.time()}
        self._store.add(_PREPARED, _key(group, name), kept)
        return {}

    def get_prepared(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return a prepared statement."""
        return {"PreparedStatement": self.prepared(given["WorkGroup"], given["StatementName"])}

    def several_prepared(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return prepared statements, and which are not there."""
        keys = {_key(given["WorkGroup"], name): name for name in given["PreparedStatementNames"]}
        found = {one.name: one.body for one in self._store.several(_PREPARED, list(keys))}
        missing = [
            {"StatementName": name, "ErrorCode": "NOT_FOUND", "ErrorMessage": f"{name} was not found"}
            for key, name in keys.items()
            if key not in found
        ]
        return {"PreparedStatements": [*found.values()], "UnprocessedPreparedStatementNames": missing}

    def list_prepared(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return summaries of a group's prepared statements, in pages."""
        every = {one.body["StatementName"]: one.body for one in self._of(_PREPARED, given["WorkGroup"])}
        page, token = _page(sorted(every), given)
        shown = [{name: every[key][name] for name in ("StatementName", "LastModifiedTime")} for key in page]
        return {"PreparedStatements": shown, "NextToken": token}

    def update_prepared(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Change a prepared statement."""
        group, name = given["WorkGroup"], given["StatementName"]
        self.prepared(group, name)
        changes = {key: given[key] for key in ("QueryStatement", "Description") if key in given}
        changed = {**changes, "LastModifiedTime": time.time()}
        self._store.change(_PREPARED, _key(group, name), lambda body: {**body, **changed})
        return {}

    def delete_prepared(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Forget a prepared statement."""
        self.unprepare(given["WorkGroup"], given["StatementName"])
        return {}

    def _one(self, kind: str, key: str, what: str) -> dict[str, Any]:
        document = self._store.get(kind, key)
        if document is None:
            raise invalid(f"{what} {key} was not found")
        return document.body

    def _of(self, kind: str, group: str) -> list[Any]:
        self.found(group)
        return [
            one
            for one in self._store.every(kind)
            if group in (one.body.get("WorkGroup"), one.body.get("WorkGroupName"))
        ]

    @staticmethod
    def _new(name: str, configuration: Mapping[str, Any], description: str | None = None) -> dict[str, Any]:
        said = {
            "EnforceWorkGroupConfiguration": name != PRIMARY,
            "PublishCloudWatchMetricsEnabled": False,
            "RequesterPaysEnabled": False,
            "ResultConfiguration": {},
            "EngineVersion": _ENGINE,
            **configuration,
        }
        made = {"Name": name, "State": "ENABLED", "Configuration": said, "CreationTime": time.time()}
        return {**made, "Description": description}


def _key(group: str, name: str) -> str:
    return f"{group}/{name}"


def _page(names: list[str], given: Mapping[str, Any]) -> tuple[list[str], str | None]:
    limit = given.get("MaxResults", _PAGE)
    return page_of(sorted(names), str, given.get("NextToken"), limit, code="InvalidRequestException")


def _changed(configuration: Mapping[str, Any], updates: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with what ``ConfigurationUpdates`` says done to it."""
    changed = {**configuration, **updates}
    results = {**configuration.get("ResultConfiguration", {}), **changed.pop("ResultConfigurationUpdates", {})}
    for name in ("OutputLocation", "EncryptionConfiguration", "ExpectedBucketOwner", "AclConfiguration"):
        if results.pop(f"Remove{name}", False):
            results.pop(name, None)
    if changed.pop("RemoveBytesScannedCutoffPerQuery", False):
        changed.pop("BytesScannedCutoffPerQuery", None)
    changed.pop("RemoveCustomerContentEncryptionConfiguration", None)
    return {**changed, "ResultConfiguration": results}
