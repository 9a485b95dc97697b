"""The tools that an assistant is offered, without a box."""

from __future__ import annotations

import asyncio

from headwater.credentials import ensure_credentials
from headwater.profile import Profile
from headwater_catalog.assistant import make_server
from mcp import Client


def _asked(profile, work):
    async def connected():
        async with Client(make_server(profile)) as client:
            return await work(client)

    return asyncio.run(connected())


def test_every_tool_says_what_it_is_for(tmp_path):
    """An assistant chooses by description; every parameter has a type."""
    profile = Profile.load({"HEADWATER_PROJECT": str(tmp_path)})
    tools = _asked(profile, lambda client: client.list_tools()).tools

    assert {one.name for one in tools} == {"search", "describe", "lineage", "impact", "explain", "history", "sql"}
    for one in tools:
        assert one.description
        for name, given in one.input_schema["properties"].items():
            assert given.get("type") or given.get("enum"), (one.name, name)


def test_a_stopped_box_is_one_sentence(tmp_path):
    """The assistant can tell its person what to do."""
    (tmp_path / "headwater.toml").write_text('[project]\nname = "own"\n')
    profile = Profile.load({"HEADWATER_PROJECT": str(tmp_path)})
    ensure_credentials(profile.home)
    answer = _asked(profile, lambda client: client.call_tool("search", {"text": "loans"}))

    assert answer.is_error
    assert "start it with `headwater up`" in answer.content[0].text
    assert answer.content[0].text.count("\n") == 0
