"""A TLS proxy before the lab's API that answers as a server in trouble does. Touches that API and a loopback port.

Requests go through unchanged until a test asks for a trouble.
"""

from __future__ import annotations

import asyncio
import base64
import datetime
import json
import socket
import ssl
import threading
from contextlib import contextmanager
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Final

import yaml
from aiohttp import ClientSession, ClientTimeout, web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SLOW_S: Final = 0.5
_PASSED_ON: Final = ("Accept", "Content-Type")
_SAID: Final = {
    "401": "Unauthorized",
    "429": "too many requests, please try again later",
    "500": "etcdserver: request timed out",
}
_LOOPBACK: Final = IPv4Address("127.0.0.1")


class FaultyApi:
    """The proxy; `trouble` is one of 401, 429, 500, slow, dropped, cut, and empty for none."""

    def __init__(self, folder: Path, server: str, upstream: ssl.SSLContext, token: str) -> None:
        self.trouble = ""
        self.answers = 0
        """Requests that got trouble for an answer."""
        self._folder = folder
        self._server = server
        self._upstream = upstream
        self._token = token
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
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
        self._context.load_cert_chain(file)

    async def serve(self, listening: socket.socket, ended: asyncio.Event, ready: threading.Event) -> None:
        """Serve until `ended`."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.2)
        await runner.setup()
        await web.SockSite(runner, listening, ssl_context=self._context).start()
        headers = {"Authorization": f"Bearer {self._token}"}
        async with ClientSession(timeout=ClientTimeout(total=None), headers=headers) as client:
            self._client = client
            ready.set()
            await ended.wait()
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        trouble = self.trouble
        if trouble and (trouble != "cut" or "watch" in request.query):
            self.answers += 1
        if trouble == "dropped" and request.transport is not None:
            request.transport.abort()
        if trouble == "slow":
            await asyncio.sleep(SLOW_S)
        if trouble in _SAID:
            status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": int(trouble)}
            response = web.json_response({**status, "message": _SAID[trouble]}, status=int(trouble))
            if trouble == "429":
                response.headers["Retry-After"] = "1"
            response.force_close()
            return response
        return await self._pass_on(request)

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        async with self._client.request(
            request.method, f"{self._server}{request.path_qs}", data=await request.read(), headers=headers,
            ssl=self._upstream,
        ) as upstream:  # fmt: skip
            response = web.StreamResponse(
                status=upstream.status, headers={"Content-Type": upstream.headers.get("Content-Type", "")}
            )
            response.force_close()  # so that each request meets the certificate of its time
            await response.prepare(request)
            async for part in upstream.content.iter_any():
                if self.trouble == "cut" and "watch" in request.query and request.transport is not None:
                    request.transport.abort()
                await response.write(part)
            await response.write_eof()
            return response


@contextmanager
def faulty(kubeconfig: Path, mine: Path) -> Iterator[FaultyApi]:
    """Serve a proxy to the API of `kubeconfig`, and write the kubeconfig that leads to it to `mine`."""
    content = yaml.safe_load(kubeconfig.read_text())
    (cluster,), (user,) = content["clusters"], content["users"]
    authority = base64.b64decode(cluster["cluster"]["certificate-authority-data"]).decode()
    upstream = ssl.create_default_context(cadata=authority)
    listening = socket.create_server((str(_LOOPBACK), 0))
    api = FaultyApi(mine.parent, cluster["cluster"]["server"], upstream, user["user"]["token"])
    cluster["cluster"] = {
        "server": f"https://{_LOOPBACK}:{listening.getsockname()[1]}",
        "certificate-authority-data": base64.b64encode(api.authority).decode(),
    }
    mine.touch(mode=0o600)
    mine.write_text(json.dumps(content))
    loop, ready, ended = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    loop.set_exception_handler(lambda *_: None)  # it is told of each connection that a fault ends
    thread = threading.Thread(
        target=loop.run_until_complete, args=(api.serve(listening, ended, ready),), name="faulty-api"
    )
    thread.start()
    try:
        assert ready.wait(10)
        yield api
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
        loop.close()


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
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(_LOOPBACK)]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)
