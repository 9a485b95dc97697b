"""A folder of pages: names of files, addresses between pages, scripts without modules, and a folder that is whole."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from datetime import UTC, datetime

import pytest
from headwater.errors import InputError
from headwater_catalog.pages._addresses import ADDRESSES, link
from headwater_catalog.pages._bundle import bundled
from headwater_catalog.pages._kept_addresses import FolderAddresses, file_name
from headwater_catalog.pages._render import HERE
from headwater_catalog.pages._whole import whole_folder
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
KNOWN = {"curated.a": frozenset({"x", "Ü b"}), "../evil": frozenset(), "term:State": frozenset()}
MARK = ".mark"


@given(st.text(), st.text())
def test_every_text_has_a_file_of_its_own(one, other):
    """Nothing leaves its folder, no two share a file, and none differ by case alone."""
    name = file_name(one)

    assert re.fullmatch(r"[a-z0-9_~.-]{1,100}", name)
    assert not name.startswith(".")
    assert not name.endswith(".")
    assert (name == file_name(other)) == (one == other)


@pytest.mark.parametrize("name", ["con", "nul.txt", "com1", ".", "..", "", "A", "a.", "ends~0123456789"])
def test_a_name_that_some_disk_refuses_is_written_otherwise(name):
    """Devices, hidden files and capitals get a digest."""
    assert re.search(r"~[0-9a-f]{10}$", file_name(name))
    assert file_name(name) != name


@pytest.mark.parametrize(
    ("page", "given", "address"),
    [
        ("", {}, "../../index.html"),
        ("", {"tag": "a&b"}, "../../index.html?tag=a%26b"),
        ("table", {"name": "curated.a"}, "../../table/curated.a/index.html"),
        ("table", {"name": "../evil"}, f"../../table/{file_name('../evil')}/index.html"),
        ("table", {"name": "curated.gone"}, ""),
        ("lineage", {"name": "curated.a", "column": "Ü b"}, "../../table/curated.a/lineage.html#%C3%9C%20b"),
        ("lineage", {"name": "curated.a", "as_of": "1"}, ""),
        ("column", {"name": "curated.a", "column": "x"}, "../../table/curated.a/column/x.html"),
        ("column", {"name": "curated.a", "column": "y"}, ""),
        ("impact", {"name": "curated.a"}, "../../table/curated.a/impact.html"),
        ("impact", {"name": "curated.a", "column": "x"}, "../../table/curated.a/impact/x.html"),
        ("health", {"want": "breaking a check"}, f"../../health-{file_name('breaking a check')}.html"),
        ("term", {"name": "State"}, f"../../term/{file_name('State')}.html"),
        ("term", {"name": "None"}, ""),
        ("run", {"run": "1"}, ""),
        ("edit", {"name": "curated.a"}, ""),
        ("login", {}, ""),
    ],
)
def test_addresses_lead_from_page_to_page(page, given, address):
    """Each is relative; what has no page in a folder has no address."""
    before = ADDRESSES.set(FolderAddresses(KNOWN, frozenset({"breaking a check"}), NOW, "table/curated.a/index.html"))
    try:
        assert link(page, **given) == address
    finally:
        ADDRESSES.reset(before)


def test_modules_become_one_script():
    """The graph's modules run as one script, with the folder's answers in place of the catalog's."""
    modules = {one.stem: one.read_text() for one in (HERE / "static/graph").glob("*.js")}
    kept = (HERE / "kept/asked.js").read_text()
    names = re.compile(r"^export (?:async )?(?:const|function|class) (\w+)", re.MULTILINE)
    made = bundled({**modules, "asked": kept}, "page")

    assert set(names.findall(kept)) == set(names.findall(modules["asked"]))
    assert not re.search(r"^\s*(import|export)\b", made, re.MULTILINE)
    assert "/api/v1/" not in made
    assert all(made.count(f"const module_{name} = ") == 1 for name in modules)
    with pytest.raises(ValueError, match="Module a imports or exports in another form"):
        bundled({"a": "export default 1;"}, "a")


@pytest.mark.skipif(shutil.which("node") is None, reason="No node here; the browser's tests run the script, too.")
def test_the_script_can_be_read(tmp_path):
    """It is JavaScript."""
    modules = {one.stem: one.read_text() for one in (HERE / "static/graph").glob("*.js")}
    (tmp_path / "a.js").write_text(bundled({**modules, "asked": (HERE / "kept/asked.js").read_text()}, "page"))
    subprocess.run(["node", "--check", tmp_path / "a.js"], check=True)


def test_a_folder_is_there_whole(tmp_path):
    """A new one, an empty one and a former one are taken; what a former one held is gone."""
    target = tmp_path / "new" / "pages"
    for name in ("a", "b"):
        with whole_folder(target, MARK) as folder:
            (folder / name).write_text(name)
            assert not (target / name).exists()
        assert sorted(one.name for one in target.iterdir()) == [MARK, name]
    assert [one.name for one in target.parent.iterdir()] == ["pages"]


def test_a_failure_leaves_all_as_it_was(tmp_path):
    """Whatever goes wrong meanwhile, the former pages stay, and nothing half lies beside them."""
    with whole_folder(tmp_path / "pages", MARK) as folder:
        (folder / "a").write_text("a")

    def fail(error: BaseException) -> None:
        with whole_folder(tmp_path / "pages", MARK) as folder:
            (folder / "b").write_text("b")
            raise error

    for error in (RuntimeError("away"), KeyboardInterrupt(), OSError(28, "No space left on device")):
        with pytest.raises((RuntimeError, KeyboardInterrupt, InputError), match="away|No space left on device|^$"):
            fail(error)
        assert (tmp_path / "pages" / "a").read_text() == "a"
        assert [one.name for one in tmp_path.iterdir()] == ["pages"]


def test_what_a_killed_export_left_is_cleared_away(tmp_path):
    """It does not come into the next one."""
    (tmp_path / ".pages.part" / "old").mkdir(parents=True)
    with whole_folder(tmp_path / "pages", MARK) as folder:
        assert list(folder.iterdir()) == []
    assert [one.name for one in tmp_path.iterdir()] == ["pages"]


def test_an_exchange_that_was_killed_is_taken_back(tmp_path):
    """Between two names the former pages have neither; the next export puts them back before it makes others."""
    with whole_folder(tmp_path / "pages", MARK) as folder:
        (folder / "a").write_text("a")
    (tmp_path / "pages").rename(tmp_path / ".pages.former")

    with whole_folder(tmp_path / "pages", MARK) as folder:
        assert (tmp_path / "pages" / "a").read_text() == "a"
        (folder / "b").write_text("b")
    assert sorted(one.name for one in (tmp_path / "pages").iterdir()) == [MARK, "b"]
    assert [one.name for one in tmp_path.iterdir()] == ["pages"]


def test_what_is_another_s_is_left_alone(tmp_path):
    """A folder with other things in it, a file, a link: refused, and nothing in them changes."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("mine", "file", "link"):
        with pytest.raises(InputError, match="is something else already"), whole_folder(tmp_path / name, MARK):
            pytest.fail("nothing may be made")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "x"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file", "link", "mine"]


def test_two_at_once_do_not_mix(tmp_path):
    """The second says that the first is under way, and takes nothing from it."""
    with whole_folder(tmp_path / "pages", MARK) as folder:
        (folder / "a").write_text("a")
        with pytest.raises(InputError, match="is under way"), whole_folder(tmp_path / "pages", MARK):
            pytest.fail("nothing may be made")
        assert (folder / "a").exists()
        held = os.open(folder, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(held)
    assert (tmp_path / "pages" / "a").read_text() == "a"
