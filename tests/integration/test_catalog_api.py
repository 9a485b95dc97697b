"""REST against its own description: whatever fits it or does not is answered as it says, and never with a failure."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import requests
import schemathesis
from catalog_site import Site
from headwater_catalog.service.openapi import described
from hypothesis import HealthCheck, Phase, given, settings
from lineage_events import body, event, facet, new_run, spark_table, trino_table
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

pytestmark = pytest.mark.box

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
API = described("1")
OPERATIONS = [(path, method) for path, methods in API["paths"].items() for method in methods]
# What these take, others' specifications say.
OF_OTHERS = [("/api/v1/queries", "post"), ("/api/v1/lineage", "post")]
# Who asks this gives nothing, so nothing can be wrong with it.
WITHOUT = ("/api/v1/user", "get")
STATE = "curated.loan_state"
KNOWN = {
    "name": [STATE, "partitioned.loan_origination", "chart:average_credit_score", "files:data/loans", "Age of a loan"],
    "column": ["", "average_credit_score", "credit_score"],
    "partition": ["", "2019"],
    "q": ["loan", "credit scor"],
    "run": [new_run()],
}


@pytest.fixture(scope="module")
def site(box) -> Site:
    """The test box's catalog with the loans, runs of them, and a term."""
    made, deadline = Site(box), time.monotonic() + 90
    while made.get("/api/v1/table", name=STATE).status_code == 404 and time.monotonic() < deadline:
        time.sleep(0.3)
    output = trino_table(STATE)
    output["facets"]["headwater_shape"] = facet(partitions=[{"key": "2019", "rows": 2, "bytes": 10, "files": 1}])
    output["outputFacets"] = {
        "dataQualityAssertions": facet(assertions=[{"assertion": "unique", "success": False, "column": "state"}]),
        "outputStatistics": facet(rowCount=2, size=10),
    }
    run = event("COMPLETE", KNOWN["run"][0], inputs=[spark_table("partitioned.loan_origination")], outputs=[output])
    made.send(run)
    return made


@pytest.fixture(scope="module")
def session(box) -> requests.Session:
    """Asks with the box's token."""
    with requests.Session() as made:
        made.trust_env = False
        made.headers["Authorization"] = f"Bearer {box.credentials.password('catalog')}"
        yield made


def test_the_description_is_served(site):
    """As it stands in the code, with the version that runs, to whoever asks."""
    served = site.get("/api/v1/openapi.json").json()

    assert served.pop("info")["version"]
    assert served == {key: value for key, value in json.loads(json.dumps(API)).items() if key != "info"}
    assert {("/api/v1/lineage", "post"), ("/api/v1/impact", "get"), ("/api/v1/table", "patch")} <= set(OPERATIONS)


@pytest.mark.parametrize(("path", "method", "fits"), [
    *((*one, True) for one in OPERATIONS), *((*one, False) for one in OPERATIONS if one != WITHOUT),
])  # fmt: skip
def test_whatever_is_asked_is_answered_as_described(site, session, path, method, fits):
    """Values of every kind, fitting and not: no failure, and status, type and shape of the answer are the described."""
    schema = schemathesis.openapi.from_dict(API)
    schema.config.update(base_url=site.url)
    mode = GenerationMode.POSITIVE if fits else GenerationMode.NEGATIVE
    operation = schema[path][method.upper()]

    @settings(
        max_examples=12, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode))
    def answered(case: Any) -> None:
        case.call_and_validate(session=session, checks=CHECKS, timeout=60)

    answered()


@pytest.mark.parametrize("path", [path for path, method in OPERATIONS if method == "get"])
def test_answers_of_the_demo_look_as_described(site, session, path):
    """What is known of real tables, columns, charts and runs has the very shape that is promised, one by one."""
    schema = schemathesis.openapi.from_dict(API)
    schema.config.update(base_url=site.url)
    operation = schema[path]["GET"]
    # It asks Trino, which need not be there.
    checks = [one for one in CHECKS if path != "/api/v1/sample" or one is not not_a_server_error]
    takes = [one["name"] for one in API["paths"][path]["get"]["parameters"]]
    seen = set()
    for name in KNOWN["name"] if "name" in takes else [""]:
        for column in KNOWN["column"]:
            asked = {"name": name, "column": column, "q": "loan", "run": KNOWN["run"][0], "neighbours": "true"}
            case = operation.Case(query={key: asked[key] for key in takes if key in asked})
            seen.add(case.call_and_validate(session=session, checks=checks, timeout=60).status_code)
    assert 200 in seen or (path == "/api/v1/sample" and 503 in seen) or path == "/api/v1/term"


@pytest.mark.parametrize(("path", "method"), [one for one in OPERATIONS if one not in OF_OTHERS])
def test_what_is_not_described_is_not_taken(site, session, path, method):
    """A parameter that the description does not name is refused by its name; so what it names is all there is."""
    sent = {"params": {"surprise": "1"}} if method in ("get", "delete") else {"json": {"surprise": "1"}}
    answer = session.request(method, site.url + path, timeout=60, **sent)

    assert answer.status_code == 400
    assert answer.json()["error"].startswith("There is no parameter 'surprise'; there ")
    described_names = API["paths"][path][method].get("parameters", [])
    assert all(one["name"] in answer.json()["error"] for one in described_names)


def test_events_that_fit_and_events_that_do_not(site, session):
    """The endpoint's own statuses are those that it promises."""
    promised = API["paths"]["/api/v1/lineage"]["post"]["responses"]
    one = body(event("COMPLETE", new_run(), outputs=[trino_table("curated.api")]))
    url = f"{site.url}/api/v1/lineage"
    found = [session.post(url, data=sent, timeout=60).status_code for sent in (one, one, b"{}", b"\xff")]

    assert found == [201, 200, 422, 422]
    assert {*map(str, found)} <= set(promised)
    assert requests.post(url, data=one, timeout=60, proxies={"no_proxy": "127.0.0.1"}).status_code == 401
