"""Alerts reach a real web server and a real mail server on this machine, or say who was not told."""

from __future__ import annotations

import json
import socketserver
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, ClassVar

import pytest
from headwater.errors import ConfigError
from headwater.profile import Profile
from headwater_assets.lib.alerts import Alert, AlertNotSent, channels, send

if TYPE_CHECKING:
    from collections.abc import Iterator

ALERT = Alert(
    kind="failure",
    project="loans",
    tables=("curated.loan_state",),
    text="curated.loan_state was not published.",
    url="http://127.0.0.1:7700/runs/1",
    run="1",
)


class Hook(BaseHTTPRequestHandler):
    """A webhook that keeps what it gets, and fails as often as it is told."""

    got: ClassVar[list[dict[str, object]]] = []
    failures: ClassVar[list[int]] = []

    def do_POST(self) -> None:
        """Keep the body."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        code = Hook.failures.pop() if Hook.failures else 200
        if code == 200:
            Hook.got.append(json.loads(body))
        self.send_response(code)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Stay silent."""


class Mailbox(socketserver.StreamRequestHandler):
    """A mail server that keeps what it gets."""

    got: ClassVar[list[str]] = []

    def handle(self) -> None:
        """Speak as much SMTP as a client needs."""
        self._say("220 ready")
        for raw in self.rfile:
            word = raw.decode().split(maxsplit=1)[0].upper() if raw.strip() else ""
            if word == "DATA":
                self._say("354 go on")
                lines = iter(self.rfile.readline, b".\r\n")
                Mailbox.got.append(b"".join(lines).decode())
            self._say("221 bye" if word == "QUIT" else "250 fine")
            if word == "QUIT":
                return

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[int]:
    """Run a server beside the test and give its port."""
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def settings(**given: str) -> Profile:
    """Return a profile with settings."""
    return Profile.load({}, **given)


def test_a_webhook_gets_json():
    """The POST holds what happened, to what, where to look, and a text that chat programs show."""
    Hook.got.clear()
    with serving(HTTPServer(("127.0.0.1", 0), Hook)) as port:
        send(ALERT, channels(settings(HEADWATER_ALERT_WEBHOOK=f"http://127.0.0.1:{port}/x")))

    (got,) = Hook.got
    assert got["text"] == ALERT.text
    assert (got["kind"], got["tables"], got["run"]) == ("failure", ["curated.loan_state"], "1")
    assert got["url"] == ALERT.url
    assert str(got["at"]).startswith("20")


def test_a_webhook_that_fails_once_is_asked_again():
    """One failure does not lose an alert."""
    Hook.got.clear()
    Hook.failures[:] = [500]
    with serving(HTTPServer(("127.0.0.1", 0), Hook)) as port:
        send(ALERT, channels(settings(HEADWATER_ALERT_WEBHOOK=f"http://127.0.0.1:{port}")), pauses=(0, 0))

    assert len(Hook.got) == 1


def test_an_address_gets_an_e_mail():
    """The subject names the table, the text is the sentence and the link."""
    Mailbox.got.clear()
    with serving(socketserver.TCPServer(("127.0.0.1", 0), Mailbox)) as port:
        to = channels(settings(HEADWATER_ALERT_EMAIL="me@example.com", HEADWATER_SMTP_URL=f"smtp://127.0.0.1:{port}"))
        send(ALERT, to)

    (mail,) = Mailbox.got
    assert "Subject: [headwater] curated.loan_state: failure" in mail
    assert "To: me@example.com" in mail
    assert ALERT.text in mail
    assert ALERT.url in mail


def test_every_channel_is_tried_and_the_silent_one_named():
    """A channel that fails every time is named without its address's secrets; the others still get the alert."""
    Mailbox.got.clear()
    with serving(socketserver.TCPServer(("127.0.0.1", 0), Mailbox)) as port:
        to = channels(
            settings(
                HEADWATER_ALERT_WEBHOOK="http://127.0.0.1:9/secret",
                HEADWATER_ALERT_EMAIL="me@example.com",
                HEADWATER_SMTP_URL=f"smtp://127.0.0.1:{port}",
            )
        )
        with pytest.raises(AlertNotSent, match="the webhook failed with ConnectionError") as caught:
            send(ALERT, to, pauses=(0,))

    assert "secret" not in str(caught.value)
    assert len(Mailbox.got) == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"HEADWATER_ALERT_WEBHOOK": "ftp://x"}, "give an http or https URL"),
        ({"HEADWATER_ALERT_EMAIL": "me@example.com"}, "needs HEADWATER_SMTP_URL"),
        ({"HEADWATER_ALERT_EMAIL": "me@example.com", "HEADWATER_SMTP_URL": "host:25"}, "needs HEADWATER_SMTP_URL"),
    ],
)
def test_settings_that_cannot_work_are_refused(given, said):
    """A wrong setting is found when definitions load, not when the first alert is due."""
    with pytest.raises(ConfigError, match=said):
        channels(settings(**given))


def test_nobody_is_told_without_settings():
    """Without settings there is no channel."""
    assert channels(settings()) == []
