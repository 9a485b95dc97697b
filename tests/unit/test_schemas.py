"""How far stored data are: told from a version alone, and in one sentence when it is not this release's to touch."""

from __future__ import annotations

import shutil

import pytest
from headwater.box.component import Box, Schema
from headwater.box.components.metastore import metastore_schema
from headwater.box.components.postgres import PostgresComponent, cluster
from headwater.box.components.revisions import alembic_schema
from headwater.box.migration import migrate
from headwater.box.unfinished import Unfinished, require_finished, take_note, unfinished
from headwater.box.upgrade import Keeper
from headwater.credentials import ensure_credentials
from headwater.errors import ComponentError
from headwater.profile import Profile
from headwater_catalog.store import migrations_ahead

STEPS = [("2.3.0", "3.0.0"), ("3.0.0", "3.1.0")]


@pytest.fixture
def box(tmp_path):
    """A box that was never started."""
    profile = Profile.load({"HEADWATER_PROJECT": str(tmp_path), "HEADWATER_HOME": str(tmp_path / "home")})
    ensure_credentials(profile.home)
    return Box(profile)


@pytest.fixture
def revisions(tmp_path):
    """Alembic's files of three revisions: one, two beside each other, and one that joins them."""
    for name, before in (("a", "None"), ("b", '"a"'), ("c", "'a'"), ("d", '("b", "c")')):
        text = f'"""Revision."""\nfrom x import op\n\n# identifiers\nrevision = "{name}"\ndown_revision = {before}\n'
        (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "e.py").write_text('revision: str = "e"  # last\ndown_revision: str | None = "d"\n')
    (tmp_path / "__init__.py").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("found", "newer"), [("", False), ("2.3.0", False), ("3.1.0", False), ("4.0.0", True), ("x", True)]
)
def test_a_metastore_is_told_by_its_version(found, newer):
    """What this release's scripts lead from, and nothing else."""
    schema = metastore_schema(found, STEPS)

    assert (schema.found, schema.wanted) == (found, "3.1.0")
    assert schema.obstacle.startswith("The metastore's database was made by a newer Headwater") is newer


def test_revisions_are_read_without_importing_them(revisions):
    """The last is the one that no other follows; one that is not among them is a newer release's."""
    assert alembic_schema(revisions, ["c", "b"], whose="X") == Schema("b,c", "e")
    assert alembic_schema(revisions, [], whose="X") == Schema("", "e")
    assert alembic_schema(revisions, ["z"], whose="X").obstacle == (
        "X's database was made by a newer Headwater: it has revision z, which this release does not know. "
        "Nothing was changed; start that one."
    )
    with pytest.raises(ComponentError, match="holds no revisions of X's tables"):
        alembic_schema(revisions / "none", ["a"], whose="X")


def test_a_catalog_is_told_by_its_migrations():
    """One that misses an earlier one is not at the last."""
    every = {"0001_catalog.sql", "0002_pages.sql", "0003_charts.sql"}
    last = migrations_ahead(()).wanted

    assert migrations_ahead(every).found.startswith("0003_charts.sql without 0004")
    assert migrations_ahead({last}).found != last
    assert "9999_later.sql" in migrations_ahead({*every, "9999_later.sql"}).obstacle


def test_another_major_of_postgresql_is_refused_before_it_is_touched(box):
    """By the migration that would hand its files over."""
    cluster(box).mkdir()
    (cluster(box) / "PG_VERSION").write_text("16\n")

    with pytest.raises(
        ComponentError, match=r"was made by PostgreSQL 16, and this release has 17, which cannot read it"
    ):
        migrate(PostgresComponent(), box)
    assert [path.name for path in cluster(box).iterdir()] == ["PG_VERSION"]


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (
            "upgrade",
            "was cut off: `headwater upgrade` goes on, `headwater restore b1` goes back to the backup made before",
        ),
        ("restore", r"was cut off: `headwater restore b1` goes on\."),
    ],
)
def test_what_was_cut_off_is_told_until_it_is_finished(tmp_path, command, sentence):
    """With what to do."""
    require_finished(tmp_path)
    take_note(tmp_path, Unfinished(command, "b1"))

    assert unfinished(tmp_path) == Unfinished(command, "b1")
    with pytest.raises(ComponentError, match=sentence):
        require_finished(tmp_path)
    take_note(tmp_path, None)
    require_finished(tmp_path)


def test_a_restore_that_is_run_again_keeps_what_was_there_first(box):
    """Whatever of it was done already: the box's own is set aside once, and the backup's comes in its place."""
    keeper, home = Keeper(box, {}, lambda *_: None), box.profile.home
    (home / "data" / "postgres" / "cluster").mkdir(parents=True)
    (home / "data" / "postgres" / "cluster" / "mine").touch()

    for again in range(3):  # whole; then as if it had been cut off before, and after, the new one came
        new = home / "restoring" / str(again)
        new.mkdir(parents=True)
        (new / "theirs").touch()
        keeper._put(new, "data/postgres/cluster")
        assert [path.name for path in (home / "data" / "postgres" / "cluster").iterdir()] == ["theirs"]
        assert [path.name for path in (home / "replaced" / "data" / "postgres" / "cluster").iterdir()] == ["mine"]
        if again == 0:
            shutil.rmtree(home / "data" / "postgres" / "cluster")
    keeper._put(home / "restoring" / "none", "tls")
    assert not (home / "tls").exists()
