"""A certificate of one's own, for clients that only speak TLS (Airflow's Snowflake hook cannot ask for HTTP)."""

from __future__ import annotations

import ipaddress
import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_AUTHORITY_DAYS = 3650
# Some clients refuse server certificates that are good for longer.
_SERVER_DAYS = 820
# One that ends sooner than this is made anew.
_RENEW_DAYS = 30


@dataclass(frozen=True, slots=True)
class Certificates:
    """The files in a home's ``tls`` folder.

    Args:
        folder: of the home.
    """

    folder: Path

    @property
    def authority(self) -> Path:
        """The certificate that clients must trust."""
        return self.folder / "ca.pem"

    @property
    def bundle(self) -> Path:
        """It and the public authorities, for clients that take one file for all (REQUESTS_CA_BUNDLE)."""
        return self.folder / "bundle.pem"

    @property
    def server(self) -> Path:
        return self.folder / "server.pem"

    @property
    def server_key(self) -> Path:
        return self.folder / "server-key.pem"

    def ensure(self, host: str) -> None:
        """Makes what is missing, is for other hosts, or ends soon.

        Args:
            host: address the server listens on; loopback and the machine's name are always named.
        """
        names = sorted({"localhost", "127.0.0.1", "::1", socket.gethostname(), host} - {"0.0.0.0", "::", ""})
        if self._is_good(names):
            return
        self.folder.mkdir(mode=0o700, exist_ok=True)
        authority_key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Polynya on this machine")])
        # The authority's key is not kept: nobody can make further certificates with it.
        authority = (
            _builder(subject, subject, authority_key.public_key(), _AUTHORITY_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(certificates=True), critical=True)
            .sign(authority_key, hashes.SHA256())
        )
        key = ec.generate_private_key(ec.SECP256R1())
        server = (
            _builder(
                x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]),
                subject,
                key.public_key(),
                _SERVER_DAYS,
            )
            .add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
            )
            .sign(authority_key, hashes.SHA256())
        )
        own = authority.public_bytes(Encoding.PEM)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with os.fdopen(os.open(self.server_key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(private)
        self.server.write_bytes(server.public_bytes(Encoding.PEM))
        self.authority.write_bytes(own)
        self.bundle.write_bytes(_public_authorities() + own)

    def _is_good(self, names: list[str]) -> bool:
        files = (self.authority, self.bundle, self.server, self.server_key)
        if not all(file.exists() for file in files):
            return False
        try:
            server = x509.load_pem_x509_certificate(self.server.read_bytes())
            named = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (ValueError, x509.ExtensionNotFound):
            return False
        wanted = [_name(name) for name in names]
        return server.not_valid_after_utc > datetime.now(UTC) + timedelta(days=_RENEW_DAYS) and set(wanted) <= set(
            named
        )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificates,
        key_cert_sign=certificates,
        crl_sign=certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _public_authorities() -> bytes:
    """The authorities that clients trust anyway."""
    import ssl

    try:
        import certifi

        path = certifi.where()
    except ImportError:
        path = ssl.get_default_verify_paths().cafile or ""
    return Path(path).read_bytes().rstrip() + b"\n" if path and Path(path).exists() else b""
