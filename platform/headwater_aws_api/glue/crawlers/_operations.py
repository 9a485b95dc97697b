"""Glue's crawlers: what they are told, their state, and what their crawls did."""

from __future__ import annotations

import json
import statistics
import time
from typing import TYPE_CHECKING, Any

from headwater_aws_api.errors import AwsError
from headwater_aws_api.glue._databases import check_catalog
from headwater_aws_api.glue._metastore import ACCOUNT
from headwater_aws_api.glue.crawlers._filters import crawl_filter
from headwater_aws_api.glue.crawlers._runs import CRAWLER, Runs
from headwater_aws_api.glue.crawlers._settings import checked
from headwater_aws_api.paging import page_of, read_token, write_token

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headwater_aws_api.protocol import Operations
    from headwater_aws_api.store import Document, Store

__all__ = ["Crawlers", "served"]

_INVALID = "InvalidInputException"
_PAGE = 100
_LOG_GROUP = "/aws-glue/crawlers"
# How a crawl ended, as ListCrawls and as LastCrawl say it.
_AS_LAST = {"COMPLETED": "SUCCEEDED", "FAILED": "FAILED", "STOPPED": "CANCELLED"}
# What a crawler is told, as against what becomes of it.
_SAID = (
    "Role", "Targets", "DatabaseName", "Description", "Classifiers", "RecrawlPolicy", "SchemaChangePolicy",
    "LineageConfiguration", "TablePrefix", "Configuration", "CrawlerSecurityConfiguration",
    "LakeFormationConfiguration",
)  # fmt: skip


def served(crawlers: Crawlers) -> Operations:
    """Return the operations by name."""
    return {
        "BatchGetCrawlers": crawlers.get_several,
        "CreateCrawler": crawlers.create,
        "DeleteCrawler": crawlers.delete,
        "GetCrawler": crawlers.get,
        "GetCrawlerMetrics": crawlers.metrics,
        "GetCrawlers": crawlers.listed,
        "GetTags": crawlers.tags,
        "ListCrawlers": crawlers.names,
        "ListCrawls": crawlers.crawls,
        "StartCrawler": crawlers.start,
        "StopCrawler": crawlers.stop,
        "TagResource": crawlers.tag,
        "UntagResource": crawlers.untag,
        "UpdateCrawler": crawlers.update,
    }


class Crawlers:
    """The operations.

    Args:
        store: Remembers crawlers.
        runs: Their crawls.
    """

    def __init__(self, store: Store, runs: Runs) -> None:
        self._store, self._runs = store, runs

    def create(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Keep a new crawler."""
        check_catalog(given)
        said = checked({name: value for name, value in given.items() if name in (*_SAID, "Schedule")})
        now = time.time()
        body = {"said": said, "created": now, "updated": now, "version": 1, "tables": {}, "tags": given.get("Tags", {})}
        if not self._store.add(CRAWLER, given["Name"], body):
            raise AwsError("AlreadyExistsException", f"Crawler with name {given['Name']} already exists")
        return {}

    def update(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Change what a crawler is told; what is not said stays."""
        check_catalog(given)
        name = given["Name"]
        former = self._body(name)
        self._refuse_running(name)
        more = {one: value for one, value in given.items() if one in (*_SAID, "Schedule")}
        said = checked({**former["said"], **more})
        change = {"said": said, "updated": time.time(), "version": former["version"] + 1}
        self._store.change(CRAWLER, name, lambda body: {**body, **change})
        return {}

    def delete(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Forget a crawler with its crawls; its tables stay."""
        name = given["Name"]
        self._body(name)
        self._refuse_running(name)
        self._store.remove(CRAWLER, name)
        self._runs.forget(name)
        return {}

    def get(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return a crawler."""
        return {"Crawler": self._shown(given["Name"], self._body(given["Name"]))}

    def get_several(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return crawlers; those that are not there are named."""
        wanted = list(dict.fromkeys(given["CrawlerNames"]))
        found = {one.name: one.body for one in self._store.several(CRAWLER, wanted)}
        return {
            "Crawlers": [self._shown(name, found[name]) for name in wanted if name in found],
            "CrawlersNotFound": [name for name in wanted if name not in found],
        }

    def listed(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return all crawlers, in pages."""
        page, token = self._page(self._store.every(CRAWLER), given)
        return {"Crawlers": [self._shown(one.name, one.body) for one in page], "NextToken": token}

    def names(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the names of crawlers, of those with some tags if any are given, in pages."""
        wanted = given.get("Tags", {}).items()
        page, token = self._page(
            [one for one in self._store.every(CRAWLER) if wanted <= one.body["tags"].items()], given
        )
        return {"CrawlerNames": [one.name for one in page], "NextToken": token}

    def start(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Start a crawl."""
        self._body(given["Name"])
        self._runs.start(given["Name"])
        return {}

    def stop(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Have a crawl end before it is done."""
        self._body(given["Name"])
        self._runs.stop(given["Name"])
        return {}

    def metrics(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return how long crawlers took and what they changed, in pages."""
        wanted = given.get("CrawlerNameList") or [one.name for one in self._store.every(CRAWLER)]
        known = sorted(self._store.several(CRAWLER, list(wanted)), key=lambda one: one.name)
        page, token = self._page(known, given)
        return {"CrawlerMetricsList": [self._measured(one.name) for one in page], "NextToken": token}

    def crawls(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return a crawler's crawls, the youngest first, in pages."""
        name, limit = given["CrawlerName"], given.get("MaxResults", 20)
        self._body(name)
        token, wanted = given.get("NextToken"), crawl_filter(given.get("Filters", ()))
        before = None if token is None else read_token(token, int, _INVALID)
        found = self._runs.crawls(name, before=before)
        shown = [(one.number, _crawl_shown(name, one)) for one in found]
        some = [(number, crawl) for number, crawl in shown if wanted(crawl)]
        more = write_token(some[limit - 1][0]) if len(some) > limit else None
        return {"Crawls": [crawl for _, crawl in some[:limit]], "NextToken": more}

    def tags(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return a crawler's tags."""
        return {"Tags": self._body(_named(given))["tags"]}

    def tag(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Add tags to a crawler."""
        self._retag(given, lambda tags: {**tags, **given["TagsToAdd"]})
        return {}

    def untag(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Remove tags from a crawler."""
        gone = set(given["TagsToRemove"])
        self._retag(given, lambda tags: {key: value for key, value in tags.items() if key not in gone})
        return {}

    def _retag(self, given: Mapping[str, Any], change: Any) -> None:
        name = _named(given)
        self._body(name)
        self._store.change(CRAWLER, name, lambda body: {**body, "tags": change(body["tags"])})

    def _refuse_running(self, name: str) -> None:
        if self._runs.state(name) != "READY":
            raise AwsError("CrawlerRunningException", f"Crawler with name {name} is running")

    def _body(self, name: str) -> dict[str, Any]:
        found = self._store.get(CRAWLER, name)
        if found is None:
            raise AwsError("EntityNotFoundException", f"Crawler with name {name} does not exist")
        return found.body

    def _page(self, found: list[Document], given: Mapping[str, Any]) -> tuple[list[Document], str | None]:
        limit = given.get("MaxResults", _PAGE)
        return page_of(found, lambda one: one.name, given.get("NextToken"), limit, code=_INVALID)

    def _shown(self, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        crawls, state = self._runs.crawls(name, limit=2), self._runs.state(name)
        last = next((one for one in crawls if one.body["State"] != "RUNNING"), None)
        since = crawls[0].body["StartTime"] if state != "READY" and crawls else time.time()
        return {
            **{one: body["said"][one] for one in _SAID if one in body["said"]},
            "Name": name,
            "Classifiers": [],
            "State": state,
            "CrawlElapsedTime": int(1000 * (time.time() - since)),
            "CreationTime": body["created"],
            "LastUpdated": body["updated"],
            "LastCrawl": last and _last_shown(name, last),
            "Version": body["version"],
        }

    def _measured(self, name: str) -> dict[str, Any]:
        found = self._runs.crawls(name)
        ended = [one.body for one in found if "EndTime" in one.body]
        seconds = [one["EndTime"] - one["StartTime"] for one in ended]
        counts = [sum(len(one["Summary"].get("TABLE", {}).get(change, ())) for one in ended) for change in _CHANGES]
        return {
            "CrawlerName": name,
            "TimeLeftSeconds": 0.0,
            "StillEstimating": len(found) > len(ended),
            "LastRuntimeSeconds": seconds[0] if seconds else 0.0,
            "MedianRuntimeSeconds": statistics.median(seconds) if seconds else 0.0,
            **dict(zip(("TablesCreated", "TablesUpdated", "TablesDeleted"), counts, strict=True)),
        }


_CHANGES = ("ADD", "UPDATE", "DELETE")


def _named(given: Mapping[str, Any]) -> str:
    """Return the crawler that an ARN means."""
    place, _, name = given["ResourceArn"].partition(":crawler/")
    if not name or not place.startswith("arn:aws:glue:") or not place.endswith(f":{ACCOUNT}"):
        raise AwsError(
            "NotImplemented", f"Tags of {given['ResourceArn']} are not served by the box; crawlers' are.", 501
        )
    return str(name)


def _last_shown(name: str, crawl: Document) -> dict[str, Any]:
    return {
        "Status": _AS_LAST[crawl.body["State"]],
        "ErrorMessage": crawl.body["ErrorMessage"] or None,
        "LogGroup": _LOG_GROUP,
        "LogStream": name,
        "MessagePrefix": crawl.name,
        "StartTime": crawl.body["StartTime"],
    }


def _crawl_shown(name: str, crawl: Document) -> dict[str, Any]:
    body = crawl.body
    summary = {
        kind: {change: {"Details": {"names": names}, "Count": len(names)} for change, names in changes.items()}
        for kind, changes in body.get("Summary", {}).items()
    }
    return {
        "CrawlId": crawl.name,
        "State": body["State"],
        "StartTime": body["StartTime"],
        "EndTime": body.get("EndTime"),
        "Summary": json.dumps(summary),
        "ErrorMessage": body.get("ErrorMessage") or None,
        "LogGroup": _LOG_GROUP,
        "LogStream": name,
        "MessagePrefix": crawl.name,
        "DPUHour": 0.0,
    }
