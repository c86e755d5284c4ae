"""Kannel's bearerbox as Debian packages it: the gateway that others run for this, written in C.

It takes a text by HTTP, writes it to a file of its own, never synced, and answers. Nothing fetches
the texts, so that they stay in its store and can be counted.
"""

import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.forwards import ID_DIGITS, KANNEL_USER
from benchmarks.servers.ports import find_free_port

ABSENT = "Kannel is not installed and was left out: `apt-get install kannel` brings Debian's."

_SPOOL = "spool"
# The text of a stored message begins with the id.
_ID = re.compile(rb"[0-9]{%d} " % ID_DIGITS)

# Only errors are logged: what it writes otherwise, a line or more for each text, costs it time.
_CONFIG = """\
group = core
admin-port = {admin_port}
admin-password = {password}
admin-interface = "127.0.0.1"
smsbox-port = {smsbox_port}
smsbox-interface = "127.0.0.1"
box-allow-ip = "127.0.0.1"
log-file = "{folder}/bearerbox.log"
log-level = 3
store-type = spool
store-location = "{folder}/{spool}"

group = smsc
smsc = http
system-type = kannel
smsc-username = {user}
smsc-password = {password}
port = {port}
send-url = "http://127.0.0.1:{send_port}/"
connect-allow-ip = "127.0.0.1"

group = smsbox
bearerbox-host = "127.0.0.1"
sendsms-port = {send_port}
"""


def find_bearerbox() -> str | None:
    """The program; Debian puts it where a user's PATH does not lead."""
    return shutil.which("bearerbox") or shutil.which("bearerbox", path="/usr/sbin")


def write_config(folder: Path, port: int, password: str) -> Path:
    """What makes it listen on `port` and keep what it takes in `folder`."""
    (folder / _SPOOL).mkdir()
    path = folder / "kannel.conf"
    admin_port, smsbox_port, send_port = (find_free_port() for _ in range(3))
    path.write_text(
        _CONFIG.format(
            admin_port=admin_port,
            smsbox_port=smsbox_port,
            send_port=send_port,
            folder=folder,
            spool=_SPOOL,
            user=KANNEL_USER,
            password=password,
            port=port,
        )
    )
    return path


def count_ids(folder: Path) -> Counter[str]:
    """The ids of the texts that lie in its store, each with how many files hold it."""
    return Counter(_read_ids(folder / _SPOOL))


def _read_ids(spool: Path) -> Iterator[str]:
    for path in spool.glob("*/*"):
        found = _ID.search(path.read_bytes())
        if found:
            yield found[0].strip().decode()
