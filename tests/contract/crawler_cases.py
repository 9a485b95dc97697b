"""What Glue does with crawlers, asked with boto3: the box's, and moto's, which crawls nothing but keeps their state."""

from __future__ import annotations

import pytest
from glue_cases import code_of, names

SAID = {"Role": "arn:aws:iam::000000000000:role/crawler", "DatabaseName": "cases", "TablePrefix": "c_"}


class CrawlerCases:
    """One test each; a subclass gives ``glue`` (a client) and ``place`` (a folder in S3 with nothing in it)."""

    @pytest.fixture
    def crawler(self, glue, place):
        """A crawler of a name of its own, and what it was told; it is deleted at the end."""
        name = place.rpartition("/")[2]
        told = {**SAID, "Name": name, "Targets": {"S3Targets": [{"Path": place, "Exclusions": ["*.tmp"]}]}}
        glue.create_crawler(**told, Tags={"team": name})
        yield told
        self.ended(glue, name)
        glue.delete_crawler(Name=name)

    def ended(self, glue, name):
        """Wait for the end of a crawl; one that never ends need not be waited for."""

    def test_a_crawler_is_what_was_said(self, glue, crawler):
        """And ready, with no crawl behind it."""
        found = glue.get_crawler(Name=crawler["Name"])["Crawler"]
        assert {name: found[name] for name in crawler if name != "Targets"} == {
            name: value for name, value in crawler.items() if name != "Targets"
        }
        assert found["Targets"]["S3Targets"] == crawler["Targets"]["S3Targets"]
        assert (found["State"], found["Version"], "LastCrawl" in found) == ("READY", 1, False)
        assert code_of(glue.create_crawler, **crawler) == "AlreadyExistsException"

    def test_crawlers_are_listed(self, glue, crawler):
        """All, those with a tag, and those that are named."""
        name = crawler["Name"]
        assert name in names(glue.get_crawlers()["Crawlers"])
        assert name in glue.list_crawlers()["CrawlerNames"]
        assert glue.list_crawlers(Tags={"team": name})["CrawlerNames"] == [name]
        several = glue.batch_get_crawlers(CrawlerNames=[name, "none"])
        assert (names(several["Crawlers"]), several["CrawlersNotFound"]) == ([name], ["none"])

    def test_what_is_not_there_is_told(self, glue):
        """By every call that names a crawler."""
        for call in (glue.get_crawler, glue.delete_crawler, glue.start_crawler, glue.stop_crawler):
            assert code_of(call, Name="none") == "EntityNotFoundException"

    def test_a_crawler_that_is_idle_is_not_stopped(self, glue, crawler):
        """Nothing runs."""
        assert code_of(glue.stop_crawler, Name=crawler["Name"]) == "CrawlerNotRunningException"

    def test_a_crawl_is_listed(self, glue, crawler):
        """From its start, with where its log is."""
        glue.start_crawler(Name=crawler["Name"])
        [crawl] = glue.list_crawls(CrawlerName=crawler["Name"])["Crawls"]
        assert crawl["State"] in ("RUNNING", "COMPLETED")
        assert crawl["LogGroup"] == "/aws-glue/crawlers"
        assert crawl["LogStream"] == crawler["Name"]
