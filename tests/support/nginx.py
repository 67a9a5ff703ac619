"""nginx in front of Fencepost, with the configuration that we ship; only ports, folders and addresses are a test's."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.serving import free_port
from tests.support.waiting import PATIENCE, wait_for

SHIPPED = ROOT / "deploy" / "nginx.conf"

# What a distribution's file around ours may say; ours must win where it matters. Whoever has a cookie `slow` gets a
# megabyte a second, so that a test can act in the middle of what a browser reads.
AROUND = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/start.log warn;
events {{}}
http {{
    gzip on;
    gzip_types *;
    access_log {folder}/other.log combined;
    map $cookie_slow $rate {{ default 0; ~. 1m; }}
    limit_rate $rate;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/fencepost.conf;
}}
"""


@dataclass(frozen=True, slots=True)
class Nginx:
    """A running nginx: its addresses with and without TLS, and what it has written down."""

    url: str
    plain_url: str
    folder: Path

    @property
    def log(self) -> str:
        """Everything that it wrote anywhere."""
        return "".join(file.read_text() for file in sorted(self.folder.glob("*.log")))

    def curl(self, target: str, *options: str) -> subprocess.Popen[bytes]:
        """Start `curl`; it reads no further than whoever reads its standard output."""
        command = ["curl", "-q", "--silent", "--show-error", "--insecure", "--noproxy", "*", "--max-time", "120"]
        return subprocess.Popen(
            [*command, *options, self.url + target], stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        )


def find_nginx() -> str:
    """Return the program, or skip the test; where it is required, fail."""
    # Debian's lies where only administrators look.
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if program is None:
        if os.environ.get("FENCEPOST_TEST_NGINX") == "required":
            pytest.fail("nginx is not installed, and FENCEPOST_TEST_NGINX=required")
        pytest.skip("nginx is not installed: install it to test what stands in deploy/")
    return program


@contextmanager
def running_nginx(folder: Path, *ports: int) -> Iterator[Nginx]:
    """Run nginx in front of servers on ports of the loopback for a block, everything of it in a folder."""
    program = find_nginx()
    folder.mkdir()
    tls, plain = free_port(), free_port()
    _make_certificate(folder)
    (folder / "fencepost.conf").write_text(_adapt(SHIPPED.read_text(), folder, ports, tls, plain))
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder))
    process = subprocess.Popen([program, "-p", str(folder), "-c", "nginx.conf", "-e", str(folder / "start.log")])
    try:
        wait_for(lambda: process.poll() is not None or (folder / "nginx.pid").exists(), "nginx")
        assert process.poll() is None, (folder / "start.log").read_text()
        yield Nginx(f"https://localhost:{tls}", f"http://localhost:{plain}", folder)
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _adapt(text: str, folder: Path, ports: tuple[int, ...], tls: int, plain: int) -> str:
    """Put the test's ports and folders in the place of the shipped ones, each of which must be there."""
    for shipped, adapted in {
        "server 127.0.0.1:3051;": " ".join(f"server 127.0.0.1:{port};" for port in ports),
        "fencepost.example.com": "localhost",
        "listen 80;": f"listen 127.0.0.1:{plain};",
        "listen [::]:80;": "",
        "listen 443 ssl": f"listen 127.0.0.1:{tls} ssl",
        "listen [::]:443 ssl http2;": "",
        "/etc/nginx/tls/": f"{folder}/",
        "/var/log/nginx/": f"{folder}/",
    }.items():
        assert shipped in text
        text = text.replace(shipped, adapted)
    return text


def _make_certificate(folder: Path) -> None:
    """Make a certificate for this machine that nobody has signed."""
    key, certificate = folder / "fencepost.key", folder / "fencepost.pem"
    command = ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-subj", "/CN=localhost", "-days", "2", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
