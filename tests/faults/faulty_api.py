"""A TLS proxy before the lab's API that answers as a server in trouble does. Touches that API and a loopback port.

Requests go through unchanged until a test asks for a trouble.
"""

from __future__ import annotations

import asyncio
import base64
import datetime
import socket
import ssl
from contextlib import contextmanager
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Final

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.api_proxy import LOOPBACK, ApiProxy, Upstream, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_WAITS_S: Final = {"slow": 0.5, "hanging": 300.0}
_SAID: Final = {
    "401": "Unauthorized",
    "429": "too many requests, please try again later",
    "500": "etcdserver: request timed out",
}


class FaultyApi(ApiProxy):
    """The proxy; `trouble` is one of 401, 429, 500, slow, hanging, dropped, cut, cut once, and empty for none."""

    def __init__(self, upstream: Upstream, folder: Path) -> None:
        super().__init__(upstream)
        self.trouble = ""
        self.answers = 0
        """Requests that got trouble for an answer."""
        self._folder = folder
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._sound = _certificate(self._key, expired=False)
        self.present_certificate(expired=False)

    def present_certificate(self, *, expired: bool) -> None:
        """Show new connections a certificate, by itself its own authority."""
        self.authority = _certificate(self._key, expired=True) if expired else self._sound
        file = self._folder / "api.pem"
        file.touch(mode=0o600)
        private = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(private + self.authority)
        self.context.load_cert_chain(file)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Pass on, or get into trouble."""
        trouble = self.trouble
        if trouble and (not trouble.startswith("cut") or "watch" in request.query):
            self.answers += 1
        if trouble == "dropped" and request.transport is not None:
            request.transport.abort()
        if trouble in _WAITS_S:
            await asyncio.sleep(_WAITS_S[trouble])
        if trouble in _SAID:
            status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": int(trouble)}
            response = web.json_response({**status, "message": _SAID[trouble]}, status=int(trouble))
            if trouble == "429":
                response.headers["Retry-After"] = "1"
            response.force_close()
            return response
        return await self.pass_on(request)

    def passes(self, request: web.Request, response: web.StreamResponse) -> None:
        """Cut a watch when its first event comes."""
        if not response.prepared:
            response.force_close()  # so that each request meets the certificate of its time
        elif self.trouble.startswith("cut") and "watch" in request.query and request.transport is not None:
            request.transport.abort()
            if self.trouble == "cut once":
                self.trouble = ""


@contextmanager
def faulty(kubeconfig: Path, mine: Path) -> Iterator[FaultyApi]:
    """Serve a proxy to the API of `kubeconfig`, and write the kubeconfig that leads to it to `mine`."""
    upstream = Upstream(kubeconfig)
    listening = socket.create_server((LOOPBACK, 0))
    api = FaultyApi(upstream, mine.parent)
    authority = base64.b64encode(api.authority).decode()
    server = f"https://{LOOPBACK}:{listening.getsockname()[1]}"
    upstream.write_kubeconfig(mine, {"server": server, "certificate-authority-data": authority})
    with served(api, listening, api.context):
        yield api


def _certificate(key: ec.EllipticCurvePrivateKey, *, expired: bool) -> bytes:
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubelb-faulty-api")])
    end = now - datetime.timedelta(seconds=10) if expired else now + day
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
        decipher_only=False,
    )  # fmt: skip
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - day, end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(LOOPBACK))]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)
