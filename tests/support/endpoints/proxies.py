"""Runs nginx and HAProxy with the configurations that docs/guides/proxies.md shows."""

import contextlib
import re
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.debian import find_program
from tests.support.service import find_free_port, wait_until

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs/guides/proxies.md"
# Both the certificate and its key.
CERTIFICATE = ROOT / "tests/provider/untrusted.pem"
# What is the machine's in the page's configurations: it is replaced, and nothing else.
CERTIFICATES = (
    "/etc/ssl/texts.example.com.pem",
    "/etc/ssl/private/texts.example.com.key",
    "/etc/haproxy/texts.example.com.pem",
)
LISTENS = ("listen 443 ssl", "bind :443 ssl")
INSTANCES = ("127.0.0.1:8000", "192.0.2.11:8000", "192.0.2.12:8000")
# What Debian's nginx.conf has around a site's file, as far as it matters.
NGINX = """
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxied;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""


@dataclass(frozen=True)
class Proxy:
    """A proxy that listens at `port` with https."""

    name: str
    port: int


def read_configuration(heading: str) -> str:
    """The first block of code below a heading of the page."""
    _, _, after = PAGE.read_text().partition(f"\n### {heading}\n")
    found = re.search(r"```\w+\n(.*?)```", after, re.DOTALL)
    assert found is not None, heading
    return found[1]


def fit_configuration(text: str, port: int, instances: Sequence[int]) -> str:
    """The configuration with this machine's ports and certificate."""
    named = [each for each in INSTANCES if each in text]
    assert len(named) == len(instances)
    for place, instance in zip(named, instances, strict=True):
        text = text.replace(place, f"127.0.0.1:{instance}")
    for place in CERTIFICATES:
        text = text.replace(place, str(CERTIFICATE))
    [listens] = [each for each in LISTENS if each in text]
    return text.replace(listens, listens.replace("443", str(port)))


@contextmanager
def proxying(heading: str, folder: Path, *instances: int) -> Iterator[Proxy]:
    """The proxy as the page has it below a heading, before instances at these ports."""
    folder.mkdir()
    port = find_free_port()
    name = heading.split(",", maxsplit=1)[0].lower()
    site = folder / "site.conf"
    site.write_text(fit_configuration(read_configuration(heading), port, instances))
    command = [find_program(name), "-db", "-f", str(site)]
    if name == "nginx":
        main = folder / "nginx.conf"
        # As root its workers would be another account, which pytest's folders are closed to.
        user = "user root;" if folder.stat().st_uid == 0 else ""
        main.write_text(NGINX.format(folder=folder, user=user))
        command = [find_program(name), "-e", "stderr", "-c", str(main)]
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    def is_up() -> bool:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return False

    try:
        wait_until(is_up, what=log)
        yield Proxy(name, port)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
