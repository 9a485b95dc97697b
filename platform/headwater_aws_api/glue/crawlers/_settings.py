"""What a crawler is told, checked before it is kept; what would be ignored is refused. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headwater_aws_api.errors import AwsError
from headwater_aws_api.glue.crawlers._globs import excluded_by

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping

__all__ = ["Settings", "Target", "checked", "settings_of"]

_INVALID = "InvalidInputException"
_DEFAULTS: Mapping[str, Any] = {
    "SchemaChangePolicy": {"UpdateBehavior": "UPDATE_IN_DATABASE", "DeleteBehavior": "DEPRECATE_IN_DATABASE"},
    "RecrawlPolicy": {"RecrawlBehavior": "CRAWL_EVERYTHING"},
    "LineageConfiguration": {"CrawlerLineageSettings": "DISABLE"},
}
_HEEDED = ("Path", "Exclusions", "SampleSize")
_MOST_SAMPLES = 249
# Of Configuration: what may be said, and with which values where they are few.
_CONFIGURATION: Mapping[str, Any] = {
    "Version": (1.0,),
    "CreatePartitionIndex": (True, False),
    "CrawlerOutput": {
        "Partitions": {"AddOrUpdateBehavior": ("InheritFromTable",)},
        "Tables": {"AddOrUpdateBehavior": ("MergeNewColumns",)},
    },
    "Grouping": {"TableGroupingPolicy": ("CombineCompatibleSchemas",), "TableLevelConfiguration": range(1, 1025)},
}


@dataclass(frozen=True)
class Target:
    """One place to crawl.

    Args:
        path: ``s3://bucket/`` and what follows, as it was given.
        exclusions: What matches the paths below it that are left out.
        sample: How many files of each folder are looked at; None for all.
    """

    path: str
    exclusions: tuple[re.Pattern[str], ...] = ()
    sample: int | None = None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a crawler does its work.

    Args:
        name: Its own.
        database: Where its tables go.
        prefix: Begins their names.
        targets: Where it looks.
        update: Changed tables are changed in the metastore, too; else it is logged.
        delete: ``LOG``, ``DELETE_FROM_DATABASE`` or ``DEPRECATE_IN_DATABASE``, for tables whose files are gone.
        only_new_columns: Of a changed table, columns are added, and none changed or removed.
        level: How deep tables lie; None to find out.
    """

    name: str
    database: str
    prefix: str
    targets: tuple[Target, ...]
    update: bool
    delete: str
    only_new_columns: bool
    level: int | None


def checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a crawler's definition with what it leaves unsaid.

    Raises:
        AwsError: It cannot be, or asks for what the box does not do.
    """
    made = {**given, **{name: {**said, **given.get(name, {})} for name, said in _DEFAULTS.items()}}
    _refuse_unserved(made)
    if not made.get("DatabaseName"):
        raise AwsError(_INVALID, "DatabaseName is missing: which database do the tables go to?")
    for target in made["Targets"]["S3Targets"]:
        _check_target(target)
    _check_configuration(_configuration(made), _CONFIGURATION, "Configuration")
    policy = made["SchemaChangePolicy"]
    new_alone = made["RecrawlPolicy"]["RecrawlBehavior"] == "CRAWL_NEW_FOLDERS_ONLY"
    if new_alone and set(policy.values()) != {"LOG"}:
        raise AwsError(_INVALID, "CRAWL_NEW_FOLDERS_ONLY wants LOG for UpdateBehavior and DeleteBehavior.")
    return made


def settings_of(name: str, body: Mapping[str, Any]) -> Settings:
    """Return how a crawler with a checked definition does its work."""
    said = _configuration(body)
    policy = body["SchemaChangePolicy"]
    output = said.get("CrawlerOutput", {})
    return Settings(
        name=name,
        database=body["DatabaseName"].lower(),
        prefix=body.get("TablePrefix", "").lower(),
        targets=tuple(
            Target(one["Path"], tuple(map(excluded_by, one.get("Exclusions", ()))), one.get("SampleSize"))
            for one in body["Targets"]["S3Targets"]
        ),
        update=policy["UpdateBehavior"] == "UPDATE_IN_DATABASE",
        delete=policy["DeleteBehavior"],
        only_new_columns=bool(output.get("Tables")),
        level=said.get("Grouping", {}).get("TableLevelConfiguration"),
    )


def _refuse_unserved(given: Mapping[str, Any]) -> None:
    asked = [name for name in ("Schedule", "Classifiers", "CrawlerSecurityConfiguration") if given.get(name)]
    asked += [kind for kind, targets in given["Targets"].items() if kind != "S3Targets" and targets]
    targets = given["Targets"].get("S3Targets", ())
    asked += sorted({name for one in targets for name in one if name not in _HEEDED and one[name]})
    if given["RecrawlPolicy"]["RecrawlBehavior"] == "CRAWL_EVENT_MODE":
        asked.append("CRAWL_EVENT_MODE")
    if given["LineageConfiguration"]["CrawlerLineageSettings"] == "ENABLE":
        asked.append("CrawlerLineageSettings")
    if given.get("LakeFormationConfiguration", {}).get("UseLakeFormationCredentials"):
        asked.append("LakeFormationConfiguration")
    if asked:
        raise AwsError(
            "NotImplemented", f"{', '.join(asked)} of a crawler is not served by the box; docs/aws-api.md.", 501
        )
    if not targets:
        raise AwsError(_INVALID, "Targets names no place to crawl; give S3Targets.")


def _check_target(target: Mapping[str, Any]) -> None:
    path = target.get("Path", "")
    if not path.startswith("s3://") or not path.removeprefix("s3://").strip("/"):
        raise AwsError(_INVALID, f"The path {path!r} of a target is none of S3; it begins with s3://bucket/.")
    if not 1 <= target.get("SampleSize", 1) <= _MOST_SAMPLES:
        raise AwsError(_INVALID, f"SampleSize is {target['SampleSize']}; give 1 to {_MOST_SAMPLES}.")


def _configuration(given: Mapping[str, Any]) -> Mapping[str, Any]:
    if not given.get("Configuration"):
        return {}
    try:
        said = json.loads(given["Configuration"])
    except ValueError as error:
        raise AwsError(_INVALID, f"Configuration is no JSON: {error}.") from error
    if not isinstance(said, dict):
        raise AwsError(_INVALID, "Configuration is no JSON object.")
    return said


def _check_configuration(said: Mapping[str, Any], known: Mapping[str, Any], where: str) -> None:
    for name, value in said.items():
        allowed = known.get(name)
        if isinstance(allowed, dict) and isinstance(value, dict):
            _check_configuration(value, allowed, f"{where}.{name}")
        elif allowed is None or isinstance(allowed, dict) or value not in allowed:
            raise AwsError(_INVALID, f"{where}.{name} is not understood: {json.dumps(value)[:80]}.")
