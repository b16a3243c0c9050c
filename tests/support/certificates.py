"""Certificates for this machine's services, signed by an authority that is thrown away."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

import pytest

_DAY = datetime.timedelta(days=1)


class Authority:
    """Signs certificates; ``path`` is its own, which clients have to trust."""

    def __init__(self, folder: Path) -> None:
        pytest.importorskip("cryptography", reason="makes certificates; it comes with moto")
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import ec

        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name.from_rfc4514_string("CN=Throwaway authority")
        self.path = folder / "authority.pem"
        self._write(self.path, self._name, self._key, _days(-1), _days(2), None)

    def sign(
        self, name: str, host: str = "127.0.0.1", *, expired: bool = False
    ) -> tuple[Path, Path]:
        """Return the files of a certificate for ``host`` and of its key, named by ``name``."""
        from cryptography import x509
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        certificate, key_file = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        subject = x509.Name.from_rfc4514_string(f"CN={host}")
        end = _days(-1) if expired else _days(1)
        self._write(certificate, subject, key, _days(-2), end, host)
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return certificate, key_file

    def _write(self, path, subject, key, begin, end, host) -> None:  # type: ignore[no-untyped-def]
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization

        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=host is None, path_length=None), critical=True)
        )
        if host is not None:
            made = made.add_extension(
                x509.SubjectAlternativeName([_general_name(host)]), critical=False
            )
        signed = made.sign(self._key, hashes.SHA256())
        path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))


def _general_name(host: str):  # type: ignore[no-untyped-def]
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _days(count: int) -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC) + count * _DAY
