"""The nightly upkeep: when it runs, and what one table's failure means."""

from __future__ import annotations

from typing import Any

import pytest
from dagster import DefaultScheduleStatus
from headwater.credentials import ensure_credentials
from headwater.errors import ConfigError, QueryError
from headwater.keep import Keep
from headwater.profile import Profile
from headwater.table import TableName
from headwater.write import Maintained, Upkeep
from headwater_assets.lib.maintenance import chosen
from headwater_assets.lib.upkeep_job import upkeep_job, upkeep_schedules


def test_the_lake_is_maintained_every_night_unless_it_is_switched_off(tmp_path):
    """The schedule is on from the start, at the time of the setting; a line that is none is refused by its name."""

    def scheduled(when: str) -> list[Any]:
        profile = Profile.load({"HEADWATER_MAINTAIN": when}, HEADWATER_PROJECT=str(tmp_path))
        return upkeep_schedules(profile, upkeep_job())

    (usual,) = scheduled("")
    assert (usual.cron_schedule, usual.default_status) == ("30 3 * * *", DefaultScheduleStatus.RUNNING)
    assert [one.cron_schedule for one in scheduled("0 1 * * 0")] == ["0 1 * * 0"]
    assert scheduled("off") == []
    with pytest.raises(ConfigError, match="HEADWATER_MAINTAIN is 'nightly'; give a cron line"):
        scheduled("nightly")


def test_an_upkeep_that_fails_stops_no_other_and_fails_the_job(tmp_path, monkeypatch):
    """Each table's sentence is in the failure; the others were maintained."""
    (tmp_path / "headwater.toml").write_text('[project]\nname = "own"\n')
    names = [TableName("curated", name) for name in ("bad", "good")]
    found = [Upkeep(name=name, home=name, keep=Keep()) for name in names]
    done = []

    def one(upkeep: Upkeep, *_: Any, **__: Any) -> Maintained:
        if upkeep.name.name == "bad":
            raise QueryError("The engine is away.")
        done.append(upkeep.name)
        return Maintained(table=upkeep.name, files=(1, 1), bytes=(1, 1))

    monkeypatch.setenv("HEADWATER_PROJECT", str(tmp_path))
    monkeypatch.setenv("HEADWATER_PORT", "33700")
    ensure_credentials(Profile.load().home)
    monkeypatch.setattr("headwater.write.upkeeps", lambda *_: found)
    monkeypatch.setattr("headwater.write.maintain", one)
    result = upkeep_job().execute_in_process(raise_on_error=False)

    assert not result.success
    assert done == names[1:]
    (failure,) = [event for event in result.all_events if event.event_type_value == "STEP_FAILURE"]
    assert "curated.bad was not maintained. The engine is away." in str(failure.event_specific_data)


def test_by_default_what_was_made_by_hand_is_left_alone():
    """Declared tables and the raw zone are chosen; patterns choose among these, and a full name means any table."""
    names = {"curated.ours": True, "curated.theirs": False, "raw.ingested": False}
    found = [
        Upkeep(name=name, home=name, keep=Keep(), declared=declared)
        for text, declared in names.items()
        if (name := TableName.parse(text))
    ]

    def meant(*patterns: str) -> list[str]:
        return [str(one.name) for one in chosen(found, patterns)]

    assert meant() == ["curated.ours", "raw.ingested"]
    assert meant("curated.*") == ["curated.ours"]
    assert meant("curated.theirs", "raw.*") == ["curated.theirs", "raw.ingested"]
    with pytest.raises(
        ConfigError, match=r"no table 'curated\.none' to maintain; there are curated\.ours, raw\.ingested"
    ):
        meant("curated.none")
