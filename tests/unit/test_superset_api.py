"""What the box adds to Superset's own process."""

import copy
import sys
from types import SimpleNamespace

import pytest
import yaml
from headwater.box.components.superset_api import deeds_logger, kept_connections
from headwater.box.components.superset_api._writing import document, plain_sql


def test_superset_logs_what_people_do_and_not_every_step(monkeypatch):
    """A chart is one line in its log, and one commit."""
    logged = []
    base = type("DBEventLogger", (), {"log_with_context": lambda _, action, **more: logged.append((action, more))})
    monkeypatch.setitem(sys.modules, "superset.utils.log", SimpleNamespace(DBEventLogger=base))
    log = deeds_logger().log_with_context

    steps = ("execute_sql", "load_into_dataframe", "ChartDataRestApi.json_dumps", "_get_data_response")
    for action in (*steps, "ChartDataRestApi.data"):
        log(action, duration=1)

    assert logged == [("ChartDataRestApi.data", {"duration": 1})]


@pytest.mark.parametrize(
    "title", ["a duck \U0001f986", "caf\u00e9", "a\x7f\u2028\n'\"b", "", "yes", "2019-01-01", ": - #"]
)
def test_superset_reads_every_text_as_it_was_written(title):
    """It reads YAML and writes UTF-8."""
    read = yaml.safe_load(document({"title": title, "params": {"nested": [title, 1, None, True]}}))

    assert read == {"title": title, "params": {"nested": [title, 1, None, True]}}
    assert read["title"].encode() == title.encode()


def test_supersets_queries_of_the_lake_share_their_connections():
    """Each has a session of its own, which trusts the box's authority; closing one closes no connection."""
    mutate = kept_connections()
    lake = {"connect_args": {"source": "superset", "verify": "ca.pem"}}
    uri, first = mutate("trino://", copy.deepcopy(lake), "somebody", None, None)
    second = mutate("trino://", copy.deepcopy(lake), "somebody", None, None)[1]["connect_args"]["http_session"]
    session = first["connect_args"]["http_session"]
    adapter = session.get_adapter("https://")
    pool = adapter.poolmanager.connection_from_url("https://127.0.0.1:1")
    session.close()

    assert (uri, session.verify, session.trust_env) == ("trino://", "ca.pem", False)
    assert session is not second
    assert second.get_adapter("https://") is adapter
    assert adapter.poolmanager.connection_from_url("https://127.0.0.1:1") is pool
    assert mutate("postgresql://", {}, None, None, None) == ("postgresql://", {})


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [("COUNT(*)", "count( * )", True), ("max(a = 'X')", "max(a = 'x')", False), (None, "", True), ("a", "b", False)],
)
def test_a_shared_metric_is_the_same_however_it_is_written(one, other, same):
    """Superset gives every dataset COUNT(*); only a metric that counts something else stands in the way."""
    assert (plain_sql(one) == plain_sql(other)) is same
