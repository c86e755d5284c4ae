"""A real pgbouncer in front of a server of the tests."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.debian import find_program
from tests.support.service import find_free_port
from tests.support.storage.postgres import MEMORY, PostgresServer
from tests.support.storage.postgres_place import find_account


@contextlib.contextmanager
def pooling(
    server: PostgresServer,
    folder: Path,
    mode: str,
    *,
    pool_size: int = 20,
    port: int | None = None,
) -> Iterator[int]:
    """The port of a pooler in that pool_mode, with all else as it comes."""
    port = port or find_free_port()
    folder.mkdir()
    settings = folder / "pgbouncer.ini"
    users = folder / "users.txt"
    users.write_text('"postgres" ""\n')
    settings.write_text(
        f"[databases]\n* = host=127.0.0.1 port={server.port}\n[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = trust\n"
        f"auth_file = {users}\npool_mode = {mode}\ndefault_pool_size = {pool_size}\n"
    )
    account = find_account()
    identity: dict[str, Any] = {}
    if account is not None:
        identity = {"user": account[0], "group": account[1]}
    for each in (folder, settings, users):
        each.chmod(0o755)
    # It does not run as root, and must come through to its files.
    for parent in folder.parents:
        with contextlib.suppress(PermissionError):
            if str(parent).startswith(("/tmp/", f"{MEMORY}/")):
                parent.chmod(parent.stat().st_mode | 0o011)
    process = subprocess.Popen(
        [find_program("pgbouncer"), "-q", settings],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        **identity,
    )
    try:
        deadline = time.monotonic() + 10
        while not _listens(port):
            assert time.monotonic() < deadline, "pgbouncer did not start"
            time.sleep(0.02)
        yield port
    finally:
        process.kill()
        process.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
