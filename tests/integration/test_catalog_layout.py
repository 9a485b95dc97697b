"""The catalog's pages on a phone and on a screen: what fits, what can be read, and where the keyboard is."""

from __future__ import annotations

import re
import uuid

import pytest
from catalog_site import Site, keep, knowing, looking, settled
from lineage_events import event, facet, new_run, spark_table

pytestmark = pytest.mark.box

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
VINTAGE, STATE, ORIGINATION = "curated.loan_vintage", "curated.loan_state", "partitioned.loan_origination"
PAGES = (
    ("/", {}),
    ("/", {"q": "credit"}),
    *(
        ("/table", {"name": one})
        for one in (VINTAGE, ORIGINATION, "chart:behind_30_heatmap", "dashboard:loan_portfolio")
    ),
    ("/column", {"name": STATE, "column": "average_credit_score"}),
    ("/lineage", {"name": VINTAGE}),
    ("/impact", {"name": ORIGINATION, "column": "credit_score"}),
    ("/health", {}),
    ("/glossary", {}),
    ("/login", {"next": "/health"}),
)


@pytest.fixture(scope="module")
def site(box) -> Site:
    """The test box's catalog, once it knows the project's definitions."""
    return knowing(box, VINTAGE)


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_readable_on_a_phone_by_day_and_by_night(site, colours):
    """No page is wider than a phone, and words stand out from their ground in both sets of colours."""
    filled = ("/table", {"name": _filled(site)})
    with looking(color_scheme=colours, **PHONE) as page:
        page.on("console", lambda _: None)
        for at, (path, given) in enumerate((*PAGES, filled)):
            page.goto(site.at(path, **given))
            if path == "/lineage":
                settled(page)
            # Of the phone: what a page calls the window's width grows with what does not fit.
            wide = page.evaluate("() => document.documentElement.scrollWidth") - PHONE["viewport"]["width"]
            worst = page.evaluate(_CONTRAST)
            keep(page, f"phone_{colours}_{at}")

            assert wide <= 0, path
            assert worst["ratio"] >= 4.5, (path, worst)


def _filled(site: Site) -> str:
    """A table of many columns that was written: with rows, a snapshot, and what each column holds."""
    name = f"curated.filled_{uuid.uuid4().hex[:6]}"
    types = {f"original_combined_loan_to_value_{at:02}": "decimal(18,2)" for at in range(30)}
    held = {"kind": "number", "nullCount": 12, "count": 123456, "distinctCount": 2345, "distinctAtMost": 23456,
            "min": 300.25, "max": 1234567.75,
            "histogram": {"exponent": 0, "bins": [[at, at] for at in range(1, 20)]}}  # fmt: skip
    whole = spark_table(name, snapshot="8123456789012345678")
    described = [{"name": one, "type": kind, "description": "What was still owed. " * 3} for one, kind in types.items()]
    whole["facets"]["schema"] = facet(fields=described)
    partition = {"key": "2019", "columns": dict.fromkeys(types, held)}
    whole["outputFacets"] = {
        "headwater_profile": facet(partitions=[partition]),
        "outputStatistics": facet(rowCount=123456, size=9876543),
    }
    site.send(
        event("COMPLETE", new_run(), outputs=[whole], job="partitioned/loan_origination_of_a_year_and_its_quarters")
    )
    return name


def test_nothing_of_a_table_is_hidden_on_a_screen(site):
    """At 1440 pixels its columns and runs fit; where they cannot, a shadow says that there is more."""
    with looking(viewport={"width": 1440, "height": 1000}) as page:
        page.goto(site.at("/table", name=_filled(site)))
        hidden = page.evaluate(_HIDDEN)
        keep(page, "filled")
        page.set_viewport_size({"width": 800, "height": 1000})
        narrow = page.evaluate(_HIDDEN)
        shadows = page.evaluate("() => getComputedStyle(document.querySelector('.wide')).backgroundAttachment")
        keep(page, "filled_narrow")

    assert hidden == {"columns": 0, "runs": 0}
    assert narrow["columns"] > 0
    assert shadows == "local, local, scroll, scroll"


# How many pixels of a section's list lie outside of it.
_HIDDEN = """() => Object.fromEntries(['columns', 'runs'].map(one => {
  const wide = document.querySelector(`section[aria-labelledby=${one}] .wide`);
  return [one, wide.scrollWidth - wide.clientWidth];
}))"""


def test_the_keyboard_keeps_its_place_in_the_graph(site):
    """Who expands a table and hides it again is still at its button, and nothing lies over what is drawn."""
    with looking() as page:
        page.goto(site.at("/lineage", name=STATE))
        settled(page)
        button = page.get_by_role("button", name="it is made from: partitioned.loan_origination")
        button.focus()
        for after in ("Hide what", "Show 1 more of what"):
            page.keyboard.press("Enter")
            page.wait_for_selector(f"[aria-label^='{after} it is made from: partitioned.loan_origination']")
            settled(page)
            focused = page.evaluate("() => document.activeElement.getAttribute('aria-label')")
            assert focused == f"{after} it is made from: partitioned.loan_origination"
        over = page.evaluate(_OVER)
        said = page.locator("[data-status]").inner_text()

    assert over <= 0
    assert re.match(r"\d+ tables, \d+ charts?, 1 dashboard; \d+ edges", said), said


_OVER = """() => document.querySelector('#graph .canvas').getBoundingClientRect().bottom
  - Math.min(...['.status', '.key'].map(one => document.querySelector(`#graph ${one}`).getBoundingClientRect().top))"""


def test_charts_are_called_and_counted_as_charts(site):
    """On the table that they show, and in what a search finds."""
    with looking() as page:
        page.goto(site.at("/table", name=VINTAGE))
        assert "Worst vintage so far" in page.locator("section[aria-labelledby=lineage]").inner_text()
        assert "chart:" not in page.locator("main").inner_text()
        page.goto(site.at("/", q="vintage"))
        kinds = page.locator(".hit .chip").all_inner_texts()
        told = page.locator(".count").inner_text()
        gaps = page.evaluate(_GAPS)
        page.goto(site.at("/", q="orignation"))
        marks = page.locator(".hit mark").all_inner_texts()

    assert kinds.count("chart") > 1
    assert f"{kinds.count('chart')} charts" in told
    assert min(gaps) >= 4
    assert "origination" in marks


_GAPS = """() => [...document.querySelectorAll('.hit .meta')].flatMap(one => [...one.children].slice(1).map(
  (next, at) => next.getBoundingClientRect().left - one.children[at].getBoundingClientRect().right))"""


# The least contrast of any text to what is behind it, by WCAG's formula.
_CONTRAST = """() => {
  const channel = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const ground = one => {
    for (let at = one; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] > 0.99) return colour;
    }
    return [255, 255, 255];
  };
  let worst = { ratio: 21 };
  for (const one of document.querySelectorAll('body *')) {
    if (one.closest('svg, .hidden') || !one.getClientRects().length) continue;
    if (![...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())) continue;
    const [a, b] = [light(parse(getComputedStyle(one).color)), light(ground(one))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < worst.ratio) worst = { ratio, text: one.textContent.trim().slice(0, 40), kind: one.className };
  }
  return worst;
}"""
