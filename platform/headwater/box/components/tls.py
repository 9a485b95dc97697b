"""The box's own certificate authority and Trino's certificate, made once and renewed in time."""

from __future__ import annotations

import ipaddress
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from headwater.profile import Profile

__all__ = ["ca_path", "ensure_certificates"]

_CA_LIFE, _LIFE, _RENEW = timedelta(days=3650), timedelta(days=730), timedelta(days=180)


def ca_path(profile: Profile) -> Path:
    """Return the certificate that clients verify Trino with."""
    return profile.trust / "ca.pem"


def ensure_certificates(profile: Profile) -> Path:
    """Return the file with Trino's key and certificate, made or renewed when needed, and publish its authority."""
    folder = profile.home / "tls"
    folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    server = folder / "server.pem"
    if not _good(folder / "ca.pem", _RENEW) or not (folder / "ca-key.pem").exists():
        _make_authority(folder, profile.home.name)
        server.unlink(missing_ok=True)
    if not _good(server, _RENEW):
        _make_server(folder, profile.names("trino-tls"))
    _publish(folder / "ca.pem", ca_path(profile))
    return server


def _publish(authority: Path, to: Path) -> None:
    """Put the authority where clients look for it; the keys stay with Trino."""
    if not to.exists() or to.read_bytes() != authority.read_bytes():
        to.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        _write(to, authority.read_bytes(), 0o644)


def _good(path: Path, margin: timedelta) -> bool:
    from cryptography import x509  # noqa: PLC0415 - slow to import

    try:
        last = x509.load_pem_x509_certificates(path.read_bytes())[0].not_valid_after_utc
    except (OSError, ValueError, IndexError):
        return False
    return last - margin > datetime.now(UTC)


def _make_authority(folder: Path, box: str) -> None:
    from cryptography import x509  # noqa: PLC0415

    key, name = _new_key(), _name(f"Headwater box {box}"[:64])
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    builder = (
        _certificate(name, name, key, _CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    _write(folder / "ca-key.pem", _key_bytes(key), 0o600)
    _write(folder / "ca.pem", _signed(builder, key), 0o644)


def _make_server(folder: Path, names: Iterable[str]) -> None:
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415
    from cryptography.x509.oid import ExtendedKeyUsageOID  # noqa: PLC0415

    authority = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    signer: Any = load_pem_private_key((folder / "ca-key.pem").read_bytes(), password=None)
    key = _new_key()
    builder = (
        _certificate(_name("localhost"), authority.subject, key, _LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([_subject(name) for name in names]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    _write(folder / "server.pem", _key_bytes(key) + _signed(builder, signer), 0o600)


def _subject(name: str) -> Any:
    from cryptography import x509  # noqa: PLC0415

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _certificate(subject: Any, issuer: Any, key: Any, life: timedelta) -> Any:
    from cryptography import x509  # noqa: PLC0415

    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + life)
    )


def _new_key() -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    return ec.generate_private_key(ec.SECP256R1())


def _name(common: str) -> Any:
    from cryptography import x509  # noqa: PLC0415
    from cryptography.x509.oid import NameOID  # noqa: PLC0415

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _signed(builder: Any, key: Any) -> bytes:
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415

    pem: bytes = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    return pem


def _key_bytes(key: Any) -> bytes:
    from cryptography.hazmat.primitives import serialization as to  # noqa: PLC0415

    pem: bytes = key.private_bytes(to.Encoding.PEM, to.PrivateFormat.PKCS8, to.NoEncryption())
    return pem


def _write(path: Path, content: bytes, mode: int) -> None:
    partial = path.with_name(f".{path.name}.new")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    partial.chmod(mode)
    partial.replace(path)
