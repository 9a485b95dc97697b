"""Where files are looked for: mirrors, pip's and Maven's own settings, certificates."""

from __future__ import annotations

import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from headwater.box import transport
from headwater.box.components.tls import ensure_certificates
from headwater.box.lockfile import LockedFile
from headwater.box.registries import Coordinate, Maven, Pypi
from headwater.box.wheelhouse import best_file, read_pins
from headwater.errors import ConfigError, FetchError
from headwater.profile import Profile

SETTINGS_XML = """<settings xmlns="urn:x">
  <servers><server><id>corp</id><username>me</username><password>${{env.MAVEN_SECRET}}</password></server></servers>
  <mirrors>
    <mirror><id>other</id><mirrorOf>jboss</mirrorOf><url>http://wrong.test/</url></mirror>
    <mirror><id>corp</id><mirrorOf>{of}</mirrorOf><url>http://mirror.test/m2/</url></mirror>
  </mirrors>
</settings>"""
ASKED = LockedFile("maven", "g.h:a:1:bin@tar.gz", "a-1-bin.tar.gz", "0" * 64, 1)


@pytest.fixture(autouse=True)
def _fresh_pip_settings():
    """Ask pip anew in every test."""
    transport.pip_settings.cache_clear()
    yield
    transport.pip_settings.cache_clear()


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("g.h:a:1", "g/h/a/1/a-1.jar"),
        ("g:a:1:bin@tar.gz", "g/a/1/a-1-bin.tar.gz"),
        ("g:a_2.13:1@zip", "g/a_2.13/1/a_2.13-1.zip"),
    ],
)
def test_maven_layout(text, path):
    """A coordinate says where its file lies in a repository."""
    assert Coordinate(text).path == path


def test_maven_mirror_wins(tmp_path):
    """The mirror that is set for Headwater wins over Maven's own settings."""
    (tmp_path / "settings.xml").write_text(SETTINGS_XML.format(of="*"))
    maven = Maven("http://mine.test/repo/", tmp_path / "settings.xml")

    assert maven.url(ASKED) == "http://mine.test/repo/g/h/a/1/a-1-bin.tar.gz"


@pytest.mark.parametrize("of", ["*", "central", "external:*", "jboss,central", "*,!jboss"])
def test_maven_settings_mirror(tmp_path, monkeypatch, of):
    """A mirror in Maven's settings that covers the central repository is used, with its login."""
    monkeypatch.setenv("MAVEN_SECRET", "s:p")
    (tmp_path / "settings.xml").write_text(SETTINGS_XML.format(of=of))

    assert Maven(None, tmp_path / "settings.xml").base == "http://me:s%3Ap@mirror.test/m2"


@pytest.mark.parametrize("of", ["jboss", "*,!central", "external:http:*"])
def test_maven_settings_of_others(tmp_path, of):
    """A mirror of other repositories is not used."""
    (tmp_path / "settings.xml").write_text(SETTINGS_XML.format(of=of))

    assert "mirror.test" not in Maven(None, tmp_path / "settings.xml").base


def test_maven_settings_broken(tmp_path):
    """Settings that are not XML are named."""
    (tmp_path / "settings.xml").write_text("<settings>")

    with pytest.raises(ConfigError, match=r"settings\.xml is not valid XML .* HEADWATER_MAVEN_MIRROR"):
        Maven(None, tmp_path / "settings.xml")


def test_pip_settings_are_asked(monkeypatch, tmp_path):
    """Without a mirror of its own Headwater asks the index that pip asks, variables before files."""
    config = tmp_path / "pip.conf"
    config.write_text("[global]\nindex-url = http://file.test/simple\nproxy = http://proxy.test:1\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    assert Pypi(None).indexes[0] == "http://file.test/simple"

    transport.pip_settings.cache_clear()
    monkeypatch.setenv("PIP_INDEX_URL", "http://variable.test/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "http://more.test/simple")
    pypi = Pypi(None)

    assert pypi.indexes == ["http://variable.test/simple", "http://more.test/simple"]
    assert pypi.session.proxies["https"] == "http://proxy.test:1"
    assert Pypi("http://mine.test/simple").indexes == ["http://mine.test/simple"]


def test_what_the_system_trusts_is_trusted(monkeypatch, tmp_path, https):
    """A CA that only the system knows, as in a company whose proxy looks inside, needs no setting of ours."""
    url, authority = https
    with pytest.raises(requests.exceptions.SSLError):
        transport.new_session().get(url, timeout=10)

    monkeypatch.setenv("SSL_CERT_FILE", str(authority))  # how OpenSSL itself is told where the system's list is
    assert transport.new_session().get(url, timeout=10).text == "hello"


@pytest.mark.parametrize("name", ["PIP_CERT", "REQUESTS_CA_BUNDLE"])
def test_a_ca_file_may_be_named(monkeypatch, https, name):
    """The CA file of pip's or of requests' settings is trusted, too."""
    url, authority = https
    monkeypatch.delenv("PIP_CERT", raising=False)
    monkeypatch.setenv(name, str(authority))

    assert Pypi(None).session.get(url, timeout=10).text == "hello"


def test_a_ca_file_that_is_not_there_is_named(monkeypatch):
    """A wrong setting is one sentence, not a refused connection later."""
    monkeypatch.setenv("PIP_CERT", "/corp/ca.pem")

    with pytest.raises(ConfigError, match=r"The CA file /corp/ca\.pem, pip's setting 'cert', cannot be read"):
        Pypi(None)


@pytest.fixture
def https(tmp_path):
    """A server whose certificate is by a CA of its own: its address and the CA's file."""
    certificate = ensure_certificates(Profile.load({}, HEADWATER_PROJECT=str(tmp_path), HEADWATER_HOME=str(tmp_path)))
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hello)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # who does not trust it hangs up
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}/", tmp_path / "tls" / "ca.pem"
    server.shutdown()
    thread.join()
    server.server_close()


class _Hello(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_):
        """Say nothing."""


def test_login_of_the_index(registry, settings):
    """The login in an index's URL also opens the files on the same host."""
    file = registry.put_python("p", "p-1-py3-none-any.whl", b"x")
    pypi = Pypi(settings.pypi_mirror.replace("://", "://me:secret@"))

    assert (
        pypi.url(file)
        == f"{registry.url}/files/{file.name}#sha256={file.sha256}".replace("://", "://me:secret@").partition("#")[0]
    )


def test_file_missing_from_the_index(registry, settings):
    """A file that the index does not have, or has with another hash, is named."""
    file = registry.put_python("p", "p-1-py3-none-any.whl", b"x")
    registry.files["/simple/p/"] = registry.files["/simple/p/"].replace(file.sha256.encode(), b"0" * 64)

    with pytest.raises(FetchError, match=r"p-1-py3-none-any\.whl is not in the package index"):
        Pypi(settings.pypi_mirror).url(file)


def test_index_out_of_reach():
    """An index that cannot be reached is told like a file that cannot."""
    with pytest.raises(FetchError, match="The list of p's files could not be downloaded from 127.0.0.1: no connect"):
        Pypi("http://127.0.0.1:9/simple/").packages("p")


def test_pins_for_this_python(tmp_path):
    """Requirements of another Python or system are left out; versions and hashes are kept."""
    path = tmp_path / "r.txt"
    path.write_text(
        "one[extra]==1.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n    # via x\n"
        "two==2 ; python_version < '3' \\\n    --hash=sha256:cc\n"
    )

    assert [(pin.project, pin.version, pin.sha256s) for pin in read_pins(path)] == [("one", "1.0", {"aa", "bb"})]


def test_best_file(registry, settings, tmp_path):
    """The most particular wheel is chosen, then a general one, then the source; only hashes that are pinned count."""
    tag = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    files = [
        registry.put_python("p", "p-1.tar.gz", b"source"),
        registry.put_python("p", "p-1-py3-none-any.whl", b"any"),
        registry.put_python("p", f"p-1-{tag}-{tag}-manylinux_2_17_x86_64.manylinux_2_17_aarch64.whl", b"here"),
        registry.put_python("p", f"p-1-{tag}-{tag}-win_amd64.whl", b"there"),
    ]
    chosen = []
    for allowed in (files, files[:2], files[:1]):
        hashes = "".join(f" \\\n --hash=sha256:{file.sha256}" for file in allowed)
        (tmp_path / "r.txt").write_text(f"p==1{hashes}\n")
        chosen.append(best_file(read_pins(tmp_path / "r.txt")[0], Pypi(settings.pypi_mirror)).name)

    assert chosen == [files[2].name, files[1].name, files[0].name]
    (tmp_path / "r.txt").write_text("p==1 --hash=sha256:00\n")
    with pytest.raises(FetchError, match="No file of p 1 suits this Python"):
        best_file(read_pins(tmp_path / "r.txt")[0], Pypi(settings.pypi_mirror))


def test_pip_is_not_needed(monkeypatch, tmp_path):
    """An environment without pip has no pip settings, and that is all."""
    monkeypatch.setattr(transport.sys, "executable", str(tmp_path / "python"))
    (tmp_path / "python").write_text("#!/bin/sh\necho 'No module named pip' >&2\nexit 1\n")
    (tmp_path / "python").chmod(0o755)

    assert transport.pip_settings() == {}
