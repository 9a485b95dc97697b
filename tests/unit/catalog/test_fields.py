"""What a sent form means: only what was changed in it."""

from headwater_catalog.pages._fields import change_of, described, term_fields
from headwater_catalog.store import Change


def table(**more):
    """Return a table as the store tells it, its owner said by its definition."""
    return {
        "name": "curated.t", "title": "", "defined": True, "place": "tables/t.py:3", "owner": "team:code", "doc": "",
        "domain": "", "columns": [], "said": {"owner": {"from": "code"}},
        "labels": [{"tag": "hot", "from": "code"}, {"tag": "cold", "from": "hand", "who": "alice"}],
        "terms": [{"term": "Loan"}, {"term": "Age of a loan"}], **more,
    }  # fmt: skip


def test_a_form_that_is_sent_as_it_came_changes_nothing():
    """Every field is compared with what it was."""
    fields = described(table(), "", {})["fields"]
    sent = {f"{one['what']}{end}": one[key] for one in fields for end, key in (("", "value"), ("_before", "before"))}

    assert sent["term"] == "Loan, Age of a loan"
    assert change_of(sent) == Change()


def test_what_was_changed_and_nothing_else():
    """A text that differs, and what was written into or taken out of a list."""
    sent = {
        "owner": "team:b", "owner_before": "team:a", "doc": "Same.", "doc_before": "Same.",
        "tag": "pii ,  new one,", "tag_before": "pii, old", "term": "", "term_before": "Loan",
    }  # fmt: skip

    assert change_of(sent) == Change(
        texts={"owner": "team:b"}, add={"tag": ("new one",)}, remove={"tag": ("old",), "term": ("Loan",)}
    )


def test_what_code_says_has_no_field():
    """It is shown with the file in which to change it; tags of code stand beside those by hand."""
    fields = {one["what"]: one for one in described(table(), "", {})["fields"]}

    assert fields["owner"]["locked"] == "tables/t.py:3"
    assert not fields["doc"]["locked"]
    assert fields["tag"]["value"] == "cold"
    assert [one["tag"] for one in fields["tag"]["labels"]] == ["hot"]


def test_what_was_typed_is_shown_again():
    """After a refusal nobody types twice; what it was before stays what it was."""
    fields = {one["what"]: one for one in term_fields({}, {"title": "A,b", "title_before": ""})["fields"]}

    assert (fields["title"]["value"], fields["title"]["before"]) == ("A,b", "")
