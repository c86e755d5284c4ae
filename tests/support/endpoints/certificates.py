"""Certificates for servers of tests, issued by an authority of the test's own."""

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

OPENSSL_SECONDS = 30


@dataclass(frozen=True)
class Authority:
    """Issues certificates into its folder; `certificate` is what a client has to trust."""

    folder: Path

    @property
    def certificate(self) -> Path:
        return self.folder / "authority.crt"

    def issue(self, name: str, *, days: int = 1) -> ssl.SSLContext:
        """For a server of this DNS name; a certificate of 0 days has expired when it is used."""
        request = self.folder / f"{name}.csr"
        made = self.folder / f"{name}.crt"
        names = self.folder / f"{name}.ext"
        names.write_text(f"subjectAltName=DNS:{name}\nauthorityKeyIdentifier=keyid\n")
        key = self.folder / f"{name}.key"
        _openssl("req", "-new", *_new_key(key), "-subj", f"/CN={name}", "-out", request)
        _openssl(
            *("x509", "-req", "-in", request, "-days", days, "-extfile", names, "-out", made),
            *("-CA", self.certificate, "-CAkey", self.folder / "authority.key"),
            *("-set_serial", "7"),
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(made, key)
        return context


def make_authority(folder: Path) -> Authority:
    folder.mkdir(parents=True, exist_ok=True)
    made = Authority(folder)
    key = folder / "authority.key"
    _openssl(
        *("req", "-x509", "-days", 2, *_new_key(key), "-subj", "/CN=Authority of a test"),
        # Python 3.13 asks for it.
        *("-addext", "keyUsage=critical,keyCertSign", "-out", made.certificate),
    )
    return made


def _new_key(path: Path) -> tuple[object, ...]:
    return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path)


def _openssl(*arguments: object) -> None:
    command = ["openssl", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, timeout=OPENSSL_SECONDS)
