"""Tells people: one JSON POST or one e-mail per alert, to whom the user's settings name."""

from __future__ import annotations

import smtplib
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, urlsplit

from headwater.errors import ConfigError, HeadwaterError

if TYPE_CHECKING:
    from collections.abc import Callable

    from headwater.profile import Profile

__all__ = ["Alert", "AlertNotSent", "channels", "send"]

_PAUSES = (0.0, 1.0, 3.0)
_TIMEOUT = 10


class AlertNotSent(HeadwaterError):  # noqa: N818 - reads as the outcome it is
    """An alert reached nobody."""


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One thing that people should know.

    Args:
        kind: ``failure`` of a run or a ``stale`` table.
        project: Whose.
        tables: ``zone.name`` of what it is about.
        text: One sentence; chat programs show this field.
        url: Where to look.
        run: The run's id, if there is one.
        at: When, ISO 8601.
    """

    kind: Literal["failure", "stale"]
    project: str
    tables: tuple[str, ...]
    text: str
    url: str
    run: str = ""
    at: str = ""


Channel = tuple[str, "Callable[[Alert], None]"]


def channels(profile: Profile) -> list[Channel]:
    """Return the ways to tell people that the settings name, each with what it is called.

    Raises:
        ConfigError: A setting is not usable.
    """
    webhook, address = profile.setting("HEADWATER_ALERT_WEBHOOK"), profile.setting("HEADWATER_ALERT_EMAIL")
    found: list[Channel] = []
    if webhook:
        if urlsplit(webhook).scheme not in {"http", "https"}:
            raise ConfigError(f"HEADWATER_ALERT_WEBHOOK is {webhook!r}; give an http or https URL.")
        found.append(("the webhook", lambda alert: _post(webhook, alert)))
    if address:
        smtp = profile.setting("HEADWATER_SMTP_URL")
        parts = urlsplit(smtp)
        if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
            raise ConfigError("HEADWATER_ALERT_EMAIL needs HEADWATER_SMTP_URL, such as smtps://user:password@host:465.")
        found.append((f"e-mail to {address}", lambda alert: _mail(smtp, address, alert)))
    return found


def send(alert: Alert, to: list[Channel], *, pauses: tuple[float, ...] = _PAUSES) -> None:
    """Send an alert everywhere, trying again when a channel fails.

    Raises:
        AlertNotSent: A channel failed every time; the sentence names each, without passwords.
    """
    stamped = Alert(**{**asdict(alert), "at": alert.at or datetime.now(UTC).isoformat(timespec="seconds")})
    failed = [said for name, channel in to if (said := _try(name, channel, stamped, pauses))]
    if failed:
        raise AlertNotSent(f"An alert ({alert.text}) was not sent: {'; '.join(failed)}.")


def _try(name: str, channel: Callable[[Alert], None], alert: Alert, pauses: tuple[float, ...]) -> str:
    said = ""
    for pause in pauses:
        time.sleep(pause)
        try:
            channel(alert)
        except (OSError, smtplib.SMTPException) as error:  # requests' errors are OSErrors
            said = f"{name} failed with {type(error).__name__}"
        else:
            return ""
    return said


def _post(url: str, alert: Alert) -> None:
    import requests  # noqa: PLC0415 - definitions load without it

    requests.post(url, json=asdict(alert), timeout=_TIMEOUT).raise_for_status()


def _mail(url: str, address: str, alert: Alert) -> None:
    parts = urlsplit(url)
    mail = EmailMessage()
    mail["Subject"] = f"[headwater] {', '.join(alert.tables) or alert.project}: {alert.kind}"
    mail["From"] = unquote(parts.username or "") if "@" in unquote(parts.username or "") else address
    mail["To"] = address
    mail.set_content(f"{alert.text}\n\n{alert.url}\n")
    kind = smtplib.SMTP_SSL if parts.scheme == "smtps" else smtplib.SMTP
    with kind(parts.hostname or "", parts.port or 0, timeout=_TIMEOUT) as server:
        if parts.username:
            if parts.scheme == "smtp":
                server.starttls()
            server.login(unquote(parts.username), unquote(parts.password or ""))
        server.send_message(mail)
