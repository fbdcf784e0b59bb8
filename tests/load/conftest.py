"""A real nginx on loopback and a real wrk pointed at it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.load.command import wrk_command
from pytest_kubelb.load.json_output import report_script

if TYPE_CHECKING:
    from pathlib import Path

RunWrk = Callable[..., "subprocess.CompletedProcess[str]"]

NGINX_CONF = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000;
  server {{
    listen 127.0.0.1:{port};
    location / {{ return 200 "172.16.1.2"; }}
    location /unavailable {{ return 503; }}
    location /hang-up {{ return 444; }}
    location /host {{ if ($http_host != "lb.test") {{ return 400; }} return 200 "ok"; }}
  }}
}}
"""


@pytest.fixture(scope="session")
def nginx_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of an nginx that this session started, without a slash at its end."""
    if shutil.which("nginx") is None:
        pytest.skip("nginx is not installed (Debian package nginx-light)")
    folder = tmp_path_factory.mktemp("nginx")
    with closing(socket.socket()) as chooser:
        chooser.bind(("127.0.0.1", 0))
        port: int = chooser.getsockname()[1]
    (folder / "nginx.conf").write_text(NGINX_CONF.format(folder=folder, port=port))
    log = str(folder / "error.log")
    with subprocess.Popen(["nginx", "-p", str(folder), "-c", "nginx.conf", "-e", log]) as nginx:
        try:
            _wait_for(port, nginx)
            yield f"http://127.0.0.1:{port}"
        finally:
            nginx.terminate()


def _wait_for(port: int, nginx: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        if nginx.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"nginx does not listen on port {port} (exit code {nginx.poll()})")


@pytest.fixture(scope="session")
def run_wrk(tmp_path_factory: pytest.TempPathFactory) -> RunWrk:
    """Call it with a URL and what `wrk_command` takes; more_options go in front of the URL."""
    if shutil.which("wrk") is None:
        pytest.skip("wrk is not installed (Debian package wrk)")
    script: Path = tmp_path_factory.mktemp("lua") / "report.lua"
    script.write_text(report_script())

    def run(
        url: str, *more_options: str, threads: int = 1, host: str = "lb.test"
    ) -> subprocess.CompletedProcess[str]:
        *options, target = wrk_command(
            url,
            script=str(script),
            host_header=host,
            connections=4,
            threads=threads,
            duration_s=1,
            timeout_s=1,
        )
        return subprocess.run(
            [*options, *more_options, target], capture_output=True, text=True, check=True, timeout=30
        )

    return run
