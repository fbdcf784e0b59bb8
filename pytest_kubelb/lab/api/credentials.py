"""Keys to the lab's API.

An ephemeral CA, a server certificate for loopback, a token, and the kubeconfig. Touches the kubeconfig only.

Private keys stay in memory: the server's is handed to OpenSSL through an anonymous file.
"""

import base64
import os
import secrets
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_VALID = timedelta(days=30)
_CLOCK_SKEW = timedelta(minutes=5)


@dataclass(frozen=True)
class Credentials:
    """What one lab's API and its clients know each other by."""

    ca_pem: str
    """The certificate that clients check the server's with."""
    server_pem: str = field(repr=False)
    """The server's certificate and private key."""
    token: str = field(repr=False)
    """The bearer token of the lab's user."""


def new_credentials(*further: IPv4Address) -> Credentials:
    """Fresh keys for a server at https://127.0.0.1, https://localhost and `further` addresses, valid for 30 days."""
    ca_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubelb-lab-ca")])
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    ca = (
        _certificate(ca_name, ca_name, ca_key.public_key(), ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True, **usage), critical=True
        )
        .sign(ca_key, hashes.SHA256())
    )
    server_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kube-apiserver")])
    names = x509.SubjectAlternativeName(
        [
            *map(x509.IPAddress, (IPv4Address("127.0.0.1"), *further)),
            x509.DNSName("localhost"),
            x509.DNSName("kubernetes.default.svc"),
        ]
    )
    server = (
        _certificate(server_name, ca_name, server_key.public_key(), ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=True, key_cert_sign=False, crl_sign=False, **usage), critical=True
        )
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(names, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    key_pem = server_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Credentials(_pem(ca), _pem(server) + key_pem.decode(), secrets.token_urlsafe(32))


def server_ssl_context(credentials: Credentials) -> ssl.SSLContext:
    """Give the TLS side of the server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    anonymous = os.memfd_create("kubelb-lab-tls")
    try:
        os.write(anonymous, credentials.server_pem.encode())
        context.load_cert_chain(f"/proc/self/fd/{anonymous}")
    finally:
        os.close(anonymous)
    return context


def write_kubeconfig(
    path: Path, server: str, credentials: Credentials, *, context: str = "lab", namespace: str = "default"
) -> None:
    """Write a kubeconfig that only its owner can read, all at once: a reader sees the old one or the new one.

    `server` is the URL of the API, `context` the one name for cluster, user and context.
    """
    authority = base64.b64encode(credentials.ca_pem.encode()).decode()
    text = f"""\
apiVersion: v1
kind: Config
current-context: "{context}"
preferences: {{}}
clusters:
- name: "{context}"
  cluster:
    server: "{server}"
    certificate-authority-data: "{authority}"
contexts:
- name: "{context}"
  context:
    cluster: "{context}"
    namespace: "{namespace}"
    user: "{context}"
users:
- name: "{context}"
  user:
    token: "{credentials.token}"
"""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(
        os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
    ) as file:
        file.write(text)
    fresh.replace(path)


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    issuer_key: ec.EllipticCurvePublicKey,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + _VALID)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
