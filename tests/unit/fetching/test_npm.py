"""npm packages: where they lie, npm's own settings, and what is unpacked of them."""

from __future__ import annotations

import base64
import dataclasses
import os

import pytest
import requests
from headwater.box.fetch import fetch
from headwater.box.lockfile import LockedFile, LockedRuntime
from headwater.box.npm import Npm, package_of
from headwater.box.relock import _Resolver
from headwater.box.runtimes import Runtimes
from headwater.errors import ConfigError, FetchError
from packageurl.contrib.purl2url import get_download_url

ASKED = LockedFile("npm", "@scope/drawing@1.0.0", "drawing-1.0.0.tgz", "0" * 64, 1)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A user without any settings of npm's."""
    for name in [one for one in os.environ if one.lower().startswith("npm_config_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NPM_CONFIG_USERCONFIG", str(tmp_path / "npmrc"))
    return tmp_path


def runtime(*files: LockedFile, keep: tuple[str, ...]) -> LockedRuntime:
    """Return a runtime that is made of npm packages."""
    return LockedRuntime("pages", "1", "npm", keep[0], 1, files, options={"keep": list(keep)})


@pytest.mark.parametrize(
    ("coordinate", "package"), [("d3@7.9.2", "d3"), ("@scope/drawing@1.0.0-beta.1", "@scope/drawing")]
)
def test_a_scope_has_an_at_of_its_own(coordinate, package):
    """The version is what follows the last @."""
    assert package_of(coordinate) == (package, coordinate.removeprefix(f"{package}@"))


def test_only_what_is_kept_is_unpacked(registry, settings, shapes, output):
    """Packages lie side by side below their names; a scope is part of the name, the archive's top folder is not."""
    one = registry.put_npm("d3", "1.0.0", shapes.npm_tarball({"dist/a.js": b"a", "src/a.ts": b"no", "LICENSE": b"l"}))
    two = registry.put_npm("@scope/drawing", "2.0.0", shapes.npm_tarball({"b.js": b"b", "bin": b"no"}, top="drawing"))
    lock = shapes.lock_of(runtime(one, two, keep=("d3/dist/a.js", "d3/LICENSE", "@scope/drawing/b.js")))
    fetch(settings, console=output, lock=lock)
    folder = Runtimes(settings.cache, lock).path("pages")

    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found - {".headwater-runtime"} == {"d3/dist/a.js", "d3/LICENSE", "@scope/drawing/b.js"}
    assert (folder / "@scope/drawing/b.js").read_bytes() == b"b"


def test_what_is_kept_must_be_there(registry, settings, shapes, output):
    """A version that has moved its files fails by name, and leaves no runtime behind."""
    file = registry.put_npm("d3", "1.0.0", shapes.npm_tarball({"dist/a.js": b"a"}))
    lock = shapes.lock_of(runtime(file, keep=("d3/dist/a.js", "d3/dist/b.js")))

    with pytest.raises(FetchError, match=r"d3/dist/b\.js is in none of pages's packages"):
        fetch(settings, console=output, lock=lock)
    assert not Runtimes(settings.cache, lock).complete(lock.find("pages"))


def test_another_tarball_is_refused(registry, settings, shapes, output):
    """What does not have the hash of the lock is deleted, with the setting to look at."""
    file = registry.put_npm("d3", "1.0.0", shapes.npm_tarball({"a.js": b"a"}))
    lock = shapes.lock_of(runtime(dataclasses.replace(file, sha256="1" * 64), keep=("d3/a.js",)))

    with pytest.raises(FetchError, match=r"d3-1\.0\.0\.tgz is not what the lock file .* HEADWATER_NPM_MIRROR"):
        fetch(settings, console=output, lock=lock)


def test_the_mirror_wins(home):
    """The mirror that is set for Headwater wins over npm's own settings."""
    (home / "npmrc").write_text("registry=http://file.test/\n@scope:registry=http://scope.test\n")

    assert Npm("http://mine.test/npm/").url(ASKED) == "http://mine.test/npm/@scope/drawing/-/drawing-1.0.0.tgz"


def test_npms_own_registry(home, monkeypatch):
    """A variable wins over the file, a scope's registry over the general one; without any it is the library's."""
    plain = dataclasses.replace(ASKED, coordinate="d3@1.0.0", name="d3-1.0.0.tgz")
    assert Npm(None).url(plain) == get_download_url("pkg:npm/d3@1.0.0")

    (home / "npmrc").write_text('; mine\nregistry = "http://file.test/npm/"\n@scope:registry=http://scope.test\n')
    assert Npm(None).url(plain) == "http://file.test/npm/d3/-/d3-1.0.0.tgz"
    assert Npm(None).url(ASKED) == "http://scope.test/@scope/drawing/-/drawing-1.0.0.tgz"

    monkeypatch.setenv("npm_config_registry", "http://variable.test")
    assert Npm(None).url(plain) == "http://variable.test/d3/-/d3-1.0.0.tgz"


def test_a_login_goes_to_its_registry_alone(home, monkeypatch):
    """Tokens of the settings, variables in them filled in, are shown where they belong, and nowhere else."""
    monkeypatch.setenv("NPM_TOKEN", "t0ken")
    (home / "npmrc").write_text(
        "//one.test/npm/:_authToken=${NPM_TOKEN}\n//one.test/npm/private/:_auth=dTpw\n//two.test/:_authToken=other\n"
    )
    session = Npm("http://one.test/npm").session

    def sent(url: str) -> str | None:
        return session.prepare_request(requests.Request("GET", url)).headers.get("Authorization")

    assert sent("http://one.test/npm/d3/-/d3-1.0.0.tgz") == "Bearer t0ken"
    assert sent("http://one.test/npm/private/x") == "Basic dTpw"
    assert sent("http://one.test/elsewhere") is None
    assert sent("http://three.test/npm/x") is None


def test_npms_certificates_and_proxy(home):
    """`cafile` and the proxies count as they do for npm."""
    (home / "npmrc").write_text("https-proxy=http://proxy.test:1\n")
    assert Npm(None).session.proxies["https"] == "http://proxy.test:1"

    (home / "npmrc").write_text("cafile=/corp/ca.pem\n")
    with pytest.raises(ConfigError, match=r"/corp/ca\.pem"):
        Npm(None)


def test_settings_that_cannot_be_read(home):
    """A broken file is named."""
    (home / "npmrc").write_bytes(b"registry=\xff\xfe\n")

    with pytest.raises(ConfigError, match=r"npmrc cannot be read .* HEADWATER_NPM_MIRROR"):
        Npm(None)


def test_locking_compares_with_what_the_registry_says(registry, settings, shapes, progress):
    """The lock takes the sha256 of the tarball whose published hash fits, and no other."""
    file = registry.put_npm("@scope/drawing", "1.0.0", shapes.npm_tarball({"a.js": b"a"}))
    resolver = _Resolver(settings, progress, {})

    assert resolver._package("@scope/drawing@1.0.0") == file

    wrong = base64.b64encode(b"0" * 64)
    listed = registry.files["/npm/@scope%2Fdrawing"]
    registry.files["/npm/@scope%2Fdrawing"] = listed[: listed.index(b"sha512-") + 7] + wrong + b'"}}}}'
    with pytest.raises(FetchError, match=r"drawing-1\.0\.0\.tgz differs from what its registry says"):
        resolver._package("@scope/drawing@1.0.0")


def test_a_version_that_is_not_there(registry, settings, shapes):
    """An unknown version or package is one sentence."""
    registry.put_npm("d3", "1.0.0", shapes.npm_tarball({"a.js": b"a"}))
    npm = Npm(settings.npm_mirror)

    with pytest.raises(FetchError, match=r"d3@2\.0\.0 is not in the npm registry"):
        npm.integrity("d3@2.0.0")
    with pytest.raises(FetchError, match="The list of nothing's versions could not be downloaded .* HTTP 404"):
        npm.integrity("nothing@1.0.0")


def test_a_registry_out_of_reach():
    """No connection is told like for any other registry."""
    with pytest.raises(FetchError, match="could not be downloaded from 127.0.0.1: no connection.*HEADWATER_NPM_MIRROR"):
        Npm("http://127.0.0.1:9/").integrity("d3@1.0.0")
