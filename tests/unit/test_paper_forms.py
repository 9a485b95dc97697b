"""How the stand-in for a cluster's API reads selectors and patches."""

from __future__ import annotations

import pytest
from paper_forms import chosen, patched

POD = {"metadata": {"name": "one", "labels": {"app": "web", "number": "2"}}, "status": {"phase": "Pending"}}


@pytest.mark.parametrize(
    ("selector", "wanted"),
    [
        ("", True),
        ("app=web", True),
        ("app==web,number=2", True),
        ("app=web,number=3", False),
        ("app!=web", False),
        ("number in (1, 2),app=web", True),
        ("number notin (1,2)", False),
        ("app", True),
        ("!app", False),
        ("!other,app=web", True),
        ("other=x", False),
    ],
)
def test_a_selector_chooses_by_labels(selector, wanted):
    """Every requirement counts; a list in brackets is one of them."""
    assert chosen(POD, {"labelSelector": selector}) == wanted


def test_a_field_chooses_by_name():
    """As watches of one object do."""
    assert chosen(POD, {"fieldSelector": "metadata.name=one"})
    assert not chosen(POD, {"fieldSelector": "metadata.name=two"})


def test_a_patch_is_merged_or_done_step_by_step():
    """Null removes; a step may name a key with a slash; the object itself is left alone."""
    assert patched(POD, {"status": {"phase": "Running"}})["status"] == {"phase": "Running"}
    assert patched(POD, {"metadata": {"labels": {"app": None}}})["metadata"]["labels"] == {"number": "2"}
    steps = [
        {"op": "add", "path": "/metadata/labels/a~1b", "value": "x"},
        {"op": "remove", "path": "/metadata/labels/app"},
        {"op": "replace", "path": "/status/phase", "value": "Running"},
    ]
    made = patched(POD, steps)

    assert made["metadata"]["labels"] == {"a/b": "x", "number": "2"}
    assert made["status"] == {"phase": "Running"}
    assert POD["status"] == {"phase": "Pending"}


def test_a_step_into_a_list_is_refused():
    """Nobody has needed it."""
    with pytest.raises(TypeError, match="in a list"):
        patched({"spec": {"containers": []}}, [{"op": "add", "path": "/spec/containers/0", "value": {}}])
